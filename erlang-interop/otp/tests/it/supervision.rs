//! Supervisors when several things happen at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use erlang_node::{Context, Cookie, ExitReason, Node, NodeConfig, NodeName, SpawnOptions};
use erlang_otp::gen_server::{self, GenServer};
use erlang_otp::supervisor::{
    self, ChildSpec, DynamicSupervisor, Intensity, Shutdown, Strategy, SupervisorSpec,
};
use erlang_otp::{client, task};
use erlang_term::{Atom, Term, atom, term};

use crate::behaviours::{family, pids};
use crate::world::{COOKIE, PATIENCE, World, until};

/// A node without a network.
fn alone() -> Node {
    let name = NodeName::new("alone@127.0.0.1").unwrap();
    Node::new(NodeConfig::new(name, Cookie::new(COOKIE).unwrap())).unwrap()
}

/// Often enough for the crashes to fall together in each way.
const ROUNDS: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_that_crash_together_come_back() {
    let node = alone();
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        let intensity = Intensity::new(3 * ROUNDS, Duration::from_secs(600));
        let spec = family(strategy).intensity(intensity);
        let top = supervisor::start(&node, SpawnOptions::new(), spec).unwrap();
        for round in 0..ROUNDS {
            until("all run", || pids(&node).iter().all(Option::is_some)).await;
            let before = pids(&node);
            for pid in before.iter().flatten() {
                node.exit(pid, ExitReason::Kill).await;
            }
            until("all run again", || {
                assert!(node.is_process_alive(&top), "{strategy:?} ended in round {round}");
                let now = pids(&node);
                now.iter().zip(&before).all(|(now, before)| now.is_some() && now != before)
            })
            .await;
        }
        node.exit(&top, ExitReason::Shutdown).await;
        until("the tree is gone", || pids(&node).iter().all(Option::is_none)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_that_ends_ends_no_supervisor() {
    let node = alone();
    let top = supervisor::start(&node, SpawnOptions::new(), family(Strategy::OneForOne)).unwrap();
    let options = SpawnOptions::new();
    let dynamic = DynamicSupervisor::start(&node, options, Intensity::default(), 2).unwrap();
    let supervisors = [top, dynamic.pid().clone()];
    let linked = supervisors.clone();
    client::in_process(&node, |context| async move {
        for pid in &linked {
            context.link(pid).await;
            context.send(pid, term!({@"EXIT", (context.pid()), boom})).await;
        }
    })
    .await
    .unwrap();
    for pid in &supervisors {
        let count = gen_server::call_from(&node, pid, atom!("count_children"), PATIENCE).await;
        assert!(count.is_ok(), "{count:?}");
    }
}

/// Says when it was told to end, in its own way.
struct Last(Arc<AtomicBool>);

impl GenServer for Last {
    async fn terminate(&mut self, _: &mut Context, _: &ExitReason) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_child_is_ended_as_any_other() {
    let node = alone();
    let told = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&told);
    let last = ChildSpec::worker(atom!("last"), move |context| {
        let options = SpawnOptions::new().name(atom!("last")).trap_exit();
        gen_server::start_link(context, options, Last(Arc::clone(&flag))).map(|started| started.pid)
    });
    // Were it not to obey, nobody would kill it.
    let spec = SupervisorSpec::new(Strategy::OneForOne).child(last.shutdown(Shutdown::Infinity));
    let top = supervisor::start(&node, SpawnOptions::new(), spec).unwrap();
    until("it runs", || node.whereis(&atom!("last")).is_some()).await;
    client::in_process(&node, |mut context| async move {
        context.send(atom!("last"), term!({system, {(context.pid()), 1}, suspend})).await;
        context.receive_timeout(PATIENCE).await.map(|_| ())
    })
    .await
    .unwrap()
    .unwrap();
    let ended = gen_server::call_from(&node, &top, term!({terminate_child, last}), PATIENCE).await;
    assert_eq!(ended, Ok(term!(ok)));
    assert!(told.load(Ordering::SeqCst));
}

/// Services obey the supervisor that adopted them, so that the end of their node is no matter of seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_end_in_order_with_their_node() {
    let node = alone();
    let functions = erlang_otp::Functions::builder().build();
    erlang_otp::standard(&node, functions, erlang_otp::StandardOptions::default()).unwrap();
    let told = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&told);
    let mut services = erlang_otp::Services::new(&node, atom!("supervisor_of_mine"));
    services.add(&atom!("last"), move |_| Last(Arc::clone(&flag))).unwrap();
    services.supervise().unwrap();
    node.shutdown().await;
    assert!(told.load(Ordering::SeqCst), "it was killed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_shuts_a_task_down_lives_on() {
    let node = alone();
    let ran = client::in_process(&node, |mut context| async move {
        let task = task::start(&context, |_| std::future::pending::<Term>());
        let result = task.await.unwrap().shutdown(&mut context).await;
        // The exit signal of a link would have come before this is answered.
        context.send(context.pid(), 1).await;
        context.receive().await;
        result
    })
    .await;
    assert_eq!(ran, Ok(None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_go_on_when_strangers_leave_their_supervisor() {
    let world = World::new();
    let ours = world.ours("b").await;
    let mut beam = world.beam("a");
    let ends = beam
        .eval(
            "begin S = {'Elixir.HAR.TaskSupervisor','b@127.0.0.1'}, \
             Pid = rpc:call('b@127.0.0.1', erlang, whereis, [element(1, S)]), \
             T = 'Elixir.Task.Supervisor':async_nolink(S, timer, sleep, [60000]), \
             {P, R} = spawn_monitor(fun() -> link(Pid), exit(normal) end), \
             receive {'DOWN', R, _, _, _} -> ok end, \
             {_, R2} = spawn_monitor(fun() -> link(Pid), exit(boom) end), \
             receive {'DOWN', R2, _, _, _} -> ok end, \
             S ! {'EXIT', P, boom}, \
             {'Elixir.Task':yield(T, 200), \
              Pid =:= rpc:call('b@127.0.0.1', erlang, whereis, [element(1, S)]), \
              'Elixir.Task':shutdown(T)} end",
        )
        .await;
    assert_eq!(ends, "=> {nil,true,nil}");
    drop(ours);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_end_in_reverse_order() {
    let node = alone();
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    struct Noting(&'static str, Arc<std::sync::Mutex<Vec<&'static str>>>);
    impl GenServer for Noting {
        async fn terminate(&mut self, _: &mut Context, _: &ExitReason) {
            self.1.lock().unwrap().push(self.0);
        }
    }
    let noting = |name: &'static str| {
        let order = Arc::clone(&order);
        ChildSpec::worker(Atom::new(name).unwrap(), move |context| {
            let server = Noting(name, Arc::clone(&order));
            let options = SpawnOptions::new().trap_exit();
            gen_server::start_link(context, options, server).map(|started| started.pid)
        })
    };
    let spec = SupervisorSpec::new(Strategy::OneForOne)
        .child(noting("one"))
        .child(noting("two"))
        .child(noting("three"));
    let top = supervisor::start(&node, SpawnOptions::new(), spec).unwrap();
    gen_server::call_from(&node, &top, atom!("count_children"), PATIENCE).await.unwrap();
    node.exit(&top, ExitReason::Shutdown).await;
    until("the supervisor ended", || !node.is_process_alive(&top)).await;
    assert_eq!(*order.lock().unwrap(), ["three", "two", "one"]);
}
