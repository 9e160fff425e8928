//! Links across a connection.

use erlang_node::{Context, ExitReason, SpawnOptions};
use erlang_term::Term;
use tokio::sync::oneshot;

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

/// They lie there as messages do.
#[tokio::test]
async fn reasons_that_peers_give_count_for_a_mailbox() {
    let (a, b) = (node("ma").await, node("mb").await);
    let reason = ExitReason::Other(Term::binary(vec![7; 1 << 20]));
    for relation in ["none", "link", "monitor"] {
        let others: Vec<_> = (0..8).map(|_| echo(&b, SpawnOptions::new())).collect();
        let (related, is_related) = oneshot::channel();
        let mut options = SpawnOptions::new().trap_exit();
        options.mailbox_bytes_max = 4 << 20;
        let heedless = a.spawn(options, {
            let others = others.clone();
            move |mut context: Context| async move {
                for other in &others {
                    match relation {
                        "link" => context.link(other).await,
                        "monitor" => drop(context.monitor(other).await),
                        _ => {}
                    }
                }
                // What it has asked for is at the peer when this is answered.
                ask(&mut context, &others[0], Term::from(1)).await;
                let _ = related.send(());
                std::future::pending::<()>().await;
            }
        });
        let heedless = heedless.expect("spawned");
        soon(is_related).await.expect("it lives");
        for other in &others {
            let to = if relation == "none" { &heedless } else { other };
            b.exit(to, reason.clone()).await;
        }
        until(relation, || !a.is_process_alive(&heedless)).await;
    }
}
