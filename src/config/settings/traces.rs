//! Whether traces are collected, and where.

use super::super::http_url::HttpUrl;
use super::super::raw::RawTraces;
use super::super::sources::{Sources, value_error};
use super::{ConfigError, Setting};

/// Traces.
#[derive(Debug, Clone)]
pub struct Traces {
    /// Where spans are sent; `None`: there are no traces.
    pub endpoint: Setting<Option<HttpUrl>>,
    /// How many of a hundred traces that begin here are collected.
    pub sample_percent: Setting<u32>,
}

impl Traces {
    pub(super) fn resolve(from: &Sources<'_>, raw: RawTraces) -> Result<Self, ConfigError> {
        let endpoint = raw.endpoint.map(Some);
        Ok(Self {
            endpoint: from.of("traces.endpoint", None, endpoint, || None)?,
            sample_percent: from.of("traces.sample_percent", None, raw.sample_percent, || 100)?,
        })
    }

    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let Setting { value, origin } = &self.sample_percent;
        if *value > 100 {
            let reason = format!("{value} of a hundred are too many; 100 are all");
            return Err(value_error("traces.sample_percent", origin, reason));
        }
        Ok(())
    }

    /// The rows of `har config show`.
    pub(super) fn rows(&self) -> [(&'static str, String, String); 2] {
        let Self { endpoint, sample_percent } = self;
        let shown = endpoint.value.as_ref().map_or("(none)".to_owned(), ToString::to_string);
        [
            ("traces.endpoint", shown, endpoint.origin.to_string()),
            (
                "traces.sample_percent",
                sample_percent.value.to_string(),
                sample_percent.origin.to_string(),
            ),
        ]
    }
}
