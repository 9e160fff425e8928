//! Measuring the peers: how long a call takes, and how much they have to do.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use erlang_interop::node::{Node, NodeFilter};
use erlang_interop::otp::gen_server::call_from;
use erlang_interop::otp::rpc;
use erlang_interop::term::{Atom, Term, atom, term};
use tokio::task::JoinSet;

use super::LoadBalancer;
use super::choice::Measure;
use crate::config::Balancing;

/// Pause between two rounds, give or take a quarter: nodes that started together should not ask
/// together.
const ROUND: Duration = Duration::from_secs(2);
/// Peers measured in a round, in turn: in a mesh of a hundred each is measured twice a minute, and
/// measuring costs each node four calls a second, not fifty.
const PROBES_A_ROUND: usize = 8;
/// A peer that has not answered by then counts as not measured until it does.
const ANSWER_TIME: Duration = Duration::from_secs(1);
/// The newest figure counts one part of this many: one slow answer must not move all work.
const SMOOTHING: u32 = 4;
const _: () = assert!(ANSWER_TIME.as_millis() * 4 < ROUND.as_millis() * 3);

/// Measures the visible peers, again and again. Never returns.
pub(crate) async fn keep_measuring(balancer: LoadBalancer, node: Node) {
    balancer.idle(&node);
    // Loads are old soon, so that all are asked each time.
    let loads = balancer.strategy() == Balancing::LeastLoaded;
    let mut turn = 0;
    loop {
        let peers = node.nodes(NodeFilter::Visible);
        let asked = if loads { peers } else { in_turn(peers, &mut turn) };
        let mut round = JoinSet::new();
        for peer in asked.iter().cloned() {
            let node = node.clone();
            round.spawn(async move { (measure(&node, &peer, loads).await, peer) });
        }
        let mut found = HashMap::new();
        while let Some(answer) = round.join_next().await {
            if let Ok((Some(measure), peer)) = answer {
                found.insert(peer, measure);
            }
        }
        balancer.measured(&asked, found, &node.nodes(NodeFilter::Visible));
        tokio::time::sleep(jittered(getrandom::u32().unwrap_or(0))).await;
    }
}

/// The next few of the peers; `turn` counts on.
fn in_turn(mut peers: Vec<Atom>, turn: &mut usize) -> Vec<Atom> {
    if peers.len() <= PROBES_A_ROUND {
        return peers;
    }
    peers.sort();
    let count = peers.len();
    let next = (0..PROBES_A_ROUND).map(|step| peers[(*turn + step) % count].clone()).collect();
    *turn = (*turn + PROBES_A_ROUND) % count;
    next
}

/// [`ROUND`], less or more by up to a quarter.
fn jittered(random: u32) -> Duration {
    ROUND * 3 / 4 + ROUND.mul_f64(f64::from(random) / f64::from(u32::MAX)) / 2
}

async fn measure(node: &Node, peer: &Atom, load: bool) -> Option<Measure> {
    if load { busy(node, peer).await } else { near(node, peer).await }
}

/// What `net_adm:ping/1` asks: each node answers it, and makes no process for it.
async fn near(node: &Node, peer: &Atom) -> Option<Measure> {
    let server = (atom!("net_kernel"), peer.clone());
    let request = term!({is_auth, (node.name())});
    let asked = Instant::now();
    let answer = call_from(node, server, request, ANSWER_TIME).await.ok()?;
    let latency = Some(asked.elapsed());
    answer.is_atom("yes").then_some(Measure { load: None, latency })
}

async fn busy(node: &Node, peer: &Atom) -> Option<Measure> {
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
    /// Takes a round's figures in. Who was asked and did not answer, and who is not `connected` any
    /// more, is forgotten.
    fn measured(&self, asked: &[Atom], found: HashMap<Atom, Measure>, connected: &[Atom]) {
        let mut measures = self.measures();
        for peer in asked.iter().filter(|peer| !found.contains_key(*peer)) {
            measures.remove(peer);
        }
        for (peer, mut measure) in found {
            let before = measures.get(&peer).and_then(|before| before.latency);
            measure.latency = measure.latency.map(|now| smoothed(before, now));
            measures.insert(peer, measure);
        }
        let connected: HashSet<&Atom> = connected.iter().collect();
        measures.retain(|peer, _| connected.contains(peer));
    }
}

fn smoothed(before: Option<Duration>, now: Duration) -> Duration {
    before.map_or(now, |before| (before * (SMOOTHING - 1) + now) / SMOOTHING)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Peers, Place};

    fn round(latency_ms: u64) -> HashMap<Atom, Measure> {
        let latency = Some(Duration::from_millis(latency_ms));
        [(atom!("a@h"), Measure { load: Some(1), latency })].into()
    }

    #[test]
    fn latencies_are_smoothed_and_the_silent_and_the_lost_forgotten() {
        let balancer = LoadBalancer::new(Balancing::Latency, Peers::new(Place::default()));
        let latency = || balancer.latency(&atom!("a@h"));
        let (a, b) = ([atom!("a@h")], [atom!("b@h")]);
        balancer.measured(&a, round(8), &a);
        assert_eq!(latency(), Some(Duration::from_millis(8)));
        balancer.measured(&a, round(16), &a);
        assert_eq!(latency(), Some(Duration::from_millis(10)));
        // It was not its turn.
        balancer.measured(&b, HashMap::new(), &a);
        assert_eq!(latency(), Some(Duration::from_millis(10)));
        balancer.measured(&a, HashMap::new(), &a);
        assert_eq!(latency(), None);
        balancer.measured(&a, round(8), &b);
        assert_eq!(latency(), None);
    }

    #[test]
    fn each_peer_of_a_large_mesh_has_its_turn() {
        let names: Vec<Atom> =
            (0..100).map(|n| Atom::new(&format!("n{n}@h")).expect("short")).collect();
        let (mut turn, mut seen) = (0, HashSet::new());
        for _ in 0..100_usize.div_ceil(PROBES_A_ROUND) {
            let asked = in_turn(names.clone(), &mut turn);
            assert_eq!(asked.len(), PROBES_A_ROUND);
            seen.extend(asked);
        }
        assert_eq!(seen.len(), 100);
        assert_eq!(in_turn(names[..3].to_vec(), &mut turn), names[..3]);
    }

    #[test]
    fn rounds_are_spread() {
        assert_eq!(jittered(0), ROUND * 3 / 4);
        assert_eq!(jittered(u32::MAX), ROUND * 5 / 4);
    }

    #[test]
    fn only_a_count_is_a_load() {
        assert_eq!(load(&Term::from(7)), Some(7));
        assert_eq!(load(&Term::from(-1)), None);
        assert_eq!(load(&Term::Atom(atom!("badrpc"))), None);
    }
}
