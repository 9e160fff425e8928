//! Idempotency keys: three nodes, one answer.

use std::collections::BTreeMap;

use crate::beam::Beam;
use crate::running::{Running, eventually};

const NAMES: [&str; 3] = ["one@127.0.0.1", "two@127.0.0.1", "three@127.0.0.1"];

/// Erlang: `Op(N)`; `Ask(Node, Key)`, a job under a key, whose answer has times in it, so that no two
/// are equal; `Owner(Key, Nodes)`.
const ASK: &str = "Op = fun(N) -> #{'__struct__' => 'Elixir.HAR.Semantic.Operation',
    id => integer_to_binary(N), type => service_start, params => #{service => <<\"x\">>},
    target => #{}, metadata => #{}} end,
    Nodes = ['one@127.0.0.1', 'two@127.0.0.1', 'three@127.0.0.1'],
    [pong = net_adm:ping(N) || N <- Nodes],
    Job = fun(Node, Key, Ops) ->
        rpc:call(Node, 'Elixir.HAR', route_all, [Ops, [{idempotency_key, Key}]]) end,
    Ask = fun(Node, Key) -> Job(Node, Key, [Op(N) || N <- lists:seq(1, 300)]) end,
    Answered = fun({ok, L}) -> length([1 || {ok, _} <- L]) =:= 300 end,
    Owner = fun(Key, Of) -> {_, N} = lists:max([{erlang:phash2({N, Key}), N} || N <- Of]), N end";

fn cluster() -> (Beam, BTreeMap<&'static str, Running>) {
    let beam = Beam::start();
    let mut nodes = BTreeMap::new();
    for name in NAMES {
        let mut command = beam.command();
        command.env("HAR_COOKIE", "C").args(["start", "--name", name, "--connect"]);
        command.args(NAMES.iter().filter(|other| **other != name));
        let running = Running::start(command);
        running.wait_for("Ctrl-C stops it.");
        nodes.insert(name, running);
    }
    for name in NAMES {
        eventually("that all know of all", || {
            let seen = beam.har("C", &["rpc", name, "--elixir", "HAR.Cluster", "nodes", "[]"]);
            (seen.assert_works().matches("har: true").count() == 3).then_some(())
        });
    }
    (beam, nodes)
}

#[test]
fn a_key_is_done_once_whoever_is_asked_also_at_the_same_time() {
    let (beam, _nodes) = cluster();
    let code = format!(
        "{ASK}, Self = self(),
         [spawn_link(fun() -> Self ! {{answer, Ask(N, <<\"k\">>)}} end) || N <- Nodes ++ Nodes],
         Answers = [receive {{answer, A}} -> A end || _ <- Nodes ++ Nodes],
         Later = [Ask(N, <<\"k\">>) || N <- Nodes],
         Other = [Ask(N, <<\"other\">>) || N <- Nodes],
         io:format(\"~p\", [[length(lists:usort(Answers ++ Later)), length(lists:usort(Other)),
             hd(Later) =:= hd(Other), lists:all(Answered, Answers ++ Other)]])"
    );
    assert_eq!(beam.eval("C", &code), "[1,1,false,true]");
}

#[test]
fn a_key_stands_for_one_call_and_keys_are_short_texts() {
    let (beam, _nodes) = cluster();
    let code = format!(
        "{ASK}, true = Answered(Ask(hd(Nodes), <<\"k\">>)),
         Reused = [Job(N, <<\"k\">>, [Op(1)]) || N <- Nodes],
         Why = fun({{badrpc, {{'EXIT', {{R, _}}}}}}) -> R end,
         Wrong = [Why(Ask(hd(Nodes), K)) || K <- [<<>>, binary:copy(<<\"x\">>, 256), 7]],
         Router = 'Elixir.HAR.ControlPlane.Router',
         Batch = fun(N) -> rpc:call(N, Router, route_batch,
             [[Op(1)], [{{idempotency_key, <<\"b\">>}}]]) end,
         io:format(\"~0p\", [{{lists:usort(Reused), lists:usort(Wrong),
             length(lists:usort([Batch(N) || N <- Nodes]))}}])"
    );
    assert_eq!(beam.eval("C", &code), "{[{error,idempotency_key_reused}],[badarg],1}");
}

#[test]
fn the_answer_outlives_the_node_that_has_done_it() {
    let (beam, nodes) = cluster();
    let pids: Vec<String> =
        nodes.iter().map(|(name, node)| format!("'{name}' => \"{}\"", node.id())).collect();
    let code = format!(
        "{ASK}, Pids = #{{{}}}, Key = <<\"k\">>, Lost = Owner(Key, Nodes), Rest = Nodes -- [Lost],
         First = Ask(hd(Nodes), Key), true = Answered(First),
         monitor_node(Lost, true), os:cmd(\"kill -KILL \" ++ map_get(Lost, Pids)),
         receive {{nodedown, Lost}} -> ok end,
         io:format(\"~n~p\", [[Ask(N, Key) =:= First || N <- Rest]])",
        pids.join(",")
    );
    let printed = beam.eval("C", &code);
    assert_eq!(printed.lines().last(), Some("[true,true]"), "{printed}");
}
