//! Bounds of the ops port. Anyone who can reach it may be a stranger.

use std::time::Duration;

/// Connections at a time: a few scrapers and probes, each for milliseconds.
pub(super) const CONNECTIONS_MAX: usize = 64;
/// Longest head of a request: those of Prometheus and of browsers are below a tenth.
pub(super) const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Most header lines: browsers send about twenty, scrapers five.
pub(super) const HEADERS_MAX: usize = 64;
/// Longest time until the head is whole.
pub(super) const HEAD_TIME_MAX: Duration = Duration::from_secs(5);
/// Longest life of a connection, whoever is slow: a scrape takes milliseconds.
pub(super) const CONNECTION_TIME_MAX: Duration = Duration::from_secs(10);
/// How long nobody is accepted after that failed.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

// hyper takes no less.
const _: () = assert!(HEAD_BYTES_MAX >= 8192);
const _: () = assert!(HEAD_TIME_MAX.as_millis() < CONNECTION_TIME_MAX.as_millis());
