//! The binary and a real `erl` node (Debian: `apt-get install erlang`).

use crate::command::Home;
use crate::running::{Running, free_port};

/// An EPMD and an Erlang node `beam@127.0.0.1` with cookie `C`.
pub(crate) struct Beam {
    home: Home,
    port: String,
    node: Running,
    _epmd: Running,
}

impl Beam {
    #[track_caller]
    pub(crate) fn start() -> Self {
        let (home, port) = (Home::new(), free_port().to_string());
        let mut command = home.command();
        command.args(["epmd", "-port", &port, "-address", "127.0.0.1"]);
        let epmd = Running::start(command);
        crate::running::eventually("EPMD answers", || {
            (home.har(&["names", "--epmd-port", &port]).code == Some(0)).then_some(())
        });
        let mut command = home.erl();
        command.env("ERL_EPMD_PORT", &port).args(["-noinput", "-start_epmd", "false"]);
        command.args(["-name", "beam@127.0.0.1", "-setcookie", "C"]);
        command.args(["-kernel", "inet_dist_use_interface", "{127,0,0,1}"]);
        command.args(["-eval", "io:format(\"ready~n\")"]);
        let node = Running::start(command);
        node.wait_for("ready");
        Self { home, port, node, _epmd: epmd }
    }

    pub(crate) fn har(&self, cookie: &str, arguments: &[&str]) -> crate::command::Outcome {
        let variables = [("HAR_COOKIE", cookie), ("ERL_EPMD_PORT", &*self.port)];
        self.home.har_with(&variables, arguments)
    }

    /// `har` with this EPMD's port.
    pub(crate) fn command(&self) -> std::process::Command {
        let mut command = self.home.command();
        command.env("ERL_EPMD_PORT", &self.port);
        command
    }

    /// Runs Erlang in another BEAM, with a cookie and a name; gives what it printed.
    pub(crate) fn eval(&self, cookie: &str, code: &str) -> String {
        let mut command = self.home.erl();
        command.env("ERL_EPMD_PORT", &self.port).args(["-noinput", "-start_epmd", "false"]);
        command.args(["-name", "asker@127.0.0.1", "-setcookie", cookie, "-eval"]);
        let output = command.arg(format!("{code}, halt().")).output().expect("erl runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

#[test]
fn a_beam_answers_a_ping() {
    let beam = Beam::start();
    assert_eq!(beam.har("C", &["ping", "beam@127.0.0.1"]).assert_works(), "pong\n");
    assert!(beam.har("C", &["names"]).assert_works().starts_with("name beam at port "));
}

#[test]
fn a_wrong_cookie_is_named_with_the_cure() {
    let beam = Beam::start();
    beam.har("WRONG", &["ping", "beam@127.0.0.1"]).assert_fails(
        77,
        &["cookie mismatch with beam@127.0.0.1", "environment HAR_COOKIE", "--cookie-file"],
    );
    beam.node.stdout.wait_for("Invalid challenge reply");
}

#[test]
fn a_beam_pings_a_har_node_beside_it_and_learns_of_its_end() {
    let beam = Beam::start();
    let mut command = beam.home.command();
    command.args(["start", "--epmd-port", &beam.port, "--cookie", "C"]);
    let mut har = Running::start(command);
    har.stdout.wait_for("(joined)");
    har.wait_for("Ctrl-C stops it.");
    let ping = "io:format(\"~p\", [net_adm:ping('har@127.0.0.1')])";
    assert_eq!(beam.eval("C", ping), "pong");
    assert_eq!(beam.eval("WRONG", ping), "pang");
    har.signal("TERM");
    assert!(har.ended().success());
    assert_eq!(beam.eval("C", ping), "pang");
}

#[test]
fn a_node_that_shuts_itself_down_ends_the_program() {
    let beam = Beam::start();
    let mut command = beam.home.command();
    command.args(["start", "--epmd-port", &beam.port, "--cookie", "C"]);
    // A peer may end what is not its own only when that is named.
    command.env("HAR_CALLS_ALLOW", "erlang,net_kernel,erlang:exit/2");
    let mut har = Running::start(command);
    har.wait_for("Ctrl-C stops it.");
    // Without its part in `global` a node would hold up its whole cluster.
    let kill = "exit(rpc:call('har@127.0.0.1', erlang, whereis, [global_name_server]), kill)";
    // `halt` doesn't wait for signals on their way; an answer to what was sent after them does.
    beam.eval("C", &format!("{kill}, net_adm:ping('har@127.0.0.1')"));
    har.stderr.wait_for("the node has shut itself down");
    assert_eq!(har.ended().code(), Some(70));
}

#[test]
fn a_beam_sees_a_node_that_dialled_it_and_its_end_at_once() {
    let beam = Beam::start();
    let nodes = |kind: &str| {
        let call = ["rpc", "beam@127.0.0.1", "erlang", "nodes", kind];
        beam.har("C", &call).assert_works().to_owned()
    };
    for (kind, flags) in [("[visible]", &[][..]), ("[hidden]", &["--hidden"])] {
        let mut command = beam.home.command();
        command.env("HAR_COOKIE", "C").env("HAR_CLUSTER_NODES", "beam@127.0.0.1");
        command.args(["start", "--epmd-port", &beam.port]).args(flags);
        let mut har = Running::start(command);
        har.stderr.wait_for("nodeup peer='beam@127.0.0.1'");
        assert!(nodes(kind).contains("'har@127.0.0.1'"), "{kind}");
        har.signal("TERM");
        assert!(har.ended().success());
        crate::running::eventually("nodedown at the BEAM", || {
            (!nodes(kind).contains("'har@127.0.0.1'")).then_some(())
        });
    }
}
