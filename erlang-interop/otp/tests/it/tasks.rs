//! `Task.Supervisor` of Elixir 1.14 against ours.

use erlang_otp::{Functions, client, task, task_supervisor};
use erlang_term::{atom, term};

use crate::world::{PATIENCE, World, node, until};

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

/// `max_children`, as Elixir hears of it from our supervisor and we from Elixir's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_task_more_than_max_children_is_refused() {
    let world = World::new();
    let ours = world.ours("b").await;
    let options = task_supervisor::Options::default().max_children(2);
    let functions = Functions::builder().build();
    task_supervisor::start(&ours.node, &atom!("few"), functions, options).unwrap();
    let mut beam = world.beam("a");
    for (expression, answer) in [
        (
            "begin {ok, P} = 'Elixir.Task.Supervisor':start_child(S, timer, sleep, [60000]), \
          register(kept, spawn(fun() -> receive F -> F ! P end end)), ok end",
            "=> ok",
        ),
        ("element(1, 'Elixir.Task.Supervisor':start_child(S, timer, sleep, [60000]))", "=> ok"),
        (
            "'Elixir.Task.Supervisor':start_child(S, timer, sleep, [60000])",
            "=> {error,max_children}",
        ),
        (
            "try 'Elixir.Task.Supervisor':async_nolink(S, erlang, node, []) catch error:E -> \
          {maps:get('__struct__', E), string:find(maps:get(message, E), <<\"maximum\">>) =/= nomatch} end",
            "=> {'Elixir.RuntimeError',true}",
        ),
        ("length('Elixir.Task.Supervisor':children(S))", "=> 2"),
        (
            "begin kept ! self(), receive P -> 'Elixir.Task.Supervisor':terminate_child(S, P) end end",
            "=> ok",
        ),
        (
            "'Elixir.Task':await('Elixir.Task.Supervisor':async(S, erlang, node, []))",
            "=> 'b@127.0.0.1'",
        ),
    ] {
        let supervisor = "{few,'b@127.0.0.1'}";
        let expression = expression.replace("(S", &format!("({supervisor}"));
        assert_eq!(beam.eval(&expression).await, answer, "{expression}");
    }
    let start = "element(1, 'Elixir.Task.Supervisor':start_link([{name, one}, {max_children, 1}]))";
    assert_eq!(beam.eval(start).await, "=> ok");
    let refused = client::in_process(&ours.node, |mut context| async move {
        let at = (atom!("one"), node("a"));
        let work = || (term!(timer), term!(sleep), vec![term!(60000)]);
        let first = task::async_nolink(&mut context, at.clone(), work(), PATIENCE).await;
        let second = task::async_nolink(&mut context, at, work(), PATIENCE).await;
        first.unwrap().shutdown(&mut context).await;
        second.map(|task| task.pid().clone())
    });
    let refused = refused.await.unwrap();
    assert_eq!(refused, Err(task::TaskError::NotStarted(term!({error, max_children}))));
}
