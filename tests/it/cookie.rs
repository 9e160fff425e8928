//! What the cookie file must be like, seen from outside.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;

use crate::command::Home;
use crate::running::{Running, free_port};

#[test]
fn a_cookie_file_others_can_read_is_refused() {
    let home = Home::new();
    let file = home.file("cookie", "SECRET");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("chmod");
    let outcome = home.har(&["config", "check", "--cookie-file", &file]);
    outcome.assert_fails(77, &[&file, "0644", "chmod 400"]);
    assert!(!outcome.stderr.contains("SECRET"));
}

#[test]
fn an_unreadable_cookie_file_is_named() {
    let home = Home::new();
    fs::create_dir(home.path().join("cookie")).expect("made");
    home.har(&["config", "check", "--cookie-file", "cookie"])
        .assert_fails(66, &["cannot read cookie file", "--cookie-file"]);
}

#[test]
fn a_cookie_that_is_none_is_refused_without_showing_it() {
    let home = Home::new();
    let outcome = home.har_with(&[("RELEASE_COOKIE", "TWO WORDS")], &["config", "check"]);
    outcome.assert_fails(78, &["RELEASE_COOKIE", "one line"]);
    assert!(!outcome.stderr.contains("TWO WORDS"));
}

#[test]
fn without_a_home_the_cookie_must_be_given() {
    let home = Home::new();
    let mut command = home.command();
    command.env_remove("HOME").args(["config", "check"]);
    let outcome = crate::command::Outcome::of(command.output().expect("runs"));
    outcome.assert_fails(78, &["HOME", "--cookie-file"]);
}

/// Starts a node that may write core files of any size, aborts it; whether the system wrote one.
fn dumps_core(variables: &[(&str, &str)]) -> bool {
    let home = Home::new();
    let mut command = home.program("sh");
    command.args(["-c", "ulimit -c unlimited && exec \"$@\"", "sh", env!("CARGO_BIN_EXE_har")]);
    command.args(["start", "--epmd-port", &free_port().to_string()]);
    command.env("HAR_COOKIE", "SECRET").envs(variables.iter().copied());
    let mut har = Running::start(command);
    har.wait_for("Ctrl-C stops it.");
    har.signal("ABRT");
    let ended = har.ended();
    assert!(ended.signal().is_some(), "{ended}");
    assert!(!har.stdout.text().contains("SECRET") && !har.stderr.text().contains("SECRET"));
    ended.core_dumped()
}

#[test]
fn a_node_that_crashes_leaves_no_core_file_unless_it_is_to() {
    assert!(!dumps_core(&[]));
    let wanted = dumps_core(&[("HAR_NODE_CORE_DUMPS", "true")]);
    assert!(wanted, "this system writes no core file at all: see `ulimit -Hc` and core(5)");
}
