//! Supervisors, registries, agents, tasks and PubSub in Rust.

use std::time::Duration;

use erlang_node::{Context, ExitReason, Node, SpawnOptions};
use erlang_otp::gen_server::{self, GenServer};
use erlang_otp::pg::Pg;
use erlang_otp::pubsub::PubSub;
use erlang_otp::registry::{Keys, Registry, RegistryError};
use erlang_otp::supervisor::{
    self, ChildSpec, DynamicSupervisor, Intensity, Restart, StartChildError, Strategy,
    SupervisorSpec,
};
use erlang_otp::task::{self, TaskError};
use erlang_otp::{agent, client};
use erlang_term::{Atom, Pid, Term, atom, term};

use crate::world::{PATIENCE, World, node, until};

pub(crate) struct Idle;

impl GenServer for Idle {}

/// A child that does nothing, under a name.
pub(crate) fn child(name: &'static str) -> ChildSpec {
    let atom = Atom::new(name).unwrap();
    ChildSpec::worker(atom.clone(), move |context| {
        let options = SpawnOptions::new().name(atom.clone());
        gen_server::start_link(context, options, Idle).map(|spawned| spawned.pid)
    })
}

pub(crate) fn family(strategy: Strategy) -> SupervisorSpec {
    SupervisorSpec::new(strategy).child(child("one")).child(child("two")).child(child("three"))
}

pub(crate) fn pids(node: &Node) -> Vec<Option<Pid>> {
    ["one", "two", "three"].map(|name| node.whereis(&Atom::new(name).unwrap())).to_vec()
}

/// Kills the second child; gives which of the three are other processes than before.
async fn changed_by_a_crash(strategy: Strategy) -> Vec<bool> {
    let world = World::new();
    let ours = world.ours("b").await;
    supervisor::start(&ours.node, SpawnOptions::new(), family(strategy)).unwrap();
    until("all run", || pids(&ours.node).iter().all(Option::is_some)).await;
    let before = pids(&ours.node);
    let second = before[1].clone().unwrap();
    ours.node.exit(&second, ExitReason::Kill).await;
    until("the second runs again", || {
        let now = pids(&ours.node);
        now.iter().all(Option::is_some) && now[1] != before[1]
    })
    .await;
    pids(&ours.node).iter().zip(&before).map(|(now, before)| now != before).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_strategy_restarts_what_it_should() {
    assert_eq!(changed_by_a_crash(Strategy::OneForOne).await, [false, true, false]);
    assert_eq!(changed_by_a_crash(Strategy::OneForAll).await, [true, true, true]);
    assert_eq!(changed_by_a_crash(Strategy::RestForOne).await, [false, true, true]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_beam_asks_a_supervisor() {
    let world = World::new();
    let ours = world.ours("b").await;
    let options = SpawnOptions::new().name(atom!("top"));
    supervisor::start(&ours.node, options, family(Strategy::OneForOne)).unwrap();
    let mut beam = world.beam("a");
    for (expression, answer) in [
        (
            "[Id || {Id, P, worker, _} <- supervisor:which_children(TOP), is_pid(P)]",
            "[three,two,one]",
        ),
        ("supervisor:count_children(TOP)", "[{specs,3},{active,3},{supervisors,0},{workers,3}]"),
        ("supervisor:terminate_child(TOP, two)", "ok"),
        ("proplists:get_value(active, supervisor:count_children(TOP))", "2"),
        ("element(1, supervisor:restart_child(TOP, two))", "ok"),
        ("supervisor:delete_child(TOP, two)", "{error,running}"),
        ("supervisor:terminate_child(TOP, nobody)", "{error,not_found}"),
        (
            "lists:sort(maps:to_list('Elixir.Supervisor':count_children(TOP)))",
            "[{active,3},{specs,3},{supervisors,0},{workers,3}]",
        ),
    ] {
        let expression = expression.replace("TOP", "{top,'b@127.0.0.1'}");
        assert_eq!(beam.eval(&expression).await, format!("=> {answer}"), "{expression}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_restarts_end_the_whole_tree() {
    let world = World::new();
    let ours = world.ours("b").await;
    let spec = family(Strategy::OneForOne).intensity(Intensity::new(1, Duration::from_secs(600)));
    let top = supervisor::start(&ours.node, SpawnOptions::new(), spec).unwrap();
    for _ in 0..2 {
        until("the first runs", || pids(&ours.node)[0].is_some()).await;
        let first = pids(&ours.node)[0].clone().unwrap();
        ours.node.exit(&first, ExitReason::Kill).await;
        until("it noticed", || pids(&ours.node)[0].as_ref() != Some(&first)).await;
    }
    until("the supervisor gave up", || !ours.node.is_process_alive(&top)).await;
    until("its children went with it", || pids(&ours.node).iter().all(Option::is_none)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dynamic_supervisor_takes_children_up_to_its_limit() {
    let world = World::new();
    let ours = world.ours("b").await;
    let options = SpawnOptions::new().name(atom!("dynamic"));
    let dynamic = DynamicSupervisor::start(&ours.node, options, Intensity::default(), 2).unwrap();
    let first = dynamic.start_child(child("one")).await.unwrap();
    let temporary = child("two").restart(Restart::Temporary);
    let second = dynamic.start_child(temporary).await.unwrap();
    let third = dynamic.start_child(child("three")).await;
    assert_eq!(third, Err(StartChildError::MaxChildren(2)));
    ours.node.exit(&first, ExitReason::Kill).await;
    ours.node.exit(&second, ExitReason::Kill).await;
    until("a permanent child is back", || {
        pids(&ours.node)[0].as_ref().is_some_and(|pid| *pid != first)
    })
    .await;
    let mut beam = world.beam("a");
    let count =
        "maps:get(active, 'Elixir.DynamicSupervisor':count_children({dynamic,'b@127.0.0.1'}))";
    beam.wait_for(count, "1").await;
    ours.node.exit(dynamic.pid(), ExitReason::Kill).await;
    until("it is gone", || !ours.node.is_process_alive(dynamic.pid())).await;
    assert_eq!(dynamic.start_child(child("four")).await, Err(StartChildError::Noproc));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn elixir_uses_an_agent_in_rust() {
    let world = World::new();
    let ours = world.ours("b").await;
    let options = SpawnOptions::new().name(atom!("agent"));
    agent::start(&ours.node, options, ours.services.functions.clone(), 41).unwrap();
    let mut beam = world.beam("a");
    for (expression, answer) in [
        ("'Elixir.Agent':get(A, erlang, abs, [])", "41"),
        ("'Elixir.Agent':get(A, fun 'Elixir.Function':identity/1)", "41"),
        ("'Elixir.Agent':update(A, 'Elixir.Kernel', '+', [1])", "ok"),
        ("'Elixir.Agent':cast(A, erlang, '-', [])", "ok"),
        ("'Elixir.Agent':get(A, erlang, abs, [])", "42"),
        ("case sys:get_state(A) of {ok, V} -> V; V -> V end", "-42"),
    ] {
        let expression = expression.replace("(A", "({agent,'b@127.0.0.1'}");
        assert_eq!(beam.eval(&expression).await, format!("=> {answer}"), "{expression}");
    }
}

async fn idle(mut context: Context) {
    context.receive().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_forgets_the_dead() {
    let world = World::new();
    let ours = world.ours("b").await;
    let unique = Registry::start(&ours.node, SpawnOptions::new(), Keys::Unique).unwrap();
    let spawn = || ours.node.spawn(SpawnOptions::new(), idle).unwrap();
    let (one, two) = (spawn(), spawn());
    let key = term!({room, 1});
    unique.register(key.clone(), &one, term!(first)).await.unwrap();
    let taken = unique.register(key.clone(), &two, term!(second)).await;
    assert_eq!(taken, Err(RegistryError::AlreadyRegistered(one.clone())));
    assert_eq!(unique.lookup(&key), [(one.clone(), term!(first))]);
    ours.node.send(&one, term!(stop)).await;
    until("the entry goes with its process", || unique.whereis(&key).is_none()).await;
    unique.register(key.clone(), &two, term!(second)).await.unwrap();
    assert_eq!(unique.keys(&two), std::slice::from_ref(&key));
    unique.unregister(&key, &two);
    assert_eq!(unique.count(), 0);
    let gone = unique.register(key, &one, Term::Nil).await;
    assert_eq!(gone, Err(RegistryError::Noproc));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_give_results_and_failures() {
    let world = World::new();
    let ours = world.ours("b").await;
    let _beam = world.beam("a");
    let ran = client::in_process(&ours.node, |mut context| async move {
        let local = task::start(&context, |_| async { 6 * 7 }).await.unwrap();
        let value = local.result(&mut context, PATIENCE).await;
        let supervisor = (atom!("Elixir.HAR.TaskSupervisor"), node("b"));
        let work = |function: &'static str, argument: Term| {
            (term!(erlang), Term::atom(function), vec![argument])
        };
        let remote =
            task::async_nolink(&mut context, supervisor.clone(), work("abs", term!(-1)), PATIENCE);
        let remote = remote.await.unwrap().result(&mut context, PATIENCE).await;
        let failed =
            task::async_nolink(&mut context, supervisor, work("exit", term!(bye)), PATIENCE);
        let failed = failed.await.unwrap().result(&mut context, PATIENCE).await;
        (value, remote, failed)
    });
    let (value, remote, failed) = ran.await.unwrap();
    assert_eq!(value, Ok(term!(42)));
    assert_eq!(remote, Ok(term!(1)));
    assert_eq!(failed, Err(TaskError::Exit(ExitReason::Other(term!(bye)))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_runs_under_a_supervisor_of_elixir() {
    let world = World::new();
    let ours = world.ours("b").await;
    let mut beam = world.beam("a");
    let start = "element(1, 'Elixir.Task.Supervisor':start_link([{name, tasks}]))";
    assert_eq!(beam.eval(start).await, "=> ok");
    let value = client::in_process(&ours.node, |mut context| async move {
        let work = (term!(erlang), term!(node), Vec::new());
        let task = task::async_nolink(&mut context, (atom!("tasks"), node("a")), work, PATIENCE);
        task.await.unwrap().result(&mut context, PATIENCE).await
    });
    assert_eq!(value.await.unwrap(), Ok(Term::from(node("a"))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broadcasts_cross_nodes_as_those_of_phoenix() {
    let world = World::new();
    let ours = world.ours("b").await;
    let scope = atom!("Elixir.Phoenix.PubSub");
    let pg = Pg::start(&ours.node, &scope).unwrap();
    let pubsub =
        PubSub::start(&ours.node, pg.clone(), &atom!("Elixir.App.PubSub"), 1).await.unwrap();
    let mut beam = world.beam("a");
    // The part of a Phoenix node: a scope, and a worker in the adapter's group.
    for step in [
        "begin {ok, _} = pg:start('Elixir.Phoenix.PubSub'), ok end",
        "pg:join('Elixir.Phoenix.PubSub', 'Elixir.App.PubSub.Adapter', self())",
        "begin net_adm:ping('b@127.0.0.1'), ok end",
    ] {
        assert_eq!(beam.eval(step).await, "=> ok");
    }
    let group = atom!("Elixir.App.PubSub.Adapter");
    until("both are in the group", || pg.members(&group).len() == 2).await;
    let echo = ours.node.whereis(&atom!("echo")).unwrap();
    pubsub.broadcast(&echo, "room:1", term!({new, 1})).await;
    let got = "receive {forward_to_local, T, M, D} -> {T, M, D} after 5000 -> nothing end";
    assert_eq!(beam.eval(got).await, "=> {<<\"room:1\">>,{new,1},'Elixir.Phoenix.PubSub'}");
    // The other way: echo subscribes, so a broadcast of {Pid, X} comes back.
    pubsub.subscribe("room:2", &echo).await.unwrap();
    beam.wait_for(
        "length(pg:get_members('Elixir.Phoenix.PubSub', 'Elixir.App.PubSub.Adapter'))",
        "2",
    )
    .await;
    let broadcast = "begin [W] = [P || P <- pg:get_members('Elixir.Phoenix.PubSub', \
                     'Elixir.App.PubSub.Adapter'), node(P) =/= node()], \
                     W ! {forward_to_local, <<\"room:2\">>, {self(), hi}, 'Elixir.Phoenix.PubSub'}, \
                     receive {_, hi} -> got after 5000 -> nothing end end";
    assert_eq!(beam.eval(broadcast).await, "=> got");
}
