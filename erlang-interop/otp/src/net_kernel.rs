//! `net_kernel`: what peers ask the owner of the connections. `net_adm:ping/1` is its `is_auth`.

use erlang_node::{Context, ExitReason, Node, NodeFilter, SpawnOptions};
use erlang_term::{Atom, Term, atom, term};

use crate::functions::{Caller, Functions};
use crate::gen_message::From;
use crate::gen_server::{Answer, GenServer};
use crate::limits::CALL_TIMEOUT;

/// The process that is registered as `net_kernel`.
#[derive(Debug)]
pub struct NetKernel {
    functions: Functions,
}

impl NetKernel {
    /// Spawn requests of nodes that don't know `SPAWN_REQUEST` run these functions.
    pub fn new(functions: Functions) -> Self {
        Self { functions }
    }

    /// `{spawn | spawn_link, M, F, A, GL}` and `{spawn_opt, M, F, A, Opts, Link, GL}`: from peers
    /// that don't know `SPAWN_REQUEST`. Gives the pid.
    fn spawn(&self, context: &Context, request: &[Term], from: &From) -> Option<Term> {
        let (kind, module, function, arguments, leader) = match request {
            [kind, Term::Atom(module), Term::Atom(function), arguments, Term::Pid(leader)] => {
                (kind, module, function, arguments, leader)
            }
            [
                kind,
                Term::Atom(module),
                Term::Atom(function),
                arguments,
                _options,
                _link,
                Term::Pid(leader),
            ] => (kind, module, function, arguments, leader),
            _ => return None,
        };
        let link = kind.is_atom("spawn_link");
        let arguments: Vec<Term> = arguments.list_iter()?.collect();
        let functions = self.functions.clone();
        let (module, function, parent) = (module.clone(), function.clone(), from.pid().clone());
        let options =
            SpawnOptions::new().group_leader(leader.clone()).on_behalf_of(context.asker());
        let options = options.keeping(&arguments);
        let started = context.spawn(options, move |own| async move {
            if link {
                own.link(&parent).await;
            }
            match functions.apply(Caller::of(&own), &module, &function, arguments).await {
                Ok(_) => ExitReason::Normal,
                Err(raised) => raised.into_exit_reason(),
            }
        });
        Some(started.map_or_else(|_| Term::from(atom!("system_limit")), |s| Term::from(s.pid)))
    }
}

impl GenServer for NetKernel {
    fn module(&self) -> Atom {
        atom!("net_kernel")
    }

    async fn handle_call(&mut self, context: &mut Context, request: Term, from: From) -> Answer {
        if let Some([kind, ..]) = request.as_tuple()
            && ["spawn", "spawn_link", "spawn_opt"].iter().any(|one| kind.is_atom(one))
        {
            let elements = request.as_tuple().unwrap_or_default();
            let reply = self.spawn(context, elements, &from);
            return Answer::Reply(reply.unwrap_or_else(|| term!({error, badarg})));
        }
        let node = context.node();
        let reply = match request.as_tuple() {
            Some([tag, _]) if tag.is_atom("is_auth") => term!(yes),
            Some([tag, ..]) if tag.is_atom("nodes_info") => term!({ok, (nodes_info(node))}),
            _ if request.is_atom("nodes_info") => term!({ok, (nodes_info(node))}),
            _ if request.is_atom("longnames") => Term::from(has_long_name(node)),
            _ if request.is_atom("get_state") => state(node),
            _ => {
                tracing::debug!(from = %from.pid(), "net_kernel: unexpected call");
                term!({error, notsup})
            }
        };
        Answer::Reply(reply)
    }
}

/// Whether the host in the node's name has a domain.
pub(crate) fn has_long_name(node: &Node) -> bool {
    let host = node.name().as_str().split_once('@').map(|(_, host)| host);
    host.is_some_and(|host| host.contains('.'))
}

/// `net_kernel:get_state/0`.
pub(crate) fn state(node: &Node) -> Term {
    let domain = if has_long_name(node) { atom!("longnames") } else { atom!("shortnames") };
    term!(#{
        started => static, name => (node.name()), name_type => static, name_domain => (domain)
    })
}

/// What `net_kernel:node_info/1` tells of a connection. There is neither a port nor a process that
/// owns it; the address is not kept.
pub(crate) fn node_info(node: &Node, peer: &Atom) -> Option<Term> {
    let info = node.node_info(peer)?;
    let kind = if info.hidden { atom!("hidden") } else { atom!("normal") };
    let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    Some(term!([
        {owner, (node.whereis(&atom!("net_kernel")).map_or_else(|| term!(undefined), Term::from))},
        {state, up},
        {address, {net_address, undefined, undefined, tcp, inet}},
        {type, (kind)},
        {in, (count(info.stats.messages_in))},
        {out, (count(info.stats.messages_out))}
    ]))
}

/// `[{Node, Info}]` of all connected nodes.
pub(crate) fn nodes_info(node: &Node) -> Term {
    let connected = node.nodes(NodeFilter::Connected);
    Term::list(connected.iter().filter_map(|peer| Some(Term::from((peer, node_info(node, peer)?)))))
}

/// Whether a node is there and lets us in: `net_adm:ping/1`.
pub async fn ping(node: &Node, peer: &Atom) -> bool {
    if peer == node.name() {
        return true;
    }
    // Asked first: dialing a node that isn't there should not wait for a call to time out.
    if node.connect(peer).await.is_err() {
        return false;
    }
    let request = term!({is_auth, (node.name())});
    let server = (atom!("net_kernel"), peer.clone());
    let answer = crate::gen_server::call_from(node, server, request, CALL_TIMEOUT).await;
    answer.is_ok_and(|answer| answer.is_atom("yes"))
}
