//! A process: a tokio task with a mailbox, and the state that signals to it change.
//!
//! A signal is applied when it arrives, under the receiver's lock, by whoever brings it: the
//! sending process or the connection's task. Applying at once is what keeps the signals between
//! two processes in order, and a sender never waits for a receiver. Two process locks are held
//! together only by link and unlink between local processes, lower pid first. Under a process
//! lock a signal may be queued on a connection (that never waits), so that an acknowledgement
//! can't be overtaken by a later signal of the same process.

mod context;
mod dictionary;
mod info;
mod mailbox;
mod mailboxes;
pub(crate) mod panic;
mod receive;
pub(crate) mod table;
mod task;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use erlang_term::{Atom, Pid, Reference, Term};

use crate::ExitReason;
use crate::alias::AliasMode;
use crate::link::Link;
use crate::message::Message;
use crate::monitor::{Monitor, Watcher};
use crate::origin::{LiveProcess, Origin, OverBudget};
use crate::spawn_request::PendingSpawn;

pub use context::{Context, ReceiveTimeout};
pub use info::ProcessInfo;
pub(crate) use mailboxes::Mailboxes;
pub(crate) use task::ProcessTask;

/// What the node, its peers and other processes hold of a process.
pub(crate) struct Process {
    pid: Pid,
    /// Messages not yet taken by `receive`, in all queues.
    messages: AtomicUsize,
    /// About what those of them that came from the network hold, in bytes.
    peer_bytes: AtomicUsize,
    /// Set with `Phase::Exiting`, so that a poll of a healthy process takes no lock.
    exit_requested: AtomicBool,
    /// Set, never cleared, with its first link, monitor or spawn request over a connection.
    with_peers: AtomicBool,
    limits: MailboxLimits,
    /// Where `peer_bytes` counts too.
    mailboxes: Arc<Mailboxes>,
    /// The peer it lives for, and its place in that peer's budget.
    lives_for: Option<LiveProcess>,
    state: Mutex<State>,
}

/// When a mailbox counts as run over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MailboxLimits {
    pub(crate) messages_max: u32,
    pub(crate) bytes_max: usize,
}

/// What arrives and what is related, changed only under the process's lock.
pub(crate) struct State {
    pub(crate) inbox: Vec<Message>,
    /// Who waits in `receive`.
    pub(crate) receiver: Option<Waker>,
    /// The task itself, woken for an exit.
    pub(crate) task: Option<Waker>,
    pub(crate) phase: Phase,
    pub(crate) trap_exit: bool,
    pub(crate) group_leader: Pid,
    relations: Option<Box<Relations>>,
}

/// How far the life of a process has come.
pub(crate) enum Phase {
    Alive,
    /// An exit signal has ended it; its task has not noticed yet.
    Exiting(ExitReason),
    Dead,
}

/// What most processes have none of, kept apart so that an idle one stays small.
#[derive(Default)]
pub(crate) struct Relations {
    pub(crate) name: Option<Atom>,
    pub(crate) links: HashMap<Pid, Link>,
    /// Monitors this process made.
    pub(crate) monitors: HashMap<Reference, Monitor>,
    /// Who monitors this process.
    pub(crate) monitored_by: HashMap<Reference, Watcher>,
    pub(crate) aliases: HashMap<Reference, AliasMode>,
    pub(crate) spawning: HashMap<Reference, PendingSpawn>,
    pub(crate) dictionary: Vec<(Term, Term)>,
    pub(crate) initial_call: Option<(Atom, Atom, u8)>,
}

impl Process {
    pub(crate) fn new(
        pid: Pid,
        group_leader: Pid,
        limits: MailboxLimits,
        mailboxes: Arc<Mailboxes>,
        lives_for: Option<LiveProcess>,
    ) -> Arc<Self> {
        Arc::new(Self {
            lives_for,
            pid,
            messages: AtomicUsize::new(0),
            peer_bytes: AtomicUsize::new(0),
            exit_requested: AtomicBool::new(false),
            with_peers: AtomicBool::new(false),
            limits,
            mailboxes,
            state: Mutex::new(State {
                inbox: Vec::new(),
                receiver: None,
                task: None,
                phase: Phase::Alive,
                trap_exit: false,
                group_leader,
                relations: None,
            }),
        })
    }

    pub(crate) fn pid(&self) -> &Pid {
        &self.pid
    }

    /// The peer it lives for.
    pub(crate) fn origin(&self) -> Option<&Origin> {
        self.lives_for.as_ref().map(LiveProcess::origin)
    }

    /// Counts bytes that it keeps for its peer until it ends; whether all processes together have room
    /// for them.
    pub(crate) fn keep(&self, bytes: usize) -> Result<bool, OverBudget> {
        let Some(live) = &self.lives_for else { return Ok(true) };
        live.keep(bytes)?;
        Ok(self.mailboxes.add(bytes, live.kept()))
    }

    /// The state. A panic while it is held leaves it usable: each change is complete in itself.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn message_count(&self) -> usize {
        self.messages.load(Ordering::Relaxed)
    }

    /// Notes a relation to a process of a peer; whether it is the first.
    pub(crate) fn first_relation_to_a_peer(&self) -> bool {
        !self.with_peers.load(Ordering::Relaxed) && !self.with_peers.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn has_relations_to_peers(&self) -> bool {
        self.with_peers.load(Ordering::Relaxed)
    }

    pub(crate) fn exit_requested(&self) -> bool {
        self.exit_requested.load(Ordering::Acquire)
    }

    /// Puts a message in the mailbox. `false`: the process is ending or dead.
    pub(crate) fn deliver(&self, message: Message) -> bool {
        let mut state = self.lock();
        self.deliver_locked(&mut state, message)
    }

    /// As [`Process::deliver`], by a caller that holds the lock.
    pub(crate) fn deliver_locked(&self, state: &mut State, message: Message) -> bool {
        if !matches!(state.phase, Phase::Alive) {
            return false;
        }
        let messages = self.messages.fetch_add(1, Ordering::Relaxed) + 1;
        let (bytes, all_fit) = self.count(message.bytes());
        let own_fits =
            messages <= self.limits.messages_max as usize && bytes <= self.limits.bytes_max;
        if !own_fits || !all_fit {
            let all = self.mailboxes.bytes();
            tracing::error!(
                pid = %self.pid, messages, bytes, all,
                "mailbox ran over, the process is killed",
            );
            self.request_exit(state, ExitReason::Killed);
            return false;
        }
        state.inbox.push(message);
        if let Some(waker) = state.receiver.take() {
            waker.wake();
        }
        true
    }

    /// Counts a message's bytes. Gives those of this mailbox, and whether all mailboxes have room.
    fn count(&self, added: usize) -> (usize, bool) {
        if added == 0 {
            return (self.peer_bytes.load(Ordering::Relaxed), true);
        }
        let bytes = self.peer_bytes.fetch_add(added, Ordering::Relaxed) + added;
        (bytes, self.mailboxes.add(added, bytes))
    }

    /// Ends the process: the task drops what it runs as soon as it is polled.
    pub(crate) fn request_exit(&self, state: &mut State, reason: ExitReason) {
        if !matches!(state.phase, Phase::Alive) {
            return;
        }
        state.phase = Phase::Exiting(reason);
        self.exit_requested.store(true, Ordering::Release);
        if let Some(waker) = state.task.take() {
            waker.wake();
        }
    }

    /// Books that `receive` took a message out.
    pub(crate) fn taken(&self, message: &Message) {
        self.messages.fetch_sub(1, Ordering::Relaxed);
        if message.bytes() > 0 {
            self.peer_bytes.fetch_sub(message.bytes(), Ordering::Relaxed);
            self.mailboxes.remove(message.bytes());
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let kept = self.lives_for.as_ref().map_or(0, LiveProcess::kept);
        self.mailboxes.remove(*self.peer_bytes.get_mut() + kept);
    }
}

impl State {
    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.phase, Phase::Alive)
    }

    /// The relations, if it ever had one.
    pub(crate) fn relations(&self) -> Option<&Relations> {
        self.relations.as_deref()
    }

    pub(crate) fn relations_mut(&mut self) -> Option<&mut Relations> {
        self.relations.as_deref_mut()
    }

    /// The relations, made now if there were none.
    pub(crate) fn relate(&mut self) -> &mut Relations {
        self.relations.get_or_insert_default()
    }

    pub(crate) fn take_relations(&mut self) -> Option<Box<Relations>> {
        self.relations.take()
    }
}
