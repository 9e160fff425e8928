//! Terms that are small to send and costly to have.

use std::io::Write as _;

use erlang_interop::term::{Term, encode, term};
use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::case::{Case, End, Phase, inside};
use super::stranger::{Stranger, framed};
use End::{Cut, Leaves, Stays};
use Phase::Connected;

pub(crate) const CASES: &[&[Case]] = &[DEEP, WIDE, ATOMS, COMPRESSED, LONG];

/// A message to `rex`, which has no use for it.
fn bomb(stranger: &mut Stranger, payload: &[u8]) {
    let control = encode(&term!({6, (stranger.pid(1)), @"", rex}));
    let body = [&[131, 68, 0][..], &control[1..], payload].concat();
    stranger.say(&framed(&body));
}

/// The same bytes over and over, and an end.
fn nested(level: &[u8], levels: usize, end: &[u8]) -> Vec<u8> {
    [&level.repeat(levels)[..], end].concat()
}

const DEEP: &[Case] = &[
    inside("deep: a million tuples", Connected, Stays, |s| {
        bomb(s, &nested(&[104, 1], 1_000_000, &[106]))
    }),
    inside("deep: a million lists", Connected, Stays, |s| {
        bomb(s, &nested(&[108, 0, 0, 0, 1], 1_000_000, &[106]));
    }),
    inside("deep: a million tails", Connected, Stays, |s| {
        // [a | [a | [a | …]]]: each tail is a list of one.
        bomb(s, &nested(&[108, 0, 0, 0, 1, 97, 1], 1_000_000, &[106]));
    }),
    inside("deep: a million maps as values", Connected, Stays, |s| {
        bomb(s, &nested(&[116, 0, 0, 0, 1, 97, 1], 1_000_000, &[106]));
    }),
    inside("deep: a million maps as keys", Connected, Stays, |s| {
        bomb(s, &nested(&[116, 0, 0, 0, 1], 1_000_000, &[106]));
    }),
    inside("deep: just as deep as is allowed, often", Connected, Stays, |s| {
        for _ in 0..200 {
            bomb(s, &nested(&[104, 1], 1000, &[106]));
        }
    }),
    inside("deep: within a control message", Connected, Cut, |s| {
        let deep = nested(&[104, 1], 100_000, &[106]);
        let body = [&[131, 68, 0, 104, 3, 97, 1][..], &deep, &[106]].concat();
        s.frame(&body);
    }),
    inside("deep: as the options of a spawn", Connected, Cut, |s| {
        let deep = nested(&[104, 1], 100_000, &[106]);
        let head = encode(&s.spawn_request(1, Term::Nil));
        let body = [&[131, 68, 0][..], &head[1..head.len() - 1], &deep, &[106]].concat();
        s.frame(&body);
    }),
    inside("deep: as the reason of an exit", Connected, Stays, |s| {
        let exit = encode(&term!({24, (s.pid(1)), (s.victim("rex"))}));
        let deep = nested(&[104, 1], 1_000_000, &[106]);
        let body = [&[131, 68, 0][..], &exit[1..], &deep].concat();
        s.frame(&body);
    }),
];

/// A list of so many terms.
fn list(element: &[u8], count: u32) -> Vec<u8> {
    let elements = element.repeat(count as usize);
    [&[108][..], &count.to_be_bytes(), &elements, &[106]].concat()
}

const WIDE: &[Case] = &[
    inside("wide: four million empty lists", Connected, Stays, |s| {
        bomb(s, &list(&[106], 4_000_000))
    }),
    inside("wide: sixteen million empty lists", Connected, Stays, |s| {
        bomb(s, &list(&[106], 16_000_000))
    }),
    inside("wide: thirty million empty lists", Connected, Stays, |s| {
        bomb(s, &list(&[106], 30_000_000))
    }),
    inside("wide: a million tuples of one", Connected, Stays, |s| {
        bomb(s, &list(&[104, 1, 106], 1_000_000))
    }),
    inside("wide: a million empty maps", Connected, Stays, |s| {
        bomb(s, &list(&[116, 0, 0, 0, 0], 1_000_000))
    }),
    inside("wide: a million empty binaries", Connected, Stays, |s| {
        bomb(s, &list(&[109, 0, 0, 0, 0], 1_000_000));
    }),
    inside("wide: a million strings of one", Connected, Stays, |s| {
        bomb(s, &list(&[107, 0, 1, 7], 1_000_000))
    }),
    inside("wide: strings that are lists of small numbers", Connected, Stays, |s| {
        let string = [&[107, 0xff, 0xff][..], &[7; 65_535]].concat();
        bomb(s, &list(&string, 100));
    }),
    inside("wide: a map of 200,000 keys", Connected, Stays, |s| {
        let count = 200_000_u32;
        let mut bytes = [&[116][..], &count.to_be_bytes()].concat();
        for key in 0..count {
            bytes.push(98);
            bytes.extend_from_slice(&key.to_be_bytes());
            bytes.push(106);
        }
        bomb(s, &bytes);
    }),
    inside("wide: a tuple of 500,000 pids", Connected, Stays, |s| {
        let count = 500_000_u32;
        let pid = encode(&Term::from(&s.pid(1)));
        let pids = pid[1..].repeat(count as usize);
        bomb(s, &[&[105][..], &count.to_be_bytes(), &pids].concat());
    }),
    inside("wide: again and again", Connected, Stays, |s| {
        for _ in 0..20 {
            bomb(s, &list(&[106], 100_000));
        }
    }),
];

/// Atoms that nobody had before, written out.
fn fresh_atoms(stranger: &mut Stranger, count: u32, length: usize) {
    let mut bytes = [&[108][..], &count.to_be_bytes()].concat();
    for number in 0..count {
        let text = format!("{}{number:0length$}", stranger.name.len());
        let text = &text.as_bytes()[..length];
        bytes.extend_from_slice(&[119, u8::try_from(length).expect("short")]);
        bytes.extend_from_slice(text);
    }
    bytes.push(106);
    bomb(stranger, &bytes);
}

const ATOMS: &[Case] = &[
    inside("atoms: 100,000 new ones", Connected, Stays, |s| fresh_atoms(s, 100_000, 12)),
    inside("atoms: 20,000 long ones", Connected, Stays, |s| fresh_atoms(s, 20_000, 250)),
    inside("atoms: new ones in each message", Connected, Stays, |s| {
        for round in 0..40 {
            fresh_atoms(s, 5000, 20 + round);
        }
    }),
    inside("atoms: as names that nobody has", Connected, Stays, |s| {
        for number in 0..20_000 {
            s.send_to(&format!("nobody_has_the_name_{number}"), &Term::Nil);
        }
    }),
    inside("atoms: as nodes of pids", Connected, Stays, |s| {
        let count = 50_000_u32;
        let mut bytes = [&[108][..], &count.to_be_bytes()].concat();
        for number in 0..count {
            let node = format!("n{number:08}@h");
            bytes.extend_from_slice(&[88, 119, u8::try_from(node.len()).expect("short")]);
            bytes.extend_from_slice(node.as_bytes());
            bytes.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7]);
        }
        bytes.push(106);
        bomb(s, &bytes);
    }),
    inside("atoms: made by calls", Connected, Stays, |s| {
        for number in 0..3000 {
            let text = Term::charlist(&format!("made_by_a_call_{number}"));
            s.call(number, "erlang", "list_to_atom", term!([(text)]));
        }
    }),
];

/// These bytes as a zlib stream.
fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("into memory");
    encoder.finish().expect("into memory")
}

/// A term that inflates to `bytes` of zeros, as `term_to_binary(_, [compressed])` makes it.
fn inflates_to(bytes: usize) -> Vec<u8> {
    let length = u32::try_from(bytes).expect("fits");
    let plain = [&[109][..], &(length - 5).to_be_bytes(), &vec![0; bytes - 5]].concat();
    [&[131, 80][..], &length.to_be_bytes(), &deflated(&plain)].concat()
}

const COMPRESSED: &[Case] = &[
    inside("compressed: as a payload", Connected, Cut, |s| bomb(s, &inflates_to(1_000_000)[1..])),
    inside("compressed: as a control message", Connected, Cut, |s| {
        let bytes = [&[131, 68, 0][..], &inflates_to(1_000_000)[1..]].concat();
        s.frame(&bytes);
    }),
    inside("compressed: 4 MiB, read by a call", Connected, Stays, |s| {
        let bytes = Term::binary(inflates_to(4 << 20));
        s.call(1, "erlang", "binary_to_term", term!([(bytes)]));
    }),
    inside("compressed: a gibibyte, read by a call", Connected, Stays, |s| {
        // Its length says so; there is no need to have it all.
        let mut bytes = inflates_to(1 << 20);
        bytes[2..6].copy_from_slice(&(1_u32 << 30).to_be_bytes());
        s.call(1, "erlang", "binary_to_term", term!([(Term::binary(bytes))]));
    }),
    inside("compressed: more than it says, read by a call", Connected, Stays, |s| {
        let mut bytes = inflates_to(8 << 20);
        bytes[2..6].copy_from_slice(&10_u32.to_be_bytes());
        s.call(1, "erlang", "binary_to_term", term!([(Term::binary(bytes))]));
    }),
    inside("compressed: within itself, read by a call", Connected, Stays, |s| {
        let inner = inflates_to(1 << 20);
        let bytes = [&[131, 80, 0, 0, 4, 0][..], &deflated(&inner[1..])].concat();
        s.call(1, "erlang", "binary_to_term", term!([(Term::binary(bytes))]));
    }),
    inside("compressed: no zlib at all, read by a call", Connected, Stays, |s| {
        let bytes = Term::binary(vec![131, 80, 0, 0, 4, 0, 1, 2, 3, 4, 5, 6]);
        s.call(1, "erlang", "binary_to_term", term!([(bytes)]));
    }),
    inside("compressed: ten of 4 MiB at once", Connected, Stays, |s| {
        let bytes = Term::binary(inflates_to(4 << 20));
        for number in 0..10 {
            s.call(number, "erlang", "binary_to_term", term!([(&bytes)]));
        }
    }),
];

const LONG: &[Case] = &[
    inside("long: a binary of 40 MiB for nobody", Connected, Stays, |s| {
        s.send_to("nobody", &Term::binary(vec![7; 40 << 20]));
    }),
    inside("long: a binary of 40 MiB for a service", Connected, Stays, |s| {
        s.send_to("rex", &Term::binary(vec![7; 40 << 20]));
    }),
    inside("long: six peers with 40 MiB each for nobody", Connected, Stays, |s| {
        let mut peers: Vec<_> = (0..5).map(|n| s.another(&format!("long{n}"), Connected)).collect();
        for peer in &mut peers {
            peer.send_to("nobody", &Term::binary(vec![7; 40 << 20]));
        }
        // Together they are over what all may have half sent, so some were cut.
        assert!(peers.iter_mut().any(Stranger::is_answered));
    }),
    inside("long: six peers with 40 MiB each, half there", Connected, Leaves, |s| {
        let mut peers: Vec<_> = (0..6).map(|n| s.another(&format!("half{n}"), Connected)).collect();
        for peer in &mut peers {
            peer.say(&(120_u32 << 20).to_be_bytes());
            for _ in 0..40 {
                peer.say(&[0; 1 << 20]);
            }
        }
    }),
    inside("long: a service put to sleep, and 300 MiB for it", Connected, Leaves, |s| {
        let (pid, tag) = (s.pid(1), s.reference(1));
        s.send_to("logger_proxy", &term!({system, {(pid), (tag)}, suspend}));
        let mebibyte = Term::binary(vec![7; 1 << 20]);
        for _ in 0..300 {
            s.send_to("logger_proxy", &mebibyte);
        }
        assert!(s.is_answered());
        let (pid, tag) = (s.pid(1), s.reference(2));
        s.send_to("logger_proxy", &term!({system, {(pid), (tag)}, resume}));
    }),
    inside("long: three services put to sleep, and 100 MiB for each", Connected, Leaves, |s| {
        let sleepers = ["logger_proxy", "rex", "Elixir.HAR.TaskSupervisor"];
        for (number, service) in (1..).zip(sleepers) {
            let (pid, tag) = (s.pid(1), s.reference(number));
            s.send_to(service, &term!({system, {(pid), (tag)}, suspend}));
        }
        let mebibyte = Term::binary(vec![7; 1 << 20]);
        for _ in 0..100 {
            for service in sleepers {
                s.send_to(service, &mebibyte);
            }
        }
        assert!(s.is_answered());
        for (number, service) in (4..).zip(sleepers) {
            let (pid, tag) = (s.pid(1), s.reference(number));
            s.send_to(service, &term!({system, {(pid), (tag)}, resume}));
        }
    }),
    inside(
        "long: a service put to sleep, and exits with 300 MiB of reasons",
        Connected,
        Leaves,
        |s| {
            let (pid, tag) = (s.pid(1), s.reference(1));
            s.send_to("pg", &term!({system, {(pid), (tag)}, suspend}));
            let exit = encode(&term!({26, (s.pid(1)), (s.victim("pg"))}));
            let reason = encode(&Term::binary(vec![7; 1 << 20]));
            let body = [&[131, 68, 0][..], &exit[1..], &reason[1..]].concat();
            for _ in 0..300 {
                s.frame(&body);
            }
            assert!(s.is_answered());
            let (pid, tag) = (s.pid(1), s.reference(2));
            s.send_to("pg", &term!({system, {(pid), (tag)}, resume}));
        },
    ),
    inside("long: a service put to sleep, and 40 million small terms", Connected, Leaves, |s| {
        let (pid, tag) = (s.pid(1), s.reference(1));
        s.send_to("logger_proxy", &term!({system, {(pid), (tag)}, suspend}));
        let small = Term::list(vec![Term::Nil; 400_000]);
        for _ in 0..100 {
            s.send_to("logger_proxy", &small);
        }
        assert!(s.is_answered());
        let (pid, tag) = (s.pid(1), s.reference(2));
        s.send_to("logger_proxy", &term!({system, {(pid), (tag)}, resume}));
    }),
    inside("long: an integer of a mebibyte", Connected, Stays, |s| {
        bomb(s, &[&[111, 0, 16, 0, 0, 0][..], &[0xff; 1 << 20]].concat());
    }),
    inside("long: a hundred mebibytes in a hundred messages", Connected, Stays, |s| {
        let mebibyte = Term::binary(vec![7; 1 << 20]);
        for _ in 0..100 {
            s.send_to("rex", &mebibyte);
        }
    }),
    inside("long: 500 MiB announced in a frame, and sent", Connected, Cut, |s| {
        s.say(&(500_u32 << 20).to_be_bytes());
        for _ in 0..500 {
            s.say(&[0; 1 << 20]);
        }
    }),
    inside("long: 500 MiB in fragments that never end", Connected, Cut, |s| {
        let control = encode(&term!({6, (s.pid(1)), @"", rex}));
        let head =
            |tag, id: u64| [&[131, tag, 0, 0, 0, 0, 0, 0, 0, 5][..], &id.to_be_bytes()].concat();
        s.frame(&[&head(69, 9000)[..], &[0], &control[1..]].concat());
        for id in (8500..9000).rev() {
            s.frame(&[&head(70, id)[..], &[0; 1 << 20]].concat());
        }
    }),
    inside("long: thirty messages at once, each half there", Connected, Cut, |s| {
        let control = encode(&term!({6, (s.pid(1)), @"", rex}));
        for sequence in 0..30_u64 {
            let mut head = vec![131, 69];
            head.extend_from_slice(&sequence.to_be_bytes());
            head.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 90]);
            s.frame(&[&head[..], &[0], &control[1..], &[0; 10 << 20]].concat());
        }
    }),
];
