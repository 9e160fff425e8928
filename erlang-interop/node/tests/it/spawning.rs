//! Spawn requests between nodes.

use erlang_node::{Context, ExitReason, Message, Mfa, SpawnReplies, SpawnRequestOptions};
use erlang_term::{Pid, Reference, Term, atom};

use crate::harness::{atom, node, soon, until, within};

fn test(function: &str, args: Vec<Term>) -> Mfa {
    Mfa { module: atom!("test"), function: atom(function), args }
}

/// `{spawn_reply, Request, ok, Pid}` or the error atom.
fn reply(message: &Message, request: &Reference) -> Option<Result<Pid, Term>> {
    match message.as_tuple()? {
        [tag, Term::Reference(of), outcome, value]
            if of == request && tag.is_atom("spawn_reply") =>
        {
            Some(match value {
                Term::Pid(pid) if outcome.is_atom("ok") => Ok(pid.clone()),
                other => Err(other.clone()),
            })
        }
        _ => None,
    }
}

#[tokio::test]
async fn the_reply_comes_first_and_the_reason_is_the_result() {
    let (a, b) = (node("sa").await, node("sb").await);
    within(&a, move |mut context: Context| async move {
        let result = Term::tuple([Term::atom("return"), Term::from(42)]);
        let options = SpawnRequestOptions::new().monitor();
        let mfa = test("exit", vec![result.clone()]);
        let request = context.spawn_request(b.name(), mfa, options).await;
        let first = soon(context.receive()).await;
        let pid = reply(&first, &request).expect("the reply is first").expect("it worked");
        assert_eq!(pid.node(), b.name());
        let down = soon(context.receive()).await.as_down().expect("a DOWN");
        assert_eq!((down.reference, down.reason), (request, ExitReason::Other(result)));
    })
    .await;
}

#[tokio::test]
async fn links_options_and_failures() {
    let (a, b) = (node("ta").await, node("tb").await);
    within(&a, move |mut context: Context| async move {
        context.trap_exit(true);
        let options = SpawnRequestOptions::new().link();
        let request = context.spawn_request(b.name(), test("wait", vec![]), options).await;
        let (_, spawned) = soon(context.receive_map(|message| reply(message, &request))).await;
        let pid = spawned.expect("it worked");
        assert_eq!(b.process_info(&pid).expect("it lives").links, [context.pid().clone()]);
        context.exit(&pid, ExitReason::Kill).await;
        let exit = soon(context.receive()).await.as_exit().expect("an EXIT");
        assert_eq!((exit.from, exit.reason), (pid, ExitReason::Killed));

        let silent = SpawnRequestOptions::new().monitor().reply(SpawnReplies::No);
        let request = context.spawn_request(b.name(), test("panic", vec![]), silent).await;
        let down = soon(context.receive()).await.as_down().expect("a DOWN");
        assert_eq!(down.reference, request);
        assert!(down.reason.to_string().contains("asked to"), "{}", down.reason);

        let nowhere = atom("nobody@127.0.0.1");
        let options = SpawnRequestOptions::new().monitor();
        let request = context.spawn_request(&nowhere, test("wait", vec![]), options).await;
        let failed = soon(context.receive_map(|message| reply(message, &request))).await.1;
        assert_eq!(failed, Err(Term::atom("noconnection")));
    })
    .await;
}

#[tokio::test]
async fn a_request_to_the_own_node_needs_no_network() {
    let node = node("oa").await;
    within(&node, |mut context: Context| async move {
        let name = context.node().name().clone();
        let options = SpawnRequestOptions::new().monitor();
        let mfa = test("exit", vec![Term::from(1)]);
        let request = context.spawn_request(&name, mfa, options).await;
        let first = soon(context.receive()).await;
        assert!(matches!(reply(&first, &request), Some(Ok(_))), "{first:?}");
        let down = soon(context.receive()).await.as_down().expect("a DOWN");
        assert_eq!((down.reference, down.reason), (request, ExitReason::Other(Term::from(1))));
    })
    .await;
}

#[tokio::test]
async fn an_abandoned_request_leaves_no_process_behind() {
    let (a, b) = (node("qa").await, node("qb").await);
    a.connect(b.name()).await.expect("connected");
    within(&a, {
        let b = b.clone();
        move |context: Context| async move {
            let options = SpawnRequestOptions::new().link();
            let request = context.spawn_request(b.name(), test("wait", vec![]), options).await;
            assert!(context.spawn_request_abandon(&request));
            assert!(!context.spawn_request_abandon(&request));
            until("it came and went", || b.process_count() == 0).await;
        }
    })
    .await;
}

#[tokio::test]
async fn more_arguments_than_a_function_can_have_are_a_bad_argument() {
    let (a, b) = (node("ara").await, node("arb").await);
    within(&a, move |mut context: Context| async move {
        for to in [b.name().clone(), context.node().name().clone()] {
            let mfa = test("wait", vec![Term::Nil; 256]);
            let request = context.spawn_request(&to, mfa, SpawnRequestOptions::new()).await;
            let answer = soon(context.receive()).await.into_term();
            let parts = answer.as_tuple().expect("a tuple");
            assert_eq!(parts[1], Term::Reference(request));
            assert!(parts[2].is_atom("error") && parts[3].is_atom("badarg"), "{answer}");
        }
    })
    .await;
}
