//! Staying connected to a node that the operator named.

use erlang_interop::node::{ConnectError, Node, NodeChange, NodeEvent, NodeFilter};
use erlang_interop::term::Atom;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::back_off::BackOff;

/// Dials `peer` until it answers, and again whenever the connection has ended. Returns when the
/// node stops, or when `peer` can never be dialled (its own name, another form of names).
pub(crate) async fn keep_connected(node: Node, peer: Atom) {
    let mut back_off = BackOff::new();
    let mut quiet = false;
    loop {
        // Before dialling, so that a connection that ends at once is not missed.
        let mut events = node.subscribe();
        match node.connect(&peer).await {
            Ok(()) => {
                back_off.reset();
                quiet = false;
                down(&node, &mut events, &peer).await;
            }
            Err(error) if is_final(&error) => {
                tracing::warn!(peer = peer.as_str(), %error, "not joined");
                return;
            }
            // One line when a peer is first missed; the others tell nothing new.
            Err(error) if quiet => tracing::debug!(peer = peer.as_str(), %error, "not joined yet"),
            Err(error) => {
                tracing::warn!(peer = peer.as_str(), %error, "not joined yet, trying on");
                quiet = true;
            }
        }
        let pause = back_off.wait(getrandom::u32().unwrap_or(0));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = up(&mut events, &peer) => {}
        }
    }
}

fn is_final(error: &ConnectError) -> bool {
    matches!(
        error,
        ConnectError::OwnName { .. }
            | ConnectError::NotANodeName { .. }
            | ConnectError::HostForm { .. }
            | ConnectError::NotAlive
    )
}

/// Waits until the connection to `peer` has ended.
async fn down(node: &Node, events: &mut Receiver<NodeEvent>, peer: &Atom) {
    loop {
        match events.recv().await {
            Ok(event) if event.node == *peer && matches!(event.change, NodeChange::Down(_)) => {
                return;
            }
            Ok(_) => {}
            Err(RecvError::Lagged(_)) if node.nodes(NodeFilter::Connected).contains(peer) => {}
            Err(_) => return,
        }
    }
}

/// Waits until `peer` has connected by itself.
async fn up(events: &mut Receiver<NodeEvent>, peer: &Atom) {
    loop {
        match events.recv().await {
            Ok(event) if event.node == *peer && matches!(event.change, NodeChange::Up) => return,
            Ok(_) => {}
            // Nothing is lost: the pause ends by itself.
            Err(_) => std::future::pending().await,
        }
    }
}
