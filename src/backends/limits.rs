//! Bounds of asking backends: tables can be long, and what is asked may be anything.

use std::time::Duration;

/// Checks that run at the same time.
pub(super) const CHECKS_AT_A_TIME: usize = 32;
/// Names that are looked up at the same time, those that nobody waits for any more included: each has
/// a thread of its own until the system answers, and others need these threads, too.
pub(super) const LOOKUPS_AT_A_TIME: usize = 16;
/// Most backends that are checked; each is asked at most twice a second.
pub(super) const CHECKS_MAX: usize = 10_000;
/// How often the table in force is looked at.
pub(super) const LOOK: Duration = Duration::from_secs(1);
/// As much of an HTTP answer as is read: the status line is all that counts.
pub(super) const HTTP_HEAD_BYTES_MAX: u64 = 64;
/// Most addresses of a name that are tried.
pub(super) const ADDRESSES_MAX: usize = 4;
/// A part of the interval by which checks come earlier or later, so that those of many nodes do not
/// come together.
pub(super) const JITTER: f64 = 0.1;

const _: () = assert!(LOOKUPS_AT_A_TIME <= CHECKS_AT_A_TIME && CHECKS_AT_A_TIME <= CHECKS_MAX);
const _: () = assert!(0.0 < JITTER && JITTER < 1.0);
