//! `har ping` and `har names`, and each way they can fail.

use crate::command::Home;
use crate::running::{Running, free_port};

#[test]
fn an_unknown_host_is_named() {
    let home = Home::new();
    home.har_with(&[("HAR_COOKIE", "C")], &["ping", "a@no-such-host.invalid"])
        .assert_fails(68, &["no-such-host.invalid", "not known"]);
    home.har(&["names", "no-such-host.invalid"]).assert_fails(68, &["no-such-host.invalid"]);
}

#[test]
fn no_epmd_is_named() {
    let (home, port) = (Home::new(), free_port().to_string());
    let ping = ["ping", "a@127.0.0.1", "--epmd-port", &port];
    home.har_with(&[("HAR_COOKIE", "C")], &ping).assert_fails(69, &["no EPMD", &port]);
    home.har(&["names", "--epmd-port", &port]).assert_fails(69, &["no EPMD", &port, "har start"]);
}

#[test]
fn a_node_that_is_not_there_is_named() {
    let (home, port) = (Home::new(), free_port().to_string());
    let mut command = home.command();
    command.args(["epmd", "-port", &port, "-address", "127.0.0.1"]);
    let _epmd = Running::start(command);
    crate::running::eventually("EPMD answers", || {
        (home.har(&["names", "--epmd-port", &port]).code == Some(0)).then_some(())
    });
    let ping = ["ping", "nobody@127.0.0.1", "--epmd-port", &port];
    home.har_with(&[("HAR_COOKIE", "C")], &ping).assert_fails(69, &["no node nobody", "har names"]);
}

#[test]
fn what_is_no_node_name_is_refused() {
    let home = Home::new();
    for name in ["har", "@host.example", "har@"] {
        home.har_with(&[("HAR_COOKIE", "C")], &["ping", name])
            .assert_fails(64, &["no node name", "NAME@HOST"]);
    }
}

#[test]
fn without_a_cookie_nothing_is_made() {
    let home = Home::new();
    home.har(&["ping", "a@127.0.0.1"]).assert_fails(66, &[".erlang.cookie", "--cookie-file"]);
    assert!(!home.path().join(".erlang.cookie").exists());
}
