//! What peers have half sent, and others who want room.

use std::time::Duration;

use erlang_dist::ConnectionError;
use erlang_node::{Context, DownReason, NodeChange, SpawnOptions};
use erlang_term::Term;
use tokio::io::AsyncWriteExt;

use crate::harness::{ask, echo, node, soon, within};
use crate::raw_peer::with_reader;

/// A frame of the message with sequence 1: its first fragment, or a next one.
fn fragment(first: bool, id: u64, body: &[u8]) -> Vec<u8> {
    let tag = if first { 69 } else { 70 };
    let content = [&[131, tag], &1_u64.to_be_bytes()[..], &id.to_be_bytes(), body].concat();
    let length = u32::try_from(content.len()).expect("short");
    [&length.to_be_bytes()[..], &content].concat()
}

/// `{6, Pid, '', nobody}`, a message to a name, of a process of that node.
fn to_nobody(node: &str) -> Vec<u8> {
    let length = u8::try_from(node.len()).expect("short");
    let pid = [&[88, 119, length], node.as_bytes(), &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7]].concat();
    [&[0, 104, 4, 97, 6], &pid[..], &[119, 0, 119, 6], b"nobody"].concat()
}

/// It has half sent a message, and goes on ticking.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_never_ends_a_long_message_makes_room_for_others() {
    let (served, mut stream, to) = with_reader("room", Duration::from_secs(60)).await;
    let mut events = served.subscribe();
    let mut half = fragment(true, 9000, &to_nobody(to.node().as_str()));
    let mebibyte = vec![0; 1 << 20];
    for id in (8940..9000).rev() {
        half.extend(fragment(false, id, &mebibyte));
    }
    soon(stream.write_all(&half)).await.expect("written");
    let honest = node("honest").await;
    let remote = echo(&served, SpawnOptions::new());
    within(&honest, move |mut context: Context| async move {
        for _ in 0..3 {
            let body = Term::binary(vec![7; 20 << 20]);
            let answer = ask(&mut context, &remote, body.clone()).await;
            assert!(answer.as_tuple().is_some_and(|elements| elements[1] == body));
        }
    })
    .await;
    let down = loop {
        let event = soon(events.recv()).await.expect("an event");
        if event.node == *to.node() {
            break event.change;
        }
    };
    let limit = matches!(
        down,
        NodeChange::Down(DownReason::Protocol(ConnectionError::Limit { max, .. })) if max == 68 << 20
    );
    assert!(limit, "{down:?}");
    assert!(served.node_info(honest.name()).is_some(), "the honest one is still there");
}
