//! Connecting the nodes that a topology has found, a bounded number at a time, and telling of it in
//! the words of libcluster: once when something changes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use erlang_interop::node::{ConnectError, Node, NodeFilter};
use erlang_interop::term::{Atom, Term};
use tokio::task::{JoinError, JoinSet};
use tokio::time::sleep;

use super::Running;
use super::membership::Change;

type Dialled = (Atom, Result<(), ConnectError>);

/// Dials for one topology.
pub(super) struct Dialer {
    running: Arc<Running>,
    node: Node,
    dials: JoinSet<Dialled>,
    started: Instant,
}

impl Dialer {
    pub(super) fn new(running: Arc<Running>, node: Node) -> Self {
        Self { running, node, dials: JoinSet::new(), started: Instant::now() }
    }

    pub(super) fn node(&self) -> &Node {
        &self.node
    }

    /// The topology's name, for the log.
    pub(super) fn topology(&self) -> &str {
        &self.running.name
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// These nodes are there: dials those that are not connected.
    pub(super) fn found(&mut self, nodes: &[Atom]) {
        let connected = self.node.nodes(NodeFilter::Connected);
        let now = self.now();
        for node in nodes.iter().filter(|node| *node != self.node.name()) {
            let mut membership = self.running.membership();
            if connected.contains(node) {
                membership.connected(node);
            } else {
                membership.want(node, now);
            }
        }
        self.dial();
    }

    /// The topology consists of these nodes now: disconnects those that have left it.
    pub(super) async fn replaced(&mut self, nodes: &[Atom]) {
        let left = self.running.membership().left(nodes);
        for node in left {
            self.disconnect(&node).await;
        }
        self.found(nodes);
    }

    fn next(&self) -> Option<Atom> {
        self.running.membership().next(self.now())
    }

    fn dial(&mut self) {
        while let Some(peer) = self.next() {
            let node = self.node.clone();
            self.dials.spawn(async move {
                let outcome = node.connect(&peer).await;
                (peer, outcome)
            });
        }
    }

    /// Waits for the end of a dial and deals with it, or for the time of the next one; for ever
    /// when there is neither.
    pub(super) async fn progress(&mut self) {
        let next_at = { self.running.membership().next_at() };
        let pause = next_at.map(|at| at.saturating_sub(self.now()));
        tokio::select! {
            Some(dialled) = self.dials.join_next() => self.finished(dialled).await,
            () = sleep(pause.unwrap_or_default()), if pause.is_some() => {}
            else => std::future::pending().await,
        }
        self.dial();
    }

    async fn finished(&mut self, dialled: Result<Dialled, JoinError>) {
        // A dial has no way to panic, and nobody else holds its handle.
        let Ok((peer, outcome)) = dialled else { return };
        let fault = outcome.err().map(|error| error.to_string());
        let random = getrandom::u32().unwrap_or(0);
        let change = self.running.membership().dialled(&peer, fault.clone(), self.now(), random);
        let (topology, reason) = (self.topology(), fault.unwrap_or_default());
        match change {
            Change::Connected => tracing::info!(topology, "connected to {}", shown(&peer)),
            Change::Lost => {
                tracing::warn!(topology, reason, "unable to connect to {}", shown(&peer))
            }
            Change::LostMany => {
                tracing::warn!(topology, reason, "unable to connect to {}", shown(&peer));
                tracing::warn!(topology, "unable to connect to many nodes: not telling each");
            }
            Change::StillLost => {
                tracing::debug!(topology, reason, "still unable to connect to {}", shown(&peer));
            }
            Change::Left(true) => self.disconnect(&peer).await,
            Change::Left(false) => {}
        }
    }

    async fn disconnect(&self, peer: &Atom) {
        if self.running.departures.is_leaving(peer) {
            // Kubernetes drops a pod from its lists when it is told to end, and it still works then.
            tracing::debug!(topology = self.topology(), "{} goes by itself", shown(peer));
            return;
        }
        if self.node.disconnect(peer).await {
            tracing::info!(topology = self.topology(), "disconnected from {}", shown(peer));
        }
    }
}

/// As `inspect/1` shows it: `:"a@b"`, with anything odd in it escaped.
fn shown(node: &Atom) -> String {
    Term::Atom(node.clone()).to_elixir().to_string()
}
