//! What a called function does to the process it runs in: that process lives for this one call, so
//! a flag or a dictionary entry that it sets is seen by nobody. These answer what a new process
//! would, and start processes for those that ask by `rpc`.

use erlang_node::{Mfa, MonitorNodesOptions, Node, SpawnOptions, Spawner};
use erlang_term::{Atom, Term, atom, term};

use super::{list, one, two};
use crate::erpc::FunctionSpawner;
use crate::functions::{Call, FunctionsBuilder, Outcome};
use crate::reason::Exception;

/// The dictionary of the calling process, as `$callers` and the like are in it.
fn dictionary(call: &Call) -> Vec<(Term, Term)> {
    call.node().process_info(&call.caller.pid).map(|info| info.dictionary).unwrap_or_default()
}

async fn get_all(call: Call) -> Outcome {
    Ok(Term::list(dictionary(&call)))
}

async fn get(call: Call) -> Outcome {
    let found = dictionary(&call).into_iter().find(|entry| entry.0 == call.arguments[0]);
    Ok(found.map_or_else(|| term!(undefined), |entry| entry.1))
}

/// The value that a flag of a new process has.
fn flag(arguments: &[Term]) -> Outcome {
    let (flag, value) = two(arguments)?;
    let truth = value.as_bool().is_some();
    match flag.as_atom().map(Atom::as_str) {
        Some("trap_exit" | "sensitive" | "async_dist") if truth => Ok(Term::from(false)),
        Some("priority") if value.as_atom().is_some() => Ok(term!(normal)),
        Some("min_heap_size" | "min_bin_vheap_size" | "fullsweep_after" | "save_calls")
            if value.as_integer().is_some() =>
        {
            Ok(Term::from(0))
        }
        _ => Err(Exception::badarg().because(&atom!("process_flag"), arguments, atom!("badopt"))),
    }
}

fn is_of_node(node: &Node, name: &Term) -> bool {
    name.as_atom() == Some(node.name())
}

/// `spawn/1,2` of a fun, `spawn/3,4` of module, function and arguments, on this node.
async fn spawn(call: Call) -> Outcome {
    let arguments = match &call.arguments[..] {
        [node, rest @ ..] if call.arguments.len().is_multiple_of(2) => {
            // Another node is asked by a spawn request; who wants that asks it himself.
            if is_of_node(call.node(), node) { rest } else { return Err(Exception::notsup()) }
        }
        all => all,
    };
    let mfa = match arguments {
        [Term::Atom(module), Term::Atom(function), args] => {
            Mfa { module: module.clone(), function: function.clone(), args: list(args)? }
        }
        [fun @ Term::Fun(_)] => Mfa {
            module: atom!("erlang"),
            function: atom!("apply"),
            args: vec![fun.clone(), Term::Nil],
        },
        _ => return Err(Exception::badarg()),
    };
    let spawner = FunctionSpawner::new(call.functions.clone());
    let options = SpawnOptions::new()
        .group_leader(call.caller.group_leader.clone())
        .on_behalf_of(call.caller.origin.clone());
    let started = call.node().spawn(options, move |own| spawner.spawn(own, mfa));
    started.map(Term::from).map_err(|_| Exception::system_limit())
}

/// `register/2` and `unregister/1`: names are ours to give.
async fn unregister(call: Call) -> Outcome {
    match call.arguments[0].as_atom().and_then(|name| call.node().whereis(name)) {
        Some(_) => Err(Exception::notsup()),
        None => Err(Exception::badarg()),
    }
}

async fn register_name(call: Call) -> Outcome {
    match &call.arguments[..] {
        [Term::Atom(_), Term::Pid(_)] => Err(Exception::notsup()),
        all => Err(Exception::badarg().because(&atom!("register"), all, atom!("none"))),
    }
}

/// `net_kernel:monitor_nodes/1,2`: for the calling process, while it lives.
async fn monitor_nodes(call: Call) -> Outcome {
    let options = MonitorNodesOptions::default();
    match call.arguments[0].as_bool() {
        Some(true) => call.node().monitor_nodes(&call.caller.pid, options),
        Some(false) => call.node().demonitor_nodes(&call.caller.pid, options),
        None => return Err(Exception::badarg()),
    }
    Ok(term!(ok))
}

pub(super) fn register(builder: &mut FunctionsBuilder) {
    builder
        .function("erlang", "get", 0, get_all)
        .function("erlang", "get", 1, get)
        .function("erlang", "erase", 1, get)
        .function("erlang", "put", 2, get)
        .function("Elixir.Process", "get", 1, |call| async move {
            get(call).await.map(|found| if found.is_atom("undefined") { term!(nil) } else { found })
        })
        .pure("erlang", "process_flag", 2, flag)
        // Nothing is collected here: memory goes back when the last who uses it lets go.
        .pure("erlang", "garbage_collect", 0, |_| Ok(Term::from(true)))
        .function("erlang", "garbage_collect", 1, |call| async move {
            let pid = call.arguments[0].as_pid().ok_or_else(Exception::badarg)?;
            Ok(Term::from(call.node().is_process_alive(pid)))
        })
        .function("erlang", "yield", 0, |_| async {
            tokio::task::yield_now().await;
            Ok(Term::from(true))
        })
        .pure("erlang", "demonitor", 1, |a| match one(a)? {
            Term::Reference(_) => Ok(Term::from(true)),
            _ => Err(Exception::badarg()),
        })
        .pure("erlang", "monitor_node", 2, |a| match a {
            [Term::Atom(_), on] if on.as_bool().is_some() => Ok(Term::from(true)),
            _ => Err(Exception::badarg()),
        })
        .function("erlang", "register", 2, register_name)
        .function("erlang", "unregister", 1, unregister)
        .function("net_kernel", "monitor_nodes", 1, monitor_nodes)
        .function("net_kernel", "monitor_nodes", 2, monitor_nodes);
    for arity in 1..=4 {
        builder.function("erlang", "spawn", arity, spawn);
    }
}

#[cfg(test)]
mod tests {
    use erlang_term::term;

    use super::super::tests::eval;

    #[test]
    fn flags_have_the_values_of_a_new_process() {
        assert_eq!(eval("erlang", "process_flag", term!([trap_exit, true])), "false");
        assert_eq!(eval("erlang", "process_flag", term!([trap_exit, 1])), "error:badarg");
        assert_eq!(eval("erlang", "process_flag", term!([priority, high])), "normal");
        assert_eq!(eval("erlang", "process_flag", term!([nothing, 1])), "error:badarg");
    }
}
