//! Who may come in and what they may do, with the binary and a real BEAM.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::beam::Beam;
use crate::running::{Running, eventually};

/// The events in an audit log, of one kind.
fn events(path: &Path, kind: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines().map(|line| serde_json::from_str(line).expect(line));
    lines.filter(|line: &Value| line["event"] == kind).collect()
}

fn until(path: &Path, kind: &str) -> Value {
    eventually(kind, || events(path, kind).into_iter().next())
}

/// A node with an audit log, beside a BEAM.
fn node(beam: &Beam, arguments: &[&str]) -> (Running, PathBuf, tempfile::TempDir) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("audit.jsonl");
    let mut command = beam.command();
    command.args(["start", "--no-epmd", "--cookie", "C", "--audit-file"]).arg(&path);
    let har = Running::start({
        command.args(arguments);
        command
    });
    har.wait_for("Ctrl-C stops it.");
    (har, path, directory)
}

const CALL: &str = "io:format(\"~0p~n\", [rpc:call('har@127.0.0.1', M, F, A)])";

fn call(module: &str, function: &str, arguments: &str) -> String {
    let call = CALL.replace("M, F, A", &format!("{module}, {function}, {arguments}"));
    format!("{call}, net_adm:ping('har@127.0.0.1')")
}

#[test]
fn a_beam_may_look_and_convert_but_not_act_unless_it_is_allowed_to() {
    let beam = Beam::start();
    let (_har, audit, _directory) = node(&beam, &[]);
    let of = |module: &str, function: &str, arguments: &str| {
        beam.eval("C", &call(module, function, arguments))
    };
    assert_eq!(of("erlang", "node", "[]"), "'har@127.0.0.1'\n");
    assert!(of("'Elixir.HAR'", "version", "[]").starts_with("<<"));
    for (module, function, arguments, arity) in [
        ("os", "cmd", "[\"id\"]", 1),
        ("erlang", "halt", "[]", 0),
        ("net_kernel", "allow", "[[]]", 1),
        ("erlang", "send", "[rex, x]", 2),
        ("rpc", "call", "['beam@127.0.0.1', erlang, node, []]", 4),
    ] {
        let answer = of(module, function, arguments);
        let why = format!("{{badrpc,{{'EXIT',{{{{not_allowed,{{{module},{function},{arity}}}}},");
        assert!(answer.starts_with(&why), "{answer}");
    }
    let reload = of("'Elixir.HAR.ControlPlane.RoutingTable'", "reload", "[<<\"/nowhere\">>]");
    assert!(reload.starts_with("{error"), "{reload}");
    let joined = until(&audit, "joined");
    assert_eq!((&joined["node"], &joined["direction"]), (&"asker@127.0.0.1".into(), &"in".into()));
    let refused = events(&audit, "call_refused");
    assert_eq!(refused.len(), 5, "{refused:?}");
    assert_eq!(refused[0]["call"], "os:cmd/1");
    let called = until(&audit, "called");
    assert_eq!(called["call"], "'Elixir.HAR.ControlPlane.RoutingTable':reload/1");
    let text = std::fs::read_to_string(&audit).expect("readable");
    assert!(!text.contains("nowhere") && !text.contains("\"id"), "arguments are nobody's business");
}

#[test]
fn a_request_to_a_server_needs_the_same_leave_as_the_call() {
    let beam = Beam::start();
    let mut command = beam.command();
    command.env("HAR_CALLS_DENY", "HAR.ControlPlane.RoutingTable.get_routes");
    command.args(["start", "--no-epmd", "--cookie", "C"]);
    let har = Running::start(command);
    har.wait_for("Ctrl-C stops it.");
    let table = "'Elixir.HAR.ControlPlane.RoutingTable'";
    let code = format!(
        "io:format(\"~0p\", [gen_server:call({{{table}, 'har@127.0.0.1'}}, get_routes)]), \
         io:format(\"~0p\", [rpc:server_call('har@127.0.0.1', rex, features_reply, features_request)])"
    );
    let answer = beam.eval("C", &code);
    assert!(answer.starts_with(&format!("{{error,{{not_allowed,{{{table},get_routes,0}}}}}}")));
    assert!(answer.ends_with("[erpc]"), "{answer}");
}

#[test]
fn a_backend_that_does_not_answer_keeps_no_one_waiting_but_who_asked_for_it() {
    let beam = Beam::start();
    let mut command = beam.command();
    command.args(["start", "--no-epmd", "--cookie", "C"]);
    let har = Running::start(command);
    har.wait_for("Ctrl-C stops it.");
    // It accepts, by its backlog, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://127.0.0.1:{}/", silent.local_addr().expect("bound").port());
    let code = format!(
        "S = {{'Elixir.HAR.ControlPlane.HealthChecker', 'har@127.0.0.1'}}, \
         S ! {{'$gen_call', {{self(), checked}}, {{check_now, #{{name => <<\"a\">>, type => local, \
           health_check => #{{type => http, url => <<\"{url}\">>, timeout_ms => 60000}}}}}}}}, \
         Health = gen_server:call(S, {{get_health, <<\"local:a\">>}}, 60000), \
         Early = receive {{checked, _}} -> early after 0 -> waiting end, \
         Later = receive {{checked, Found}} -> Found after 60000 -> none end, \
         io:format(\"~p ~p ~p\", [Health, Early, Later])"
    );
    assert_eq!(beam.eval("C", &code), "unknown waiting unhealthy");
}

#[test]
fn a_peer_ends_its_own_processes_and_no_others_and_stops_no_server() {
    let beam = Beam::start();
    let (_har, audit, _directory) = node(&beam, &[]);
    let code = "N = 'har@127.0.0.1', Rex = rpc:call(N, erlang, whereis, [rex]), \
        Own = spawn(N, timer, sleep, [infinity]), R = monitor(process, Own), \
        exit(Rex, kill), exit(Own, kill), \
        receive {'DOWN', R, process, Own, Why} -> io:format(\"~p\", [Why]) end, \
        io:format(\" ~p\", [rpc:call(N, erlang, whereis, [rex]) =:= Rex]), \
        io:format(\" ~p\", [sys:suspend({rex, N})]), \
        io:format(\" ~p\", [catch sys:terminate({net_kernel, N}, normal)]), \
        io:format(\" ~p\", [is_list(sys:get_state({net_kernel, N})) orelse shown])";
    let answer = beam.eval("C", code);
    assert!(answer.starts_with("killed true"), "{answer}");
    assert!(answer.contains("{not_allowed,{sys,suspend,1}}"), "{answer}");
    assert!(answer.contains("{not_allowed,{sys,terminate,2}}"), "{answer}");
    assert!(answer.ends_with("shown"), "{answer}");
    let refused: Vec<_> =
        events(&audit, "call_refused").iter().map(|event| event["call"].clone()).collect();
    assert_eq!(refused, ["erlang:exit/2", "sys:suspend/1", "sys:terminate/2"]);
}

#[test]
fn servers_that_a_peer_ends_are_there_again() {
    let beam = Beam::start();
    let mut command = beam.command();
    command.env("HAR_CALLS_ALLOW", "*,erlang:exit/2,sys:terminate");
    command.args(["start", "--no-epmd", "--cookie", "C"]);
    let har = Running::start(command);
    har.wait_for("Ctrl-C stops it.");
    let code = "N = 'har@127.0.0.1', W = fun(S) -> rpc:call(N, erlang, whereis, [S]) end, \
        Until = fun(F, S, Old) -> case W(S) of P when is_pid(P), P =/= Old -> P; \
          _ -> timer:sleep(10), F(F, S, Old) end end, \
        [begin Old = W(S), exit(Old, kill), New = Until(Until, S, Old), \
          ok = sys:terminate({S, N}, normal), Until(Until, S, New) end \
         || S <- ['Elixir.HAR.ControlPlane.RoutingTable', 'Elixir.HAR.Cluster.Exchange']], \
        R = gen_server:call({'Elixir.HAR.ControlPlane.RoutingTable', N}, get_routes), \
        io:format(\"~p\", [length(R) > 0])";
    assert_eq!(beam.eval("C", code), "true");
}

#[test]
fn who_is_denied_is_told_and_the_log_and_the_audit_say_by_which_rule() {
    let beam = Beam::start();
    let (har, audit, _directory) =
        node(&beam, &["--deny-nodes", "ask*@*", "--allow-networks", "127.0.0.0/8"]);
    let ping = "io:format(\"~p\", [net_adm:ping('har@127.0.0.1')])";
    assert_eq!(beam.eval("C", ping), "pang");
    har.stderr.wait_for("not_allowed: deny_nodes has ask*@*");
    let refused = until(&audit, "refused");
    assert_eq!(refused["node"], "asker@127.0.0.1");
    assert_eq!(refused["reason"], "not_allowed: deny_nodes has ask*@*");
    assert!(refused["address"].as_str().is_some_and(|address| address.starts_with("127.0.0.1:")));
    beam.har("C", &["ping", "har@127.0.0.1"]).assert_works();
}

#[test]
fn a_cookie_of_some_peers_is_theirs_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let beam = Beam::start();
    let directory = tempfile::tempdir().expect("a directory");
    let cookie = directory.path().join("edge.cookie");
    std::fs::write(&cookie, "EDGE").expect("written");
    std::fs::set_permissions(&cookie, std::fs::Permissions::from_mode(0o400)).expect("chmod");
    let mut command = beam.command();
    let entry = format!("[{{nodes: ['asker@*'], file: '{}'}}]", cookie.display());
    command.env("HAR_ADMISSION_COOKIES", entry).args(["start", "--no-epmd", "--cookie", "C"]);
    let har = Running::start(command);
    har.wait_for("Ctrl-C stops it.");
    let ping = "io:format(\"~p\", [net_adm:ping('har@127.0.0.1')])";
    assert_eq!(beam.eval("EDGE", ping), "pong");
    assert_eq!(beam.eval("C", ping), "pang");
    beam.har("C", &["ping", "har@127.0.0.1"]).assert_works();
    let said = format!("{}{}", har.stderr.text(), har.stdout.text());
    assert!(!said.contains("EDGE"), "{said}");
}

#[test]
fn sighup_opens_the_audit_log_anew_and_the_node_goes_on() {
    let beam = Beam::start();
    let (mut har, audit, directory) = node(&beam, &[]);
    beam.har("C", &["ping", "har@127.0.0.1"]).assert_works();
    until(&audit, "joined");
    let moved = directory.path().join("audit.1");
    std::fs::rename(&audit, &moved).expect("moved");
    har.signal("HUP");
    har.stderr.wait_for("audit log reopened");
    beam.har("C", &["ping", "har@127.0.0.1"]).assert_works();
    until(&audit, "joined");
    har.signal("TERM");
    assert!(har.ended().success());
    // Each connection has both its ends in the files.
    let count = |kind: &str| events(&audit, kind).len() + events(&moved, kind).len();
    assert_eq!((count("joined"), count("left")), (2, 2));
}

#[test]
fn an_audit_log_that_cannot_be_written_stops_the_start() {
    let beam = Beam::start();
    beam.har("C", &["start", "--no-epmd", "--audit-file", "/dev/null"])
        .assert_fails(73, &["/dev/null", "--audit-file"]);
}
