//! What an Elixir node calls: the modules `HAR.*` as functions, and the registered servers.
//!
//! Thin: terms in, a call of the domain, terms out. One file a module (or a family of small ones).

mod cluster;
mod errors;
mod formats;
mod graph;
mod har;
mod health;
mod keyed;
mod others;
mod policies;
mod regions;
mod routing;
mod servers;
mod shapes;
mod telemetry;
mod work;

use std::sync::Arc;

use erlang_interop::node::{Node, SpawnError};
use erlang_interop::otp::{Functions, FunctionsBuilder, Services};
use erlang_interop::term::atom;

use crate::backends::Checker;
use crate::cluster::{Cluster, tell_change};
use crate::control_plane::ControlPlane;
use crate::semantic::{Map, terms};

/// Adds all functions of `HAR.*` to a table.
pub fn register(
    functions: &mut FunctionsBuilder,
    plane: &ControlPlane,
    checker: &Checker,
    cluster: &Cluster,
) {
    har::register(functions, plane, cluster);
    formats::register(functions, plane.telemetry());
    graph::register(functions);
    routing::register(functions, plane, cluster);
    keyed::register(functions, cluster);
    health::register(functions, plane, checker);
    policies::register(functions, plane);
    others::register(functions);
    telemetry::register(functions, plane.telemetry());
    cluster::register(functions, plane, cluster);
    regions::register(functions, plane, cluster);
    work::register(functions, plane, cluster);
}

/// What policies may ask of the node of this name.
pub fn node_facts(name: &str, cluster: &Cluster) -> Map {
    shapes::facts(&terms::atom_of(name), cluster.peers.own())
}

/// Starts the registered servers `HAR.ControlPlane.RoutingTable` and its siblings, and what tells
/// the other HAR nodes of this one. They are started again when they end.
///
/// # Errors
/// When a name is taken, there are too many processes, or the node stops.
pub fn start(
    node: &Node,
    plane: &ControlPlane,
    checker: &Checker,
    cluster: &Cluster,
    functions: &Functions,
) -> Result<(), SpawnError> {
    let mut services = Services::new(node, atom!("Elixir.HAR.Supervisor"));
    servers::start(&mut services, plane, checker, functions)?;
    let (table, teller) = (regions::Table::new(plane, functions), node.clone());
    cluster.peers.start(&mut services, Arc::new(table))?;
    services.supervise()?;
    plane.on_table_change(move || tell_change(&teller));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Flags, Settings};
    use crate::security::{ACTING, CHANGING, patterns};

    /// Functions that compute, or look at the node.
    const LOOKING: &[&str] = &[
        "HAR.convert/3",
        "HAR.parse/2",
        "HAR.parse/3",
        "HAR.route/2",
        "HAR.route_all",
        "HAR.transform/2",
        "HAR.version/0",
        "HAR.Cluster.leaving/0",
        "HAR.Cluster.Keys.find/2",
        "HAR.Cluster.Discovery.topologies/0",
        "HAR.Cluster.LoadBalancer.load/0",
        "HAR.Cluster.LoadBalancer.route_to_node/1",
        "HAR.Cluster.LoadBalancer.strategy/0",
        "HAR.Cluster.RoundRobin.next_node/0",
        "HAR.Cluster.latencies/0",
        "HAR.Cluster.latency_matrix/0",
        "HAR.Cluster.nodes/0",
        "HAR.ControlPlane.HealthChecker.all_health/0",
        "HAR.ControlPlane.HealthChecker.circuits/0",
        "HAR.ControlPlane.HealthChecker.filter_healthy/1",
        "HAR.ControlPlane.HealthChecker.get_health/1",
        "HAR.ControlPlane.HealthChecker.healthy?/1",
        "HAR.ControlPlane.PolicyEngine.apply_policies",
        "HAR.ControlPlane.PolicyEngine.evaluate",
        "HAR.ControlPlane.PolicyEngine.list_policies/0",
        "HAR.ControlPlane.PolicyEngine.stats/0",
        "HAR.ControlPlane.Router.route/2",
        "HAR.ControlPlane.Router.route_batch",
        "HAR.ControlPlane.RoutingTable.get_routes/0",
        "HAR.ControlPlane.RoutingTable.match/2",
        "HAR.ControlPlane.RoutingTable.version/0",
        // They compute and nothing else.
        "HAR.DataPlane.*",
        "HAR.Semantic.*",
        // They measure this node, as it does every ten seconds anyway.
        "HAR.Telemetry.measure_memory/0",
        "HAR.Telemetry.measure_process_count/0",
        "HAR.Telemetry.events",
        "HAR.Telemetry.metrics/0",
        "HAR.IPFS.Node.retrieve/1",
        "HAR.IPFS.Node.store/1",
        "HAR.Web.Endpoint.health_check/0",
    ];

    fn all() -> Functions {
        let settings = Settings::resolve(Flags::default(), &Environment::default());
        let cluster = Cluster::new(&settings.expect("defaults"));
        let mut functions = Functions::builder();
        let plane = ControlPlane::default();
        let checker = Checker::of_defaults(plane.clone());
        register(&mut functions, &plane, &checker, &cluster);
        functions.build()
    }

    #[test]
    fn each_request_to_a_server_stands_for_a_function_that_the_policy_can_be_asked_about() {
        let functions = all();
        for (module, name, arity) in [
            ("RoutingTable", "get_routes", 0),
            ("RoutingTable", "match", 2),
            ("RoutingTable", "reload", 1),
            ("HealthChecker", "all_health", 0),
            ("HealthChecker", "get_health", 1),
            ("HealthChecker", "check_now", 1),
            ("HealthChecker", "register_backend", 1),
            ("HealthChecker", "set_health", 2),
            ("PolicyEngine", "list_policies", 0),
            ("PolicyEngine", "stats", 0),
            ("PolicyEngine", "apply_policies", 3),
            ("PolicyEngine", "evaluate", 3),
            ("PolicyEngine", "add_policy", 1),
            ("PolicyEngine", "remove_policy", 1),
            ("PolicyEngine", "load_policies", 1),
        ] {
            let module = terms::atom_of(&format!("Elixir.HAR.ControlPlane.{module}"));
            assert!(functions.exported(&module, &terms::atom_of(name), arity), "{module}:{name}");
        }
    }

    #[test]
    fn each_function_was_decided_to_change_something_or_to_look() {
        let functions = all();
        let changing = patterns(&[CHANGING, ACTING].concat());
        let looking = patterns(LOOKING);
        let mut undecided = Vec::new();
        for module in
            functions.modules().into_iter().filter(|m| m.as_str().starts_with("Elixir.HAR"))
        {
            for (name, arity) in functions.exports(&module).unwrap_or_default() {
                let fits = |list: &[crate::security::CallPattern]| {
                    list.iter()
                        .filter(|p| p.matches(module.as_str(), name.as_str(), arity.into()))
                        .count()
                };
                if fits(&changing) + fits(&looking) != 1 {
                    undecided.push(format!("{module}.{name}/{arity}"));
                }
            }
        }
        assert!(undecided.is_empty(), "into CHANGING, or LOOKING here: {undecided:?}");
    }
}
