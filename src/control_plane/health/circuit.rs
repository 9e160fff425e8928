//! The circuit breaker of one backend: whether what those who use it report keeps work away from it.
//!
//! ```text
//! closed ─failures in a row→ open ─time→ half-open ─success→ closed
//!                              ↑            │
//!                              └──failure───┘  (and stays open twice as long)
//! ```
//! Pure but for one atomic: a decision is made under a shared lock, and a half-open circuit lets one
//! of all deciders through.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Failures in a row that open a circuit.
const FAILURES_MAX: u32 = 5;
/// How long it stays open the first time.
const OPEN_TIME_MIN: Duration = Duration::from_secs(10);
/// How long it stays open at most.
const OPEN_TIME_MAX: Duration = Duration::from_secs(300);
/// Half-open, one operation is let through in this time, until its result is reported.
const TRIAL_TIME: Duration = Duration::from_secs(1);

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Circuit {
    failures: u32,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    since: Instant,
    time: Duration,
    /// Trials so far, as the number of the [`TRIAL_TIME`] they were in, from 1.
    tried: AtomicU64,
}

/// What a circuit does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CircuitState {
    /// Work goes through.
    Closed,
    /// Nothing does.
    Open,
    /// One operation may try.
    HalfOpen,
}

impl CircuitState {
    /// The atom's text.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

impl Circuit {
    pub(super) fn state(&self, now: impl FnOnce() -> Instant) -> CircuitState {
        match &self.open {
            None => CircuitState::Closed,
            Some(open) if now() < open.since + open.time => CircuitState::Open,
            Some(_) => CircuitState::HalfOpen,
        }
    }

    /// Whether an operation may go through: all, none, or one in a while.
    pub(super) fn admits(&self, now: impl FnOnce() -> Instant) -> bool {
        let Some(open) = &self.open else { return true };
        let half_open_for = now().saturating_duration_since(open.since).checked_sub(open.time);
        let Some(time) = half_open_for else { return false };
        let turn = u64::try_from(time.as_millis() / TRIAL_TIME.as_millis()).unwrap_or(u64::MAX);
        let turn = turn.saturating_add(1);
        open.tried.fetch_max(turn, Ordering::Relaxed) < turn
    }

    /// An operation went well.
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// An operation failed.
    pub(super) fn failed(&mut self, now: Instant) {
        // What was on its way when it opened tells nothing new.
        if self.state(|| now) == CircuitState::Open {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        let time = match &self.open {
            Some(open) => (open.time * 2).min(OPEN_TIME_MAX),
            None if self.failures < FAILURES_MAX => return,
            None => OPEN_TIME_MIN,
        };
        self.open = Some(Open { since: now, time, tried: AtomicU64::new(0) });
    }

    /// Failures since it was closed or an operation went well.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }
}

impl Clone for Circuit {
    fn clone(&self) -> Self {
        let open = self.open.as_ref().map(|open| Open {
            since: open.since,
            time: open.time,
            tried: AtomicU64::new(open.tried.load(Ordering::Relaxed)),
        });
        Self { failures: self.failures, open }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(now: Instant) -> Circuit {
        let mut circuit = Circuit::default();
        for _ in 0..FAILURES_MAX {
            assert!(circuit.admits(|| now));
            circuit.failed(now);
        }
        circuit
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_between_does_not() {
        let now = Instant::now();
        let mut circuit = Circuit::default();
        for _ in 0..10 {
            for _ in 1..FAILURES_MAX {
                circuit.failed(now);
            }
            circuit.succeeded();
        }
        assert_eq!(circuit.state(|| now), CircuitState::Closed);
        let circuit = opened(now);
        assert_eq!(circuit.state(|| now), CircuitState::Open);
        assert!(!circuit.admits(|| now + OPEN_TIME_MIN - Duration::from_millis(1)));
    }

    #[test]
    fn half_open_it_lets_one_try_and_closes_or_opens_for_longer() {
        let now = Instant::now();
        let mut circuit = opened(now);
        let later = now + OPEN_TIME_MIN;
        assert_eq!(circuit.state(|| later), CircuitState::HalfOpen);
        let admitted = (0..1000).filter(|_| circuit.admits(|| later)).count();
        assert_eq!(admitted, 1);
        assert!(circuit.admits(|| later + TRIAL_TIME), "nobody said how the first one went");
        assert!(!circuit.admits(|| later + TRIAL_TIME));
        circuit.failed(later);
        assert_eq!(circuit.state(|| later + OPEN_TIME_MIN), CircuitState::Open, "twice as long");
        assert_eq!(circuit.state(|| later + 2 * OPEN_TIME_MIN), CircuitState::HalfOpen);
        circuit.succeeded();
        assert_eq!(circuit.state(|| later), CircuitState::Closed);
        assert_eq!(circuit.failures(), 0);
    }

    #[test]
    fn it_does_not_stay_open_for_ever() {
        let mut now = Instant::now();
        let mut circuit = opened(now);
        for _ in 0..100 {
            now += OPEN_TIME_MAX;
            assert_eq!(circuit.state(|| now), CircuitState::HalfOpen);
            circuit.failed(now);
            circuit.failed(now);
        }
    }
}
