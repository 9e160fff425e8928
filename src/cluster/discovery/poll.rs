//! Topologies that ask somebody, again and again.

use std::sync::Arc;
use std::time::Duration;

use erlang_interop::node::Node;
use tokio::time::{Instant, sleep_until, timeout};

use super::Running;
use super::dialer::Dialer;
use super::source::Source;
use crate::cluster::back_off::BackOff;
use crate::cluster::limits::LIST_TIME_MAX;

/// Asks `source` every `interval`, and when it says that it has changed. While it fails it is asked
/// ever more rarely, and what it said last stands: a hiccup of a name server must not tear a cluster
/// apart. Never returns.
pub(super) async fn run(running: Arc<Running>, node: Node, mut source: Source, interval: Duration) {
    let mut dialer = Dialer::new(running, node);
    let mut failing = false;
    let mut back_off = BackOff::new();
    loop {
        let listed = timeout(LIST_TIME_MAX, source.list(dialer.node().name())).await;
        let listed = listed.unwrap_or_else(|_| Err("it did not answer in time".to_owned()));
        let topology = dialer.topology();
        let mut wait = interval;
        match listed {
            Ok(nodes) => {
                back_off.reset();
                if failing {
                    tracing::info!(topology, "{source} answers again");
                    failing = false;
                }
                tracing::debug!(topology, nodes = nodes.len(), "{source} was asked");
                if source.tells_who_left() {
                    dialer.replaced(&nodes).await;
                } else {
                    dialer.found(&nodes);
                }
            }
            Err(reason) => {
                wait = interval.max(back_off.wait(getrandom::u32().unwrap_or(0)));
                if failing {
                    tracing::debug!(topology, reason, "{source} still fails");
                } else {
                    tracing::warn!(topology, reason, "{source} cannot be used now, trying on");
                }
                failing = true;
            }
        }
        let next = Instant::now() + wait;
        loop {
            tokio::select! {
                () = sleep_until(next) => break,
                () = source.changed() => break,
                () = dialer.progress() => {}
            }
        }
    }
}
