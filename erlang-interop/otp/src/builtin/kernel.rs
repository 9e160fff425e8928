//! `rpc`, `logger` and `error_logger`, called by peers.

use std::time::Duration;

use erlang_term::{Atom, Term, term};

use super::list;
use crate::functions::{Call, FunctionsBuilder, Outcome};
use crate::limits::CALL_TIMEOUT;
use crate::logger::{self, Event};
use crate::reason::Exception;

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

pub(super) fn register(builder: &mut FunctionsBuilder) {
    builder.function("rpc", "call", 4, rpc_call).function("rpc", "call", 5, rpc_call);
    for level in LEVELS {
        builder.pure("logger", level, 1, move |a| log(level, a));
        builder.pure("logger", level, 2, move |a| log(level, a));
    }
    for arity in 2..=4 {
        builder.pure("logger", "log", arity, |a| match a.split_first() {
            Some((Term::Atom(level), rest)) if LEVELS.contains(&level.as_str()) => {
                log(level.as_str(), &rest[..rest.len().min(2)])
            }
            _ => Err(Exception::badarg()),
        });
    }
    for (name, level) in
        [("info_msg", "notice"), ("warning_msg", "warning"), ("error_msg", "error")]
    {
        for arity in 1..=2 {
            builder.pure("error_logger", name, arity, move |a| log(level, a));
        }
    }
}
