//! `global`: names that are known in the whole cluster, and locks.
//!
//! A BEAM waits for every visible node's part of this protocol, so a node that took no part would
//! block `global:sync/0` and every registration. The protocol is a pure state machine
//! ([`state::State`]); around it are three processes: the name server, registered as
//! `global_name_server`, the locker, and the one that registers a name.

mod locker;
mod locks;
mod names;
mod output;
mod overlap;
mod register;
mod resolve;
mod server;
mod session;
mod shared;
pub mod state;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use erlang_node::{Node, SpawnError, SpawnOptions};
use erlang_term::{Atom, Pid, Term, atom};
use tokio::sync::{mpsc, oneshot, watch};

pub use names::{Clash, Named, Operation, random_exit_name};
pub use output::{LockerEvent, Output, Resolve};
pub use register::RegisterError;

pub(crate) use resolve::resolve_here;

use locker::Locker;
use server::NameServer;
use shared::Shared;
use state::State;

/// This node's part of `global`, running.
#[derive(Clone, Debug)]
pub struct Global {
    node: Node,
    shared: Shared,
    pid: Pid,
    synced: watch::Receiver<u64>,
}

impl Global {
    /// Starts the name server and the locker.
    ///
    /// # Errors
    /// When `global_name_server` is taken, there are too many processes, or the node stops.
    pub fn start(node: &Node) -> Result<Self, SpawnError> {
        let (events, events_in) = mpsc::unbounded_channel();
        let (hand_over, handed) = oneshot::channel::<(Shared, Pid)>();
        let locker = node.spawn(SpawnOptions::new(), move |context| async move {
            match handed.await {
                Ok((shared, server)) => {
                    context.link(&server).await;
                    Locker::new(context, shared, events_in).run().await
                }
                Err(_) => erlang_node::ExitReason::Normal,
            }
        })?;
        let state = State::new(node.name().clone(), node.creation(), locker);
        let shared = Shared::new(state);
        let (synced, synced_out) = watch::channel(0);
        let server = NameServer {
            shared: shared.clone(),
            locker: events,
            monitors: HashMap::new(),
            connections: 0,
            synced,
        };
        // As `pg`: links of others must not end it.
        let options = SpawnOptions::new().name(atom!("global_name_server")).trap_exit();
        let pid = crate::gen_server::start(node, options, server)?;
        // The locker waits for exactly this; it can't be gone.
        let _ = hand_over.send((shared.clone(), pid.clone()));
        Ok(Self { node: node.clone(), shared, pid, synced: synced_out })
    }

    /// The name server process.
    pub fn pid(&self) -> &Pid {
        &self.pid
    }

    /// Whose name it is, on any node: `global:whereis_name/1`.
    pub fn whereis_name(&self, name: impl Into<Term>) -> Option<Pid> {
        self.shared.lock().whereis(&name.into())
    }

    /// All names: `global:registered_names/0`.
    pub fn registered_names(&self) -> Vec<Term> {
        self.shared.lock().registered_names()
    }

    /// The nodes whose names agree with ours.
    pub fn known(&self) -> Vec<Atom> {
        self.shared.lock().known()
    }

    /// Waits until names are exchanged with all nodes that are connected visibly: `global:sync/0`.
    pub async fn sync(&self) {
        let mut changes = self.synced.clone();
        loop {
            changes.mark_unchanged();
            let nodes = self.node.nodes(erlang_node::NodeFilter::Visible);
            let all = {
                let state = self.shared.lock();
                nodes.iter().all(|node| state.is_synced(node))
            };
            // A node that leaves while we wait is noticed by the next look.
            let look_again = std::time::Duration::from_millis(250);
            if all
                || matches!(tokio::time::timeout(look_again, changes.changed()).await, Ok(Err(_)))
            {
                return;
            }
        }
    }
}
