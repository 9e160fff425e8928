//! Nodes that find each other by a port that all of them listen on, with no EPMD anywhere. Those of
//! one machine have an address of their own each.

use std::net::{Ipv4Addr, TcpStream};

use crate::command::Home;
use crate::running::{Running, eventually, free_port};

/// A cluster of cookie `C`, its port, and a port where an EPMD would be.
struct Cluster {
    home: Home,
    port: String,
    epmd_port: u16,
}

impl Cluster {
    fn new() -> Self {
        let (port, epmd_port) = (free_port().to_string(), free_port());
        Self { home: Home::new(), port, epmd_port }
    }

    /// `har start` of `name@address`, once it is up.
    #[track_caller]
    fn har(&self, name: &str, address: &str, more: &[&str]) -> Running {
        let mut command = self.home.command();
        command.env("HAR_COOKIE", "C").env("ERL_DIST_PORT", &self.port);
        command.env("ERL_EPMD_PORT", self.epmd_port.to_string());
        command.args(["start", "--name", &format!("{name}@{address}"), "--interface", address]);
        let running = Running::start({
            command.args(more);
            command
        });
        running.wait_for("Ctrl-C stops it.");
        running
    }

    /// `erl` as `name@127.0.0.1`, with more flags, to its end; gives what it printed.
    #[track_caller]
    fn erl(&self, flags: &[&str], code: &str) -> String {
        let mut command = self.home.erl();
        command.args(["-noinput", "-name", "me@127.0.0.1", "-setcookie", "C"]).args(flags);
        let output = command.args(["-eval", &format!("{code}, halt().")]).output().expect("erl");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn ask(&self, node: &str, more: &[&str]) -> crate::command::Outcome {
        let call = [&["rpc", node, "--dist-port", &self.port], more].concat();
        self.home.har_with(&[("HAR_COOKIE", "C")], &call)
    }

    #[track_caller]
    fn wait_until_connected(&self, node: &str, peer: &str) {
        eventually(&format!("{node} and {peer} are connected"), || {
            let nodes = self.ask(node, &["erlang", "nodes", "[]"]);
            nodes.stdout.contains(peer).then_some(())
        });
    }
}

#[test]
fn nodes_find_each_other_by_their_port_and_run_no_epmd() {
    let cluster = Cluster::new();
    let first = cluster.har("a", "127.0.0.1", &[]);
    let text = first.stdout.text();
    assert!(text.contains(&format!("none: every node listens on port {}", cluster.port)), "{text}");
    let _second = cluster.har("b", "127.0.0.2", &["--connect", "a@127.0.0.1"]);
    cluster.wait_until_connected("a@127.0.0.1", "b@127.0.0.2");
    let epmd = TcpStream::connect((Ipv4Addr::LOCALHOST, cluster.epmd_port));
    assert!(epmd.is_err(), "an EPMD answers");
    let ping = ["ping", "b@127.0.0.2", "-erl_epmd_port", &cluster.port];
    let pong = cluster.home.har_with(&[("HAR_COOKIE", "C")], &ping);
    assert_eq!(pong.assert_works(), "pong\n");
}

#[test]
fn a_beam_finds_a_har_node_by_its_port_with_the_flags_that_the_node_prints() {
    let cluster = Cluster::new();
    let har = cluster.har("har", "127.0.0.1", &[]);
    let text = har.stdout.text();
    let flags = text.split("--erl \"").nth(1).and_then(|rest| rest.split('"').next());
    let flags: Vec<&str> = flags.expect("flags for iex").split(' ').collect();
    let code = "io:format(\"~p\", [rpc:call('har@127.0.0.1', erlang, node, [])])";
    assert_eq!(cluster.erl(&flags, code), "'har@127.0.0.1'");
}

#[test]
fn a_har_node_finds_a_beam_by_its_port() {
    let cluster = Cluster::new();
    let mut command = cluster.home.erl();
    command.args(["-noinput", "-name", "beam@127.0.0.2", "-setcookie", "C"]);
    command.args(["-start_epmd", "false", "-erl_epmd_port", &cluster.port]);
    command.args(["-kernel", "inet_dist_use_interface", "{127,0,0,2}"]);
    let beam = Running::start({
        command.args(["-eval", "io:format(\"ready~n\")"]);
        command
    });
    beam.wait_for("ready");
    let _har = cluster.har("har", "127.0.0.1", &["--connect", "beam@127.0.0.2"]);
    cluster.wait_until_connected("beam@127.0.0.2", "har@127.0.0.1");
}

#[test]
fn a_busy_port_is_named_with_the_cure() {
    let cluster = Cluster::new();
    let _first = cluster.har("a", "127.0.0.1", &[]);
    let start = ["start", "--name", "b@127.0.0.1", "--dist-port", &cluster.port];
    let second = cluster.home.har_with(&[("HAR_COOKIE", "C")], &start);
    second.assert_fails(69, &[&cluster.port, "127.0.0.1", "--interface", "--dist-port"]);
}

#[test]
fn there_are_no_names_to_list() {
    let names = Home::new().har_with(&[("ERL_DIST_PORT", "9100")], &["names"]);
    names.assert_fails(64, &["no EPMD", "9100", "ERL_DIST_PORT"]);
}
