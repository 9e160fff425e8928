//! Whole clusters from a seed.
//!
//! The nodes are real ones, of `erlang-node` with the services of `erlang-otp`. What is simulated is
//! what lies around them: time stands still unless everybody waits, and the network between them
//! delays, parts, cuts and loses as the seed says. Nodes crash without a good-bye and come again
//! with another creation. So a run of many virtual minutes takes some milliseconds, and a seed that
//! finds a fault finds it again.
//!
//! ```text
//! seed ─→ scenario ─deeds→ actors on nodes ─bytes→ network (delays, partitions, crashes)
//!                             │ what they are told        │
//!                             └──→ books, journal ──→ invariants, hash of the trace
//! ```
//!
//! `cargo run --release -p erlang-sim -- --seeds 1000` runs many; `--seed N` shows one. `--grow 50,100,200`
//! tells what meshes of so many nodes cost.

mod actor;
mod book;
mod cluster;
mod growth;
mod invariants;
mod journal;
mod network;
mod random;
mod scenario;
mod world;

pub use growth::{Growth, grow};
pub use scenario::{Outcome, Size, run};
