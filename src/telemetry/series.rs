//! The numbers behind metrics: counters, gauges and histograms, each with a bounded number of labels.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// Most sets of labels of one metric. Callers choose some of them; what comes later counts together
/// as [`OTHER`].
const SETS_MAX: usize = 512;
/// Longest text of a label, in bytes.
const LABEL_BYTES_MAX: usize = 128;
/// The label of what has none of its own.
pub(super) const OTHER: &str = "other";

/// The upper bounds of a histogram, in seconds: from a decision about one operation to a large
/// conversion.
pub(super) const BOUNDS_S: [f64; 14] =
    [1e-6, 2.5e-6, 1e-5, 2.5e-5, 1e-4, 2.5e-4, 1e-3, 2.5e-3, 0.01, 0.025, 0.1, 0.25, 1.0, 10.0];

/// A number that only grows.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number as it was measured last.
#[derive(Debug, Default)]
pub(super) struct Gauge(AtomicU64);

impl Gauge {
    pub(super) fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }

    pub(super) fn value(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

/// Durations, by how long they were.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    /// One more than bounds: what is beyond all of them.
    buckets: [AtomicU64; BOUNDS_S.len() + 1],
    nanoseconds: AtomicU64,
}

impl Histogram {
    /// `count` durations of this length.
    pub(super) fn observe(&self, duration: Duration, count: u64) {
        let seconds = duration.as_secs_f64();
        let bucket = BOUNDS_S.partition_point(|bound| *bound < seconds);
        self.buckets[bucket].fetch_add(count, Ordering::Relaxed);
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds.saturating_mul(count), Ordering::Relaxed);
    }

    /// How many were at most as long as each bound, then all; and their sum in seconds.
    pub(super) fn cumulated(&self) -> ([u64; BOUNDS_S.len() + 1], f64) {
        let mut all = 0;
        let counts = std::array::from_fn(|at| {
            all += self.buckets[at].load(Ordering::Relaxed);
            all
        });
        let nanoseconds = self.nanoseconds.load(Ordering::Relaxed);
        (counts, Duration::from_nanos(nanoseconds).as_secs_f64())
    }
}

/// One number for each set of labels.
pub(super) struct Labelled<T, const N: usize> {
    /// The names of the labels.
    pub(super) names: [&'static str; N],
    hasher: RandomState,
    /// By the hash of the labels, so that looking up copies none of them.
    sets: RwLock<Sets<T, N>>,
}

type Labels<const N: usize> = [Box<str>; N];

struct Sets<T, const N: usize> {
    found: HashMap<u64, Vec<(Labels<N>, Arc<T>)>>,
    count: usize,
}

impl<T: Default, const N: usize> Labelled<T, N> {
    pub(super) fn new(names: [&'static str; N]) -> Self {
        let sets = RwLock::new(Sets { found: HashMap::new(), count: 0 });
        Self { names, hasher: RandomState::new(), sets }
    }

    /// The number for these labels, as they are or cut.
    pub(super) fn of(&self, labels: [&str; N]) -> Arc<T> {
        let labels = labels.map(|text| &text[..text.floor_char_boundary(LABEL_BYTES_MAX)]);
        let sets = self.sets.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = sets.find(self.hasher.hash_one(labels), labels) {
            return found;
        }
        drop(sets);
        let mut sets = self.sets.write().unwrap_or_else(PoisonError::into_inner);
        let labels = if sets.count >= SETS_MAX { [OTHER; N] } else { labels };
        let hash = self.hasher.hash_one(labels);
        if let Some(found) = sets.find(hash, labels) {
            return found;
        }
        let made = Arc::new(T::default());
        sets.found.entry(hash).or_default().push((labels.map(Box::from), Arc::clone(&made)));
        sets.count += 1;
        made
    }

    /// Forgets all sets: for what is measured whole, again and again.
    pub(super) fn clear(&self) {
        let mut sets = self.sets.write().unwrap_or_else(PoisonError::into_inner);
        (sets.found, sets.count) = (HashMap::new(), 0);
    }

    /// All sets with their numbers, sorted by label.
    pub(super) fn all(&self) -> Vec<(Labels<N>, Arc<T>)> {
        let sets = self.sets.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = sets.found.values().flatten().cloned().collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }
}

impl<T, const N: usize> Sets<T, N> {
    fn find(&self, hash: u64, labels: [&str; N]) -> Option<Arc<T>> {
        let same = |(known, _): &&(Labels<N>, Arc<T>)| known.iter().map(AsRef::as_ref).eq(labels);
        self.found.get(&hash)?.iter().find(same).map(|(_, number)| Arc::clone(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_callers_choose_are_bounded() {
        let counters = Labelled::<Counter, 1>::new(["type"]);
        for number in 0..2 * SETS_MAX {
            counters.of([&format!("made-up-{number}")]).add(1);
        }
        counters.of([&"x".repeat(100_000)]).add(1);
        let all = counters.all();
        assert_eq!(all.len(), SETS_MAX + 1);
        let other = all.iter().find(|(labels, _)| &*labels[0] == OTHER).expect("counted together");
        assert_eq!(other.1.value(), SETS_MAX as u64 + 1);
        let sum: u64 = all.iter().map(|(_, counter)| counter.value()).sum();
        assert_eq!(sum, 2 * SETS_MAX as u64 + 1);
    }

    #[test]
    fn a_set_is_one_number_until_it_is_forgotten() {
        let counters = Labelled::<Counter, 2>::new(["a", "b"]);
        counters.of(["x", "yz"]).add(1);
        counters.of(["x", "yz"]).add(2);
        counters.of(["xy", "z"]).add(4);
        let values: Vec<u64> = counters.all().iter().map(|(_, counter)| counter.value()).collect();
        assert_eq!(values, [3, 4]);
        counters.clear();
        assert!(counters.all().is_empty());
    }

    #[test]
    fn buckets_count_what_is_at_most_as_long() {
        let histogram = Histogram::default();
        histogram.observe(Duration::from_micros(1), 3);
        histogram.observe(Duration::from_millis(5), 1);
        histogram.observe(Duration::from_secs(60), 1);
        let (counts, sum) = histogram.cumulated();
        assert_eq!(counts[0], 3, "a bound belongs to its bucket");
        assert_eq!(counts[BOUNDS_S.iter().position(|bound| *bound == 0.01).unwrap()], 4);
        assert_eq!(counts[BOUNDS_S.len() - 1..], [4, 5]);
        assert!((sum - 60.005_003).abs() < 1e-9, "{sum}");
    }
}
