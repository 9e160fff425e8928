//! Captured connections, replayed frame by frame and cut at every place.

use std::time::Duration;

use bytes::Bytes;
use erlang_dist::{Connection, ConnectionConfig, Control, DistributionFlags, Event};
use erlang_term::Term;

use crate::capture::{self, FRAMES, Line};

const NOW: Duration = Duration::ZERO;

type Message = (Control, Option<Term>);

fn connection() -> Connection {
    Connection::with_flags(ConnectionConfig::default(), DistributionFlags::DEFAULT, NOW)
}

fn drain(connection: &mut Connection, to: &mut Vec<Message>) {
    while let Some(event) = connection.poll_event().expect("what a BEAM sent is good") {
        let Event::Message { control, payload } = event else { panic!("{event:?}") };
        to.push((control, payload));
    }
}

/// All messages of one direction, fed in pieces.
fn messages<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, direct: bool) -> Vec<Message> {
    let mut connection = connection();
    let mut messages = Vec::new();
    for piece in pieces {
        if direct {
            connection.input_space().extend_from_slice(piece);
            connection.input_filled(NOW);
        } else {
            connection.handle_input(NOW, Bytes::copy_from_slice(piece));
        }
        drain(&mut connection, &mut messages);
    }
    assert_eq!((connection.held_bytes(), connection.unfinished_messages()), (0, 0));
    messages
}

fn sides() -> impl Iterator<Item = (&'static str, bool, Vec<Line>)> {
    FRAMES.iter().flat_map(|name| {
        [true, false].map(|dialer| {
            let lines = capture::read(&format!("{name}.frames"), 1);
            (*name, dialer, lines.into_iter().filter(|l| l.from_dialer == dialer).collect())
        })
    })
}

/// The operation and the name of a registered receiver, as the recorder printed them.
fn matches_recording(control: &Control, printed: &str) -> bool {
    let operation = control.operation();
    let name = if printed.starts_with(char::is_alphabetic) {
        printed.split_once(' ').map_or(printed, |(name, _)| name)
    } else {
        ""
    };
    name == operation.name() && printed.contains(&format!("{{{},", operation.number()))
}

#[test]
fn every_recorded_message_is_read_as_recorded() {
    for (file, dialer, lines) in sides() {
        let mut connection = connection();
        let (mut got, mut expected) = (Vec::new(), Vec::new());
        for line in &lines {
            connection.handle_input(NOW, line.bytes.clone().into());
            drain(&mut connection, &mut got);
            // A fragmented message is printed with its last fragment.
            if got.len() > expected.len() {
                expected.push(line);
            }
        }
        assert!(got.len() > 10 && !got.is_empty(), "{file} {dialer}");
        for ((control, payload), line) in got.iter().zip(&expected) {
            let printed = &line.fields[0];
            assert!(matches_recording(control, printed), "{file}: {control:?} as {printed}");
            assert_eq!(payload.is_some(), control.operation().has_payload());
        }
    }
}

#[test]
fn payloads_are_the_recorded_ones() {
    let mut compared = 0;
    for (file, _, lines) in sides() {
        let mut connection = connection();
        for line in &lines {
            connection.handle_input(NOW, line.bytes.clone().into());
            let mut got = Vec::new();
            drain(&mut connection, &mut got);
            let Some((_, Some(payload))) = got.pop() else { continue };
            let recorded = &line.fields[1];
            // The recorder has its own notation for what holds an incarnation, for binaries and for lists.
            let own_notation = ["<", "#Ref", "#Fun", "bytes>>", "\"", "fun ", "~", "=>", ".", "["];
            if recorded.is_empty() || own_notation.iter().any(|piece| recorded.contains(piece)) {
                continue;
            }
            assert_eq!(payload.to_string(), *recorded, "{file}");
            compared += 1;
        }
    }
    assert!(compared > 60, "only {compared} payloads could be compared");
}

#[test]
fn a_stream_cut_anywhere_gives_the_same_messages() {
    /// Every place is tried in the first bytes, some of the places behind.
    const EVERY_BYTES: usize = 2 * 1024;
    for (file, dialer, lines) in sides() {
        let stream: Vec<u8> = lines.iter().flat_map(|line| line.bytes.clone()).collect();
        let whole = messages([&stream[..]], false);
        assert_eq!(messages([&stream[..]], true), whole);
        // Cuts need only a little of the stream around them.
        let mut head = 0;
        let head_lines = lines.iter().take_while(|line| {
            head += line.bytes.len();
            head < EVERY_BYTES
        });
        let head: Vec<u8> = head_lines.flat_map(|line| line.bytes.clone()).collect();
        let expected = messages([&head[..]], false);
        for cut in 0..=head.len() {
            let direct = cut % 2 == 0;
            let got = messages([&head[..cut], &head[cut..]], direct);
            assert_eq!(got, expected, "{file} {dialer} cut at {cut}");
        }
        for cut in (0..stream.len()).step_by(stream.len() / 3 + 1) {
            assert_eq!(messages([&stream[..cut], &stream[cut..]], false), whole, "{file} {cut}");
        }
        assert_eq!(messages(stream.chunks(1), true), whole, "{file} byte by byte");
        assert_eq!(messages(stream.chunks(4093), false), whole, "{file} in chunks");
    }
}

#[test]
fn what_was_received_can_be_sent() {
    let flags = DistributionFlags::DEFAULT;
    let plain = flags - DistributionFlags::DIST_HDR_ATOM_CACHE;
    let none = plain - DistributionFlags::FRAGMENTS;
    for (file, dialer, lines) in sides() {
        let stream: Vec<u8> = lines.iter().flat_map(|line| line.bytes.clone()).collect();
        let expected = messages([&stream[..]], false);
        for flags in [flags, flags - DistributionFlags::FRAGMENTS, plain, none] {
            let config = ConnectionConfig::default();
            let mut sender = Connection::with_flags(config, flags, NOW);
            let mut receiver = Connection::with_flags(config, flags, NOW);
            let (mut got, mut output) = (Vec::new(), Vec::new());
            for (control, payload) in expected.clone() {
                sender.send(control, payload).expect("fits");
                while sender.poll_output(&mut output) > 0 {}
                for chunk in output.drain(..) {
                    receiver.handle_input(NOW, chunk);
                }
                drain(&mut receiver, &mut got);
            }
            assert_eq!(got, expected, "{file} {dialer} {flags}");
            assert_eq!(sender.queued_bytes(), 0);
        }
    }
}
