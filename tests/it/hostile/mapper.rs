//! Strangers at the port mapper that runs inside the node.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::case::{Case, End, Phase, outside};
use super::line::dial;
use super::stranger::{Stranger, Trap};
use End::{Cut, Leaves};
use Phase::Mapper;

pub(crate) const CASES: &[&[Case]] = &[REQUESTS, FLOODS];

/// A request with its length.
fn request(body: &[u8]) -> Vec<u8> {
    [&u16::try_from(body.len()).expect("short").to_be_bytes()[..], body].concat()
}

/// What is answered until the port mapper closes.
fn answer(stranger: &mut Stranger, body: &[u8]) -> Vec<u8> {
    stranger.say(&request(body));
    let mut answer = Vec::new();
    // A reset is an answer as well.
    let _ = stranger.line.read_to_end(&mut answer);
    answer
}

/// The port mapper still knows the node.
fn still_serves(stranger: &Stranger) {
    let mut fresh = Stranger::dial(&stranger.target, "asker@127.0.0.1", false, Mapper);
    assert!(answer(&mut fresh, b"zhar").starts_with(&[119, 0]));
}

/// A registration; its connection has to stay open.
fn register(stranger: &Stranger, alive: &str) -> TcpStream {
    let mut stream = dial(stranger.target.epmd_port);
    let mut body = vec![120, 0, 9, 77, 0, 0, 6, 0, 5];
    body.extend_from_slice(&u16::try_from(alive.len()).expect("short").to_be_bytes());
    body.extend_from_slice(alive.as_bytes());
    body.extend_from_slice(&[0, 0]);
    // What is answered is for the case to judge.
    let _ = stream.write_all(&request(&body));
    stream
}

const REQUESTS: &[Case] = &[
    outside("mapper: nothing, and gone", Mapper, Leaves, |_| {}),
    outside("mapper: half of a length, and it hangs up", Mapper, Cut, |s| {
        s.say(&[0]);
        s.line.hang_up();
    }),
    outside("mapper: half of a request, and it hangs up", Mapper, Cut, |s| {
        s.say(&[0, 100, b'z', b'h']);
        s.line.hang_up();
    }),
    outside("mapper: a request of no bytes", Mapper, Cut, |s| s.say(&[0, 0])),
    outside("mapper: the longest length", Mapper, Cut, |s| {
        s.say(&[0xff, 0xff]);
        s.say(&[b'z'; 70_000]);
    }),
    outside("mapper: an unknown request", Mapper, Cut, |s| s.say(&request(b"Q"))),
    outside("mapper: HTTP", Mapper, Cut, |s| s.say(b"GET / HTTP/1.1\r\n\r\n")),
    outside("mapper: a name of 2000 letters", Mapper, Cut, |s| {
        s.say(&request(&[&b"z"[..], &[b'x'; 2000]].concat()));
    }),
    outside("mapper: a name that is no UTF-8", Mapper, Cut, |s| s.say(&request(b"z\xff\xfe\xfd"))),
    outside("mapper: an empty name", Mapper, Cut, |s| s.say(&request(b"z"))),
    outside("mapper: a registration cut short", Mapper, Cut, |s| s.say(&request(&[120, 0, 9, 77]))),
    outside("mapper: a registration that lies about its name", Mapper, Cut, |s| {
        s.say(&request(&[120, 0, 9, 77, 0, 0, 6, 0, 5, 0xff, 0xff, b'x', 0, 0]));
    }),
    outside("mapper: a registration of a name with a newline", Mapper, Leaves, |s| {
        let mut answer = [0; 6];
        let mut stream = register(s, "x\nname har at port 1");
        let answered = stream.read_exact(&mut answer);
        let names = self::answer(s, b"n");
        let names = String::from_utf8_lossy(&names).into_owned();
        assert!(answered.is_err() || !names.contains("\nname har at port 1\n"), "{names}");
    }),
    outside("mapper: the node's own name", Mapper, Leaves, |s| {
        let mut answer = [0; 6];
        let mut stream = register(s, "har");
        stream.read_exact(&mut answer).expect("an answer");
        assert_ne!(answer[1], 0, "the name is taken");
        still_serves(s);
    }),
    outside("mapper: stop the node's name", Mapper, Leaves, |s| {
        answer(s, b"shar");
        still_serves(s);
    }),
    outside("mapper: a request to end", Mapper, Leaves, |s| {
        let told = answer(s, b"k");
        assert_ne!(told, b"OK", "a name is registered, so it must not end");
        still_serves(s);
    }),
    outside("mapper: two requests at once", Mapper, Cut, |s| {
        let two = [request(b"zhar"), request(b"zhar")].concat();
        s.say(&two);
    }),
    outside("mapper: a request byte by byte", Mapper, Cut, |s| s.trickle(&request(b"zhar"))),
    outside("mapper: a registration, and gone", Mapper, Leaves, |s| {
        drop(Trap::set(&s.target, "short_life"));
        crate::running::eventually("the name is free again", || {
            let mut fresh = Stranger::dial(&s.target, "asker@127.0.0.1", false, Mapper);
            answer(&mut fresh, b"zshort_life").starts_with(&[119, 1]).then_some(())
        });
    }),
    outside("mapper: more behind a registration", Mapper, Leaves, |s| {
        let mut stream = register(s, "talkative");
        // It may be closed amid this.
        let _ = stream.write_all(&[7; 200_000]);
        still_serves(s);
    }),
];

const FLOODS: &[Case] = &[
    outside("mapper: a crowd that says nothing", Mapper, Leaves, |s| {
        let crowd: Vec<_> = (0..400).map(|_| dial(s.target.epmd_port)).collect();
        still_serves(s);
        drop(crowd);
    }),
    outside("mapper: a crowd that says half of a request", Mapper, Leaves, |s| {
        let crowd: Vec<_> = (0..400)
            .map(|_| {
                let mut stream = dial(s.target.epmd_port);
                let _ = stream.write_all(&[0, 9, b'z']);
                stream
            })
            .collect();
        still_serves(s);
        drop(crowd);
    }),
    outside("mapper: a crowd that asks and does not read", Mapper, Leaves, |s| {
        let crowd: Vec<_> = (0..400)
            .map(|_| {
                let mut stream = dial(s.target.epmd_port);
                let _ = stream.write_all(&request(b"n"));
                stream
            })
            .collect();
        still_serves(s);
        drop(crowd);
    }),
    outside("mapper: 400 names", Mapper, Leaves, |s| {
        let crowd: Vec<_> = (0..400).map(|n| register(s, &format!("flood{n}"))).collect();
        still_serves(s);
        drop(crowd);
    }),
    outside("mapper: one name again and again", Mapper, Leaves, |s| {
        for _ in 0..200 {
            drop(register(s, "again"));
        }
        still_serves(s);
    }),
    outside("mapper: 300 questions", Mapper, Leaves, |s| {
        for _ in 0..300 {
            still_serves(s);
        }
    }),
];
