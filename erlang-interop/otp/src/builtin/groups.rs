//! `global` and `pg`, called by `rpc`: the servers of this node are asked.

use erlang_term::{Atom, Pid, Term, atom, term};

use super::{ask, list};
use crate::functions::{Call, FunctionsBuilder, Outcome};
use crate::reason::{Class, Exception};

async fn whereis_name(call: Call) -> Outcome {
    let request = term!({whereis, (&call.arguments[0])});
    ask(&call, atom!("global_name_server"), request).await
}

async fn registered_names(call: Call) -> Outcome {
    ask(&call, atom!("global_name_server"), term!(registered_names)).await
}

/// `global:send(Name, Message)`: gives the pid, or exits with `{badarg, {Name, Message}}`.
async fn send(call: Call) -> Outcome {
    let [name, message] = &call.arguments[..] else { return Err(Exception::badarg()) };
    let request = term!({whereis, (name)});
    match ask(&call, atom!("global_name_server"), request).await? {
        Term::Pid(pid) => {
            call.caller.send(&pid, message.clone()).await;
            Ok(Term::from(&pid))
        }
        _ => Err(Exception::exit(term!({badarg, {(name), (message)}}))),
    }
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

/// Scope and the rest of the arguments: a function of `pg` takes the scope first or not at all.
fn scoped(arguments: &[Term], without: usize) -> Result<(Atom, &[Term]), Exception> {
    match arguments {
        [Term::Atom(scope), rest @ ..] if rest.len() == without => Ok((scope.clone(), rest)),
        rest if rest.len() == without => Ok((atom!("pg"), rest)),
        _ => Err(Exception::badarg()),
    }
}

/// `pg:get_members([Scope,] Group)` and the like. A scope that doesn't run has no members.
async fn look(call: Call, what: Atom) -> Outcome {
    let (scope, rest) = scoped(&call.arguments, 1)?;
    if call.node().whereis(&scope).is_none() {
        return Ok(Term::Nil);
    }
    ask(&call, scope, term!({(what), (&rest[0])})).await
}

async fn groups(call: Call, what: Atom) -> Outcome {
    let (scope, _) = scoped(&call.arguments, 0)?;
    if call.node().whereis(&scope).is_none() {
        return Ok(Term::Nil);
    }
    ask(&call, scope, Term::from(what)).await
}

/// `pg:join` and `pg:leave`, of processes of this node.
async fn change(call: Call, what: Atom) -> Outcome {
    let (scope, rest) = scoped(&call.arguments, 2)?;
    let [group, pids] = rest else { return Err(Exception::badarg()) };
    let all = match pids {
        Term::Pid(_) => vec![pids.clone()],
        several => list(several)?,
    };
    let is_ours = |one: &Term| one.as_pid().is_some_and(|pid| pid.node() == call.node().name());
    if !all.iter().all(is_ours) {
        return Err(Exception::new(Class::Error, term!({nolocal, (pids)})));
    }
    ask(&call, scope, term!({(what), (group), (Term::list(all))})).await
}

pub(super) fn register(builder: &mut FunctionsBuilder) {
    builder
        .function("global", "whereis_name", 1, whereis_name)
        .function("global", "registered_names", 0, registered_names)
        .function("global", "send", 2, send)
        .function("global", "resolve_it", 4, resolve_it);
    for arity in 1..=2 {
        builder
            .function("pg", "get_members", arity, |call| look(call, atom!("get_members")))
            .function("pg", "get_local_members", arity, |call| {
                look(call, atom!("get_local_members"))
            });
    }
    for arity in 0..=1 {
        builder
            .function("pg", "which_groups", arity, |call| groups(call, atom!("which_groups")))
            .function("pg", "which_local_groups", arity, |call| {
                groups(call, atom!("which_local_groups"))
            });
    }
    for arity in 2..=3 {
        builder.function("pg", "join", arity, |call| change(call, atom!("join_local"))).function(
            "pg",
            "leave",
            arity,
            |call| change(call, atom!("leave_local")),
        );
    }
}
