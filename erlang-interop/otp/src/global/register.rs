//! Registering names from this node: lock `global` everywhere, tell everybody, unlock.

use std::time::Duration;

use erlang_node::{Context, SpawnError};
use erlang_term::{Atom, Pid, Term, atom};

use super::Global;
use super::names::random_exit_name;
use crate::client::{connected, in_process, is_connected, multi_call, multi_call_in_time};
use crate::limits::CALL_TIMEOUT;

/// The first wait after a lock was refused; it doubles up to [`LOCK_WAIT_MAX`].
const LOCK_WAIT: Duration = Duration::from_millis(50);
/// The longest wait between two attempts.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(2);
/// Attempts before giving up. A BEAM tries for ever; a caller of ours gets an answer.
const LOCK_ATTEMPTS_MAX: u32 = 30;

/// Why a name was not registered.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// Another process has it.
    #[error("the name is taken by {0}")]
    NameTaken(Pid),
    /// The lock could not be had: others kept it.
    #[error("the lock of global could not be had")]
    Locked,
    /// A process for it could not be started.
    #[error("could not start the registering process: {0}")]
    Spawn(String),
}

impl From<SpawnError> for RegisterError {
    fn from(error: SpawnError) -> Self {
        Self::Spawn(error.to_string())
    }
}

impl Global {
    /// Registers a process in the whole cluster: `global:register_name/2`.
    ///
    /// # Errors
    /// When the name is taken or the lock can't be had.
    pub async fn register_name(
        &self,
        name: impl Into<Term>,
        pid: &Pid,
    ) -> Result<(), RegisterError> {
        let (name, pid) = (name.into(), pid.clone());
        let request = Term::from((atom!("register"), name.clone(), &pid, random_exit_name()));
        self.everywhere(request, move |global| match global.whereis_name(name.clone()) {
            Some(other) if other != pid => Err(RegisterError::NameTaken(other)),
            _ => Ok(()),
        })
        .await
    }

    /// Registers a process even if another has the name: `global:re_register_name/2`.
    ///
    /// # Errors
    /// When the lock can't be had.
    pub async fn re_register_name(
        &self,
        name: impl Into<Term>,
        pid: &Pid,
    ) -> Result<(), RegisterError> {
        let request = Term::from((atom!("register"), name.into(), pid, random_exit_name()));
        self.everywhere(request, |_| Ok(())).await
    }

    /// Removes a name from the whole cluster: `global:unregister_name/1`.
    ///
    /// # Errors
    /// When the lock can't be had.
    pub async fn unregister_name(&self, name: impl Into<Term>) -> Result<(), RegisterError> {
        let request = Term::from((atom!("unregister"), name.into()));
        self.everywhere(request, |_| Ok(())).await
    }

    /// Sends a request to all name servers while `global` is locked on all of them.
    async fn everywhere(
        &self,
        request: Term,
        check: impl Fn(&Self) -> Result<(), RegisterError> + Send + Sync + 'static,
    ) -> Result<(), RegisterError> {
        let global = self.clone();
        in_process(&self.node, move |mut context| async move {
            let lock = Term::from((atom!("global"), context.pid()));
            let nodes = lock_all_known(&global, &mut context, &lock).await?;
            let checked = check(&global);
            if checked.is_ok() {
                ask(&mut context, &nodes, request).await;
            }
            ask(&mut context, &nodes, Term::from((atom!("del_lock"), lock))).await;
            checked
        })
        .await
        .map_err(RegisterError::Spawn)?
    }
}

/// Locks all known nodes, the one with the greatest name first. Gives the nodes.
async fn lock_all_known(
    global: &Global,
    context: &mut Context,
    lock: &Term,
) -> Result<Vec<Atom>, RegisterError> {
    let set = Term::from((atom!("set_lock"), lock));
    let delete = Term::from((atom!("del_lock"), lock));
    let mut wait = LOCK_WAIT;
    for _ in 0..LOCK_ATTEMPTS_MAX {
        let known = global.known();
        let mut nodes = known.clone();
        nodes.push(context.node().name().clone());
        let boss = nodes.iter().max().cloned().into_iter().collect::<Vec<_>>();
        // One that has just left is about to be forgotten, and one of our half that is not connected
        // yet is being dialed: either is settled by a later attempt, and not by a dial of ours.
        if !nodes.iter().all(|node| is_connected(context, node)) {
            tracing::debug!("global: not connected to all that are known, a name waits");
        } else if set_lock(context, &boss, &set).await {
            let all = set_lock(context, &nodes, &set).await;
            // Somebody who joined in between has not been locked.
            if all && global.known().iter().all(|node| known.contains(node)) {
                return Ok(nodes);
            }
            ask(context, &nodes, delete.clone()).await;
        } else {
            ask(context, &boss, delete.clone()).await;
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LOCK_WAIT_MAX);
    }
    Err(RegisterError::Locked)
}

/// Whether all nodes that are there have set the lock. One that does not answer in time has not: it
/// would change no names for us, and nobody would tell it of the change.
async fn set_lock(context: &mut Context, nodes: &[Atom], set: &Term) -> bool {
    let server = atom!("global_name_server");
    let request = set.clone();
    let (replies, late) = multi_call_in_time(context, nodes, &server, request, CALL_TIMEOUT).await;
    late.is_empty() && replies.iter().all(|(_, reply)| reply.as_bool() == Some(true))
}

/// Asks those that are still there: who was lost has forgotten the lock, and us.
async fn ask(context: &mut Context, nodes: &[Atom], request: Term) {
    let nodes = connected(context, nodes);
    multi_call(context, &nodes, &atom!("global_name_server"), request, CALL_TIMEOUT).await;
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::dialing::node_that_dials;

    /// A node that is known and no longer connected is not dialed: nothing comes to its port.
    #[tokio::test(start_paused = true)]
    async fn a_name_waits_for_a_node_that_has_left_and_does_not_dial_it() {
        let peers = TcpListener::bind("127.0.0.1:0").unwrap();
        peers.set_nonblocking(true).unwrap();
        let node = node_that_dials(peers.local_addr().unwrap().port()).await;
        let global = Global::start(&node).unwrap();
        let left = Atom::new("b@127.0.0.1").unwrap();
        let known = Term::from((
            atom!("new_nodes"),
            atom!("c@127.0.0.1"),
            Term::Nil,
            Term::Nil,
            Term::list([(&left, 7)].map(Term::from)),
            Term::Nil,
        ));
        // What it would have the processes do, dial for instance, stays undone here.
        global.shared.lock().message(&known).1.clear();
        assert_eq!(global.known(), std::slice::from_ref(&left));
        let waits = global.register_name(atom!("name"), global.pid());
        let waited = tokio::time::timeout(LOCK_WAIT_MAX * 2, waits).await;
        assert!(waited.is_err(), "{waited:?}");
        assert!(peers.accept().is_err(), "a node that has left was dialed");
        global.shared.lock().nodedown(&left);
        assert_eq!(global.register_name(atom!("name"), global.pid()).await, Ok(()));
    }
}
