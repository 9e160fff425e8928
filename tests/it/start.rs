//! `har start`: up, reachable, gone; and each way it can fail.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use crate::command::Home;
use crate::running::{Running, eventually, free_port};

/// Starts a node named `name@127.0.0.1` and waits until it is up.
#[track_caller]
fn node(home: &Home, epmd_port: u16, name: &str, more: &[&str]) -> Running {
    started(home.command(), epmd_port, name, more)
}

/// The same, with the program as `command` names it.
#[track_caller]
fn started(mut command: Command, epmd_port: u16, name: &str, more: &[&str]) -> Running {
    command.args(["start", "--name", &format!("{name}@127.0.0.1")]);
    command.args(["--epmd-port", &epmd_port.to_string()]).args(more);
    let running = Running::start(command);
    running.wait_for("Ctrl-C stops it.");
    running
}

fn names(home: &Home, epmd_port: u16) -> String {
    home.har(&["names", "--epmd-port", &epmd_port.to_string()]).stdout
}

/// Nothing listens on the port any more.
#[track_caller]
fn assert_free(port: u16) {
    eventually("the port is free", || TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok());
}

#[test]
fn a_node_is_reachable_when_it_says_so_and_leaves_cleanly() {
    for signal in ["TERM", "INT", "HUP"] {
        let (home, port) = (Home::new(), free_port());
        let mut running = node(&home, port, "har", &[]);
        let ping = home.har(&["ping", "har@127.0.0.1", "--epmd-port", &port.to_string()]);
        assert_eq!(ping.assert_works(), "pong\n");
        assert!(names(&home, port).starts_with("name har at port "));
        running.signal(signal);
        assert!(running.ended().success(), "{}", running.stderr.text());
        assert_free(port);
    }
}

#[test]
fn a_ping_without_a_node_asks_the_one_of_the_settings() {
    let (home, port) = (Home::new(), free_port());
    let _running = node(&home, port, "own", &[]);
    let port = port.to_string();
    let ping = ["ping", "--epmd-port", &port];
    let named = home.har_with(&[("HAR_NODE_NAME", "own@127.0.0.1")], &ping);
    assert_eq!(named.assert_works(), "pong\n");
    let flagged = [&ping[..], &["--name", "own@127.0.0.1"]].concat();
    assert_eq!(home.har(&flagged).assert_works(), "pong\n");
    let other = home.har_with(&[("HAR_NODE_NAME", "other@127.0.0.1")], &ping);
    other.assert_fails(69, &["no node other"]);
}

#[test]
fn the_lines_to_paste_work_in_any_directory() {
    let (home, port) = (Home::new(), free_port());
    // Started by a path that holds in its own directory only, as `cargo run` does.
    symlink(env!("CARGO_BIN_EXE_har"), home.path().join("har")).expect("a link");
    let mut line = home.program("sh");
    line.args(["-c", "exec ./har \"$@\"", "sh"]);
    let running = started(line, port, "har", &[]);
    let text = running.stdout.text();
    assert!(text.starts_with("har@127.0.0.1 is up\n"), "{text}");
    assert!(text.contains(&format!("ERL_EPMD_PORT={port} iex --name me@127.0.0.1\n")), "{text}");
    let line = text.lines().find(|line| line.contains(" ping ")).expect("a line to paste");
    let outcome = home.program("sh").args(["-c", line]).current_dir("/").output().expect("sh runs");
    assert_eq!(String::from_utf8_lossy(&outcome.stdout), "pong\n");
}

#[test]
fn the_cookie_file_is_made_for_its_owner_only() {
    let (home, port) = (Home::new(), free_port());
    let _running = node(&home, port, "har", &[]);
    let path = home.path().join(".erlang.cookie");
    let mode = fs::metadata(&path).expect("made").permissions().mode();
    assert_eq!(mode & 0o7777, 0o400);
    assert!(fs::read_to_string(&path).expect("readable").len() >= 20);
}

#[test]
fn the_cookie_of_the_command_line_is_not_seen_by_ps() {
    let (home, port) = (Home::new(), free_port());
    let running = node(&home, port, "har", &["--cookie", "SECRET", "--log-level", "trace"]);
    let seen = fs::read(format!("/proc/{}/cmdline", running.id())).expect("a process of ours");
    let seen = String::from_utf8_lossy(&seen).replace('\0', " ");
    assert!(seen.contains("--name har@127.0.0.1") && !seen.contains("SECRET"), "{seen}");
    running.stderr.wait_for("--cookie-file is safer");
    let ping = ["ping", "har@127.0.0.1", "--epmd-port", &port.to_string(), "--cookie=SECRET"];
    home.har(&ping).assert_works();
    running.stderr.wait_for("nodedown");
    assert!(!running.stderr.text().contains("SECRET") && !running.stdout.text().contains("SECRET"));
}

#[test]
fn logs_can_be_json() {
    let (home, port) = (Home::new(), free_port());
    let mut running = node(&home, port, "har", &["--log", "json"]);
    running.signal("TERM");
    running.ended();
    running.stderr.wait_for("leaving");
    for line in running.stderr.text().lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect(line);
        assert!(line["level"].is_string() && line["timestamp"].is_string());
    }
}

#[test]
fn the_next_node_joins_the_epmd_of_the_first_and_takes_over_when_it_is_killed() {
    let (home, port) = (Home::new(), free_port());
    let first = node(&home, port, "first", &[]);
    let second = node(&home, port, "second", &[]);
    assert!(first.stdout.text().contains("(embedded)"));
    assert!(second.stdout.text().contains("(joined)"));
    let both = names(&home, port);
    assert!(both.contains("name first ") && both.contains("name second "), "{both}");
    first.signal("KILL");
    eventually("second is registered again", || {
        let names = names(&home, port);
        (names.contains("name second ") && !names.contains("first")).then_some(())
    });
    home.har(&["ping", "second@127.0.0.1", "--epmd-port", &port.to_string()]).assert_works();
}

#[test]
fn the_embedded_epmd_heeds_the_variables_of_erlang_s() {
    let (home, port) = (Home::new(), free_port());
    let mut command = home.command();
    command.env("ERL_EPMD_ADDRESS", "127.0.0.3").env("ERL_EPMD_RELAXED_COMMAND_CHECK", "");
    let _strict = started(command, port, "strict", &[]);
    let answers = |host: [u8; 4]| TcpStream::connect((Ipv4Addr::from(host), port)).is_ok();
    assert!(answers([127, 0, 0, 3]) && answers([127, 0, 0, 1]) && !answers([127, 0, 0, 2]));
    let stop = |port: u16| home.har(&["epmd", "-port", &port.to_string(), "-stop", "nobody"]);
    assert_eq!(stop(port).code, Some(1), "it may not be told so");

    let port = free_port();
    let mut command = home.command();
    command.env("ERL_EPMD_RELAXED_COMMAND_CHECK", "1");
    let _relaxed = started(command, port, "relaxed", &[]);
    assert_eq!(stop(port).assert_works(), "NOEXIST\n");
}

#[test]
fn nodes_given_by_connect_are_dialled_until_they_come_and_again_when_they_return() {
    let (home, port) = (Home::new(), free_port());
    let caller = node(&home, port, "caller", &["--connect", "peer@127.0.0.1"]);
    caller.stderr.wait_for("not joined yet, trying on");
    let up = "nodeup peer='peer@127.0.0.1'";
    let mut peer = node(&home, port, "peer", &[]);
    caller.stderr.wait_for(up);
    peer.signal("TERM");
    peer.ended();
    caller.stderr.wait_for("nodedown peer='peer@127.0.0.1'");
    let _peer = node(&home, port, "peer", &[]);
    caller.stderr.wait_for_times(up, 2);
}

#[test]
fn a_name_that_is_taken_is_refused() {
    let (home, port) = (Home::new(), free_port());
    let running = node(&home, port, "har", &[]);
    home.har(&["start", "--epmd-port", &port.to_string()])
        .assert_fails(69, &["name har", "in use", "--name"]);
    assert!(names(&home, port).contains("name har "));
    drop(running);
    assert_free(port);
}

#[test]
fn a_busy_port_is_named() {
    let (home, port) = (Home::new(), free_port());
    home.file("cookie", "");
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let taken = taken.local_addr().map(|address| (taken, address.port())).expect("an address");
    let listen = taken.1.to_string();
    let outcome = home.har_with(
        &[("HAR_COOKIE", "C")],
        &["start", "--epmd-port", &port.to_string(), "--listen-min", &listen],
    );
    outcome.assert_fails(69, &[&listen, "--listen-max"]);
    assert_free(port);
}

#[test]
fn a_stranger_on_epmd_s_port_is_named() {
    let home = Home::new();
    let stranger = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = stranger.local_addr().expect("an address").port();
    home.har_with(&[("HAR_COOKIE", "C")], &["start", "--epmd-port", &port.to_string()])
        .assert_fails(69, &[&port.to_string(), "no EPMD", "--epmd-port"]);
}

#[test]
fn no_epmd_is_named_when_none_may_be_started() {
    let (home, port) = (Home::new(), free_port());
    let arguments = ["start", "--no-epmd", "--epmd-port", &port.to_string()];
    home.har_with(&[("HAR_COOKIE", "C")], &arguments).assert_fails(69, &["no EPMD", "har epmd"]);
}

#[test]
fn the_mesh_is_bound_to_its_interface_and_its_range_of_ports() {
    let (home, port, first) = (Home::new(), free_port(), free_port());
    let _taken = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), first)).expect("a free port");
    let mut command = home.command();
    command.args(["start", "--name", "har@127.0.0.2", "--interface", "127.0.0.2"]);
    command.args(["--epmd-port", &port.to_string(), "--listen-min", &first.to_string()]);
    command.args(["--listen-max", &(first + 9).to_string()]);
    let running = Running::start(command);
    running.wait_for("Ctrl-C stops it.");
    let names = names(&home, port);
    let told = names.trim().rsplit(' ').next().and_then(|port| port.parse().ok());
    let listens: u16 = told.expect("name har at port N");
    assert!((first + 1..=first + 9).contains(&listens), "{names}");
    let answers = |host: [u8; 4]| TcpStream::connect((Ipv4Addr::from(host), listens)).is_ok();
    assert!(answers([127, 0, 0, 2]) && !answers([127, 0, 0, 1]) && !answers([127, 0, 0, 3]));
}

#[test]
fn an_interface_of_another_host_is_refused() {
    let (home, port) = (Home::new(), free_port());
    let port_text = port.to_string();
    let arguments = ["start", "--epmd-port", &port_text, "--interface", "192.0.2.1"];
    home.har_with(&[("HAR_COOKIE", "C")], &arguments).assert_fails(69, &["192.0.2.1"]);
    assert_free(port);
}

#[test]
fn a_cookie_file_that_cannot_be_made_is_named() {
    let (home, port) = (Home::new(), free_port());
    let arguments = ["start", "--epmd-port", &port.to_string(), "--cookie-file", "absent/cookie"];
    home.har(&arguments).assert_fails(73, &["absent/cookie", "--cookie-file"]);
    assert_free(port);
}

#[test]
fn an_exposed_cookie_file_stops_the_start() {
    let (home, port) = (Home::new(), free_port());
    let file = home.file("cookie", "SECRET");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o440)).expect("chmod");
    let arguments = ["start", "--epmd-port", &port.to_string(), "--cookie-file", &file];
    home.har(&arguments).assert_fails(77, &["chmod 400"]);
    assert_free(port);
}

#[test]
fn a_routing_table_that_is_none_is_named() {
    let (home, port) = (Home::new(), free_port());
    let file = home.file("table.yaml", "routes: [\n");
    let variables = [("HAR_COOKIE", "C"), ("HAR_ROUTING_TABLE", file.as_str())];
    home.har_with(&variables, &["start", "--epmd-port", &port.to_string()])
        .assert_fails(78, &["table.yaml", "routing.table"]);
    assert_free(port);
}
