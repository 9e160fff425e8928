//! How fast a peer may be read: a token bucket of one second's worth.
//!
//! What is over budget is not dropped, it is not read yet: the peer's socket fills and it waits.

use std::num::NonZeroU64;
use std::time::Duration;

use erlang_dist::Now;

use crate::limits::{PACED_READ_BYTES_MIN, READ_CHUNK_BYTES};

/// The pace of one kind of thing.
pub(super) struct Pace {
    per_second: Option<NonZeroU64>,
    /// Below zero: so much was taken ahead of time.
    tokens: f64,
    at: Now,
    told: bool,
}

impl Pace {
    /// `None`: as fast as it comes.
    pub(super) fn new(per_second: Option<NonZeroU64>, now: Now) -> Self {
        let tokens = per_second.map_or(0.0, as_float);
        Self { per_second, tokens, at: now, told: false }
    }

    /// Books what was taken. Returns whether this begins a time of being over budget.
    pub(super) fn spend(&mut self, amount: u64, now: Now) -> bool {
        let Some(per_second) = self.per_second else { return false };
        self.refill(per_second, now);
        #[expect(clippy::cast_precision_loss, reason = "no pace is that exact")]
        let amount = amount as f64;
        self.tokens -= amount;
        if self.tokens > as_float(per_second) / 2.0 {
            self.told = false;
        }
        self.tokens < 0.0 && !std::mem::replace(&mut self.told, true)
    }

    /// When reading may go on; `None`: now.
    pub(super) fn resume_at(&mut self, now: Now) -> Option<Now> {
        let per_second = self.per_second?;
        self.refill(per_second, now);
        (self.tokens < 0.0)
            .then(|| now + Duration::from_secs_f64(-self.tokens / as_float(per_second)))
    }

    /// Bytes to read at once, so that a pause stays short beside the tick time.
    pub(super) fn read_bytes_max(&self) -> usize {
        let Some(per_second) = self.per_second else { return usize::MAX };
        let eighth = usize::try_from(per_second.get() / 8).unwrap_or(usize::MAX);
        eighth.clamp(PACED_READ_BYTES_MIN, READ_CHUNK_BYTES)
    }

    /// The rate, for messages about it.
    pub(super) fn per_second(&self) -> u64 {
        self.per_second.map_or(0, NonZeroU64::get)
    }

    fn refill(&mut self, per_second: NonZeroU64, now: Now) {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        let full = as_float(per_second);
        self.tokens = (self.tokens + passed * full).min(full);
        self.at = now;
    }
}

fn as_float(per_second: NonZeroU64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "no pace is that exact")]
    let float = per_second.get() as f64;
    float
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_over_its_budget_waits_for_what_it_took() {
        let second = Duration::from_secs(1);
        let mut pace = Pace::new(NonZeroU64::new(1000), second);
        assert!(!pace.spend(1000, second));
        assert_eq!(pace.resume_at(second), None);
        assert!(pace.spend(500, second), "the first over it");
        assert!(!pace.spend(500, second), "told already");
        assert_eq!(pace.resume_at(second), Some(2 * second));
        assert_eq!(pace.resume_at(2 * second), None);
        // Quiet for long enough, then another episode.
        assert!(!pace.spend(0, 10 * second));
        assert!(pace.spend(1001, 10 * second));
    }

    #[test]
    fn without_a_pace_nothing_waits() {
        let mut pace = Pace::new(None, Duration::ZERO);
        assert!(!pace.spend(u64::MAX, Duration::ZERO));
        assert_eq!(pace.resume_at(Duration::ZERO), None);
        assert_eq!(pace.read_bytes_max(), usize::MAX);
        let slow = Pace::new(NonZeroU64::new(1), Duration::ZERO);
        assert_eq!(slow.read_bytes_max(), PACED_READ_BYTES_MIN);
    }
}
