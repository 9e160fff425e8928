//! Processes of one node.

use std::time::Duration;

use erlang_node::{
    AliasMode, Context, DemonitorOptions, ExitReason, Message, Node, RegisterError, SpawnError,
    SpawnOptions,
};
use erlang_term::{Term, atom};

use crate::harness::{self, ask, atom, echo, soon, stop, until, within};

fn lone() -> Node {
    Node::new(harness::config("lone")).expect("a node without a network")
}

#[tokio::test]
async fn messages_arrive_in_order_and_selective_receive_leaves_the_others() {
    let node = lone();
    let received = within(&node, |mut context: Context| async move {
        for number in 0..10 {
            context.send(context.pid(), number).await;
        }
        let seven = context.receive_matching(|message| **message == Term::from(7)).await;
        let mut rest = vec![seven.into_term()];
        while let Some(message) = context.try_receive() {
            rest.push(message.into_term());
        }
        rest
    })
    .await;
    let expected = [7, 0, 1, 2, 3, 4, 5, 6, 8, 9].map(Term::from);
    assert_eq!(received, expected);
}

/// The `DOWN` of a process that was ended but has not noticed yet: its name is free.
#[tokio::test]
async fn a_name_is_free_when_its_process_is_known_to_be_down() {
    let node = lone();
    within(&node, |mut context: Context| async move {
        let name = atom("taken");
        let node = context.node().clone();
        let forever = |_: Context| std::future::pending::<ExitReason>();
        let pid = node.spawn(SpawnOptions::new().name(name.clone()), forever).expect("a process");
        context.exit(&pid, ExitReason::Kill).await;
        let monitor = context.monitor(&pid).await;
        context.receive_matching(|message| message.is_down_of(&monitor)).await;
        node.spawn(SpawnOptions::new().name(name), forever).expect("the name is free");
    })
    .await;
}

/// Needs threads: the exit signal of a process that ends is on its way while the other unlinks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_exit_signal_comes_after_unlink() {
    let node = lone();
    within(&node, |mut context: Context| async move {
        context.trap_exit(true);
        for round in 0..10_000 {
            let options = SpawnOptions::new().link();
            let ending = |_: Context| async { ExitReason::Other(Term::from(atom!("boom"))) };
            let child = context.spawn(options, ending).expect("a process").pid;
            context.unlink(&child);
            let exit = |message: &Message| message.as_exit().is_some();
            while context.try_receive_matching(exit).is_some() {}
            let monitor = context.monitor(&child).await;
            context.receive_matching(|message| message.is_down_of(&monitor)).await;
            assert!(context.try_receive_matching(exit).is_none(), "round {round}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_receive_can_time_out_and_a_later_one_finds_the_message() {
    let node = lone();
    within(&node, |mut context: Context| async move {
        assert!(context.receive_timeout(Duration::ZERO).await.is_err());
        assert!(context.receive_timeout(Duration::from_millis(1)).await.is_err());
        context.send(context.pid(), 1).await;
        let never = context.receive_matching_timeout(Duration::from_millis(1), |_| false).await;
        assert!(never.is_err());
        let found = context.receive_timeout(Duration::ZERO).await.expect("it is still there");
        assert_eq!(found.into_term(), Term::from(1));
    })
    .await;
}

#[tokio::test]
async fn a_link_ends_the_other_process_unless_it_traps() {
    let node = lone();
    within(&node, |mut context: Context| async move {
        let waiting = |_: Context| std::future::pending::<ExitReason>();
        let victim = context.spawn(SpawnOptions::new().monitor(), waiting).expect("spawned");
        let other = context.node().clone();
        let linker = echo(&other, SpawnOptions::new());
        context.trap_exit(true);
        context.link(&linker).await;
        // linker dies, we trap
        context.send(&linker, stop(Term::atom("boom"))).await;
        let message = soon(context.receive()).await;
        let exit = message.as_exit().expect("an EXIT");
        assert_eq!((exit.from, exit.reason), (linker, ExitReason::Other(Term::atom("boom"))));
        // kill goes through, and shows as killed
        context.exit(&victim.pid, ExitReason::Kill).await;
        let down = soon(context.receive()).await.as_down().expect("a DOWN");
        assert_eq!(Some(down.reference), victim.monitor);
        assert_eq!(down.reason, ExitReason::Killed);
    })
    .await;
}

#[tokio::test]
async fn exit_signals_follow_the_rules() {
    let node = lone();
    within(&node, |mut context: Context| async move {
        let target = echo(context.node(), SpawnOptions::new());
        let monitor = context.monitor(&target).await;
        context.exit(&target, ExitReason::Normal).await;
        ask(&mut context, &target, Term::from(1)).await;
        context.exit(&target, ExitReason::Shutdown).await;
        let down = soon(context.receive()).await.as_down().expect("a DOWN");
        assert_eq!((down.reference, down.reason), (monitor, ExitReason::Shutdown));
        // A dead pid: noproc at once, for links as an exit.
        context.trap_exit(true);
        context.link(&target).await;
        let exit = soon(context.receive()).await.as_exit().expect("an EXIT");
        assert_eq!((&exit.from, exit.reason), (&target, ExitReason::Noproc));
        let late = context.monitor(&target).await;
        let down = soon(context.receive()).await.as_down().expect("a DOWN");
        assert_eq!((down.reference, down.reason), (late, ExitReason::Noproc));
    })
    .await;
}

#[tokio::test]
async fn unlinked_processes_do_not_take_each_other_along() {
    let node = lone();
    within(&node, |mut context: Context| async move {
        let target = echo(context.node(), SpawnOptions::new());
        let monitor = context.monitor(&target).await;
        context.link(&target).await;
        context.unlink(&target);
        context.send(&target, stop(Term::atom("gone"))).await;
        assert!(soon(context.receive()).await.is_down_of(&monitor));
        assert!(context.node().process_info(context.pid()).expect("we live").links.is_empty());
    })
    .await;
}

#[tokio::test]
async fn demonitor_with_flush_leaves_nothing() {
    let node = lone();
    within(&node, |mut context: Context| async move {
        let target = echo(context.node(), SpawnOptions::new());
        let monitor = context.monitor(&target).await;
        let witness = context.monitor(&target).await;
        context.exit(&target, ExitReason::Kill).await;
        soon(context.receive_matching(|message| message.is_down_of(&witness))).await;
        assert!(!context.demonitor(&monitor, DemonitorOptions::FLUSH), "it has fired");
        assert_eq!(context.try_receive(), None);
    })
    .await;
}

#[tokio::test]
async fn aliases_end_as_their_mode_says() {
    let node = lone();
    within(&node, |mut context: Context| async move {
        let explicit = context.alias(AliasMode::ExplicitUnalias);
        context.send(&explicit, 1).await;
        context.send(&explicit, 2).await;
        assert!(context.unalias(&explicit));
        context.send(&explicit, 3).await;
        assert!(!context.unalias(&explicit));
        let target = echo(context.node(), SpawnOptions::new());
        let reply = context.monitor_with_alias(&target, AliasMode::ReplyDemonitor).await;
        context.send(&reply, 4).await;
        context.send(&reply, 5).await;
        let ends = context.monitor_with_alias(&target, AliasMode::Demonitor).await;
        context.exit(&target, ExitReason::Kill).await;
        let down = soon(context.receive_map(Message::as_down)).await.1;
        assert_eq!(down.reference, ends, "the reply took the other monitor back");
        context.send(&ends, 6).await;
        let mut rest = Vec::new();
        while let Some(message) = context.try_receive() {
            rest.push(message.into_term());
        }
        assert_eq!(rest, [1, 2, 4].map(Term::from));
    })
    .await;
}

#[tokio::test]
async fn names_belong_to_one_live_process() {
    let node = lone();
    let name = atom("the_name");
    let first = echo(&node, SpawnOptions::new().name(name.clone()));
    let taken = node.spawn(SpawnOptions::new().name(name.clone()), |_| async {});
    assert!(matches!(
        taken,
        Err(SpawnError::Register(RegisterError::NameTaken { name: taken })) if taken == name
    ));
    assert_eq!(
        node.register(&atom("another"), &first),
        Err(RegisterError::HasName { name: name.clone() })
    );
    assert_eq!(node.register(&atom("undefined"), &first), Err(RegisterError::Reserved));
    assert_eq!(node.whereis(&name), Some(first.clone()));
    assert_eq!(node.registered(), std::slice::from_ref(&name));
    node.exit(&first, ExitReason::Kill).await;
    until("the name is free", || node.whereis(&name).is_none()).await;
    assert_eq!(node.register(&name, &first), Err(RegisterError::Noproc));
}

#[tokio::test]
async fn a_monitor_by_name_tells_the_name() {
    let node = lone();
    within(&node, |mut context: Context| async move {
        let name = atom("named");
        let target = echo(context.node(), SpawnOptions::new().name(name.clone()));
        let monitor = context.monitor(name.clone()).await;
        let absent = context.monitor((atom("nobody"), context.node().name().clone())).await;
        let down = soon(context.receive()).await.as_down().expect("a DOWN");
        assert_eq!((down.reference, down.reason), (absent, ExitReason::Noproc));
        context.exit(&target, ExitReason::Shutdown).await;
        let down = soon(context.receive()).await.as_down().expect("a DOWN");
        assert_eq!(down.reference, monitor);
        let node = context.node().name().clone();
        assert_eq!(down.process, Term::tuple([Term::Atom(name), Term::Atom(node)]));
    })
    .await;
}

#[tokio::test]
async fn a_panic_is_an_exit_reason() {
    let node = lone();
    within(&node, |mut context: Context| async move {
        let spawned = context.spawn(SpawnOptions::new().monitor(), |_| async {
            let empty: Vec<u32> = Vec::new();
            let _ = empty[usize::from(empty.len() as u8)];
        });
        let spawned = spawned.expect("spawned");
        let down = soon(context.receive()).await.as_down().expect("a DOWN");
        let text = down.reason.to_string();
        assert!(text.contains("panic") && text.contains("local.rs"), "{text}");
        assert!(!context.node().is_process_alive(&spawned.pid));
    })
    .await;
}

#[tokio::test]
async fn a_mailbox_that_runs_over_costs_its_process_only() {
    let node = lone();
    let mut options = SpawnOptions::new();
    options.mailbox_messages_max = 10;
    let full = node.spawn(options, |_| std::future::pending::<ExitReason>()).expect("spawned");
    within(&node, move |mut context: Context| async move {
        let monitor = context.monitor(&full).await;
        for number in 0..11 {
            context.send(&full, number).await;
        }
        let down = soon(context.receive()).await.as_down().expect("a DOWN");
        assert_eq!((down.reference, down.reason), (monitor, ExitReason::Killed));
    })
    .await;
}

#[tokio::test]
async fn the_process_table_is_bounded() {
    let mut config = harness::config("small");
    config.processes_max = 2;
    let node = Node::new(config).expect("a node");
    let waiting = |_: Context| std::future::pending::<ExitReason>();
    node.spawn(SpawnOptions::new(), waiting).expect("one");
    let second = node.spawn(SpawnOptions::new(), waiting).expect("two");
    let third = node.spawn(SpawnOptions::new(), waiting);
    assert_eq!(third, Err(SpawnError::SystemLimit { max: 2 }));
    node.exit(&second, ExitReason::Kill).await;
    until("one has ended", || node.process_count() == 1).await;
    node.spawn(SpawnOptions::new(), waiting).expect("there is room again");
}

#[tokio::test]
async fn what_process_info_tells() {
    let node = lone();
    within(&node, |context: Context| async move {
        context.register(&atom!("me")).expect("free");
        assert_eq!(context.put(atom!("k"), 1), None);
        assert_eq!(context.put(atom!("k"), 2), Some(Term::from(1)));
        context.trap_exit(true);
        let target = echo(context.node(), SpawnOptions::new());
        context.link(&target).await;
        context.monitor(&target).await;
        context.send(context.pid(), 1).await;
        let info = context.node().process_info(context.pid()).expect("we live");
        assert_eq!(info.registered_name, Some(atom!("me")));
        assert_eq!(info.links, std::slice::from_ref(&target));
        assert_eq!((info.message_queue_len, info.trap_exit), (1, true));
        assert_eq!(info.dictionary, [(Term::atom("k"), Term::from(2))]);
        let of_target = context.node().process_info(&target).expect("it lives");
        assert_eq!(of_target.monitored_by, [context.pid().clone()]);
        assert_eq!(context.erase(&Term::atom("k")), Some(Term::from(2)));
        assert!(context.dictionary().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_stopping_node_ends_its_processes_with_shutdown() {
    let node = lone();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let orderly = node.spawn(SpawnOptions::new().trap_exit(), |mut context: Context| async move {
        assert!(!context.node().is_stopping());
        let exit = context.receive().await.as_exit();
        let reason = exit.map(|exit| exit.reason);
        let _ = sender.send((reason, context.node().is_stopping()));
    });
    orderly.expect("spawned");
    let waiting = |_: Context| std::future::pending::<ExitReason>();
    node.spawn(SpawnOptions::new(), waiting).expect("spawned");
    soon(node.shutdown()).await;
    // Who is told `shutdown` can see that it's the node that goes.
    assert_eq!(receiver.await, Ok((Some(ExitReason::Shutdown), true)));
    assert_eq!(node.process_count(), 0);
    assert_eq!(node.spawn(SpawnOptions::new(), waiting), Err(SpawnError::Stopping));
}

#[tokio::test]
async fn whoever_stops_a_node_all_who_wait_for_its_end_learn_of_it() {
    let node = lone();
    let waiting = tokio::spawn({
        let node = node.clone();
        async move { node.stopped().await }
    });
    echo(&node, SpawnOptions::new());
    assert!(!waiting.is_finished());
    let stopping = node.clone();
    within(&node, move |context: Context| async move {
        // From a process of the node, which does not live to see the end of the call.
        tokio::spawn(async move { stopping.shutdown().await });
        drop(context);
    })
    .await;
    soon(waiting).await.expect("it is told");
    assert_eq!(node.process_count(), 0);
    soon(node.stopped()).await;
}
