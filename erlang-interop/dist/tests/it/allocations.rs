//! Heap allocations of a message on its way out and in: counts, recorded here, so that a change that
//! makes each message dearer is seen.

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

/// Allocations for each message: sent, and received with its terms dropped at once.
fn count(control: Control, payload: Option<Term>) -> (f64, f64) {
    let (mut sender, mut receiver) = (end(), end());
    let mut chunks: Vec<Bytes> = Vec::new();
    let mut wire = BytesMut::new();
    let (mut sent, mut received) = (0, 0);
    // The first round fills caches and buffers.
    for _ in 0..2 {
        sent = measure(|| {
            send(&mut sender, &control, &payload);
            while sender.poll_output(&mut chunks) > 0 {}
        })
        .count_total;
        chunks.drain(..).for_each(|chunk| wire.extend_from_slice(&chunk));
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
    (sent as f64 / MESSAGES as f64, received as f64 / MESSAGES as f64)
}

#[test]
fn messages_cost_what_is_recorded_here() {
    let (from, to) = (pid(1), pid(2));
    let tuple = Term::tuple([Term::from(atom("count")), Term::from(123_456)]);
    let request = Term::tuple([Term::from(atom("get")), Term::from("some/key")]);
    let tag = Term::tuple([Term::from(from.clone()), Term::from(reference(1))]);
    let call = Term::tuple([Term::from(atom("$gen_call")), tag, request]);
    // The last one's terms are nested: the encoder's stack is an allocation, and so is each tuple read.
    let cases = [
        (Control::Link { from: from.clone(), to: to.clone() }, None, 0.0, 0.0),
        (Control::SendSender { from: from.clone(), to, token: None }, Some(tuple), 0.0, 2.0),
        (Control::RegSend { from, name: atom("server"), token: None }, Some(call), 1.0, 5.0),
    ];
    for (control, payload, sent_max, received_max) in cases {
        let operation = control.operation().name();
        let (sent, received) = count(control, payload);
        assert!(sent <= sent_max + 0.05, "{operation}: {sent} to send");
        assert!(received <= received_max + 0.05, "{operation}: {received} to receive");
    }
}
