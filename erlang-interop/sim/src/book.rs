//! What one process of the simulation believes it has: the other side of the comparison with what
//! its node says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use erlang_node::MonitorTarget;
use erlang_term::{Pid, Reference};

use crate::network::Life;

/// How far a monitor has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    Active,
    Fired,
    TakenBack,
}

/// The last number that came from a process, and the earliest time at which it may have come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) number: i64,
    pub(crate) at_ms: u64,
}

/// The book of one process.
#[derive(Default)]
pub(crate) struct Pages {
    pub(crate) ended: bool,
    /// What it is doing, for a report when it never ends.
    pub(crate) doing: Option<String>,
    /// The name of `global` that it is changing in the whole cluster.
    pub(crate) changing: Option<u64>,
    pub(crate) monitors: BTreeMap<Reference, (MonitorTarget, Watch)>,
    /// Active aliases that are no monitors.
    pub(crate) aliases: BTreeSet<Reference>,
    /// Aliases that end with the first message, and those that have.
    pub(crate) for_one_reply: BTreeSet<Reference>,
    pub(crate) spent: BTreeSet<Reference>,
    pub(crate) groups: BTreeMap<u64, usize>,
    /// The next number for each process.
    pub(crate) next: BTreeMap<Pid, i64>,
    pub(crate) seen: BTreeMap<Pid, Seen>,
    /// Processes whose end has been told for good.
    pub(crate) over: BTreeSet<Pid>,
}

/// A process of the simulation. Clones share the book.
#[derive(Clone)]
pub(crate) struct Book {
    pub(crate) pid: Pid,
    pub(crate) life: Life,
    pages: Arc<Mutex<Pages>>,
}

impl Book {
    pub(crate) fn new(pid: Pid, life: Life) -> Self {
        Self { pid, life, pages: Arc::default() }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
