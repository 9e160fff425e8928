//! Monitors: who wants to learn of whose end.
//!
//! The watching process keeps what it monitors, the watched one who monitors it. A `'DOWN'` is
//! delivered only while the watcher still has its record, so a demonitor that crosses it wins.
// spec: erl_dist_protocol, "Control Message(s)": MONITOR_P, DEMONITOR_P, PAYLOAD_MONITOR_P_EXIT

use std::sync::Arc;

use erlang_dist::control::{Control, PidOrName};
use erlang_term::{Atom, Pid, Reference, Term};

use crate::ExitReason;
use crate::alias::AliasMode;
use crate::exit_reason::Arriving;
use crate::message::{Message, down_term};
use crate::net_kernel::Peer;
use crate::node::Node;
use crate::process::{Process, State};

/// What is monitored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MonitorTarget {
    /// A process.
    Pid(Pid),
    /// Whoever has this name on this node now.
    Name(Atom),
    /// Whoever has this name on a node when the monitor arrives there: `(name, node)`.
    NameNode(Atom, Atom),
}

/// What `demonitor` does beside taking the monitor back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DemonitorOptions {
    /// Also remove a `'DOWN'` of it from the mailbox.
    pub flush: bool,
}

impl DemonitorOptions {
    /// With `flush`.
    pub const FLUSH: Self = Self { flush: true };
}

/// A monitor as the watching process remembers it.
#[derive(Clone, Debug)]
pub(crate) struct Monitor {
    pub(crate) target: MonitorTarget,
    /// The watched process, or the connection it is behind.
    pub(crate) place: Place,
}

/// Where the watched process is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Local(Option<Pid>),
    Remote(u64),
}

/// A monitor as the watched process remembers it.
#[derive(Clone, Debug)]
pub(crate) struct Watcher {
    pub(crate) pid: Pid,
    /// The name by which it was asked for, which the answer must repeat.
    pub(crate) name: Option<Atom>,
    /// The connection the watcher is behind.
    pub(crate) connection: Option<u64>,
}

impl From<Pid> for MonitorTarget {
    fn from(pid: Pid) -> Self {
        Self::Pid(pid)
    }
}

impl From<&Pid> for MonitorTarget {
    fn from(pid: &Pid) -> Self {
        Self::Pid(pid.clone())
    }
}

impl From<Atom> for MonitorTarget {
    fn from(name: Atom) -> Self {
        Self::Name(name)
    }
}

impl From<(Atom, Atom)> for MonitorTarget {
    fn from((name, node): (Atom, Atom)) -> Self {
        Self::NameNode(name, node)
    }
}

impl MonitorTarget {
    pub(crate) fn node(&self) -> Option<&Atom> {
        match self {
            Self::Pid(pid) => Some(pid.node()),
            Self::Name(_) => None,
            Self::NameNode(_, node) => Some(node),
        }
    }

    pub(crate) fn on_wire(&self) -> PidOrName {
        match self {
            Self::Pid(pid) => PidOrName::Pid(pid.clone()),
            Self::Name(name) | Self::NameNode(name, _) => PidOrName::Name(name.clone()),
        }
    }
}

impl Node {
    /// The process element of a `'DOWN'`: a pid, or `{Name, Node}`.
    fn down_subject(&self, target: &MonitorTarget) -> Term {
        let named = |name: &Atom, node: &Atom| {
            Term::tuple([Term::Atom(name.clone()), Term::Atom(node.clone())])
        };
        match target {
            MonitorTarget::Pid(pid) => Term::Pid(pid.clone()),
            MonitorTarget::Name(name) => named(name, self.name()),
            MonitorTarget::NameNode(name, node) => named(name, node),
        }
    }

    pub(crate) async fn monitor(
        &self,
        process: &Arc<Process>,
        target: MonitorTarget,
        alias: Option<AliasMode>,
    ) -> Reference {
        let reference = self.references().of_process(process.pid());
        if let Some(mode) = alias {
            process.lock().relate().aliases.insert(reference.clone(), mode);
        }
        let remote = target.node().filter(|node| !self.is_own_name(node)).cloned();
        match remote {
            None => self.monitor_local(process, &reference, target),
            Some(node) => {
                let sent = match self.peer_for(&node).await {
                    Some(peer) => self.monitor_remote(process, &reference, &target, &peer),
                    None => false,
                };
                if !sent {
                    let place = Place::Remote(0);
                    self.record(process, &reference, Monitor { target, place });
                    self.fire(process, &reference, &ExitReason::Noconnection);
                }
            }
        }
        reference
    }

    fn monitor_remote(
        &self,
        process: &Process,
        reference: &Reference,
        target: &MonitorTarget,
        peer: &Peer,
    ) -> bool {
        let mut state = process.lock();
        if !state.is_alive() {
            return true;
        }
        let monitor = Monitor { target: target.clone(), place: Place::Remote(peer.id()) };
        state.relate().monitors.insert(reference.clone(), monitor);
        self.table().relates_to_peer(process);
        let control = Control::MonitorP {
            from: process.pid().clone(),
            to: target.on_wire(),
            reference: reference.clone(),
        };
        let sent = peer.signal(control, None);
        if !sent {
            state.relate().monitors.remove(reference);
        }
        sent
    }

    fn watch(&self, watched: &Process, reference: &Reference, watcher: Watcher) -> bool {
        let mut state = watched.lock();
        if !state.is_alive() {
            return false;
        }
        if watcher.connection.is_some() {
            self.table().relates_to_peer(watched);
        }
        state.relate().monitored_by.insert(reference.clone(), watcher);
        true
    }

    fn record(&self, process: &Process, reference: &Reference, monitor: Monitor) {
        process.lock().relate().monitors.insert(reference.clone(), monitor);
    }

    pub(crate) fn monitor_local(
        &self,
        process: &Arc<Process>,
        reference: &Reference,
        target: MonitorTarget,
    ) {
        let (watched, name) = match &target {
            MonitorTarget::Pid(pid) => (self.table().find(pid), None),
            MonitorTarget::Name(name) | MonitorTarget::NameNode(name, _) => {
                (self.registered_process(name), Some(name.clone()))
            }
        };
        let place = Place::Local(watched.as_ref().map(|watched| watched.pid().clone()));
        // Recorded first: the end of the watched process may be on its way at once.
        self.record(process, reference, Monitor { target, place });
        let watcher = Watcher { pid: process.pid().clone(), name, connection: None };
        if !watched.is_some_and(|watched| self.watch(&watched, reference, watcher)) {
            self.fire(process, reference, &ExitReason::Noproc);
        }
    }

    /// Delivers the `'DOWN'` of a monitor, if the process still has it.
    pub(crate) fn fire(&self, process: &Process, reference: &Reference, reason: &ExitReason) {
        self.fire_weighing(process, reference, reason, 0);
    }

    /// As [`Node::fire`], with a reason that holds about so many bytes of a peer.
    fn fire_weighing(
        &self,
        process: &Process,
        reference: &Reference,
        reason: &ExitReason,
        bytes: usize,
    ) {
        let mut state = process.lock();
        let Some(relations) = state.relations_mut() else { return };
        let Some(monitor) = relations.monitors.remove(reference) else { return };
        if relations.aliases.get(reference).is_some_and(|mode| mode.ends_with_monitor()) {
            relations.aliases.remove(reference);
        }
        let subject = self.down_subject(&monitor.target);
        let term = down_term(reference.clone(), subject, reason);
        process.deliver_locked(&mut state, Message::of_signal(term, bytes));
    }

    pub(crate) fn demonitor(&self, process: &Process, reference: &Reference) -> bool {
        let mut state = process.lock();
        let undone = self.demonitor_locked(process, &mut state, reference);
        drop(state);
        let found = undone.is_some();
        self.stop_watching(undone, reference);
        found
    }

    /// Takes the record away and tells a remote peer. What is to be done at a local watched
    /// process is returned, for a time when no lock is held.
    pub(crate) fn demonitor_locked(
        &self,
        process: &Process,
        state: &mut State,
        reference: &Reference,
    ) -> Option<Monitor> {
        let relations = state.relations_mut()?;
        if relations.aliases.get(reference).is_some_and(|mode| mode.ends_with_monitor()) {
            relations.aliases.remove(reference);
        }
        let monitor = relations.monitors.remove(reference)?;
        if let (Place::Remote(connection), Some(node)) = (&monitor.place, monitor.target.node())
            && let Some(peer) = self.connected_peer(node).filter(|peer| peer.id() == *connection)
        {
            peer.signal(
                Control::DemonitorP {
                    from: process.pid().clone(),
                    to: monitor.target.on_wire(),
                    reference: reference.clone(),
                },
                None,
            );
        }
        Some(monitor)
    }

    /// Takes the watcher out of the local process that it watched.
    pub(crate) fn stop_watching(&self, monitor: Option<Monitor>, reference: &Reference) {
        if let Some(Monitor { place: Place::Local(Some(pid)), .. }) = monitor
            && let Some(watched) = self.table().find(&pid)
            && let Some(relations) = watched.lock().relations_mut()
        {
            relations.monitored_by.remove(reference);
        }
    }

    /// `MONITOR_P` came from a peer.
    pub(crate) fn monitor_from_peer(
        &self,
        peer: &Peer,
        from: Pid,
        to: PidOrName,
        reference: Reference,
    ) {
        let (watched, name) = match &to {
            PidOrName::Pid(pid) => (self.table().find(pid), None),
            PidOrName::Name(name) => (self.registered_process(name), Some(name.clone())),
        };
        let watcher = Watcher { pid: from.clone(), name, connection: Some(peer.id()) };
        if watched.is_some_and(|watched| self.watch(&watched, &reference, watcher)) {
            self.count_relation(peer);
        } else {
            let control = Control::PayloadMonitorPExit { from: to, to: from, reference };
            peer.signal(control, Some(ExitReason::Noproc.to_term()));
        }
    }

    /// `DEMONITOR_P` came from a peer.
    pub(crate) fn demonitor_from_peer(&self, peer: &Peer, to: &PidOrName, reference: &Reference) {
        let watched = match to {
            PidOrName::Pid(pid) => self.table().find(pid),
            // The name may belong to another process by now, which then has no such watcher.
            PidOrName::Name(name) => self.registered_process(name),
        };
        let Some(watched) = watched else { return };
        let mut state = watched.lock();
        if let Some(relations) = state.relations_mut()
            && relations
                .monitored_by
                .get(reference)
                .is_some_and(|watcher| watcher.connection == Some(peer.id()))
        {
            relations.monitored_by.remove(reference);
            peer.relation_ended();
        }
    }

    /// `PAYLOAD_MONITOR_P_EXIT` came from a peer. Ignored unless the process monitors something
    /// behind this very connection by that reference.
    pub(crate) fn down_from_peer(
        &self,
        peer: &Peer,
        to: &Pid,
        reference: &Reference,
        why: &Arriving,
    ) {
        let Some(process) = self.table().find(to) else { return };
        let ours = process.lock().relations().is_some_and(|relations| {
            matches!(
                relations.monitors.get(reference),
                Some(Monitor { place: Place::Remote(connection), .. }) if *connection == peer.id()
            )
        });
        if ours {
            self.fire_weighing(&process, reference, &why.reason, why.bytes);
        }
    }
}
