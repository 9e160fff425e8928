//! Sending messages and exit signals from anywhere.

use std::sync::Arc;

use erlang_dist::control::Control;
use erlang_term::{Atom, Pid, Reference, Term};

use super::Node;
use crate::ExitReason;
use crate::destination::Destination;
use crate::error::SendNowError;
use crate::message::Message;
use crate::net_kernel::Peer;
use crate::origin::{ConnectionNumber, Origin};
use crate::weight::{HELD_BYTES_MAX, held};

impl Destination {
    /// The other node a message to this has to travel to.
    fn elsewhere(&self, node: &Node) -> Option<&Atom> {
        let home = match self {
            Self::Pid(pid) => pid.node(),
            Self::Name(_) => return None,
            Self::NameNode(_, home) => home,
            Self::Alias(alias) => alias.node(),
        };
        (!node.is_own_name(home)).then_some(home)
    }

    fn control(self, from: &Pid) -> Control {
        let (from, token) = (from.clone(), None);
        match self {
            Self::Pid(to) => Control::SendSender { from, to, token },
            Self::Name(name) | Self::NameNode(name, _) => Control::RegSend { from, name, token },
            Self::Alias(to) => Control::AliasSend { from, to, token },
        }
    }
}

impl Node {
    /// The pid that stands for the node, as the sender of what no process sends.
    pub fn pid(&self) -> Pid {
        self.table().node_pid()
    }

    /// Sends a message from outside of any process. Peers see a pid that stands for the node.
    ///
    /// It waits while the connection is set up and while too much is queued for it.
    pub async fn send(&self, to: impl Into<Destination>, message: impl Into<Term>) {
        self.send_for(None, to, message).await;
    }

    /// As [`Node::send`], on behalf of a peer: a process of this node that receives the message takes
    /// it for one of that peer, as [`crate::Context::asker`] says.
    pub async fn send_for(
        &self,
        origin: Option<&Origin>,
        to: impl Into<Destination>,
        message: impl Into<Term>,
    ) {
        let behalf = origin.map_or(0, Origin::number);
        self.send_from(&self.table().node_pid(), behalf, to.into(), message.into()).await;
    }

    pub(crate) async fn send_from(
        &self,
        from: &Pid,
        behalf: ConnectionNumber,
        to: Destination,
        message: Term,
    ) {
        let Some(node) = to.elsewhere(self) else {
            // Nothing here waits, so a process that only sends would keep others from running.
            tokio::task::consume_budget().await;
            self.deliver_here(to, message, behalf);
            return;
        };
        // The common case first: it waits for nothing.
        let peer = match self.connected_peer(node) {
            Some(peer) => peer,
            None => match self.peer_for(node).await {
                Some(peer) => peer,
                None => return,
            },
        };
        send_over(&peer, from, to, message).await;
    }

    /// As [`Node::send_from`], but what is for a node that isn't connected is gone: `noconnect`.
    pub(crate) async fn send_connected(
        &self,
        from: &Pid,
        behalf: ConnectionNumber,
        to: Destination,
        message: Term,
    ) {
        let Some(node) = to.elsewhere(self) else {
            return self.send_from(from, behalf, to, message).await;
        };
        if let Some(peer) = self.connected_peer(node) {
            send_over(&peer, from, to, message).await;
        }
    }

    /// Sends a message if that is possible at once: `erlang:send/3` with `nosuspend` and
    /// `noconnect`.
    ///
    /// # Errors
    /// When the sender would have to wait, or the node isn't connected.
    pub fn send_now(
        &self,
        to: impl Into<Destination>,
        message: impl Into<Term>,
    ) -> Result<(), SendNowError> {
        let to = to.into();
        let Some(node) = to.elsewhere(self) else {
            self.deliver_here(to, message.into(), 0);
            return Ok(());
        };
        let peer = self.connected_peer(node).ok_or(SendNowError::NotConnected)?;
        if peer.is_busy() {
            return Err(SendNowError::Busy);
        }
        let control = to.control(&self.table().node_pid());
        if peer.signal(control, Some(message.into())) {
            Ok(())
        } else {
            Err(SendNowError::NotConnected)
        }
    }

    /// Sends an exit signal from outside of any process: `exit(Pid, Reason)`.
    pub async fn exit(&self, to: &Pid, reason: impl Into<ExitReason>) {
        self.exit_from(&self.table().node_pid(), to, reason.into()).await;
    }

    /// Changes a process's group leader: `group_leader(Leader, Pid)`.
    pub async fn change_group_leader(&self, leader: &Pid, of: &Pid) {
        if self.is_own_name(of.node()) {
            if let Some(process) = self.table().find(of) {
                process.lock().group_leader = leader.clone();
            }
        } else if let Some(peer) = self.peer_for(of.node()).await {
            peer.signal(Control::GroupLeader { from: leader.clone(), to: of.clone() }, None);
        }
    }

    fn deliver_here(&self, to: Destination, message: Term, behalf: ConnectionNumber) {
        let message = match behalf {
            0 => Message::new(message),
            // It waits at the peer's expense, as if the peer had sent it.
            number => {
                let bytes = held(&message, HELD_BYTES_MAX);
                Message::of_peer(message, bytes, number)
            }
        };
        let process = match to {
            Destination::Pid(pid) => self.table().find(&pid),
            Destination::Name(name) | Destination::NameNode(name, _) => {
                self.registered_process(&name)
            }
            Destination::Alias(alias) => {
                self.deliver_to_alias(&alias, message);
                return;
            }
        };
        if let Some(process) = process {
            process.deliver(message);
        }
    }

    /// Takes back a monitor at a peer, for a process that has ended.
    pub(crate) fn demonitor_at_peer(
        &self,
        from: &Pid,
        reference: &Reference,
        target: &crate::monitor::MonitorTarget,
        connection: u64,
    ) {
        let Some(node) = target.node() else { return };
        let Some(peer) = self.peer_of_connection(node, connection) else { return };
        let control = Control::DemonitorP {
            from: from.clone(),
            to: target.on_wire(),
            reference: reference.clone(),
        };
        let peer: Arc<Peer> = peer;
        peer.signal(control, None);
    }
}

async fn send_over(peer: &Peer, from: &Pid, to: Destination, message: Term) {
    if peer.may_send().await {
        peer.signal(to.control(from), Some(message));
    }
}
