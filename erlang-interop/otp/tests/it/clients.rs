//! What we call on a BEAM, and on ourselves.

use std::time::Duration;

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
