//! Exit signals, and what the end of a process or of a connection sets off.

use std::collections::HashMap;
use std::sync::Arc;

use erlang_dist::ConnectionError;
use erlang_dist::control::{Control, PidOrName};
use erlang_term::{Pid, Reference};

use crate::ExitReason;
use crate::error::DownReason;
use crate::exit_reason::Arriving;
use crate::link::Link;
use crate::message::{Message, exit_term};
use crate::monitor::{Place, Watcher};
use crate::net_kernel::Peer;
use crate::node::Node;
use crate::process::{Phase, Process, Relations, State};

impl Node {
    /// An exit signal of a link that broke, or of one that could not be made.
    pub(crate) fn exit_signal(&self, process: &Process, from: &Pid, reason: ExitReason) {
        let mut state = process.lock();
        arrive(process, &mut state, from, reason.into());
    }

    /// The other end of a link has ended: delivered only while the link is active. Returns the link
    /// that was removed, if there was one.
    fn link_broken(
        &self,
        process: &Process,
        from: &Pid,
        why: Arriving,
        via: impl Fn(&Link) -> bool,
    ) -> Option<Link> {
        let mut state = process.lock();
        let relations = state.relations_mut()?;
        if !relations.links.get(from).is_some_and(&via) {
            return None;
        }
        let link = relations.links.remove(from)?;
        if link.is_active() {
            arrive(process, &mut state, from, why);
        }
        Some(link)
    }

    /// `exit/2`, to anywhere.
    pub(crate) async fn exit_from(&self, from: &Pid, to: &Pid, reason: ExitReason) {
        if self.is_own_name(to.node()) {
            self.exit_local(from, to, reason);
        } else if let Some(peer) = self.peer_for(to.node()).await
            && peer.may_send().await
        {
            peer.signal(
                Control::PayloadExit2 { from: from.clone(), to: to.clone(), token: None },
                Some(reason.to_term()),
            );
        }
    }

    /// `exit/2` to a process of this node.
    pub(crate) fn exit_local(&self, from: &Pid, to: &Pid, why: impl Into<Arriving>) {
        let Some(process) = self.table().find(to) else { return };
        let why = why.into();
        let mut state = process.lock();
        if why.reason == ExitReason::Kill {
            process.request_exit(&mut state, ExitReason::Killed);
        } else if why.reason == ExitReason::Normal && from == to && !state.trap_exit {
            process.request_exit(&mut state, why.reason);
        } else {
            arrive(&process, &mut state, from, why);
        }
    }

    /// `PAYLOAD_EXIT` came from a peer.
    pub(crate) fn link_exit_from_peer(&self, peer: &Peer, from: &Pid, to: &Pid, why: Arriving) {
        let Some(process) = self.table().find(to) else { return };
        if let Some(link) = self.link_broken(&process, from, why, |link| link.is_over(peer.id())) {
            link.ended(peer);
        }
    }

    /// Ends a process for good and tells all who are related to it.
    pub(crate) fn finish_process(&self, process: &Arc<Process>, reason: &ExitReason) {
        let (relations, inbox) = {
            let mut state = process.lock();
            state.phase = Phase::Dead;
            state.receiver = None;
            (state.take_relations(), std::mem::take(&mut state.inbox))
        };
        drop(inbox);
        if let Some(relations) = relations {
            if let Some(name) = &relations.name {
                self.registry().remove(name, process.pid());
            }
            self.table().remove(process.pid());
            self.tell_related(process, *relations, reason);
        } else {
            self.table().remove(process.pid());
        }
        self.process_ended(process.pid());
    }

    fn tell_related(&self, process: &Process, relations: Relations, reason: &ExitReason) {
        let pid = process.pid();
        for (other, link) in in_order(relations.links) {
            match link {
                Link::Local => {
                    if let Some(linked) = self.table().find(&other) {
                        let local = |link: &Link| *link == Link::Local;
                        self.link_broken(&linked, pid, reason.clone().into(), local);
                    }
                }
                Link::Remote { connection, .. } => {
                    let Some(peer) = self.peer_of_connection(other.node(), connection) else {
                        continue;
                    };
                    link.ended(&peer);
                    if link.is_active() {
                        peer.signal(
                            Control::PayloadExit { from: pid.clone(), to: other, token: None },
                            Some(reason.to_term()),
                        );
                    }
                }
            }
        }
        for (reference, watcher) in in_order(relations.monitored_by) {
            self.tell_watcher(pid, reference, watcher, reason);
        }
        for (reference, monitor) in in_order(relations.monitors) {
            if let Place::Remote(connection) = monitor.place {
                self.demonitor_at_peer(pid, &reference, &monitor.target, connection);
            } else {
                self.stop_watching(Some(monitor), &reference);
            }
        }
    }

    fn tell_watcher(&self, pid: &Pid, reference: Reference, watcher: Watcher, why: &ExitReason) {
        let Some(connection) = watcher.connection else {
            if let Some(process) = self.table().find(&watcher.pid) {
                self.fire(&process, &reference, why);
            }
            return;
        };
        if let Some(peer) = self.peer_of_connection(watcher.pid.node(), connection) {
            peer.relation_ended();
            let from = watcher.name.map_or_else(|| PidOrName::Pid(pid.clone()), PidOrName::Name);
            let control = Control::PayloadMonitorPExit { from, to: watcher.pid, reference };
            peer.signal_of(pid, control, Some(why.to_term()));
        }
    }

    /// An exit signal to whoever an active alias belongs to.
    pub(crate) fn exit_by_alias(&self, from: &Pid, alias: &Reference, why: Arriving) {
        let Some(process) = self.alias_owner(alias) else { return };
        let active = process
            .lock()
            .relations()
            .is_some_and(|relations| relations.aliases.contains_key(alias));
        if active {
            self.exit_local(from, process.pid(), why);
        }
    }

    /// Books a link or monitor that a peer has set up here, and gives up a peer that holds more
    /// than any program needs.
    pub(crate) fn count_relation(&self, peer: &Peer) {
        let max = self.config().peer_relations_max;
        let got = peer.relation_added();
        if got > max {
            peer.close(DownReason::Protocol(ConnectionError::Limit {
                what: "links and monitors of a peer",
                max: max as u64,
                got: got as u64,
            }));
        }
    }

    /// A connection is gone: everything that hung on it ends with `noconnection`.
    pub(crate) fn connection_lost(&self, peer: &Peer) {
        let mut processes = self.table().with_peers();
        processes.sort_unstable_by(|one, other| one.pid().cmp(other.pid()));
        for process in processes {
            self.forget_connection(&process, peer.id());
        }
    }

    fn forget_connection(&self, process: &Process, id: u64) {
        let mut links = Vec::new();
        let mut monitors = Vec::new();
        let mut spawning = Vec::new();
        {
            let mut state = process.lock();
            let Some(relations) = state.relations_mut() else { return };
            relations.monitored_by.retain(|_, watcher| watcher.connection != Some(id));
            for (other, link) in &relations.links {
                if link.is_over(id) {
                    links.push(other.clone());
                }
            }
            for (reference, monitor) in &relations.monitors {
                if matches!(monitor.place, Place::Remote(connection) if connection == id) {
                    monitors.push(reference.clone());
                }
            }
            for (reference, request) in &relations.spawning {
                if request.connection == id {
                    spawning.push(reference.clone());
                }
            }
        }
        links.sort_unstable();
        monitors.sort_unstable();
        spawning.sort_unstable();
        for other in links {
            let why = ExitReason::Noconnection.into();
            self.link_broken(process, &other, why, |link| link.is_over(id));
        }
        for reference in spawning {
            self.spawn_request_lost(process, &reference);
        }
        for reference in monitors {
            self.fire(process, &reference, &ExitReason::Noconnection);
        }
    }
}

/// What is related to a process, in an order that the same events always give again.
fn in_order<K: Ord, V>(relations: HashMap<K, V>) -> Vec<(K, V)> {
    let mut all: Vec<(K, V)> = relations.into_iter().collect();
    all.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    all
}

/// An exit signal arrives: a message when trapped, nothing when `normal`, else the end.
fn arrive(process: &Process, state: &mut State, from: &Pid, why: Arriving) {
    let Arriving { reason, bytes } = why;
    if state.trap_exit {
        let message = Message::of_signal(exit_term(from.clone(), &reason), bytes);
        process.deliver_locked(state, message);
    } else if reason != ExitReason::Normal {
        process.request_exit(state, reason);
    }
}
