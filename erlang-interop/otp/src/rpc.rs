//! `rpc` as a client: calls whose failures are values, `{badrpc, Reason}`.

use std::time::Duration;

use erlang_node::{Context, DemonitorOptions, ExitReason, Node, SpawnOptions};
use erlang_term::{Atom, Reference, Term, atom};
use tokio::time::Instant;

use crate::client::{in_process, is_connected};
use crate::erpc;
use crate::gen_server::{self, CallError};
use crate::reason::badrpc;

/// `rpc:call/5`: the value, or `{badrpc, nodedown | timeout | {'EXIT', Reason}}`.
pub async fn call(
    node: &Node,
    at: &Atom,
    module: &Atom,
    function: &Atom,
    arguments: Vec<Term>,
    timeout: Duration,
) -> Term {
    match erpc::call(node, at, module, function, arguments, timeout).await {
        Ok(outcome) => outcome.into_rpc(),
        Err(erpc::TimedOut) => badrpc(atom!("timeout")),
    }
}

/// `rpc:multicall/5`: the values in the order of the nodes, and the nodes that can't be reached.
pub async fn multicall(
    node: &Node,
    nodes: &[Atom],
    module: &Atom,
    function: &Atom,
    arguments: &[Term],
    timeout: Duration,
) -> (Vec<Term>, Vec<Atom>) {
    let outcomes = erpc::multicall(node, nodes, module, function, arguments, timeout).await;
    let (mut values, mut bad) = (Vec::new(), Vec::new());
    for (at, outcome) in nodes.iter().zip(outcomes) {
        match outcome {
            Ok(crate::reason::CallOutcome::Noconnection) | Err(erpc::TimedOut) => {
                bad.push(at.clone());
            }
            Ok(outcome) => values.push(outcome.into_rpc()),
        }
    }
    (values, bad)
}

/// `rpc:block_call/5`: as [`call`], and the node makes one such call after the other.
pub async fn block_call(
    node: &Node,
    at: &Atom,
    module: &Atom,
    function: &Atom,
    arguments: Vec<Term>,
    timeout: Duration,
) -> Term {
    let (server, arguments) = ((atom!("rex"), at.clone()), Term::list(arguments));
    let (module, function) = (Term::from(module), Term::from(function));
    let answer = in_process(node, move |mut context| async move {
        // What the function prints is printed there: the group leader of this process is nobody's.
        let leader = context.group_leader();
        let request =
            Term::tuple([atom!("block_call").into(), module, function, arguments, leader.into()]);
        gen_server::call(&mut context, server, request, timeout).await
    });
    match answer.await.unwrap_or_else(|reason| Err(CallError::Spawn(reason))) {
        Ok(value) => value,
        Err(CallError::Nodedown(_)) => badrpc(atom!("nodedown")),
        Err(CallError::Timeout(_)) => badrpc(atom!("timeout")),
        Err(error) => badrpc((atom!("EXIT"), error.reason())),
    }
}

/// `rpc:abcast/3`: sends a message to the process of that name on each node, and waits for nothing.
pub async fn abcast(context: &Context, nodes: &[Atom], name: &Atom, message: impl Into<Term>) {
    let message = message.into();
    for node in nodes {
        let (to, message) = ((name.clone(), node.clone()), message.clone());
        if is_connected(context, node) {
            context.send(to, message).await;
            continue;
        }
        // As OTP does it: a node that has to be dialled holds up none of the others.
        let sent = context.node().spawn(SpawnOptions::new(), |sender| async move {
            sender.send(to, message).await;
        });
        if let Err(error) = sent {
            tracing::warn!(%node, %error, "rpc: abcast was not sent");
        }
    }
}

/// `rpc:sbcast/3`: as [`abcast`], and waits until the message is in the mailboxes. Gives the nodes
/// where it is, and those where it isn't: none of that name, not reached, or no answer in time.
pub async fn sbcast(
    context: &mut Context,
    nodes: &[Atom],
    name: &Atom,
    message: impl Into<Term>,
    timeout: Duration,
) -> (Vec<Atom>, Vec<Atom>) {
    let (rex, request) = (atom!("rex"), Term::from((atom!("sbcast"), name, message.into())));
    let mut asked = Vec::new();
    for node in nodes {
        asked.push((node, ask(context, node, &rex, request.clone()).await));
    }
    let deadline = Instant::now() + timeout;
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for (node, monitor) in asked {
        let left = deadline.saturating_duration_since(Instant::now());
        // `Node`, or `{nonexisting_name, Name}`.
        match answer(context, node, &rex, &monitor, left).await {
            Ok(Term::Atom(_)) => good.push(node.clone()),
            _ => bad.push(node.clone()),
        }
    }
    (good, bad)
}

/// `rpc:server_call/4`: sends `{self(), Message}` to a server that answers `{Wrapper, Node, Reply}`,
/// and waits for the reply.
///
/// # Errors
/// [`CallError`]: the server's node is down, it ended or was never there, or no answer came in time.
pub async fn server_call(
    context: &mut Context,
    at: &Atom,
    server: &Atom,
    wrapper: &Atom,
    message: impl Into<Term>,
    timeout: Duration,
) -> Result<Term, CallError> {
    let monitor = ask(context, at, server, message.into()).await;
    answer(context, at, wrapper, &monitor, timeout).await
}

/// Sends `{self(), Message}` to a server, and monitors it.
async fn ask(context: &Context, at: &Atom, server: &Atom, message: Term) -> Reference {
    let server = (server.clone(), at.clone());
    let monitor = context.monitor(server.clone()).await;
    context.send(server, Term::from((context.pid(), message))).await;
    monitor
}

/// Waits for `{Wrapper, Node, Reply}`.
async fn answer(
    context: &mut Context,
    at: &Atom,
    wrapper: &Atom,
    monitor: &Reference,
    timeout: Duration,
) -> Result<Term, CallError> {
    let answered = context
        .receive_map_timeout(timeout, |message| match message.as_tuple() {
            Some([tag, node, reply])
                if tag.as_atom() == Some(wrapper) && node.as_atom() == Some(at) =>
            {
                Some(Ok(reply.clone()))
            }
            _ if message.is_down_of(monitor) => {
                Some(Err(message.as_down().map_or(ExitReason::Noproc, |down| down.reason)))
            }
            _ => None,
        })
        .await;
    context.demonitor(monitor, DemonitorOptions::FLUSH);
    match answered {
        Ok((_, Ok(reply))) => Ok(reply),
        Ok((_, Err(ExitReason::Noconnection))) => Err(CallError::Nodedown(at.clone())),
        Ok((_, Err(reason))) => Err(CallError::Exit(reason)),
        Err(_) => Err(CallError::Timeout(timeout)),
    }
}

/// `rpc:cast/4`: nothing is waited for and nothing is told.
pub async fn cast(node: &Node, at: &Atom, module: &Atom, function: &Atom, arguments: Vec<Term>) {
    erpc::cast(node, at, module, function, arguments).await;
}
