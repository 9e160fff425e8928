//! What an Elixir node calls: the modules `HAR.*` as functions, and the registered servers.
//!
//! Thin: terms in, a call of the domain, terms out. One file a module (or a family of small ones).

mod cluster;
mod errors;
mod formats;
mod graph;
mod har;
mod health;
mod others;
mod policies;
mod routing;
mod servers;
mod shapes;

use erlang_interop::node::{Node, SpawnError};
use erlang_interop::otp::{Functions, FunctionsBuilder};

use crate::cluster::Cluster;
use crate::control_plane::ControlPlane;

/// Adds all functions of `HAR.*` to a table.
pub fn register(functions: &mut FunctionsBuilder, plane: &ControlPlane, cluster: &Cluster) {
    har::register(functions, plane);
    formats::register(functions);
    graph::register(functions);
    routing::register(functions, plane);
    health::register(functions, plane);
    policies::register(functions, plane);
    others::register(functions);
    cluster::register(functions, cluster);
}

/// Starts the registered servers `HAR.ControlPlane.RoutingTable` and its siblings.
///
/// # Errors
/// When a name is taken, there are too many processes, or the node stops.
pub fn start(node: &Node, plane: &ControlPlane, functions: &Functions) -> Result<(), SpawnError> {
    servers::start(node, plane, functions)
}
