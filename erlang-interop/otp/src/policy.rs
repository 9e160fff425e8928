//! Which functions a peer may call: asked in one place, for every way in.

use std::fmt;

use erlang_node::audit::AuditEvent;
use erlang_term::Atom;

use crate::functions::Caller;
use crate::reason::Exception;

/// What a policy says of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may be made.
    pub allowed: bool,
    /// Whether the auditor hears of it.
    pub audited: bool,
}

/// Decides which functions of the table a peer may call.
///
/// Asked for every call on behalf of a peer, also those that a function such as `erlang:apply/3`
/// makes in turn; not for calls of the node itself. It should be quick.
pub trait CallPolicy: fmt::Debug + Send + Sync {
    /// Whether the node `peer` may call that function, which the table has.
    fn decide(&self, peer: &Atom, module: &Atom, function: &Atom, arity: usize) -> Decision;
}

/// Asks the policy about a call, and tells log and auditor what came of it.
///
/// # Errors
/// `{not_allowed, {Module, Function, Arity}}`.
pub(crate) fn check(
    policy: &dyn CallPolicy,
    caller: &Caller,
    module: &Atom,
    function: &Atom,
    arity: usize,
) -> Result<(), Exception> {
    let Some(origin) = &caller.origin else { return Ok(()) };
    let by = origin.node();
    let Decision { allowed, audited } = match origin.is_forgotten() {
        // Which rules are its, nobody knows any more.
        true => Decision { allowed: false, audited: true },
        false => policy.decide(by, module, function, arity),
    };
    if audited {
        caller.node.audit(&AuditEvent::Called { by, module, function, arity, allowed });
    }
    if origin.first_refused(!allowed) {
        tracing::warn!(
            peer = %by, %module, %function, arity,
            "a peer called what it is not allowed to call; told once until an allowed call",
        );
    }
    if allowed { Ok(()) } else { Err(Exception::not_allowed(module, function, arity)) }
}
