//! The `sys` messages that every process of a behaviour answers: `{system, From, Request}`.
//!
//! `get_state` is answered with `{ok, State}` as OTP 26 and later do; an OTP 25 caller shows the
//! tuple as it is. State can't be replaced from outside: it is a Rust value, and the fun that
//! should compute the new one has no code here.

use erlang_node::{Context, ExitReason, Message};
use erlang_term::{Atom, Term, atom, term};

use crate::gen_message::From;

/// Whether a process works or has been suspended by `sys:suspend/1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Running {
    /// It handles messages.
    #[default]
    Running,
    /// It handles system messages only, until `sys:resume/1`.
    Suspended,
}

/// What a process tells `sys` about itself.
#[derive(Clone, Debug)]
pub struct Status {
    /// The callback module a BEAM would show.
    pub module: Atom,
    /// The state as a term.
    pub state: Term,
}

/// What follows from a system message.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Answer, and go on in this mode.
    Answer(Term, Running),
    /// Answer `ok` and end with this reason.
    Terminate(ExitReason),
}

/// Decides on a system message. Pure; [`answer`] sends.
pub fn handle(context: &Context, request: &Term, now: Running, status: Status) -> Effect {
    let dictionary = context.dictionary().into_iter().map(|(key, value)| Term::from((key, value)));
    let parent = crate::gen_server::parent(context);
    let parent = Term::from(parent.as_ref().unwrap_or_else(|| context.pid()));
    decide(request, now, status, || StatusParts {
        pid: Term::from(context.pid()),
        dictionary: Term::list(dictionary),
        parent,
    })
}

/// The system messages that a peer needs leave for, and the arity of their functions.
const ASKED: &[(&str, usize)] = &[
    ("get_state", 1),
    ("get_status", 1),
    ("suspend", 1),
    ("resume", 1),
    ("replace_state", 2),
    ("terminate", 2),
];

/// To whom and what is answered when a peer may not have a system message done: by the rules for
/// calls, as if it called that function of `sys` here.
pub fn not_allowed(context: &Context, message: &Message) -> Option<(From, Term)> {
    if message.is_from_here() {
        return None;
    }
    let [_, from, request] = message.as_tuple()? else { return None };
    let name = match request.as_tuple() {
        Some([name, ..]) => name.as_atom()?,
        _ => request.as_atom()?,
    };
    let (_, arity) = *ASKED.iter().find(|(asked, _)| name == *asked)?;
    let (from, module, by) = (From::read(from)?, atom!("sys"), context.asker()?);
    if context.node().allows(&by, (&module, name, arity)) {
        return None;
    }
    Some((from, term!({error, {not_allowed, {(module), (name), (arity as i64)}}})))
}

/// What `get_status` shows besides the state.
struct StatusParts {
    pid: Term,
    dictionary: Term,
    parent: Term,
}

fn decide(
    request: &Term,
    now: Running,
    status: Status,
    parts: impl FnOnce() -> StatusParts,
) -> Effect {
    let ok = Term::from(atom!("ok"));
    match request {
        Term::Atom(name) => match name.as_str() {
            "get_state" => Effect::Answer(Term::from((ok, status.state)), now),
            "get_status" => Effect::Answer(status_term(parts(), now, status), now),
            "suspend" => Effect::Answer(ok, Running::Suspended),
            "resume" => Effect::Answer(ok, Running::Running),
            _ => Effect::Answer(unknown(request), now),
        },
        Term::Tuple(elements) => match &elements[..] {
            [tag, reason] if tag.is_atom("terminate") => {
                Effect::Terminate(ExitReason::from(reason.clone()))
            }
            [tag, _] if tag.is_atom("replace_state") => Effect::Answer(refused(&status), now),
            [tag, what] if tag.is_atom("debug") => {
                Effect::Answer(debug(what).unwrap_or_else(|| unknown(request)), now)
            }
            _ => Effect::Answer(unknown(request), now),
        },
        _ => Effect::Answer(unknown(request), now),
    }
}

/// `{debug, What}`. Nothing is traced, counted or logged here: to ask for what there is, and to
/// switch it off, is answered; to switch it on is refused.
fn debug(what: &Term) -> Option<Term> {
    let ok = Term::from(atom!("ok"));
    let Some([kind, value]) = what.as_tuple() else {
        return what.is_atom("no_debug").then_some(ok);
    };
    let value = value.as_atom().map_or("", Atom::as_str);
    match (kind.as_atom()?.as_str(), value) {
        ("trace" | "statistics" | "log" | "log_to_file", "false") | ("log", "print") => Some(ok),
        ("statistics", "get") => Some(Term::from((ok, atom!("no_statistics")))),
        ("log", "get") => Some(Term::from((ok, Term::Nil))),
        ("trace" | "statistics" | "log", "true") => {
            Some(Term::from((atom!("error"), atom!("notsup"))))
        }
        _ => None,
    }
}

/// `{error, {unknown_system_msg, Request}}`.
fn unknown(request: &Term) -> Term {
    Term::from((atom!("error"), (atom!("unknown_system_msg"), request)))
}

/// The answer that `sys:replace_state/2` turns into `{callback_failed, …}` at its caller.
fn refused(status: &Status) -> Term {
    let origin = Term::from((&status.module, atom!("system_replace_state")));
    let why = Term::from((atom!("error"), atom!("notsup")));
    Term::from((atom!("error"), (atom!("callback_failed"), origin, why)))
}

/// `{status, Pid, {module, M}, [PDict, Mode, Parent, Debug, Misc]}`.
fn status_term(parts: StatusParts, now: Running, status: Status) -> Term {
    let mode = match now {
        Running::Running => atom!("running"),
        Running::Suspended => atom!("suspended"),
    };
    let header = Term::charlist(&format!("Status for generic server {}", parts.pid));
    let data = Term::list([
        Term::from((Term::charlist("Status"), &mode)),
        Term::from((Term::charlist("Parent"), &parts.parent)),
        Term::from((Term::charlist("Logged events"), Term::Nil)),
    ]);
    let misc = Term::list([
        Term::from((atom!("header"), header)),
        Term::from((atom!("data"), data)),
        Term::from((
            atom!("data"),
            Term::list([Term::from((Term::charlist("State"), status.state))]),
        )),
    ]);
    let items = Term::list([parts.dictionary, Term::from(mode), parts.parent, Term::Nil, misc]);
    Term::from((atom!("status"), parts.pid, (atom!("module"), status.module), items))
}

/// Sends the answer to a system message.
pub async fn answer(context: &Context, from: &From, reply: Term) {
    context.send(from.destination(), from.reply(reply)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(request: Term) -> Effect {
        let status = Status { module: atom!("m"), state: Term::from(7) };
        decide(&request, Running::Running, status, || StatusParts {
            pid: Term::from(1),
            dictionary: Term::Nil,
            parent: Term::from(2),
        })
    }

    fn answered(request: Term) -> String {
        match effect(request) {
            Effect::Answer(reply, Running::Running) => reply.to_string(),
            other => panic!("unexpected {other:?}"),
        }
    }

    #[test]
    fn state_and_status_are_told() {
        assert_eq!(answered(atom!("get_state").into()), "{ok,7}");
        let status = answered(atom!("get_status").into());
        assert!(status.starts_with("{status,1,{module,m},[[],running,2,[],["), "{status}");
    }

    #[test]
    fn suspend_and_resume_change_the_mode() {
        let ok = Term::from(atom!("ok"));
        let suspend = effect(atom!("suspend").into());
        assert_eq!(suspend, Effect::Answer(ok.clone(), Running::Suspended));
        assert_eq!(effect(atom!("resume").into()), Effect::Answer(ok, Running::Running));
    }

    #[test]
    fn terminate_carries_its_reason() {
        let request = Term::from((atom!("terminate"), atom!("shutdown")));
        assert_eq!(effect(request), Effect::Terminate(ExitReason::Shutdown));
    }

    #[test]
    fn what_cannot_be_done_is_refused_in_words() {
        let replace = Term::from((atom!("replace_state"), 1));
        assert_eq!(
            answered(replace),
            "{error,{callback_failed,{m,system_replace_state},{error,notsup}}}"
        );
        assert_eq!(answered(Term::from(1)), "{error,{unknown_system_msg,1}}");
    }

    #[test]
    fn debug_options_are_there_to_be_switched_off() {
        let debug = |kind: Atom, value: Atom| answered(Term::from((atom!("debug"), (kind, value))));
        assert_eq!(debug(atom!("trace"), atom!("false")), "ok");
        assert_eq!(debug(atom!("trace"), atom!("true")), "{error,notsup}");
        assert_eq!(debug(atom!("log"), atom!("get")), "{ok,[]}");
        assert_eq!(debug(atom!("statistics"), atom!("get")), "{ok,no_statistics}");
        let odd = debug(atom!("install"), atom!("x"));
        assert_eq!(odd, "{error,{unknown_system_msg,{debug,{install,x}}}}");
    }
}
