//! Functions of `erlang` and Elixir's `Node` and `Process` that look at the node or act on it.

use erlang_node::{Destination, ExitReason, NodeFilter};
use erlang_term::{Atom, Pid, Term, atom, term};

use super::process_info;
use crate::functions::{Call, FunctionsBuilder, Outcome};
use crate::reason::Exception;

fn filter(kind: &Term) -> Result<Vec<NodeFilter>, Exception> {
    let one = |kind: &Term| match kind.as_atom().map(Atom::as_str) {
        Some("visible") => Ok(NodeFilter::Visible),
        Some("hidden") => Ok(NodeFilter::Hidden),
        Some("connected") => Ok(NodeFilter::Connected),
        Some("known") => Ok(NodeFilter::Known),
        _ => Err(Exception::badarg()),
    };
    match kind.list_iter() {
        Some(kinds) => kinds.filter(|kind| !kind.is_atom("this")).map(|kind| one(&kind)).collect(),
        None => Ok(vec![one(kind)?]),
    }
}

async fn nodes(call: Call) -> Outcome {
    let kind = call.arguments.first().cloned().unwrap_or_else(|| term!(visible));
    if kind.is_atom("this") {
        return Ok(Term::list([call.node().name()]));
    }
    let mut found: Vec<Atom> = Vec::new();
    if kind.is_atom("known") {
        found.push(call.node().name().clone());
    }
    for filter in filter(&kind)? {
        found.extend(call.node().nodes(filter));
    }
    if kind.list_iter().is_some_and(|mut kinds| kinds.any(|kind| kind.is_atom("this"))) {
        found.push(call.node().name().clone());
    }
    found.sort();
    found.dedup();
    Ok(Term::list(found))
}

async fn whereis(call: Call) -> Outcome {
    let name = call.arguments[0].as_atom().ok_or_else(Exception::badarg)?;
    Ok(call.node().whereis(name).map_or_else(|| term!(undefined), Term::from))
}

/// Elixir's `Process.whereis/1` says `nil`.
async fn elixir_whereis(call: Call) -> Outcome {
    whereis(call).await.map(|found| if found.is_atom("undefined") { term!(nil) } else { found })
}

/// Elixir's `Process.info` says `nil`, too.
fn nil_for_undefined(outcome: Outcome) -> Outcome {
    outcome.map(|found| if found.is_atom("undefined") { term!(nil) } else { found })
}

async fn is_process_alive(call: Call) -> Outcome {
    let pid = local_pid(&call)?;
    Ok(Term::from(call.node().is_process_alive(&pid)))
}

fn local_pid(call: &Call) -> Result<Pid, Exception> {
    let pid = call.arguments[0].as_pid().filter(|pid| pid.node() == call.node().name());
    pid.cloned().ok_or_else(Exception::badarg)
}

async fn send(call: Call) -> Outcome {
    let [to, message, ..] = &call.arguments[..] else { return Err(Exception::badarg()) };
    let destination = Destination::from_term(to).ok_or_else(Exception::badarg)?;
    if let Destination::Name(name) = &destination
        && call.node().whereis(name).is_none()
    {
        return Err(Exception::badarg());
    }
    let value = if call.arguments.len() == 2 { message.clone() } else { term!(ok) };
    let message = message.clone();
    // From a process of its own: messages of the calling one carry its pid, which nobody sees.
    call.caller.send(destination, message).await;
    Ok(value)
}

/// `Kernel.send/2`.
async fn elixir_send(call: Call) -> Outcome {
    let arguments = call.arguments.clone();
    let sent = send(call).await;
    sent.map_err(|raised| raised.wrapped(("erlang", "send", &arguments), "Elixir.Kernel", "send"))
}

/// `Node.list/1`.
async fn elixir_nodes(call: Call) -> Outcome {
    let arguments = call.arguments.clone();
    let found = nodes(call).await;
    found.map_err(|raised| raised.wrapped(("erlang", "nodes", &arguments), "Elixir.Node", "list"))
}

/// `erlang:apply/2,3`. Faults of what is applied show `apply` as their caller.
async fn apply(call: Call) -> Outcome {
    let applied = match &call.arguments[..] {
        [fun, arguments] => {
            let arguments = super::list(arguments)?;
            call.apply_fun(fun, arguments).await
        }
        [Term::Atom(module), Term::Atom(function), arguments] => {
            let arguments = super::list(arguments)?;
            Box::pin(call.apply(module, function, arguments)).await
        }
        _ => return Err(Exception::badarg()),
    };
    let arity = if call.arguments.len() == 2 { 2 } else { 3 };
    applied.map_err(|raised| raised.called_from(&atom!("erlang"), &atom!("apply"), arity))
}

/// `exit(Pid, Reason)`, for processes of other nodes only: ours are not killed from outside.
async fn exit(call: Call) -> Outcome {
    let [Term::Pid(pid), reason] = &call.arguments[..] else { return Err(Exception::badarg()) };
    if pid.node() == call.node().name() {
        return Err(Exception::notsup());
    }
    call.node().exit(pid, ExitReason::from(reason.clone())).await;
    Ok(Term::from(true))
}

async fn node_of(call: Call) -> Outcome {
    match &call.arguments[0] {
        Term::Pid(pid) => Ok(Term::from(pid.node())),
        Term::Reference(reference) => Ok(Term::from(reference.node())),
        Term::Port(port) => Ok(Term::from(port.node())),
        _ => Err(Exception::badarg()),
    }
}

async fn connect_node(call: Call) -> Outcome {
    let node = call.arguments[0].as_atom().ok_or_else(Exception::badarg)?;
    Ok(Term::from(node == call.node().name() || call.node().connect(node).await.is_ok()))
}

/// `net_kernel:allow/1`.
async fn allow(call: Call) -> Outcome {
    let names = super::list(&call.arguments[0])?;
    let names: Option<Vec<Atom>> = names.iter().map(|name| name.as_atom().cloned()).collect();
    call.node().allow(&names.ok_or_else(Exception::badarg)?);
    Ok(term!(ok))
}

/// `net_kernel:allowed/0`.
async fn allowed(call: Call) -> Outcome {
    Ok(term!({ok, (Term::list(call.node().allowed().unwrap_or_default().iter()))}))
}

async fn disconnect_node(call: Call) -> Outcome {
    let node = call.arguments[0].as_atom().ok_or_else(Exception::badarg)?;
    Ok(Term::from(call.node().disconnect(node).await))
}

/// `net_adm:ping/1`.
async fn ping(call: Call) -> Outcome {
    let node = call.arguments[0].as_atom().ok_or_else(Exception::badarg)?;
    let answered = crate::net_kernel::ping(call.node(), node).await;
    Ok(Term::from(if answered { atom!("pong") } else { atom!("pang") }))
}

async fn refused(_: Call) -> Outcome {
    Err(Exception::notsup())
}

pub(super) fn register(builder: &mut FunctionsBuilder) {
    builder
        .function("erlang", "node", 0, |call| async move { Ok(call.node().name().into()) })
        .function("erlang", "node", 1, node_of)
        .function("erlang", "nodes", 0, nodes)
        .function("erlang", "nodes", 1, nodes)
        .function("erlang", "self", 0, |call| async move { Ok((&call.caller.pid).into()) })
        .function("erlang", "is_alive", 0, |call| async move { Ok(call.node().is_alive().into()) })
        .function("erlang", "processes", 0, processes)
        .function("erlang", "registered", 0, registered)
        .function("erlang", "whereis", 1, whereis)
        .function("erlang", "is_process_alive", 1, is_process_alive)
        .function("erlang", "process_info", 1, |call| async move {
            process_info::all(call.node(), &call.arguments[0])
        })
        .function("erlang", "process_info", 2, |call| async move {
            process_info::items(call.node(), &call.arguments[0], &call.arguments[1])
        })
        .function("erlang", "group_leader", 0, |call| async move {
            Ok((&call.caller.group_leader).into())
        })
        .function(
            "erlang",
            "make_ref",
            0,
            |call| async move { Ok(call.node().make_reference().into()) },
        )
        .function("erlang", "send", 2, send)
        .function("erlang", "send", 3, send)
        .function("erlang", "!", 2, send)
        .function("erlang", "apply", 2, apply)
        .function("erlang", "apply", 3, apply)
        .function("erlang", "exit", 2, exit)
        .function("erlang", "disconnect_node", 1, disconnect_node)
        .function("erlang", "ports", 0, |_| async { Ok(Term::Nil) });
    for (name, arity) in
        [("get_cookie", 0), ("get_cookie", 1), ("set_cookie", 1), ("set_cookie", 2)]
    {
        builder.function("erlang", name, arity, refused);
    }
    for arity in 0..=2 {
        builder.function("erlang", "halt", arity, refused);
    }
    register_net(builder);
    register_elixir(builder);
}

async fn processes(call: Call) -> Outcome {
    let mut pids = call.node().processes();
    pids.sort();
    Ok(Term::list(pids))
}

async fn registered(call: Call) -> Outcome {
    Ok(Term::list(call.node().registered()))
}

fn register_net(builder: &mut FunctionsBuilder) {
    builder
        .function("net_kernel", "connect_node", 1, connect_node)
        .function("net_kernel", "hidden_connect_node", 1, connect_node)
        .function("net_kernel", "nodename", 0, |call| async move { Ok(call.node().name().into()) })
        .function("net_kernel", "get_net_ticktime", 0, |call| async move {
            let seconds = call.node().config().net_tick_time.as_secs();
            Ok(Term::from(i64::try_from(seconds).unwrap_or(i64::MAX)))
        })
        .function("net_kernel", "allow", 1, allow)
        .function("net_kernel", "allowed", 0, allowed)
        .function("net_kernel", "longnames", 0, |call| async move {
            Ok(Term::from(crate::net_kernel::has_long_name(call.node())))
        })
        .function("net_kernel", "get_state", 0, |call| async move {
            Ok(crate::net_kernel::state(call.node()))
        })
        .function("net_kernel", "nodes_info", 0, |call| async move {
            Ok(term!({ok, (crate::net_kernel::nodes_info(call.node()))}))
        })
        .function("net_kernel", "node_info", 1, |call| async move {
            let node = call.arguments[0].as_atom().ok_or_else(Exception::badarg)?;
            Ok(crate::net_kernel::node_info(call.node(), node)
                .map_or_else(|| term!({error, bad_node}), |info| term!({ok, (info)})))
        })
        .function("net_kernel", "stop", 0, refused)
        .function("net_adm", "ping", 1, ping)
        .function("os", "getenv", 1, refused)
        .function("os", "getenv", 2, refused)
        .function("Elixir.System", "get_env", 1, refused)
        .function("os", "cmd", 1, refused)
        .function("os", "cmd", 2, refused);
}

fn register_elixir(builder: &mut FunctionsBuilder) {
    builder
        .function("Elixir.Node", "self", 0, |call| async move { Ok(call.node().name().into()) })
        .function(
            "Elixir.Node",
            "alive?",
            0,
            |call| async move { Ok(call.node().is_alive().into()) },
        )
        .function("Elixir.Node", "list", 0, nodes)
        .function("Elixir.Node", "list", 1, elixir_nodes)
        .function("Elixir.Node", "ping", 1, ping)
        .function("Elixir.Node", "connect", 1, connect_node)
        .function("Elixir.Node", "disconnect", 1, disconnect_node)
        .function("Elixir.Node", "get_cookie", 0, refused)
        .function("Elixir.Node", "stop", 0, refused)
        .function("Elixir.Kernel", "node", 0, |call| async move { Ok(call.node().name().into()) })
        .function("Elixir.Kernel", "node", 1, node_of)
        .function("Elixir.Kernel", "self", 0, |call| async move { Ok((&call.caller.pid).into()) })
        .function("Elixir.Kernel", "send", 2, elixir_send)
        .function("Elixir.Kernel", "apply", 2, apply)
        .function("Elixir.Kernel", "apply", 3, apply)
        .function("Elixir.Kernel", "make_ref", 0, |call| async move {
            Ok(call.node().make_reference().into())
        })
        .function("Elixir.GenServer", "whereis", 1, |call| async move {
            match &call.arguments[0] {
                Term::Atom(_) => elixir_whereis(call).await,
                other => Ok(other.clone()),
            }
        })
        .function("Elixir.Process", "alive?", 1, is_process_alive)
        .function("Elixir.Process", "list", 0, processes)
        .function("Elixir.Process", "registered", 0, registered)
        .function("Elixir.Process", "whereis", 1, elixir_whereis)
        .function("Elixir.Process", "info", 1, |call| async move {
            nil_for_undefined(process_info::all(call.node(), &call.arguments[0]))
        })
        .function("Elixir.Process", "info", 2, |call| async move {
            nil_for_undefined(process_info::items(
                call.node(),
                &call.arguments[0],
                &call.arguments[1],
            ))
        });
}
