//! What a message costs on its way out and in: heap allocations, bytes on the wire, and the chunks it
//! is written in. Counts, recorded here, so that a change that makes each message dearer is seen.
//! Instructions are counted in `instructions.rs`.

use std::time::Duration;

use allocation_counter::measure;
use bytes::{Bytes, BytesMut};
use erlang_dist::{Connection, ConnectionConfig, Control, Event};
use erlang_term::Term;

use crate::messages::messages;
use crate::sample::all_flags;

const NOW: Duration = Duration::ZERO;
const MESSAGES: u64 = 1000;

fn end() -> Connection {
    Connection::with_flags(ConnectionConfig::default(), all_flags(), NOW)
}

fn send(sender: &mut Connection, control: &Control, payload: &Option<Term>) {
    for _ in 0..MESSAGES {
        sender.send(control.clone(), payload.clone()).expect("fits");
    }
}

/// What each message costs.
#[derive(Default)]
struct Cost {
    /// Allocations to send it.
    sent: f64,
    /// Allocations to receive it and to drop its terms at once.
    received: f64,
    /// On the wire, when the atoms are known.
    bytes: usize,
    /// Slices of vectored writes for all messages.
    chunks: usize,
}

fn count(control: Control, payload: Option<Term>) -> Cost {
    let (mut sender, mut receiver) = (end(), end());
    let mut chunks: Vec<Bytes> = Vec::new();
    let mut wire = BytesMut::new();
    let (mut sent, mut received) = (0, 0);
    let (mut bytes, mut slices) = (0, 0);
    // The first round fills caches and buffers.
    for _ in 0..2 {
        sent = measure(|| {
            send(&mut sender, &control, &payload);
            while sender.poll_output(&mut chunks) > 0 {}
        })
        .count_total;
        slices = chunks.len();
        chunks.drain(..).for_each(|chunk| wire.extend_from_slice(&chunk));
        bytes = wire.len();
        receiver.handle_input(NOW, wire.split().freeze());
        received = measure(|| {
            let mut messages = 0;
            while let Some(Event::Message { .. }) = receiver.poll_event().expect("good") {
                messages += 1;
            }
            assert_eq!(messages, MESSAGES);
        })
        .count_total;
    }
    let each = |count: u64| count as f64 / MESSAGES as f64;
    Cost {
        sent: each(sent),
        received: each(received),
        bytes: bytes / MESSAGES as usize,
        chunks: slices,
    }
}

#[test]
fn messages_cost_what_is_recorded_here() {
    // Each tuple read is an allocation.
    let recorded = |sent, received, bytes, chunks| Cost { sent, received, bytes, chunks };
    let costs = [recorded(0.0, 0.0, 43, 1), recorded(0.0, 1.0, 54, 1), recorded(0.0, 4.0, 97, 1)];
    for ((name, control, payload), at_most) in messages().into_iter().zip(costs) {
        let Cost { sent, received, bytes, chunks } = count(control, payload);
        assert!(sent <= at_most.sent + 0.05, "{name}: {sent} to send");
        assert!(received <= at_most.received + 0.05, "{name}: {received} to receive");
        assert!(bytes <= at_most.bytes, "{name}: {bytes} bytes on the wire");
        assert!(chunks <= at_most.chunks, "{name}: {chunks} chunks for {MESSAGES}");
    }
}
