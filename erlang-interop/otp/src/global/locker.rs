//! The locker of `global`: takes the lock on both halves of a cluster before they exchange names.
//!
//! One connect at a time. Both lockers try: the one whose turn comes locks its own half (the
//! "boss", the node with the greatest name, first) and tells the other by `lock_set`; the other
//! does the same for its half. When both have it, names are exchanged; when one could not, both
//! let go and try again after a while.

use std::time::Duration;

use erlang_node::{Context, ExitReason};
use erlang_term::{Atom, Pid, Term, atom};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::output::LockerEvent;
use super::shared::Shared;
use crate::client::{cast_connected, connected, is_connected, multi_call_in_time};
use crate::gen_message::cast_message;
use crate::limits::CALL_TIMEOUT;

/// The first attempt after a connect, when we know nobody else: soon.
const ALONE_WAIT: Duration = Duration::from_millis(200);
/// The least wait before another attempt in a cluster.
const RETRY_WAIT: Duration = Duration::from_millis(1000);
/// What each known node adds to it, so that attempts spread out.
const RETRY_WAIT_PER_NODE: Duration = Duration::from_millis(100);
/// The most.
const RETRY_WAIT_MAX: Duration = Duration::from_millis(3000);
/// A lock that both sides hold is let go after this long even if no end of the session came.
const HOLD_MAX: Duration = Duration::from_secs(60);

/// A node that wants to connect.
#[derive(Clone, Debug)]
struct Candidate {
    node: Atom,
    locker: Pid,
    his_tag: Term,
    my_tag: i64,
}

/// The locker process.
pub(super) struct Locker {
    context: Context,
    shared: Shared,
    events: mpsc::UnboundedReceiver<LockerEvent>,
    candidates: Vec<Candidate>,
    /// Whether the last attempt succeeded: the next may follow at once.
    just_synced: bool,
    turn: usize,
}

impl Locker {
    pub(super) fn new(
        context: Context,
        shared: Shared,
        events: mpsc::UnboundedReceiver<LockerEvent>,
    ) -> Self {
        let candidates = Vec::new();
        Self { context, shared, events, candidates, just_synced: false, turn: 0 }
    }

    /// Works until the name server is gone.
    pub(super) async fn run(mut self) -> ExitReason {
        let mut attempt_at = Instant::now();
        loop {
            let event = if self.candidates.is_empty() {
                self.events.recv().await
            } else {
                match tokio::time::timeout_at(attempt_at, self.events.recv()).await {
                    Ok(event) => event,
                    Err(_) => {
                        self.attempt().await;
                        attempt_at = Instant::now() + self.wait();
                        continue;
                    }
                }
            };
            let Some(event) = event else { return ExitReason::Normal };
            self.handle(event).await;
            attempt_at = Instant::now() + self.wait();
        }
    }

    fn wait(&self) -> Duration {
        if self.just_synced {
            return Duration::ZERO;
        }
        match self.shared.lock().known().len() {
            0 => ALONE_WAIT,
            known => {
                let known = u32::try_from(known).unwrap_or(u32::MAX);
                let wait = RETRY_WAIT.saturating_add(RETRY_WAIT_PER_NODE.saturating_mul(known));
                wait.min(RETRY_WAIT_MAX)
            }
        }
    }

    async fn handle(&mut self, event: LockerEvent) {
        self.just_synced = false;
        match event {
            LockerEvent::Connect { node, locker, his_tag, my_tag } => {
                self.remove(&node);
                self.candidates.push(Candidate { node, locker, his_tag, my_tag });
            }
            LockerEvent::Cancel { node, casts } => {
                self.cast_all(casts).await;
                self.remove(&node);
            }
            LockerEvent::LockSet { set: false, .. } => {}
            LockerEvent::LockSet { locker, set: true } => self.follow(&locker).await,
        }
    }

    fn remove(&mut self, node: &Atom) {
        self.candidates.retain(|candidate| candidate.node != *node);
    }

    /// The other side has locked its half: lock ours.
    async fn follow(&mut self, locker: &Pid) {
        let found = self.candidates.iter().find(|candidate| candidate.locker == *locker).cloned();
        let Some(candidate) = found else {
            return;
        };
        let lock = self.lock_id(&candidate);
        let Some(locked) = self.lock_safely(&lock, None).await else {
            return self.tell_lock_set(&candidate, false).await;
        };
        self.tell_lock_set(&candidate, true).await;
        self.hold(&candidate, lock, locked).await;
    }

    /// Our turn: lock our half and the other's name server, then wait for the other side.
    async fn attempt(&mut self) {
        self.just_synced = false;
        if self.shared.lock().is_global_locked() {
            return;
        }
        let known = self.shared.lock().known();
        self.candidates.retain(|candidate| !known.contains(&candidate.node));
        if self.candidates.is_empty() {
            return;
        }
        self.turn = self.turn.wrapping_add(1);
        let candidate = self.candidates[self.turn % self.candidates.len()].clone();
        // One that has just left must not be dialed for its lock: its node would find our attempt in
        // the way of its own.
        if !is_connected(&self.context, &candidate.node) {
            return;
        }
        let lock = self.lock_id(&candidate);
        let Some(locked) = self.lock_safely(&lock, Some(&candidate.node)).await else { return };
        self.tell_lock_set(&candidate, true).await;
        match self.answer_of(&candidate).await {
            Waited::Set => self.hold(&candidate, lock, locked).await,
            Waited::Refused => self.unlock(&lock, &locked).await,
            Waited::Cancelled(casts) => {
                self.cast_all(casts).await;
                self.unlock(&lock, &locked).await;
                self.remove(&candidate.node);
            }
        }
    }

    /// Waits for what the other side says to our `lock_set`.
    async fn answer_of(&mut self, candidate: &Candidate) -> Waited {
        let deadline = Instant::now() + HOLD_MAX;
        loop {
            match tokio::time::timeout_at(deadline, self.events.recv()).await {
                Ok(Some(LockerEvent::LockSet { locker, set })) if locker == candidate.locker => {
                    return if set { Waited::Set } else { Waited::Refused };
                }
                Ok(Some(LockerEvent::Cancel { node, casts })) if node == candidate.node => {
                    return Waited::Cancelled(casts);
                }
                Ok(Some(other)) => self.meanwhile(other).await,
                Ok(None) => return Waited::Refused,
                Err(_) => {
                    self.stalled(candidate).await;
                    return Waited::Refused;
                }
            }
        }
    }

    /// Both halves are locked: the name servers do their part, and end it with a cancel.
    async fn hold(&mut self, candidate: &Candidate, lock: Term, locked: Vec<Atom>) {
        let is_set = (atom!("lock_is_set"), &candidate.node, candidate.my_tag, lock.clone());
        let server = atom!("global_name_server");
        self.context.send(server, cast_message(Term::from(is_set))).await;
        let deadline = Instant::now() + HOLD_MAX;
        let casts = loop {
            match tokio::time::timeout_at(deadline, self.events.recv()).await {
                Ok(Some(LockerEvent::Cancel { node, casts })) if node == candidate.node => {
                    break casts;
                }
                Ok(Some(other)) => self.meanwhile(other).await,
                Ok(None) => break Vec::new(),
                Err(_) => {
                    self.stalled(candidate).await;
                    break Vec::new();
                }
            }
        };
        // The others learn of the new nodes before they see the lock go.
        self.cast_all(casts).await;
        self.unlock(&lock, &locked).await;
        self.remove(&candidate.node);
        self.just_synced = true;
    }

    /// Tells the name server that the other side does not answer.
    async fn stalled(&self, candidate: &Candidate) {
        let message = (atom!("stalled"), &candidate.node, candidate.my_tag);
        self.context.send(atom!("global_name_server"), cast_message(Term::from(message))).await;
    }

    /// An event of another session while one is being locked: remembered, or answered with no.
    async fn meanwhile(&mut self, event: LockerEvent) {
        match event {
            LockerEvent::Connect { node, locker, his_tag, my_tag } => {
                self.remove(&node);
                self.candidates.push(Candidate { node, locker, his_tag, my_tag });
            }
            LockerEvent::Cancel { node, casts } => {
                self.cast_all(casts).await;
                self.remove(&node);
            }
            LockerEvent::LockSet { locker, set: true } => {
                let busy = self.candidates.iter().find(|one| one.locker == locker).cloned();
                if let Some(candidate) = busy {
                    self.tell_lock_set(&candidate, false).await;
                }
            }
            LockerEvent::LockSet { set: false, .. } => {}
        }
    }

    /// `{global, [LockerA, LockerB]}` in term order, so that both sides ask for the same lock.
    fn lock_id(&self, candidate: &Candidate) -> Term {
        let mut lockers = [Term::from(self.context.pid()), Term::from(&candidate.locker)];
        lockers.sort();
        Term::from((atom!("global"), Term::list(lockers)))
    }

    async fn tell_lock_set(&self, candidate: &Candidate, set: bool) {
        let known: Vec<Atom> = self.shared.lock().known();
        let message =
            (atom!("lock_set"), self.context.pid(), set, Term::list(known), &candidate.his_tag);
        self.cast(&candidate.node, Term::from(message)).await;
    }

    async fn cast(&self, node: &Atom, message: Term) {
        let server = (atom!("global_name_server"), node.clone());
        cast_connected(&self.context, server, message).await;
    }

    /// Tells our half of the cluster. Those that we have heard of and are not connected to yet are
    /// dialed: nobody else would tell them of the new nodes.
    async fn cast_all(&self, casts: Vec<(Atom, Term)>) {
        for (node, message) in casts {
            self.context.send((atom!("global_name_server"), node), cast_message(message)).await;
        }
    }

    /// Locks the boss, then ourselves (and the other node), then all known nodes. Gives the nodes
    /// that are locked, or `None` after letting go of what was locked.
    async fn lock_safely(&mut self, lock: &Term, other: Option<&Atom>) -> Option<Vec<Atom>> {
        let own = self.context.node().name().clone();
        let mut nodes = self.shared.lock().known();
        nodes.push(own.clone());
        let boss = nodes.iter().max()?.clone();
        // Locking ourselves first could stop a node that has locked the boss already.
        if boss != own && !self.shared.lock().can_set_lock(lock) {
            return None;
        }
        let mut locked = vec![boss.clone()];
        if !self.set_lock(lock, &locked).await {
            return None;
        }
        let mut second: Vec<Atom> = std::iter::once(own).chain(other.cloned()).collect();
        second.retain(|node| *node != boss);
        let mut third = nodes;
        third.retain(|node| *node != boss && !second.contains(node));
        for step in [second, third] {
            if step.is_empty() {
                continue;
            }
            if !self.set_lock(lock, &step).await {
                self.unlock(lock, &locked).await;
                return None;
            }
            locked.extend(step);
        }
        Some(locked)
    }

    /// Sets the lock on all these nodes, or on none.
    async fn set_lock(&mut self, lock: &Term, nodes: &[Atom]) -> bool {
        let (replies, late) = self.ask(nodes, atom!("set_lock"), lock).await;
        if late.is_empty() && replies.iter().all(|(_, reply)| reply.as_bool() == Some(true)) {
            return true;
        }
        let set = replies
            .into_iter()
            .filter(|(_, reply)| reply.as_bool() == Some(true))
            .map(|(node, _)| node);
        // Who is late may set it yet.
        let set: Vec<Atom> = set.chain(late).collect();
        self.unlock(lock, &set).await;
        false
    }

    /// Who is no longer connected has forgotten the lock.
    async fn unlock(&mut self, lock: &Term, nodes: &[Atom]) {
        let nodes = connected(&self.context, nodes);
        self.ask(&nodes, atom!("del_lock"), lock).await;
    }

    /// Asks all these nodes. Those of our half that are not connected yet are dialed: a lock that
    /// only some of them have would keep nobody out.
    async fn ask(
        &mut self,
        nodes: &[Atom],
        what: Atom,
        lock: &Term,
    ) -> (Vec<(Atom, Term)>, Vec<Atom>) {
        let request = Term::from((what, lock));
        let server = atom!("global_name_server");
        multi_call_in_time(&mut self.context, nodes, &server, request, CALL_TIMEOUT).await
    }
}

/// What came of waiting for the other side.
enum Waited {
    Set,
    Refused,
    Cancelled(Vec<(Atom, Term)>),
}
