//! How long to wait before dialling again.

use std::time::Duration;

/// The first wait, before jitter: a peer that restarts is back within about a second.
const WAIT_MS_MIN: u64 = 500;
/// The longest wait, before jitter: a peer that is gone for good costs two dials a minute.
const WAIT_MS_MAX: u64 = 30_000;
const _: () = assert!(WAIT_MS_MIN < WAIT_MS_MAX);

/// Waits that double up to a limit, each spread over half its length so that nodes that lost the
/// same peer do not all dial it in the same moment.
#[derive(Debug, Clone)]
pub(crate) struct BackOff {
    next_ms: u64,
}

impl BackOff {
    /// Starts with the shortest wait.
    pub(crate) fn new() -> Self {
        Self { next_ms: WAIT_MS_MIN }
    }

    /// The next wait: between half and all of the nominal one, by `random`.
    pub(crate) fn wait(&mut self, random: u32) -> Duration {
        let nominal = self.next_ms;
        self.next_ms = (nominal * 2).min(WAIT_MS_MAX);
        let half = nominal / 2;
        Duration::from_millis(half + half * u64::from(random) / u64::from(u32::MAX))
    }

    /// The peer answered: the next wait is the shortest again.
    pub(crate) fn reset(&mut self) {
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_reset() {
        let mut back_off = BackOff::new();
        let waits: Vec<u128> = (0..9).map(|_| back_off.wait(u32::MAX).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
        back_off.reset();
        assert_eq!(back_off.wait(u32::MAX).as_millis(), 500);
    }

    #[test]
    fn jitter_stays_between_half_and_all() {
        for random in [0, 1, u32::MAX / 2, u32::MAX] {
            let wait = BackOff::new().wait(random).as_millis();
            assert!((250..=500).contains(&wait), "{wait}");
        }
        assert_eq!(BackOff::new().wait(0).as_millis(), 250);
    }
}
