//! Which node an operation belongs to: a BEAM computes the same, for ids of every type.

use crate::beam::Beam;
use crate::running::Running;

/// A BEAM and a node of ours that is connected to it.
fn pair(strategy: &str) -> (Beam, Running) {
    let beam = Beam::start();
    let mut command = beam.command();
    command.env("HAR_COOKIE", "C").env("HAR_BALANCING_STRATEGY", strategy);
    command.args(["start", "--connect", "beam@127.0.0.1"]);
    let har = Running::start(command);
    har.stderr.wait_for("nodeup peer='beam@127.0.0.1'");
    (beam, har)
}

/// Erlang: asks for the nodes of 300 ids, of several types, and compares with `choice`, an
/// expression in `Id` and the sorted `Nodes`. Prints the number that agree, and the nodes used.
fn compare(choice: &str) -> String {
    format!(
        "Har = 'har@127.0.0.1',
         Ask = fun(F, A) -> rpc:call(Har, 'Elixir.HAR.Cluster.LoadBalancer', F, A) end,
         pong = net_adm:ping(Har),
         Nodes = lists:sort([Har | rpc:call(Har, erlang, nodes, [])]),
         Ids = lists:append([[integer_to_binary(N), N, {{op, N}}] || N <- lists:seq(1, 100)]),
         Answers = [{{Id, Ask(route_to_node, [#{{id => Id}}])}} || Id <- Ids],
         Right = [Node || {{Id, Node}} <- Answers, Node =:= ({choice})],
         io:format(\"~p of ~p by ~p on ~p\", [length(Right), length(Ids), Ask(strategy, []),
             length(lists:usort(Right))])"
    )
}

#[test]
fn hash_mod_is_what_a_beam_computes() {
    let (beam, _har) = pair("hash_mod");
    let choice = "lists:nth(erlang:phash2(Id) rem length(Nodes) + 1, Nodes)";
    assert_eq!(beam.eval("C", &compare(choice)), "300 of 300 by hash_mod on 3");
}

#[test]
fn rendezvous_is_what_a_beam_computes() {
    let (beam, _har) = pair("rendezvous");
    let choice = "element(2, lists:max([{erlang:phash2({N, Id}), N} || N <- Nodes]))";
    assert_eq!(beam.eval("C", &compare(choice)), "300 of 300 by rendezvous on 3");
}

#[test]
fn nodes_take_turns() {
    let (beam, _har) = pair("hash_mod");
    let turns = "Har = 'har@127.0.0.1', pong = net_adm:ping(Har),
        Next = fun() -> rpc:call(Har, 'Elixir.HAR.Cluster.RoundRobin', next_node, []) end,
        Turns = [Next() || _ <- lists:seq(1, 6)],
        io:format(\"~p\", [[length([N || N <- Turns, N =:= M]) || M <- lists:usort(Turns)]])";
    assert_eq!(beam.eval("C", turns), "[2,2,2]");
}

#[test]
fn an_operation_without_id_raises_as_elixir_does() {
    let (beam, _har) = pair("hash_mod");
    let call = ["rpc", "--elixir", "har@127.0.0.1", "HAR.Cluster.LoadBalancer", "route_to_node"];
    let outcome = beam.har("C", &[&call[..], &["[%{x: 1}]"]].concat());
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("KeyError"), "{}", outcome.stderr);
}

#[test]
fn a_beam_is_measured_and_takes_work() {
    for strategy in ["least_loaded", "latency"] {
        let (beam, _har) = pair(strategy);
        let nodes = "Har = 'har@127.0.0.1', pong = net_adm:ping(Har),
            Ask = fun(N) -> rpc:call(Har, 'Elixir.HAR.Cluster.LoadBalancer', route_to_node,
                [#{id => N}]) end,
            Used = fun Used() -> case lists:member('beam@127.0.0.1',
                [Ask(N) || N <- lists:seq(1, 60)]) of true -> ok; false -> Used() end end,
            io:format(\"~p\", [Used()])";
        assert_eq!(beam.eval("C", nodes), "ok", "{strategy}");
    }
}
