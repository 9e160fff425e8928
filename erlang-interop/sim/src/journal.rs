//! What happened, in order: the trace, its hash, and what was found to be wrong.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::random::mix;

#[derive(Default)]
struct Pages {
    hash: u64,
    events: u64,
    kept: Option<Vec<String>>,
    faults: Vec<String>,
    excused: Vec<String>,
    /// When two nodes lost each other, in milliseconds; the lower index first.
    breaks: BTreeMap<(usize, usize), Vec<u64>>,
}

/// The journal of one run. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Journal {
    started: Instant,
    pages: Arc<Mutex<Pages>>,
}

impl Journal {
    /// `keep`: whether the events themselves are wanted, not only their hash.
    pub(crate) fn new(keep: bool) -> Self {
        let kept = keep.then(Vec::new);
        let pages = Pages { kept, ..Pages::default() };
        Self { started: Instant::now(), pages: Arc::new(Mutex::new(pages)) }
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Virtual milliseconds since the start.
    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn note(&self, event: &str) {
        let now = self.now_ms();
        let mut pages = self.lock();
        pages.events += 1;
        let mut hash = mix(pages.hash ^ now);
        for byte in event.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        pages.hash = hash;
        if let Some(kept) = &mut pages.kept {
            kept.push(format!("{now:>7} {event}"));
        }
    }

    pub(crate) fn fault(&self, fault: String) {
        self.note(&format!("FAULT {fault}"));
        self.lock().faults.push(fault);
    }

    /// What differs and need not agree.
    pub(crate) fn excuse(&self, what: String) {
        self.note(&format!("EXCUSED {what}"));
        self.lock().excused.push(what);
    }

    pub(crate) fn excused(&self) -> Vec<String> {
        self.lock().excused.clone()
    }

    pub(crate) fn broke(&self, one: usize, other: usize) {
        let now = self.now_ms();
        let pair = (one.min(other), one.max(other));
        self.lock().breaks.entry(pair).or_default().push(now);
    }

    /// Whether two nodes lost each other in this time.
    pub(crate) fn broke_between(&self, one: usize, other: usize, from: u64, to: u64) -> bool {
        let pair = (one.min(other), one.max(other));
        let pages = self.lock();
        let breaks = pages.breaks.get(&pair);
        breaks.is_some_and(|times| times.iter().any(|time| (from..=to).contains(time)))
    }

    pub(crate) fn hash(&self) -> u64 {
        self.lock().hash
    }

    pub(crate) fn events(&self) -> u64 {
        self.lock().events
    }

    pub(crate) fn take(&self) -> (Vec<String>, Vec<String>) {
        let mut pages = self.lock();
        (pages.kept.take().unwrap_or_default(), std::mem::take(&mut pages.faults))
    }
}
