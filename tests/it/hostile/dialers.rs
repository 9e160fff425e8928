//! Strangers that dial the node and get the handshake wrong, on purpose or half-way.

use erlang_interop::dist::handshake::messages::{
    Challenge, ChallengeAck, Complement, SendName, Status,
};
use erlang_interop::dist::{Creation, DistributionFlags};

use super::case::{Case, End, Phase, Wire, inside, outside};
use super::stranger::{OUR_CHALLENGE, Stranger, framed};
use End::{Cut, CutLate, Leaves, Stays};
use Phase::{Connected, Named, OldNamed, Open};

pub(crate) const CASES: &[&[Case]] =
    &[FIRST_BYTES, NAMES, WRONG_FIRST_MESSAGES, PROOFS, WRONG_SECOND_MESSAGES, OLD, WITH_COOKIE];

/// Sends a name that is not the stranger's.
fn name_of(stranger: &mut Stranger, name: &str) {
    let message = SendName { name: name.to_owned(), ..stranger.send_name() };
    stranger.tell(|to| message.write(to));
}

fn flags_of(stranger: &mut Stranger, flags: DistributionFlags) {
    let message = SendName { flags, ..stranger.send_name() };
    stranger.tell(|to| message.write(to));
}

/// The bytes of a good name.
fn name_bytes(stranger: &Stranger) -> Vec<u8> {
    let mut body = Vec::new();
    stranger.send_name().write(&mut body);
    body
}

/// A length that no message of the handshake has.
fn long(stranger: &mut Stranger) {
    match stranger.target.wire {
        Wire::Tcp => stranger.say(&[0xff; 2]),
        Wire::Tls => stranger.say(&[0xff; 4]),
    }
}

const FIRST_BYTES: &[Case] = &[
    outside("nothing, and it leaves", Open, Leaves, |_| {}),
    outside("nothing, and it stays", Open, CutLate, |_| {}),
    outside("half of a length", Open, CutLate, |s| s.say(&[0])),
    outside("a length and no message", Open, CutLate, |s| {
        let message = s.message(&[0; 20]);
        s.say(&message[..message.len() - 20]);
    }),
    outside("half of a name", Open, CutLate, |s| {
        let message = s.message(&name_bytes(s));
        s.say(&message[..12]);
    }),
    outside("half of a name, and it hangs up", Open, Cut, |s| {
        let message = s.message(&name_bytes(s));
        s.say(&message[..12]);
        s.line.hang_up();
    }),
    outside("a message of no bytes", Open, Cut, |s| s.send(&[])),
    outside("a length beyond all", Open, Cut, long),
    outside("a length one above the limit", Open, Cut, |s| {
        let message = s.message(&[b'N'; 4097]);
        s.say(&message);
    }),
    outside("the longest message, of one letter", Open, Cut, |s| s.send(&[b'N'; 4096])),
    outside("HTTP", Open, Cut, |s| s.say(b"GET / HTTP/1.1\r\nHost: har\r\n\r\n")),
    outside("SSH", Open, Cut, |s| s.say(b"SSH-2.0-OpenSSH_9.2\r\n")),
    outside("TLS within", Open, Cut, |s| {
        s.say(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 0, 0, 0, 0, 0]);
    }),
    outside("zeros without end", Open, Cut, |s| s.say(&[0; 64 * 1024])),
    outside("a frame before the handshake", Open, Cut, |s| {
        let frame = framed(&[131, 68, 0, 104, 0]);
        s.say(&frame);
    }),
    outside("megabytes behind the name", Open, Cut, |s| {
        let name = s.message(&name_bytes(s));
        s.say(&name);
        for _ in 0..24 {
            s.say(&[0xff; 1 << 20]);
        }
    }),
    outside("a name byte by byte", Open, Leaves, |s| {
        let name = s.message(&name_bytes(s));
        s.trickle(&name);
        s.hear_challenge();
    }),
];

const NAMES: &[Case] = &[
    outside("a name without a host", Open, Cut, |s| name_of(s, "evil")),
    outside("a name of a host alone", Open, Cut, |s| name_of(s, "@127.0.0.1")),
    outside("a name with an empty host", Open, Cut, |s| name_of(s, "evil@")),
    outside("a name with two hosts", Open, Cut, |s| name_of(s, "evil@one@two")),
    outside("an empty name", Open, Cut, |s| name_of(s, "")),
    outside("a name of 300 characters", Open, Cut, |s| {
        name_of(s, &format!("{}@127.0.0.1", "x".repeat(300)));
    }),
    outside("a name that breaks the log's line", Open, Cut, |s| {
        name_of(s, "evil\nERROR thread main panicked@127.0.0.1");
    }),
    outside("a name with a zero byte", Open, Cut, |s| name_of(s, "ev\0il@127.0.0.1")),
    outside("a name that turns the terminal red", Open, Cut, |s| {
        name_of(s, "\u{1b}[31mevil@127.0.0.1");
    }),
    outside("a name that is no UTF-8", Open, Cut, |s| {
        let mut body = name_bytes(s);
        body[16] = 0xff;
        s.send(&body);
    }),
    outside("a name longer than its message", Open, Cut, |s| {
        let mut body = name_bytes(s);
        body[13] = 0xff;
        s.send(&body);
    }),
    outside("no flags", Open, Cut, |s| flags_of(s, DistributionFlags::NONE)),
    outside("all flags there could be", Open, Cut, |s| {
        flags_of(s, DistributionFlags::from_bits(u64::MAX));
    }),
    outside("a flag less than is demanded", Open, Cut, |s| {
        flags_of(s, DistributionFlags::from_bits(s.flags.bits() & !(1 << 34)));
    }),
    outside("the name of the node itself", Open, Cut, |s| {
        let name = s.target.node.as_str().to_owned();
        name_of(s, &name);
    }),
    outside("a wish for a name, on no host", Open, Cut, |s| {
        let flags = s.flags | DistributionFlags::NAME_ME;
        let message = SendName { flags, name: String::new(), ..s.send_name() };
        s.tell(|to| message.write(to));
    }),
    outside("a wish for a name, and silence", Open, CutLate, |s| {
        let flags = s.flags | DistributionFlags::NAME_ME;
        let message = SendName { flags, name: "127.0.0.1".to_owned(), ..s.send_name() };
        s.tell(|to| message.write(to));
    }),
    outside("a hundred wishes for a name", Open, Leaves, |s| {
        for number in 0..100 {
            let mut one = s.another(&format!("wish{number}"), Open);
            let flags = s.flags | DistributionFlags::NAME_ME;
            let message = SendName { flags, name: "127.0.0.1".to_owned(), ..s.send_name() };
            one.tell(|to| message.write(to));
            assert!(one.hear().starts_with(b"snamed:"));
        }
    }),
    outside("a name with more behind it", Open, Leaves, |s| {
        let mut body = name_bytes(s);
        body.extend_from_slice(&[7; 500]);
        s.send(&body);
        s.hear_challenge();
    }),
];

const WRONG_FIRST_MESSAGES: &[Case] = &[
    outside("an unknown message first", Open, Cut, |s| s.send(b"xyz")),
    outside("a status first", Open, Cut, |s| s.tell(|to| Status::Ok.write(to))),
    outside("the answer to alive first", Open, Cut, |s| s.send(b"strue")),
    outside("a reply first", Open, Cut, |s| {
        let reply = s.reply();
        s.send(&reply);
    }),
    outside("an acknowledgement first", Open, Cut, |s| {
        let ack = s.ack();
        s.send(&ack);
    }),
    outside("a complement first", Open, Cut, |s| {
        s.tell(|to| Complement { flags_high: 13, creation: Creation(7) }.write(to));
    }),
    outside("a challenge in place of the name", Open, Cut, |s| s.ask()),
    outside("N alone", Open, Cut, |s| s.send(b"N")),
    outside("N and half of the flags", Open, Cut, |s| s.send(b"N\0\0\0\x0d")),
    outside("N without a name", Open, Cut, |s| {
        let body = name_bytes(s);
        s.send(&body[..13]);
    }),
    outside("the old message of version 4", Open, Cut, |s| {
        s.send(b"n\0\x04\x07\xdf\x7f\xbdevil@h")
    }),
    outside("the old message without a name", Open, Cut, |s| s.send(b"n\0\x05\x07\xdf\x7f\xbd")),
    outside("the old message cut short", Open, Cut, |s| s.send(b"n\0\x05\x07")),
];

/// Opens a second handshake under a name that is connected.
fn take_the_place_of_honest(stranger: &mut Stranger, answer: &[u8]) {
    let honest = stranger.target.honest.as_str().to_owned();
    name_of(stranger, &honest);
    assert_eq!(stranger.hear(), b"salive");
    stranger.send(answer);
}

const PROOFS: &[Case] = &[
    outside("a name, and silence", Named, CutLate, |_| {}),
    outside("a name, and gone", Named, Leaves, |_| {}),
    outside("the digest of another cookie", Named, Cut, |s| {
        let reply = s.reply();
        s.send(&reply);
        assert_eq!(s.hear(), b"", "nothing is proven to it");
    }),
    outside("that digest byte by byte", Named, Cut, |s| {
        let reply = s.message(&s.reply());
        s.trickle(&reply);
    }),
    outside("a digest of zeros", Named, Cut, |s| s.send(&[&b"r\0\0\0\0"[..], &[0; 16]].concat())),
    outside("the digest of an honest handshake again", Named, Cut, |s| {
        let mut known = Stranger::dial(&s.target, "known@127.0.0.1", true, Named);
        let recorded = known.reply();
        known.prove();
        s.send(&recorded);
    }),
    outside("the node's challenge thrown back at it", Named, Cut, |s| {
        let mut other = s.another("mirror", Named);
        let challenge = s.challenge.to_be_bytes();
        other.send(&[&b"r"[..], &challenge, &[0; 16]].concat());
        let digest = other.hear();
        assert_eq!(digest, b"", "it would have answered its own question");
        s.send(&[&b"r\0\0\0\0"[..], &[0; 16]].concat());
    }),
    outside("alive: no, keep the old one", Open, Cut, |s| take_the_place_of_honest(s, b"sfalse")),
    outside("alive: something else", Open, Cut, |s| take_the_place_of_honest(s, b"smaybe")),
    outside("alive: yes, and another cookie", Open, Cut, |s| {
        take_the_place_of_honest(s, b"strue");
        s.challenge = Challenge::read(&s.hear()).expect("a challenge").challenge;
        let reply = s.reply();
        s.send(&reply);
    }),
    outside("alive: silence", Open, CutLate, |s| {
        let honest = s.target.honest.as_str().to_owned();
        name_of(s, &honest);
    }),
    outside("a name that another one is proving", Named, Leaves, |s| {
        let mut second = Stranger::dial(&s.target, &s.name, true, Named);
        second.prove();
        assert!(second.is_answered());
    }),
    outside("fifty wrong digests in a row", Named, Leaves, |s| {
        for number in 0..50 {
            let mut one = s.another(&format!("guess{number}"), Named);
            let reply = one.reply();
            one.send(&reply);
            assert_eq!(one.hear(), b"");
        }
    }),
];

const WRONG_SECOND_MESSAGES: &[Case] = &[
    outside("a reply cut short", Named, Cut, |s| s.send(b"r\0\0\0\0abcd")),
    outside("a digest of 15 bytes", Named, Cut, |s| {
        let reply = s.reply();
        s.send(&reply[..20]);
    }),
    outside("a reply with more behind it", Named, Cut, |s| {
        let reply = [s.reply(), vec![0; 600]].concat();
        s.send(&reply);
    }),
    outside("the name once more", Named, Cut, |s| {
        let name = name_bytes(s);
        s.send(&name);
    }),
    outside("a complement nobody asked for", Named, Cut, |s| {
        s.tell(|to| Complement { flags_high: 13, creation: Creation(7) }.write(to));
    }),
    outside("an answer to alive nobody asked for", Named, Cut, |s| s.send(b"strue")),
    outside("an acknowledgement in place of the reply", Named, Cut, |s| {
        let digest = s.cookie.digest(s.challenge);
        s.tell(|to| ChallengeAck { digest }.write(to));
    }),
    outside("a challenge in place of the reply", Named, Cut, |s| s.ask()),
    outside("no bytes in place of the reply", Named, Cut, |s| s.send(&[])),
    outside("a length beyond all in place of the reply", Named, Cut, long),
    outside("a frame in place of the reply", Named, Cut, |s| s.frame(&[131, 68, 0, 104, 0])),
    outside("half of a reply, and it hangs up", Named, Cut, |s| {
        let reply = s.message(&s.reply());
        s.say(&reply[..9]);
        s.line.hang_up();
    }),
    outside("half of a reply, and silence", Named, CutLate, |s| {
        let reply = s.message(&s.reply());
        s.say(&reply[..9]);
    }),
];

fn complement(stranger: &mut Stranger, flags_high: u32) {
    stranger.tell(|to| Complement { flags_high, creation: Creation(7) }.write(to));
}

const OLD: &[Case] = &[
    outside("no complement", OldNamed, CutLate, |_| {}),
    outside("a complement without what is demanded", OldNamed, Cut, |s| complement(s, 0)),
    outside("a complement cut short", OldNamed, Cut, |s| s.send(b"c\0\0")),
    outside("a reply before the complement", OldNamed, Cut, |s| {
        let reply = s.reply();
        s.send(&reply);
    }),
    outside("a complement and another cookie", OldNamed, Cut, |s| {
        complement(s, 13);
        let reply = s.reply();
        s.send(&reply);
    }),
    outside("two complements", OldNamed, Cut, |s| {
        complement(s, 13);
        complement(s, 13);
    }),
];

const WITH_COOKIE: &[Case] = &[
    inside("the right cookie, and gone", Connected, Leaves, |_| {}),
    inside("the right cookie, and half gone", Connected, Cut, |s| s.line.hang_up()),
    inside("the right answer to another question", Named, Cut, |s| {
        s.challenge ^= 1;
        let reply = s.reply();
        s.send(&reply);
    }),
    inside("the answer and the first frames at once", Named, Stays, |s| {
        let mut bytes = s.message(&s.reply());
        bytes.extend_from_slice(&[0; 400]);
        s.say(&bytes);
        assert_eq!(s.hear().first(), Some(&b'a'));
    }),
    inside("the answer and a bad frame at once", Named, Cut, |s| {
        let mut bytes = s.message(&s.reply());
        bytes.extend_from_slice(&framed(b"\x07"));
        s.say(&bytes);
    }),
    inside("the old message and the right cookie", OldNamed, Stays, |s| {
        complement(s, u32::try_from(s.flags.bits() >> 32).expect("the high word"));
        s.prove();
    }),
    inside("thirty connections under one name", Connected, Leaves, |s| {
        for _ in 0..30 {
            let mut next = Stranger::dial(&s.target, "again@127.0.0.1", true, Connected);
            assert!(next.is_answered());
            next.line.hang_up();
            assert!(next.line.is_cut(crate::running::PATIENCE));
        }
    }),
    inside("its own connection replaced by itself", Connected, Leaves, |s| {
        let mut next = s.another("unused", Open);
        let name = s.name.clone();
        name_of(&mut next, &name);
        assert_eq!(next.hear(), b"salive");
        next.send(b"strue");
        next.challenge = Challenge::read(&next.hear()).expect("a challenge").challenge;
        next.prove();
        assert!(s.line.is_cut(crate::running::PATIENCE), "the old one ends");
        assert_ne!(next.challenge, OUR_CHALLENGE);
    }),
];
