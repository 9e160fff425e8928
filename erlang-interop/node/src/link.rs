//! Links, between local processes and across a connection.
//!
//! Between local processes both ends change together, under both locks. Across a connection each
//! side has a record, and an unlink travels as an id that the other side acknowledges: until then
//! the record stays, inactive, so that an exit or a link that crosses the unlink is told apart.
// spec: erl_dist_protocol, "Link Protocol"

use std::collections::hash_map::Entry;
use std::sync::Arc;

use erlang_dist::control::Control;
use erlang_term::Pid;

use crate::ExitReason;
use crate::net_kernel::Peer;
use crate::node::Node;
use crate::process::{Process, State};

/// One process's record of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// To a process of this node.
    Local,
    /// To a process beyond a connection. With an unlink id it waits for the acknowledgement.
    Remote {
        connection: u64,
        unlink_id: Option<u64>,
        /// Whether the peer set it up, and it counts towards what the peer may hold here.
        counted: bool,
    },
}

impl Link {
    /// Whether an exit signal of this link counts.
    pub(crate) fn is_active(&self) -> bool {
        !matches!(self, Self::Remote { unlink_id: Some(_), .. })
    }

    /// Whether it is over that connection.
    pub(crate) fn is_over(&self, id: u64) -> bool {
        matches!(self, Self::Remote { connection, .. } if *connection == id)
    }

    /// Books the end of a link that was over the connection of that peer.
    pub(crate) fn ended(self, peer: &Peer) {
        if matches!(self, Self::Remote { counted: true, connection, .. } if connection == peer.id())
        {
            peer.relation_ended();
        }
    }
}

impl Node {
    pub(crate) async fn link(&self, process: &Arc<Process>, to: &Pid) {
        if process.pid() == to {
            return;
        }
        if self.is_own_name(to.node()) {
            self.link_local(process, to);
            return;
        }
        let linked = match self.peer_for(to.node()).await {
            Some(peer) => self.link_remote(process, to, &peer),
            None => false,
        };
        if !linked {
            self.exit_signal(process, to, ExitReason::Noconnection);
        }
    }

    fn link_remote(&self, process: &Process, to: &Pid, peer: &Peer) -> bool {
        let mut state = process.lock();
        if !state.is_alive() {
            return true;
        }
        let fresh = Link::Remote { connection: peer.id(), unlink_id: None, counted: false };
        match state.relate().links.entry(to.clone()) {
            Entry::Occupied(record) if record.get().is_active() => return true,
            Entry::Occupied(mut record) => {
                record.insert(fresh).ended(peer);
            }
            Entry::Vacant(place) => {
                place.insert(fresh);
            }
        }
        self.table().relates_to_peer(process);
        let sent = peer.signal(Control::Link { from: process.pid().clone(), to: to.clone() }, None);
        if !sent {
            state.relate().links.remove(to);
        }
        sent
    }

    pub(crate) fn link_local(&self, process: &Arc<Process>, to: &Pid) {
        let Some(other) = self.table().find(to) else {
            self.exit_signal(process, to, ExitReason::Noproc);
            return;
        };
        let linked = with_both(process, &other, |mine, theirs| {
            if !mine.is_alive() || !theirs.is_alive() {
                return false;
            }
            mine.relate().links.insert(to.clone(), Link::Local);
            theirs.relate().links.insert(process.pid().clone(), Link::Local);
            true
        });
        if !linked {
            self.exit_signal(process, to, ExitReason::Noproc);
        }
    }

    pub(crate) fn unlink(&self, process: &Arc<Process>, from: &Pid) {
        if process.pid() == from {
            return;
        }
        if let Some(other) = self.table().find(from) {
            with_both(process, &other, |mine, theirs| {
                remove_local(mine, from);
                remove_local(theirs, process.pid());
            });
            return;
        }
        if self.is_own_name(from.node()) {
            // It has just ended and is about to tell its links.
            remove_local(&mut process.lock(), from);
            return;
        }
        let peer = self.connected_peer(from.node());
        let mut state = process.lock();
        let Some(relations) = state.relations_mut() else { return };
        let Some(Link::Remote { connection, unlink_id: pending @ None, .. }) =
            relations.links.get_mut(from)
        else {
            return;
        };
        let id = self.next_unlink_id();
        match peer.filter(|peer| peer.id() == *connection) {
            Some(peer) => {
                *pending = Some(id);
                let control =
                    Control::UnlinkId { id, from: process.pid().clone(), to: from.clone() };
                // Without acknowledgements on the wire, the unlink is done when it is sent.
                if (!peer.signal(control, None) || !peer.acknowledges_unlink())
                    && let Some(link) = relations.links.remove(from)
                {
                    link.ended(&peer);
                }
            }
            None => {
                relations.links.remove(from);
            }
        }
    }

    /// `LINK` came from a peer.
    pub(crate) fn link_from_peer(&self, peer: &Peer, from: Pid, to: Pid) {
        let linked = self.table().find(&to).is_some_and(|process| {
            let mut state = process.lock();
            if !state.is_alive() {
                return false;
            }
            // A record that waits for its acknowledgement must not come alive by a link the peer
            // sent before it saw the unlink.
            let fresh = Link::Remote { connection: peer.id(), unlink_id: None, counted: true };
            if let Entry::Vacant(place) = state.relate().links.entry(from.clone()) {
                place.insert(fresh);
                self.table().relates_to_peer(&process);
                self.count_relation(peer);
            }
            true
        });
        if !linked {
            let control = Control::PayloadExit { from: to, to: from, token: None };
            peer.signal(control, Some(ExitReason::Noproc.to_term()));
        }
    }

    /// `UNLINK_ID` came from a peer.
    pub(crate) fn unlink_from_peer(&self, peer: &Peer, id: u64, from: Pid, to: Pid) {
        let ack = Control::UnlinkIdAck { id, from: to.clone(), to: from.clone() };
        let Some(process) = self.table().find(&to) else {
            peer.signal(ack, None);
            return;
        };
        let mut state = process.lock();
        if let Some(relations) = state.relations_mut()
            && relations
                .links
                .get(&from)
                .is_some_and(|link| link.is_active() && link.is_over(peer.id()))
            && let Some(link) = relations.links.remove(&from)
        {
            link.ended(peer);
        }
        // Still under the lock: the process can't send another signal before this one.
        peer.signal(ack, None);
    }

    /// `UNLINK`, of a peer too old to want an acknowledgement.
    pub(crate) fn old_unlink_from_peer(&self, peer: &Peer, from: &Pid, to: &Pid) {
        if let Some(process) = self.table().find(to)
            && let Some(relations) = process.lock().relations_mut()
            && relations.links.get(from).is_some_and(|link| link.is_over(peer.id()))
            && let Some(link) = relations.links.remove(from)
        {
            link.ended(peer);
        }
    }

    /// `UNLINK_ID_ACK` came from a peer.
    pub(crate) fn unlink_ack_from_peer(&self, peer: &Peer, id: u64, from: &Pid, to: &Pid) {
        let Some(process) = self.table().find(to) else { return };
        let mut state = process.lock();
        let Some(relations) = state.relations_mut() else { return };
        if let Some(link @ Link::Remote { unlink_id: Some(pending), .. }) =
            relations.links.get(from)
            && *pending == id
            && link.is_over(peer.id())
            && let Some(link) = relations.links.remove(from)
        {
            link.ended(peer);
        }
    }
}

fn remove_local(state: &mut State, pid: &Pid) {
    if let Some(relations) = state.relations_mut() {
        relations.links.remove(pid);
    }
}

/// Runs with both states locked, the lower pid's first, so that two such calls can't wait for
/// each other. They must be two different processes.
fn with_both<T>(a: &Process, b: &Process, run: impl FnOnce(&mut State, &mut State) -> T) -> T {
    debug_assert!(a.pid() != b.pid(), "a process would wait for its own lock");
    if a.pid() < b.pid() {
        let mut first = a.lock();
        let mut second = b.lock();
        run(&mut first, &mut second)
    } else {
        let mut second = b.lock();
        let mut first = a.lock();
        run(&mut first, &mut second)
    }
}
