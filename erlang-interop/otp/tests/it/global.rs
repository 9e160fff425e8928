//! `global`: names and locks among two BEAMs and us.

use erlang_node::SpawnOptions;
use erlang_otp::global::RegisterError;
use erlang_term::{atom, term};

use crate::world::{World, node, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beams_sync_register_and_lock_through_us() {
    let world = World::new();
    let ours = world.ours("b").await;
    let global = ours.services.global.clone().unwrap();
    let mut beam = world.beam("a");
    let mut other = world.beam("c");
    assert_eq!(beam.eval("net_adm:ping('b@127.0.0.1')").await, "=> pong");
    assert_eq!(beam.eval("global:sync()").await, "=> ok");
    assert_eq!(beam.eval("global:register_name(first, self())").await, "=> yes");
    until("our view has the name", || global.whereis_name(atom!("first")).is_some()).await;
    assert_eq!(other.eval("net_adm:ping('b@127.0.0.1')").await, "=> pong");
    // The mesh closes through us: the third node learns of the first, and of its names.
    other.wait_for("lists:sort(nodes())", "['a@127.0.0.1','b@127.0.0.1']").await;
    assert_eq!(other.eval("global:sync()").await, "=> ok");
    other.wait_for("is_pid(global:whereis_name(first))", "true").await;
    assert_eq!(other.eval("global:register_name(second, self())").await, "=> yes");
    assert_eq!(other.eval("global:register_name(first, self())").await, "=> no");
    assert_eq!(beam.eval("global:re_register_name(first, self())").await, "=> yes");
    let locked = "global:trans({lock, self()}, fun() -> done end)";
    assert_eq!(beam.eval(locked).await, "=> done");
    assert_eq!(beam.eval("global:unregister_name(first)").await, "=> ok");
    until("the name is gone", || global.whereis_name(atom!("first")).is_none()).await;
    other.kill();
    until("names of a lost node are gone", || global.registered_names().is_empty()).await;
    assert_eq!(beam.eval("global:sync()").await, "=> ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn we_register_and_a_beam_finds_it() {
    let world = World::new();
    let ours = world.ours("b").await;
    let global = ours.services.global.clone().unwrap();
    let mut beam = world.beam("a");
    assert_eq!(beam.eval("net_adm:ping('b@127.0.0.1')").await, "=> pong");
    global.sync().await;
    let echo = ours.node.whereis(&atom!("echo")).unwrap();
    global.register_name(atom!("har_echo"), &echo).await.unwrap();
    let call = "begin P = global:whereis_name(har_echo), P ! {self(), hi}, \
                receive {P, X} -> X after 5000 -> nothing end end";
    assert_eq!(beam.eval(call).await, "=> hi");
    assert_eq!(beam.eval("global:register_name(har_echo, self())").await, "=> no");
    let taken = global.register_name(atom!("har_echo"), global.pid()).await;
    assert_eq!(taken, Err(RegisterError::NameTaken(echo)));
    let short = ours.node.spawn(SpawnOptions::new(), |mut own| async move {
        own.receive().await;
    });
    let short = short.unwrap();
    global.register_name(atom!("short"), &short).await.unwrap();
    beam.wait_for("is_pid(global:whereis_name(short))", "true").await;
    ours.node.send(&short, term!(stop)).await;
    beam.wait_for("global:whereis_name(short)", "undefined").await;
    global.unregister_name(atom!("har_echo")).await.unwrap();
    beam.wait_for("global:whereis_name(har_echo)", "undefined").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_clash_are_resolved_when_nodes_meet() {
    let world = World::new();
    let ours = world.ours("b").await;
    let global = ours.services.global.clone().unwrap();
    let (mut lower, mut higher) = (world.beam("a"), world.beam("c"));
    for beam in [&mut lower, &mut higher] {
        let register = "begin P = spawn(fun() -> receive stop -> ok end end), \
                        global:register_name(clash, P) end";
        assert_eq!(beam.eval(register).await, "=> yes");
        assert_eq!(beam.eval("net_adm:ping('b@127.0.0.1')").await, "=> pong");
    }
    global.sync().await;
    until("all know each other", || global.known().len() == 2).await;
    let alike =
        "global:whereis_name(clash) =:= rpc:call('b@127.0.0.1', global, whereis_name, [clash])";
    lower.wait_for(alike, "true").await;
    higher.wait_for(alike, "true").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_of_ours_agree() {
    let world = World::new();
    let (one, two) = (world.ours("x").await, world.ours("y").await);
    one.node.connect(&node("y")).await.unwrap();
    let (first, second) = (one.services.global.unwrap(), two.services.global.unwrap());
    first.sync().await;
    second.sync().await;
    let pid = one.node.whereis(&atom!("echo")).unwrap();
    first.register_name(term!({any, term}), &pid).await.unwrap();
    assert_eq!(second.whereis_name(term!({any, term})), Some(pid));
    one.node.shutdown().await;
    until("its names go with it", || second.registered_names().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_connects_and_disconnects_in_a_row() {
    let world = World::new();
    let ours = world.ours("b").await;
    let global = ours.services.global.clone().unwrap();
    let mut beam = world.beam("a");
    for round in 0..20 {
        let up = format!(
            "begin true = net_kernel:connect_node('b@127.0.0.1'), ok = global:sync(), \
             yes = global:register_name({{round, {round}}}, spawn(timer, sleep, [infinity])), \
             {round} end"
        );
        assert_eq!(beam.eval(&up).await, format!("=> {round}"));
        until("we know the name", || global.whereis_name(term!({round, (round)})).is_some()).await;
        let down = beam.eval("erlang:disconnect_node('b@127.0.0.1')").await;
        assert_eq!(down, "=> true");
        until("names go with the node", || global.registered_names().is_empty()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_another_lost_leaves_us_too() {
    let world = World::new();
    let ours = world.ours("b").await;
    let global = ours.services.global.clone().unwrap();
    let (mut first, mut second) = (world.beam("a"), world.beam("c"));
    assert_eq!(first.eval("net_adm:ping('b@127.0.0.1')").await, "=> pong");
    assert_eq!(second.eval("net_adm:ping('b@127.0.0.1')").await, "=> pong");
    until("all know each other", || global.known().len() == 2).await;
    first.wait_for("length(nodes())", "2").await;
    assert_eq!(first.eval("global:sync()").await, "=> ok");
    assert_eq!(first.eval("erlang:disconnect_node('c@127.0.0.1')").await, "=> true");
    // Both BEAMs report the loss; whichever is believed first, no half-connected node stays.
    until("one of them is gone", || global.known().len() < 2).await;
    let held = global.known();
    until("connections follow", || ours.node.nodes(erlang_node::NodeFilter::Visible).len() < 2)
        .await;
    assert!(held.len() <= 1);
}
