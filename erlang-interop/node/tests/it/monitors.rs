//! Monitors, names, aliases and exits across a connection.

use erlang_node::{AliasMode, Context, DemonitorOptions, Destination, ExitReason, SpawnOptions};
use erlang_term::Term;

use crate::harness::{ask, atom, echo, node, soon, stop, until, within};

#[tokio::test]
async fn a_monitor_by_pid_and_one_by_name_tell_of_the_end() {
    let (a, b) = (node("ma").await, node("mb").await);
    let name = atom("watched");
    let remote = echo(&b, SpawnOptions::new().name(name.clone()));
    within(&a, move |mut context: Context| async move {
        let by_pid = context.monitor(&remote).await;
        let by_name = context.monitor((name.clone(), b.name().clone())).await;
        let absent = context.monitor((atom("nobody"), b.name().clone())).await;
        let down = soon(context.receive()).await.as_down().expect("a DOWN");
        assert_eq!((down.reference, down.reason), (absent, ExitReason::Noproc));
        context.send((name.clone(), b.name().clone()), stop(Term::atom("why"))).await;
        for _ in 0..2 {
            let down = soon(context.receive()).await.as_down().expect("a DOWN");
            assert_eq!(down.reason, ExitReason::Other(Term::atom("why")));
            let expected = if down.reference == by_pid {
                Term::Pid(remote.clone())
            } else {
                assert_eq!(down.reference, by_name);
                Term::tuple([Term::Atom(name.clone()), Term::Atom(b.name().clone())])
            };
            assert_eq!(down.process, expected);
        }
    })
    .await;
}

#[tokio::test]
async fn a_demonitor_reaches_the_other_side() {
    let (a, b) = (node("da").await, node("db").await);
    let remote = echo(&b, SpawnOptions::new());
    within(&a, move |mut context: Context| async move {
        let monitor = context.monitor(&remote).await;
        ask(&mut context, &remote, Term::from(1)).await;
        assert_eq!(b.process_info(&remote).expect("lives").monitored_by.len(), 1);
        assert!(context.demonitor(&monitor, DemonitorOptions::default()));
        ask(&mut context, &remote, Term::from(2)).await;
        assert!(b.process_info(&remote).expect("lives").monitored_by.is_empty());
    })
    .await;
}

#[tokio::test]
async fn the_end_of_the_watcher_takes_its_monitors_back() {
    let (a, b) = (node("ea").await, node("eb").await);
    let remote = echo(&b, SpawnOptions::new());
    let watched = remote.clone();
    within(&a, move |mut context: Context| async move {
        context.monitor(&watched).await;
        ask(&mut context, &watched, Term::from(1)).await;
    })
    .await;
    until("no watcher is left", || b.process_info(&remote).expect("lives").monitored_by.is_empty())
        .await;
}

#[tokio::test]
async fn an_alias_receives_across_a_connection_until_the_reply() {
    let (a, b) = (node("aa").await, node("ab").await);
    let remote = echo(&b, SpawnOptions::new());
    within(&a, move |mut context: Context| async move {
        let alias = context.monitor_with_alias(&remote, AliasMode::ReplyDemonitor).await;
        for number in 0..3 {
            b.send(&alias, number).await;
        }
        ask(&mut context, &remote, Term::from(9)).await;
        assert_eq!(context.try_receive().map(|message| message.into_term()), Some(Term::from(0)));
        assert_eq!(context.try_receive(), None);
        assert!(!context.demonitor(&alias, DemonitorOptions::default()), "the reply took it back");
    })
    .await;
}

#[tokio::test]
async fn exit_and_group_leader_reach_a_remote_process() {
    let (a, b) = (node("ga").await, node("gb").await);
    let remote = echo(&b, SpawnOptions::new());
    within(&a, move |mut context: Context| async move {
        let monitor = context.monitor(&remote).await;
        context.node().change_group_leader(context.pid(), &remote).await;
        ask(&mut context, &remote, Term::from(1)).await;
        assert_eq!(b.process_info(&remote).expect("lives").group_leader, *context.pid());
        context.exit(&remote, ExitReason::Kill).await;
        let down = soon(context.receive()).await.as_down().expect("a DOWN");
        assert_eq!((down.reference, down.reason), (monitor, ExitReason::Killed));
    })
    .await;
}

#[tokio::test]
async fn messages_to_nowhere_vanish_and_the_connection_lives_on() {
    let (a, b) = (node("va").await, node("vb").await);
    let remote = echo(&b, SpawnOptions::new());
    within(&a, move |mut context: Context| async move {
        context.send((atom("nobody"), b.name().clone()), 1).await;
        context.send(&b.unused_pid(), 1).await;
        context.send(Destination::Alias(b.make_reference()), 1).await;
        context.send((atom("x"), atom("nobody@127.0.0.1")), 1).await;
        context.send((atom("x"), atom("no_node_name")), 1).await;
        ask(&mut context, &remote, Term::from(1)).await;
        let nowhere = context.monitor((atom("x"), atom("nobody@127.0.0.1"))).await;
        let down = soon(context.receive()).await.as_down().expect("a DOWN");
        assert_eq!((down.reference, down.reason), (nowhere, ExitReason::Noconnection));
    })
    .await;
}
