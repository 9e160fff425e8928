//! What is measured again and again, since nothing says when it changes.

use std::time::Duration;

use erlang_interop::node::{Node, NodeFilter};
use erlang_interop::otp::memory;

use super::{Event, Telemetry};

/// As Elixir's `telemetry_poller` in HAR. spec: contract 6
const ROUND: Duration = Duration::from_secs(10);

/// Measures this node and its cluster every ten seconds. `latencies` gives what is known of the
/// peers. Never returns.
pub(crate) async fn keep_measuring(
    telemetry: Telemetry,
    node: Node,
    latencies: impl Fn() -> Vec<(String, Duration)> + Send,
) {
    let mut rounds = tokio::time::interval(ROUND);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        measure_memory(&telemetry, &node);
        measure_process_count(&telemetry, &node);
        telemetry.execute(&Event::ClusterSize { nodes: nodes(&node) });
        telemetry.execute(&Event::ClusterQueue { messages: whole(node.messages_waiting()) });
        // Whom nobody measures any more has no latency.
        telemetry.state.metrics.latency.clear();
        for (target, latency) in latencies() {
            telemetry.execute(&Event::ClusterLatency { target: &target, latency });
        }
    }
}

/// `[:vm, :memory]`.
pub(crate) fn measure_memory(telemetry: &Telemetry, node: &Node) {
    let (total, processes) = (bytes(node, "total"), bytes(node, "processes"));
    let system = total.saturating_sub(processes);
    telemetry.execute(&Event::Memory { total, processes, system });
}

fn bytes(node: &Node, kind: &str) -> u64 {
    memory(node, kind).and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default()
}

/// `[:vm, :process_count]`.
pub(crate) fn measure_process_count(telemetry: &Telemetry, node: &Node) {
    telemetry.execute(&Event::ProcessCount { count: whole(node.process_count()) });
}

/// The visible nodes, this one included.
pub(super) fn nodes(node: &Node) -> u64 {
    whole(node.nodes(NodeFilter::Visible).len() + 1)
}

pub(super) fn whole(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
