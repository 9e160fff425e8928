//! One job over several nodes, of which one is killed half-way: each operation is answered once.

use crate::beam::Beam;
use crate::running::{Running, eventually};

/// Elixir's notation of the operation with an id, as Erlang: `Op(N)`.
const OPERATION: &str = "Op = fun(N) -> #{'__struct__' => 'Elixir.HAR.Semantic.Operation',
    id => integer_to_binary(N), type => service_start, params => #{service => <<\"x\">>},
    target => #{}, metadata => #{}} end,
    Har = 'one@127.0.0.1', pong = net_adm:ping(Har)";

/// A BEAM that is no HAR node, and nodes of ours that all know each other.
fn mesh(names: &[&str]) -> (Beam, Vec<Running>) {
    let beam = Beam::start();
    let start = |name: &&str| {
        let mut command = beam.command();
        command.env("HAR_COOKIE", "C").args(["start", "--name", &format!("{name}@127.0.0.1")]);
        command.args(["--connect", "beam@127.0.0.1"]);
        let running = Running::start(command);
        running.wait_for("Ctrl-C stops it.");
        running
    };
    let nodes = names.iter().map(start).collect();
    eventually("a full mesh", || {
        let call = ["rpc", "one@127.0.0.1", "erlang", "nodes", "[]"];
        let seen = beam.har("C", &call).assert_works().to_owned();
        names.iter().skip(1).all(|name| seen.contains(name)).then_some(())
    });
    (beam, nodes)
}

#[test]
fn all_nodes_that_route_share_a_job_and_answers_are_in_order() {
    let (beam, _nodes) = mesh(&["one", "two", "three"]);
    let code = format!(
        "{OPERATION}, Ops = [Op(N) || N <- lists:seq(1, 10000)],
         {{ok, Results, Chunks}} = rpc:call(Har, 'Elixir.HAR', route_all, [Ops, [{{report, true}}]]),
         InOrder = [O || {{ok, #{{operation := O}}}} <- Results] =:= Ops,
         Nodes = lists:usort([N || #{{node := N, result := ok}} <- Chunks]),
         io:format(\"~p ~p\", [InOrder, Nodes])"
    );
    let nodes = "true ['one@127.0.0.1','three@127.0.0.1','two@127.0.0.1']";
    assert_eq!(beam.eval("C", &code), nodes);
}

#[test]
fn what_a_killed_node_had_is_answered_once_by_the_others() {
    let (beam, nodes) = mesh(&["one", "two", "three"]);
    // One process asks for job after job, so that the kill comes in the middle of one.
    let victim = nodes[2].id();
    let code = format!(
        "{OPERATION}, Ops = [Op(N) || N <- lists:seq(1, 10000)],
         Job = fun() -> rpc:call(Har, 'Elixir.HAR', route_all,
             [Ops, [{{report, true}}, {{chunk, 50}}]]) end,
         true = net_kernel:hidden_connect_node('three@127.0.0.1'),
         monitor_node('three@127.0.0.1', true),
         Self = self(), spawn_link(fun() -> Self ! {{first, Job()}}, Self ! {{then, Job()}} end),
         First = receive {{first, F}} -> os:cmd(\"kill -KILL {victim}\"), F end,
         receive {{nodedown, _}} -> ok end,
         Then = receive {{then, T}} -> T end,
         Whole = [[O || {{ok, #{{operation := O}}}} <- R] =:= Ops
             || {{ok, R, _}} <- [First, Then, Job()]],
         {{ok, _, After}} = Job(),
         io:format(\"~p ~p\", [Whole, lists:usort([N || #{{node := N}} <- After])])"
    );
    let survivors = "[true,true,true] ['one@127.0.0.1','two@127.0.0.1']";
    // The asking BEAM may first print what its `global` thinks of the lost node.
    let printed = beam.eval("C", &code);
    assert_eq!(printed.lines().last(), Some(survivors), "{printed}");
}

#[test]
fn who_may_not_route_may_not_have_others_route_for_it() {
    let beam = Beam::start();
    let calls =
        "[{nodes: ['asker@*'], allow: [HAR.route_all, HAR.ControlPlane.Router.route_batch/1]}]";
    let mut command = beam.command();
    command.env("HAR_COOKIE", "C").env("HAR_CALLS_PEERS", calls).env("HAR_AUDIT_CALLS", "all");
    command.args(["start", "--name", "one@127.0.0.1", "--log-level", "info,har::audit=debug"]);
    let har = Running::start(command);
    har.wait_for("Ctrl-C stops it.");
    let code = format!(
        "{OPERATION}, Ask = fun(A) -> case rpc:call(Har, 'Elixir.HAR', route_all, A) of
             {{ok, [{{ok, _}}]}} -> routed;
             {{badrpc, {{'EXIT', {{Why, _}}}}}} -> Why end end,
         io:format(\"~0p\", [[Ask([[Op(1)]]), Ask([[Op(1)], [{{policies, []}}]])]])"
    );
    let refused = "{not_allowed,{'Elixir.HAR.ControlPlane.Router',route_batch,2}}";
    assert_eq!(beam.eval("C", &code), format!("[routed,{refused}]"));
    // The audit has both under the name of who asked.
    for call in ["route_all", "route_batch"] {
        let line = |line: &str| line.contains("asker@127.0.0.1") && line.contains(call);
        assert!(har.stderr.text().lines().any(line), "{call}: {}", har.stderr.text());
    }
}

#[test]
fn what_is_no_operation_is_refused_before_it_is_sent() {
    let (beam, _nodes) = mesh(&["one"]);
    let code = format!(
        "{OPERATION}, Ask = fun(A) -> {{badrpc, {{'EXIT', {{Why, _}}}}}} =
             rpc:call(Har, 'Elixir.HAR', route_all, A), Why end,
         io:format(\"~p\", [[Ask([[x]]), Ask([[Op(1)], [{{chunk, 0}}]])]])"
    );
    assert_eq!(beam.eval("C", &code), "[function_clause,badarg]");
}
