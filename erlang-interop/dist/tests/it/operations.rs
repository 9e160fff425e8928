//! Random lists of operations on two joined connections, beside a plain model of what must arrive.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use erlang_dist::{Connection, ConnectionConfig, Control, DistributionFlags, Event, TickConfig};
use erlang_term::Term;
use proptest::prelude::*;

use crate::sample::{all_flags, atom, pid, reference};

#[derive(Debug, Clone)]
enum Operation {
    /// A message with this many payload bytes and an atom of this number.
    Send {
        from: u8,
        to: u8,
        bytes: u32,
        atom: u16,
    },
    /// A signal of this kind; a reason has this many bytes.
    Signal {
        from: u8,
        to: u8,
        kind: u8,
        bytes: u32,
    },
    /// Take output this many times.
    Poll(u8),
    /// Deliver what was taken, in pieces of this size.
    Deliver(u16),
    Wait(u8),
}

fn operation() -> impl Strategy<Value = Operation> {
    let bytes = || prop_oneof![6 => 0u32..200, 2 => 4000u32..9000, 2 => 60_000u32..400_000];
    prop_oneof![
        5 => (0u8..4, 0u8..3, bytes(), 0u16..4000)
            .prop_map(|(from, to, bytes, atom)| Operation::Send { from, to, bytes, atom }),
        3 => (0u8..4, 0u8..3, 0u8..4, bytes())
            .prop_map(|(from, to, kind, bytes)| Operation::Signal { from, to, kind, bytes }),
        4 => (1u8..6).prop_map(Operation::Poll),
        3 => (1u16..5000).prop_map(Operation::Deliver),
        1 => (0u8..30).prop_map(Operation::Wait),
    ]
}

type Message = (Control, Option<Term>);

/// The model: for each pair of processes, what was sent and not yet seen to arrive.
#[derive(Default)]
struct Model {
    waiting: HashMap<(u32, u32), Vec<Message>>,
}

impl Model {
    fn arrived(&mut self, control: Control, payload: Option<Term>) -> Result<(), TestCaseError> {
        let pair = key(&control);
        let queue = self.waiting.entry(pair).or_default();
        prop_assert!(!queue.is_empty(), "{control:?} arrived, but nothing was sent");
        let expected = queue.remove(0);
        prop_assert!(expected == (control, payload), "order broken between {pair:?}");
        Ok(())
    }
}

fn key(control: &Control) -> (u32, u32) {
    let id = |pid: Option<&erlang_term::Pid>| pid.map_or(u32::MAX, erlang_term::Pid::id);
    (id(control.sender()), id(control.receiver()))
}

/// What the other end gets: an exit holds its reason where payloads of exits are unknown.
fn arriving(flags: DistributionFlags, control: Control, payload: Option<Term>) -> Message {
    match (control, payload) {
        (Control::PayloadExit { from, to, token }, Some(reason))
            if !flags.contains(DistributionFlags::EXIT_PAYLOAD) =>
        {
            (Control::Exit { from, to, reason, token }, None)
        }
        other => other,
    }
}

struct World {
    sender: Connection,
    receiver: Connection,
    model: Model,
    wire: Vec<u8>,
    now: Duration,
    sent: usize,
}

impl World {
    fn new(flags: DistributionFlags) -> Self {
        let tick = TickConfig { net_tick_time: Duration::from_secs(60), net_tick_intensity: 4 };
        let config = ConnectionConfig { tick, ..Default::default() };
        let end = || Connection::with_flags(config, flags, Duration::ZERO);
        Self {
            sender: end(),
            receiver: end(),
            model: Model::default(),
            wire: Vec::new(),
            now: Duration::ZERO,
            sent: 0,
        }
    }

    fn apply(&mut self, operation: &Operation) -> Result<(), TestCaseError> {
        match *operation {
            Operation::Send { from, to, bytes, atom: number } => {
                let (from, to) = (pid(from.into()), pid(100 + u32::from(to)));
                let fill = vec![self.sent as u8; bytes as usize];
                let tag = Term::from(atom(&format!("atom{number}")));
                let payload = Some(Term::tuple([tag, Term::binary(fill)]));
                self.send(Control::SendSender { from, to, token: None }, payload);
            }
            Operation::Signal { from, to, kind, bytes } => {
                let (from, to) = (pid(from.into()), pid(100 + u32::from(to)));
                let reference = reference(self.sent as u32);
                let (control, payload) = match kind {
                    0 => (Control::Link { from, to }, None),
                    1 => (Control::MonitorP { from, to: to.into(), reference }, None),
                    2 => (Control::UnlinkId { id: 1 + self.sent as u64, from, to }, None),
                    _ => {
                        let reason = Term::binary(vec![self.sent as u8; bytes as usize]);
                        (Control::PayloadExit { from, to, token: None }, Some(reason))
                    }
                };
                self.send(control, payload);
            }
            Operation::Poll(times) => {
                let mut chunks = Vec::new();
                for _ in 0..times {
                    let before = chunks.len();
                    let bytes = self.sender.poll_output(&mut chunks);
                    let handed: usize = chunks[before..].iter().map(Bytes::len).sum();
                    prop_assert_eq!(bytes, handed);
                }
                self.wire.extend(chunks.concat());
            }
            Operation::Deliver(size) => self.deliver(size.into())?,
            Operation::Wait(seconds) => {
                self.now += Duration::from_secs(seconds.into());
                self.sender.handle_input(self.now, Bytes::from_static(&[0; 4]));
                self.sender.handle_timeout(self.now).expect("its peer has just ticked");
                while self.sender.poll_event().is_ok_and(|event| event.is_some()) {}
            }
        }
        Ok(())
    }

    fn send(&mut self, control: Control, payload: Option<Term>) {
        self.sent += 1;
        let queue = self.model.waiting.entry(key(&control)).or_default();
        queue.push(arriving(self.sender.flags(), control.clone(), payload.clone()));
        self.sender.send(control, payload).expect("all is negotiated");
    }

    fn deliver(&mut self, size: usize) -> Result<(), TestCaseError> {
        let wire = std::mem::take(&mut self.wire);
        for piece in wire.chunks(size) {
            self.receiver.handle_input(self.now, Bytes::copy_from_slice(piece));
            while let Some(event) = self.receiver.poll_event().expect("we write what is good") {
                let Event::Message { control, payload } = event else { panic!("{event:?}") };
                self.model.arrived(control, payload)?;
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() })]

    #[test]
    fn all_arrives_once_and_in_order(
        operations in prop::collection::vec(operation(), 1..60),
        cached in any::<bool>(),
        fragments in any::<bool>(),
        exit_payload in any::<bool>(),
    ) {
        let mut flags = all_flags();
        for (on, flag) in [
            (cached, DistributionFlags::DIST_HDR_ATOM_CACHE),
            (fragments, DistributionFlags::FRAGMENTS),
            (exit_payload, DistributionFlags::EXIT_PAYLOAD),
        ] {
            flags = if on { flags } else { flags - flag };
        }
        let mut world = World::new(flags);
        for operation in &operations {
            world.apply(operation)?;
        }
        let mut chunks = Vec::new();
        while world.sender.poll_output(&mut chunks) > 0 {}
        world.wire.extend(chunks.concat());
        world.deliver(50_000)?;
        prop_assert!(world.model.waiting.values().all(Vec::is_empty), "something is missing");
        prop_assert_eq!(world.sender.queued_bytes(), 0);
        prop_assert_eq!((world.receiver.held_bytes(), world.receiver.unfinished_messages()), (0, 0));
    }

    #[test]
    fn any_bytes_are_survived(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 1..20),
        framed in any::<bool>(),
        tag in 68u8..72,
    ) {
        let mut connection =
            Connection::with_flags(ConnectionConfig::default(), all_flags(), Duration::ZERO);
        for piece in pieces {
            let mut bytes = piece;
            if framed {
                let length = (bytes.len() as u32 + 2).to_be_bytes();
                bytes.splice(0..0, length.into_iter().chain([131, tag]));
            }
            connection.handle_input(Duration::ZERO, bytes.into());
            while let Ok(Some(_)) = connection.poll_event() {}
        }
    }
}
