//! Leaving: when this node was told to, and which others are about to.
//!
//! A node that leaves says so to all it is connected to, by a cast `leaving` to their process
//! `HAR.Cluster`; one that has no such process never hears of it. From then on the others give it
//! nothing new, and do not cut off what it still works on.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use erlang_interop::node::{
    Context, ExitReason, MonitorNodesOptions, Node, NodeFilter, NodeType, SpawnError, SpawnOptions,
};
use erlang_interop::otp::client::{cast_connected, in_process};
use erlang_interop::otp::gen_server::{self, GenServer, Next};
use erlang_interop::otp::task_supervisor::Gate;
use erlang_interop::term::{Atom, Term, atom};
use tokio::sync::watch;

/// Who leaves, as a node knows it. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Departures {
    /// Closed when this node begins to leave.
    gate: Gate,
    ordered: watch::Sender<bool>,
    others: Arc<Mutex<BTreeSet<Atom>>>,
}

impl Departures {
    /// What keeps the tasks of peers out once this node leaves.
    #[must_use]
    pub fn gate(&self) -> Gate {
        self.gate.clone()
    }

    /// Whether this node leaves.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.gate.is_closed()
    }

    /// Whether a peer has said that it leaves.
    #[must_use]
    pub fn is_leaving(&self, peer: &Atom) -> bool {
        self.others().contains(peer)
    }

    /// The nodes that leave, this one (`own`) first.
    #[must_use]
    pub fn leaving(&self, own: &Atom) -> Vec<Atom> {
        let own = self.has_begun().then(|| own.clone());
        own.into_iter().chain(self.others().iter().cloned()).collect()
    }

    /// Tells the program to leave.
    pub fn order(&self) {
        self.ordered.send_replace(true);
    }

    /// Resolves when [`Departures::order`] was called.
    pub(crate) async fn ordered(&self) {
        // The sender is our own, so the wait can't fail.
        let _ = self.ordered.subscribe().wait_for(|ordered| *ordered).await;
    }

    /// This node begins to leave: takes no more tasks of peers, and tells them so.
    pub(crate) async fn begin(&self, node: &Node) {
        self.gate.close();
        let told = in_process(node, |context| async move {
            for peer in context.node().nodes(NodeFilter::Connected) {
                cast_connected(&context, (server_name(), peer), atom!("leaving")).await;
            }
        });
        if let Err(reason) = told.await {
            tracing::warn!(reason, "the peers were not told that this node leaves");
        }
    }

    /// Starts what hears of others.
    ///
    /// # Errors
    /// When the name is taken, there are too many processes, or the node stops.
    pub(crate) fn start(&self, node: &Node) -> Result<(), SpawnError> {
        // As other services: links of peers must not end it.
        let options = SpawnOptions::new().name(server_name()).trap_exit();
        gen_server::start(node, options, Server(self.clone())).map(drop)
    }

    fn others(&self) -> MutexGuard<'_, BTreeSet<Atom>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn server_name() -> Atom {
    atom!("Elixir.HAR.Cluster")
}

/// Hears who leaves, and who has left.
struct Server(Departures);

impl GenServer for Server {
    fn module(&self) -> Atom {
        server_name()
    }

    fn state(&self) -> Term {
        Term::list(self.0.others().iter())
    }

    async fn init(&mut self, context: &mut Context) -> Result<(), ExitReason> {
        let all = MonitorNodesOptions { node_type: NodeType::All, info: false };
        context.node().monitor_nodes(context.pid(), all);
        Ok(())
    }

    async fn handle_cast(&mut self, context: &mut Context, message: Term) -> Next {
        // Each speaks for itself only, and for as long as it is connected: so there are never more
        // than connections.
        if message.is_atom("leaving")
            && let Some(peer) = context.asker().map(|asker| asker.node().clone())
            && context.node().node_info(&peer).is_some()
            && self.0.others().insert(peer.clone())
        {
            tracing::info!(%peer, "a node is leaving: it gets no new work");
        }
        Next::Continue
    }

    async fn handle_info(&mut self, _: &mut Context, message: Term) -> Next {
        if let Some([Term::Atom(peer)]) = message.as_tagged("nodedown") {
            self.0.others().remove(peer);
        }
        Next::Continue
    }
}
