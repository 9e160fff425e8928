//! What a message costs on its way out and in: heap allocations, bytes on the wire, and the chunks it
//! is written in. Counts, recorded here, so that a change that makes each message dearer is seen.
//!
//! Instructions are not among them: counting them takes valgrind or the processor's counters, which
//! neither containers nor hosted runners have.

use std::time::Duration;

use allocation_counter::measure;
use bytes::{Bytes, BytesMut};
use erlang_dist::{Connection, ConnectionConfig, Control, Event};
use erlang_term::Term;

use crate::sample::{all_flags, atom, pid, reference};

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
    let (from, to) = (pid(1), pid(2));
    let tuple = Term::tuple([Term::from(atom("count")), Term::from(123_456)]);
    let request = Term::tuple([Term::from(atom("get")), Term::from("some/key")]);
    let tag = Term::tuple([Term::from(from.clone()), Term::from(reference(1))]);
    let call = Term::tuple([Term::from(atom("$gen_call")), tag, request]);
    // Each tuple read is an allocation.
    let recorded = |sent, received, bytes, chunks| Cost { sent, received, bytes, chunks };
    let cases = [
        (Control::Link { from: from.clone(), to: to.clone() }, None, recorded(0.0, 0.0, 43, 1)),
        (
            Control::SendSender { from: from.clone(), to, token: None },
            Some(tuple),
            recorded(0.0, 1.0, 54, 1),
        ),
        (
            Control::RegSend { from, name: atom("server"), token: None },
            Some(call),
            recorded(0.0, 4.0, 105, 1),
        ),
    ];
    for (control, payload, at_most) in cases {
        let operation = control.operation().name();
        let Cost { sent, received, bytes, chunks } = count(control, payload);
        assert!(sent <= at_most.sent + 0.05, "{operation}: {sent} to send");
        assert!(received <= at_most.received + 0.05, "{operation}: {received} to receive");
        assert!(bytes <= at_most.bytes, "{operation}: {bytes} bytes on the wire");
        assert!(chunks <= at_most.chunks, "{operation}: {chunks} chunks for {MESSAGES}");
    }
}
