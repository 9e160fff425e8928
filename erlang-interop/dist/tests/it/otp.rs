//! Beside a real BEAM: its header file, its own flags, and a connection.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use erlang_dist::handshake::{HandshakeConfig, HandshakeOutcome, Initiator, InitiatorEvent};
use erlang_dist::{
    Connection, ConnectionConfig, Control, Cookie, Creation, DistributionFlags, Event, NodeName,
};
use erlang_term::{Pid, Term};

use crate::sample::atom;

const NEEDS_ERL: &str = "this test needs `erl`: install Debian's erlang-base";

/// What `erl` prints for an expression.
fn erl(expression: &str) -> String {
    let eval = format!("io:format(\"~ts\", [{expression}]), halt().");
    let output = Command::new("erl").args(["-noshell", "-eval", &eval]).output().expect(NEEDS_ERL);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn flags_are_those_of_the_header() {
    let path = erl("filename:join(code:lib_dir(kernel), \"include/dist.hrl\")");
    let header =
        std::fs::read_to_string(path).expect("a header from erlang-base (elsewhere: -dev)");
    let mut compared = 0;
    for line in header.lines() {
        let Some(rest) = line.strip_prefix("-define(DFLAG_") else { continue };
        let (name, value) = rest.split_once(',').expect("a value");
        if name == "RESERVED" {
            continue;
        }
        let digits = value.trim().trim_start_matches('(').trim_start_matches("16#");
        let (digits, shift) = match digits.split_once(" bsl ") {
            Some((digits, shift)) => (digits, shift.trim_end_matches([')', '.'])),
            None => (digits.trim_end_matches([')', '.']), "0"),
        };
        let bit = u64::from_str_radix(digits, 16).expect("a number");
        let bit = bit << shift.parse::<u32>().expect("a number");
        let ours = DistributionFlags::NAMED.iter().find(|(ours, _)| *ours == name);
        let (_, ours) = ours.unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(ours.bits(), bit, "{name}");
        compared += 1;
    }
    assert!(compared > 25, "{compared} flags were compared");
}

#[test]
fn defaults_are_those_of_the_running_release() {
    let flags = "integer_to_list(element(N, erts_internal:get_dflags()))";
    let ask = |n: &str| erl(&flags.replace('N', n)).parse::<u64>().expect("flags");
    let (default, mandatory) = (ask("2"), ask("3"));
    let beam = DistributionFlags::from_bits(default);
    assert!(beam.contains(DistributionFlags::DEFAULT_HIDDEN), "{beam}");
    let known = DistributionFlags::DEFAULT_HIDDEN | DistributionFlags::ALTACT_SIG;
    assert!((beam - known).is_empty(), "unknown flags: {}", beam - known);
    let mandatory = DistributionFlags::from_bits(mandatory);
    assert!(mandatory.contains(DistributionFlags::MANDATORY_25), "{mandatory}");
    let demanded = DistributionFlags::MANDATORY_26 | DistributionFlags::MANDATORY_25_DIGEST;
    assert!((mandatory - demanded).is_empty(), "{mandatory}");
}

/// A BEAM that listens without EPMD, with a process `echo` that sends back and one `sum` that adds up
/// the sizes of binaries until it's asked.
struct Beam(Child);

const NAME: &str = "beam@127.0.0.1";
const SCRIPT: &str = "\
    F = fun F() -> receive {P, T} -> P ! T, F() end end, \
    S = fun S(L) -> receive {P, sum} -> P ! lists:reverse(L), S([]); \
        {N, B} -> S([{N, byte_size(B), erlang:phash2(B)} | L]) end end, \
    register(echo, spawn(F)), register(sum, spawn(fun() -> S([]) end)), \
    spawn(fun() -> io:get_line(\"\"), halt() end).";

impl Beam {
    fn start(port: u16) -> Self {
        let port = port.to_string();
        let child = Command::new("erl")
            .args(["-noshell", "-name", NAME, "-setcookie", "c", "-start_epmd", "false"])
            .args(["-erl_epmd_port", &port, "-kernel", "inet_dist_use_interface", "{127,0,0,1}"])
            .args(["-eval", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn();
        Self(child.expect(NEEDS_ERL))
    }
}

impl Drop for Beam {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Drives the machines over a blocking socket.
struct Driver {
    socket: TcpStream,
    start: Instant,
    connection: Connection,
    outcome: HandshakeOutcome,
}

impl Driver {
    fn dial(port: u16) -> Self {
        let start = Instant::now();
        let mut socket = loop {
            match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                Ok(socket) => break socket,
                Err(error) => {
                    assert!(start.elapsed() < Duration::from_secs(60), "the BEAM starts: {error}");
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        };
        socket.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
        let name = NodeName::new("us@127.0.0.1").expect("a name");
        let mut config = HandshakeConfig::new(name, Creation(77));
        config.flags = DistributionFlags::DEFAULT_HIDDEN;
        let peer = NodeName::new(NAME).expect("a name");
        let cookie = Cookie::new("c").expect("a cookie");
        let mut machine = Initiator::new(config, peer, cookie, 4711, start.elapsed());
        let mut buffer = [0; 4096];
        let outcome = loop {
            if let Some(event) = machine.poll_event(start.elapsed()).expect("welcome") {
                match event {
                    InitiatorEvent::Done(outcome) => break *outcome,
                    other => panic!("{other:?}"),
                }
            }
            socket.write_all(&machine.take_output()).expect("written");
            let read = socket.read(&mut buffer).expect("read");
            assert!(read > 0, "the BEAM closed");
            machine.handle_input(&buffer[..read]).expect("bounded");
        };
        let connection = Connection::new(ConnectionConfig::default(), &outcome, start.elapsed());
        Self { socket, start, connection, outcome }
    }

    fn send_named(&mut self, from: &Pid, name: &str, payload: Term) {
        let control = Control::RegSend { from: from.clone(), name: atom(name), token: None };
        self.connection.send(control, Some(payload)).expect("fits");
    }

    fn flush(&mut self) {
        let mut chunks: Vec<Bytes> = Vec::new();
        while self.connection.poll_output(&mut chunks) > 0 {
            for chunk in chunks.drain(..) {
                self.socket.write_all(&chunk).expect("written");
            }
        }
    }

    fn receive(&mut self) -> (Control, Option<Term>) {
        self.receive_within(Duration::from_secs(60)).expect("an answer")
    }

    fn receive_within(&mut self, time: Duration) -> Option<(Control, Option<Term>)> {
        self.socket.set_read_timeout(Some(time)).expect("a timeout");
        let mut buffer = vec![0; 1 << 16];
        loop {
            if let Some(event) = self.connection.poll_event().expect("a BEAM is good") {
                let Event::Message { control, payload } = event else { panic!("{event:?}") };
                return Some((control, payload));
            }
            let Ok(read) = self.socket.read(&mut buffer) else { return None };
            assert!(read > 0, "the BEAM closed");
            self.connection.input_space().extend_from_slice(&buffer[..read]);
            self.connection.input_filled(self.start.elapsed());
        }
    }

    /// A message to a name that isn't registered yet is dropped, so ask until there's an answer.
    fn await_echo(&mut self, me: &Pid) {
        let ask = |driver: &mut Self, number: i64| {
            let request = Term::tuple([Term::from(me.clone()), Term::from(number)]);
            driver.send_named(me, "echo", request);
            driver.flush();
        };
        let mut asked = 0;
        let mut answer = None;
        while answer.is_none() {
            asked += 1;
            assert!(asked < 1000, "no process registers as echo");
            ask(self, asked);
            answer = self.receive_within(Duration::from_millis(60));
        }
        while answer.and_then(|(_, payload)| payload) != Some(Term::from(asked)) {
            answer = Some(self.receive());
        }
    }

    fn pid(&self, id: u32) -> Pid {
        let node = self.outcome.local.as_atom();
        Pid::new(node, id, 0, self.outcome.local_creation.into())
    }
}

#[test]
fn a_beam_understands_us_and_we_understand_it() {
    // A port that nobody has now; suites may run side by side.
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
    let port = free.expect("a free port").port();
    let _beam = Beam::start(port);
    let mut driver = Driver::dial(port);
    assert!(driver.outcome.flags.contains(DistributionFlags::FRAGMENTS));
    let me = driver.pid(1);
    driver.await_echo(&me);
    // Back and forth: cached atoms, more than 255 of them, long ones, and long binaries.
    let many = Term::list((0..400).map(|n| Term::from(atom(&format!("many_{n}")))));
    let long = Term::from(atom(&"é".repeat(255)));
    let large = Term::tuple([Term::from(atom("large")), Term::binary(vec![5; 3 << 20])]);
    for payload in [Term::Nil, many.clone(), long, many, large, Term::binary(vec![1; 65_500])] {
        for _ in 0..2 {
            let request = Term::tuple([Term::from(me.clone()), payload.clone()]);
            driver.send_named(&me, "echo", request);
            driver.flush();
            let (control, answer) = driver.receive();
            assert_eq!(control.receiver(), Some(&me));
            assert!(answer.as_ref() == Some(&payload), "{control:?}");
        }
    }
    // Many senders at once, with fragments interleaved; each one's messages stay in order.
    let mut expected = 0;
    for round in 0..4usize {
        for sender in 2..7u32 {
            let from = driver.pid(sender);
            let bytes = if round % 2 == 0 { 150_000 + sender as usize } else { round };
            let number = Term::from(i64::from(sender) * 100 + round as i64);
            driver.send_named(&from, "sum", Term::tuple([number, Term::binary(vec![3; bytes])]));
            expected += 1;
        }
    }
    driver.flush();
    driver.send_named(&me, "sum", Term::tuple([Term::from(me.clone()), Term::from(atom("sum"))]));
    driver.flush();
    let (_, Some(sums)) = driver.receive() else { panic!("no answer") };
    let sums: Vec<Term> = sums.list_iter().expect("a list").collect();
    assert_eq!(sums.len(), expected);
    let mut last = std::collections::HashMap::new();
    for entry in &sums {
        let entry = entry.as_tuple().expect("a tuple");
        let number = entry[0].as_integer().expect("a number");
        let before = last.insert(number / 100, number);
        assert!(before.is_none_or(|before| before < number), "{sums:?}");
    }
}
