//! Metrics that are read when somebody asks: of the program, its node, and its connections.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use erlang_interop::node::{ConnectionStats, Node, NodeFilter};
use erlang_interop::otp::memory;

use super::metrics::{Family, Kind, Sample, real};
use super::poller::{nodes, whole};
use super::series::OTHER;

/// Peers with values of their own: those of more are summed up.
const PEERS_MAX: usize = 256;

/// A metric of a connection: name, help, kind, value.
type OfConnection = (&'static str, &'static str, Kind, fn(&ConnectionStats) -> u64);

const OF_CONNECTIONS: &[OfConnection] = &[
    (
        "har_connection_received_bytes_total",
        "Bytes read from a peer since it was connected.",
        Kind::Counter,
        |stats| stats.bytes_in,
    ),
    (
        "har_connection_sent_bytes_total",
        "Bytes written to a peer since it was connected.",
        Kind::Counter,
        |stats| stats.bytes_out,
    ),
    (
        "har_connection_received_messages_total",
        "Control messages from a peer since it was connected.",
        Kind::Counter,
        |stats| stats.messages_in,
    ),
    (
        "har_connection_sent_messages_total",
        "Control messages to a peer since it was connected.",
        Kind::Counter,
        |stats| stats.messages_out,
    ),
    (
        "har_connection_queued_bytes",
        "Bytes that wait to be written to a peer.",
        Kind::Gauge,
        |stats| stats.queued_bytes,
    ),
];

pub(super) fn families(node: &Node) -> Vec<Family> {
    let mut families = of_program(node);
    families.extend(of_node(node));
    let stats: Vec<(String, ConnectionStats)> = node
        .nodes(NodeFilter::Connected)
        .into_iter()
        .filter_map(|peer| Some((peer.as_str().to_owned(), node.node_info(&peer)?.stats)))
        .collect();
    families.extend(OF_CONNECTIONS.iter().map(|one| of_connections(one, &stats)));
    families
}

fn of_connections(
    (name, help, kind, value): &OfConnection,
    stats: &[(String, ConnectionStats)],
) -> Family {
    let sample = |peer: &str, value| Sample {
        suffix: "",
        labels: vec![("peer", peer.to_owned())],
        value: real(value),
    };
    let (named, others) = stats.split_at(stats.len().min(PEERS_MAX));
    let mut samples: Vec<Sample> =
        named.iter().map(|(peer, stats)| sample(peer, value(stats))).collect();
    if !others.is_empty() {
        samples.push(sample(OTHER, others.iter().map(|(_, stats)| value(stats)).sum()));
    }
    Family { name, help, kind: *kind, samples }
}

fn of_node(node: &Node) -> [Family; 4] {
    let gauge = |name, help, value| Family::one(name, help, Kind::Gauge, real(value));
    let kinds = ["total", "processes", "system"].into_iter().filter_map(|kind| {
        let bytes = u64::try_from(memory(node, kind)?).ok()?;
        let labels = vec![("kind", kind.to_owned())];
        Some(Sample { suffix: "", labels, value: real(bytes) })
    });
    [
        gauge("har_cluster_nodes", "Visible nodes, this one included.", nodes(node)),
        gauge(
            "har_cluster_queue_messages",
            "Messages that wait in the mailboxes of this node's processes.",
            whole(node.messages_waiting()),
        ),
        gauge("har_processes", "Processes of this node.", whole(node.process_count())),
        Family {
            name: "har_memory_bytes",
            help: "Memory as `erlang:memory/0` tells it.",
            kind: Kind::Gauge,
            samples: kinds.collect(),
        },
    ]
}

fn of_program(node: &Node) -> Vec<Family> {
    let started = SystemTime::now().checked_sub(node.uptime());
    let started = started.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let mut families = vec![
        Family {
            name: "har_build_info",
            help: "The version of this program.",
            kind: Kind::Gauge,
            samples: vec![Sample {
                suffix: "",
                labels: vec![("version", env!("CARGO_PKG_VERSION").to_owned())],
                value: 1.0,
            }],
        },
        Family::one(
            "process_start_time_seconds",
            "When the node was started, in seconds since 1970.",
            Kind::Gauge,
            started.unwrap_or_default().as_secs_f64().floor(),
        ),
    ];
    let mut add = |name, help, kind, value: Option<f64>| {
        families.extend(value.map(|value| Family::one(name, help, kind, value)));
    };
    add(
        "process_resident_memory_bytes",
        "Memory of the program that is in RAM.",
        Kind::Gauge,
        memory(node, "total").and_then(|bytes| u64::try_from(bytes).ok()).map(real),
    );
    add(
        "process_cpu_seconds_total",
        "Time that processors have spent on the program.",
        Kind::Counter,
        cpu_time().map(|time| time.as_secs_f64()),
    );
    add("process_open_fds", "Open files and sockets.", Kind::Gauge, open_files().map(real));
    add("process_max_fds", "Most files and sockets it may open.", Kind::Gauge, files_max());
    families
}

fn cpu_time() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
}

fn open_files() -> Option<u64> {
    let count = std::fs::read_dir("/proc/self/fd").ok()?.count();
    // One of them was opened to count them.
    u64::try_from(count.saturating_sub(1)).ok()
}

fn files_max() -> Option<f64> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    // No limit is the largest number there is, as client libraries of Prometheus have it.
    Some(limit.current.map_or(f64::INFINITY, real))
}
