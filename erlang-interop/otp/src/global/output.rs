//! What the state machine of `global` asks the processes around it to do.

use erlang_term::{Atom, Pid, Term};

use super::names::{Clash, Operation};
use crate::gen_message::From;

/// One thing to do, in the order given.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Output {
    /// `gen_server:cast({global_name_server, Node}, Message)`, if the node is connected.
    Cast(Atom, Term),
    /// `{global_name_server, Node} ! Message`, if the node is connected.
    Send(Atom, Term),
    /// Answer a call.
    Reply(From, Term),
    /// Watch a process; its end goes to [`super::state::State::process_down`]. Counted: as many
    /// [`Output::Demonitor`] end it.
    Monitor(Pid),
    /// Take back one [`Output::Monitor`].
    Demonitor(Pid),
    /// Tell the locker.
    Locker(LockerEvent),
    /// Names clash and the processes must be asked which one stays. The answer goes to
    /// [`super::state::State::resolved_here`].
    Resolve(Resolve),
    /// A node that a peer knows: connect to it and cast it `{in_sync, Us, true}`, or report it to
    /// [`super::state::State::extra_nodedown`].
    SyncOther(Atom),
    /// Break the connection.
    Disconnect(Atom),
    /// Our names and those of this node agree now.
    Synced(Atom),
}

/// Names to be resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolve {
    /// The node that has the other claims.
    pub node: Atom,
    /// The session, to be handed back.
    pub tag: i64,
    /// What is decided already.
    pub operations: Vec<Operation>,
    /// What isn't.
    pub clashes: Vec<Clash>,
}

/// What the locker is told.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LockerEvent {
    /// A connect has begun on both sides: lock together with that locker.
    Connect {
        /// The other node.
        node: Atom,
        /// Its locker.
        locker: Pid,
        /// What the other side must be sent in `lock_set`.
        his_tag: Term,
        /// Our name for the session.
        my_tag: i64,
    },
    /// The other side's locker tried to take the lock.
    LockSet {
        /// Its pid.
        locker: Pid,
        /// Whether it could.
        set: bool,
    },
    /// The session is over: let go, after casting these messages to other name servers.
    Cancel {
        /// The other node.
        node: Atom,
        /// `{new_nodes, …}` for the part of the cluster we knew before.
        casts: Vec<(Atom, Term)>,
    },
}
