//! The process table: which pids are alive, and the numbers of new ones.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use erlang_term::{Atom, Pid};
use foldhash::fast::RandomState;

use super::Process;

/// Shards of the table; spawning and looking up on different cores rarely meet.
const SHARDS: usize = 64;
/// Bits of a pid's id. A BEAM prints and parses ids of this size; what is counted beyond goes into
/// the serial.
const ID_BITS: u32 = 28;
/// The first number given out. The lower ones name nobody; one of them is the node's own pid.
const FIRST: u64 = 16;

type Shard = Mutex<HashMap<u64, Arc<Process>, RandomState>>;

/// The live processes of a node.
pub(crate) struct ProcessTable {
    node: Atom,
    creation: u32,
    next: AtomicU64,
    count: AtomicUsize,
    shards: Box<[Shard]>,
    /// The numbers of those that ever had a link, a monitor or a spawn request over a connection:
    /// who may be concerned when one is lost.
    with_peers: Box<[Mutex<HashSet<u64, RandomState>>]>,
}

impl ProcessTable {
    pub(crate) fn new(node: Atom, creation: u32) -> Self {
        Self {
            node,
            creation,
            next: AtomicU64::new(FIRST),
            count: AtomicUsize::new(0),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            with_peers: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    /// A pid that no process has had: ids count up, then serials; 2^60 spawns pass before one
    /// comes again.
    pub(crate) fn new_pid(&self) -> Pid {
        self.pid_of(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// The pid that stands for the node itself, as the sender of what no process sends.
    pub(crate) fn node_pid(&self) -> Pid {
        self.pid_of(1)
    }

    fn pid_of(&self, number: u64) -> Pid {
        let id = number & ((1 << ID_BITS) - 1);
        let serial = number >> ID_BITS;
        let fits = "masked to 28 bits; the serial of the 2^60th spawn";
        Pid::new(
            self.node.clone(),
            u32::try_from(id).expect(fits),
            u32::try_from(serial).expect(fits),
            self.creation,
        )
    }

    fn shard(&self, number: u64) -> MutexGuard<'_, HashMap<u64, Arc<Process>, RandomState>> {
        self.shards[index(number)].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn peers_shard(&self, number: u64) -> MutexGuard<'_, HashSet<u64, RandomState>> {
        self.with_peers[index(number)].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers that a process has a relation to a process of a peer. Called under the lock of a
    /// process that is alive, or before it is started: so it is forgotten when the process ends.
    pub(crate) fn relates_to_peer(&self, process: &Process) {
        if process.first_relation_to_a_peer() {
            let number = number_of(process.pid().id(), process.pid().serial());
            self.peers_shard(number).insert(number);
        }
    }

    /// The processes that may have relations to processes of peers.
    pub(crate) fn with_peers(&self) -> Vec<Arc<Process>> {
        let mut numbers = Vec::new();
        for shard in &self.with_peers {
            numbers.extend(shard.lock().unwrap_or_else(PoisonError::into_inner).iter().copied());
        }
        numbers.into_iter().filter_map(|number| self.shard(number).get(&number).cloned()).collect()
    }

    /// Whether the pid is one of this incarnation of the node.
    pub(crate) fn is_local(&self, pid: &Pid) -> bool {
        pid.creation() == self.creation && *pid.node() == self.node
    }

    /// Enters a process. `false`: the table holds `processes_max` already.
    pub(crate) fn insert(&self, process: Arc<Process>, processes_max: usize) -> bool {
        if self.count.fetch_add(1, Ordering::Relaxed) >= processes_max {
            self.count.fetch_sub(1, Ordering::Relaxed);
            return false;
        }
        let number = number_of(process.pid().id(), process.pid().serial());
        self.shard(number).insert(number, process);
        true
    }

    pub(crate) fn remove(&self, pid: &Pid) {
        let number = number_of(pid.id(), pid.serial());
        let removed = self.shard(number).remove(&number);
        if let Some(process) = removed {
            self.count.fetch_sub(1, Ordering::Relaxed);
            if process.has_relations_to_peers() {
                self.peers_shard(number).remove(&number);
            }
        }
    }

    /// The process of a local pid.
    pub(crate) fn find(&self, pid: &Pid) -> Option<Arc<Process>> {
        if !self.is_local(pid) {
            return None;
        }
        self.find_number(pid.id(), pid.serial())
    }

    /// The process whose pid has these numbers.
    pub(crate) fn find_number(&self, id: u32, serial: u32) -> Option<Arc<Process>> {
        let number = number_of(id, serial);
        self.shard(number).get(&number).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Messages in the mailboxes of all processes, counted shard by shard.
    pub(crate) fn messages_waiting(&self) -> usize {
        let count = |shard: &Shard| -> usize {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.values().map(|process| process.message_count()).sum()
        };
        self.shards.iter().map(count).sum()
    }

    /// All live processes, shard by shard.
    pub(crate) fn all(&self) -> Vec<Arc<Process>> {
        let mut all = Vec::with_capacity(self.len());
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            all.extend(shard.values().cloned());
        }
        all
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number % SHARDS as u64).expect("below the number of shards")
}

/// Ids of the wire may have more than our 28 bits; those name nobody here.
fn number_of(id: u32, serial: u32) -> u64 {
    if id >> ID_BITS != 0 {
        return 0;
    }
    u64::from(serial) << ID_BITS | u64::from(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{MailboxLimits, Mailboxes};

    #[test]
    fn pids_are_not_reused_and_carry_over_into_the_serial() {
        let table = ProcessTable::new(Atom::new("a@h").expect("short"), 7);
        table.next.store((1 << ID_BITS) - 1, Ordering::Relaxed);
        let last = table.new_pid();
        let wrapped = table.new_pid();
        assert_eq!((last.id(), last.serial()), ((1 << ID_BITS) - 1, 0));
        assert_eq!((wrapped.id(), wrapped.serial()), (0, 1));
        assert_eq!(wrapped.creation(), 7);
    }

    #[test]
    fn those_with_relations_to_peers_are_found_until_they_end() {
        let table = ProcessTable::new(Atom::new("a@h").expect("short"), 7);
        let limits = MailboxLimits { messages_max: 1, bytes_max: 1 };
        let process = |table: &ProcessTable| {
            let mailboxes = Arc::new(Mailboxes::new(1));
            let process = Process::new(table.new_pid(), table.node_pid(), limits, mailboxes, None);
            assert!(table.insert(Arc::clone(&process), 9));
            process
        };
        let (alone, related) = (process(&table), process(&table));
        table.relates_to_peer(&related);
        table.relates_to_peer(&related);
        let found: Vec<Pid> = table.with_peers().iter().map(|one| one.pid().clone()).collect();
        assert_eq!(found, [related.pid().clone()]);
        table.remove(related.pid());
        table.remove(alone.pid());
        assert!(table.with_peers().is_empty());
        assert!(table.with_peers.iter().all(|shard| shard.lock().expect("no panic").is_empty()));
    }
}
