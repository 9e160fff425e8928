//! `HAR.Cluster`: where the nodes are and how long it takes to reach them; and the routing table as
//! other HAR nodes get it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use erlang_interop::node::{Node, NodeFilter};
use erlang_interop::otp::{Call, Caller, Functions, FunctionsBuilder, rpc};
use erlang_interop::term::{Atom, Term, atom, term};
use tokio::task::JoinSet;

use super::routing::{self, ROUTING_TABLE};
use crate::cluster::{Cluster, SharedTable, TableMark};
use crate::config::PlaceName;
use crate::control_plane::{ControlPlane, TableVersion};

const MODULE: &str = "Elixir.HAR.Cluster";

/// How long a node may take to tell its row of the matrix.
const ROW_TIME: Duration = Duration::from_secs(2);
/// Nodes asked for their rows at the same time.
const ROWS_AT_ONCE: usize = 32;

pub(super) fn register(functions: &mut FunctionsBuilder, plane: &ControlPlane, cluster: &Cluster) {
    let (shared, plane) = (cluster.clone(), plane.clone());
    functions.function(MODULE, "nodes", 0, move |call: Call| {
        let nodes = nodes(call.node(), &plane, &shared);
        async move { Ok(nodes) }
    });
    let shared = cluster.clone();
    functions.pure(MODULE, "latencies", 0, move |_| Ok(latencies(&shared)));
    let shared = cluster.clone();
    functions.function(MODULE, "latency_matrix", 0, move |call: Call| {
        let cluster = shared.clone();
        async move { Ok(latency_matrix(call.node(), &cluster).await) }
    });
}

/// `[%{node: :"a@b", har: true, region: "eu", zone: nil, latency_ms: 0.4, table: %{serial: 1,
/// digest: "…"}}]`, this node first. Of a BEAM only the latency is known.
fn nodes(node: &Node, plane: &ControlPlane, cluster: &Cluster) -> Term {
    let name = |name: &PlaceName| name.known().map_or_else(|| term!(nil), Term::from);
    let one = |peer: Atom, latency: Option<Duration>| {
        let own = peer == *node.name();
        let told = cluster.peers.told(&peer);
        let place = cluster.peers.place(node, &peer);
        let table = match &told {
            _ if own => routing::version(plane),
            Some(told) => mark_term(&told.table),
            None => term!(nil),
        };
        term!(#{
            node => (&peer),
            har => (own || told.is_some()),
            region => (name(&place.region)),
            zone => (name(&place.zone)),
            latency_ms => (latency.map_or_else(|| term!(nil), milliseconds)),
            table => (table),
        })
    };
    let mut peers = node.nodes(NodeFilter::Visible);
    peers.sort();
    let others = peers.into_iter().map(|peer| {
        let latency = cluster.balancer.latency(&peer);
        one(peer, latency)
    });
    let own = one(node.name().clone(), Some(Duration::ZERO));
    Term::list([own].into_iter().chain(others))
}

fn mark_term(mark: &TableMark) -> Term {
    let serial = i64::try_from(mark.serial).unwrap_or(i64::MAX);
    term!(#{serial => (serial), digest => (mark.digest.as_str())})
}

fn milliseconds(latency: Duration) -> Term {
    Term::from(latency.as_secs_f64() * 1000.0)
}

/// `%{:"a@b" => 0.4}`: milliseconds to each node that has been measured.
fn latencies(cluster: &Cluster) -> Term {
    let row = cluster.balancer.latencies().into_iter();
    Term::map(row.map(|(peer, latency)| (Term::Atom(peer), milliseconds(latency))))
}

/// `%{:"a@b" => %{:"c@d" => 0.4}}`: the rows of this node and of all HAR nodes that answer.
async fn latency_matrix(node: &Node, cluster: &Cluster) -> Term {
    let mut rows = HashMap::from([(node.name().clone(), latencies(cluster))]);
    let mut waiting = cluster.peers.names().into_iter();
    let mut asked = JoinSet::new();
    loop {
        while asked.len() < ROWS_AT_ONCE
            && let Some(peer) = waiting.next()
        {
            let node = node.clone();
            asked.spawn(async move {
                let (module, function) = (Atom::from_checked(MODULE), atom!("latencies"));
                let row = rpc::call(&node, &peer, &module, &function, Vec::new(), ROW_TIME).await;
                (peer, row)
            });
        }
        match asked.join_next().await {
            None => break,
            // A refusal is a tuple.
            Some(Ok((peer, row))) if row.as_map().is_some() => drop(rows.insert(peer, row)),
            Some(_) => {}
        }
    }
    Term::map(rows.into_iter().map(|(node, row)| (Term::Atom(node), row)))
}

/// The routing table of a control plane, for the exchange between nodes.
#[derive(Debug)]
pub(super) struct Table {
    plane: ControlPlane,
    functions: Functions,
}

impl Table {
    pub(super) fn new(plane: &ControlPlane, functions: &Functions) -> Self {
        Self { plane: plane.clone(), functions: functions.clone() }
    }
}

impl SharedTable for Table {
    fn mark(&self) -> TableMark {
        let TableVersion { serial, digest } = self.plane.table().version().clone();
        TableMark { serial, digest }
    }

    fn source(&self) -> Arc<str> {
        Arc::clone(self.plane.table().source())
    }

    /// As if it called `RoutingTable.reload/1`.
    fn may_change(&self, caller: &Caller) -> bool {
        let module = Atom::from_checked(ROUTING_TABLE);
        self.functions.check(caller, &module, &atom!("reload"), 1).is_ok()
    }

    fn follow(&self, peer: &Atom, serial: u64, source: &str) {
        match self.plane.follow(serial, source) {
            Ok(true) => tracing::info!(%peer, serial, "took the newer routing table of a node"),
            Ok(false) => tracing::debug!(%peer, serial, "the routing table of a node is not newer"),
            Err(reason) => {
                tracing::warn!(%peer, serial, %reason, "cannot use the routing table of a node");
            }
        }
    }
}
