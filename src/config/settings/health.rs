//! How backends are asked whether they work.

use std::num::NonZeroU32;
use std::time::Duration;

use super::super::raw::{Commands, RawHealth};
use super::super::sources::{Sources, choice, value_error};
use super::{ConfigError, Setting};

/// Time between two checks of a backend. spec: contract 5.3 has 30 s, for checks that are none
const INTERVAL_MS: u32 = 10_000;
/// spec: contract 5.3
const TIMEOUT_MS: u32 = 5_000;
/// Good answers in a row, as those who balance web servers have it.
const RISE: u32 = 2;
/// Bad answers in a row: one that was lost is no failure.
const FALL: u32 = 3;
/// The shortest interval: each node of a cluster asks each backend.
const INTERVAL_MS_MIN: u32 = 500;

/// How backends are asked; each may say otherwise of itself in its metadata.
#[derive(Debug, Clone)]
pub struct Health {
    /// Time between two checks, in milliseconds.
    pub interval_ms: Setting<NonZeroU32>,
    /// Longest time of one, in milliseconds.
    pub timeout_ms: Setting<NonZeroU32>,
    /// Good answers in a row that make an unhealthy backend healthy.
    pub rise: Setting<NonZeroU32>,
    /// Bad answers in a row that make a healthy one unhealthy.
    pub fall: Setting<NonZeroU32>,
    /// Whose commands are run.
    pub commands: Setting<Commands>,
}

impl Health {
    pub(super) fn resolve(from: &Sources<'_>, raw: RawHealth) -> Result<Self, ConfigError> {
        let number = |value: u32| move || NonZeroU32::new(value).unwrap_or(NonZeroU32::MIN);
        Ok(Self {
            interval_ms: from.of(
                "health.interval_ms",
                None,
                raw.interval_ms,
                number(INTERVAL_MS),
            )?,
            timeout_ms: from.of("health.timeout_ms", None, raw.timeout_ms, number(TIMEOUT_MS))?,
            rise: from.of("health.rise", None, raw.rise, number(RISE))?,
            fall: from.of("health.fall", None, raw.fall, number(FALL))?,
            commands: from.of("health.commands", None, raw.commands, || Commands::None)?,
        })
    }

    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.interval_ms.value.get() < INTERVAL_MS_MIN {
            let reason = format!("at least {INTERVAL_MS_MIN}: each node asks each backend");
            return Err(value_error("health.interval_ms", &self.interval_ms.origin, reason));
        }
        Ok(())
    }

    /// Time between two checks.
    #[must_use]
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms.value.get().into())
    }

    /// Longest time of one.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.value.get().into())
    }

    /// The rows of `har config show`.
    pub(super) fn rows(&self) -> [(&'static str, String, String); 5] {
        fn row<T: ToString>(
            key: &'static str,
            setting: &Setting<T>,
        ) -> (&'static str, String, String) {
            (key, setting.value.to_string(), setting.origin.to_string())
        }
        let commands = &self.commands;
        [
            row("health.interval_ms", &self.interval_ms),
            row("health.timeout_ms", &self.timeout_ms),
            row("health.rise", &self.rise),
            row("health.fall", &self.fall),
            ("health.commands", choice(commands.value), commands.origin.to_string()),
        ]
    }
}
