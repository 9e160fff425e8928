//! Three BEAMs and two nodes of ours, all connected to all.

use erlang_node::NodeFilter;
use erlang_term::{Term, term};

use crate::world::{World, node, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_beams_and_two_of_ours_form_a_mesh() {
    let world = World::new();
    let (one, two) = (world.ours("x").await, world.ours("y").await);
    let mut beams = [world.beam("a"), world.beam("c"), world.beam("z")];
    // Each meets one other; global connects the rest.
    one.node.connect(&node("y")).await.unwrap();
    for (beam, peer) in beams.iter_mut().zip(["x", "y", "a"]) {
        assert_eq!(beam.eval(&format!("net_adm:ping('{peer}@127.0.0.1')")).await, "=> pong");
    }
    for beam in &mut beams {
        beam.wait_for("length(nodes())", "4").await;
        assert_eq!(beam.eval("global:sync()").await, "=> ok");
    }
    let ours = [&one, &two];
    for own in ours {
        until("all are connected", || own.node.nodes(NodeFilter::Visible).len() == 4).await;
        own.services.global.as_ref().unwrap().sync().await;
    }
    let views = || ours.map(|own| own.services.global.clone().unwrap());
    for (number, beam) in beams.iter_mut().enumerate() {
        let register = format!("global:register_name({{name, {number}}}, self())");
        assert_eq!(beam.eval(&register).await, "=> yes");
    }
    let [first, second] = views();
    let echo = one.node.whereis(&erlang_term::atom!("echo")).unwrap();
    first.register_name(term!({name, 3}), &echo).await.unwrap();
    for number in 0..4_i64 {
        let name: Term = term!({name, (number)});
        until("all of ours know the name", || {
            let (here, there) =
                (first.whereis_name(name.clone()), second.whereis_name(name.clone()));
            here.is_some() && here == there
        })
        .await;
        for beam in &mut beams {
            let known = format!("is_pid(global:whereis_name({{name, {number}}}))");
            beam.wait_for(&known, "true").await;
        }
    }
    let [mut a, c, z] = beams;
    c.kill();
    until("a killed node is gone everywhere", || {
        ours.iter().all(|own| !own.node.nodes(NodeFilter::Visible).contains(&node("c")))
            && first.whereis_name(term!({name, 1})).is_none()
            && second.whereis_name(term!({name, 1})).is_none()
    })
    .await;
    a.wait_for("lists:sort(nodes())", "['x@127.0.0.1','y@127.0.0.1','z@127.0.0.1']").await;
    assert_eq!(a.eval("global:sync()").await, "=> ok");
    assert_eq!(a.eval("global:trans({x, self()}, fun() -> done end)").await, "=> done");
    two.node.shutdown().await;
    a.wait_for("lists:sort(nodes())", "['x@127.0.0.1','z@127.0.0.1']").await;
    drop(z);
}
