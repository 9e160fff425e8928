//! What clients of servers have in common: a process for a call, many calls at once, sends that
//! don't set up connections.

use std::collections::HashMap;
use std::time::Duration;

use erlang_node::{AliasMode, Context, DemonitorOptions, Node, Origin, SpawnOptions};
use erlang_term::{Atom, Reference, Term, atom};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::gen_message::{From, call_message, cast_message};

/// Runs an asynchronous function in a process of its own and gives what it returned. For code that
/// is no process but needs one: to be answered, to monitor, to hold a lock.
///
/// # Errors
/// Why there was no result, in words: the process could not be started, or it was ended.
pub async fn in_process<T, F, Fut>(node: &Node, run: F) -> Result<T, String>
where
    T: Send + 'static,
    F: FnOnce(Context) -> Fut + Send + 'static,
    Fut: Future<Output = T> + Send + 'static,
{
    in_process_for(node, None, run).await
}

/// As [`in_process`], for a peer, whose process it is then.
///
/// # Errors
/// As [`in_process`].
pub async fn in_process_for<T, F, Fut>(
    node: &Node,
    origin: Option<&Origin>,
    run: F,
) -> Result<T, String>
where
    T: Send + 'static,
    F: FnOnce(Context) -> Fut + Send + 'static,
    Fut: Future<Output = T> + Send + 'static,
{
    let (done, result) = oneshot::channel();
    node.spawn(SpawnOptions::new().on_behalf_of(origin.cloned()), move |context| async move {
        // Whoever waited may have given up; then nobody needs the result.
        let _ = done.send(run(context).await);
    })
    .map_err(|error| error.to_string())?;
    result.await.map_err(|_| "the process was ended".to_owned())
}

/// Whether a message to that node would not set up a connection.
pub(crate) fn is_connected(context: &Context, node: &Atom) -> bool {
    node == context.node().name() || context.node().node_info(node).is_some()
}

/// Those of the nodes to which a message would not set up a connection.
pub(crate) fn connected(context: &Context, nodes: &[Atom]) -> Vec<Atom> {
    nodes.iter().filter(|node| is_connected(context, node)).cloned().collect()
}

/// A cast that dials nobody: one for a node that isn't connected is gone.
pub async fn cast_connected(context: &Context, to: (Atom, Atom), message: impl Into<Term>) {
    context.send_connected(to, cast_message(message)).await;
}

/// Calls the server of the same name on several nodes at once: `gen_server:multi_call/4`. Gives
/// the answers that came; nodes without the server, or without an answer in time, are left out.
pub async fn multi_call(
    context: &mut Context,
    nodes: &[Atom],
    server: &Atom,
    request: Term,
    timeout: Duration,
) -> Vec<(Atom, Term)> {
    multi_call_in_time(context, nodes, server, request, timeout).await.0
}

/// As [`multi_call`], and gives also the nodes that are there but did not answer in time: what was
/// asked of them may yet be done.
pub async fn multi_call_in_time(
    context: &mut Context,
    nodes: &[Atom],
    server: &Atom,
    request: Term,
    timeout: Duration,
) -> (Vec<(Atom, Term)>, Vec<Atom>) {
    let mut waiting: HashMap<Reference, Atom> = HashMap::new();
    for node in nodes {
        let target = (server.clone(), node.clone());
        let monitor = context.monitor_with_alias(target.clone(), AliasMode::ReplyDemonitor).await;
        let tag = Term::improper_list([atom!("alias")], &monitor);
        let from = From::new(context.pid().clone(), tag);
        // Not by another dial: if the monitor could not be set, nobody would ask for the answer.
        context.send_connected(target, call_message(&from, request.clone())).await;
        waiting.insert(monitor, node.clone());
    }
    let deadline = Instant::now() + timeout;
    let mut answers = Vec::new();
    while !waiting.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        let next = context.receive_map_timeout(left, |message| answer_of(message, &waiting)).await;
        let Ok((_, (monitor, value))) = next else { break };
        if let Some(node) = waiting.remove(&monitor) {
            answers.extend(value.map(|value| (node, value)));
        }
        context.demonitor(&monitor, DemonitorOptions::FLUSH);
    }
    for monitor in waiting.keys() {
        context.demonitor(monitor, DemonitorOptions::FLUSH);
        context.unalias(monitor);
    }
    let mut late: Vec<Atom> = waiting.into_values().collect();
    late.sort();
    (answers, late)
}

/// The call that a message answers, and the answer; none if the server is gone.
fn answer_of(
    message: &Term,
    waiting: &HashMap<Reference, Atom>,
) -> Option<(Reference, Option<Term>)> {
    match message.as_tuple()? {
        [Term::List(tag), value] => match tag.tail() {
            Term::Reference(monitor) if waiting.contains_key(monitor) => {
                Some((monitor.clone(), Some(value.clone())))
            }
            _ => None,
        },
        [down, Term::Reference(monitor), _, _, _]
            if down.is_atom("DOWN") && waiting.contains_key(monitor) =>
        {
            Some((monitor.clone(), None))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::dialing::node_that_dials;
    use crate::gen_server::{CallError, call_from};

    /// Found by the simulator: the monitor could not be set, the dial of the request got through, and
    /// a lock was taken that nobody knew of.
    #[tokio::test]
    async fn a_request_is_not_sent_by_a_dial_of_its_own() {
        let peers = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let node = node_that_dials(peers.local_addr().unwrap().port()).await;
        let (dials, mut dialled) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((dialer, _)) = peers.accept().await {
                drop(dialer);
                let _ = dials.send(());
            }
        });
        let gone = Atom::new("b@127.0.0.1").unwrap();
        let (at, server, patience) = (gone.clone(), atom!("server"), Duration::from_secs(30));
        let answers = in_process(&node, async move |mut context: Context| {
            multi_call_in_time(&mut context, &[at], &server, Term::Nil, patience).await
        });
        assert_eq!(answers.await.unwrap(), (vec![], vec![]));
        assert_eq!(dialled.recv().await, Some(()));
        let call = call_from(&node, (atom!("server"), gone.clone()), Term::Nil, patience).await;
        assert_eq!(call, Err(CallError::Nodedown(gone)));
        assert_eq!(dialled.recv().await, Some(()));
        assert!(dialled.try_recv().is_err(), "the request was dialled for");
    }
}
