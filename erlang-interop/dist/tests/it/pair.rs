//! Two connections joined in memory, with virtual time.

use std::time::Duration;

use bytes::Bytes;
use erlang_dist::limits::{BUFFER_GROWTH, FRAGMENT_PAYLOAD_BYTES, READ_BUFFER_BYTES};
use erlang_dist::{
    Connection, ConnectionConfig, ConnectionError, Control, DistributionFlags, Event, Now,
};
use erlang_term::Term;

use crate::sample::{all_flags, pid, reference};

/// Both ends, the bytes between them, and a clock that only tests move.
pub(crate) struct Pair {
    pub(crate) ends: [Connection; 2],
    pub(crate) now: Now,
    /// What each end got.
    pub(crate) inbox: [Vec<(Control, Option<Term>)>; 2],
    /// Whether what an end writes arrives.
    pub(crate) connected: [bool; 2],
    /// Ticks that passed from each end.
    pub(crate) ticks: [usize; 2],
}

impl Pair {
    pub(crate) fn new(flags: DistributionFlags) -> Self {
        Self::with(ConnectionConfig::default(), flags)
    }

    pub(crate) fn with(config: ConnectionConfig, flags: DistributionFlags) -> Self {
        let now = Duration::from_secs(1000);
        let end = || Connection::with_flags(config, flags, now);
        let inbox = [Vec::new(), Vec::new()];
        Self { ends: [end(), end()], now, inbox, connected: [true; 2], ticks: [0; 2] }
    }

    /// Hands over what `from` writes in one poll; returns whether it was anything.
    pub(crate) fn pass(&mut self, from: usize) -> Result<bool, ConnectionError> {
        let mut chunks: Vec<Bytes> = Vec::new();
        let bytes = self.ends[from].poll_output(&mut chunks);
        assert_eq!(bytes, chunks.iter().map(Bytes::len).sum::<usize>());
        if !self.connected[from] {
            return Ok(bytes > 0);
        }
        let to = 1 - from;
        for chunk in chunks {
            self.ticks[from] += usize::from(chunk == [0; 4][..]);
            self.ends[to].handle_input(self.now, chunk);
            while let Some(event) = self.ends[to].poll_event()? {
                let Event::Message { control, payload } = event else { panic!("{event:?}") };
                self.inbox[to].push((control, payload));
            }
        }
        Ok(bytes > 0)
    }

    /// Passes bytes until nothing moves.
    pub(crate) fn settle(&mut self) -> Result<(), ConnectionError> {
        while self.pass(0)? | self.pass(1)? {}
        Ok(())
    }

    /// Jumps to the next timer and lets it run.
    pub(crate) fn step(&mut self) -> Result<(), ConnectionError> {
        let timers = self.ends.iter().filter_map(Connection::poll_timeout);
        self.now = timers.min().expect("ticks are on");
        for end in &mut self.ends {
            end.handle_timeout(self.now)?;
        }
        self.settle()
    }
}

fn message(from: u32, to: u32) -> Control {
    Control::SendSender { from: pid(from), to: pid(to), token: None }
}

fn bulk(bytes: usize) -> Option<Term> {
    Some(Term::binary(vec![7; bytes]))
}

#[test]
fn idle_ends_keep_each_other_alive_by_ticks() {
    let mut pair = Pair::new(all_flags());
    for _ in 0..100 {
        pair.step().expect("both live");
    }
    assert_eq!(pair.ticks, [100; 2], "a tick is no reason to leave out the next");
    assert!(pair.inbox.iter().all(Vec::is_empty));
}

#[test]
fn a_silent_peer_is_given_up_after_the_tick_time() {
    let mut pair = Pair::new(all_flags());
    pair.connected[1] = false;
    let start = pair.now;
    let error = loop {
        if let Err(error) = pair.step() {
            break error;
        }
    };
    assert!(matches!(error, ConnectionError::TickTimeout { silent_ms: 60_000.. }), "{error}");
    assert!(pair.now - start <= Duration::from_secs(75));
    assert_eq!(pair.ends[0].poll_event().expect_err("stays so"), error);
}

/// It may be suspended in the middle of a message, but what we hold of that is not for ever.
#[test]
fn a_peer_that_ticks_and_never_ends_a_message_is_given_up_after_the_tick_time() {
    for goes_on in [false, true] {
        let mut pair = Pair::new(all_flags());
        pair.ends[0].send(message(1, 2), bulk(40 * FRAGMENT_PAYLOAD_BYTES)).expect("fits");
        pair.pass(0).expect("good");
        let start = pair.now;
        // Ticks of a connection that has nothing else to write, and at most a fragment between.
        let step = |pair: &mut Pair| {
            pair.now += Duration::from_secs(15);
            if goes_on {
                pair.pass(0)?;
            }
            pair.ends[1].handle_input(pair.now, Bytes::from_static(&[0; 4]));
            assert!(pair.ends[1].poll_event()?.is_none());
            pair.ends[1].handle_timeout(pair.now)
        };
        let ended = (0..30).map(|_| step(&mut pair)).find_map(Result::err);
        let waited = pair.now - start;
        match ended {
            None => assert!(goes_on),
            Some(ConnectionError::Limit { max: 4, got: 5, .. }) => {
                assert!(!goes_on && waited <= Duration::from_secs(90), "{waited:?}");
            }
            Some(error) => panic!("{error}"),
        }
    }
}

#[test]
fn messages_take_the_place_of_ticks() {
    let mut pair = Pair::new(all_flags());
    for _ in 0..20 {
        pair.ends[0].send(message(1, 2), bulk(1)).expect("fits");
        pair.settle().expect("good");
        pair.step().expect("both live");
    }
    assert_eq!(pair.ticks[0], 0);
    assert_eq!(pair.inbox[1].len(), 20);
}

/// A C node ticks only when it is ticked, so what it is sent must not take the place of all ticks.
#[test]
fn a_hidden_peer_is_ticked_beside_messages() {
    let hidden = all_flags() - DistributionFlags::PUBLISHED;
    for (flags, ticked) in [(all_flags(), false), (hidden, true)] {
        let mut end = Connection::with_flags(ConnectionConfig::default(), flags, Duration::ZERO);
        end.send(message(1, 2), bulk(1)).expect("fits");
        let due = end.poll_timeout().expect("ticks are on");
        end.handle_timeout(due).expect("too early to be given up");
        let mut chunks: Vec<Bytes> = Vec::new();
        end.poll_output(&mut chunks);
        assert_eq!(chunks.concat().ends_with(&[0; 4]), ticked, "{chunks:?}");
    }
}

#[test]
fn a_signal_waits_for_one_fragment_at_most() {
    let mut pair = Pair::new(all_flags());
    let bytes = 8 << 20;
    pair.ends[0].send(message(1, 2), bulk(bytes)).expect("fits");
    pair.ends[0].send(message(5, 6), bulk(bytes)).expect("fits");
    for _ in 0..10 {
        assert!(pair.pass(0).expect("good"));
    }
    pair.ends[0].send(Control::Link { from: pid(3), to: pid(2) }, None).expect("fits");
    let before = pair.ends[0].queued_bytes();
    assert!(pair.pass(0).expect("good"));
    assert_eq!(pair.inbox[1].len(), 1, "the link is there after one poll");
    assert!(before - pair.ends[0].queued_bytes() < 66_000, "which held one fragment");
    pair.settle().expect("good");
    assert_eq!(pair.inbox[1].len(), 3);
    assert_eq!(pair.ends[0].queued_bytes(), 0);
}

#[test]
fn long_messages_of_several_senders_advance_together() {
    let mut pair = Pair::new(all_flags());
    for sender in [1, 2, 3] {
        pair.ends[0].send(message(sender, 9), bulk(1 << 20)).expect("fits");
    }
    let mut rounds = Vec::new();
    let mut round = 0;
    while pair.pass(0).expect("good") {
        round += 1;
        rounds.resize(pair.inbox[1].len(), round);
    }
    assert_eq!(rounds.len(), 3);
    assert!(rounds[2] - rounds[0] <= 2, "{rounds:?}");
    assert!(pair.ends[1].held_bytes() == 0);
}

#[test]
fn order_between_two_processes_is_kept_behind_a_long_message() {
    let mut pair = Pair::new(all_flags());
    let end = &mut pair.ends[0];
    end.send(message(1, 2), bulk(1 << 20)).expect("fits");
    for n in 0..50u32 {
        let from = pid(1);
        let control = match n % 3 {
            0 => Control::MonitorP { from, to: pid(2).into(), reference: reference(n) },
            1 => message(1, 2),
            _ => Control::Link { from, to: pid(2) },
        };
        // Some of what waits is long itself.
        let payload = if n % 10 == 1 { bulk(300_000) } else { bulk(n as usize) };
        let payload = control.operation().has_payload().then_some(payload).flatten();
        end.send(control, payload).expect("fits");
    }
    let down = Control::PayloadMonitorPExit {
        from: crate::sample::atom("name").into(),
        to: pid(2),
        reference: reference(0),
    };
    end.send_from(&pid(1), down.clone(), bulk(1)).expect("fits");
    end.send(message(3, 2), bulk(1)).expect("fits");
    pair.settle().expect("good");
    let got = &pair.inbox[1];
    assert_eq!(got.len(), 53);
    assert_eq!(got[0].0, message(3, 2), "another sender's message overtakes");
    let lengths: Vec<usize> = got[1..]
        .iter()
        .map(|(_, payload)| payload.as_ref().and_then(Term::as_binary).map_or(0, <[u8]>::len))
        .collect();
    assert_eq!(lengths[0], 1 << 20);
    for n in 0..50usize {
        let expected = match n % 3 {
            1 if n % 10 == 1 => 300_000,
            1 => n,
            _ => 0,
        };
        assert_eq!(lengths[n + 1], expected, "message {n}");
    }
    assert_eq!(got[52].0, down);
    assert_eq!(pair.ends[0].queued_bytes(), 0);
}

#[test]
fn a_large_binary_is_not_copied_on_its_way_out() {
    let mut connection =
        Connection::with_flags(ConnectionConfig::default(), all_flags(), Duration::ZERO);
    let large = Bytes::from(vec![1; 1 << 20]);
    let range = large.as_ptr_range();
    connection.send(message(1, 2), Some(Term::binary(large.clone()))).expect("fits");
    let mut chunks = Vec::new();
    while connection.poll_output(&mut chunks) > 0 {}
    let inside: usize = chunks.iter().filter(|c| range.contains(&c.as_ptr())).map(Bytes::len).sum();
    assert!(inside > (1 << 20) - 4096, "{inside} bytes are those of the binary itself");
}

#[test]
fn small_messages_share_a_chunk() {
    let mut connection =
        Connection::with_flags(ConnectionConfig::default(), all_flags(), Duration::ZERO);
    for n in 0..100 {
        connection.send(message(n, 2), bulk(10)).expect("fits");
    }
    let mut chunks = Vec::new();
    assert_eq!(connection.queued_bytes(), connection.poll_output(&mut chunks));
    assert_eq!(chunks.len(), 1);
}

/// Hands all that `from` has to `to` as a driver of a socket does, and returns the sizes of its reads.
fn read_all(from: &mut Connection, to: &mut Connection) -> Vec<usize> {
    let (mut chunks, mut reads): (Vec<Bytes>, _) = (Vec::new(), Vec::new());
    while from.poll_output(&mut chunks) > 0 {}
    let wire = chunks.concat();
    let mut rest = &wire[..];
    while !rest.is_empty() {
        let wanted = to.input_wanted().min(rest.len());
        let space = to.input_space();
        let room = space.capacity() - space.len();
        assert!(room <= 3 * wire.len(), "nothing is reserved on the peer's word");
        let (read, behind) = rest.split_at(wanted.min(room));
        space.extend_from_slice(read);
        to.input_filled(Duration::ZERO);
        reads.push(read.len());
        rest = behind;
        while let Some(event) = to.poll_event().expect("good") {
            assert!(matches!(event, Event::Message { .. }));
        }
    }
    reads
}

#[test]
fn a_fragment_is_read_at_once_where_its_message_is_joined() {
    const FRAGMENTS: usize = 16;
    const HEADER: usize = 22;
    let Pair { ends: [mut sender, mut receiver], .. } = Pair::new(all_flags());
    let body = Term::binary(vec![7; FRAGMENTS * FRAGMENT_PAYLOAD_BYTES]);
    let control = Control::SendSender { from: pid(1), to: pid(2), token: None };
    for round in 0..3 {
        sender.send(control.clone(), Some(body.clone())).expect("fits");
        let reads = read_all(&mut sender, &mut receiver);
        let longest = reads.iter().max().expect("there are some");
        // The first read of all may bring some of what is read apart later.
        let whole = reads.iter().filter(|read| **read == FRAGMENT_PAYLOAD_BYTES + HEADER).count();
        assert!(whole + 3 >= FRAGMENTS, "round {round}: {reads:?}");
        assert!(*longest <= READ_BUFFER_BYTES, "round {round}: {reads:?}");
        assert_eq!(receiver.held_bytes(), 0);
    }
}

#[test]
fn a_fragment_that_says_to_be_long_gets_room_as_it_comes() {
    let Pair { ends: [mut sender, mut receiver], .. } = Pair::new(all_flags());
    let body = Term::binary(vec![7; 2 * FRAGMENT_PAYLOAD_BYTES]);
    let control = Control::SendSender { from: pid(1), to: pid(2), token: None };
    sender.send(control, Some(body)).expect("fits");
    let mut chunks: Vec<Bytes> = Vec::new();
    sender.poll_output(&mut chunks);
    let mut wire = chunks.concat();
    let first = 4 + u32::from_be_bytes([wire[0], wire[1], wire[2], wire[3]]) as usize;
    wire.truncate(first + 1000);
    // A length of 256 MiB.
    wire[first..first + 4].copy_from_slice(&[0x10, 0, 0, 0]);
    receiver.input_space().extend_from_slice(&wire);
    receiver.input_filled(Duration::ZERO);
    assert!(receiver.poll_event().expect("good so far").is_none());
    assert!(receiver.input_wanted() > 200 << 20);
    let mut came = wire.len();
    while came < 1 << 20 {
        let space = receiver.input_space();
        assert!(
            space.capacity() <= BUFFER_GROWTH * (came + READ_BUFFER_BYTES),
            "{}",
            space.capacity()
        );
        space.extend_from_slice(&[7; 10_000]);
        came += 10_000;
        assert!(receiver.poll_event().expect("good so far").is_none());
        assert!(came.abs_diff(receiver.held_bytes()) < 500, "what came is counted");
    }
}

/// What stands for a tick when there is more to write is the next fragment: it comes in time, alone.
#[test]
fn a_tick_that_falls_due_within_a_long_message_waits_for_one_fragment_at_most() {
    const FRAGMENTS: usize = 300;
    let mut pair = Pair::new(all_flags());
    let bytes = FRAGMENTS * FRAGMENT_PAYLOAD_BYTES;
    pair.ends[0].send(message(1, 2), bulk(bytes)).expect("fits");
    // Its first fragment is short and goes out with the second.
    assert!(pair.pass(0).expect("good"));
    // The socket takes one fragment each time a tick falls due: over an hour, for a tick time of 60 s.
    let mut rounds = 0;
    while pair.ends[0].queued_bytes() > 0 {
        pair.now = pair.ends[0].poll_timeout().expect("ticks are on");
        let before = pair.ends[0].queued_bytes();
        for end in &mut pair.ends {
            end.handle_timeout(pair.now).expect("its peer was heard within the tick time");
        }
        assert!(pair.pass(0).expect("good"), "something is written in each interval");
        let written = before - pair.ends[0].queued_bytes();
        assert!((1..=FRAGMENT_PAYLOAD_BYTES + 4).contains(&written), "{written} in one poll");
        pair.pass(1).expect("good");
        rounds += 1;
    }
    assert!(rounds >= FRAGMENTS - 2, "{rounds}");
    assert_eq!(pair.ticks[0], 0, "fragments take their place");
    assert_eq!(pair.ticks[1], rounds, "the other end has nothing else");
    assert_eq!(pair.inbox[1].len(), 1);
    // The first interval without a fragment has a tick again.
    pair.step().expect("both live");
    pair.step().expect("both live");
    assert_eq!(pair.ticks[0], 1);
}
