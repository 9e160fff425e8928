//! The Hybrid Automation Router as a node that speaks native Erlang distribution.
//!
//! See `ARCHITECTURE.md` for the picture and for where to add things.

pub mod backends;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod control_plane;
pub mod data_plane;
pub mod node;
mod ops;
pub mod security;
pub mod semantic;
pub mod services;
pub mod telemetry;
