//! Strangers that know the cookie and then send frames that are none, lie, or speak for others.

use erlang_interop::term::{Atom, Pid, Reference, Term, encode, term};

use super::case::{Case, End, Phase, inside};
use super::stranger::{CREATION, Stranger, controlled, framed};
use End::{Cut, Leaves, Stays};
use Phase::Connected;

pub(crate) const CASES: &[&[Case]] =
    &[LENGTHS, HEADERS, CONTROLS, PAYLOADS, FRAGMENTS, STRAY, FORGED];

/// A frame with a header that has no atoms.
fn plain(stranger: &mut Stranger, parts: &[&[u8]]) {
    let body = [&[131, 68, 0][..], &parts.concat()].concat();
    stranger.frame(&body);
}

/// A message to `rex`, whose payload is these bytes.
fn payload(stranger: &mut Stranger, bytes: &[u8]) {
    let control = encode(&term!({6, (stranger.pid(1)), @"", rex}));
    plain(stranger, &[&control[1..], bytes]);
}

const LENGTHS: &[Case] = &[
    inside("a frame beyond all lengths", Connected, Cut, |s| s.say(&[0xff; 4])),
    inside("a frame one above the limit", Connected, Cut, |s| s.say(&[0x20, 0, 0, 1])),
    inside("a long frame announced, and no byte of it", Connected, Leaves, |s| {
        s.say(&[0x1f, 0xff, 0xff, 0xff]);
    }),
    inside("half of a frame, and it hangs up", Connected, Cut, |s| {
        s.say(&[0, 0, 1, 0, 131, 68]);
        s.line.hang_up();
    }),
    inside("half of a length, and gone", Connected, Leaves, |s| s.say(&[0, 0])),
    inside("four million ticks", Connected, Stays, |s| {
        for _ in 0..16 {
            s.say(&[0; 1 << 20]);
        }
    }),
    inside("frames of one byte in pieces", Connected, Stays, |s| {
        let frame = controlled(&term!({6, (s.pid(1)), @"", nobody}), Some(&term!(hello)));
        for _ in 0..20 {
            s.trickle(&frame);
        }
    }),
];

const HEADERS: &[Case] = &[
    inside("an unknown frame", Connected, Cut, |s| s.frame(b"\x07")),
    inside("HTTP as a frame", Connected, Cut, |s| s.frame(b"GET / HTTP/1.1\r\n\r\n")),
    inside("a version and nothing", Connected, Cut, |s| s.frame(&[131])),
    inside("a compressed frame", Connected, Cut, |s| s.frame(&[131, 80, 0, 0, 0, 1, 0x78, 0x9c])),
    inside("the old header", Connected, Cut, |s| s.frame(&[131, 67, 0])),
    inside("a bare term as a frame", Connected, Cut, |s| s.frame(&[131, 104, 0])),
    inside("a frame without the header that was agreed on", Connected, Cut, |s| {
        let control = encode(&term!({6, (s.pid(1)), @"", rex}));
        s.frame(&[&[112][..], &control, &[131, 106]].concat());
    }),
    inside("a header and nothing", Connected, Cut, |s| s.frame(&[131, 68])),
    inside("a header of 255 atoms that are not there", Connected, Cut, |s| {
        s.frame(&[131, 68, 255, 0]);
    }),
    inside("an atom of an empty slot", Connected, Cut, |s| s.frame(&[131, 68, 1, 7, 255, 104, 0])),
    inside("an atom that is no UTF-8", Connected, Cut, |s| {
        s.frame(&[131, 68, 1, 8, 0, 2, 0xff, 0xfe, 104, 0]);
    }),
    inside("an atom of 256 characters", Connected, Cut, |s| {
        let head = [131, 68, 1, 0x18, 0, 1, 0];
        s.frame(&[&head[..], &[b'x'; 256], &[104, 0]].concat());
    }),
    inside("an atom longer than its frame", Connected, Cut, |s| {
        s.frame(&[131, 68, 1, 0x18, 0, 0xff, 0xff, b'x']);
    }),
    inside("an atom that the header does not have", Connected, Cut, |s| {
        s.frame(&[131, 68, 0, 104, 2, 97, 6, 82, 0]);
    }),
    inside("all slots filled twice over", Connected, Stays, |s| {
        for round in 0..4096_u16 {
            let slot = round.to_be_bytes();
            // Segment in the flag's nibble, index in the byte, a text of 6 bytes.
            let segment = slot[0] & 7;
            let mut body = vec![131, 68, 1, 8 | segment, slot[1], 6];
            body.extend_from_slice(format!("a{round:05}").as_bytes());
            let control = encode(&term!({6, (s.pid(1)), @"", nobody}));
            body.extend_from_slice(&control[1..]);
            body.push(106);
            s.frame(&body);
        }
    }),
];

/// A control message of these bytes, with `[]` behind it.
fn control(stranger: &mut Stranger, bytes: &[u8]) {
    plain(stranger, &[bytes, &[106]]);
}

const CONTROLS: &[Case] = &[
    inside("control: no term", Connected, Cut, |s| plain(s, &[])),
    inside("control: []", Connected, Cut, |s| control(s, &[106])),
    inside("control: 1", Connected, Cut, |s| control(s, &[97, 1])),
    inside("control: {}", Connected, Cut, |s| control(s, &[104, 0])),
    inside("control: {a}", Connected, Cut, |s| control(s, b"\x68\x01\x77\x01a")),
    inside("control: {0}", Connected, Cut, |s| control(s, &[104, 1, 97, 0])),
    inside("control: {99}", Connected, Cut, |s| control(s, &[104, 1, 97, 99])),
    inside("control: {255}", Connected, Cut, |s| control(s, &[104, 1, 97, 255])),
    inside("control: a list", Connected, Cut, |s| control(s, b"\x6c\0\0\0\x01\x61\x01\x6a")),
    inside("control: a map", Connected, Cut, |s| control(s, &[116, 0, 0, 0, 0])),
    inside("control: a large tuple", Connected, Cut, |s| {
        control(s, b"\x69\0\0\0\x03\x61\x01\x6a\x6a")
    }),
    inside("control: a tuple of 2^32-1 elements", Connected, Cut, |s| {
        control(s, &[105, 0xff, 0xff, 0xff, 0xff, 97, 1]);
    }),
    inside("control: too few elements", Connected, Cut, |s| control(s, &[104, 2, 97, 1, 106])),
    inside("control: too many elements", Connected, Cut, |s| {
        control(s, &[104, 4, 97, 5, 106, 106, 106])
    }),
    inside("control: a link of no pids", Connected, Cut, |s| {
        control(s, &[104, 3, 97, 1, 106, 106])
    }),
    inside("control: a name that is no atom", Connected, Cut, |s| {
        let control = term!({6, (s.pid(1)), @"", 7});
        s.control(&control, Some(&Term::Nil));
    }),
    inside("control: a monitor without a reference", Connected, Cut, |s| {
        let control = term!({19, (s.pid(1)), rex, 7});
        s.control(&control, None);
    }),
    inside("control: an unlink with the id 0", Connected, Cut, |s| unlink(s, Term::from(0))),
    inside("control: an unlink with the id -1", Connected, Cut, |s| unlink(s, Term::from(-1))),
    inside("control: an unlink with the id of an atom", Connected, Cut, |s| unlink(s, term!(id))),
    inside("control: a spawn of 300 arguments", Connected, Cut, |s| {
        let from = s.pid(1);
        let request = term!({29, (s.reference(1)), (&from), (from), {erpc, call, 300}, []});
        s.control(&request, Some(&Term::Nil));
    }),
    inside("control: a spawn of no function", Connected, Cut, |s| {
        let from = s.pid(1);
        let request = term!({29, (s.reference(1)), (&from), (from), erpc, []});
        s.control(&request, Some(&Term::Nil));
    }),
    inside("control: a signal that was not agreed on", Connected, Cut, |s| {
        let control = term!({37, 0, (s.pid(1)), (s.victim("rex"))});
        s.control(&control, Some(&Term::Nil));
    }),
    inside("control: an unlink of old", Connected, Cut, |s| {
        let control = term!({4, (s.pid(1)), (s.victim("rex"))});
        s.control(&control, None);
    }),
];

fn unlink(stranger: &mut Stranger, id: Term) {
    let control = term!({35, (id), (stranger.pid(1)), (stranger.victim("rex"))});
    stranger.control(&control, None);
}

const PAYLOADS: &[Case] = &[
    inside("payload: none", Connected, Cut, |s| payload(s, &[])),
    inside("payload: two", Connected, Cut, |s| payload(s, &[106, 106])),
    inside("payload: where none belongs", Connected, Cut, |s| {
        let control = term!({1, (s.pid(1)), (s.victim("rex"))});
        s.control(&control, Some(&Term::Nil));
    }),
    inside("payload: a version byte", Connected, Cut, |s| payload(s, &[131, 106])),
    inside("payload: an unknown tag", Connected, Cut, |s| payload(s, &[0])),
    inside("payload: a local term", Connected, Cut, |s| payload(s, &[121, 0, 0, 0, 0, 0, 0, 0, 0])),
    inside("payload: a list of 2^32-1", Connected, Cut, |s| {
        payload(s, b"\x6c\xff\xff\xff\xff\x6a")
    }),
    inside("payload: a map of 2^31-1", Connected, Cut, |s| payload(s, b"\x74\x7f\xff\xff\xff")),
    inside("payload: a binary of 2^32-1", Connected, Cut, |s| {
        payload(s, b"\x6d\xff\xff\xff\xff\x01")
    }),
    inside("payload: an integer of 2^32-1 bytes", Connected, Cut, |s| {
        payload(s, b"\x6f\xff\xff\xff\xff\0\x01");
    }),
    inside("payload: a string longer than its frame", Connected, Cut, |s| {
        payload(s, b"\x6b\xff\xffx")
    }),
    inside("payload: a bit string of 9 bits in its last byte", Connected, Cut, |s| {
        payload(s, &[77, 0, 0, 0, 1, 9, 0xff]);
    }),
    inside("payload: a map with one key twice", Connected, Cut, |s| {
        payload(s, &[116, 0, 0, 0, 2, 97, 1, 106, 97, 1, 106]);
    }),
    inside("payload: an atom that is no UTF-8", Connected, Cut, |s| {
        payload(s, &[119, 2, 0xff, 0xfe])
    }),
    inside("payload: a float that is none", Connected, Cut, |s| {
        payload(s, &[70, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0]);
    }),
    inside("payload: a pid of no node", Connected, Cut, |s| payload(s, &[88, 97, 1, 0, 0, 0, 1])),
    inside("payload: a reference of 65535 words", Connected, Cut, |s| {
        payload(s, b"\x5a\xff\xff\x77\x01a\0\0\0\x01");
    }),
    inside("payload: a fun that lies about its size", Connected, Cut, |s| {
        payload(s, &[112, 0xff, 0xff, 0xff, 0xff, 0, 0, 0]);
    }),
    inside("payload: an export of no function", Connected, Cut, |s| {
        payload(s, &[113, 97, 1, 97, 1, 97, 1])
    }),
];

/// A fragment; the first has tag 69.
fn fragment(tag: u8, sequence: u64, id: u64, rest: &[u8]) -> Vec<u8> {
    let head = [&[131, tag][..], &sequence.to_be_bytes(), &id.to_be_bytes()].concat();
    framed(&[&head[..], rest].concat())
}

/// The first fragment of a message to `rex`.
fn first(stranger: &Stranger, sequence: u64, id: u64) -> Vec<u8> {
    let control = encode(&term!({6, (stranger.pid(1)), @"", rex}));
    fragment(69, sequence, id, &[&[0][..], &control[1..]].concat())
}

/// A first fragment, then one with another id.
fn first_then(stranger: &mut Stranger, id: u64, next: u64) {
    let bytes = [first(stranger, 5, id), fragment(70, 5, next, &[106])].concat();
    stranger.say(&bytes);
}

const FRAGMENTS: &[Case] = &[
    inside("fragments: the id 0", Connected, Cut, |s| s.say(&first(s, 5, 0))),
    inside("fragments: the id 2^64-1", Connected, Cut, |s| s.say(&first(s, 5, u64::MAX))),
    inside("fragments: a first one, then the id 2^64-1", Connected, Cut, |s| {
        first_then(s, 3, u64::MAX)
    }),
    inside("fragments: a first one, then the id 0", Connected, Cut, |s| first_then(s, 3, 0)),
    inside("fragments: one left out", Connected, Cut, |s| first_then(s, 3, 1)),
    inside("fragments: one twice", Connected, Cut, |s| first_then(s, 3, 3)),
    inside("fragments: counting up", Connected, Cut, |s| first_then(s, 3, 4)),
    inside("fragments: the rest of nothing", Connected, Cut, |s| {
        s.say(&fragment(70, 5, 1, &[106]))
    }),
    inside("fragments: two first ones", Connected, Cut, |s| {
        let bytes = [first(s, 5, 3), first(s, 5, 3)].concat();
        s.say(&bytes);
    }),
    inside("fragments: more after the last", Connected, Cut, |s| {
        let last = fragment(70, 5, 1, &[106]);
        let bytes = [first(s, 5, 2), last.clone(), last].concat();
        s.say(&bytes);
    }),
    inside("fragments: shorter than their ids", Connected, Cut, |s| s.frame(&[131, 69, 0, 0, 0])),
    inside("fragments: of a link", Connected, Cut, |s| {
        let link = encode(&term!({1, (s.pid(1)), (s.victim("rex"))}));
        let bytes = fragment(69, 5, 2, &[&[0][..], &link[1..]].concat());
        s.say(&bytes);
    }),
    inside("fragments: joined to no term", Connected, Cut, |s| {
        let bytes = [first(s, 5, 2), fragment(70, 5, 1, &[])].concat();
        s.say(&bytes);
    }),
    inside("fragments: joined to two terms", Connected, Cut, |s| {
        let bytes = [first(s, 5, 2), fragment(70, 5, 1, &[106, 106])].concat();
        s.say(&bytes);
    }),
    inside("fragments: four thousand unfinished messages", Connected, Stays, |s| {
        for sequence in 0..4000 {
            s.say(&first(s, sequence, 9));
        }
    }),
    inside("fragments: one unfinished message too many", Connected, Cut, |s| {
        for sequence in 0..4200 {
            s.say(&first(s, sequence, 9));
        }
    }),
    inside("fragments: empty ones by the thousand", Connected, Stays, |s| {
        s.say(&first(s, 5, 3001));
        for id in (2..3001).rev() {
            s.say(&fragment(70, 5, id, &[]));
        }
        s.say(&fragment(70, 5, 1, &[106]));
    }),
    inside("fragments: gone amid a message", Connected, Leaves, |s| {
        let bytes = [first(s, 5, 900), fragment(70, 5, 899, &[109; 60_000])].concat();
        s.say(&bytes);
    }),
];

/// A pid of the node that no process has.
fn nobody(stranger: &Stranger) -> Pid {
    let rex = stranger.victim("rex");
    Pid::new(rex.node().clone(), 0x00ff_ffff, 1, rex.creation())
}

const STRAY: &[Case] = &[
    inside("stray: a message to no process", Connected, Stays, |s| {
        let control = term!({22, (s.pid(1)), (nobody(s))});
        s.control(&control, Some(&term!(hello)));
    }),
    inside("stray: a message to a process of another life", Connected, Stays, |s| {
        let rex = s.victim("rex");
        let old = Pid::new(rex.node().clone(), rex.id(), rex.serial(), rex.creation() ^ 1);
        let control = term!({22, (s.pid(1)), (old)});
        s.control(&control, Some(&term!(hello)));
    }),
    inside("stray: a message to a process of a third node", Connected, Stays, |s| {
        let third = Pid::new(s.target.honest.clone(), 5, 0, 9);
        let control = term!({22, (s.pid(1)), (third)});
        s.control(&control, Some(&term!(hello)));
    }),
    inside("stray: a message to no name", Connected, Stays, |s| s.send_to("nobody", &term!(hello))),
    inside("stray: a message to an alias of nobody", Connected, Stays, |s| {
        let alias = Reference::new(s.target.node.clone(), 1, &[1, 2, 3]);
        let control = term!({33, (s.pid(1)), (alias)});
        s.control(&control, Some(&term!(hello)));
    }),
    inside("stray: an unlink of what was never linked", Connected, Stays, |s| {
        unlink(s, Term::from(9))
    }),
    inside("stray: an acknowledged unlink that was not asked for", Connected, Stays, |s| {
        let control = term!({36, 9, (s.pid(1)), (s.victim("rex"))});
        s.control(&control, None);
    }),
    inside("stray: a demonitor of nothing", Connected, Stays, |s| {
        let control = term!({20, (s.pid(1)), (s.victim("rex")), (s.reference(1))});
        s.control(&control, None);
    }),
    inside("stray: the end of a monitor that was not set", Connected, Stays, |s| {
        let control = term!({28, (s.pid(1)), (s.victim("rex")), (s.reference(1))});
        s.control(&control, Some(&term!(gone)));
    }),
    inside("stray: the end of a link that was not set", Connected, Stays, |s| {
        let control = term!({24, (s.pid(1)), (s.victim("rex"))});
        s.control(&control, Some(&term!(gone)));
    }),
    inside("stray: the answer to no spawn", Connected, Stays, |s| {
        let to = s.victim("rex");
        let reference = Reference::new(s.target.node.clone(), 1, &[1, 2, 3]);
        let control = term!({31, (reference), (to), 0, (s.pid(1))});
        s.control(&control, None);
    }),
    inside("stray: a leader for nobody", Connected, Stays, |s| {
        let control = term!({7, (s.pid(1)), (nobody(s))});
        s.control(&control, None);
    }),
    inside("stray: a link to nobody", Connected, Stays, |s| {
        let control = term!({1, (s.pid(1)), (nobody(s))});
        s.control(&control, None);
    }),
    inside("stray: a monitor of nobody", Connected, Stays, |s| {
        let control = term!({19, (s.pid(1)), (nobody(s)), (s.reference(1))});
        s.control(&control, None);
    }),
];

/// A process of the honest node that the stranger claims to be.
fn mask(stranger: &Stranger) -> Pid {
    Pid::new(stranger.target.honest.clone(), 1, 0, CREATION)
}

/// A signal in the name of another node's process, to one whose end would be noticed.
fn forged(stranger: &mut Stranger, operation: i64, payload: Option<&Term>) {
    let control = term!({(operation), (mask(stranger)), (stranger.victim("global_name_server"))});
    stranger.control(&control, payload);
}

const FORGED: &[Case] = &[
    inside("forged: a message", Connected, Stays, |s| forged(s, 22, Some(&term!(hello)))),
    inside("forged: a message to a name", Connected, Stays, |s| {
        let control = term!({6, (mask(s)), @"", net_kernel});
        s.control(&control, Some(&term!(hello)));
    }),
    inside("forged: a message to an alias", Connected, Stays, |s| {
        let alias = Reference::new(s.target.node.clone(), 1, &[1, 2, 3]);
        let control = term!({33, (mask(s)), (alias)});
        s.control(&control, Some(&term!(hello)));
    }),
    inside("forged: a link", Connected, Stays, |s| forged(s, 1, None)),
    inside("forged: the end of a link", Connected, Stays, |s| forged(s, 24, Some(&term!(kill)))),
    inside("forged: an exit", Connected, Stays, |s| forged(s, 26, Some(&term!(kill)))),
    inside("forged: a monitor", Connected, Stays, |s| {
        let control = term!({19, (mask(s)), rex, (s.reference(1))});
        s.control(&control, None);
    }),
    inside("forged: a monitor's reference", Connected, Stays, |s| {
        let reference = Reference::new(s.target.honest.clone(), CREATION, &[1, 2, 3]);
        let control = term!({19, (s.pid(1)), rex, (reference)});
        s.control(&control, None);
    }),
    inside("forged: the end of a monitor", Connected, Stays, |s| {
        let reference = Reference::new(s.target.node.clone(), 1, &[1, 2, 3]);
        let control = term!({28, (mask(s)), (s.victim("global_name_server")), (reference)});
        s.control(&control, Some(&term!(noconnection)));
    }),
    inside("forged: an unlink", Connected, Stays, |s| {
        let control = term!({35, 7, (mask(s)), (s.victim("rex"))});
        s.control(&control, None);
    }),
    inside("forged: a spawn", Connected, Stays, |s| {
        let mask = mask(s);
        let request = term!({29, (s.reference(1)), (&mask), (mask), {timer, sleep, 1}, []});
        s.control(&request, Some(&term!([infinity])));
    }),
    inside("forged: a spawn's reference", Connected, Stays, |s| {
        let reference = Reference::new(s.target.honest.clone(), CREATION, &[1, 2, 3]);
        let from = s.pid(1);
        let request = term!({29, (reference), (&from), (from), {timer, sleep, 1}, []});
        s.control(&request, Some(&term!([infinity])));
    }),
    inside("forged: a process that was started for nobody", Connected, Stays, |s| {
        let (to, pid) = (s.victim("net_kernel"), s.victim("rex"));
        let reference = Reference::new(s.target.node.clone(), 1, &[1, 2, 3]);
        let reply = term!({31, (reference), (to), 3, (pid)});
        s.control(&reply, None);
    }),
    inside("forged: a process of the node itself", Connected, Stays, |s| {
        let (from, to) = (s.victim("net_kernel"), s.victim("global_name_server"));
        let control = term!({26, (from), (to)});
        s.control(&control, Some(&term!(kill)));
    }),
    inside("forged: a life before this one", Connected, Stays, |s| {
        let name = Atom::new(&s.name).expect("short");
        let old = Pid::new(name, 1, 0, CREATION + 1);
        let control = term!({1, (old), (s.victim("user"))});
        s.control(&control, None);
    }),
];
