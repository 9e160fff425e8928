//! What we call on a BEAM, and on ourselves.

use std::time::Duration;

use erlang_node::Context;
use erlang_otp::client::in_process;
use erlang_otp::gen_server::{self, CallError};
use erlang_otp::reason::CallOutcome;
use erlang_otp::{erpc, net_kernel, rpc};
use erlang_term::{Atom, Term, atom, term};

use crate::world::{PATIENCE, World, node};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn we_call_a_beam() {
    let world = World::new();
    let ours = world.ours("b").await;
    let _beam = world.beam("a");
    let (own, a) = (&ours.node, node("a"));
    assert!(net_kernel::ping(own, &a).await);
    assert!(!net_kernel::ping(own, &node("nobody")).await);
    let call = async |module: Atom, function: Atom, arguments: Vec<Term>| {
        rpc::call(own, &a, &module, &function, arguments, PATIENCE).await
    };
    assert_eq!(call(atom!("erlang"), atom!("node"), vec![]).await, Term::from(&a));
    let sum = call(atom!("Elixir.Enum"), atom!("sum"), vec![term!([1, 2])]).await;
    assert_eq!(sum, Term::from(3));
    let undef = call(atom!("nomod"), atom!("f"), vec![]).await;
    assert_eq!(undef.to_string(), "{badrpc,{'EXIT',{undef,[{nomod,f,[],[]}]}}}");
    let exit = call(atom!("erlang"), atom!("exit"), vec![term!(bye)]).await;
    assert_eq!(exit.to_string(), "{badrpc,{'EXIT',bye}}");
    let thrown = call(atom!("erlang"), atom!("throw"), vec![term!(ball)]).await;
    assert_eq!(thrown, term!(ball));
    let (timer, sleep) = (atom!("timer"), atom!("sleep"));
    let soon = Duration::from_millis(50);
    let slow = rpc::call(own, &a, &timer, &sleep, vec![term!(60000)], soon).await;
    assert_eq!(slow.to_string(), "{badrpc,timeout}");
    let nodes = [a.clone(), node("nobody"), own.name().clone()];
    let (values, bad) =
        rpc::multicall(own, &nodes, &atom!("erlang"), &atom!("node"), &[], PATIENCE).await;
    assert_eq!(values, [Term::from(&a), Term::from(own.name())]);
    assert_eq!(bad, [node("nobody")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_of_a_beam_answer_and_their_absence_is_told() {
    let world = World::new();
    let ours = world.ours("b").await;
    let beam = world.beam("a");
    let at = |name: Atom| (name, node("a"));
    let call =
        |name: Atom, request: Term| gen_server::call_from(&ours.node, at(name), request, PATIENCE);
    let yes = call(atom!("net_kernel"), term!({is_auth, (ours.node.name())})).await;
    assert_eq!(yes, Ok(term!(yes)));
    let missing = call(atom!("nobody"), term!(x)).await;
    assert_eq!(missing.unwrap_err().reason(), term!(noproc));
    beam.kill();
    crate::world::until("the node is gone", || ours.node.node_info(&node("a")).is_none()).await;
    let gone = call(atom!("net_kernel"), term!(x)).await;
    assert_eq!(gone, Err(CallError::Nodedown(node("a"))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_to_ourselves_goes_the_same_way() {
    let world = World::new();
    let ours = world.ours("b").await;
    let own = ours.node.name();
    let (module, function) = (atom!("erlang"), atom!("abs"));
    let outcome = erpc::call(&ours.node, own, &module, &function, vec![term!(-1)], PATIENCE).await;
    assert_eq!(outcome, Ok(CallOutcome::Return(term!(1))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cast_arrives() {
    let world = World::new();
    let ours = world.ours("b").await;
    let mut beam = world.beam("a");
    let receiver = beam.eval("register(here, self())").await;
    assert_eq!(receiver, "=> true");
    let arguments = vec![term!(here), term!(hello)];
    erpc::cast(&ours.node, &node("a"), &atom!("erlang"), &atom!("send"), arguments).await;
    let got = beam.eval("receive M -> M after 5000 -> nothing end").await;
    assert_eq!(got, "=> hello");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn block_calls_of_a_beam_and_ours_come_one_after_the_other() {
    let world = World::new();
    let ours = world.ours("b").await;
    let _beam = world.beam("a");
    let own = &ours.node;
    for at in [&node("a"), own.name()] {
        let call = async |module: Atom, function: Atom, arguments: Vec<Term>, timeout| {
            rpc::block_call(own, at, &module, &function, arguments, timeout).await.to_string()
        };
        assert_eq!(call(atom!("erlang"), atom!("abs"), vec![term!(-1)], PATIENCE).await, "1");
        let undef = call(atom!("nomod"), atom!("f"), vec![], PATIENCE).await;
        assert_eq!(undef, "{badrpc,{'EXIT',{undef,[{nomod,f,[],[]}]}}}");
        let soon = Duration::from_millis(50);
        let slow = call(atom!("timer"), atom!("sleep"), vec![term!(60000)], soon).await;
        assert_eq!(slow, "{badrpc,timeout}");
    }
    let (module, function) = (atom!("erlang"), atom!("node"));
    let gone = rpc::block_call(own, &node("nobody"), &module, &function, vec![], PATIENCE).await;
    assert_eq!(gone.to_string(), "{badrpc,nodedown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_to_a_name_on_many_nodes_arrive_and_it_is_told_where() {
    let world = World::new();
    let ours = world.ours("b").await;
    let mut beam = world.beam("a");
    assert_eq!(beam.eval("register(here, self())").await, "=> true");
    let own = ours.node.name().clone();
    let result = in_process(&ours.node, move |mut context| async move {
        context.register(&atom!("here")).expect("free");
        let (nodes, here) = ([node("a"), node("nobody"), own.clone()], atom!("here"));
        let message = term!({hello, 1});
        let there = rpc::sbcast(&mut context, &nodes, &here, message.clone(), PATIENCE).await;
        assert_eq!(there, (vec![node("a"), own.clone()], vec![node("nobody")]));
        let none = rpc::sbcast(&mut context, &nodes, &atom!("none"), term!(x), PATIENCE).await;
        assert_eq!(none, (vec![], nodes.to_vec()));
        rpc::abcast(&context, &nodes, &here, term!(bye)).await;
        let got = [context.receive().await.into_term(), context.receive().await.into_term()];
        assert_eq!(got, [message, term!(bye)]);
    });
    result.await.expect("no panic");
    let receive = "receive M -> M after 5000 -> nothing end";
    assert_eq!(beam.eval(receive).await, "=> {hello,1}");
    assert_eq!(beam.eval(receive).await, "=> bye");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_answers_by_its_node_is_called() {
    let world = World::new();
    let ours = world.ours("b").await;
    let mut beam = world.beam("a");
    let server = "register(server, spawn(fun() -> receive {From, Question} -> \
                  From ! {server, node(), {you_asked, Question}} end end))";
    assert_eq!(beam.eval(server).await, "=> true");
    let result = in_process(&ours.node, |mut context| async move {
        let (name, a) = (atom!("server"), node("a"));
        let ask = async |context: &mut Context, at: &Atom| {
            rpc::server_call(context, at, &name, &name, term!(why), PATIENCE).await
        };
        assert_eq!(ask(&mut context, &a).await, Ok(term!({you_asked, why})));
        let missing = ask(&mut context, &a).await;
        assert_eq!(missing.unwrap_err().reason(), term!(noproc));
        let down = ask(&mut context, &node("nobody")).await;
        assert_eq!(down, Err(CallError::Nodedown(node("nobody"))));
    });
    result.await.expect("no panic");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_answered_while_their_sender_does_other_things() {
    let world = World::new();
    let ours = world.ours("b").await;
    let _beam = world.beam("a");
    let result = in_process(&ours.node, |mut context| async move {
        let a = node("a");
        let mut send = async |function: Atom, arguments: Vec<Term>| {
            let (module, context) = (atom!("timer"), &mut context);
            let module = if function == "abs" { atom!("erlang") } else { module };
            erpc::send_request(context, &a, &module, &function, arguments).await
        };
        let slow = send(atom!("sleep"), vec![term!(60000)]).await;
        let napping = send(atom!("sleep"), vec![term!(300)]).await;
        let quick = send(atom!("abs"), vec![term!(-1)]).await;
        let soon = Duration::from_millis(20);
        assert_eq!(napping.wait(&mut context, soon).await, None);
        let one = CallOutcome::Return(term!(1));
        assert_eq!(quick.receive(&mut context, PATIENCE).await, Ok(one));
        let ok = CallOutcome::Return(term!(ok));
        assert_eq!(napping.wait(&mut context, PATIENCE).await, Some(ok));
        assert_eq!(slow.receive(&mut context, soon).await, Err(erpc::TimedOut));
        let nobody = erpc::send_request(
            &mut context,
            &node("nobody"),
            &atom!("erlang"),
            &atom!("node"),
            vec![],
        )
        .await;
        let message = context.receive().await.into_term();
        assert_eq!(nobody.check(&message), Some(CallOutcome::Noconnection));
        assert_eq!(nobody.check(&term!(other)), None);
    });
    result.await.expect("no panic");
}
