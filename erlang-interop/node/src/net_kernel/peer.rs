//! A connection as the rest of the node sees it: a queue, its limits, and counters.
//!
//! Only the connection's task touches the protocol machine. Others put signals into the queue here,
//! which never waits; messages ask [`Peer::may_send`] first, which waits while the connection is
//! busy.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::sync::{Mutex, MutexGuard, PoisonError};

use erlang_dist::DistributionFlags;
use erlang_dist::control::Control;
use erlang_term::{Atom, Pid, Term};
use tokio::sync::Notify;

use crate::error::DownReason;
use crate::limits::SIGNAL_OVERRUN_BYTES;
use crate::origin::{ConnectionNumber, Origin};
use crate::stats::Counters;
use crate::weight::weight;

/// Bytes counted for a control message.
const CONTROL_BYTES: usize = 64;

/// One entry of the queue.
pub(crate) struct Outgoing {
    /// Who sends, where the control message does not say.
    pub(crate) sender: Option<Pid>,
    pub(crate) control: Control,
    pub(crate) payload: Option<Term>,
    weight: usize,
}

/// Entries whose room an empty queue keeps for the next burst.
const KEPT_ENTRIES: usize = 4096;

/// Entries in order, and what they weigh together.
#[derive(Default)]
pub(crate) struct Backlog {
    entries: VecDeque<Outgoing>,
    weight: usize,
}

#[derive(Default)]
struct Queue {
    waiting: Backlog,
    closed: Option<DownReason>,
    /// What waited with the last entry that came while the connection was not busy.
    admitted: usize,
}

impl Backlog {
    fn push(&mut self, outgoing: Outgoing) {
        self.weight += outgoing.weight;
        self.entries.push_back(outgoing);
    }

    /// The oldest entry.
    pub(crate) fn pop(&mut self) -> Option<Outgoing> {
        let first = self.entries.pop_front()?;
        self.weight -= first.weight;
        Some(first)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Moves all entries of `other` behind these.
    fn append(&mut self, other: &mut Self) {
        if self.is_empty() {
            self.entries.shrink_to(KEPT_ENTRIES);
            std::mem::swap(self, other);
        } else {
            self.weight += std::mem::take(&mut other.weight);
            self.entries.append(&mut other.entries);
        }
    }
}

/// An established connection.
pub(crate) struct Peer {
    id: u64,
    node: Atom,
    creation: u32,
    flags: DistributionFlags,
    busy_limit: usize,
    /// Where the peer is; `None` in memory.
    address: Option<IpAddr>,
    number: ConnectionNumber,
    origin: Origin,
    queue: Mutex<Queue>,
    /// Whether `queue.closed` is set, to be seen without the lock.
    closed: AtomicBool,
    /// Bytes that wait: in the queue (estimated), in the machine, and for the socket.
    queued: AtomicUsize,
    /// Bytes the connection's task holds encoded.
    encoded: AtomicUsize,
    /// Wakes the connection's task.
    ready: Notify,
    /// Wakes senders that wait for room.
    room: Notify,
    /// Whether a sender may wait for room.
    crowded: AtomicBool,
    /// Set when everything that hung on this connection has been told of its end.
    gone: AtomicBool,
    gone_notify: Notify,
    relations: AtomicUsize,
    counters: Counters,
}

impl Peer {
    pub(crate) fn new(
        id: u64,
        node: Atom,
        creation: u32,
        flags: DistributionFlags,
        busy_limit: usize,
        address: Option<IpAddr>,
        (number, origin): (ConnectionNumber, Origin),
    ) -> Self {
        Self {
            address,
            number,
            origin,
            id,
            node,
            creation,
            flags,
            busy_limit,
            queue: Mutex::default(),
            closed: AtomicBool::new(false),
            queued: AtomicUsize::new(0),
            encoded: AtomicUsize::new(0),
            ready: Notify::new(),
            room: Notify::new(),
            crowded: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            gone_notify: Notify::new(),
            relations: AtomicUsize::new(0),
            counters: Counters::default(),
        }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn node(&self) -> &Atom {
        &self.node
    }

    pub(crate) fn creation(&self) -> u32 {
        self.creation
    }

    pub(crate) fn flags(&self) -> DistributionFlags {
        self.flags
    }

    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// What marks messages that come over the connection.
    pub(crate) fn number(&self) -> ConnectionNumber {
        self.number
    }

    /// The peer as one that has things done here.
    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) fn is_hidden(&self) -> bool {
        !self.flags.contains(DistributionFlags::PUBLISHED)
    }

    /// Whether the peer answers an unlink. Peers older than OTP 23 do not.
    pub(crate) fn acknowledges_unlink(&self) -> bool {
        self.flags.contains(DistributionFlags::UNLINK_ID)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that wait to be written.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.queued.load(Ordering::Relaxed) + self.encoded.load(Ordering::Relaxed)
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.queued_bytes() >= self.busy_limit
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Queues a signal at once. `false`: the connection is closed.
    pub(crate) fn signal(&self, control: Control, payload: Option<Term>) -> bool {
        self.put(None, control, payload)
    }

    /// As [`Peer::signal`], for a control message that does not name its sender.
    pub(crate) fn signal_of(&self, sender: &Pid, control: Control, payload: Option<Term>) -> bool {
        self.put(Some(sender.clone()), control, payload)
    }

    fn put(&self, sender: Option<Pid>, control: Control, payload: Option<Term>) -> bool {
        let body = payload.as_ref().map_or(0, |term| weight(term, self.busy_limit));
        let weight = CONTROL_BYTES + body;
        let mut queue = self.lock();
        if queue.closed.is_some() {
            return false;
        }
        let was_empty = queue.waiting.is_empty();
        // What came while the peer kept up may be of any length. Behind it signals may pile up.
        let queued = self.queued_bytes();
        if queued < self.busy_limit {
            queue.admitted = queued + weight;
        }
        let given_up = queued > self.busy_limit.max(queue.admitted) + SIGNAL_OVERRUN_BYTES;
        queue.waiting.push(Outgoing { sender, control, payload, weight });
        self.queued.store(queue.waiting.weight, Ordering::Relaxed);
        if given_up {
            queue.closed = Some(DownReason::SlowPeer { queued });
            self.closed.store(true, Ordering::Release);
            queue.waiting = Backlog::default();
            self.room.notify_waiters();
        }
        drop(queue);
        if was_empty || given_up {
            self.ready.notify_one();
        }
        true
    }

    /// Waits until the connection takes messages. `false`: it is closed.
    pub(crate) async fn may_send(&self) -> bool {
        loop {
            if !self.is_busy() {
                return !self.is_closed();
            }
            let room = self.room.notified();
            tokio::pin!(room);
            // From here on a wake-up counts, so looking once more can't miss one.
            room.as_mut().enable();
            self.crowded.store(true, Ordering::Relaxed);
            // Either we see what `set_encoded` has stored, or it sees that we wait.
            fence(Ordering::SeqCst);
            if self.is_closed() {
                return false;
            }
            if self.is_busy() {
                room.await;
            }
        }
    }

    /// Orders the connection's task to end.
    pub(crate) fn close(&self, reason: DownReason) {
        let mut queue = self.lock();
        if queue.closed.is_none() {
            queue.closed = Some(reason);
            self.closed.store(true, Ordering::Release);
        }
        drop(queue);
        self.ready.notify_one();
        self.room.notify_waiters();
    }

    /// For the connection's task: wakes when something is queued or the end is ordered.
    pub(crate) async fn wait_ready(&self) {
        self.ready.notified().await;
    }

    /// For the connection's task: takes what waits, and the reason if the end is ordered.
    pub(crate) fn take(&self, to: &mut Backlog) -> Option<DownReason> {
        let mut queue = self.lock();
        if !queue.waiting.is_empty() {
            self.encoded.fetch_add(queue.waiting.weight, Ordering::Relaxed);
            self.queued.store(0, Ordering::Relaxed);
            to.append(&mut queue.waiting);
        }
        queue.closed.clone()
    }

    /// For the connection's task: says how much it holds, counting what it took but did not encode.
    pub(crate) fn set_encoded(&self, machine_bytes: usize, taken: &Backlog) {
        self.encoded.store(machine_bytes + taken.weight, Ordering::Relaxed);
        self.queued.store(self.lock().waiting.weight, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if !self.is_busy() && self.crowded.swap(false, Ordering::Relaxed) {
            self.room.notify_waiters();
        }
    }

    /// Everything that hung on the connection has been told.
    pub(crate) fn set_gone(&self) {
        self.gone.store(true, Ordering::Release);
        self.gone_notify.notify_waiters();
    }

    pub(crate) async fn wait_gone(&self) {
        let gone = self.gone_notify.notified();
        tokio::pin!(gone);
        gone.as_mut().enable();
        if !self.gone.load(Ordering::Acquire) {
            gone.await;
        }
    }

    /// How many links and monitors that the peer set up here there are.
    pub(crate) fn relations(&self) -> usize {
        self.relations.load(Ordering::Relaxed)
    }

    /// Books a link or monitor that the peer set up here. Returns how many it has set up.
    pub(crate) fn relation_added(&self) -> usize {
        self.relations.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Books that the peer took one back, or that it ended.
    pub(crate) fn relation_ended(&self) {
        let less = |count: usize| Some(count.saturating_sub(1));
        // The closure never returns `None`.
        let _ = self.relations.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}

#[cfg(test)]
mod tests {
    use erlang_term::atom;
    use futures_util::FutureExt as _;

    use super::*;
    use crate::origin::{OriginLimits, Origins};

    fn peer(busy_limit: usize) -> Peer {
        let limits = OriginLimits { calls_max: 1, processes_max: 1, kept_bytes_max: 1 };
        let origin = Origins::default().connected(&atom!("a@h"), limits);
        Peer::new(1, atom!("a@h"), 4, DistributionFlags::DEFAULT, busy_limit, None, origin)
    }

    fn message(bytes: usize) -> (Control, Option<Term>) {
        let pid = Pid::new(atom!("b@h"), 1, 0, 4);
        let control = Control::SendSender { from: pid.clone(), to: pid, token: None };
        (control, Some(Term::binary(vec![0; bytes])))
    }

    #[tokio::test]
    async fn senders_wait_while_busy_and_go_on_after() {
        let peer = peer(1000);
        let (control, payload) = message(2000);
        assert!(peer.signal(control, payload));
        let mut waiting = std::pin::pin!(peer.may_send());
        assert!(waiting.as_mut().now_or_never().is_none());
        let mut taken = Backlog::default();
        assert!(peer.take(&mut taken).is_none());
        peer.set_encoded(0, &taken);
        assert!(waiting.as_mut().now_or_never().is_none(), "taken is not yet written");
        peer.set_encoded(0, &Backlog::default());
        assert!(waiting.await);
    }

    #[tokio::test]
    async fn a_sender_is_woken_also_when_a_signal_comes_while_bytes_are_being_encoded() {
        let peer = peer(1000);
        let (control, payload) = message(2000);
        assert!(peer.signal(control, payload));
        let mut waiting = std::pin::pin!(peer.may_send());
        assert!(waiting.as_mut().now_or_never().is_none());
        assert!(peer.take(&mut Backlog::default()).is_none());
        let (control, payload) = message(1);
        assert!(peer.signal(control, payload));
        assert!(peer.is_busy(), "what was taken still counts");
        peer.set_encoded(0, &Backlog::default());
        assert!(waiting.now_or_never().is_some(), "nobody woke it");
    }

    #[tokio::test]
    async fn one_message_may_be_of_any_length() {
        let peer = peer(1000);
        let mut taken = Backlog::default();
        for bytes in [2 * SIGNAL_OVERRUN_BYTES, 1, 1] {
            let (control, payload) = message(bytes);
            assert!(peer.signal(control, payload));
            assert!(peer.take(&mut taken).is_none(), "what is behind it is little");
        }
        peer.set_encoded(0, &taken);
        let (control, payload) = message(SIGNAL_OVERRUN_BYTES);
        assert!(peer.signal(control, payload));
        assert!(!peer.is_closed());
        let (control, payload) = message(1);
        assert!(peer.signal(control, payload));
        assert!(peer.is_closed(), "now too much has piled up behind it");
    }

    #[tokio::test]
    async fn a_peer_that_reads_nothing_is_given_up() {
        let peer = peer(1000);
        let mut queued = 0;
        while !peer.is_closed() {
            let (control, payload) = message(1000);
            assert!(peer.signal(control, payload));
            queued += 1000;
            assert!(queued < 2 * SIGNAL_OVERRUN_BYTES, "no bound");
        }
        assert!(matches!(peer.take(&mut Backlog::default()), Some(DownReason::SlowPeer { .. })));
        let (control, payload) = message(1);
        assert!(!peer.signal(control, payload));
        assert!(!peer.may_send().await);
    }
}
