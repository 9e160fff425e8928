//! Strangers that get TLS itself wrong.

use super::case::{Case, End, Phase, outside};
use super::line::dial;
use super::stranger::Stranger;
use End::{Cut, CutLate, Leaves};
use Phase::{Bare, Dialed, Open};

pub(crate) const CASES: &[&[Case]] = &[HELLO, BEHIND_IT];

/// A record of TLS.
fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("a record's length");
    [&[kind, 3, 3][..], &length.to_be_bytes(), body].concat()
}

/// A `ClientHello` that offers nothing.
fn empty_hello() -> Vec<u8> {
    let mut hello = vec![3, 3];
    hello.extend_from_slice(&[7; 32]);
    hello.extend_from_slice(&[0, 0, 0, 1, 0]);
    [&[1, 0, 0, u8::try_from(hello.len()).expect("short")][..], &hello].concat()
}

const HELLO: &[Case] = &[
    outside("TLS: nothing, and it stays", Bare, CutLate, |_| {}),
    outside("TLS: nothing, and it leaves", Bare, Leaves, |_| {}),
    outside("TLS: one byte", Bare, CutLate, |s| s.say(&[0x16])),
    outside("TLS: distribution without it", Bare, Cut, |s| {
        s.say(b"\0\x15N\0\0\0\x0d\x07\xdf\x7f\xbd\0\0\0\x07\0\x06evil@h")
    }),
    outside("TLS: HTTP", Bare, Cut, |s| s.say(b"GET / HTTP/1.1\r\n\r\n")),
    outside("TLS: zeros", Bare, Cut, |s| s.say(&[0; 4096])),
    outside("TLS: a record of an unknown kind", Bare, Cut, |s| s.say(&record(99, &[1, 2, 3]))),
    outside("TLS: a record longer than any", Bare, Cut, |s| {
        s.say(&[0x16, 3, 1, 0xff, 0xff, 1, 0, 0])
    }),
    outside("TLS: an empty record", Bare, Cut, |s| s.say(&record(0x16, &[]))),
    outside("TLS: thousands of empty records", Bare, Cut, |s| {
        s.say(&record(0x16, &[]).repeat(5000))
    }),
    outside("TLS: data before the handshake", Bare, Cut, |s| s.say(&record(0x17, &[0; 100]))),
    outside("TLS: a change of keys before the handshake", Bare, Cut, |s| {
        s.say(&record(0x14, &[1]).repeat(100));
    }),
    outside("TLS: an alert first", Bare, Cut, |s| s.say(&record(0x15, &[2, 40]))),
    outside("TLS: warnings without end", Bare, Cut, |s| {
        s.say(&record(0x15, &[1, 90]).repeat(5000))
    }),
    outside("TLS: a hello that offers nothing", Bare, Cut, |s| {
        s.say(&record(0x16, &empty_hello()))
    }),
    outside("TLS: a hello of the server", Bare, Cut, |s| {
        let mut hello = empty_hello();
        hello[0] = 2;
        s.say(&record(0x16, &hello));
    }),
    outside("TLS: half of a hello", Bare, CutLate, |s| {
        let bytes = record(0x16, &empty_hello());
        s.say(&bytes[..20]);
    }),
    outside("TLS: half of a hello, and it hangs up", Bare, Cut, |s| {
        let bytes = record(0x16, &empty_hello());
        s.say(&bytes[..20]);
        s.line.hang_up();
    }),
    outside("TLS: a hello announced of 16 MiB", Bare, Cut, |s| {
        s.say(&record(0x16, &[&[1, 0xff, 0xff, 0xff][..], &[0; 16_000]].concat()));
        for _ in 0..200 {
            s.say(&record(0x16, &[0; 16_000]));
        }
    }),
    outside("TLS: a hello byte by byte, each in a record", Bare, Cut, |s| {
        for byte in empty_hello() {
            s.say(&record(0x16, &[byte]));
        }
    }),
    outside("TLS: of version 2", Bare, Cut, |s| {
        s.say(&[0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10, 1, 0, 0x80]);
    }),
    outside("TLS: a crowd that says nothing", Bare, Leaves, |s| {
        let crowd: Vec<_> = (0..300).map(|_| dial(s.target.port)).collect();
        let mut late = Stranger::dial(&s.target, "late@127.0.0.1", true, Phase::Connected);
        assert!(late.is_answered());
        drop(crowd);
    }),
];

/// Writes below TLS.
fn below(stranger: &mut Stranger, bytes: &[u8]) {
    use std::io::Write as _;
    // The node may have closed already.
    let _ = stranger.line.socket().write_all(bytes);
}

const BEHIND_IT: &[Case] = &[
    outside("TLS: a record that was not encrypted", Open, Cut, |s| {
        below(s, &record(0x17, b"hello"))
    }),
    outside("TLS: a record that was tampered with", Open, Cut, |s| {
        below(s, &record(0x17, &[9; 600]))
    }),
    outside("TLS: a plain alert amid it", Open, Cut, |s| below(s, &record(0x15, &[1, 0]))),
    outside("TLS: half of a record, and silence", Open, CutLate, |s| {
        below(s, &record(0x17, &[9; 600])[..100]);
    }),
    outside("TLS: it hangs up without a word", Open, Cut, |s| s.line.hang_up()),
    outside("TLS: another hello amid it", Open, Cut, |s| below(s, &record(0x16, &empty_hello()))),
    outside("TLS, dialed: no TLS", Dialed, Cut, |s| {
        below(s, b"sok and more of it, so that it is a record")
    }),
    outside("TLS, dialed: an alert", Dialed, Cut, |s| below(s, &record(0x15, &[2, 40]))),
    outside("TLS, dialed: data", Dialed, Cut, |s| below(s, &record(0x17, &[0; 100]))),
    outside("TLS, dialed: the hello of a dialer", Dialed, Cut, |s| {
        below(s, &record(0x16, &empty_hello()))
    }),
    outside("TLS, dialed: half of a record", Dialed, CutLate, |s| {
        below(s, &[0x16, 3, 3, 0, 50, 2])
    }),
    outside("TLS, dialed: a record longer than any", Dialed, Cut, |s| {
        below(s, &[0x16, 3, 3, 0xff, 0xff, 2])
    }),
];
