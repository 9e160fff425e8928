//! What must hold over a million messages, and over a message of 1 GiB.

use std::collections::HashMap;
use std::time::Duration;

use allocation_counter::measure;
use bytes::{Bytes, BytesMut};
use erlang_dist::control::PidOrName;
use erlang_dist::{Connection, ConnectionConfig, Control, Event};
use erlang_term::{Pid, Term};

use crate::sample::{all_flags, atom, pid, reference};

const NOW: Duration = Duration::ZERO;
const MESSAGES: u32 = 1_000_000;
/// One message in so many is cut into fragments.
const LONG_EVERY: u64 = 1000;
const SENDERS: u32 = 3;

fn end() -> Connection {
    Connection::with_flags(ConnectionConfig::default(), all_flags(), NOW)
}

/// A xorshift: the same mix in every run.
struct Mix(u64);

impl Mix {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Message `number` of `from`, of some kind and size.
fn numbered(from: Pid, number: u32, mix: &mut Mix, body: &Bytes) -> (Control, Option<Term>) {
    let (to, token) = (pid(99), None);
    if mix.below(LONG_EVERY) == 0 {
        let long = body.slice(..70_000 + mix.below(150_000) as usize);
        let payload = Term::tuple([Term::from(number), Term::binary(long)]);
        return (Control::SendSender { from, to, token }, Some(payload));
    }
    match mix.below(4) {
        0 => (Control::MonitorP { from, to: to.into(), reference: reference(number) }, None),
        1 => {
            let short = body.slice(..mix.below(600) as usize);
            let payload = Term::tuple([Term::from(number), Term::binary(short)]);
            (Control::RegSend { from, name: atom("name"), token }, Some(payload))
        }
        2 => (Control::PayloadExit2 { from, to, token }, Some(Term::tuple([Term::from(number)]))),
        _ => (Control::SendSender { from, to, token }, Some(Term::tuple([Term::from(number)]))),
    }
}

/// Who sent it, and its number.
fn read_back(control: &Control, payload: Option<&Term>) -> (Pid, u32) {
    let number = match (control, payload.and_then(Term::as_tuple)) {
        (Control::MonitorP { to: PidOrName::Pid(_), reference, .. }, None) => reference.words()[0],
        (_, Some([number, ..])) => {
            u32::try_from(number.as_integer().expect("a number")).expect("small")
        }
        other => panic!("{other:?}"),
    };
    (control.sender().expect("each names its sender").clone(), number)
}

#[test]
fn a_million_messages_of_all_sizes_keep_their_order() {
    let (mut sender, mut receiver) = (end(), end());
    let (mut mix, body) = (Mix(0x5eed), Bytes::from(vec![7; 220_000]));
    let mut next: HashMap<Pid, u32> = HashMap::new();
    let mut sent = [0; SENDERS as usize];
    let (mut chunks, mut wire) = (Vec::new(), BytesMut::new());
    let (mut total, mut arrived) = (0, 0);
    while arrived < MESSAGES {
        // A burst, then some of the output, so that fragments of several senders are under way.
        for _ in 0..mix.below(200) {
            if total < MESSAGES {
                let who = mix.below(u64::from(SENDERS)) as usize;
                let from = pid(who as u32 + 1);
                let (control, payload) = numbered(from, sent[who], &mut mix, &body);
                sender.send(control, payload).expect("fits");
                sent[who] += 1;
                total += 1;
            }
        }
        for _ in 0..=mix.below(8) {
            sender.poll_output(&mut chunks);
        }
        chunks.drain(..).for_each(|chunk| wire.extend_from_slice(&chunk));
        // Reads end anywhere.
        let read = wire.len() - mix.below(wire.len() as u64 / 2 + 1) as usize;
        receiver.input_space().extend_from_slice(&wire.split_to(read));
        receiver.input_filled(NOW);
        while let Some(Event::Message { control, payload }) = receiver.poll_event().expect("good") {
            let (from, number) = read_back(&control, payload.as_ref());
            let expected = next.entry(from).or_insert(0);
            assert_eq!(number, *expected, "of {control:?}");
            *expected += 1;
            arrived += 1;
        }
    }
    let counts: Vec<u32> = (1..=SENDERS).map(|who| next[&pid(who)]).collect();
    assert_eq!(counts, sent);
    assert_eq!((sender.queued_bytes(), receiver.held_bytes()), (0, 0));
}

/// Memory in bytes that a message of 1 GiB may take at its sender beside the binary itself.
const SENDER_BYTES_MAX: u64 = 256 * 1024;

#[test]
fn a_message_of_1_gib_to_a_slow_reader_takes_no_memory_beside_itself() {
    let length = 1 << 30;
    // Fresh zeros that nobody touches are not even resident.
    let payload = Term::binary(Bytes::from(vec![0; length]));
    let control = Control::SendSender { from: pid(1), to: pid(2), token: None };
    let mut sender = end();
    let mut written = 0;
    let taken = measure(|| {
        sender.send(control, Some(payload)).expect("fits");
        let mut chunks: Vec<Bytes> = Vec::new();
        loop {
            // The reader takes one fragment, and nothing else is asked for until it has.
            let bytes = sender.poll_output(&mut chunks);
            if bytes == 0 {
                break;
            }
            assert!(bytes < 70_000, "{bytes} at once");
            written += bytes;
            chunks.clear();
        }
    });
    assert!(written > length && written < length + length / 1000, "{written}");
    assert!(taken.bytes_max < SENDER_BYTES_MAX, "{} bytes", taken.bytes_max);
    assert_eq!(sender.queued_bytes(), 0);
}

#[test]
fn a_long_message_takes_at_most_three_times_its_length_to_receive() {
    let length = 64 << 20;
    let control = Control::SendSender { from: pid(1), to: pid(2), token: None };
    let (mut sender, mut receiver) = (end(), end());
    sender.send(control, Some(Term::binary(vec![7; length]))).expect("fits");
    let mut chunks: Vec<Bytes> = Vec::new();
    let mut arrived = None;
    let taken = measure(|| {
        while sender.poll_output(&mut chunks) > 0 {
            for chunk in chunks.drain(..) {
                receiver.input_space().extend_from_slice(&chunk);
                receiver.input_filled(NOW);
                arrived = arrived.take().or(receiver.poll_event().expect("good"));
            }
        }
    });
    let Some(Event::Message { payload: Some(payload), .. }) = arrived else {
        panic!("{arrived:?}");
    };
    assert_eq!(payload.as_binary().map(<[u8]>::len), Some(length));
    // While a buffer grows, the old one lives beside the new one of twice its length.
    let max = 3 * length as u64 + (1 << 20);
    assert!(taken.bytes_max < max, "{} bytes", taken.bytes_max);
}
