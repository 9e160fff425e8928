//! Which node an operation goes to: the choice, as it is written in the configuration.

use serde::{Deserialize, Serialize};

/// How a node is chosen for an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Balancing {
    /// `rem(:erlang.phash2(id), n)` over the sorted nodes, as Elixir nodes of HAR have it. A node
    /// that joins n others moves n/(n+1) of the operations.
    HashMod,
    /// The node with the highest `phash2({node, id})`. A node that joins n others moves 1/(n+1) of
    /// the operations, all of them to itself.
    Rendezvous,
    /// One after the other.
    RoundRobin,
    /// The node that has the least to do.
    LeastLoaded,
    /// The nodes that answer soonest.
    Latency,
}

impl Balancing {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HashMod => "hash_mod",
            Self::Rendezvous => "rendezvous",
            Self::RoundRobin => "round_robin",
            Self::LeastLoaded => "least_loaded",
            Self::Latency => "latency",
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn it_is_read_as_it_is_written() {
        for strategy in Balancing::value_variants() {
            assert_eq!(serde_yaml::from_str::<Balancing>(strategy.as_str()).ok(), Some(*strategy));
            assert_eq!(Balancing::from_str(strategy.as_str(), false), Ok(*strategy));
        }
    }
}
