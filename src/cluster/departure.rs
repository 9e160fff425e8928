//! Leaving: when this node was told to, and which others are about to.
//!
//! A node that leaves says so to all it is connected to, by a cast `leaving` to their process
//! `HAR.Cluster`; one that has no such process never hears of it. From then on the others give it
//! nothing new, and do not cut off what it still works on.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use erlang_interop::node::{Node, NodeFilter};
use erlang_interop::otp::client::{cast_connected, in_process};
use erlang_interop::otp::task_supervisor::Gate;
use erlang_interop::term::{Atom, atom};
use tokio::sync::watch;

use super::server;

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
        self.lock().contains(peer)
    }

    /// The nodes that leave, this one (`own`) first.
    #[must_use]
    pub fn leaving(&self, own: &Atom) -> Vec<Atom> {
        let own = self.has_begun().then(|| own.clone());
        own.into_iter().chain(self.others()).collect()
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
                cast_connected(&context, (server::name(), peer), atom!("leaving")).await;
            }
        });
        if let Err(reason) = told.await {
            tracing::warn!(reason, "the peers were not told that this node leaves");
        }
    }

    /// A peer has said that it leaves. It is connected, so there are never more than connections.
    pub(super) fn heard(&self, peer: &Atom) {
        if self.lock().insert(peer.clone()) {
            tracing::info!(%peer, "a node is leaving: it gets no new work");
        }
    }

    /// A peer is not connected any more.
    pub(super) fn gone(&self, peer: &Atom) {
        self.lock().remove(peer);
    }

    /// The peers that leave.
    pub(super) fn others(&self) -> Vec<Atom> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<Atom>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
