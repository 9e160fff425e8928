//! `global_name_server` as a pure state machine, protocol version 8.
//!
//! When two nodes connect, each opens a *session*: it sends `init_connect` with a tag of its own,
//! and every later message of the session carries the receiver's tag, so that leftovers of an
//! earlier connection are recognised. The lockers of both nodes then take the lock
//! `{global, [LockerA, LockerB]}` on both halves of the cluster (`lock_set`); the name servers
//! `exchange` their names, agree on the differences (`resolved`), and tell the rest of their half
//! (`new_nodes`), which answers the newcomers with `in_sync`. Registration is simpler: the
//! registering process locks `global` everywhere, calls `register` everywhere, unlocks.
//!
//! Since names are only consistent in a full mesh, a lost connection is told to everybody
//! (`lost_connection`), who then part from the lost node too (`remove_connection`).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use erlang_term::{Atom, Pid, Term, atom};

use super::locks::{Locked, Locks, lock_id};
use super::names::{Named, Names, Operation};
use super::output::{LockerEvent, Output};
use super::session::Session;
use crate::gen_message::From;

/// The version of the protocol: that of OTP 25 to 28.
pub const PROTOCOL_VERSION: i64 = 8;
/// First version whose nodes check `init_connect_ack`.
pub(super) const VERIFY_CONNECT_VERSION: i64 = 8;
/// First version that prevents overlapping partitions and tells the versions of known nodes.
pub(super) const OVERLAP_VERSION: i64 = 7;

/// All that the name server knows. Methods take what happened and give what to do.
#[derive(Debug)]
pub struct State {
    pub(super) node: Atom,
    pub(super) creation: u32,
    pub(super) locker: Pid,
    /// Nodes whose names agree with ours, with their protocol version.
    pub(super) known: BTreeMap<Atom, i64>,
    pub(super) connections: BTreeMap<Atom, u64>,
    pub(super) sessions: HashMap<Atom, Session>,
    /// An `init_connect` that came before our own `nodeup`.
    pub(super) early: HashMap<Atom, Term>,
    /// Connected nodes that say their names agree with ours, while we don't know them.
    pub(super) claims: BTreeSet<Atom>,
    pub(super) synced: HashSet<Atom>,
    pub(super) names: Names,
    pub(super) locks: Locks,
    pub(super) lost: HashMap<(Atom, Atom), (Term, i64)>,
    next_tag: i64,
    pub(super) next_loss: i64,
}

impl State {
    /// The state of a node that has no connections yet. `locker` is the locker process.
    pub fn new(node: Atom, creation: u32, locker: Pid) -> Self {
        Self {
            node,
            creation,
            locker,
            known: BTreeMap::new(),
            connections: BTreeMap::new(),
            sessions: HashMap::new(),
            early: HashMap::new(),
            claims: BTreeSet::new(),
            synced: HashSet::new(),
            names: Names::default(),
            locks: Locks::default(),
            lost: HashMap::new(),
            next_tag: 1,
            next_loss: 1,
        }
    }

    /// Whose name it is: `global:whereis_name/1`.
    pub fn whereis(&self, name: &Term) -> Option<Pid> {
        self.names.find(name).map(|entry| entry.pid.clone())
    }

    /// All names: `global:registered_names/0`.
    pub fn registered_names(&self) -> Vec<Term> {
        self.names.all().into_iter().map(|named| named.name).collect()
    }

    /// The nodes whose names agree with ours.
    pub fn known(&self) -> Vec<Atom> {
        self.known.keys().cloned().collect()
    }

    /// Whether the names of that node agree with ours.
    pub(super) fn is_known(&self, node: &Atom) -> bool {
        self.known.contains_key(node)
    }

    /// Whether names were exchanged with that node since it connected.
    pub fn is_synced(&self, node: &Atom) -> bool {
        self.synced.contains(node)
    }

    /// Whether that requester could take a lock here.
    pub fn can_set_lock(&self, lock: &Term) -> bool {
        lock_id(lock).is_some_and(|(resource, requester)| self.locks.can_set(resource, requester))
    }

    /// Whether `global` itself is locked here.
    pub fn is_global_locked(&self) -> bool {
        self.locks.is_set(&Term::from(atom!("global")))
    }

    pub(super) fn fresh_tag(&mut self) -> i64 {
        let tag = self.next_tag;
        self.next_tag += 1;
        tag
    }

    /// A call. Every one is answered: a caller that hangs here hangs `global` on its node.
    pub fn call(&mut self, from: &From, request: &Term) -> Vec<Output> {
        let mut outputs = Vec::new();
        let reply = match request {
            Term::Atom(name) => self.ask(name.as_str()),
            Term::Tuple(elements) => self.command(from, elements, &mut outputs),
            _ => None,
        };
        let reply = reply.unwrap_or_else(|| {
            tracing::warn!(from = %from.pid(), "global: unexpected call");
            Term::from((atom!("error"), atom!("badarg")))
        });
        outputs.push(Output::Reply(from.clone(), reply));
        outputs
    }

    fn ask(&self, what: &str) -> Option<Term> {
        match what {
            "get_known" => Some(Term::list(self.known.keys())),
            "get_synced" => Some(Term::list(self.synced.iter())),
            "get_protocol_version" => Some(Term::from(PROTOCOL_VERSION)),
            "get_names_ext" => Some(Term::Nil),
            "registered_names" => Some(Term::list(self.registered_names())),
            "info" => Some(Term::from((
                atom!("state"),
                Term::list(self.known.keys()),
                Term::list(self.synced.iter()),
            ))),
            _ => None,
        }
    }

    fn command(
        &mut self,
        from: &From,
        request: &[Term],
        outputs: &mut Vec<Output>,
    ) -> Option<Term> {
        let [tag, arguments @ ..] = request else { return None };
        match (tag.as_atom()?.as_str(), arguments) {
            ("set_lock", [lock]) => Some(self.set_lock(from.pid(), lock, outputs)),
            ("del_lock", [lock]) => {
                self.delete_lock(from.pid(), lock, outputs);
                Some(Term::from(true))
            }
            ("register", [name, Term::Pid(pid), method]) => {
                let (name, pid, method) = (name.clone(), pid.clone(), method.clone());
                Some(self.register(from, Named { name, pid, method }, outputs))
            }
            // An external name is one of a C node; what counts is the process.
            ("register_ext", [name, Term::Pid(pid), method, _]) => {
                let (name, pid, method) = (name.clone(), pid.clone(), method.clone());
                Some(self.register(from, Named { name, pid, method }, outputs))
            }
            ("unregister", [name]) => {
                if self.may_change_names(from) {
                    self.delete_name(name, outputs);
                }
                Some(Term::from(atom!("ok")))
            }
            ("whereis", [name]) => Some(self.whereis_term(name)),
            _ => None,
        }
    }

    /// The pid, or `undefined`.
    pub fn whereis_term(&self, name: &Term) -> Term {
        self.whereis(name).map_or_else(|| Term::from(atom!("undefined")), Term::from)
    }

    fn set_lock(&mut self, pid: &Pid, lock: &Term, outputs: &mut Vec<Output>) -> Term {
        let Some((resource, requester)) = lock_id(lock) else { return Term::from(false) };
        match self.locks.set(resource, requester, pid) {
            Locked::New => {
                outputs.push(Output::Monitor(pid.clone()));
                Term::from(true)
            }
            Locked::Already => Term::from(true),
            Locked::Refused => Term::from(false),
        }
    }

    fn delete_lock(&mut self, pid: &Pid, lock: &Term, outputs: &mut Vec<Output>) {
        let Some((resource, requester)) = lock_id(lock) else { return };
        if self.locks.delete(resource, requester, pid) {
            outputs.push(Output::Demonitor(pid.clone()));
            self.settle_claims(outputs);
        }
    }

    fn register(&mut self, from: &From, named: Named, outputs: &mut Vec<Output>) -> Term {
        if !self.may_change_names(from) {
            return Term::from(atom!("yes"));
        }
        match self.insert_name(named, outputs) {
            Ok(()) => Term::from(atom!("yes")),
            Err(()) => Term::from(atom!("no")),
        }
    }

    /// Names are changed by nodes that agree with us. One that has lost us since it took the lock, or
    /// knows us from earlier, asks for what our half would not hear of; it is told, and we are, when
    /// names are exchanged.
    fn may_change_names(&self, from: &From) -> bool {
        let node = from.pid().node();
        *node == self.node || self.known.contains_key(node)
    }

    fn insert_name(&mut self, named: Named, outputs: &mut Vec<Output>) -> Result<(), ()> {
        let pid = named.pid.clone();
        let Ok(replaced) = self.names.insert(named) else {
            tracing::warn!("global: too many names, one is refused");
            return Err(());
        };
        outputs.push(Output::Monitor(pid));
        outputs.extend(replaced.map(Output::Demonitor));
        Ok(())
    }

    fn delete_name(&mut self, name: &Term, outputs: &mut Vec<Output>) {
        outputs.extend(self.names.remove(name).map(Output::Demonitor));
    }

    pub(super) fn apply(&mut self, operations: Vec<Operation>, outputs: &mut Vec<Output>) {
        // Inserts first: a name that was resolved against both sides is then gone for good.
        let (inserts, deletes): (Vec<_>, Vec<_>) =
            operations.into_iter().partition(|one| matches!(one, Operation::Insert(_)));
        for operation in inserts.into_iter().chain(deletes) {
            match operation {
                Operation::Insert(named) => {
                    let _refused = self.insert_name(named, outputs);
                }
                Operation::Delete(name) => self.delete_name(&name, outputs),
            }
        }
    }

    /// A process that has a name or a lock ended. Its monitors are spent.
    pub fn process_down(&mut self, pid: &Pid) -> Vec<Output> {
        let mut outputs = Vec::new();
        self.locks.delete_process(pid);
        self.names.remove_process(pid);
        self.settle_claims(&mut outputs);
        outputs
    }

    /// A node connected, visibly to both.
    pub fn nodeup(&mut self, node: &Atom, connection: u64) -> Vec<Output> {
        let mut outputs = Vec::new();
        self.connections.insert(node.clone(), connection);
        self.open_session(node, &mut outputs);
        outputs
    }

    /// A connection was lost.
    pub fn nodedown(&mut self, node: &Atom) -> Vec<Output> {
        let mut outputs = Vec::new();
        self.inform_connection_loss(node, &mut outputs);
        self.forget(node, &mut outputs);
        // A monitor that was set while the connection broke may be one of the next connection, and
        // who held the lock does not let go of what it thinks lost.
        outputs.extend(self.locks.delete_node(node).into_iter().map(Output::Demonitor));
        self.connections.remove(node);
        self.early.remove(node);
        self.settle_claims(&mut outputs);
        outputs
    }

    /// A node that others know could not be reached.
    pub fn extra_nodedown(&mut self, node: &Atom) -> Vec<Output> {
        if self.connections.contains_key(node) {
            return Vec::new();
        }
        tracing::warn!(%node, "global: a node that others know can't be reached");
        self.nodedown(node)
    }

    /// Drops what is known of a node and any session with it.
    pub(super) fn forget(&mut self, node: &Atom, outputs: &mut Vec<Output>) {
        self.close_session(node, outputs);
        self.disown(node, outputs);
    }

    /// Ends the agreement with a node, if there is one. The names of its processes go with it: others
    /// that lost the node have dropped them, and who kept them because the node came back in time for
    /// the monitors would tell nobody of them.
    pub(super) fn disown(&mut self, node: &Atom, outputs: &mut Vec<Output>) {
        outputs.extend(self.names.remove_node(node).into_iter().map(Output::Demonitor));
        self.known.remove(node);
        self.synced.remove(node);
        self.claims.remove(node);
    }

    pub(super) fn close_session(&mut self, node: &Atom, outputs: &mut Vec<Output>) {
        let Some(session) = self.sessions.remove(node) else { return };
        if session.pending
            && let Some(his) = &session.his
        {
            let message = Term::from((atom!("cancel_connect"), &self.node, &his.tag));
            outputs.push(Output::Send(node.clone(), message));
        }
        let cancel = LockerEvent::Cancel { node: node.clone(), casts: Vec::new() };
        outputs.push(Output::Locker(cancel));
    }

    /// A cast or plain message. `false`: it is none of the protocol's.
    pub fn message(&mut self, message: &Term) -> (bool, Vec<Output>) {
        let mut outputs = Vec::new();
        let understood = self.handle(message, &mut outputs).is_some();
        (understood, outputs)
    }

    fn handle(&mut self, message: &Term, outputs: &mut Vec<Output>) -> Option<()> {
        let [tag, arguments @ ..] = message.as_tuple()? else { return None };
        let tag = tag.as_atom()?;
        match (tag.as_str(), arguments) {
            ("init_connect", [version, Term::Atom(node), init]) => {
                self.init_connect(version, node, init, outputs)
            }
            ("init_connect_ack", [Term::Atom(node), my_tag, his_tag]) => {
                self.init_connect_ack(node, my_tag, his_tag, outputs);
                Some(())
            }
            ("cancel_connect", [Term::Atom(node), my_tag]) => {
                self.cancel_connect(node, my_tag, outputs);
                Some(())
            }
            ("lock_set", [Term::Pid(locker), set, _known, my_tag]) => {
                self.lock_set(locker, set.as_bool()?, Some(my_tag), outputs);
                Some(())
            }
            ("lock_set", [Term::Pid(locker), set, _known]) => {
                self.lock_set(locker, set.as_bool()?, None, outputs);
                Some(())
            }
            ("exchange", [Term::Atom(node), names, _external, my_tag]) => {
                self.exchange(node, names, my_tag, outputs);
                Some(())
            }
            ("resolved", [Term::Atom(node), operations, known, _unused, _external, my_tag]) => {
                self.resolved(node, operations, known, my_tag, outputs);
                Some(())
            }
            ("new_nodes", [Term::Atom(_), operations, _external, nodes, _extra]) => {
                self.new_nodes(operations, nodes, outputs);
                Some(())
            }
            ("in_sync", [Term::Atom(node), _known]) => {
                self.in_sync(node, outputs);
                Some(())
            }
            ("lost_connection", [Term::Atom(by), creation, operation, Term::Atom(lost)]) => {
                self.lost_connection(message, by, creation, operation.as_integer()?, lost, outputs);
                Some(())
            }
            ("remove_connection", [Term::Atom(node)]) => {
                self.remove_connection(node, outputs);
                Some(())
            }
            // Sent by releases before R14; the monitors do their work.
            ("async_del_name" | "async_del_lock", [_, _]) => Some(()),
            _ => None,
        }
    }
}
