//! What happened last, and how often each thing happened.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::events::{Event, Measurements, Metadata, Name};

/// Events of one name that are kept.
const KEPT_OF_A_NAME: usize = 32;
/// Of names that come often, one event in this time is kept: the others are only counted.
const SAMPLE_PAUSE: Duration = Duration::from_millis(1);

/// An event that was kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Its name.
    pub name: Name,
    /// When it happened.
    pub at: SystemTime,
    /// What was measured.
    pub measurements: Measurements,
    /// What it was measured of.
    pub metadata: Metadata,
}

/// The last events of each name, and their numbers.
pub(super) struct Recent {
    started: Instant,
    of_names: Box<[OfName]>,
}

#[derive(Default)]
struct OfName {
    total: AtomicU64,
    /// When one was kept last, in microseconds since the start.
    sampled: AtomicU64,
    kept: Mutex<VecDeque<Recorded>>,
}

impl Default for Recent {
    fn default() -> Self {
        let of_names = Name::ALL.iter().map(|_| OfName::default()).collect();
        Self { started: Instant::now(), of_names }
    }
}

impl Recent {
    pub(super) fn add(&self, event: &Event<'_>, node: &str) {
        let name = event.name();
        let of_name = &self.of_names[name.index()];
        let first = of_name.total.fetch_add(1, Ordering::Relaxed) == 0;
        if name.is_frequent() && !first && !self.is_time(of_name) {
            return;
        }
        let recorded = Recorded {
            name,
            at: SystemTime::now(),
            measurements: event.measurements(),
            metadata: event.metadata(node),
        };
        let mut kept = of_name.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_OF_A_NAME {
            kept.pop_front();
        }
        kept.push_back(recorded);
    }

    fn is_time(&self, of_name: &OfName) -> bool {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let now = micros(self.started.elapsed());
        let last = of_name.sampled.load(Ordering::Relaxed);
        now.saturating_sub(last) >= micros(SAMPLE_PAUSE)
            // Who else has kept one meanwhile has kept it for all.
            && of_name
                .sampled
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// The kept events whose names begin with `prefix`, the oldest first.
    pub(super) fn list(&self, prefix: &[&str]) -> Vec<Recorded> {
        let named = Name::ALL.iter().filter(|name| name.path().starts_with(prefix));
        let mut found: Vec<Recorded> = Vec::new();
        for name in named {
            let kept = &self.of_names[name.index()].kept;
            found.extend(kept.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        }
        found.sort_by_key(|recorded| recorded.at);
        found
    }

    /// How often each has happened.
    pub(super) fn totals(&self) -> impl Iterator<Item = (Name, u64)> {
        let total = |name: &Name| self.of_names[name.index()].total.load(Ordering::Relaxed);
        Name::ALL.iter().map(move |name| (*name, total(name)))
    }
}
