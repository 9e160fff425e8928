//! `rpc` as a client: calls whose failures are values, `{badrpc, Reason}`.

use std::time::Duration;

use erlang_node::Node;
use erlang_term::{Atom, Term, atom};

use crate::erpc;
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

/// `rpc:cast/4`: nothing is waited for and nothing is told.
pub async fn cast(node: &Node, at: &Atom, module: &Atom, function: &Atom, arguments: Vec<Term>) {
    erpc::cast(node, at, module, function, arguments).await;
}
