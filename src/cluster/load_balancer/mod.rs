//! Which node takes an operation.
//!
//! [`choice`] decides, from what [`probe`] measures; [`LoadBalancer`] is the state between them.

mod choice;
mod probe;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use erlang_interop::node::{Node, NodeFilter};
use erlang_interop::term::{Atom, Term};

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
    turn: AtomicU64,
    idle_processes: AtomicU64,
    measures: Mutex<HashMap<Atom, Measure>>,
}

impl LoadBalancer {
    /// A balancer that has measured nothing yet.
    #[must_use]
    pub fn new(strategy: Balancing) -> Self {
        Self {
            state: Arc::new(State {
                strategy,
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

    /// The node for a key, among `node` itself and the visible nodes it is connected to.
    #[must_use]
    pub fn route(&self, node: &Node, key: &Term) -> Atom {
        let turn = match self.strategy() {
            Balancing::RoundRobin => self.turn(),
            _ => 0,
        };
        choose(self.strategy(), key, turn, self.candidates(node))
            .unwrap_or_else(|| node.name().clone())
    }

    /// The next node in turn, whatever the strategy.
    #[must_use]
    pub fn next_node(&self, node: &Node) -> Atom {
        choose(Balancing::RoundRobin, &Term::Nil, self.turn(), self.candidates(node))
            .unwrap_or_else(|| node.name().clone())
    }

    /// What a call to each measured peer takes.
    #[must_use]
    pub fn latencies(&self) -> Vec<(String, Duration)> {
        let measures = self.state.measures.lock().unwrap_or_else(PoisonError::into_inner);
        let latency =
            |(peer, measure): (&Atom, &Measure)| Some((peer.as_str().to_owned(), measure.latency?));
        measures.iter().filter_map(latency).collect()
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
        let measures = self.state.measures.lock().unwrap_or_else(PoisonError::into_inner);
        let own = Measure { load: Some(self.load(node)), latency: Some(Duration::ZERO) };
        let peers = node.nodes(NodeFilter::Visible).into_iter().map(|peer| {
            let measure = measures.get(&peer).copied().unwrap_or_default();
            Candidate { node: peer, measure }
        });
        peers.chain([Candidate { node: node.name().clone(), measure: own }]).collect()
    }
}

fn count(node: &Node) -> u64 {
    u64::try_from(node.process_count()).unwrap_or(u64::MAX)
}
