//! What a message costs in instructions of a release build, as valgrind counts them. Counts, recorded
//! here, so that a change that makes each message dearer is seen; they are no times.
//!
//! To record new ones, run this test and copy the table that it prints when it fails
//! (`cargo test -p erlang-dist --test it instructions`, with an entry changed if all is within
//! bounds), and say in the commit what made them change. Another compiler or C library moves them by
//! some percent, which is what the bounds leave room for.

use std::path::PathBuf;
use std::process::Command;

/// Instructions to send one message and to receive it, dropping its terms at once. What it takes to
/// receive a long one is left out: it is joined by a copy, and how many instructions these take is the
/// processor's choice.
const RECORDED: [(&str, i64, Option<i64>); 4] = [
    ("link", 992, Some(965)),
    ("send_tuple", 1560, Some(1976)),
    ("gen_call", 2190, Some(3933)),
    ("bulk", 30_630, None),
];

/// A cost of so many percent of what is recorded is a jump.
const PERCENT_MAX: i64 = 110;
/// One below so many percent is better recorded, or the next jump goes unseen.
const PERCENT_MIN: i64 = 75;

/// The release build of `examples/message_costs.rs`.
fn message_costs() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--release", "-p", "erlang-dist", "--example", "message_costs"])
        .args(["--message-format", "json"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    let executable = messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(message.get("executable")?.as_str()?))
    });
    executable.expect("cargo says what it has built")
}

/// Instructions of one run of the program.
fn instructions(program: &PathBuf, arguments: &[&str]) -> i64 {
    let output = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
        .arg(program)
        .args(arguments)
        .output()
        .expect("`valgrind` is needed to count instructions: install it (Debian: valgrind)");
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{report}");
    // `==PID== I   refs:      1,234,567`
    let count = report.lines().find_map(|line| {
        let (what, count) = line.split_once("refs:")?;
        what.trim_end().ends_with("== I").then(|| count.replace(',', ""))
    });
    count.and_then(|count| count.trim().parse().ok()).unwrap_or_else(|| panic!("{report}"))
}

/// Instructions of one message.
fn each(program: &PathBuf, message: &str, receives: bool) -> i64 {
    // The difference of two runs has no start and end in it.
    let [short, long] = if message == "bulk" { [4, 24] } else { [1000, 5000] };
    let run = |count: i64| {
        let count = count.to_string();
        let mut arguments = vec![message, &count];
        arguments.extend(receives.then_some("received"));
        instructions(program, &arguments)
    };
    (run(long) - run(short)) / (long - short)
}

#[test]
fn messages_take_the_instructions_recorded_here() {
    let program = message_costs();
    let counted = RECORDED.map(|(message, _, received)| {
        let sent = each(&program, message, false);
        (message, sent, received.map(|_| each(&program, message, true) - sent))
    });
    let kept = |count: i64, recorded: i64| {
        (recorded * PERCENT_MIN..=recorded * PERCENT_MAX).contains(&(count * 100))
    };
    let same = counted.iter().zip(&RECORDED).all(|(now, recorded)| {
        kept(now.1, recorded.1) && now.2.zip(recorded.2).is_none_or(|(now, was)| kept(now, was))
    });
    assert!(same, "instructions to send and to receive are {counted:?}, recorded {RECORDED:?}");
}
