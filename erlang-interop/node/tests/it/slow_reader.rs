//! What waits for a peer that reads slowly, waits with its sender.

use erlang_node::{Context, Node, NodeFilter, SpawnOptions};
use erlang_term::{Pid, Term};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::harness::{self, soon, until};
use crate::raw_peer::shake_hands;

const MESSAGE_BYTES: usize = 16 << 20;
const MESSAGES: usize = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_gib_for_a_slow_reader_is_never_queued_at_once() {
    let config = harness::config("slow");
    let busy_limit = config.dist_buf_busy_limit_bytes;
    let node = Node::start(config).await.expect("started");
    let mut stream =
        TcpStream::connect(node.listen_address().expect("it listens")).await.expect("connected");
    shake_hands(&mut stream, node.name().as_str()).await;
    until("the peer is up", || !node.nodes(NodeFilter::Visible).is_empty()).await;
    let peer = node.nodes(NodeFilter::Visible).remove(0);
    let to = Pid::new(peer.clone(), 1, 0, 7);
    let body = Term::binary(vec![7; MESSAGE_BYTES]);
    let sender = node.spawn(SpawnOptions::new(), move |context: Context| async move {
        for _ in 0..MESSAGES {
            context.send(&to, body.clone()).await;
        }
    });
    sender.expect("spawned");
    let mut buffer = vec![0; 64 * 1024];
    let (mut read, mut queued_max) = (0, 0);
    while read < MESSAGES * MESSAGE_BYTES {
        read += soon(stream.read(&mut buffer)).await.expect("connected");
        let info = node.node_info(&peer).expect("connected");
        queued_max = queued_max.max(info.stats.queued_bytes);
    }
    // One message may pass the limit, and is counted twice while it goes from queue to encoder.
    let max = 2 * (busy_limit + MESSAGE_BYTES + 64 * 1024) as u64;
    assert!(queued_max <= max, "{queued_max} bytes were queued");
    assert!(queued_max >= busy_limit as u64, "the reader was no slower than the sender");
}
