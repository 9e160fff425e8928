//! Ticks: proof of life in both directions.
//!
//! The tick time is cut into `net_tickintensity` intervals. After an interval in which nothing but
//! ticks was written and nothing waits to be, an empty frame is; any received byte counts as life. A
//! hidden peer may tick only when it is ticked, as C nodes do, so it is ticked also after an interval in
//! which nothing came from it. A peer that was silent for as many intervals as the intensity is taken
//! for dead, so a death is seen after one to one and a quarter tick times (with the default intensity
//! of 4).
//!
//! What waits takes the place of a tick: it is written first anyway, one fragment of a long message at
//! a time, and each byte of it is life to the peer.

use std::time::Duration;

use crate::Now;
use crate::error::ConnectionError;
use crate::limits::{TICK_INTENSITY_MAX, TICK_INTENSITY_MIN};

/// How often to tick. OTP's kernel parameters of the same names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TickConfig {
    /// `net_ticktime`; zero turns ticks and death by silence off.
    pub net_tick_time: Duration,
    /// `net_tickintensity`, 4 to 1000; values outside are brought inside.
    pub net_tick_intensity: u32,
}

impl Default for TickConfig {
    fn default() -> Self {
        Self { net_tick_time: Duration::from_secs(60), net_tick_intensity: 4 }
    }
}

#[derive(Debug)]
pub(crate) struct Ticker {
    interval: Duration,
    intensity: u32,
    next: Now,
    /// Whether the peer may tick only when it is ticked.
    hidden: bool,
    received: bool,
    sent: bool,
    silent: u32,
    last_received: Now,
}

impl Ticker {
    pub(crate) fn new(config: TickConfig, hidden: bool, now: Now) -> Self {
        let intensity = config.net_tick_intensity.clamp(TICK_INTENSITY_MIN, TICK_INTENSITY_MAX);
        let interval = config.net_tick_time / intensity;
        let next = now.saturating_add(interval);
        Self {
            interval,
            intensity,
            next,
            hidden,
            received: false,
            sent: false,
            silent: 0,
            last_received: now,
        }
    }

    pub(crate) fn received(&mut self, now: Now) {
        self.received = true;
        self.last_received = now;
    }

    /// Something else than a tick was written.
    pub(crate) fn sent(&mut self) {
        self.sent = true;
    }

    /// Intervals of a tick time.
    pub(crate) fn intensity(&self) -> u32 {
        self.intensity
    }

    pub(crate) fn deadline(&self) -> Option<Now> {
        (!self.interval.is_zero()).then_some(self.next)
    }

    /// Returns whether a tick is due; `pending` says whether anything waits to be written.
    pub(crate) fn handle_timeout(
        &mut self,
        now: Now,
        pending: bool,
    ) -> Result<bool, ConnectionError> {
        if self.interval.is_zero() || now < self.next {
            return Ok(false);
        }
        // After a long sleep of the whole machine the peer gets a fresh interval, not a verdict.
        self.next = now.saturating_add(self.interval);
        let received = std::mem::take(&mut self.received);
        let sent = std::mem::take(&mut self.sent);
        self.silent = if received { 0 } else { self.silent + 1 };
        if self.silent >= self.intensity {
            let silent = now.saturating_sub(self.last_received);
            let silent_ms = u64::try_from(silent.as_millis()).unwrap_or(u64::MAX);
            return Err(ConnectionError::TickTimeout { silent_ms });
        }
        Ok(!(sent || pending) || (self.hidden && !received))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn ticks_only_when_nothing_else_was_sent() {
        let mut ticker = Ticker::new(TickConfig::default(), false, Duration::ZERO);
        assert_eq!(ticker.deadline(), Some(15 * SECOND));
        assert_eq!(ticker.handle_timeout(14 * SECOND, false), Ok(false));
        assert_eq!(ticker.handle_timeout(15 * SECOND, false), Ok(true));
        ticker.sent();
        ticker.received(20 * SECOND);
        assert_eq!(ticker.handle_timeout(30 * SECOND, false), Ok(false));
        assert_eq!(ticker.handle_timeout(45 * SECOND, true), Ok(false));
        assert_eq!(ticker.handle_timeout(60 * SECOND, false), Ok(true));
    }

    #[test]
    fn a_hidden_peer_is_ticked_whenever_nothing_came_from_it() {
        let mut ticker = Ticker::new(TickConfig::default(), true, Duration::ZERO);
        ticker.sent();
        assert_eq!(ticker.handle_timeout(15 * SECOND, true), Ok(true));
        ticker.sent();
        ticker.received(20 * SECOND);
        assert_eq!(ticker.handle_timeout(30 * SECOND, false), Ok(false));
        ticker.received(31 * SECOND);
        assert_eq!(ticker.handle_timeout(45 * SECOND, false), Ok(true));
    }

    #[test]
    fn silence_is_death_after_the_tick_time_and_at_most_one_interval() {
        let mut ticker = Ticker::new(TickConfig::default(), false, Duration::ZERO);
        ticker.received(SECOND);
        for at in [15, 30, 45, 60] {
            assert!(ticker.handle_timeout(at * SECOND, false).is_ok());
        }
        let error = ticker.handle_timeout(75 * SECOND, false).expect_err("dead");
        assert_eq!(error, ConnectionError::TickTimeout { silent_ms: 74_000 });
    }

    #[test]
    fn no_tick_time_means_no_ticks() {
        let config = TickConfig { net_tick_time: Duration::ZERO, net_tick_intensity: 4 };
        let mut ticker = Ticker::new(config, false, Duration::ZERO);
        assert_eq!(ticker.deadline(), None);
        assert_eq!(ticker.handle_timeout(Duration::MAX, false), Ok(false));
    }
}
