//! `har rpc` against a real BEAM and against `har start`; errors as a shell words them.

use crate::beam::Beam;
use crate::command::{Home, Outcome};
use crate::running::{Running, free_port};

const NODE: &str = "beam@127.0.0.1";

fn erlang(beam: &Beam, call: &[&str]) -> Outcome {
    beam.har("C", &[&["rpc", NODE], call].concat())
}

fn elixir(beam: &Beam, call: &[&str]) -> Outcome {
    beam.har("C", &[&["rpc", "--elixir", NODE], call].concat())
}

/// An answer of "no": exit code 1, these lines on standard error, nothing on standard output.
#[track_caller]
fn assert_raised(outcome: &Outcome, lines: &str) {
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert_eq!(outcome.stdout, "");
    assert_eq!(outcome.stderr.trim_end(), lines);
}

#[test]
fn results_are_printed_as_terms() {
    let beam = Beam::start();
    let printed = |call: &[&str]| erlang(&beam, call).assert_works().to_owned();
    assert_eq!(printed(&["erlang", "node", "[]"]), "'beam@127.0.0.1'\n");
    assert_eq!(printed(&["erlang", "node"]), "'beam@127.0.0.1'\n");
    let term = "{a,1.5,[1,2|x],#{k => <<\"v\">>},\"text\"}";
    assert_eq!(printed(&["erlang", "hd", &format!("[[{term}]]")]), format!("{term}\n"));
    assert_eq!(printed(&["erlang", "+", "[36893488147419103232, 1]"]), "36893488147419103233\n");
    let printed = |call: &[&str]| elixir(&beam, call).assert_works().to_owned();
    assert_eq!(printed(&[":lists", "reverse", "[[1, :two, \"three\"]]"]), "[\"three\", :two, 1]\n");
    assert_eq!(printed(&[":erlang", "hd", "[[%{a: {:ok, nil}}]]"]), "%{a: {:ok, nil}}\n");
}

#[test]
fn a_raised_error_is_worded_as_by_erlang() {
    let beam = Beam::start();
    assert_raised(
        &erlang(&beam, &["nomod", "f", "[1]"]),
        "** exception error: undefined function nomod:f/1",
    );
    let outcome = erlang(&beam, &["erlang", "atom_to_list", "[1]"]);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.starts_with("** exception error: bad argument\n"), "{outcome:?}");
    assert_raised(&erlang(&beam, &["erlang", "exit", "[{boom,1}]"]), "** exception exit: {boom,1}");
    assert_raised(&erlang(&beam, &["erlang", "throw", "[x]"]), "** exception throw: x");
}

#[test]
fn a_raised_error_is_worded_as_by_elixir() {
    let beam = Beam::start();
    let outcome = elixir(&beam, &["HAR", "nope", "[1]"]);
    assert_eq!(outcome.code, Some(1));
    let banner = "** (UndefinedFunctionError) function HAR.nope/1 is undefined";
    let absent = format!("{banner} (module HAR is not available)");
    assert_eq!(outcome.stderr.lines().next(), Some(absent.as_str()));
    let outcome = elixir(&beam, &[":lists", "nope", "[]"]);
    let banner = "** (UndefinedFunctionError) function :lists.nope/0 is undefined or private";
    assert_eq!(outcome.stderr.lines().next(), Some(banner));
    assert_raised(&elixir(&beam, &[":erlang", "exit", "[:boom]"]), "** (exit) :boom");
}

#[test]
fn a_malformed_term_is_named_with_its_column() {
    let home = Home::new();
    let rpc = |args| home.har(&["rpc", "a@127.0.0.1", "m", "f", args]);
    rpc("[1, {a]").assert_fails(65, &["ARGS", "column 7", "'["]);
    rpc("1").assert_fails(65, &["ARGS must be one list"]);
    home.har(&["rpc", "--elixir", "a@127.0.0.1", "m", "f", "[%{]"])
        .assert_fails(65, &["ARGS", "column", "'["]);
    home.har(&["rpc", "a@127.0.0.1", "two words", "f"]).assert_fails(65, &["two words"]);
}

#[test]
fn a_call_that_takes_too_long_is_given_up() {
    let beam = Beam::start();
    erlang(&beam, &["timer", "sleep", "[60000]", "--timeout", "1"])
        .assert_fails(69, &["no answer within 1 s", "--timeout"]);
}

#[test]
fn a_wrong_cookie_is_named_for_calls_too() {
    let beam = Beam::start();
    beam.har("WRONG", &["rpc", NODE, "erlang", "node"]).assert_fails(77, &["cookie mismatch"]);
}

#[test]
fn a_har_node_answers_as_a_beam_does() {
    let (home, port) = (Home::new(), free_port().to_string());
    let mut command = home.command();
    command.args(["start", "--epmd-port", &port]);
    let har = Running::start(command);
    har.wait_for("Ctrl-C stops it.");
    let rpc =
        |call: &[&str]| home.har(&[&["rpc", "har@127.0.0.1", "--epmd-port", &port], call].concat());
    assert_eq!(rpc(&["erlang", "node"]).assert_works(), "'har@127.0.0.1'\n");
    let version = rpc(&["--elixir", "HAR", "version"]);
    assert!(version.assert_works().starts_with('"'), "{version:?}");
    let playbook = "- hosts: web\\n  tasks:\\n    - apt: {name: nginx}\\n";
    let args = format!("[:ansible, \"{playbook}\", [to: :salt]]");
    let converted = rpc(&["--elixir", "HAR", "convert", &args]);
    assert!(converted.assert_works().contains("pkg.installed"), "{converted:?}");
    assert_raised(&rpc(&["nomod", "f"]), "** exception error: undefined function nomod:f/0");
}
