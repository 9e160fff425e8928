//! The services against real BEAMs, and against each other.
//!
//! Needs `erl` and `elixir` (Debian: `apt-get install erlang-base elixir`); a test that finds none
//! fails and says so. Each test has its own EPMD on a port the system chose.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod beam;
mod behaviours;
mod calls;
mod clients;
mod global;
mod mesh;
mod pg;
mod policy;
mod replay;
mod servers;
mod supervision;
mod tasks;
mod traced;
mod world;
