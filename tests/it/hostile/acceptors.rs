//! Strangers that the node itself dials: what they answer is wrong, late, or too much.

use erlang_interop::dist::handshake::messages::{Challenge, Status};
use erlang_interop::dist::{Creation, DistributionFlags};

use super::case::{Case, End, Phase, Wire, inside, outside};
use super::stranger::{CREATION, OUR_CHALLENGE, Stranger, framed};
use End::{Cut, CutLate, Leaves, Stays};
use Phase::{Answered, Dialed, Welcomed};

pub(crate) const CASES: &[&[Case]] = &[STATUS, CHALLENGES, ACKNOWLEDGEMENTS];

/// Hears the node's name, so that what follows is an answer to it.
fn after_the_name(stranger: &mut Stranger, answer: &[u8]) {
    assert_eq!(stranger.hear().first(), Some(&b'N'));
    stranger.send(answer);
}

const STATUS: &[Case] = &[
    outside("dialed: gone at once", Dialed, Leaves, |_| {}),
    outside("dialed: silence", Dialed, CutLate, |_| {}),
    outside("dialed: HTTP", Dialed, Cut, |s| s.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
    outside("dialed: megabytes at once", Dialed, Cut, |s| {
        for _ in 0..24 {
            s.say(&[b'x'; 1 << 20]);
        }
    }),
    outside("dialed: a length beyond all", Dialed, Cut, |s| match s.target.wire {
        Wire::Tcp => s.say(&[0xff; 2]),
        Wire::Tls => s.say(&[0xff; 4]),
    }),
    outside("dialed: half of a status", Dialed, CutLate, |s| {
        let status = s.message(b"sok");
        s.say(&status[..status.len() - 1]);
    }),
    outside("dialed: an empty status", Dialed, Cut, |s| after_the_name(s, b"")),
    outside("dialed: an unknown status", Dialed, Cut, |s| after_the_name(s, b"swelcome")),
    outside("dialed: a status of 4000 letters", Dialed, Cut, |s| after_the_name(s, &[b's'; 4000])),
    outside("dialed: not allowed", Dialed, Cut, |s| after_the_name(s, b"snot_allowed")),
    outside("dialed: nok, and no dial from us", Dialed, CutLate, |s| after_the_name(s, b"snok")),
    outside("dialed: alive, and silence", Dialed, CutLate, |s| after_the_name(s, b"salive")),
    outside("dialed: the name of the node back", Dialed, Cut, |s| {
        let name = s.hear();
        s.send(&name);
    }),
    outside("dialed: a name nobody asked for", Dialed, Cut, |s| {
        assert_eq!(s.hear().first(), Some(&b'N'));
        let name = "fresh@127.0.0.1".to_owned();
        s.tell(|to| Status::Named { name, creation: Creation(9) }.write(to));
    }),
    outside("dialed: a given name cut short", Dialed, Cut, |s| {
        after_the_name(s, b"snamed:\0\x20x")
    }),
    outside("dialed: a challenge before the status", Dialed, Cut, |s| {
        assert_eq!(s.hear().first(), Some(&b'N'));
        s.ask();
    }),
    outside("dialed: an acknowledgement before the status", Dialed, Cut, |s| {
        let ack = s.ack();
        after_the_name(s, &ack);
    }),
    outside("dialed: a frame before the status", Dialed, Cut, |s| {
        let frame = framed(&[131, 68, 0, 104, 0]);
        s.say(&frame);
    }),
];

/// A challenge with something changed.
fn challenge(stranger: &mut Stranger, flags: DistributionFlags, name: &str) {
    let (name, creation) = (name.to_owned(), Creation(CREATION));
    stranger.tell(|to| Challenge { flags, challenge: OUR_CHALLENGE, creation, name }.write(to));
}

const CHALLENGES: &[Case] = &[
    outside("dialed: a status, and silence", Welcomed, CutLate, |_| {}),
    outside("dialed: a status, and it hangs up", Welcomed, Cut, |s| s.line.hang_up()),
    outside("dialed: a second status", Welcomed, Cut, |s| s.send(b"sok")),
    outside("dialed: a challenge cut short", Welcomed, Cut, |s| s.send(b"N\0\0\0\x0d\x07")),
    outside("dialed: a challenge of the old kind", Welcomed, Cut, |s| {
        s.send(b"n\0\x05\x07\xdf\x7f\xbd\0\0\0\x01s@127.0.0.1");
    }),
    outside("dialed: a challenge without flags", Welcomed, Cut, |s| {
        let name = s.name.clone();
        challenge(s, DistributionFlags::NONE, &name);
    }),
    outside("dialed: a challenge in another's name", Welcomed, Cut, |s| {
        let (flags, name) = (s.flags, s.target.honest.as_str().to_owned());
        challenge(s, flags, &name);
    }),
    outside("dialed: a challenge in the node's own name", Welcomed, Cut, |s| {
        let (flags, name) = (s.flags, s.target.node.as_str().to_owned());
        challenge(s, flags, &name);
    }),
    outside("dialed: a challenge in no name", Welcomed, Cut, |s| {
        let flags = s.flags;
        challenge(s, flags, "");
    }),
    outside("dialed: a challenge in a name of 1000 letters", Welcomed, Cut, |s| {
        let flags = s.flags;
        challenge(s, flags, &"n".repeat(1000));
    }),
    outside("dialed: a challenge whose name is no UTF-8", Welcomed, Cut, |s| {
        let head = [&b"N"[..], &s.flags.bits().to_be_bytes(), &[0; 8], &[0, 3]].concat();
        s.send(&[&head[..], b"\xff@h"].concat());
    }),
    outside("dialed: what the node asks another one", Welcomed, Cut, |s| {
        let mirror = s.another("mirror", Phase::Named);
        let (flags, name) = (s.flags, s.name.clone());
        let (challenge, creation) = (mirror.challenge, Creation(CREATION));
        s.tell(|to| Challenge { flags, challenge, creation, name }.write(to));
        assert_eq!(s.hear(), b"", "it would have answered its own question");
    }),
    outside("dialed: an acknowledgement before the challenge", Welcomed, Cut, |s| {
        let ack = s.ack();
        s.send(&ack);
    }),
];

const ACKNOWLEDGEMENTS: &[Case] = &[
    outside("dialed: no acknowledgement", Answered, CutLate, |_| {}),
    outside("dialed: the digest of another cookie", Answered, Cut, |s| {
        let ack = s.ack();
        s.send(&ack);
    }),
    outside("dialed: the node's own digest back", Answered, Cut, |s| {
        let digest = s.target.cookie.digest(OUR_CHALLENGE);
        s.send(&[&b"a"[..], digest.as_bytes()].concat());
    }),
    outside("dialed: an acknowledgement cut short", Answered, Cut, |s| s.send(b"a1234567")),
    outside("dialed: a reply in place of it", Answered, Cut, |s| {
        let reply = s.reply();
        s.send(&reply);
    }),
    outside("dialed: frames in place of it", Answered, Cut, |s| s.frame(&[131, 68, 0, 104, 0])),
    outside("dialed: no bytes in place of it", Answered, Cut, |s| s.send(&[])),
    inside("dialed: the right digest, and gone", Answered, Leaves, |s| {
        let ack = s.ack();
        s.send(&ack);
    }),
    inside("dialed: the right digest, and a bad frame", Answered, Leaves, |s| {
        let bytes = [s.message(&s.ack()), framed(b"\x07")].concat();
        s.say(&bytes);
        assert!(s.line.is_cut(crate::running::PATIENCE));
    }),
    inside("dialed: the right digest, and a frame beyond all", Answered, Leaves, |s| {
        let bytes = [s.message(&s.ack()), vec![0xff; 4]].concat();
        s.say(&bytes);
        assert!(s.line.is_cut(crate::running::PATIENCE));
    }),
    inside("dialed: the right digest byte by byte", Answered, Stays, |s| {
        let ack = s.message(&s.ack());
        s.trickle(&ack);
    }),
];
