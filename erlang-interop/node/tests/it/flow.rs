//! Order, backpressure, and large messages between two nodes.

use std::time::Duration;

use erlang_node::transport::Transport;
use erlang_node::transport::memory::MemoryNet;
use erlang_node::{Context, DownReason, ExitReason, Node, NodeChange, SendNowError, SpawnOptions};
use erlang_term::{Pid, Term};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::harness::{self, ask, echo, node, soon, until, within};
use crate::raw_peer::{shake_hands, with_reader};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_all_sizes_keep_their_order() {
    let (a, b) = (node("fa").await, node("fb").await);
    let count = 20_000;
    within(&b, move |mut context: Context| async move {
        let to = context.pid().clone();
        let sender = a.spawn(SpawnOptions::new(), move |context: Context| async move {
            for number in 0..count {
                // Every hundredth is fragmented.
                let size = if number % 100 == 0 { 300_000 } else { number % 500 };
                let body = Term::binary(vec![1; usize::try_from(size).expect("small")]);
                context.send(&to, Term::tuple([Term::from(number), body])).await;
            }
        });
        sender.expect("spawned");
        for number in 0..count {
            let message = soon(context.receive()).await;
            let elements = message.as_tuple().expect("a tuple");
            assert_eq!(elements[0], Term::from(number));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_that_flood_each_other_do_not_block_each_other() {
    let (a, b) = (node("ba").await, node("bb").await);
    let (echo_a, echo_b) = (echo(&a, SpawnOptions::new()), echo(&b, SpawnOptions::new()));
    let flood = |node: &Node, to: erlang_term::Pid| {
        let node = node.clone();
        async move {
            within(&node, move |mut context: Context| async move {
                let body = Term::binary(vec![7; 100_000]);
                let own = Term::Pid(context.pid().clone());
                for _ in 0..200 {
                    context.send(&to, Term::tuple([own.clone(), body.clone()])).await;
                }
                for _ in 0..200 {
                    soon(context.receive()).await;
                }
            })
            .await;
        }
    };
    tokio::join!(flood(&a, echo_b), flood(&b, echo_a));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_64_mib_binary_arrives_whole() {
    let (a, b) = (node("ha").await, node("hb").await);
    let remote = echo(&b, SpawnOptions::new());
    within(&a, move |mut context: Context| async move {
        let bytes: Vec<u8> = (0..64 << 20).map(|n: u32| (n % 251) as u8).collect();
        let body = Term::binary(bytes);
        let answer = ask(&mut context, &remote, body.clone()).await;
        assert!(answer.as_tuple().is_some_and(|elements| elements[1] == body));
    })
    .await;
}

/// What one connection keeps for its next long message is no reason to refuse that of another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_take_turns_with_the_longest_messages() {
    let served = node("ts").await;
    let taker = served.spawn(SpawnOptions::new(), |mut context: Context| async move {
        for _ in 0..12 {
            let message = context.receive().await;
            let from = message.as_tuple().and_then(|pair| pair[0].as_pid().cloned());
            // Its memory is there to be kept when the sender hears of it.
            drop(message);
            context.send(&from.expect("a pid"), "taken").await;
        }
    });
    let taker = taker.expect("spawned");
    let peers = [node("ta").await, node("tb").await, node("tc").await];
    for peer in peers.iter().cycle().take(6) {
        let (taker, body) = (taker.clone(), Term::binary(vec![7; 64 << 20]));
        within(peer, move |mut context: Context| async move {
            // The second wakes the connection once more.
            for body in [body, Term::binary(vec![])] {
                context.send(&taker, (context.pid(), body)).await;
                assert_eq!(*soon(context.receive()).await.term(), Term::from("taken"));
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_sender_waits_while_the_connection_is_busy() {
    let mut config = harness::config("wa");
    config.dist_buf_busy_limit_bytes = 256 * 1024;
    // A peer that reads slowly: small buffers, and a task that is never polled meanwhile.
    config.send_buffer_bytes = Some(16 * 1024);
    let a = Node::start(config).await.expect("started");
    let mut config = harness::config("wb");
    config.receive_buffer_bytes = Some(16 * 1024);
    let b = Node::start(config).await.expect("started");
    let sink = b.spawn(SpawnOptions::new(), harness::sink).expect("spawned");
    a.connect(b.name()).await.expect("connected");
    let body = Term::binary(vec![0; 100_000]);
    let mut refused = None;
    for _ in 0..1000 {
        // Without an await nothing is written on this single-threaded runtime.
        if let Err(error) = a.send_now(&sink, body.clone()) {
            refused = Some(error);
            break;
        }
    }
    assert_eq!(refused, Some(SendNowError::Busy));
    let queued = a.node_info(b.name()).expect("connected").stats.queued_bytes;
    assert!((256 * 1024..512 * 1024).contains(&queued), "{queued}");
    soon(a.send(&sink, body)).await;
    until("all is written", || {
        a.node_info(b.name()).is_some_and(|info| info.stats.queued_bytes == 0)
    })
    .await;
}

#[tokio::test]
async fn counters_count() {
    let (a, b) = (node("ca").await, node("cb").await);
    let remote = echo(&b, SpawnOptions::new());
    let name = b.name().clone();
    within(&a, move |mut context: Context| async move {
        ask(&mut context, &remote, Term::from(1)).await;
        let info = context.node().node_info(&name).expect("connected");
        assert_eq!((info.stats.messages_out, info.stats.messages_in), (1, 1));
        assert!(info.stats.bytes_out > 0 && info.stats.bytes_in > 0);
        assert_eq!(info.creation, b.creation());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn ticks_keep_a_quiet_connection_up() {
    let net = MemoryNet::new();
    let memory = |prefix: &str| {
        let mut config = harness::config(prefix);
        config.transport = Transport::Memory(net.clone());
        config
    };
    let a = Node::start(memory("pa")).await.expect("started");
    let b = Node::start(memory("pb")).await.expect("started");
    a.connect(b.name()).await.expect("connected");
    let id = a.node_info(b.name()).expect("connected").connection_id;
    // Ten minutes in which nothing is said, of virtual time.
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(a.node_info(b.name()).map(|info| info.connection_id), Some(id));
}

#[tokio::test]
async fn a_silent_peer_is_down_after_the_tick_time() {
    let mut config = harness::config("quiet");
    config.net_tick_time = Duration::from_millis(400);
    let node = Node::start(config).await.expect("started");
    let mut events = node.subscribe();
    let address = node.listen_address().expect("it listens");
    let mut stream = TcpStream::connect(address).await.expect("connected");
    shake_hands(&mut stream, node.name().as_str()).await;
    // The stream stays open and says nothing more.
    assert!(matches!(soon(events.recv()).await.expect("an event").change, NodeChange::Up));
    let down = soon(events.recv()).await.expect("an event").change;
    assert!(matches!(down, NodeChange::Down(DownReason::NetTickTimeout)), "{down:?}");
}

/// Reads what has so many bytes of payload; the bytes around it are few.
async fn read_payload(stream: &mut TcpStream, payload: usize) {
    let mut buffer = vec![0; 256 * 1024];
    let mut read = 0;
    while read < payload {
        let count = soon(stream.read(&mut buffer)).await.expect("connected");
        assert!(count > 0, "closed after {read} bytes");
        read += count;
    }
}

/// A process that has sent more than the connection takes, and says how it went on.
fn suspended_sender(node: &Node, to: &Pid) -> oneshot::Receiver<()> {
    let (sent, is_sent) = oneshot::channel();
    let to = to.clone();
    let sender = node.spawn(SpawnOptions::new(), move |context: Context| async move {
        for _ in 0..4 {
            context.send(&to, Term::binary(vec![7; 16 << 20])).await;
        }
        let _ = sent.send(());
    });
    sender.expect("spawned");
    is_sent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_message_of_any_length_passes_and_signals_behind_it() {
    let (node, mut stream, to) = with_reader("one", Duration::from_secs(60)).await;
    let bytes = 200 << 20;
    let sender = node.spawn(SpawnOptions::new(), {
        let to = to.clone();
        move |context: Context| async move {
            context.send(&to, Term::binary(vec![7; bytes])).await;
            // Its end is a signal, which waits for nothing.
            context.link(&to).await;
        }
    });
    let sender = sender.expect("spawned");
    until("the process has ended", || !node.is_process_alive(&sender)).await;
    read_payload(&mut stream, bytes).await;
    assert!(node.node_info(to.node()).is_some(), "still connected");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_results_of_many_processes_at_once_pass() {
    let (node, mut stream, to) = with_reader("many", Duration::from_secs(60)).await;
    let (count, bytes) = (10, 10 << 20);
    for _ in 0..count {
        let to = to.clone();
        let ended = node.spawn(SpawnOptions::new(), move |context: Context| async move {
            context.link(&to).await;
            ExitReason::Other(Term::binary(vec![7; bytes]))
        });
        ended.expect("spawned");
    }
    read_payload(&mut stream, count * bytes).await;
    assert!(node.node_info(to.node()).is_some(), "still connected");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_sender_comes_back_when_the_connection_breaks() {
    let (node, stream, to) = with_reader("back", Duration::from_secs(60)).await;
    let mut sent = suspended_sender(&node, &to);
    let busy = || node.node_info(to.node()).is_some_and(|info| info.stats.queued_bytes > 4 << 20);
    until("it waits", busy).await;
    assert!(sent.try_recv().is_err(), "it is suspended");
    drop(stream);
    soon(sent).await.expect("it went on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_ticks_and_never_reads_is_down_after_the_tick_time() {
    let (node, mut stream, to) = with_reader("deaf", Duration::from_millis(400)).await;
    let mut events = node.subscribe();
    let sent = suspended_sender(&node, &to);
    let down = async {
        loop {
            tokio::select! {
                event = events.recv() => return event.expect("an event").change,
                // Its ticks are read however much waits for it.
                () = tokio::time::sleep(Duration::from_millis(20)) => {
                    let _ = stream.write_all(&[0; 4]).await;
                }
            }
        }
    };
    let down = soon(down).await;
    let NodeChange::Down(DownReason::SlowPeer { queued }) = down else { panic!("{down:?}") };
    assert!(queued > 1 << 20, "{queued} bytes waited");
    soon(sent).await.expect("the sender went on");
}

#[tokio::test]
async fn ticks_come_as_often_as_the_intensity_says() {
    let mut config = harness::config("often");
    // A tick each 60 ms. With the intensity that is usual the second would come after half a minute.
    config.net_tick_intensity = 1000;
    let node = Node::start(config).await.expect("started");
    let address = node.listen_address().expect("it listens");
    let mut stream = TcpStream::connect(address).await.expect("connected");
    shake_hands(&mut stream, node.name().as_str()).await;
    let mut ticks = [7; 3 * 4];
    soon(stream.read_exact(&mut ticks)).await.expect("ticks");
    assert_eq!(ticks, [0; 3 * 4]);
}
