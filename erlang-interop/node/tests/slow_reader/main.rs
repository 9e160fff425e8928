//! What waits for a peer that reads slowly, waits with its sender. A binary of its own with this one
//! test, since it measures the memory of its whole program.

use std::time::Duration;

use erlang_dist::ConnectionError;
use erlang_node::{Context, DownReason, Node, NodeChange, SpawnOptions};
use erlang_term::{Pid, Term};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use harness::{soon, until};

#[path = "../it/harness.rs"]
#[allow(dead_code, reason = "others use the rest of it")]
mod harness;
#[path = "../it/raw_peer.rs"]
#[allow(dead_code, reason = "others use the rest of it")]
mod raw_peer;

const GIB: usize = 1 << 30;
/// Bytes that a program may take for a while beside what is stated: buffers, stacks, and what the
/// allocator has not given back.
const MARGIN: usize = 24 << 20;

/// Resident memory of this program in bytes, as Linux tells it.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    let kibibytes = line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number");
    kibibytes * 1024
}

/// A process that sends the same message some times.
fn sender(node: &Node, to: &Pid, body: Term, times: usize) {
    let to = to.clone();
    let sender = node.spawn(SpawnOptions::new(), move |context: Context| async move {
        for _ in 0..times {
            context.send(&to, body.clone()).await;
        }
    });
    sender.expect("spawned");
}

/// The most that was seen of two things.
#[derive(Default)]
struct Most {
    queued: usize,
    resident: usize,
}

impl Most {
    fn look(&mut self, node: &Node, peer: &Pid) {
        let info = node.node_info(peer.node()).expect("connected");
        let queued = usize::try_from(info.stats.queued_bytes).expect("fits");
        self.queued = self.queued.max(queued);
        self.resident = self.resident.max(resident());
    }
}

/// Reads so many bytes and what is around them, and looks at the node beside each step.
async fn read_slowly(stream: &mut TcpStream, node: &Node, peer: &Pid, bytes: usize) -> Most {
    let (mut buffer, mut read, mut most) = (vec![0; 64 * 1024], 0, Most::default());
    until("there is more than the connection takes", || {
        most.look(node, peer);
        most.queued > 1 << 20
    })
    .await;
    while read < bytes {
        let count = soon(stream.read(&mut buffer)).await.expect("connected");
        assert!(count > 0, "closed after {read} bytes");
        read += count;
        most.look(node, peer);
    }
    most
}

/// 64 messages. Gives the bytes that it took, as do the next two.
async fn one_gib_in_messages_is_never_queued_at_once() -> usize {
    let (node, mut stream, to) = raw_peer::with_reader("parts", Duration::from_secs(60)).await;
    let busy_limit = node.config().dist_buf_busy_limit_bytes;
    let bytes = 16 << 20;
    let body = Term::binary(vec![7; bytes]);
    let before = resident();
    sender(&node, &to, body, GIB / bytes);
    let most = read_slowly(&mut stream, &node, &to, GIB).await;
    // One message may pass the limit; the rest is the frames around it.
    assert!(most.queued <= busy_limit + bytes + 64 * 1024, "{} bytes were queued", most.queued);
    let taken = most.resident.saturating_sub(before);
    assert!(taken <= MARGIN, "{taken} bytes were taken");
    node.shutdown().await;
    taken
}

/// Its memory was never written to, so whatever is taken is a copy.
async fn one_message_of_one_gib_is_not_copied() -> usize {
    let (node, mut stream, to) = raw_peer::with_reader("whole", Duration::from_secs(60)).await;
    let busy_limit = node.config().dist_buf_busy_limit_bytes;
    let before = resident();
    sender(&node, &to, Term::binary(vec![0; GIB]), 1);
    let most = read_slowly(&mut stream, &node, &to, GIB).await;
    assert!(most.queued <= busy_limit + GIB + 64 * 1024, "{} bytes were queued", most.queued);
    let taken = most.resident.saturating_sub(before);
    assert!(taken <= MARGIN, "{taken} bytes were taken");
    node.shutdown().await;
    taken
}

/// It would hold more than the unfinished messages of all peers may.
async fn a_message_of_one_gib_is_refused() -> usize {
    let (giver, taker) = (harness::node("giver").await, harness::node("taker").await);
    let max = taker.config().intake_bytes_max;
    let sink = taker.spawn(SpawnOptions::new(), harness::sink).expect("spawned");
    let (mut events, mut given) = (taker.subscribe(), giver.subscribe());
    let before = resident();
    sender(&giver, &sink, Term::binary(vec![0; GIB]), 1);
    let mut most = 0;
    let reason = loop {
        most = most.max(resident());
        // Often enough to see what is taken meanwhile.
        let pause = Duration::from_millis(1);
        let Ok(event) = tokio::time::timeout(pause, soon(events.recv())).await else { continue };
        if let NodeChange::Down(reason) = event.expect("an event").change {
            break reason;
        }
    };
    let DownReason::Protocol(ConnectionError::Limit { max: limit, got, .. }) = reason else {
        panic!("{reason:?}")
    };
    assert_eq!(limit, max as u64);
    assert!(got > limit, "{got}");
    let taken = most.saturating_sub(before);
    assert!(taken <= max + MARGIN, "{taken} bytes were taken");
    // Had nothing been measured, this would tell.
    assert!(taken > max / 4, "{taken} bytes were taken");
    let down = async {
        while let Ok(event) = given.recv().await {
            if matches!(event.change, NodeChange::Down(_)) {
                return;
            }
        }
    };
    soon(down).await;
    assert!(taker.is_process_alive(&sink), "nobody else has noticed");
    taken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_gib_for_a_slow_reader_takes_what_is_stated() {
    let parts = one_gib_in_messages_is_never_queued_at_once().await;
    let whole = one_message_of_one_gib_is_not_copied().await;
    let refused = a_message_of_one_gib_is_refused().await;
    println!("taken: {parts} bytes in 64 messages, {whole} in one, {refused} until it was refused");
}
