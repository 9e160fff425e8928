//! `pg`: groups with members here and there.

use erlang_node::ExitReason;
use erlang_otp::StandardOptions;
use erlang_otp::pg::state::Change;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scopes_of_a_mixed_mesh_are_apart() {
    let world = World::new();
    let rooms = atom!("rooms");
    let ours = [
        world.ours_with("b", StandardOptions::default().pg_scope(rooms.clone())).await,
        world.ours_with("d", StandardOptions::default().pg_scope(rooms.clone())).await,
    ];
    let in_rooms = ours.each_ref().map(|own| own.services.scope(&rooms).unwrap());
    let in_pg = ours.each_ref().map(|own| own.services.scope(&atom!("pg")).unwrap());
    let echoes = ours.each_ref().map(|own| own.node.whereis(&atom!("echo")).unwrap());
    let (mut first, mut second) = (world.beam("a"), world.beam("c"));
    for beam in [&mut first, &mut second] {
        // A scope that only the BEAMs have is none of ours.
        for scope in ["pg", "rooms", "beams"] {
            assert!(beam.eval(&format!("pg:start({scope})")).await.starts_with("=> {ok,"));
        }
    }
    for own in ["b", "d"] {
        assert_eq!(first.eval(&format!("net_adm:ping('{own}@127.0.0.1')")).await, "=> pong");
    }
    assert_eq!(second.eval("net_adm:ping('b@127.0.0.1')").await, "=> pong");
    for beam in [&mut first, &mut second] {
        beam.wait_for("length(nodes())", "3").await;
    }
    let group = atom!("grp");
    assert_eq!(first.eval("pg:join(rooms, grp, self())").await, "=> ok");
    assert_eq!(first.eval("pg:join(beams, grp, self())").await, "=> ok");
    in_rooms[0].join(&group, &echoes[..1]).await.unwrap();
    in_pg[1].join(&group, &echoes[1..]).await.unwrap();
    let members = "[length(pg:get_members(S, grp)) || S <- [rooms, pg, beams]]";
    second.wait_for(members, "[2,1,1]").await;
    first.wait_for(members, "[2,1,1]").await;
    for (rooms, pg) in in_rooms.iter().zip(in_pg) {
        until("both members of the rooms", || rooms.members(&group).len() == 2).await;
        until("the one of pg", || pg.members(&group) == echoes[1..]).await;
    }
    for (scope, groups) in [("rooms", "[grp]"), ("pg", "[grp]")] {
        let ask = format!("rpc:call('d@127.0.0.1', pg, which_groups, [{scope}])");
        assert_eq!(second.eval(&ask).await, format!("=> {groups}"));
    }
    first.kill();
    for rooms in in_rooms {
        until("the lost member is gone", || rooms.members(&group) == echoes[..1]).await;
    }
    second.wait_for(members, "[1,1,0]").await;
    ours[0].node.shutdown().await;
    second.wait_for(members, "[0,1,0]").await;
    until("and so here", || in_rooms[1].groups().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scope_that_ends_comes_back_empty_and_asks_its_peers() {
    let world = World::new();
    let (ours, other) = (world.ours("b").await, world.ours("d").await);
    let scopes = [&ours, &other].map(|own| own.services.scope(&atom!("pg")).unwrap());
    let echoes = [&ours, &other].map(|own| own.node.whereis(&atom!("echo")).unwrap());
    let mut beam = world.beam("a");
    assert!(beam.eval("pg:start(pg)").await.starts_with("=> {ok,"));
    for own in ["b", "d"] {
        assert_eq!(beam.eval(&format!("net_adm:ping('{own}@127.0.0.1')")).await, "=> pong");
    }
    assert_eq!(beam.eval("pg:join(grp, self())").await, "=> ok");
    let group = atom!("grp");
    for (scope, echo) in scopes.iter().zip(&echoes) {
        scope.join(&group, std::slice::from_ref(echo)).await.unwrap();
    }
    for scope in scopes {
        until("all three are members", || scope.members(&group).len() == 3).await;
    }
    let members = "length(pg:get_members(grp))";
    beam.wait_for(members, "3").await;
    let mut changes = scopes[0].subscribe();
    let first = scopes[0].pid().unwrap();
    ours.node.exit(&first, ExitReason::Kill).await;
    until("another process", || scopes[0].pid().is_some_and(|pid| pid != first)).await;
    // What was here has left, and the peers know; what is there was told again.
    beam.wait_for(members, "2").await;
    until("ours is gone there", || !scopes[1].members(&group).contains(&echoes[0])).await;
    until("the peers told theirs", || {
        let members = scopes[0].members(&group);
        members.len() == 2 && members.contains(&echoes[1])
    })
    .await;
    assert!(scopes[0].local_members(&group).is_empty());
    let left = changes.recv().await.unwrap();
    assert_eq!((left.change, left.pids.len()), (Change::Leave, 3));
    // It is a member of its cluster as before.
    scopes[0].join(&group, &echoes[..1]).await.unwrap();
    beam.wait_for(members, "3").await;
    assert_eq!(beam.eval("pg:leave(grp, self())").await, "=> ok");
    until("a leave is told", || scopes[0].members(&group).len() == 2).await;
    // A BEAM's own scope, ended and started again, is to us as ours to it.
    assert_eq!(beam.eval("begin exit(whereis(pg), kill), ok end").await, "=> ok");
    beam.wait_for("case pg:start(pg) of {ok, P} when is_pid(P) -> ok; _ -> no end", "ok").await;
    beam.wait_for(members, "2").await;
}
