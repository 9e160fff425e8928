//! What a process can do: the handle its function is given.

use std::sync::Arc;

use erlang_term::{Atom, Pid, Reference, Term};
use thiserror::Error;

use super::Process;
use super::mailbox::Mailbox;
use crate::ExitReason;
use crate::alias::AliasMode;
use crate::destination::Destination;
use crate::error::{RegisterError, SpawnError};
use crate::message::Message;
use crate::monitor::{DemonitorOptions, MonitorTarget};
use crate::node::Node;
use crate::origin::{ConnectionNumber, Origin};
use crate::spawn::{Mfa, SpawnOptions, Spawned};
use crate::spawn_request::SpawnRequestOptions;
use crate::weight::{HELD_BYTES_MAX, held};

/// The running process itself: what Erlang code calls without naming a process.
///
/// A process function is given one and owns it. It can't be cloned: only the process receives its
/// messages. Other tasks use the [`Node`].
pub struct Context {
    node: Node,
    process: Arc<Process>,
    mailbox: Mailbox,
    /// Over which connection the last message came.
    received_over: ConnectionNumber,
}

/// No message came in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no message came in time")]
pub struct ReceiveTimeout;

impl Context {
    pub(crate) fn new(node: Node, process: Arc<Process>) -> Self {
        Self { node, process, mailbox: Mailbox::default(), received_over: 0 }
    }

    pub(super) fn mailbox_parts(&mut self) -> (&Process, &mut Mailbox) {
        (&self.process, &mut self.mailbox)
    }

    /// The pid: `self()`.
    pub fn pid(&self) -> &Pid {
        self.process.pid()
    }

    pub(super) fn note_received(&mut self, message: &Message) {
        self.received_over = message.connection();
    }

    /// On whose behalf the process acts: the peer that sent the message it received last, else the
    /// peer it was started for. `None`: this node itself. What a message says of its sender is a
    /// claim; this is where it came from.
    pub fn asker(&self) -> Option<Origin> {
        let sender = self.node.kernel().origins().of(self.received_over);
        sender.or_else(|| self.process.origin().cloned())
    }

    /// [`Context::asker`] as messages carry it, so that who receives one that this process sends
    /// knows for whom: what a peer has forwarded or answered here is as much the peer's as what it
    /// sends itself.
    fn behalf(&self) -> ConnectionNumber {
        match self.received_over {
            0 => self.process.origin().map_or(0, Origin::number),
            number => number,
        }
    }

    /// Keeps these terms for the peer that the process lives for, until it ends. `false`: there is no
    /// room for them, and the process should end.
    #[must_use]
    pub fn keep<'a>(&self, terms: impl IntoIterator<Item = &'a Term>) -> bool {
        if self.process.origin().is_none() {
            return true;
        }
        let bytes = terms.into_iter().map(|term| held(term, HELD_BYTES_MAX)).sum();
        self.node.keep(&self.process, bytes)
    }

    /// The node the process runs on.
    pub fn node(&self) -> &Node {
        &self.node
    }

    pub(super) fn process(&self) -> &Arc<Process> {
        &self.process
    }

    /// Sends a message: `Destination ! Message`. Like `!` it never fails: what can't be delivered
    /// is gone.
    ///
    /// It waits while the connection is set up (a node that isn't connected is dialed) and while
    /// too much is queued for it.
    pub async fn send(&self, to: impl Into<Destination>, message: impl Into<Term>) {
        let to = to.into();
        self.node.send_from(self.process.pid(), self.behalf(), to, message.into()).await;
    }

    /// As [`Context::send`], but dials nobody: a message for a node that isn't connected is gone.
    /// `erlang:send/3` with `noconnect`.
    pub async fn send_connected(&self, to: impl Into<Destination>, message: impl Into<Term>) {
        let to = to.into();
        self.node.send_connected(self.process.pid(), self.behalf(), to, message.into()).await;
    }

    /// Links to a process. When there is none, an exit signal `noproc` (or `noconnection`) comes.
    pub async fn link(&self, to: &Pid) {
        self.node.link(&self.process, to).await;
    }

    /// Removes a link. Once it returns, no exit signal of that link can arrive any more.
    pub fn unlink(&self, from: &Pid) {
        self.node.unlink(&self.process, from);
    }

    /// Monitors a process by pid, by name, or by `(name, node)`. Its end, or its absence, arrives
    /// as a `'DOWN'` message.
    pub async fn monitor(&self, target: impl Into<MonitorTarget>) -> Reference {
        self.node.monitor(&self.process, target.into(), None).await
    }

    /// Monitors a process with a reference that is also an alias of this process. This is what
    /// `gen_server:call` does: replies go to the alias, and one that comes too late is dropped.
    pub async fn monitor_with_alias(
        &self,
        target: impl Into<MonitorTarget>,
        mode: AliasMode,
    ) -> Reference {
        self.node.monitor(&self.process, target.into(), Some(mode)).await
    }

    /// Takes back a monitor; its alias too, unless that needs an explicit [`Context::unalias`].
    /// Returns whether the monitor was still there.
    pub fn demonitor(&mut self, monitor: &Reference, options: DemonitorOptions) -> bool {
        let found = self.node.demonitor(&self.process, monitor);
        if options.flush {
            self.mailbox.remove(&self.process, |message| message.is_down_of(monitor));
        }
        found
    }

    /// Makes an alias of this process: it receives what is sent to the reference, until
    /// [`Context::unalias`], or until the first message if the mode says so.
    pub fn alias(&self, mode: AliasMode) -> Reference {
        self.node.alias(&self.process, mode)
    }

    /// Ends an alias. Returns whether it was active.
    pub fn unalias(&self, alias: &Reference) -> bool {
        self.node.unalias(&self.process, alias)
    }

    /// Sends an exit signal: `exit(Pid, Reason)`.
    pub async fn exit(&self, to: &Pid, reason: impl Into<ExitReason>) {
        self.node.exit_from(self.process.pid(), to, reason.into()).await;
    }

    /// Whether exit signals become messages: `process_flag(trap_exit, Bool)`. Returns what it was.
    pub fn trap_exit(&self, trap: bool) -> bool {
        std::mem::replace(&mut self.process.lock().trap_exit, trap)
    }

    /// Gives this process a name on its node.
    ///
    /// # Errors
    /// When the name is taken or reserved, or the process has one.
    pub fn register(&self, name: &Atom) -> Result<(), RegisterError> {
        self.node.register(name, self.process.pid())
    }

    /// The group leader.
    pub fn group_leader(&self) -> Pid {
        self.process.lock().group_leader.clone()
    }

    /// Changes this process's own group leader; processes spawned from here on inherit it.
    pub fn set_group_leader(&self, leader: Pid) {
        self.process.lock().group_leader = leader;
    }

    /// Starts a process. Without a group leader in the options it inherits this one's.
    ///
    /// # Errors
    /// When the name is taken, there are too many processes, or the node stops.
    pub fn spawn<F, Fut, R>(&self, options: SpawnOptions, run: F) -> Result<Spawned, SpawnError>
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future<Output = R> + Send + 'static,
        R: Into<ExitReason>,
    {
        self.node.spawn_by(Some(&self.process), options, run)
    }

    /// Asks a node to start a process: `spawn_request/5`. The answer arrives as the message
    /// `{spawn_reply, Reference, ok, Pid}` or `{spawn_reply, Reference, error, Reason}`.
    pub async fn spawn_request(
        &self,
        node: &Atom,
        mfa: Mfa,
        options: SpawnRequestOptions,
    ) -> Reference {
        self.node.spawn_request(&self.process, node, mfa, options).await
    }

    /// Gives up on a spawn request: `spawn_request_abandon/1`. `false`: it was answered already.
    pub fn spawn_request_abandon(&self, request: &Reference) -> bool {
        self.node.spawn_request_abandon(&self.process, request)
    }

    /// Watches a node: `{nodedown, Node}` arrives once when the connection is lost, or at once when
    /// the node can't be reached. `false` takes one such request back.
    pub async fn monitor_node(&self, node: &Atom, on: bool) {
        self.node.monitor_node(self.process.pid(), node, on).await;
    }
}
