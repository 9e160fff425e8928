//! `har certs init`, and nodes that speak TLS by what it makes: ours and a BEAM.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::command::{Home, Outcome};
use crate::running::{Running, free_port};

/// A home with certificates, and an EPMD's port.
struct Cluster {
    home: Home,
    port: String,
}

impl Cluster {
    fn new(nodes: &[&str]) -> Self {
        let (home, port) = (Home::new(), free_port().to_string());
        let arguments = [&["certs", "init"], nodes].concat();
        home.har(&arguments).assert_works();
        Self { home, port }
    }

    fn optfile(&self, node: &str) -> String {
        let path = self.home.path().join("certs").join(format!("{node}.conf"));
        path.to_str().expect("a path in UTF-8").to_owned()
    }

    fn variables(&self) -> [(&str, &str); 2] {
        [("HAR_COOKIE", "C"), ("ERL_EPMD_PORT", &self.port)]
    }

    /// A node that has said that it is up.
    fn start(&self, arguments: &[&str]) -> Running {
        let mut command = self.home.command();
        command.envs(self.variables()).arg("start").args(arguments);
        let node = Running::start(command);
        node.wait_for("is up");
        node
    }

    fn har(&self, arguments: &[&str]) -> Outcome {
        self.home.har_with(&self.variables(), arguments)
    }

    fn erl(&self, name: &str, code: &str) -> Command {
        let mut command = self.home.program("erl");
        command.env("ERL_EPMD_PORT", &self.port).args(["-noinput", "-start_epmd", "false"]);
        command.args(["-sname", name, "-setcookie", "C", "-proto_dist", "inet_tls"]);
        command.args(["-ssl_dist_optfile", &self.optfile(name), "-eval", code]);
        command
    }
}

#[test]
fn init_makes_a_ca_once_and_keys_for_the_owner_only() {
    let home = Home::new();
    let made = home.har(&["certs", "init"]);
    let text = made.assert_works();
    for told in ["ca.pem (made)", "har start --ssl-dist-optfile", "erl -proto_dist inet_tls"] {
        assert!(text.contains(told), "{told:?} is not in {text}");
    }
    let key = home.path().join("certs/har.key");
    let mode = std::fs::metadata(key).expect("the key").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    home.har(&["certs", "init"]).assert_fails(73, &["har.pem", "--renew"]);
    let renewed = home.har(&["certs", "init", "--renew"]);
    assert!(renewed.assert_works().contains("ca.pem (kept)"), "{renewed:?}");
    home.har(&["certs", "init", "../x"]).assert_fails(64, &["../x"]);
}

#[test]
fn a_node_with_tls_answers_those_of_its_ca_only() {
    let cluster = Cluster::new(&["har@127.0.0.1", "other@127.0.0.1"]);
    let (ours, other) = (cluster.optfile("har@127.0.0.1"), cluster.optfile("other@127.0.0.1"));
    let node = cluster.start(&["-proto_dist", "inet_tls", "-ssl_dist_optfile", &ours]);
    let ping = ["ping", "har@127.0.0.1"];
    let with = |optfile: &str| cluster.har(&[&ping[..], &["--ssl-dist-optfile", optfile]].concat());
    assert_eq!(with(&other).assert_works(), "pong\n");
    cluster.har(&ping).assert_fails(77, &["speaks TLS", "--ssl-dist-optfile"]);
    let stranger = Cluster::new(&["har@127.0.0.1"]);
    with(&stranger.optfile("har@127.0.0.1"))
        .assert_fails(77, &["not signed by a CA", "another key"]);
    node.stderr.wait_for("refused us");
}

#[test]
fn a_beam_with_what_was_made_meets_us() {
    let cluster = Cluster::new(&["har@localhost", "beam@localhost"]);
    let ours = cluster.optfile("har@localhost");
    let _node = cluster.start(&["--sname", "har@localhost", "--ssl-dist-optfile", &ours]);
    let code = "io:format(\"~p~n\", [rpc:call(har@localhost, 'Elixir.HAR', version, [])]), halt().";
    let output = cluster.erl("beam@localhost", code).output().expect("erl runs");
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(answer.contains(env!("CARGO_PKG_VERSION")), "{answer}");
}

#[test]
fn tls_that_cannot_be_had_stops_the_start() {
    let home = Home::new();
    let start = ["start", "--epmd-port", "1"];
    let with = |more: &[&str]| home.har_with(&[("HAR_COOKIE", "C")], &[&start[..], more].concat());
    with(&["--proto-dist", "inet_tls"]).assert_fails(64, &["--ssl-dist-optfile", "har certs init"]);
    with(&["--ssl-dist-optfile", "absent.conf"]).assert_fails(66, &["cannot read absent.conf"]);
    let fun = home.file("fun.conf", "[{server, [{verify_fun, {m, f, []}}]}].");
    with(&["--ssl-dist-optfile", &fun]).assert_fails(78, &["verify_fun", "runs no Erlang"]);
    let unsaid =
        home.file("unsaid.conf", "[{server, []}, {client, [{secure_renegotiate, true}]}].");
    let cures = ["client option cacertfile", "{verify, verify_none}"];
    with(&["--ssl-dist-optfile", &unsaid]).assert_fails(78, &cures);
}
