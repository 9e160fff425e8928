//! `HAR.Cluster.*`: which node an operation belongs to, and how nodes were found.

use erlang_interop::node::{Node, NodeFilter};
use erlang_interop::otp::{Call, Exception, FunctionsBuilder, Outcome};
use erlang_interop::term::{Atom, Term, term};

use super::errors::key_error;
use super::shapes;
use crate::cluster::{Cluster, Found, LoadBalancer, Place, Report};
use crate::control_plane::ControlPlane;

const CLUSTER: &str = "Elixir.HAR.Cluster";
const LOAD_BALANCER: &str = "Elixir.HAR.Cluster.LoadBalancer";
const DISCOVERY: &str = "Elixir.HAR.Cluster.Discovery";
const ROUND_ROBIN: &str = "Elixir.HAR.Cluster.RoundRobin";

pub(super) fn register(functions: &mut FunctionsBuilder, plane: &ControlPlane, cluster: &Cluster) {
    let balancer = &cluster.balancer;
    let (shared, own_plane) = (balancer.clone(), plane.clone());
    functions.function(LOAD_BALANCER, "route_to_node", 1, move |call: Call| {
        let (balancer, plane) = (shared.clone(), own_plane.clone());
        async move { route_to_node(&plane, &balancer, &call) }
    });
    let shared = balancer.clone();
    functions.function(LOAD_BALANCER, "load", 0, move |call: Call| {
        let load = shared.load(call.node());
        // Not counting the process that asks.
        async move { Ok(Term::from(load.saturating_sub(1))) }
    });
    let name = Atom::from_checked(balancer.strategy().as_str());
    functions.pure(LOAD_BALANCER, "strategy", 0, move |_| Ok(Term::Atom(name.clone())));
    let shared = balancer.clone();
    functions.function(ROUND_ROBIN, "next_node", 0, move |call: Call| {
        let next = shared.next_node(call.node());
        async move { Ok(Term::Atom(next)) }
    });
    let departures = cluster.departures.clone();
    functions.pure(CLUSTER, "leave", 0, move |_| {
        departures.order();
        Ok(term!(ok))
    });
    let departures = cluster.departures.clone();
    functions.function(CLUSTER, "leaving", 0, move |call: Call| {
        let leaving = Term::list(departures.leaving(call.node().name()));
        async move { Ok(leaving) }
    });
    let discovery = cluster.discovery.clone();
    functions.function(DISCOVERY, "topologies", 0, move |call: Call| {
        let topologies = topologies(call.node(), &discovery.report());
        async move { Ok(topologies) }
    });
}

/// The node of an operation, as its id decides, among those that policies let have it; `nil` when
/// there is none.
fn route_to_node(plane: &ControlPlane, balancer: &LoadBalancer, call: &Call) -> Outcome {
    let given = &call.arguments[0];
    let key = id(given)?;
    let confined = plane.confine(&[shapes::any_operation(given)], None);
    let may = |name: &Atom, place: &Place| {
        let facts = shapes::facts(name, place);
        confined.iter().all(|one| one.allows(&facts))
    };
    Ok(balancer.route(call.node(), key, may).map_or_else(|| term!(nil), Term::Atom))
}

/// `[%{name: "lan", strategy: :gossip, nodes: [%{node: :"a@b", connected: true, failures: 0,
/// reason: nil}]}]`.
fn topologies(node: &Node, reports: &[Report]) -> Term {
    let connected = node.nodes(NodeFilter::Connected);
    Term::list(reports.iter().map(|report| {
        let strategy = Atom::from_checked(report.strategy);
        let nodes = report.found.iter().map(|found| found_node(found, &connected));
        term!(#{
            name => (report.name.as_str()),
            strategy => (strategy),
            nodes => (Term::list(nodes)),
        })
    }))
}

fn found_node(found: &Found, connected: &[Atom]) -> Term {
    let reason = found.fault.as_deref().map_or_else(|| term!(nil), Term::from);
    term!(#{
        node => (found.node.clone()),
        connected => (connected.contains(&found.node)),
        failures => (found.failures),
        reason => (reason),
    })
}

/// `operation.id`, of a struct or of any map.
fn id(operation: &Term) -> Result<&Term, Exception> {
    let fields = operation.as_map().ok_or_else(Exception::function_clause)?;
    fields.get_atom("id").ok_or_else(|| key_error("id", operation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_that_of_any_map() {
        assert_eq!(id(&term!(#{id => "a", x => 1})), Ok(&Term::from("a")));
        assert!(id(&term!(#{x => 1})).is_err());
        assert_eq!(id(&term!(nil)), Err(Exception::function_clause()));
    }
}
