//! `gen_server` in Rust, called from a BEAM, and `sys` messages to it.

use erlang_node::{Context, ExitReason, SpawnOptions};
use erlang_otp::gen_message::From;
use erlang_otp::gen_server::{self, Answer, GenServer, Next};
use erlang_term::{Atom, Term, atom, term};

use crate::world::{World, until};

struct Counter(i64);

impl GenServer for Counter {
    fn module(&self) -> Atom {
        atom!("counter")
    }

    fn state(&self) -> Term {
        Term::from(self.0)
    }

    async fn handle_call(&mut self, context: &mut Context, request: Term, from: From) -> Answer {
        match request.as_atom().map(Atom::as_str) {
            Some("next") => {
                self.0 += 1;
                Answer::reply(self.0)
            }
            Some("later") => {
                gen_server::reply(context, &from, self.0).await;
                Answer::NoReply
            }
            Some("stop") => Answer::StopReply(ExitReason::Normal, term!(stopped)),
            _ => Answer::Stop(ExitReason::Other(term!(unknown_request))),
        }
    }

    async fn handle_cast(&mut self, _: &mut Context, message: Term) -> Next {
        self.0 += message.as_integer().unwrap_or_default();
        Next::Continue
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_beam_uses_a_server_in_rust() {
    let world = World::new();
    let ours = world.ours("b").await;
    let name = atom!("counter");
    let start = || {
        let options = SpawnOptions::new().name(name.clone());
        gen_server::start(&ours.node, options, Counter(0)).unwrap()
    };
    start();
    let mut beam = world.beam("a");
    for (expression, answer) in [
        ("gen_server:call(S, next)", "=> 1"),
        ("gen_server:call(S, later)", "=> 1"),
        ("gen_server:cast(S, 10)", "=> ok"),
        ("gen_server:call(S, next)", "=> 12"),
        ("gen_server:multi_call(['b@127.0.0.1'], counter, next)", "=> {[{'b@127.0.0.1',13}],[]}"),
        ("'Elixir.GenServer':call(S, next)", "=> 14"),
        // OTP 25 shows the answer as it is, later releases its value.
        ("case sys:get_state(S) of {ok, V} -> V; V -> V end", "=> 14"),
        ("element(1, sys:get_status(S))", "=> status"),
        ("element(3, sys:get_status(S))", "=> {module,counter}"),
        ("sys:suspend(S)", "=> ok"),
        ("catch gen_server:call(S, next, 50), sys:resume(S)", "=> ok"),
        ("case sys:get_state(S) of {ok, V} -> V; V -> V end", "=> 15"),
        (
            "element(1, element(2, catch sys:replace_state(S, fun(X) -> X end)))",
            "=> {callback_failed,{counter,system_replace_state},{error,notsup}}",
        ),
        ("sys:terminate(S, normal)", "=> ok"),
    ] {
        let expression = expression.replace("S)", "SERVER)").replace("S,", "SERVER,");
        let expression = expression.replace("SERVER", "{counter,'b@127.0.0.1'}");
        assert_eq!(beam.eval(&expression).await, answer, "{expression}");
    }
    until("it has ended", || ours.node.whereis(&name).is_none()).await;
    start();
    let stop = "gen_server:call({counter,'b@127.0.0.1'}, stop)";
    assert_eq!(beam.eval(stop).await, "=> stopped");
    until("it has ended", || ours.node.whereis(&name).is_none()).await;
    start();
    let unknown = beam.eval("gen_server:call({counter,'b@127.0.0.1'}, nonsense)").await;
    assert!(unknown.starts_with("!! exit {unknown_request,{gen_server,call,"), "{unknown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_services_answer_sys_messages() {
    let world = World::new();
    let _ours = world.ours("b").await;
    let mut beam = world.beam("a");
    for name in ["rex", "net_kernel", "global_name_server", "pg", "'Elixir.HAR.TaskSupervisor'"] {
        let state = format!("begin sys:get_state({{{name},'b@127.0.0.1'}}), ok end");
        assert_eq!(beam.eval(&state).await, "=> ok", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_that_a_peer_kills_come_back() {
    let world = World::new();
    let ours = world.ours("b").await;
    let mut beam = world.beam("a");
    for name in ["rex", "net_kernel", "logger_proxy", "user", "Elixir.HAR.TaskSupervisor"] {
        let name = Atom::new(name).unwrap();
        let before = ours.node.whereis(&name).unwrap();
        let kill =
            format!("exit(rpc:call('b@127.0.0.1', erlang, whereis, ['{}']), kill)", name.as_str());
        assert_eq!(beam.eval(&kill).await, "=> true");
        until("it is another process", || {
            ours.node.whereis(&name).is_some_and(|now| now != before)
        })
        .await;
    }
    assert_eq!(beam.eval("net_adm:ping('b@127.0.0.1')").await, "=> pong");
    let call = "rpc:block_call('b@127.0.0.1', erlang, node, [])";
    assert_eq!(beam.eval(call).await, "=> 'b@127.0.0.1'");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_its_global_shuts_down() {
    let world = World::new();
    let ours = world.ours("b").await;
    let mut beam = world.beam("a");
    let kill = "exit(rpc:call('b@127.0.0.1', erlang, whereis, [global_name_server]), kill)";
    assert_eq!(beam.eval(kill).await, "=> true");
    until("it is off the network", || !ours.node.is_alive()).await;
    beam.wait_for("nodes()", "[]").await;
}
