//! The sessions of `global`: what happens from the connect of two nodes until their names agree.

use erlang_term::{Atom, Pid, Term, atom};

use super::names::{Clash, Named, Operation};
use super::output::{LockerEvent, Output, Resolve};
use super::state::{OVERLAP_VERSION, PROTOCOL_VERSION, State, VERIFY_CONNECT_VERSION};
use crate::limits::{GLOBAL_KNOWN_MAX, GLOBAL_NAMES_MAX};

/// A connect that is under way.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) my_tag: i64,
    /// What the other side's `init_connect` said.
    pub(super) his: Option<His>,
    /// Acknowledged and not finished: an end of the session is told to the other side.
    pub(super) pending: bool,
    lock: Option<Term>,
    exchanged: Option<Vec<Named>>,
    /// Our own result, once it is there.
    operations: Option<Vec<Operation>>,
    /// His result, if it came before ours.
    resolved: Option<HisResult>,
}

/// His operations, and the nodes he knows with their versions.
type HisResult = (Vec<Operation>, Vec<(Atom, i64)>);

/// The other side of a session.
#[derive(Debug)]
pub(super) struct His {
    pub(super) version: i64,
    pub(super) tag: Term,
}

impl Session {
    fn new(my_tag: i64) -> Self {
        Self {
            my_tag,
            his: None,
            pending: false,
            lock: None,
            exchanged: None,
            operations: None,
            resolved: None,
        }
    }
}

impl State {
    pub(super) fn open_session(&mut self, node: &Atom, outputs: &mut Vec<Output>) {
        if self.known.contains_key(node) || self.sessions.contains_key(node) {
            return;
        }
        let my_tag = self.fresh_tag();
        self.sessions.insert(node.clone(), Session::new(my_tag));
        self.ask_to_begin(node, my_tag, outputs);
        if let Some(early) = self.early.remove(node) {
            outputs.extend(self.message(&early).1);
        }
    }

    fn ask_to_begin(&self, node: &Atom, my_tag: i64, outputs: &mut Vec<Output>) {
        let connections = self
            .connections
            .iter()
            .map(|(node, id)| (Term::from((atom!("connection_id"), node)), Term::from(*id as i64)));
        let known = self.known.iter().map(|(node, version)| (node.into(), Term::from(*version)));
        let map = Term::map(connections.chain(known));
        let locker = (atom!("locker"), atom!("no_longer_a_pid"), map, &self.locker);
        let version = (PROTOCOL_VERSION, my_tag);
        let message = Term::from((atom!("init_connect"), version, &self.node, locker));
        outputs.push(Output::Cast(node.clone(), message));
    }

    /// Begins anew, and says so twice: a node that knows us does not answer the first time.
    fn insist(&mut self, node: &Atom, outputs: &mut Vec<Output>) {
        self.restart(node, outputs);
        if let Some(my_tag) = self.sessions.get(node).map(|session| session.my_tag) {
            self.ask_to_begin(node, my_tag, outputs);
        }
    }

    /// `{init_connect, {Version, HisTag}, Node, {locker, _, HisKnown, HisLocker}}`.
    pub(super) fn init_connect(
        &mut self,
        version: &Term,
        node: &Atom,
        init: &Term,
        outputs: &mut Vec<Output>,
    ) -> Option<()> {
        let [his_version, his_tag, ..] = version.as_tuple()? else { return None };
        let his_version = his_version.as_integer()?;
        let [_, _, _, Term::Pid(locker)] = init.as_tuple()? else { return None };
        if self.sessions.get(node).is_some_and(|session| session.pending) {
            // He starts again while we think we are at it: both give up and begin anew.
            let message = Term::from((atom!("cancel_connect"), &self.node, his_tag));
            outputs.push(Output::Send(node.clone(), message));
            self.disown(node, outputs);
            self.restart(node, outputs);
            return Some(());
        }
        let Some(session) = self.sessions.get_mut(node) else {
            let message = Term::from((atom!("init_connect"), version, node, init));
            self.came_early(node, message, outputs);
            return Some(());
        };
        session.his = Some(His { version: his_version, tag: his_tag.clone() });
        session.pending = true;
        let my_tag = session.my_tag;
        outputs.push(Output::Locker(LockerEvent::Connect {
            node: node.clone(),
            locker: locker.clone(),
            his_tag: his_tag.clone(),
            my_tag,
        }));
        if his_version >= VERIFY_CONNECT_VERSION {
            let message = (atom!("init_connect_ack"), &self.node, his_tag, my_tag);
            outputs.push(Output::Send(node.clone(), Term::from(message)));
        }
        Some(())
    }

    /// An `init_connect` without a session of ours.
    fn came_early(&mut self, node: &Atom, message: Term, outputs: &mut Vec<Output>) {
        if self.early.len() >= GLOBAL_KNOWN_MAX && !self.early.contains_key(node) {
            return;
        }
        let insists = self.early.insert(node.clone(), message.clone()) == Some(message);
        if !self.connections.contains_key(node) {
            // It waits for our `nodeup`.
            return;
        }
        if insists {
            // It has been told that we agree, and does not know us: it has lost us since.
            self.forget(node, outputs);
        }
        self.open_session(node, outputs);
    }

    pub(super) fn init_connect_ack(
        &mut self,
        node: &Atom,
        my_tag: &Term,
        his_tag: &Term,
        outputs: &mut Vec<Output>,
    ) {
        // An answer to an attempt that we have given up: our next one is on its way already, and to
        // start once more for each such answer would let both sides start over without end.
        let Some(session) = self.mine(node, my_tag) else { return };
        let agrees = session.his.as_ref().is_some_and(|his| his.tag == *his_tag);
        if !agrees {
            let message = Term::from((atom!("cancel_connect"), &self.node, his_tag));
            outputs.push(Output::Send(node.clone(), message));
            self.restart(node, outputs);
        }
    }

    pub(super) fn cancel_connect(&mut self, node: &Atom, my_tag: &Term, outputs: &mut Vec<Output>) {
        if self.mine(node, my_tag).is_some() {
            self.restart(node, outputs);
        }
    }

    fn restart(&mut self, node: &Atom, outputs: &mut Vec<Output>) {
        if let Some(session) = self.sessions.get_mut(node) {
            // The other side knows already.
            session.pending = false;
        }
        self.close_session(node, outputs);
        if self.connections.contains_key(node) {
            self.open_session(node, outputs);
        }
    }

    /// The session with a node, if the tag is that of the one going on.
    fn mine(&mut self, node: &Atom, tag: &Term) -> Option<&mut Session> {
        let tag = tag.as_integer()?;
        self.sessions.get_mut(node).filter(|session| session.my_tag == tag)
    }

    pub(super) fn lock_set(
        &mut self,
        locker: &Pid,
        set: bool,
        my_tag: Option<&Term>,
        outputs: &mut Vec<Output>,
    ) {
        let current = my_tag.is_none_or(|tag| self.mine(locker.node(), tag).is_some());
        if current {
            let locker = locker.clone();
            outputs.push(Output::Locker(LockerEvent::LockSet { locker, set }));
        }
    }

    /// The locker has the lock on both sides: names may be exchanged.
    pub fn lock_is_set(&mut self, node: &Atom, my_tag: i64, lock: Term) -> Vec<Output> {
        let mut outputs = Vec::new();
        let names = Term::list(self.names.all().iter().map(Named::to_term));
        let own = self.node.clone();
        let Some(session) = self.mine(node, &Term::from(my_tag)) else {
            let cancel = LockerEvent::Cancel { node: node.clone(), casts: Vec::new() };
            return vec![Output::Locker(cancel)];
        };
        session.lock = Some(lock);
        let his_tag = session.his.as_ref().map_or(Term::Nil, |his| his.tag.clone());
        let exchange = Term::from((atom!("exchange"), own, names, Term::Nil, his_tag));
        outputs.push(Output::Cast(node.clone(), exchange));
        if let Some(theirs) = session.exchanged.take() {
            self.compare(node, my_tag, theirs, &mut outputs);
        }
        outputs
    }

    pub(super) fn exchange(
        &mut self,
        node: &Atom,
        names: &Term,
        my_tag: &Term,
        outputs: &mut Vec<Output>,
    ) {
        let Some(session) = self.mine(node, my_tag) else { return };
        let theirs: Vec<Named> = names
            .list_iter()
            .into_iter()
            .flatten()
            .filter_map(|term| Named::read(&term))
            .take(GLOBAL_NAMES_MAX)
            .collect();
        if session.lock.is_some() {
            let my_tag = session.my_tag;
            self.compare(node, my_tag, theirs, outputs);
        } else {
            session.exchanged = Some(theirs);
        }
    }

    /// Compares his names with ours. New ones are taken; for a clash, the node whose name is lower
    /// in term order decides for both.
    fn compare(&mut self, node: &Atom, tag: i64, theirs: Vec<Named>, outputs: &mut Vec<Output>) {
        let (mut operations, mut clashes) = (Vec::new(), Vec::new());
        for theirs in theirs {
            match self.names.find(&theirs.name) {
                None => operations.push(Operation::Insert(theirs)),
                Some(entry) if entry.pid == theirs.pid => {}
                Some(entry) if self.node < *node => {
                    let ours = Named {
                        name: theirs.name.clone(),
                        pid: entry.pid.clone(),
                        method: entry.method.clone(),
                    };
                    clashes.push(Clash { theirs, ours });
                }
                Some(_) => {}
            }
        }
        if clashes.is_empty() {
            outputs.extend(self.resolved_here(node, tag, operations, &[]));
        } else {
            let node = node.clone();
            outputs.push(Output::Resolve(Resolve { node, tag, operations, clashes }));
        }
    }

    /// Our side has decided: `operations` are for us to make, `his` for the other side.
    pub fn resolved_here(
        &mut self,
        node: &Atom,
        tag: i64,
        operations: Vec<Operation>,
        his: &[Operation],
    ) -> Vec<Output> {
        let mut outputs = Vec::new();
        let (own, known) = (self.node.clone(), self.known.clone());
        let Some(session) = self.mine(node, &Term::from(tag)) else { return outputs };
        let Some(other) = &session.his else { return outputs };
        let known = Term::list(known.iter().map(|(node, version)| {
            if other.version >= OVERLAP_VERSION {
                Term::from((node, *version))
            } else {
                Term::from(node)
            }
        }));
        let his = Term::list(his.iter().map(Operation::to_term));
        let message = (atom!("resolved"), own, his, known, atom!("unused"), Term::Nil, &other.tag);
        outputs.push(Output::Cast(node.clone(), Term::from(message)));
        session.operations = Some(operations);
        if session.resolved.is_some() {
            self.finish(node, &mut outputs);
        }
        outputs
    }

    pub(super) fn resolved(
        &mut self,
        node: &Atom,
        operations: &Term,
        known: &Term,
        my_tag: &Term,
        outputs: &mut Vec<Output>,
    ) {
        let Some(session) = self.mine(node, my_tag) else { return };
        session.resolved = Some((Operation::read_all(operations), nodes(known)));
        if session.operations.is_some() {
            self.finish(node, outputs);
        }
    }

    /// Both results are there: the names change, and our half of the cluster is told.
    fn finish(&mut self, node: &Atom, outputs: &mut Vec<Output>) {
        let Some(session) = self.sessions.remove(node) else { return };
        let (his_operations, his_known) = session.resolved.unwrap_or_default();
        let mut operations = session.operations.unwrap_or_default();
        operations.extend(his_operations);
        let version = session.his.map_or(PROTOCOL_VERSION, |his| his.version);
        let mut new_nodes = vec![(node.clone(), version)];
        new_nodes.extend(his_known.into_iter().filter(|(name, _)| *name != self.node));
        for (other, _) in &new_nodes[1..] {
            outputs.push(Output::SyncOther(other.clone()));
            self.close_session(other, outputs);
        }
        let casts = self.new_nodes_casts(&operations, &new_nodes, version, session.lock);
        self.apply(operations, outputs);
        let cancel = LockerEvent::Cancel { node: node.clone(), casts };
        outputs.push(Output::Locker(cancel));
        for (other, version) in new_nodes {
            self.known.entry(other).or_insert(version);
        }
        self.synced.insert(node.clone());
        outputs.push(Output::Synced(node.clone()));
    }

    /// `{new_nodes, Us, Operations, [], Nodes, [{vsn, V}, {lock, Lock}]}` for all we knew before.
    fn new_nodes_casts(
        &self,
        operations: &[Operation],
        nodes: &[(Atom, i64)],
        version: i64,
        lock: Option<Term>,
    ) -> Vec<(Atom, Term)> {
        let operations = Term::list(operations.iter().map(Operation::to_term));
        let lock = lock.unwrap_or_else(|| Term::from(atom!("undefined")));
        let extra =
            Term::list([Term::from((atom!("vsn"), version)), Term::from((atom!("lock"), lock))]);
        let message = |nodes: Term| {
            let (own, operations, extra) = (&self.node, operations.clone(), extra.clone());
            Term::from((atom!("new_nodes"), own, operations, Term::Nil, nodes, extra))
        };
        let with_versions = message(Term::list(nodes.iter().map(|(node, v)| (node, *v))));
        let plain = message(Term::list(nodes.iter().map(|(node, _)| node)));
        self.known
            .iter()
            .map(|(node, version)| {
                let message = if *version >= OVERLAP_VERSION { &with_versions } else { &plain };
                (node.clone(), message.clone())
            })
            .collect()
    }

    pub(super) fn new_nodes(&mut self, operations: &Term, new: &Term, outputs: &mut Vec<Output>) {
        for (node, version) in nodes(new) {
            if node == self.node || self.known.contains_key(&node) {
                continue;
            }
            outputs.push(Output::SyncOther(node.clone()));
            self.known.insert(node, version);
        }
        self.apply(Operation::read_all(operations), outputs);
    }

    pub(super) fn in_sync(&mut self, node: &Atom, outputs: &mut Vec<Output>) {
        if self.known.contains_key(node) || !self.connections.contains_key(node) {
            if let Some(session) = self.sessions.get_mut(node) {
                // The other side has finished by another way; it needs no cancel.
                session.pending = false;
            }
            self.close_session(node, outputs);
        } else {
            self.claims.insert(node.clone());
        }
        self.synced.insert(node.clone());
        outputs.push(Output::Synced(node.clone()));
        self.settle_claims(outputs);
    }

    /// Nodes that say they agree with us while we don't know them: somebody told them of us, and
    /// nobody us of them. While `global` is locked here that may still come. If it did not, we have
    /// lost them, or who would have told us, since.
    pub(super) fn settle_claims(&mut self, outputs: &mut Vec<Output>) {
        if self.claims.is_empty() || self.is_global_locked() {
            return;
        }
        for node in std::mem::take(&mut self.claims) {
            self.insist(&node, outputs);
        }
    }

    /// The other side's locker has not answered for so long that it has no such session.
    pub fn stalled(&mut self, node: &Atom, my_tag: i64) -> Vec<Output> {
        let mut outputs = Vec::new();
        if self.mine(node, &Term::from(my_tag)).is_some() {
            tracing::info!(%node, "global: no answer, begins anew");
            self.insist(node, &mut outputs);
        }
        outputs
    }
}

/// `[Node | {Node, Version}]`.
fn nodes(list: &Term) -> Vec<(Atom, i64)> {
    let read = |term: Term| match &term {
        Term::Atom(node) => Some((node.clone(), OVERLAP_VERSION - 1)),
        Term::Tuple(pair) => match &pair[..] {
            [Term::Atom(node), version] => Some((node.clone(), version.as_integer()?)),
            _ => None,
        },
        _ => None,
    };
    list.list_iter().into_iter().flatten().filter_map(read).take(GLOBAL_KNOWN_MAX).collect()
}
