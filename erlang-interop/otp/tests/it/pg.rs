//! `pg`: groups with members here and there.

use erlang_term::{atom, term};

use crate::world::{World, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_are_seen_on_both_sides() {
    let world = World::new();
    let ours = world.ours("b").await;
    let pg = ours.services.scope(&atom!("pg")).unwrap();
    let mut beam = world.beam("a");
    assert!(beam.eval("pg:start(pg)").await.starts_with("=> {ok,"));
    assert_eq!(beam.eval("pg:join(before, self())").await, "=> ok");
    assert_eq!(beam.eval("net_adm:ping('b@127.0.0.1')").await, "=> pong");
    until("a member from before we met", || pg.members(atom!("before")).len() == 1).await;
    assert_eq!(beam.eval("pg:join(grp, [self(), self()])").await, "=> ok");
    until("a process in a group twice", || pg.members(atom!("grp")).len() == 2).await;
    assert_eq!(beam.eval("pg:leave(grp, self())").await, "=> ok");
    until("it left once", || pg.members(atom!("grp")).len() == 1).await;
    let echo = ours.node.whereis(&atom!("echo")).unwrap();
    pg.join(term!({har, 1}), std::slice::from_ref(&echo)).await.unwrap();
    beam.wait_for("length(pg:get_members({har, 1}))", "1").await;
    let asked = beam.eval("rpc:call('b@127.0.0.1', pg, which_groups, [])").await;
    assert_eq!(asked, "=> [before,grp,{har,1}]");
    assert!(pg.leave(term!({har, 1}), &[echo]).await.unwrap());
    beam.wait_for("pg:get_members({har, 1})", "[]").await;
    beam.kill();
    until("members of a lost node are gone", || pg.groups().is_empty()).await;
}
