//! The same bytes to the original daemon and to ours: the answers are equal, but for creations,
//! ports and descriptors.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use socket2::{Domain, Socket, Type};

use crate::process::{DaemonProcess, HAR_EPMD, start_daemon};
use crate::support::{PATIENCE, address};

/// How long a connection has to stay open to count as open.
const STILL_OPEN: Duration = Duration::from_millis(150);

/// What a client sees.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    /// These bytes, then the end (an orderly one or a reset).
    End(Vec<u8>),
    /// These bytes, and the connection stays.
    Open(Vec<u8>),
}

impl Seen {
    fn bytes(&self) -> &[u8] {
        let (Self::End(bytes) | Self::Open(bytes)) = self;
        bytes
    }

    /// Listens on when the connection was still open.
    fn and_more(self, stream: &mut TcpStream) -> Self {
        let Self::Open(mut bytes) = self else {
            return self;
        };
        match listen(stream) {
            Self::End(more) => {
                bytes.extend(more);
                Self::End(bytes)
            }
            Self::Open(more) => {
                bytes.extend(more);
                Self::Open(bytes)
            }
        }
    }
}

fn connect(port: u16) -> TcpStream {
    TcpStream::connect(address(port)).unwrap()
}

/// Sends these bytes as they are and listens.
fn send_raw(port: u16, bytes: &[u8]) -> (Seen, TcpStream) {
    let mut stream = connect(port);
    // A daemon may close before it has taken all.
    let _ = stream.write_all(bytes);
    let seen = listen(&mut stream);
    (seen, stream)
}

fn listen(stream: &mut TcpStream) -> Seen {
    stream.set_read_timeout(Some(STILL_OPEN)).unwrap();
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Seen::End(all),
            Ok(count) => all.extend_from_slice(&buffer[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Seen::Open(all);
            }
            Err(_) => return Seen::End(all),
        }
    }
}

fn framed(body: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(body.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend_from_slice(body);
    bytes
}

fn alive(name: &[u8], version: u16, extra: &[u8]) -> Vec<u8> {
    let mut body = vec![b'x', 0x13, 0x88, 77, 0];
    body.extend_from_slice(&version.to_be_bytes());
    body.extend_from_slice(&5_u16.to_be_bytes());
    for field in [name, extra] {
        body.extend_from_slice(&u16::try_from(field.len()).unwrap().to_be_bytes());
        body.extend_from_slice(field);
    }
    body
}

/// Blanks what may differ: a granted creation, the daemon's port, descriptors.
fn comparable(seen: &Seen, port: u16) -> Seen {
    let mut bytes = seen.bytes().to_vec();
    if let [118 | 121, 0, creation @ ..] = &mut bytes[..] {
        creation.fill(0);
    }
    if bytes.starts_with(&u32::from(port).to_be_bytes()) {
        bytes.drain(..4);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let mut parts = text.split("fd = ");
        let mut blanked = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            blanked.push_str("fd = N");
            blanked.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
        }
        bytes = blanked.into_bytes();
    }
    match seen {
        Seen::End(_) => Seen::End(bytes),
        Seen::Open(_) => Seen::Open(bytes),
    }
}

struct Pair {
    original: DaemonProcess,
    ours: DaemonProcess,
    kept: Vec<(TcpStream, TcpStream)>,
}

impl Pair {
    fn start(flags: &[&str]) -> Self {
        let (original, ours) = (start_daemon("epmd", flags), start_daemon(HAR_EPMD, flags));
        Self { original, ours, kept: Vec::new() }
    }

    /// Asks both and compares; the connections are kept. Gives what ours answered.
    fn raw(&mut self, bytes: &[u8]) -> Seen {
        let (mut theirs, mut their_stream) = send_raw(self.original.port, bytes);
        let (mut ours, mut our_stream) = send_raw(self.ours.port, bytes);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = comparable(&theirs, self.original.port);
            let right = comparable(&ours, self.ours.port);
            // A difference may be one of speed: on a busy machine one of them has to be waited for.
            let both_ended = matches!((&left, &right), (Seen::End(_), Seen::End(_)));
            if left == right || both_ended || Instant::now() > deadline {
                assert_eq!(left, right, "for {:?}", bytes.escape_ascii().to_string());
                break;
            }
            theirs = theirs.and_more(&mut their_stream);
            ours = ours.and_more(&mut our_stream);
        }
        self.kept.push((their_stream, our_stream));
        ours
    }

    fn body(&mut self, body: &[u8]) -> Seen {
        self.raw(&framed(body))
    }

    /// Closes the kept connection of this number, and waits until both have noticed.
    fn close(&mut self, index: usize, name: &[u8]) {
        self.kept.remove(index);
        let mut ask = vec![b'z'];
        ask.extend_from_slice(name);
        for port in [self.original.port, self.ours.port] {
            let deadline = Instant::now() + PATIENCE;
            while send_raw(port, &framed(&ask)).0.bytes() != [119, 1] {
                assert!(Instant::now() < deadline, "the name is not released");
            }
        }
    }
}

#[test]
fn lists_and_look_ups() {
    let mut pair = Pair::start(&[]);
    pair.body(b"n");
    pair.body(b"d");
    assert!(matches!(pair.body(&alive(b"a", 6, b"")), Seen::Open(_)));
    pair.body(&alive("\u{1F600}".repeat(200).as_bytes(), 5, b"extra\0\0"));
    pair.body(&alive(b"hidden", 6, &[7; 1020]));
    for body in [&b"n"[..], b"d", b"za", b"zhidden", b"zb", b"za\0", b"nxx", b"dxx"] {
        pair.body(body);
    }
    let mut wide = vec![b'z'];
    wide.extend_from_slice("\u{1F600}".repeat(200).as_bytes());
    assert!(pair.body(&wide).bytes().len() > 800);
}

#[test]
fn refused_registrations() {
    let mut pair = Pair::start(&[]);
    pair.body(&alive(b"a", 6, b""));
    for version in [0, 4, 5, 6, 7, 65535] {
        let again = pair.body(&alive(b"a", version, b""));
        assert!(matches!(again, Seen::Open(bytes) if bytes[1] == 1));
    }
    pair.body(&alive(&[b'n'; 256], 6, b""));
    pair.body(&alive(&[b'n'; 1021], 6, b""));
    pair.body(&alive(b"\xff\xfe", 6, b""));
    pair.body(&alive(b"ex", 6, &[0; 1021]));
    pair.body(&alive(b"a\0b", 6, b""));
    pair.body(&alive(b"", 6, b""));
    pair.body(&alive(b"", 6, b"x"));
    pair.body(&alive(&[b'n'; 255], 6, b""));
}

#[test]
fn broken_requests() {
    let mut pair = Pair::start(&[]);
    let whole = alive(b"short", 6, b"abc");
    for cut in 1..whole.len() {
        pair.body(&whole[..cut]);
    }
    let mut longer = alive(b"longer", 6, b"");
    longer.extend_from_slice(b"zzz");
    pair.body(&longer);
    for body in [&b"q"[..], b"z", b"z\0", b"z\xff", b"za\0\0", b"sa", b"s", b"\0"] {
        pair.body(body);
    }
    for bytes in
        [&b"\0\0"[..], b"\xff\xff", b"\0\x01nn", b"\0\x01n\0\x01n", b"\x0b\xf2", b"\x0b\xf1"]
    {
        pair.raw(bytes);
    }
    pair.raw(&[0; 10]);
    pair.raw(&[b'z'; 63_000]);
}

/// Neither before its time is over.
#[test]
fn who_is_silent_is_cut_after_the_packet_timeout() {
    for program in ["epmd", HAR_EPMD] {
        let daemon = start_daemon(program, &["-packet_timeout", "1"]);
        let started = Instant::now();
        let mut clients = [&b""[..], b"\0", b"\0\x09z"].map(|begun| {
            let mut stream = connect(daemon.port);
            stream.write_all(begun).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream
        });
        for stream in &mut clients {
            assert!(matches!(stream.read(&mut [0; 8]), Ok(0)), "{program}");
            assert!(started.elapsed() >= Duration::from_secs(1), "{program}");
        }
    }
}

#[test]
fn a_word_on_a_registered_connection_ends_it() {
    let mut pair = Pair::start(&[]);
    pair.body(&alive(b"chatty", 6, b""));
    let (mut theirs, mut ours) = pair.kept.pop().unwrap();
    for stream in [&mut theirs, &mut ours] {
        stream.write_all(b"hello").unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        assert!(!matches!(stream.read(&mut [0; 8]), Ok(1..)));
    }
    assert_eq!(pair.body(b"zchatty").bytes(), [119, 1]);
    pair.body(b"d");
}

#[test]
fn creations_count_up_for_a_name() {
    let mut pair = Pair::start(&[]);
    let mut last = None;
    for _ in 0..3 {
        let seen = pair.body(&alive(b"a", 6, b""));
        let creation = u32::from_be_bytes(seen.bytes()[2..6].try_into().unwrap());
        assert!(last.is_none_or(|last| creation == last + 1));
        last = Some(creation);
        pair.close(pair.kept.len() - 1, b"a");
    }
    let small = pair.body(&alive(b"a", 5, b""));
    assert!((1..=3).contains(&small.bytes()[3]));
}

#[test]
fn released_names_are_dumped_in_order() {
    let mut pair = Pair::start(&[]);
    for name in [b"a", b"b", b"c"] {
        pair.body(&alive(name, 6, b""));
    }
    pair.close(1, b"b");
    pair.close(0, b"a");
    let dump = pair.body(b"d");
    assert!(dump.bytes().windows(3).any(|text| text == b"<b>"));
}

#[test]
fn kill_and_stop() {
    let mut strict = Pair::start(&[]);
    strict.body(&alive(b"a", 6, b""));
    assert_eq!(strict.body(b"k"), Seen::End(b"NO".to_vec()));
    assert_eq!(strict.body(b"sa"), Seen::End(Vec::new()));
    strict.close(0, b"a");
    assert_eq!(strict.body(b"k"), Seen::End(b"OK".to_vec()));
    assert_eq!(strict.original.process.code(), Some(0));
    assert_eq!(strict.ours.process.code(), Some(0));

    let mut relaxed = Pair::start(&["-relaxed_command_check"]);
    relaxed.body(&alive(b"a", 6, b""));
    assert_eq!(relaxed.body(b"sa"), Seen::End(b"STOPPED".to_vec()));
    relaxed.body(&alive(b"b", 6, b""));
    assert_eq!(relaxed.body(b"k"), Seen::End(b"OK".to_vec()));
    assert_eq!(relaxed.ours.process.code(), Some(0));
}

/// This host's address on some network, if it has one. (Nothing is sent to the example address.)
fn outer_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)
}

/// Asks from `source` at loopback: to the daemon that is a stranger, since the two differ.
fn ask_from(source: IpAddr, port: u16, body: &[u8]) -> Seen {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(source, 0).into()).unwrap();
    socket.connect(&address(port).into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.write_all(&framed(body)).unwrap();
    listen(&mut stream)
}

#[test]
fn strangers_may_look_and_change_nothing() {
    // On a host without a network nobody can be a stranger; `answer.rs` and `connection.rs` test
    // the rule without sockets.
    let source = outer_address().unwrap_or(Ipv4Addr::LOCALHOST.into());
    let stranger = !source.is_loopback();
    let mut pair = Pair::start(&["-relaxed_command_check"]);
    pair.body(&alive(b"a", 6, b""));
    for body in [&alive(b"b", 6, b"")[..], b"d", b"sa", b"za", b"n", b"k"] {
        let ours = ask_from(source, pair.ours.port, body);
        let theirs = ask_from(source, pair.original.port, body);
        let theirs = comparable(&theirs, pair.original.port);
        assert_eq!(theirs, comparable(&ours, pair.ours.port), "{:?}", body[0] as char);
        let may = matches!(body[0], b'z' | b'n');
        assert_eq!(ours == Seen::End(Vec::new()), stranger && !may, "{:?}", body[0] as char);
    }
}

/// Bytes close to requests, made at random.
fn nearly_a_request() -> impl Strategy<Value = Vec<u8>> {
    let name = prop_oneof![Just(b"a".to_vec()), proptest::collection::vec(any::<u8>(), 0..40)];
    let body = (name, any::<u16>(), proptest::collection::vec(any::<u8>(), 0..40), 0_usize..6)
        .prop_map(|(name, version, extra, kind)| match kind {
            0 | 1 => alive(&name, version, &extra),
            2 => [b"z".to_vec(), name].concat(),
            3 => [b"s".to_vec(), name].concat(),
            4 => [vec![b"nd"[usize::from(version % 2)]], extra].concat(),
            _ => [extra, name].concat(),
        });
    (body, any::<proptest::sample::Index>(), any::<u8>(), 0_u8..4).prop_map(
        |(mut body, at, byte, damage)| {
            // The daemons must live on: no KILL.
            if body.is_empty() || body[0] == b'k' {
                body = b"q".to_vec();
            }
            let index = 1 + at.index(body.len());
            match damage {
                0 if index < body.len() => body[index] = byte,
                1 => body.truncate(index),
                _ => {}
            }
            framed(&body)
        },
    )
}

#[test]
fn random_requests_get_the_same_answers() {
    let mut pair = Pair::start(&[]);
    let mut runner = TestRunner::new(Config { cases: 60, ..Config::default() });
    let strategy = nearly_a_request();
    let pair = std::cell::RefCell::new(&mut pair);
    runner
        .run(&strategy, |bytes| {
            pair.borrow_mut().raw(&bytes);
            Ok(())
        })
        .unwrap();
}
