//! Which node takes an operation.
//!
//! [`choice`] decides, from what [`probe`] measures; [`LoadBalancer`] is the state between them.

mod choice;
mod probe;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use erlang_interop::node::{Node, NodeFilter};
use erlang_interop::term::{Atom, Term};

use super::{Peers, Place};
use crate::config::Balancing;
use choice::{Candidate, Measure, choose};
pub(crate) use probe::keep_measuring;

/// The balancer of a node. Clones share it.
#[derive(Debug, Clone)]
pub struct LoadBalancer {
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    strategy: Balancing,
    peers: Peers,
    turn: AtomicU64,
    idle_processes: AtomicU64,
    measures: Mutex<HashMap<Atom, Measure>>,
}

impl LoadBalancer {
    /// A balancer that has measured nothing yet. `peers` know where they are.
    pub(crate) fn new(strategy: Balancing, peers: Peers) -> Self {
        Self {
            state: Arc::new(State {
                strategy,
                peers,
                turn: AtomicU64::new(0),
                idle_processes: AtomicU64::new(0),
                measures: Mutex::default(),
            }),
        }
    }

    /// How nodes are chosen.
    #[must_use]
    pub fn strategy(&self) -> Balancing {
        self.state.strategy
    }

    /// The node for a key, among those of `node` itself and the visible nodes it is connected to
    /// that `may` have it. `None`: none of them may.
    pub fn route(
        &self,
        node: &Node,
        key: &Term,
        may: impl Fn(&Atom, &Place) -> bool,
    ) -> Option<Atom> {
        let turn = match self.strategy() {
            Balancing::RoundRobin => self.turn(),
            _ => 0,
        };
        let mut candidates = self.candidates(node);
        let peers = &self.state.peers;
        candidates.retain(|one| may(&one.node, &peers.place(node, &one.node)));
        choose(self.strategy(), key, turn, candidates)
    }

    /// How long a call to a peer and back takes, smoothed; `None`: not measured yet, or it does not
    /// answer.
    #[must_use]
    pub fn latency(&self, peer: &Atom) -> Option<Duration> {
        self.measures().get(peer)?.latency
    }

    /// The same of all peers.
    #[must_use]
    pub fn latencies(&self) -> Vec<(Atom, Duration)> {
        let measures = self.measures();
        let known = |(peer, measure): (&Atom, &Measure)| Some((peer.clone(), measure.latency?));
        measures.iter().filter_map(known).collect()
    }

    /// The next node in turn, whatever the strategy.
    #[must_use]
    pub fn next_node(&self, node: &Node) -> Atom {
        choose(Balancing::RoundRobin, &Term::Nil, self.turn(), self.candidates(node))
            .unwrap_or_else(|| node.name().clone())
    }

    /// Processes of `node` beyond those it has when it idles: what it is busy with.
    #[must_use]
    pub fn load(&self, node: &Node) -> u64 {
        count(node).saturating_sub(self.state.idle_processes.load(Ordering::Relaxed))
    }

    /// Takes the processes that run now for those of an idle node.
    pub(crate) fn idle(&self, node: &Node) {
        self.state.idle_processes.store(count(node), Ordering::Relaxed);
    }

    fn turn(&self) -> u64 {
        self.state.turn.fetch_add(1, Ordering::Relaxed)
    }

    fn candidates(&self, node: &Node) -> Vec<Candidate> {
        let measures = self.measures();
        let own = Measure { load: Some(self.load(node)), latency: Some(Duration::ZERO) };
        let candidate = |name: Atom, measure| {
            let place = self.state.peers.place(node, &name);
            Candidate { node: name, measure, nearness: self.state.peers.own().nearness(&place) }
        };
        let peers = node.nodes(NodeFilter::Visible).into_iter().map(|peer| {
            let measure = measures.get(&peer).copied().unwrap_or_default();
            candidate(peer, measure)
        });
        peers.chain([candidate(node.name().clone(), own)]).collect()
    }

    fn measures(&self) -> MutexGuard<'_, HashMap<Atom, Measure>> {
        self.state.measures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count(node: &Node) -> u64 {
    u64::try_from(node.process_count()).unwrap_or(u64::MAX)
}
