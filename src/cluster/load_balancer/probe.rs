//! Measuring the peers: how long a call takes, and how much they have to do.

use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use erlang_interop::node::{Node, NodeFilter};
use erlang_interop::otp::rpc;
use erlang_interop::term::{Atom, Term, atom};
use tokio::task::JoinSet;

use super::LoadBalancer;
use super::choice::Measure;
use crate::config::Balancing;

/// Pause between two rounds: a choice is made on figures no older than about this.
const ROUND: Duration = Duration::from_secs(2);
/// A peer that has not answered by then counts as not measured until it does.
const ANSWER_TIME: Duration = Duration::from_secs(1);
/// The newest figure counts one part of this many: one slow answer must not move all work.
const SMOOTHING: u32 = 4;
const _: () = assert!(ANSWER_TIME.as_millis() < ROUND.as_millis());

/// Measures all visible peers, again and again, when the strategy needs it. Never returns then.
pub(crate) async fn keep_measuring(balancer: LoadBalancer, node: Node) {
    balancer.idle(&node);
    if !matches!(balancer.strategy(), Balancing::LeastLoaded | Balancing::Latency) {
        return;
    }
    loop {
        let mut round = JoinSet::new();
        for peer in node.nodes(NodeFilter::Visible) {
            let node = node.clone();
            round.spawn(async move { (measure(&node, &peer).await, peer) });
        }
        let mut found = HashMap::new();
        while let Some(answer) = round.join_next().await {
            if let Ok((Some(measure), peer)) = answer {
                found.insert(peer, measure);
            }
        }
        balancer.measured(found);
        tokio::time::sleep(ROUND).await;
    }
}

async fn measure(node: &Node, peer: &Atom) -> Option<Measure> {
    let module = atom!("Elixir.HAR.Cluster.LoadBalancer");
    let (answer, latency) = timed(node, peer, &module, &atom!("load"), Vec::new()).await;
    if let Some(load) = load(&answer) {
        return Some(Measure { load: Some(load), latency: Some(latency) });
    }
    // A BEAM without that function: what waits for its schedulers.
    let item = vec![Term::Atom(atom!("total_run_queue_lengths"))];
    let (answer, latency) = timed(node, peer, &atom!("erlang"), &atom!("statistics"), item).await;
    let load = load(&answer)?;
    Some(Measure { load: Some(load), latency: Some(latency) })
}

async fn timed(
    node: &Node,
    peer: &Atom,
    module: &Atom,
    function: &Atom,
    arguments: Vec<Term>,
) -> (Term, Duration) {
    let asked = Instant::now();
    let answer = rpc::call(node, peer, module, function, arguments, ANSWER_TIME).await;
    (answer, asked.elapsed())
}

fn load(answer: &Term) -> Option<u64> {
    answer.as_integer().and_then(|load| u64::try_from(load).ok())
}

impl LoadBalancer {
    /// Puts a round's figures in place of the last ones; who did not answer is forgotten.
    fn measured(&self, mut found: HashMap<Atom, Measure>) {
        let mut measures = self.state.measures.lock().unwrap_or_else(PoisonError::into_inner);
        for (peer, measure) in &mut found {
            let before = measures.get(peer).and_then(|before| before.latency);
            measure.latency = measure.latency.map(|now| smoothed(before, now));
        }
        *measures = found;
    }
}

fn smoothed(before: Option<Duration>, now: Duration) -> Duration {
    before.map_or(now, |before| (before * (SMOOTHING - 1) + now) / SMOOTHING)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(latency_ms: u64) -> HashMap<Atom, Measure> {
        let latency = Some(Duration::from_millis(latency_ms));
        [(atom!("a@h"), Measure { load: Some(1), latency })].into()
    }

    #[test]
    fn latencies_are_smoothed_and_the_silent_forgotten() {
        let balancer = LoadBalancer::new(Balancing::Latency);
        let latency = || {
            let measures = balancer.state.measures.lock().expect("not poisoned");
            measures.get(&atom!("a@h")).and_then(|measure| measure.latency)
        };
        balancer.measured(round(8));
        assert_eq!(latency(), Some(Duration::from_millis(8)));
        balancer.measured(round(16));
        assert_eq!(latency(), Some(Duration::from_millis(10)));
        balancer.measured(HashMap::new());
        assert_eq!(latency(), None);
    }

    #[test]
    fn only_a_count_is_a_load() {
        assert_eq!(load(&Term::from(7)), Some(7));
        assert_eq!(load(&Term::from(-1)), None);
        assert_eq!(load(&Term::Atom(atom!("badrpc"))), None);
    }
}
