//! The `har` nodes of a cluster, and which of them has most right to a key.

use erlang_interop::term::{Atom, Term};

use super::{Departures, Peers};

/// The members, as this node knows them: those that have told where they are, and do not leave.
#[derive(Debug, Clone)]
pub struct Members {
    peers: Peers,
    departures: Departures,
}

impl Members {
    pub(crate) fn new(peers: &Peers, departures: &Departures) -> Self {
        Self { peers: peers.clone(), departures: departures.clone() }
    }

    /// Whether a peer is one.
    #[must_use]
    pub fn has(&self, peer: &Atom) -> bool {
        self.peers.told(peer).is_some()
    }

    /// The members, this node (`own`) among them unless it leaves and others stay.
    #[must_use]
    pub fn nodes(&self, own: &Atom) -> Vec<Atom> {
        let mut nodes = self.peers.names();
        nodes.retain(|peer| !self.departures.is_leaving(peer));
        if nodes.is_empty() || !self.departures.has_begun() {
            nodes.push(own.clone());
        }
        nodes
    }

    /// The members by their right to a key: nodes that see the same have the same first, and when it
    /// goes the second takes its place.
    #[must_use]
    pub fn by_right(&self, own: &Atom, key: &Term) -> Vec<Atom> {
        ranked(self.nodes(own), key)
    }
}

/// Rendezvous hashing.
pub(super) fn ranked(nodes: impl IntoIterator<Item = Atom>, key: &Term) -> Vec<Atom> {
    let weight = |node: Atom| (Term::from((node.clone(), key.clone())).phash2(), node);
    let mut ranked: Vec<(u32, Atom)> = nodes.into_iter().map(weight).collect();
    ranked.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.as_str().cmp(b.1.as_str())));
    ranked.into_iter().map(|(_, node)| node).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn when_the_first_goes_the_second_takes_its_place() {
        let nodes = || ["a@h", "b@h", "c@h", "d@h"].map(|name| Atom::new(name).expect("short"));
        for key in 0..100 {
            let key = Term::from(key);
            let all = ranked(nodes(), &key);
            let rest = ranked(nodes().into_iter().filter(|node| *node != all[0]), &key);
            assert_eq!(all[1..], rest);
        }
        let first = |key: u32| ranked(nodes(), &Term::from(key))[0].clone();
        let chosen: BTreeSet<Atom> = (0..100).map(first).collect();
        assert_eq!(chosen.len(), 4, "keys are spread");
    }
}
