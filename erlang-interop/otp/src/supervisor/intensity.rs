//! How many restarts within how much time are too many.

use std::collections::VecDeque;
use std::time::Duration;

/// A supervisor gives up when more than so many restarts happen within a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Intensity {
    /// Restarts that are borne.
    pub restarts_max: usize,
    /// Within this time.
    pub period: Duration,
}

impl Default for Intensity {
    /// Elixir's default: three restarts within five seconds.
    fn default() -> Self {
        Self { restarts_max: 3, period: Duration::from_secs(5) }
    }
}

impl Intensity {
    /// So many restarts within a period.
    pub fn new(restarts_max: usize, period: Duration) -> Self {
        Self { restarts_max, period }
    }
}

/// The restarts of late. Time is an argument.
#[derive(Debug)]
pub(crate) struct Restarts {
    intensity: Intensity,
    recent: VecDeque<Duration>,
}

impl Restarts {
    pub(crate) fn new(intensity: Intensity) -> Self {
        Self { intensity, recent: VecDeque::new() }
    }

    /// Books a restart at that time. `false`: it is one too many.
    pub(crate) fn allow(&mut self, now: Duration) -> bool {
        let start = now.saturating_sub(self.intensity.period);
        while self.recent.front().is_some_and(|at| *at < start) {
            self.recent.pop_front();
        }
        if self.recent.len() >= self.intensity.restarts_max {
            return false;
        }
        self.recent.push_back(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_restarts_are_forgiven() {
        let second = Duration::from_secs;
        let mut restarts = Restarts::new(Intensity::new(2, second(5)));
        assert!(restarts.allow(second(1)));
        assert!(restarts.allow(second(2)));
        assert!(!restarts.allow(second(3)));
        assert!(restarts.allow(second(7)));
        assert!(!restarts.allow(second(7)));
    }

    #[test]
    fn none_may_be_allowed_at_all() {
        let mut restarts = Restarts::new(Intensity::new(0, Duration::from_secs(1)));
        assert!(!restarts.allow(Duration::from_secs(100)));
    }
}
