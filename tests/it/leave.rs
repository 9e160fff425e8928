//! A node that is told to leave finishes what was asked of it, and nobody gives it more.

use crate::beam::Beam;
use crate::ops::http::get;
use crate::running::{Running, free_port};

/// Peers of these tests may call what they need.
const CALLS: &str =
    "[{nodes: ['*@*'], allow: ['HAR.*', HAR.Cluster.leave/0, erlang, Process, 'pg:join']}]";

fn node(beam: &Beam, name: &str, variables: &[(&str, &str)]) -> Running {
    let mut command = beam.command();
    command.env("HAR_COOKIE", "C").env("HAR_CALLS_PEERS", CALLS);
    command.envs(variables.iter().copied());
    command.args(["start", "--name", &format!("{name}@127.0.0.1")]);
    command.args(["--connect", "beam@127.0.0.1"]);
    let running = Running::start(command);
    running.wait_for("Ctrl-C stops it.");
    running
}

/// Erlang: `Har`; `Task(N)`, a task on node N that waits for its work; `Work(N, Task)`, which gives it
/// some and waits for the answer; `Until(F)`.
const TASKS: &str = "Har = 'har@127.0.0.1', pong = net_adm:ping(Har), Self = self(),
    Sup = fun(N) -> {'Elixir.HAR.TaskSupervisor', N} end,
    Task = fun(N) -> gen_server:call(Sup(N),
        {start_task, [{node(), Self, Self}, nomonitor], temporary, nil}) end,
    Work = fun(T) -> Ref = make_ref(),
        T ! {Self, Ref, Self, [Self], {'Elixir.HAR', version, []}},
        receive {Ref, V} -> is_binary(V) after 20000 -> no_answer end end,
    Until = fun U(F) -> case F() of true -> ok; _ -> timer:sleep(10), U(F) end end,
    Leaving = fun(N) -> rpc:call(N, 'Elixir.HAR.Cluster', leaving, []) end";

#[test]
fn accepted_work_is_answered_before_nodedown_and_names_and_groups_are_given_up() {
    let beam = Beam::start();
    let mut har = node(&beam, "har", &[]);
    let code = format!(
        "{TASKS}, {{ok, _}} = pg:start(pg),
         {{ok, T}} = Task(Har), yes = global:register_name(thing, T),
         Named = rpc:call(Har, erlang, whereis, ['Elixir.HAR.Cluster']),
         ok = rpc:call(Har, pg, join, [group, Named]),
         Until(fun() -> pg:get_members(group) =:= [Named] end),
         monitor_node(Har, true), os:cmd(\"kill -TERM {}\"),
         Until(fun() -> Leaving(Har) =:= [Har] end),
         Refused = [Task(Har), rpc:call(Har, 'Elixir.HAR', route_all, [[]])],
         Early = receive {{nodedown, _}} -> true after 0 -> false end,
         Answered = Work(T),
         receive {{nodedown, Har}} -> ok end,
         Until(fun() -> pg:get_members(group) =:= [] end),
         Until(fun() -> global:whereis_name(thing) =:= undefined end),
         {{ok, Names}} = erl_epmd:names(),
         io:format(\"~p ~p ~p ~p\", [Refused, Early, Answered, lists:keymember(\"har\", 1, Names)])",
        har.id(),
    );
    let printed = beam.eval("C", &code);
    let wanted = "[{error,shutting_down},{error,leaving}] false true false";
    assert_eq!(printed.lines().last(), Some(wanted), "{printed}");
    assert_eq!(har.ended().code(), Some(0));
    har.stderr.wait_for("all that peers have asked for is answered");
}

#[test]
fn the_others_give_nothing_new_to_a_node_that_leaves() {
    let beam = Beam::start();
    let (_har, mut two) = (node(&beam, "har", &[]), node(&beam, "two", &[]));
    let code = format!(
        "{TASKS}, Two = 'two@127.0.0.1', pong = net_adm:ping(Two),
         Until(fun() -> lists:member(Two, rpc:call(Har, erlang, nodes, [])) end),
         Op = fun(N) -> #{{'__struct__' => 'Elixir.HAR.Semantic.Operation',
             id => integer_to_binary(N), type => service_start, params => #{{service => <<\"x\">>}},
             target => #{{}}, metadata => #{{}}}} end,
         Ops = [Op(N) || N <- lists:seq(1, 1000)],
         Nodes = fun() -> {{ok, _, Chunks}} =
             rpc:call(Har, 'Elixir.HAR', route_all, [Ops, [{{report, true}}]]),
             lists:usort([N || #{{node := N}} <- Chunks]) end,
         Both = Nodes(), {{ok, T}} = Task(Two), os:cmd(\"kill -TERM {}\"),
         Until(fun() -> Leaving(Har) =:= [Two] end),
         One = Nodes(), true = Work(T), Until(fun() -> Leaving(Har) =:= [] end),
         io:format(\"~0p ~0p\", [Both, One])",
        two.id(),
    );
    let printed = beam.eval("C", &code);
    let wanted = "['har@127.0.0.1','two@127.0.0.1'] ['har@127.0.0.1']";
    assert_eq!(printed.lines().last(), Some(wanted), "{printed}");
    assert_eq!(two.ended().code(), Some(0));
}

/// Has the node do something that takes longer than any test.
fn keep_busy(beam: &Beam) -> String {
    let call = "rpc:cast('har@127.0.0.1', 'Elixir.Process', sleep, [3600000]), \
                io:format(\"~p\", [rpc:call('har@127.0.0.1', erlang, node, [])])";
    beam.eval("C", call)
}

#[test]
fn a_node_that_leaves_is_alive_but_not_ready_and_a_second_signal_ends_it_at_once() {
    let beam = Beam::start();
    let ops = free_port();
    let mut har = node(&beam, "har", &[("HAR_OPS_PORT", &ops.to_string())]);
    keep_busy(&beam);
    assert_eq!(get(ops, "/readyz").status, 200);
    har.signal("TERM");
    har.stderr.wait_for("no new work is taken");
    assert_eq!((get(ops, "/readyz").status, get(ops, "/healthz").status), (503, 200));
    har.signal("INT");
    assert_eq!(har.ended().code(), Some(1));
    har.stderr.wait_for("told twice to end");
}

#[test]
fn what_takes_too_long_is_broken_off_and_the_exit_code_says_so() {
    let beam = Beam::start();
    let mut har = node(&beam, "har", &[("HAR_SHUTDOWN_DRAIN_S", "0")]);
    keep_busy(&beam);
    har.signal("TERM");
    assert_eq!(har.ended().code(), Some(1));
    har.stderr.wait_for("left with 1 processes of peers unfinished after 0 s; shutdown.drain_s");
}

#[test]
fn an_operator_who_is_allowed_to_can_have_it_leave() {
    let beam = Beam::start();
    let mut command = beam.command();
    command.env("HAR_COOKIE", "C").args(["start", "--name", "closed@127.0.0.1"]);
    let closed = Running::start(command);
    closed.wait_for("Ctrl-C stops it.");
    beam.har("C", &["leave", "closed@127.0.0.1"]).assert_fails(77, &["HAR.Cluster.leave/0"]);
    let no_node = beam.har("C", &["leave", "beam@127.0.0.1"]);
    no_node.assert_fails(69, &["beam@127.0.0.1 is no har node"]);
    let mut har = node(&beam, "har", &[]);
    let left = beam.har("C", &["leave", "har@127.0.0.1"]);
    assert_eq!(left.assert_works(), "har@127.0.0.1 has left\n");
    assert_eq!(har.ended().code(), Some(0));
    let mut har = node(&beam, "har", &[]);
    let call = ["rpc", "har@127.0.0.1", "--elixir", "HAR.Cluster", "leave", "[]"];
    assert_eq!(beam.har("C", &call).assert_works(), ":ok\n");
    assert_eq!(har.ended().code(), Some(0));
}
