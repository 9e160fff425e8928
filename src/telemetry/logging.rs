//! Log lines, on standard error.

use std::io;

use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::LogFormat;

/// Starts logging in `format` at `level` (`info`, or by module: `info,erlang_dist=debug`).
///
/// Does nothing when logging was started before. `level` was checked when the settings were
/// resolved; one that is not a level after all means `info`.
pub fn start(format: LogFormat, level: &str) {
    let filter: Targets = level.parse().unwrap_or_default();
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).boxed(),
        LogFormat::Compact => {
            lines.with_ansi(false).without_time().with_target(false).compact().boxed()
        }
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    // Refused only when a subscriber is already there.
    let _ = tracing_subscriber::registry().with(lines.with_filter(filter)).try_init();
}
