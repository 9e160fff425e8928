//! Any bytes as operations on two joined connections, beside a model: what was sent between two
//! processes arrives once and in order.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use erlang_dist::{Connection, ConnectionConfig, Control, DistributionFlags, Event};
use erlang_term::{Atom, Pid, Term};

/// Messages between each two processes that haven't arrived.
type Model = HashMap<(u32, u32), VecDeque<(Control, Option<Term>)>>;

struct World {
    sender: Connection,
    receiver: Connection,
    model: Model,
    wire: Vec<u8>,
    now: Duration,
    count: u64,
}

/// Runs one input: a byte for the flags, then three bytes for each operation.
pub fn run(data: &[u8]) {
    let Some((choice, rest)) = data.split_first() else { return };
    let mut flags = DistributionFlags::DEFAULT;
    for (bit, flag) in [
        (1, DistributionFlags::DIST_HDR_ATOM_CACHE),
        (2, DistributionFlags::FRAGMENTS),
        (4, DistributionFlags::EXIT_PAYLOAD),
    ] {
        flags = if choice & bit != 0 { flags - flag } else { flags };
    }
    let end = || Connection::with_flags(ConnectionConfig::default(), flags, Duration::ZERO);
    let mut world = World {
        sender: end(),
        receiver: end(),
        model: Model::new(),
        wire: Vec::new(),
        now: Duration::ZERO,
        count: 0,
    };
    for operation in rest.chunks_exact(3).take(200) {
        world.apply(operation[0], operation[1], operation[2]);
    }
    world.poll(usize::MAX);
    world.deliver(usize::MAX);
    assert!(world.model.values().all(VecDeque::is_empty), "something didn't arrive");
    assert_eq!((world.sender.queued_bytes(), world.receiver.held_bytes()), (0, 0));
}

impl World {
    fn apply(&mut self, kind: u8, first: u8, second: u8) {
        match kind % 8 {
            0..=2 => self.message(first, usize::from(second)),
            3 => self.message(first, usize::from(second) * 1500),
            4 if second >= 128 => {
                let (from, to) = processes(first);
                let reason = Term::binary(vec![first; usize::from(second) * 600]);
                self.send(Control::PayloadExit { from, to, token: None }, Some(reason));
            }
            4 => {
                let (from, to) = processes(first);
                self.send(Control::UnlinkId { id: self.count + 1, from, to }, None);
            }
            5 => self.poll(usize::from(first % 8) + 1),
            6 => self.deliver(usize::from(first) * 256 + usize::from(second) + 1),
            _ => {
                self.now += Duration::from_secs(u64::from(first % 60));
                self.sender.handle_input(self.now, Bytes::from_static(&[0; 4]));
                self.sender.handle_timeout(self.now).expect("its peer has just ticked");
                while self.sender.poll_event().expect("a tick is good").is_some() {}
            }
        }
    }

    fn message(&mut self, choice: u8, bytes: usize) {
        let (from, to) = processes(choice);
        let text = format!("atom{}", self.count.wrapping_mul(u64::from(choice)) % 5000);
        let atom = Term::from(Atom::new(&text).expect("short"));
        let payload = Term::tuple([atom, Term::binary(vec![choice; bytes])]);
        self.send(Control::SendSender { from, to, token: None }, Some(payload));
    }

    fn send(&mut self, control: Control, payload: Option<Term>) {
        self.count += 1;
        let queue = self.model.entry(key(&control)).or_default();
        queue.push_back(arriving(self.sender.flags(), control.clone(), payload.clone()));
        self.sender.send(control, payload).expect("all is negotiated");
    }

    fn poll(&mut self, times: usize) {
        let mut chunks = Vec::new();
        for _ in 0..times {
            if self.sender.poll_output(&mut chunks) == 0 {
                break;
            }
        }
        chunks.iter().for_each(|chunk| self.wire.extend_from_slice(chunk));
    }

    fn deliver(&mut self, size: usize) {
        let wire = std::mem::take(&mut self.wire);
        for piece in wire.chunks(size) {
            self.receiver.handle_input(self.now, Bytes::copy_from_slice(piece));
            while let Some(event) = self.receiver.poll_event().expect("what we write is good") {
                let Event::Message { control, payload } = event else { continue };
                let expected = self.model.get_mut(&key(&control)).and_then(VecDeque::pop_front);
                assert!(expected == Some((control, payload)), "order is broken");
            }
        }
    }
}

/// What the other end gets: an exit holds its reason where payloads of exits are unknown.
fn arriving(
    flags: DistributionFlags,
    control: Control,
    payload: Option<Term>,
) -> (Control, Option<Term>) {
    match (control, payload) {
        (Control::PayloadExit { from, to, token }, Some(reason))
            if !flags.contains(DistributionFlags::EXIT_PAYLOAD) =>
        {
            (Control::Exit { from, to, reason, token }, None)
        }
        other => other,
    }
}

fn processes(choice: u8) -> (Pid, Pid) {
    let node = Atom::new("a@h").expect("short");
    let pid = |id: u8| Pid::new(node.clone(), id.into(), 0, 9);
    (pid(choice % 4), pid(100 + choice / 4 % 4))
}

fn key(control: &Control) -> (u32, u32) {
    let id = |pid: Option<&Pid>| pid.map_or(0, Pid::id);
    (id(control.sender()), id(control.receiver()))
}
