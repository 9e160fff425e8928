//! `pg`: groups with members here and there.

use erlang_otp::StandardOptions;
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
