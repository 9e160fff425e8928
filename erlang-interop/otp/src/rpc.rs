//! `rpc` as a client: calls whose failures are values, `{badrpc, Reason}`.

use std::time::Duration;

use erlang_node::{Context, DemonitorOptions, ExitReason, Node, SpawnOptions};
use erlang_term::{Atom, Reference, Term, atom};
use futures_util::future::join_all;
use tokio::time::{Instant, timeout_at};

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
/// where it is, and those where it isn't: none of that name, not reached, or no answer in time. The
/// time counts from the call, so nodes that must be dialled don't add to it.
pub async fn sbcast(
    context: &mut Context,
    nodes: &[Atom],
    name: &Atom,
    message: impl Into<Term>,
    timeout: Duration,
) -> (Vec<Atom>, Vec<Atom>) {
    let deadline = Instant::now() + timeout;
    let (rex, request) = (atom!("rex"), Term::from((atom!("sbcast"), name, message.into())));
    // All at once: a node that has to be dialled holds up none of the others.
    let asked = join_all(nodes.iter().map(async |node| {
        let server = (rex.clone(), node.clone());
        let monitor = timeout_at(deadline, context.monitor(server.clone())).await.ok()?;
        let request = Term::from((context.pid(), request.clone()));
        // One that can't be asked in time does not answer in time either.
        let _ = timeout_at(deadline, context.send_connected(server, request)).await;
        Some(monitor)
    }))
    .await;
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for (node, monitor) in nodes.iter().zip(asked) {
        let answered = match monitor {
            Some(monitor) => {
                let left = deadline.saturating_duration_since(Instant::now());
                answer(context, node, &rex, &monitor, left).await.ok()
            }
            None => None,
        };
        // `Node`, or `{nonexisting_name, Name}`.
        let there = matches!(answered, Some(Term::Atom(_)));
        if there { &mut good } else { &mut bad }.push(node.clone());
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
    context.send_connected(server, Term::from((context.pid(), message))).await;
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::dialing::node_that_dials;
    use crate::{Functions, StandardOptions, standard};

    /// Two nodes that can't be reached, each by a dial of seconds: who listens there never answers.
    #[tokio::test(start_paused = true)]
    async fn the_time_of_sbcast_counts_from_the_call() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let node = node_that_dials(silent.local_addr().unwrap().port()).await;
        let functions = Functions::builder().build();
        let _services = standard(&node, functions, StandardOptions::default()).unwrap();
        let [lost, here, gone] =
            ["b@127.0.0.1", "a@127.0.0.1", "c@127.0.0.1"].map(|name| Atom::new(name).unwrap());
        let nodes = [lost.clone(), here.clone(), gone.clone()];
        let result = in_process(&node, async move |mut context: Context| {
            context.register(&atom!("sink")).unwrap();
            let (began, timeout) = (Instant::now(), Duration::from_millis(500));
            let told = sbcast(&mut context, &nodes, &atom!("sink"), atom!("x"), timeout).await;
            let took = began.elapsed();
            (told, took, context.receive().await.into_term())
        });
        // In virtual time; a millisecond is the clock's grain.
        let (told, took, message) = result.await.unwrap();
        assert_eq!(told, (vec![here], vec![lost, gone]));
        assert!(took <= Duration::from_millis(501), "{took:?}");
        assert_eq!(message, Term::from(atom!("x")));
    }
}
