//! Peers that mean harm, with and without the cookie, over TCP and TLS, against a real node.
//!
//! Each case is an entry of a table. After each one: honest peers are answered, the node's memory
//! stayed below its bound, nothing panicked, and nothing of the stranger is left; after all of a
//! table the memory is given back.

mod acceptors;
mod arena;
mod bombs;
mod calls;
mod case;
mod dialers;
mod floods;
mod frames;
mod line;
mod mapper;
mod records;
mod stranger;

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use arena::Arena;
use case::{Case, End, Phase, Wire};
use stranger::{Stranger, Trap};

use crate::running::PATIENCE;

/// Cases that this suite must not fall below.
const CASES_MIN: usize = 250;

const BOTH: &[Wire] = &[Wire::Tcp, Wire::Tls];

/// The tables, and what each runs over.
const TABLES: &[(&[&[Case]], &[Wire])] = &[
    (dialers::CASES, BOTH),
    (acceptors::CASES, BOTH),
    (frames::CASES, BOTH),
    (bombs::CASES, BOTH),
    (calls::CASES, BOTH),
    (floods::CASES, BOTH),
    (records::CASES, &[Wire::Tls]),
    (mapper::CASES, &[Wire::Tcp]),
];

/// A stranger whose connection is to end later.
struct Late<'c> {
    case: &'c Case,
    stranger: Stranger,
    dial: Option<tokio::task::JoinHandle<Result<erlang_interop::term::Term, String>>>,
}

/// Prints what was measured, for who looks; nothing depends on it.
fn tell(what: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout(), "{what}");
}

/// Runs all cases of a table against one node.
#[track_caller]
fn run(table: &[&[Case]], wire: Wire) {
    let arena = Arena::open(wire);
    let (mut late, mut failed) = (Vec::new(), Vec::new());
    for (number, case) in table.iter().copied().flatten().enumerate() {
        let start = Instant::now();
        // The others are tried as well: what fails together tells more.
        match catch_unwind(AssertUnwindSafe(|| one(&arena, case, &format!("s{number}")))) {
            Ok(ends_later) => late.extend(ends_later),
            Err(_) => failed.push(case.name),
        }
        let seconds = start.elapsed().as_secs_f64();
        let peak = arena.peak_of_the_last_check();
        tell(format_args!("{seconds:.2} s, {peak} KiB: {}", case.name));
    }
    assert!(failed.is_empty(), "{failed:?}");
    for Late { case, mut stranger, dial } in late {
        assert!(stranger.line.is_cut(PATIENCE), "{}: the node never closed", case.name);
        if let Some(dial) = dial {
            assert!(arena.dialed(dial).is_atom("false"), "{}", case.name);
        }
    }
    arena.close();
}

/// Runs one case. Gives it back if its end is to be seen later.
#[track_caller]
fn one<'c>(arena: &Arena, case: &'c Case, alive: &str) -> Option<Late<'c>> {
    let (target, name) = (&arena.target, format!("{alive}@127.0.0.1"));
    let mut dial = None;
    let mut stranger = if matches!(case.phase, Phase::Dialed | Phase::Welcomed | Phase::Answered) {
        let trap = Trap::set(target, alive);
        dial = Some(arena.dials(&name));
        Stranger::serve(target, trap.take(), &trap.name, case.cookie, case.phase)
    } else {
        Stranger::dial(target, &name, case.cookie, case.phase)
    };
    (case.attack)(&mut stranger);
    arena.check(case.name);
    match case.end {
        End::CutLate => return Some(Late { case, stranger, dial }),
        End::Cut => {
            assert!(stranger.line.is_cut(PATIENCE), "{}: the node never closed", case.name);
        }
        End::Stays => assert!(stranger.is_answered(), "{}: no answer any more", case.name),
        End::Leaves => {}
    }
    drop(stranger);
    if let Some(dial) = dial {
        let connected = arena.dialed(dial);
        assert!(case.end != End::Cut || connected.is_atom("false"), "{}: {connected}", case.name);
    }
    arena.forgets(case.name, &name);
    arena.check(case.name);
    None
}

#[test]
fn there_are_enough_cases_and_each_has_a_name_of_its_own() {
    let mut names = Vec::new();
    for (table, wires) in TABLES {
        for case in table.iter().copied().flatten() {
            names.extend(wires.iter().map(|wire| (case.name, format!("{wire:?}"))));
        }
    }
    let count = names.len();
    assert!(count >= CASES_MIN, "{count} cases");
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "two cases have one name");
}

#[test]
fn dialers_over_tcp() {
    run(dialers::CASES, Wire::Tcp);
}

#[test]
fn dialers_over_tls() {
    run(dialers::CASES, Wire::Tls);
}

#[test]
fn acceptors_over_tcp() {
    run(acceptors::CASES, Wire::Tcp);
}

#[test]
fn acceptors_over_tls() {
    run(acceptors::CASES, Wire::Tls);
}

#[test]
fn frames_over_tcp() {
    run(frames::CASES, Wire::Tcp);
}

#[test]
fn frames_over_tls() {
    run(frames::CASES, Wire::Tls);
}

#[test]
fn bombs_over_tcp() {
    run(bombs::CASES, Wire::Tcp);
}

#[test]
fn bombs_over_tls() {
    run(bombs::CASES, Wire::Tls);
}

#[test]
fn calls_over_tcp() {
    run(calls::CASES, Wire::Tcp);
}

#[test]
fn calls_over_tls() {
    run(calls::CASES, Wire::Tls);
}

#[test]
fn floods_over_tcp() {
    run(floods::CASES, Wire::Tcp);
}

#[test]
fn floods_over_tls() {
    run(floods::CASES, Wire::Tls);
}

#[test]
fn records_below_tls() {
    run(records::CASES, Wire::Tls);
}

#[test]
fn clients_of_the_port_mapper() {
    run(mapper::CASES, Wire::Tcp);
}
