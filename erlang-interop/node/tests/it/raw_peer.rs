//! A peer by hand: a socket that has shaken hands, and does nothing by itself.

use std::time::Duration;

use erlang_dist::handshake::{HandshakeConfig, HandshakeOutcome, Initiator, InitiatorEvent};
use erlang_node::{Cookie, Creation, DistributionFlags, Node, NodeConfig, NodeFilter, NodeName};
use erlang_term::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{self, until};

/// A node with this time for ticks, and a peer that is connected and has read nothing.
pub(crate) async fn with_reader(prefix: &str, tick: Duration) -> (Node, TcpStream, Pid) {
    let mut config = harness::config(prefix);
    config.net_tick_time = tick;
    let (node, stream, pid, _) = connected(config, DistributionFlags::DEFAULT).await;
    (node, stream, pid)
}

/// A node, a peer with these flags that is connected, a process of it, and what was agreed on.
pub(crate) async fn connected(
    config: NodeConfig,
    flags: DistributionFlags,
) -> (Node, TcpStream, Pid, HandshakeOutcome) {
    let node = Node::start(config).await.expect("started");
    let address = node.listen_address().expect("it listens");
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let outcome = shake_hands_with(&mut stream, node.name().as_str(), flags).await;
    until("the peer is up", || !node.nodes(NodeFilter::Visible).is_empty()).await;
    let peer = node.nodes(NodeFilter::Visible).remove(0);
    (node, stream, Pid::new(peer, 1, 0, 7), outcome)
}

/// Dials as a peer that does nothing else.
pub(crate) async fn shake_hands(stream: &mut TcpStream, to: &str) {
    shake_hands_with(stream, to, DistributionFlags::DEFAULT).await;
}

async fn shake_hands_with(
    stream: &mut TcpStream,
    to: &str,
    flags: DistributionFlags,
) -> HandshakeOutcome {
    let own = NodeName::new(&harness::unique("mute")).expect("a name");
    let mut config = HandshakeConfig::new(own, Creation(7));
    config.flags = flags;
    let cookie = Cookie::new(harness::COOKIE).expect("a cookie");
    let to = NodeName::new(to).expect("a name");
    let mut machine = Initiator::new(config, to, cookie, 1, Duration::ZERO);
    loop {
        stream.write_all(&machine.take_output()).await.expect("written");
        match machine.poll_event(Duration::ZERO).expect("the handshake works") {
            Some(InitiatorEvent::Done(outcome)) => return *outcome,
            Some(_) => {}
            None => {
                stream.write_all(&machine.take_output()).await.expect("written");
                let mut bytes = [0; 512];
                let count = stream.read(&mut bytes).await.expect("read");
                assert!(count > 0, "closed in the handshake");
                machine.handle_input(&bytes[..count]).expect("fits");
            }
        }
    }
}
