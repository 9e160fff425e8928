//! Peers that break the protocol: each gets a typed error, at once, at bounded cost.

use std::time::Duration;

use bytes::Bytes;
use erlang_dist::{
    Connection, ConnectionConfig, ConnectionError, ConnectionLimits, DistributionFlags, Event,
};

use crate::sample::all_flags;

const NOW: Duration = Duration::ZERO;

/// `{22, <a.1.0>, <a.2.0>}` without cache references.
const SEND_SENDER: &[u8] = b"\x68\x03\x61\x16\
    \x58\x77\x03a@h\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x07\
    \x58\x77\x03a@h\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x07";
const LINK: &[u8] = b"\x68\x03\x61\x01\
    \x58\x77\x03a@h\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x07\
    \x58\x77\x03a@h\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x07";

fn frame(parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    [&(body.len() as u32).to_be_bytes()[..], &body].concat()
}

fn header(parts: &[&[u8]]) -> Vec<u8> {
    frame(&[&[131, 68][..]].iter().chain(parts).copied().collect::<Vec<_>>())
}

fn fragment(tag: u8, sequence: u64, id: u64, parts: &[&[u8]]) -> Vec<u8> {
    let (sequence, id) = (sequence.to_be_bytes(), id.to_be_bytes());
    let mut all: Vec<&[u8]> = vec![&[131], std::slice::from_ref(&tag), &sequence, &id];
    all.extend(parts);
    frame(&all)
}

fn with(limits: ConnectionLimits, flags: DistributionFlags) -> Connection {
    Connection::with_flags(ConnectionConfig { limits, ..Default::default() }, flags, NOW)
}

fn connection() -> Connection {
    with(ConnectionLimits::default(), all_flags())
}

/// The error that these bytes end in; `None` if they are good.
fn verdict(connection: &mut Connection, bytes: &[u8]) -> Option<ConnectionError> {
    connection.handle_input(NOW, Bytes::copy_from_slice(bytes));
    loop {
        match connection.poll_event() {
            Ok(Some(_)) => {}
            Ok(None) => return None,
            Err(error) => {
                assert_eq!(connection.poll_event().expect_err("stays so"), error);
                return Some(error);
            }
        }
    }
}

fn error(bytes: &[u8]) -> ConnectionError {
    verdict(&mut connection(), bytes).expect("the frame is bad")
}

fn assert_misbehaved(bytes: &[u8]) {
    let error = error(bytes);
    assert!(matches!(error, ConnectionError::Misbehaved { .. }), "{bytes:?}: {error}");
}

fn assert_bad_term(bytes: &[u8]) {
    let error = error(bytes);
    assert!(matches!(error, ConnectionError::Term { .. }), "{bytes:?}: {error}");
}

#[test]
fn the_good_frames_of_these_tests_are_good() {
    let good = [
        header(&[&[0], SEND_SENDER, &[106]]),
        header(&[&[0], LINK]),
        fragment(69, 1, 1, &[&[0], SEND_SENDER, &[106]]),
        fragment(69, 1, 2, &[&[0], SEND_SENDER, &[109, 0, 0]]),
        fragment(70, 1, 1, &[&[0, 2, 7, 7]]),
    ];
    assert_eq!(verdict(&mut connection(), &good.concat()), None);
}

#[test]
fn a_frame_cut_short_is_an_error_at_every_length() {
    let good = header(&[&[1, 8, 3, 2, b'o', b'k'], SEND_SENDER, &[104, 2, 82, 0, 97, 1]]);
    for end in 5..good.len() {
        let mut cut = good[..end].to_vec();
        cut[..4].copy_from_slice(&(end as u32 - 4).to_be_bytes());
        error(&cut);
    }
    let good = fragment(69, 5, 2, &[&[0], SEND_SENDER]);
    for end in 5..good.len() {
        let mut cut = good[..end].to_vec();
        cut[..4].copy_from_slice(&(end as u32 - 4).to_be_bytes());
        error(&cut);
    }
}

#[test]
fn every_changed_byte_is_survived() {
    let good = [
        header(&[&[2, 0x88, 0, 3, 2, b'o', b'k', 1, b'x'], SEND_SENDER, &[104, 2, 82, 0, 97, 1]]),
        fragment(69, 1, 2, &[&[0], SEND_SENDER, &[109, 0, 0]]),
        fragment(70, 1, 1, &[&[0, 2, 7, 7]]),
    ]
    .concat();
    for at in 0..good.len() {
        for value in 0..=255 {
            let mut bytes = good.clone();
            bytes[at] = value;
            let mut connection = connection();
            verdict(&mut connection, &bytes);
            assert!(connection.held_bytes() <= good.len());
        }
    }
}

#[test]
fn unknown_frames() {
    for bytes in [&[0][..], &[131], &[131, 67], &[131, 80, 0, 0, 0, 1], &[131, 104, 0], b"GET / "] {
        assert_misbehaved(&frame(&[bytes]));
    }
}

#[test]
fn frames_of_what_was_not_negotiated() {
    let only_cache = all_flags() - DistributionFlags::FRAGMENTS;
    let neither = only_cache - DistributionFlags::DIST_HDR_ATOM_CACHE;
    let limits = ConnectionLimits::default();
    let first = fragment(69, 1, 1, &[&[0], LINK]);
    let next = fragment(70, 1, 1, &[]);
    for (flags, bytes) in [
        (only_cache, &first),
        (only_cache, &next),
        (neither, &header(&[&[0], LINK])),
        (
            all_flags() - DistributionFlags::DIST_HDR_ATOM_CACHE,
            &header(&[&[1, 8, 0, 1, b'x'], LINK]),
        ),
    ] {
        let error = verdict(&mut with(limits, flags), bytes).expect("not negotiated");
        assert!(matches!(error, ConnectionError::NotNegotiated { .. }), "{error}");
    }
    // Pass-through is for peers that know nothing better.
    assert_misbehaved(&frame(&[&[112, 131], LINK]));
    assert_eq!(verdict(&mut with(limits, neither), &frame(&[&[112, 131], LINK])), None);
    let error = verdict(&mut with(limits, neither), &frame(&[&[112], LINK])).expect("no version");
    assert!(matches!(error, ConnectionError::Misbehaved { .. }), "{error}");
}

#[test]
fn operations_of_what_was_not_negotiated() {
    let limits = ConnectionLimits::default();
    for (flag, number) in [
        (DistributionFlags::SEND_SENDER, 22),
        (DistributionFlags::EXIT_PAYLOAD, 24),
        (DistributionFlags::ALIAS, 33),
        (DistributionFlags::SPAWN, 29),
        (DistributionFlags::UNLINK_ID, 35),
        (DistributionFlags::ALTACT_SIG, 37),
    ] {
        let mut control = SEND_SENDER.to_vec();
        control[3] = number;
        let bytes = header(&[&[0], &control, &[106]]);
        let error = verdict(&mut with(limits, all_flags() - flag), &bytes).expect("refused");
        assert!(matches!(error, ConnectionError::NotNegotiated { flag: f, .. } if f == flag));
    }
    let mut unlink = LINK.to_vec();
    unlink[3] = 4;
    assert_misbehaved(&header(&[&[0], &unlink]));
}

#[test]
fn control_terms_that_are_none() {
    for control in [
        &b"\x6a"[..],            // []
        b"\x61\x01",             // 1
        b"\x68\x00",             // {}
        b"\x68\x01\x77\x01a",    // {a}
        b"\x68\x01\x61\x00",     // {0}
        b"\x68\x01\x61\xff",     // {255}
        b"\x68\x01\x61\x01",     // {1}: too few elements
        b"\x68\x02\x61\x05\x6a", // {5,[]}: too many
        b"\x6c\x00\x00\x00\x01\x61\x01\x6a",
        b"\x69\x00\x00\x00\x03\x61\x01\x6a\x6a",
    ] {
        assert_misbehaved(&header(&[&[0], control]));
    }
    // {1, [], []}: not pids.
    assert_misbehaved(&header(&[&[0], b"\x68\x03\x61\x01\x6a\x6a"]));
    // UNLINK_ID with the ids 0, -1 and 2^64.
    for id in [&b"\x61\x00"[..], b"\x62\xff\xff\xff\xff", b"\x6e\x09\x00\0\0\0\0\0\0\0\0\x01"] {
        let pids = &LINK[4..];
        assert_misbehaved(&header(&[&[0], b"\x68\x04\x61\x23", id, pids]));
    }
}

/// Printing it in decimal would take minutes.
#[test]
fn a_huge_number_where_none_belongs_is_refused_at_once() {
    let mut control = vec![104, 4, 97, 0x23, 111];
    control.extend((8 * 1024 * 1024_u32).to_be_bytes());
    control.push(0);
    control.resize(control.len() + 8 * 1024 * 1024, 0xAB);
    control.extend(&LINK[4..]);
    let error = error(&header(&[&[0], &control])).to_string();
    assert!(error.contains("16#ABABAB") && error.chars().count() < 200, "{error}");
}

#[test]
fn altact_flags_must_agree_with_the_elements() {
    let pids = &LINK[4..];
    for flags in [2, 4, 8, 12, 32, 255] {
        assert_misbehaved(&header(&[&[0], b"\x68\x04\x61\x25\x61", &[flags], pids, &[106]]));
    }
    let traced_without_flag = [&b"\x68\x05\x61\x25\x61\x01"[..], pids, &[106]].concat();
    assert_misbehaved(&header(&[&[0], &traced_without_flag, &[106]]));
}

#[test]
fn payloads_that_are_none() {
    // None at all, two, one where none belongs.
    assert_bad_term(&header(&[&[0], SEND_SENDER]));
    assert_misbehaved(&header(&[&[0], SEND_SENDER, &[106, 106]]));
    assert_misbehaved(&header(&[&[0], LINK, &[106]]));
    // A version byte, a compressed and a local term, an unknown tag, a count without elements.
    for term in [
        &[131, 106][..],
        &[80, 0, 0, 0, 1, 0x78, 0x9c],
        &[121, 0, 0, 0, 0, 0, 0, 0, 0],
        &[0],
        &[108, 0xff, 0xff, 0xff, 0xff, 106],
        &[105, 0xff, 0xff, 0xff, 0xff],
        &[116, 0x7f, 0xff, 0xff, 0xff],
        &[109, 0xff, 0xff, 0xff, 0xff, 1],
        &[111, 0xff, 0xff, 0xff, 0xff, 0, 1],
        &[82, 0],
        &[104, 1, 82, 255],
    ] {
        assert_bad_term(&header(&[&[0], SEND_SENDER, term]));
    }
}

#[test]
fn deep_nesting_costs_a_message_and_in_a_control_message_the_connection() {
    let mut deep = Vec::new();
    for _ in 0..1_000_000 {
        deep.extend([104, 1]);
    }
    deep.push(106);
    let mut connection = connection();
    let frame = header(&[&[0], SEND_SENDER, &deep]);
    connection.handle_input(NOW, Bytes::from(frame));
    let event = connection.poll_event().expect("it goes on").expect("an event");
    assert!(matches!(event, Event::Oversized { .. }), "{event:?}");
    assert_eq!(connection.poll_event().expect("it goes on"), None);
    // LINK, from the depths.
    assert_bad_term(&header(&[&[0], &[104, 3, 97, 1], &deep, &[106]]));
}

#[test]
fn atom_caches_that_lie() {
    // An empty slot; a text that is no UTF-8; one with 256 characters; a length behind the end.
    assert_misbehaved(&header(&[&[1, 7, 255], LINK]));
    assert_misbehaved(&header(&[&[1, 8, 0, 2, 0xff, 0xfe], LINK]));
    let long = [&[1, 0x18, 0, 1, 0][..], &[b'x'; 256]].concat();
    assert_misbehaved(&header(&[&long, LINK]));
    assert_misbehaved(&header(&[&[1, 0x18, 0, 0xff, 0xff, b'x'], LINK]));
    assert_misbehaved(&header(&[&[255, 0]]));
}

#[test]
fn fragment_ids_that_lie() {
    let first = |id| fragment(69, 1, id, &[&[0], SEND_SENDER]);
    let next = |id| fragment(70, 1, id, &[&[106]]);
    // The ids that a BEAM itself doesn't survive.
    assert_misbehaved(&first(0));
    let error = error(&first(u64::MAX));
    assert!(matches!(error, ConnectionError::Limit { got: u64::MAX, .. }), "{error}");
    // A continuation of nothing; one that counts up, repeats, skips, or goes below 1.
    assert_misbehaved(&next(1));
    for id in [0, 1, 3, 4, u64::MAX] {
        assert_misbehaved(&[first(3), next(id)].concat());
    }
    // A second first fragment of the same sequence; more after the last.
    assert_misbehaved(&[first(3), first(3)].concat());
    let whole = [first(2), next(1)].concat();
    assert_eq!(verdict(&mut connection(), &whole), None);
    assert_misbehaved(&[whole, next(1)].concat());
    // An operation that has no payload doesn't come in fragments.
    assert_misbehaved(&fragment(69, 1, 2, &[&[0], LINK]));
    // The joined payload is no term, or more than one.
    assert_misbehaved(&[first(2), fragment(70, 1, 1, &[&[106, 106]])].concat());
    assert_bad_term(&[first(2), fragment(70, 1, 1, &[])].concat());
}

#[test]
fn unfinished_messages_are_bounded_in_number_and_bytes() {
    let limits = ConnectionLimits {
        fragmented_messages_max: 100,
        fragments_bytes_max: 10_000,
        message_bytes_max: 5_000,
        ..ConnectionLimits::default()
    };
    let mut many = with(limits, all_flags());
    let mut got = None;
    for sequence in 0..1000 {
        let bytes = fragment(69, sequence, 9, &[&[0], SEND_SENDER]);
        got = verdict(&mut many, &bytes);
        if got.is_some() {
            assert_eq!(sequence, 100);
            break;
        }
    }
    assert!(matches!(got, Some(ConnectionError::Limit { max: 100, got: 101, .. })), "{got:?}");

    let (mut long, mut got) = (with(limits, all_flags()), None);
    let mut bytes = fragment(69, 1, 90, &[&[0], SEND_SENDER]);
    for id in (1..90).rev() {
        bytes.extend(fragment(70, 1, id, &[&[0; 1000]]));
    }
    got = got.or(verdict(&mut long, &bytes));
    assert!(matches!(got, Some(ConnectionError::Limit { max: 5_000, .. })), "{got:?}");

    let (mut wide, mut got) = (with(limits, all_flags()), None);
    for sequence in 0..20 {
        let bytes = fragment(69, sequence, 9, &[&[0], SEND_SENDER, &[0; 2000]]);
        got = got.or(verdict(&mut wide, &bytes));
        assert!(wide.held_bytes() <= 12_100);
    }
    assert!(matches!(got, Some(ConnectionError::Limit { max: 10_000, .. })), "{got:?}");
}

/// What is beside the payload is held as well.
#[test]
fn control_terms_and_atoms_of_unfinished_messages_are_bounded() {
    let limits = ConnectionLimits { fragments_bytes_max: 100_000, ..ConnectionLimits::default() };
    let pid = b"\x58\x77\x03a@h\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x07";
    // `{12, '', Pid, Token}`, whose token would be many terms.
    let token = [&[108, 0, 0, 0x20, 0][..], &[106; 0x2000], &[106]].concat();
    let long_token = |_| [&[0, 104, 4, 97, 12, 119, 0][..], pid, &token].concat();
    // 255 atoms of 255 bytes, all new.
    let long_atoms = |sequence: u64| {
        let mut bytes = vec![255];
        bytes.extend([0x88; 127]);
        bytes.push(0x88);
        for number in 0..=254 {
            let text = format!("{sequence:0127}{number:0128}");
            bytes.extend([number, 255]);
            bytes.extend(text.as_bytes());
        }
        [&bytes[..], SEND_SENDER].concat()
    };
    let heads: [&dyn Fn(u64) -> Vec<u8>; 2] = [&long_token, &long_atoms];
    for head in heads {
        let (mut connection, mut got) = (with(limits, all_flags()), None);
        for sequence in 0..20 {
            got = verdict(&mut connection, &fragment(69, sequence, 2, &[&head(sequence)]));
            if got.is_some() {
                break;
            }
            let least = usize::try_from(sequence + 1).expect("small") * 8000;
            assert!(connection.held_bytes() >= least, "{}", connection.held_bytes());
        }
        assert!(matches!(got, Some(ConnectionError::Limit { max: 100_000, .. })), "{got:?}");
    }
    // It is given back.
    let mut connection = connection();
    let whole = [
        fragment(69, 1, 2, &[&long_token(1), &[104, 1]]),
        fragment(70, 1, 1, &[&[106]]),
        fragment(69, 2, 2, &[&long_atoms(1), &[104, 1]]),
        fragment(70, 2, 1, &[&[106]]),
    ];
    assert_eq!(verdict(&mut connection, &whole.concat()), None);
    assert_eq!(connection.held_bytes(), 0);
}

#[test]
fn a_long_frame_is_refused_by_its_length_alone() {
    let error = error(&[0xff, 0xff, 0xff, 0xff]);
    assert!(matches!(error, ConnectionError::Limit { got: 0xffff_ffff, .. }), "{error}");
}

#[test]
fn a_flood_of_ticks_costs_nothing() {
    let mut connection = connection();
    assert_eq!(verdict(&mut connection, &vec![0; 4_000_000]), None);
    assert_eq!(connection.held_bytes(), 0);
}
