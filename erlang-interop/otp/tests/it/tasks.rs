//! `Task.Supervisor` of Elixir 1.14 against ours.

use erlang_term::atom;

use crate::world::{World, until};

const SUPERVISOR: &str = "{'Elixir.HAR.TaskSupervisor','b@127.0.0.1'}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_of_an_elixir_node_run_here() {
    let world = World::new();
    let ours = world.ours("b").await;
    let mut beam = world.beam("a");
    for (expression, answer) in [
        (
            "'Elixir.Task':await('Elixir.Task.Supervisor':async(S, erlang, node, []))",
            "=> 'b@127.0.0.1'",
        ),
        (
            "'Elixir.Task':await('Elixir.Task.Supervisor':async_nolink(S, erlang, abs, [-1]))",
            "=> 1",
        ),
        (
            "'Elixir.Task':await('Elixir.Task.Supervisor':async(S, fun erlang:node/0))",
            "=> 'b@127.0.0.1'",
        ),
        (
            "'Elixir.Enum':to_list('Elixir.Task.Supervisor':async_stream(S, [-1, -2], erlang, abs, []))",
            "=> [{ok,1},{ok,2}]",
        ),
        ("element(1, 'Elixir.Task.Supervisor':start_child(S, erlang, node, []))", "=> ok"),
        (
            "begin T = 'Elixir.Task.Supervisor':async_nolink(S, erlang, error, [boom]), \
             {exit, {Why, Stack}} = 'Elixir.Task':yield(T), {Why, is_list(Stack)} end",
            "=> {boom,true}",
        ),
        (
            "begin T = 'Elixir.Task.Supervisor':async_nolink(S, erlang, exit, [bye]), \
             'Elixir.Task':yield(T) end",
            "=> {exit,bye}",
        ),
        (
            "begin T = 'Elixir.Task.Supervisor':async_nolink(S, timer, sleep, [60000]), \
             'Elixir.Task':shutdown(T) end",
            "=> nil",
        ),
        (
            "begin T = 'Elixir.Task.Supervisor':async_nolink(S, timer, sleep, [60000]), \
             'Elixir.Task':shutdown(T, brutal_kill) end",
            "=> nil",
        ),
    ] {
        let expression = expression.replace("(S,", &format!("({SUPERVISOR},"));
        assert_eq!(beam.eval(&expression).await, answer, "{expression}");
    }
    let count =
        format!("maps:get(active, 'Elixir.DynamicSupervisor':count_children({SUPERVISOR}))");
    beam.wait_for(&count, "0").await;
    let missing = beam
        .eval("catch 'Elixir.Task.Supervisor':async({nobody,'b@127.0.0.1'}, erlang, node, [])")
        .await;
    assert!(missing.contains("noproc"), "{missing}");
    // A task ends with its owner.
    let owner = format!(
        "begin spawn(fun() -> 'Elixir.Task.Supervisor':async({SUPERVISOR}, timer, sleep, [60000]), \
         receive after 100 -> exit(gone) end end), ok end"
    );
    let processes = ours.node.process_count();
    assert_eq!(beam.eval(&owner).await, "=> ok");
    beam.wait_for(&count, "0").await;
    until("no task is left", || ours.node.process_count() <= processes).await;
    assert!(ours.node.whereis(&atom!("Elixir.HAR.TaskSupervisor")).is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closure_without_its_code_fails_as_on_a_beam() {
    let world = World::new();
    let _ours = world.ours("b").await;
    let mut beam = world.beam("a");
    let call = "begin {badrpc, {'EXIT', {Why, _}}} = \
                rpc:call('b@127.0.0.1', erlang, apply, [fun() -> 1 end, []]), Why end";
    assert_eq!(beam.eval(call).await, "=> undef");
}
