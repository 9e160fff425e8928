//! What an audit wants to know: who joined, who was refused and why, who called what.

use std::fmt;

use erlang_term::Atom;

use crate::error::{ConnectError, DownReason};
use crate::node::Node;
use crate::origin::{Origin, OverBudget};

/// Takes the events of a node down. Called in the midst of things, so it must not wait.
pub trait Auditor: fmt::Debug + Send + Sync {
    /// Something happened.
    fn record(&self, event: &AuditEvent<'_>);
}

/// Who dialed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The peer dialed us.
    In,
    /// We dialed the peer.
    Out,
}

impl Direction {
    /// `in` or `out`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// The far end of a connection, as far as it is known.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Party<'a> {
    /// Its name; a claim until it has joined.
    pub node: Option<&'a Atom>,
    /// Its address with the port.
    pub address: &'a str,
    /// What its verified certificate is for.
    pub certificates: &'a [String],
    /// Who dialed.
    pub direction: Direction,
}

/// One event. Nothing in it is secret.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum AuditEvent<'a> {
    /// A peer has proven that it knows the cookie, and is connected.
    Joined(Party<'a>),
    /// A peer that dialed us was not let in.
    Refused(Party<'a>, &'a ConnectError),
    /// More dials come from an address than it may have, since its handshakes fail; said once in a
    /// row.
    CutOff {
        /// The address with the port.
        address: &'a str,
    },
    /// A connection has ended.
    Left {
        /// Whose.
        node: &'a Atom,
        /// Why.
        reason: &'a DownReason,
    },
    /// A peer has called a function that the policy wants to know of.
    Called {
        /// The peer.
        by: &'a Atom,
        /// The module.
        module: &'a Atom,
        /// The function.
        function: &'a Atom,
        /// How many arguments.
        arity: usize,
        /// Whether it was allowed.
        allowed: bool,
    },
    /// A peer has used up a budget; said once in a row.
    OverBudget {
        /// The peer.
        by: &'a Atom,
        /// Which budget.
        what: &'static str,
        /// Its size.
        max: u64,
    },
}

impl Node {
    /// Hands an event to the auditor, if there is one.
    pub fn audit(&self, event: &AuditEvent<'_>) {
        if let Some(auditor) = &self.config().auditor {
            auditor.record(event);
        }
    }

    /// Says in the log and to the auditor that a peer has used up a budget: once in a row.
    pub fn tell_over_budget(&self, origin: &Origin, over: OverBudget) {
        if over.first {
            let OverBudget { what, max, .. } = over;
            let by = origin.node();
            tracing::warn!(peer = %by, what, max, "a peer has used up its budget");
            self.audit(&AuditEvent::OverBudget { by, what, max: max as u64 });
        }
    }
}
