//! Links across a connection.

use erlang_node::{Context, ExitReason, SpawnOptions};
use erlang_term::Term;

use crate::harness::{ask, echo, node, soon, stop, until, within};

#[tokio::test]
async fn a_link_works_both_ways_across_a_connection() {
    let (a, b) = (node("la").await, node("lb").await);
    let remote = echo(&b, SpawnOptions::new());
    within(&a, move |mut context: Context| async move {
        context.trap_exit(true);
        context.link(&remote).await;
        ask(&mut context, &remote, Term::from(1)).await;
        assert_eq!(b.process_info(&remote).expect("it lives").links, [context.pid().clone()]);
        context.send(&remote, stop(Term::atom("done"))).await;
        let exit = soon(context.receive()).await.as_exit().expect("an EXIT");
        assert_eq!((exit.from, exit.reason), (remote, ExitReason::Other(Term::atom("done"))));
        let second = echo(&b, SpawnOptions::new());
        let own = context.spawn(SpawnOptions::new(), {
            let second = second.clone();
            |context: Context| async move {
                context.link(&second).await;
                ExitReason::Other(Term::atom("ours"))
            }
        });
        own.expect("spawned");
        until("the remote end has died", || !b.is_process_alive(&second)).await;
    })
    .await;
}

#[tokio::test]
async fn an_unlink_is_acknowledged_and_leaves_no_record() {
    let (a, b) = (node("ua").await, node("ub").await);
    let remote = echo(&b, SpawnOptions::new());
    within(&a, move |mut context: Context| async move {
        for round in 0..20 {
            context.link(&remote).await;
            context.unlink(&remote);
            context.link(&remote).await;
            context.unlink(&remote);
            ask(&mut context, &remote, Term::from(round)).await;
        }
        assert!(b.process_info(&remote).expect("it lives").links.is_empty());
        context.exit(&remote, ExitReason::Kill).await;
        let monitor = context.monitor(&remote).await;
        // Had a link been left, its exit signal would have ended this process.
        soon(context.receive_matching(|message| message.is_down_of(&monitor))).await;
    })
    .await;
}

#[tokio::test]
async fn a_lost_connection_breaks_links_and_monitors_with_noconnection() {
    let (a, b) = (node("na").await, node("nb").await);
    let remote = echo(&b, SpawnOptions::new());
    within(&a, move |mut context: Context| async move {
        context.trap_exit(true);
        context.link(&remote).await;
        let monitor = context.monitor(&remote).await;
        context.monitor_node(b.name(), true).await;
        ask(&mut context, &remote, Term::from(1)).await;
        assert!(context.node().disconnect(b.name()).await);
        let exit = soon(context.receive_map(erlang_node::Message::as_exit)).await.1;
        assert_eq!((&exit.from, exit.reason), (&remote, ExitReason::Noconnection));
        let down = soon(context.receive_map(erlang_node::Message::as_down)).await.1;
        assert_eq!((down.reference, down.reason), (monitor, ExitReason::Noconnection));
        let nodedown = Term::tuple([Term::atom("nodedown"), Term::Atom(b.name().clone())]);
        soon(context.receive_matching(|message| **message == nodedown)).await;
        // The remote end does not trap: on its own side the broken link takes it along.
        until("the other side knows too", || !b.is_process_alive(&remote)).await;
    })
    .await;
}

#[tokio::test]
async fn a_link_to_nobody_is_answered_with_noproc() {
    let (a, b) = (node("xa").await, node("xb").await);
    let nobody = b.unused_pid();
    within(&a, move |mut context: Context| async move {
        context.trap_exit(true);
        context.link(&nobody).await;
        let exit = soon(context.receive()).await.as_exit().expect("an EXIT");
        assert_eq!((exit.from, exit.reason), (nobody, ExitReason::Noproc));
    })
    .await;
}
