//! On whose behalf something runs here: a peer, and what it may have running at a time.
//!
//! An origin belongs to a node name and outlives its connection, so that a peer that comes back
//! still answers for what it left behind.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use erlang_term::{Atom, atom};

use crate::limits::ORIGINS_GONE_KEPT;

/// What a peer may have running here at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OriginLimits {
    pub(crate) calls_max: usize,
    pub(crate) processes_max: usize,
    pub(crate) kept_bytes_max: usize,
}

/// A peer that something is done for. Clones are the same one.
#[derive(Clone)]
pub struct Origin(Arc<Inner>);

struct Inner {
    node: Atom,
    /// Of its last connection.
    number: AtomicU32,
    calls: Use,
    processes: Use,
    kept: Use,
    refused_told: AtomicBool,
    /// Whose messages these are, nobody remembers.
    forgotten: bool,
}

/// How much of a budget is used.
struct Use {
    what: &'static str,
    max: usize,
    used: AtomicUsize,
    told: AtomicBool,
}

/// A budget is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverBudget {
    /// Which one.
    pub what: &'static str,
    /// Its size.
    pub max: usize,
    /// Whether this is the first time in a row, which is worth a line in the log.
    pub first: bool,
}

/// A function that runs for a peer; dropped at its end.
#[derive(Debug)]
pub struct CallInFlight(Origin);

/// A process that lives for a peer, and the bytes that it keeps for it; dropped at its end.
#[derive(Debug)]
pub(crate) struct LiveProcess {
    origin: Origin,
    kept: AtomicUsize,
}

impl Use {
    fn new(what: &'static str, max: usize) -> Self {
        Self { what, max, used: AtomicUsize::new(0), told: AtomicBool::new(false) }
    }

    fn add(&self, more: usize) -> Result<(), OverBudget> {
        if self.used.fetch_add(more, Ordering::Relaxed).saturating_add(more) <= self.max {
            return Ok(());
        }
        self.used.fetch_sub(more, Ordering::Relaxed);
        let first = !self.told.swap(true, Ordering::Relaxed);
        Err(OverBudget { what: self.what, max: self.max, first })
    }

    fn remove(&self, less: usize) {
        // Half empty: what comes next is another episode.
        if self.used.fetch_sub(less, Ordering::Relaxed) <= self.max / 2 {
            self.told.store(false, Ordering::Relaxed);
        }
    }
}

impl Origin {
    fn new(node: Atom, limits: OriginLimits) -> Self {
        Self(Arc::new(Inner {
            node,
            number: AtomicU32::new(0),
            calls: Use::new("calls in flight", limits.calls_max),
            processes: Use::new("processes", limits.processes_max),
            kept: Use::new("bytes kept by processes", limits.kept_bytes_max),
            refused_told: AtomicBool::new(false),
            forgotten: false,
        }))
    }

    /// The peer's name.
    pub fn node(&self) -> &Atom {
        &self.0.node
    }

    /// Some peer that has left so long ago that its name is not known any more.
    fn forgotten() -> Self {
        let nothing = OriginLimits { calls_max: 0, processes_max: 0, kept_bytes_max: 0 };
        let mut origin = Self::new(atom!("gone"), nothing);
        if let Some(inner) = Arc::get_mut(&mut origin.0) {
            inner.forgotten = true;
        }
        origin
    }

    /// Whether no rule can be found for it: it may have nothing done.
    pub fn is_forgotten(&self) -> bool {
        self.0.forgotten
    }

    /// The number that messages carry which are sent here on the peer's behalf.
    pub(crate) fn number(&self) -> ConnectionNumber {
        self.0.number.load(Ordering::Relaxed)
    }

    /// Counts one more function that runs for the peer, as long as the value lives.
    ///
    /// # Errors
    /// When as many run as may.
    pub fn begin_call(&self) -> Result<CallInFlight, OverBudget> {
        self.0.calls.add(1).map(|()| CallInFlight(self.clone()))
    }

    pub(crate) fn begin_process(&self) -> Result<LiveProcess, OverBudget> {
        let live = || LiveProcess { origin: self.clone(), kept: AtomicUsize::new(0) };
        self.0.processes.add(1).map(|()| live())
    }

    /// Whether a refused call is worth a line in the log: it is the first since the peer's last
    /// allowed one.
    pub fn first_refused(&self, refused: bool) -> bool {
        if refused {
            return !self.0.refused_told.swap(true, Ordering::Relaxed);
        }
        if self.0.refused_told.load(Ordering::Relaxed) {
            self.0.refused_told.store(false, Ordering::Relaxed);
        }
        false
    }

    /// Functions that run for the peer.
    pub fn calls_in_flight(&self) -> usize {
        self.0.calls.used.load(Ordering::Relaxed)
    }

    /// Processes that live for the peer.
    pub fn processes(&self) -> usize {
        self.0.processes.used.load(Ordering::Relaxed)
    }
}

impl PartialEq for Origin {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Origin {}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({})", self.0.node)
    }
}

impl Drop for CallInFlight {
    fn drop(&mut self) {
        self.0.0.calls.remove(1);
    }
}

impl LiveProcess {
    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Counts bytes that the process keeps for its peer until it ends, whatever it does.
    pub(crate) fn keep(&self, bytes: usize) -> Result<(), OverBudget> {
        self.origin.0.kept.add(bytes)?;
        self.kept.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Such bytes.
    pub(crate) fn kept(&self) -> usize {
        self.kept.load(Ordering::Relaxed)
    }
}

impl Drop for LiveProcess {
    fn drop(&mut self) {
        self.origin.0.kept.remove(*self.kept.get_mut());
        self.origin.0.processes.remove(1);
    }
}

/// The number of a connection in messages that came over it, or were sent here on behalf of the peer
/// behind it. Zero: the message is our own.
pub(crate) type ConnectionNumber = u32;

#[derive(Default)]
struct Table {
    last: ConnectionNumber,
    by_name: HashMap<Atom, Weak<Inner>>,
    by_number: HashMap<ConnectionNumber, Origin>,
    /// Connections that have ended, of which messages may still wait; the oldest first.
    gone: VecDeque<ConnectionNumber>,
}

/// All origins of a node.
#[derive(Default)]
pub(crate) struct Origins(Mutex<Table>);

impl Origins {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The origin of a peer that connects, and a number for the connection.
    pub(crate) fn connected(
        &self,
        node: &Atom,
        limits: OriginLimits,
    ) -> (ConnectionNumber, Origin) {
        let mut table = self.lock();
        let known = table.by_name.get(node).and_then(Weak::upgrade).map(Origin);
        let origin = known.unwrap_or_else(|| {
            let origin = Origin::new(node.clone(), limits);
            table.by_name.retain(|_, inner| inner.strong_count() > 0);
            table.by_name.insert(node.clone(), Arc::downgrade(&origin.0));
            origin
        });
        table.last = table.last.checked_add(1).unwrap_or(1);
        let number = table.last;
        origin.0.number.store(number, Ordering::Relaxed);
        table.by_number.insert(number, origin.clone());
        (number, origin)
    }

    /// Processes that live for peers, connected or not.
    pub(crate) fn processes(&self) -> usize {
        let known: Vec<Arc<Inner>> =
            self.lock().by_name.values().filter_map(Weak::upgrade).collect();
        known.iter().map(|inner| inner.processes.used.load(Ordering::Relaxed)).sum()
    }

    /// A connection has ended.
    pub(crate) fn gone(&self, number: ConnectionNumber) {
        let mut table = self.lock();
        table.gone.push_back(number);
        if table.gone.len() > ORIGINS_GONE_KEPT
            && let Some(oldest) = table.gone.pop_front()
        {
            table.by_number.remove(&oldest);
        }
    }

    /// Who sent a message that came over that connection. A peer that nobody remembers may have
    /// nothing done.
    pub(crate) fn of(&self, number: ConnectionNumber) -> Option<Origin> {
        if number == 0 {
            return None;
        }
        let known = self.lock().by_number.get(&number).cloned();
        Some(known.unwrap_or_else(Origin::forgotten))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: OriginLimits =
        OriginLimits { calls_max: 2, processes_max: 1, kept_bytes_max: 100 };

    #[test]
    fn budgets_are_kept_and_told_of_once_in_a_row() {
        let origin = Origin::new(atom!("a@h"), LIMITS);
        let (one, two) = (origin.begin_call().expect("room"), origin.begin_call().expect("room"));
        let over = origin.begin_call().expect_err("full");
        assert_eq!((over.max, over.first), (2, true));
        assert!(!origin.begin_call().expect_err("full").first);
        drop((one, two));
        assert_eq!(origin.calls_in_flight(), 0);
        let _held = (origin.begin_call(), origin.begin_call());
        assert!(origin.begin_call().expect_err("full").first, "another episode");
        let process = origin.begin_process().expect("room");
        assert!(origin.begin_process().is_err());
        process.keep(60).expect("room");
        process.keep(41).expect_err("more than all its processes may keep");
        process.keep(40).expect("room");
        assert_eq!(process.kept(), 100);
        drop(process);
        origin.begin_process().expect("room").keep(100).expect("what ended keeps nothing");
        assert_eq!(origin.processes(), 0);
    }

    #[test]
    fn an_origin_outlives_its_connection() {
        let origins = Origins::default();
        let (first, origin) = origins.connected(&atom!("a@h"), LIMITS);
        let _running = origin.begin_call();
        origins.gone(first);
        let (second, again) = origins.connected(&atom!("a@h"), LIMITS);
        assert!(first != second && origin == again && again.calls_in_flight() == 1);
        assert_eq!(origin.number(), second, "what it leaves running speaks for the newest");
        assert_eq!(origins.of(first), Some(again));
        assert_eq!(origins.of(0), None);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_forgotten_may_do_nothing() {
        let origins = Origins::default();
        for _ in 0..ORIGINS_GONE_KEPT + 1 {
            let (number, _) = origins.connected(&atom!("a@h"), LIMITS);
            origins.gone(number);
        }
        let stranger = origins.of(1).expect("not ours");
        assert!(stranger.begin_call().is_err() && stranger.begin_process().is_err());
        assert!(stranger.is_forgotten() && !origins.of(2).expect("known").is_forgotten());
        assert_eq!(origins.lock().by_number.len(), ORIGINS_GONE_KEPT);
        for number in 0..100 {
            let name = Atom::new(&format!("n{number}@h")).expect("short");
            let (number, _) = origins.connected(&name, LIMITS);
            origins.gone(number);
        }
        drop(stranger);
        assert!(origins.lock().by_name.len() <= 101);
    }

    #[test]
    fn refusals_in_a_row_are_told_of_once() {
        let origin = Origin::new(atom!("a@h"), LIMITS);
        assert!(origin.first_refused(true));
        assert!(!origin.first_refused(true));
        assert!(!origin.first_refused(false));
        assert!(origin.first_refused(true));
    }
}
