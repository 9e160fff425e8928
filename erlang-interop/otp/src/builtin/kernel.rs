//! `code`, `application`, `init`, `global`, `pg`, `rpc` and `logger`: what tools ask a node for.

use std::time::Duration;

use erlang_term::{Atom, Pid, Term, atom, term};

use super::{list, one};
use crate::functions::{Call, FunctionsBuilder, Outcome};
use crate::gen_server::{CallError, call_from};
use crate::limits::CALL_TIMEOUT;
use crate::logger::{self, Event};
use crate::reason::Exception;

/// Asks a service of this node; a missing one exits as a failed `gen_server:call` does.
async fn ask(call: &Call, service: Atom, request: Term) -> Outcome {
    call_from(call.node(), service.clone(), request.clone(), CALL_TIMEOUT).await.map_err(|error| {
        let arguments = term!([(service), (request)]);
        Exception::exit(term!({(CallError::reason(&error)), {gen_server, call, (arguments)}}))
    })
}

/// A module counts as loaded when the table has it.
fn known(call: &Call) -> Result<bool, Exception> {
    let module = call.arguments[0].as_atom().ok_or_else(Exception::function_clause)?;
    Ok(call.functions.has_module(module))
}

async fn which(call: Call) -> Outcome {
    Ok(if known(&call)? { term!(preloaded) } else { term!(non_existing) })
}

async fn is_loaded(call: Call) -> Outcome {
    Ok(if known(&call)? { term!({file, preloaded}) } else { Term::from(false) })
}

async fn ensure_loaded(call: Call) -> Outcome {
    let module = call.arguments[0].clone();
    Ok(if known(&call)? { term!({module, (module)}) } else { term!({error, nofile}) })
}

async fn all_loaded(call: Call) -> Outcome {
    Ok(Term::list(call.functions.modules().into_iter().map(|module| term!({(module), preloaded}))))
}

async fn function_exported(call: Call) -> Outcome {
    let [Term::Atom(module), Term::Atom(function), arity] = &call.arguments[..] else {
        return Err(Exception::badarg());
    };
    let arity = arity.as_integer().ok_or_else(Exception::badarg)?;
    let arity = usize::try_from(arity).unwrap_or(usize::MAX);
    Ok(Term::from(call.functions.exported(module, function, arity)))
}

/// `Module:module_info(exports)`, asked as `erlang:get_module_info/2`.
async fn module_info(call: Call) -> Outcome {
    let [Term::Atom(module), what] = &call.arguments[..] else { return Err(Exception::badarg()) };
    let exports = call.functions.exports(module).ok_or_else(Exception::badarg)?;
    if what.is_atom("exports") || what.is_atom("functions") {
        Ok(Term::list(exports.into_iter().map(|(name, arity)| term!({(name), (arity)}))))
    } else if what.is_atom("module") {
        Ok(Term::from(module))
    } else {
        Ok(Term::Nil)
    }
}

fn applications() -> Term {
    let version = Term::charlist(env!("CARGO_PKG_VERSION"));
    let about = |text: &str| Term::charlist(text);
    term!([
        {stdlib, (about("what remote questions use of it")), (&version)},
        {kernel, (about("what remote questions use of it")), (&version)}
    ])
}

async fn whereis_name(call: Call) -> Outcome {
    let request = term!({whereis, (&call.arguments[0])});
    ask(&call, atom!("global_name_server"), request).await
}

async fn registered_names(call: Call) -> Outcome {
    ask(&call, atom!("global_name_server"), term!(registered_names)).await
}

/// `global:resolve_it(Method, Name, Pid1, Pid2)`, asked by a node that resolves a name clash in
/// which a process of ours takes part.
async fn resolve_it(call: Call) -> Outcome {
    let [method, name, Term::Pid(one), Term::Pid(two)] = &call.arguments[..] else {
        return Err(Exception::function_clause());
    };
    let pids: (Pid, Pid) = (one.clone(), two.clone());
    Ok(crate::global::resolve_here(call.node(), method, name, pids).await)
}

/// `pg:get_members([Scope,] Group)` and the like: the scope's process is asked.
async fn pg(call: Call, what: Atom) -> Outcome {
    let (scope, group) = match &call.arguments[..] {
        [group] => (atom!("pg"), group.clone()),
        [Term::Atom(scope), group] => (scope.clone(), group.clone()),
        _ => return Err(Exception::badarg()),
    };
    ask(&call, scope, term!({(what), (group)})).await
}

async fn which_groups(call: Call) -> Outcome {
    let scope = match call.arguments.first() {
        Some(scope) => scope.as_atom().cloned().ok_or_else(Exception::badarg)?,
        None => atom!("pg"),
    };
    ask(&call, scope, term!(which_groups)).await
}

/// `rpc:call(Node, M, F, A [, Timeout])` on behalf of a caller: to other nodes too.
async fn rpc_call(call: Call) -> Outcome {
    let (at, module, function, arguments, timeout) = match &call.arguments[..] {
        [Term::Atom(at), Term::Atom(module), Term::Atom(function), arguments, timeout @ ..] => {
            (at, module, function, list(arguments)?, timeout.first())
        }
        _ => return Err(Exception::function_clause()),
    };
    let timeout = match timeout.and_then(Term::as_integer) {
        Some(milliseconds) => {
            Duration::from_millis(u64::try_from(milliseconds).map_err(|_| Exception::badarg())?)
        }
        None => CALL_TIMEOUT,
    };
    if at == call.node().name() {
        let outcome = call.apply(module, function, arguments);
        return Ok(Box::pin(outcome).await.unwrap_or_else(Exception::into_badrpc));
    }
    Ok(crate::rpc::call(call.node(), at, module, function, arguments, timeout).await)
}

/// `logger:error/1` and its like, called by a peer: to our log.
fn log(level: &str, arguments: &[Term]) -> Outcome {
    let level = Atom::new(level).map_err(|_| Exception::badarg())?;
    let message = match arguments {
        [what] => term!({log, (level), (what), #{}}),
        [what, second] if second.as_map().is_some() => term!({log, (level), (what), (second)}),
        [format, values] => term!({log, (level), (format), (values), #{}}),
        _ => return Err(Exception::badarg()),
    };
    let event = Event::read(&message).ok_or_else(Exception::badarg)?;
    logger::write(&event);
    Ok(term!(ok))
}

const LEVELS: [&str; 8] =
    ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"];

async fn refused(_: Call) -> Outcome {
    Err(Exception::notsup())
}

pub(super) fn register(builder: &mut FunctionsBuilder) {
    builder
        .function("code", "which", 1, which)
        .function("code", "is_loaded", 1, is_loaded)
        .function("code", "ensure_loaded", 1, ensure_loaded)
        .function("code", "all_loaded", 0, all_loaded)
        .pure("code", "get_mode", 0, |_| Ok(term!(interactive)))
        .pure("code", "get_path", 0, |_| Ok(Term::Nil))
        .function("code", "load_binary", 3, refused)
        .function("Elixir.Code", "ensure_loaded", 1, ensure_loaded)
        .function("Elixir.Code", "ensure_loaded?", 1, |call| async move {
            Ok(Term::from(known(&call)?))
        })
        .function("erlang", "function_exported", 3, function_exported)
        .function("Elixir.Kernel", "function_exported?", 3, function_exported)
        .function("erlang", "module_loaded", 1, |call| async move { Ok(Term::from(known(&call)?)) })
        .function("erlang", "get_module_info", 2, module_info)
        .function(
            "erlang",
            "loaded",
            0,
            |call| async move { Ok(Term::list(call.functions.modules())) },
        )
        .pure("application", "which_applications", 0, |_| Ok(applications()))
        .pure("application", "loaded_applications", 0, |_| Ok(applications()))
        .pure("application", "get_env", 2, |_| Ok(term!(undefined)))
        .pure("application", "get_all_env", 1, |a| one(a).map(|_| Term::Nil))
        .pure("init", "get_status", 0, |_| Ok(term!({started, started})))
        .pure("init", "get_arguments", 0, |_| Ok(Term::Nil))
        .pure("init", "get_plain_arguments", 0, |_| Ok(Term::Nil))
        .pure("init", "script_id", 0, |_| {
            let version = Term::charlist(env!("CARGO_PKG_VERSION"));
            Ok(term!({(Term::charlist("erlang-otp")), (version)}))
        })
        .function("init", "stop", 0, refused)
        .function("init", "stop", 1, refused)
        .function("init", "restart", 0, refused)
        .function("init", "reboot", 0, refused);
    register_services(builder);
    for level in LEVELS {
        builder.pure("logger", level, 1, move |a| log(level, a));
        builder.pure("logger", level, 2, move |a| log(level, a));
    }
}

fn register_services(builder: &mut FunctionsBuilder) {
    builder
        .function("global", "whereis_name", 1, whereis_name)
        .function("global", "registered_names", 0, registered_names)
        .function("global", "resolve_it", 4, resolve_it)
        .function("pg", "get_members", 1, |call| pg(call, atom!("get_members")))
        .function("pg", "get_members", 2, |call| pg(call, atom!("get_members")))
        .function("pg", "get_local_members", 1, |call| pg(call, atom!("get_local_members")))
        .function("pg", "get_local_members", 2, |call| pg(call, atom!("get_local_members")))
        .function("pg", "which_groups", 0, which_groups)
        .function("pg", "which_groups", 1, which_groups)
        .function("rpc", "call", 4, rpc_call)
        .function("rpc", "call", 5, rpc_call);
}
