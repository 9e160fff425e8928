//! What real BEAMs said to each other, said to our state machines: they must answer the same.
//!
//! The captures are those of `erlang-dist`. Node `a` dials node `b`; here we are `b`.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use erlang_dist::{Connection, ConnectionConfig, Control, DistributionFlags, Event};
use erlang_otp::gen_message::{Request, cast_message};
use erlang_otp::global::state::State;
use erlang_otp::global::{LockerEvent, Output};
use erlang_otp::pg::state::{Output as PgOutput, Scope};
use erlang_term::{Pid, Term, atom};

/// A message of the capture: whether `a` sent it, how, and what.
struct Said {
    by_a: bool,
    control: Control,
    payload: Term,
}

fn capture(name: &str) -> Vec<Said> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/tests/data").join(name);
    let text = std::fs::read_to_string(&path).expect("the capture is readable");
    let connection = || {
        let config = ConnectionConfig::default();
        Connection::with_flags(config, DistributionFlags::DEFAULT, Duration::ZERO)
    };
    let (mut from_a, mut from_b) = (connection(), connection());
    let mut said = Vec::new();
    for line in text.lines() {
        let mut fields = line.split('\t');
        let (direction, hex) = (fields.next().unwrap(), fields.next().unwrap());
        // Runs of equal bytes are only in later parts, with large binaries.
        if hex.contains('[') {
            break;
        }
        let by_a = direction == ">";
        let machine = if by_a { &mut from_a } else { &mut from_b };
        machine.handle_input(Duration::ZERO, bytes_of(hex));
        while let Some(event) = machine.poll_event().expect("what a BEAM sent is good") {
            if let Event::Message { control, payload: Some(payload) } = event {
                said.push(Said { by_a, control, payload });
            }
        }
    }
    said
}

fn bytes_of(hex: &str) -> Bytes {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
    (0..hex.len()).step_by(2).map(digit).collect()
}

/// The term with one integer replaced by another: session tags are each node's own.
fn replaced(term: &Term, old: &Term, new: &Term) -> Term {
    match term {
        term if term == old => new.clone(),
        Term::Tuple(elements) => Term::tuple(elements.iter().map(|one| replaced(one, old, new))),
        other => other.clone(),
    }
}

fn is_to(control: &Control, name: &str) -> bool {
    matches!(control, Control::RegSend { name: found, .. } if *found == name)
}

fn sender(control: &Control) -> Option<&Pid> {
    match control {
        Control::RegSend { from, .. }
        | Control::SendSender { from, .. }
        | Control::AliasSend { from, .. } => Some(from),
        _ => None,
    }
}

/// `{8, Tag}` and the locker of an `init_connect` cast.
fn init_connect(said: &[Said], by_a: bool) -> (Pid, Term, Pid, u64) {
    let found = said.iter().filter(|one| one.by_a == by_a).find_map(|one| {
        let Request::Cast(message) = Request::read(one.payload.clone()) else { return None };
        let [version, _, locker] = message.as_tagged("init_connect")? else { return None };
        let [_, _, known, Term::Pid(locker)] = locker.as_tuple()? else { return None };
        let connection = known.as_map()?.iter().next()?.1.as_integer()?;
        let server = sender(&one.control)?.clone();
        Some((server, version.as_tuple()?[1].clone(), locker.clone(), connection as u64))
    });
    found.expect("both sides begin with it")
}

/// What our state machine said.
fn spoken(outputs: &[Output]) -> Vec<Term> {
    let message = |output: &Output| match output {
        Output::Cast(_, message) => Some(cast_message(message)),
        Output::Send(_, message) => Some(message.clone()),
        Output::Reply(from, value) => Some(from.reply(value)),
        _ => None,
    };
    outputs.iter().filter_map(message).collect()
}

/// Feeds all that `a` said to our name server, and plays our locker.
fn play(
    said: &[Said],
    tags: (&Term, &Term),
    state: &mut State,
    node_a: &Pid,
    id: u64,
) -> Vec<Term> {
    let mut outputs = state.nodeup(node_a.node(), id);
    for one in said.iter().filter(|one| one.by_a && is_to(&one.control, "global_name_server")) {
        let payload = replaced(&one.payload, tags.0, tags.1);
        let step = match Request::read(payload) {
            Request::Call(from, request) => state.call(&from, &request),
            Request::Cast(message) | Request::Info(message) => {
                let (understood, step) = state.message(&message);
                assert!(understood, "{message}");
                step
            }
            other => panic!("{other:?}"),
        };
        let locked = step.iter().find_map(|output| match output {
            Output::Locker(LockerEvent::LockSet { locker, set: true }) => Some(locker.clone()),
            _ => None,
        });
        outputs.extend(step);
        if let Some(locker) = locked {
            let tag = tags.1.as_integer().unwrap();
            let lock = Term::from((atom!("global"), Term::list([locker])));
            outputs.extend(state.lock_is_set(node_a.node(), tag, lock));
        }
    }
    spoken(&outputs)
}

#[test]
fn the_name_server_says_what_a_beam_says() {
    for file in ["otp25_erlang", "otp27_erlang", "otp25_elixir", "otp27_elixir"] {
        let said = capture(&format!("{file}.frames"));
        let (server_a, ..) = init_connect(&said, true);
        let (server_b, tag_b, locker_b, id) = init_connect(&said, false);
        let own_tag = Term::from(1);
        let mut state = State::new(server_b.node().clone(), server_b.creation(), locker_b);
        let mut ours = play(&said, (&tag_b, &own_tag), &mut state, &server_a, id);
        let mut theirs: Vec<Term> = said
            .iter()
            .filter(|one| !one.by_a && sender(&one.control) == Some(&server_b))
            .map(|one| replaced(&one.payload, &tag_b, &own_tag))
            .collect();
        assert!(theirs.len() > 5, "{file}");
        ours.sort();
        theirs.sort();
        assert_eq!(ours, theirs, "{file}");
    }
}

#[test]
fn a_pg_scope_says_what_a_beam_says() {
    for file in ["otp25_erlang", "otp27_erlang"] {
        let said = capture(&format!("{file}.frames"));
        let own = said
            .iter()
            .filter(|one| !one.by_a && is_to(&one.control, "pg"))
            .find_map(|one| sender(&one.control).cloned())
            .expect("pg begins by itself");
        let mut scope = Scope::new(own.clone());
        let mut ours = vec![scope.discover_message()];
        let to_us = |control: &Control| {
            is_to(control, "pg") || matches!(control, Control::SendSender { to, .. } if *to == own)
        };
        for one in said.iter().filter(|one| one.by_a && to_us(&one.control)) {
            let message = match Request::read(one.payload.clone()) {
                Request::Cast(message) | Request::Info(message) => message,
                other => panic!("{other:?}"),
            };
            let outputs = scope.handle(&message).expect("a message of pg");
            ours.extend(outputs.into_iter().filter_map(|output| match output {
                PgOutput::Send(_, message) => Some(message),
                _ => None,
            }));
        }
        let mut theirs: Vec<Term> = said
            .iter()
            .filter(|one| !one.by_a && sender(&one.control) == Some(&own))
            .map(|one| one.payload.clone())
            .collect();
        ours.sort();
        theirs.sort();
        assert_eq!(ours, theirs, "{file}");
    }
}
