//! The strategies, as pure functions of a key and what is known of each node.

use std::time::Duration;

use erlang_interop::term::{Atom, Term};

use crate::cluster::place::Nearness;
use crate::config::Balancing;

/// Nodes that answer no later than this after the nearest count as equally near: less is the
/// noise of a busy machine, and the nodes of one site should share their work.
const NEAR: Duration = Duration::from_millis(2);

/// A node that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Its name.
    pub(crate) node: Atom,
    /// What is known of it.
    pub(crate) measure: Measure,
    /// How near it is by its region and zone.
    pub(crate) nearness: Nearness,
}

/// What was measured at a node; `None` until it has answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Measure {
    /// Work that runs or waits there.
    pub(crate) load: Option<u64>,
    /// Time of a call to it and back, smoothed.
    pub(crate) latency: Option<Duration>,
}

/// The node for `key`. `turn` counts the choices of this node, for [`Balancing::RoundRobin`].
/// `None` without candidates.
pub(crate) fn choose(
    strategy: Balancing,
    key: &Term,
    turn: u64,
    mut candidates: Vec<Candidate>,
) -> Option<Atom> {
    match strategy {
        Balancing::HashMod => at(u64::from(key.phash2()), candidates),
        Balancing::RoundRobin => at(turn, candidates),
        Balancing::Rendezvous => rendezvous(key, &candidates),
        // What nothing is known of comes last. Among equals the key decides, so that nodes that
        // see the same choose the same.
        Balancing::LeastLoaded => {
            let load = |candidate: &Candidate| candidate.measure.load.unwrap_or(u64::MAX);
            let least = candidates.iter().map(load).min()?;
            candidates.retain(|candidate| load(candidate) == least);
            rendezvous(key, &candidates)
        }
        // The own zone, else the own region, whatever was measured: a link that is quick for once
        // must not draw work across an ocean.
        Balancing::Latency => {
            let nearest = candidates.iter().map(|candidate| candidate.nearness).min()?;
            candidates.retain(|candidate| candidate.nearness == nearest);
            let latency =
                |candidate: &Candidate| candidate.measure.latency.unwrap_or(Duration::MAX);
            let near = candidates.iter().map(latency).min()?.saturating_add(NEAR);
            candidates.retain(|candidate| latency(candidate) <= near);
            rendezvous(key, &candidates)
        }
    }
}

/// The candidate of an index that wraps around, in the order of names.
fn at(index: u64, mut candidates: Vec<Candidate>) -> Option<Atom> {
    candidates.sort_by(|a, b| by_name(&a.node, &b.node));
    let count = u64::try_from(candidates.len()).unwrap_or(u64::MAX);
    let index = usize::try_from(index.checked_rem(count)?).ok()?;
    Some(candidates.swap_remove(index).node)
}

/// `Enum.max_by(Enum.sort(nodes), &:erlang.phash2({&1, key}))`: of equal weights the first name.
fn rendezvous(key: &Term, candidates: &[Candidate]) -> Option<Atom> {
    let weight = |node: &Atom| Term::from((node.clone(), key.clone())).phash2();
    candidates
        .iter()
        .map(|candidate| (weight(&candidate.node), &candidate.node))
        .max_by(|(a, a_node), (b, b_node)| a.cmp(b).then_with(|| by_name(b_node, a_node)))
        .map(|(_, node)| node.clone())
}

/// The order of atoms in Erlang.
fn by_name(a: &Atom, b: &Atom) -> std::cmp::Ordering {
    Term::Atom(a.clone()).cmp(&Term::Atom(b.clone()))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn candidates(names: &[&str]) -> Vec<Candidate> {
        let candidate = |name: &&str| Candidate {
            node: Atom::new(name).expect("short"),
            measure: Measure::default(),
            nearness: Nearness::default(),
        };
        names.iter().map(candidate).collect()
    }

    fn measured(given: &[(&str, Option<u64>, Option<u64>)]) -> Vec<Candidate> {
        let candidate = |(name, load, latency): &(&str, Option<u64>, Option<u64>)| Candidate {
            node: Atom::new(name).expect("short"),
            measure: Measure { load: *load, latency: latency.map(Duration::from_millis) },
            nearness: Nearness::default(),
        };
        given.iter().map(candidate).collect()
    }

    fn chosen(strategy: Balancing, key: &str, turn: u64, from: Vec<Candidate>) -> String {
        choose(strategy, &Term::from(key), turn, from).expect("candidates").as_str().to_owned()
    }

    fn mesh(size: usize) -> Vec<Candidate> {
        let names: Vec<String> = (1..=size).map(|n| format!("har{n}@10.0.0.{n}")).collect();
        candidates(&names.iter().map(String::as_str).collect::<Vec<_>>())
    }

    #[test]
    fn nobody_is_chosen_among_none() {
        use clap::ValueEnum as _;
        for strategy in Balancing::value_variants() {
            assert_eq!(choose(*strategy, &Term::from("k"), 0, Vec::new()), None);
            assert_eq!(chosen(*strategy, "k", 7, candidates(&["only@h"])), "only@h");
        }
    }

    #[test]
    fn the_order_of_the_candidates_does_not_matter() {
        for strategy in [Balancing::HashMod, Balancing::Rendezvous, Balancing::RoundRobin] {
            let one = chosen(strategy, "key", 5, candidates(&["a@h", "b@h", "c@h"]));
            let other = chosen(strategy, "key", 5, candidates(&["c@h", "a@h", "b@h"]));
            assert_eq!(one, other);
        }
    }

    #[test]
    fn hash_mod_indexes_the_sorted_nodes() {
        // :erlang.phash2("ansible_p0_t4_5", 9999) is 2764; the full hash decides the node.
        let key = Term::from("ansible_p0_t4_5");
        assert_eq!(key.phash2_range(9999), 2764);
        let want = ["a@h", "b@h", "c@h"][usize::try_from(key.phash2() % 3).unwrap()];
        let from = candidates(&["c@h", "b@h", "a@h"]);
        assert_eq!(choose(Balancing::HashMod, &key, 0, from).unwrap().as_str(), want);
    }

    #[test]
    fn round_robin_takes_each_in_turn() {
        let turns = [0, 1, 2, 3, u64::MAX];
        let from = || candidates(&["b@h", "a@h", "c@h"]);
        let taken = turns.map(|turn| chosen(Balancing::RoundRobin, "k", turn, from()));
        assert_eq!(taken, ["a@h", "b@h", "c@h", "a@h", "a@h"]);
    }

    #[test]
    fn the_least_loaded_is_chosen_and_equals_share() {
        let from =
            |b| measured(&[("a@h", Some(9), None), ("b@h", b, None), ("c@h", Some(3), None)]);
        assert_eq!(chosen(Balancing::LeastLoaded, "k", 0, from(None)), "c@h");
        let shared: BTreeSet<String> = (0..50)
            .map(|n| chosen(Balancing::LeastLoaded, &format!("k{n}"), 0, from(Some(3))))
            .collect();
        assert_eq!(shared, ["b@h", "c@h"].map(str::to_owned).into());
    }

    #[test]
    fn nodes_that_are_about_as_near_share_and_far_ones_get_nothing() {
        let from = || {
            let far = ("far@h", None, Some(80));
            measured(&[("a@h", None, Some(0)), ("b@h", None, Some(1)), far, ("new@h", None, None)])
        };
        let shared: BTreeSet<String> =
            (0..50).map(|n| chosen(Balancing::Latency, &format!("k{n}"), 0, from())).collect();
        assert_eq!(shared, ["a@h", "b@h"].map(str::to_owned).into());
    }

    #[test]
    fn the_own_zone_comes_before_the_own_region_and_both_before_what_answers_sooner() {
        let place = |nearness: [Nearness; 3]| {
            let names = [("a@h", None, Some(9)), ("b@h", None, Some(5)), ("c@h", None, Some(0))];
            let mut from = measured(&names);
            for (candidate, nearness) in from.iter_mut().zip(nearness) {
                candidate.nearness = nearness;
            }
            chosen(Balancing::Latency, "k", 0, from)
        };
        use Nearness::{Elsewhere, Region, Zone};
        assert_eq!(place([Zone, Region, Elsewhere]), "a@h");
        assert_eq!(place([Elsewhere, Region, Elsewhere]), "b@h");
        assert_eq!(place([Elsewhere, Elsewhere, Elsewhere]), "c@h");
        assert_eq!(place([Zone, Zone, Region]), "b@h");
    }

    /// The share of 20,000 keys whose node changes when an eleventh joins ten.
    fn moved(strategy: Balancing) -> f64 {
        const KEYS: u32 = 20_000;
        let (ten, eleven) = (mesh(10), mesh(11));
        let moves = (0..KEYS).filter(|n| {
            let key = format!("operation-{n}");
            chosen(strategy, &key, 0, ten.clone()) != chosen(strategy, &key, 0, eleven.clone())
        });
        let share = f64::from(u32::try_from(moves.count()).unwrap()) / f64::from(KEYS);
        println!("{strategy:?}: {:.2} % of the keys move from 10 to 11 nodes", share * 100.0);
        share
    }

    #[test]
    fn a_node_that_joins_moves_most_keys_by_hash_mod_and_its_share_by_rendezvous() {
        // 10/11 is 0.909, 1/11 is 0.0909.
        let (hash_mod, rendezvous) = (moved(Balancing::HashMod), moved(Balancing::Rendezvous));
        assert!((0.90..0.92).contains(&hash_mod), "{hash_mod}");
        assert!((0.085..0.097).contains(&rendezvous), "{rendezvous}");
    }

    #[test]
    fn by_rendezvous_keys_move_to_the_newcomer_only_and_are_spread_evenly() {
        let mut load = BTreeMap::<String, u32>::new();
        for n in 0..22_000 {
            let key = format!("operation-{n}");
            let before = chosen(Balancing::Rendezvous, &key, 0, mesh(10));
            let after = chosen(Balancing::Rendezvous, &key, 0, mesh(11));
            assert!(after == before || after == "har11@10.0.0.11", "{key}: {before} {after}");
            *load.entry(after).or_default() += 1;
        }
        assert_eq!(load.len(), 11);
        assert!(load.values().all(|count| (1_800..2_200).contains(count)), "{load:?}");
    }
}
