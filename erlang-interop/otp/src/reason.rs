//! What a BEAM sees when something fails here: exceptions, exit reasons, `{badrpc, …}`.
//!
//! This is the one place that builds and reads these shapes. A raised exception has a class, a
//! reason and a stack; each way of calling shows it differently, see the methods of [`Exception`].

use erlang_node::ExitReason;
use erlang_term::{Atom, Reference, Term, atom};

/// How an exception was raised: the class of `try … catch Class:Reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A fault: `erlang:error/1`, a failed match, a wrong argument.
    Error,
    /// A wish to end the process: `exit/1`.
    Exit,
    /// A value thrown: `throw/1`.
    Throw,
}

impl Class {
    /// The atom of the class.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Exit => "exit",
            Self::Throw => "throw",
        }
    }
}

/// One line of a stack: `{Module, Function, ArityOrArguments, Location}` or, for a fun,
/// `{Fun, Arguments, Location}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame(Term);

impl Frame {
    /// The frame of a call with its arguments, without a location.
    pub fn call(module: &Atom, function: &Atom, arguments: &[Term]) -> Self {
        Self::located(module, function, arguments, Term::Nil)
    }

    /// The frame of a call with its arguments and a location: a list such as `[{file,…},{line,…}]`.
    pub fn located(module: &Atom, function: &Atom, arguments: &[Term], location: Term) -> Self {
        let arguments = Term::list(arguments.iter().cloned());
        Self(Term::from((module, function, arguments, location)))
    }

    /// The frame of a fun that could not be called.
    pub fn fun(fun: Term, arguments: &[Term]) -> Self {
        Self(Term::from((fun, Term::list(arguments.iter().cloned()), Term::Nil)))
    }

    /// The frame as a BEAM shows it.
    pub fn term(&self) -> &Term {
        &self.0
    }
}

/// Something raised by a function that was called for a peer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}: {reason}", .class.as_str())]
#[non_exhaustive]
pub struct Exception {
    /// How it was raised.
    pub class: Class,
    /// What was raised.
    pub reason: Term,
    /// Where, innermost first. Empty means: the called function itself, see [`Exception::at`].
    pub stacktrace: Vec<Frame>,
}

impl Exception {
    /// An exception of any class without a stack.
    pub fn new(class: Class, reason: impl Into<Term>) -> Self {
        Self { class, reason: reason.into(), stacktrace: Vec::new() }
    }

    /// `erlang:error(Reason)`.
    pub fn error(reason: impl Into<Term>) -> Self {
        Self::new(Class::Error, reason)
    }

    /// `exit(Reason)`.
    pub fn exit(reason: impl Into<Term>) -> Self {
        Self::new(Class::Exit, reason)
    }

    /// `throw(Value)`.
    pub fn throw(value: impl Into<Term>) -> Self {
        Self::new(Class::Throw, value)
    }

    /// `badarg`: an argument has the wrong type or value.
    pub fn badarg() -> Self {
        Self::error(atom!("badarg"))
    }

    /// `badarith`: arithmetic on something that is no number.
    pub fn badarith() -> Self {
        Self::error(atom!("badarith"))
    }

    /// `function_clause`: no clause of the function takes these arguments.
    pub fn function_clause() -> Self {
        Self::error(atom!("function_clause"))
    }

    /// `system_limit`: one of our limits was reached.
    pub fn system_limit() -> Self {
        Self::error(atom!("system_limit"))
    }

    /// `notsup`: the function exists, but a node like ours does not do it.
    pub fn notsup() -> Self {
        Self::error(atom!("notsup"))
    }

    /// The function exists, but this peer may not call it: `{not_allowed, {Module, Function, Arity}}`.
    /// Not `undef`: who asks shall learn that a rule is in the way, not look for a typing error.
    pub fn not_allowed(module: &Atom, function: &Atom, arity: usize) -> Self {
        let arity = i64::try_from(arity).unwrap_or(i64::MAX);
        Self::error((atom!("not_allowed"), Term::from((module, function, arity))))
    }

    /// An Elixir exception with a message, such as `%ArgumentError{message: …}`.
    ///
    /// `module` is the full atom (`Elixir.ArgumentError`).
    pub fn elixir(module: &Atom, message: &str) -> Self {
        Self::error(Term::map([
            (atom!("__exception__"), Term::from(true)),
            (atom!("__struct__"), Term::from(module)),
            (atom!("message"), Term::from(message)),
        ]))
    }

    /// The function does not exist.
    pub fn undef(module: &Atom, function: &Atom, arguments: &[Term]) -> Self {
        let stacktrace = vec![Frame::call(module, function, arguments)];
        Self { class: Class::Error, reason: atom!("undef").into(), stacktrace }
    }

    /// A closure whose module is not here: its code stayed with its node.
    pub fn undefined_closure(fun: &Term, arguments: &[Term]) -> Self {
        let stacktrace = vec![Frame::fun(fun.clone(), arguments)];
        Self { class: Class::Error, reason: atom!("undef").into(), stacktrace }
    }

    /// `{badfun, Term}`: called as a function, but isn't one that can be called here.
    pub fn badfun(fun: &Term) -> Self {
        Self::error((atom!("badfun"), fun))
    }

    /// `{badarity, {Fun, Arguments}}`: a fun got the wrong number of arguments.
    pub fn badarity(fun: &Term, arguments: &[Term]) -> Self {
        Self::error((atom!("badarity"), (fun, Term::list(arguments.iter().cloned()))))
    }

    /// Names the function in which the exception was raised, unless it already has a stack.
    ///
    /// The built-in functions of `erlang` and `maps` add the `error_info` that lets a shell print which
    /// argument was wrong.
    #[must_use]
    pub fn at(mut self, module: &Atom, function: &Atom, arguments: &[Term]) -> Self {
        if self.class == Class::Error && self.stacktrace.is_empty() {
            let location = match module.as_str() {
                "erlang" if *function != "error" => error_info(atom!("erl_erts_errors")),
                "maps" => error_info(atom!("erl_stdlib_errors")),
                "lists" if is_bif(function, arguments) => error_info(atom!("erl_stdlib_errors")),
                _ => Term::Nil,
            };
            self.stacktrace.push(Frame::located(module, function, arguments, location));
        }
        self
    }

    /// As raised by a built-in function that another function called with these arguments:
    /// `wrapper` of `module`, whose arity is that of the function it calls.
    #[must_use]
    pub(crate) fn wrapped(
        self,
        (module, function, arguments): (&'static str, &'static str, &[Term]),
        wrapper: &'static str,
        name: &'static str,
    ) -> Self {
        let arity = u8::try_from(arguments.len()).unwrap_or(u8::MAX);
        self.at(&Atom::from_checked(module), &Atom::from_checked(function), arguments).called_from(
            &Atom::from_checked(wrapper),
            &Atom::from_checked(name),
            arity,
        )
    }

    /// As [`Exception::at`] for a function of `erlang`, with the cause that lets a shell say more.
    #[must_use]
    pub(crate) fn because(mut self, function: &Atom, arguments: &[Term], cause: Atom) -> Self {
        let info = Term::map([
            (atom!("cause"), Term::from(cause)),
            (atom!("module"), Term::from(atom!("erl_erts_errors"))),
        ]);
        let location = Term::list([Term::from((atom!("error_info"), info))]);
        self.stacktrace.push(Frame::located(&atom!("erlang"), function, arguments, location));
        self
    }

    /// Adds a caller's frame below those that are there: `{Module, Function, Arity, []}`.
    #[must_use]
    pub fn called_from(mut self, module: &Atom, function: &Atom, arity: u8) -> Self {
        self.stacktrace.push(Frame(Term::from((module, function, arity, Term::Nil))));
        self
    }

    /// Without the frame of `erlang:error` or `erlang:throw`, which on a BEAM leave none of their
    /// own: they raise in the function that called them.
    #[must_use]
    pub(crate) fn without_raising_frame(mut self, module: &Atom, function: &Atom) -> Self {
        if *module == "erlang" && (*function == "error" || *function == "throw") {
            self.stacktrace.clear();
        }
        self
    }

    /// The stack as a list.
    pub fn stack_term(&self) -> Term {
        Term::list(self.stacktrace.iter().map(|frame| frame.term().clone()))
    }

    /// The exit reason of a process that does not catch this exception.
    pub fn into_exit_reason(self) -> ExitReason {
        let stack = self.stack_term();
        match self.class {
            Class::Exit => ExitReason::from(self.reason),
            Class::Error => ExitReason::Other(Term::from((self.reason, stack))),
            Class::Throw => ExitReason::Other(Term::from(((atom!("nocatch"), self.reason), stack))),
        }
    }

    /// What `rex` answers: `{badrpc, {'EXIT', …}}`, or the plain value of a throw.
    pub fn into_badrpc(self) -> Term {
        let stack = self.stack_term();
        match self.class {
            Class::Throw => self.reason,
            Class::Exit => badrpc((atom!("EXIT"), self.reason)),
            Class::Error => badrpc((atom!("EXIT"), (self.reason, stack))),
        }
    }

    /// The exit reason by which `erpc:execute_call/4` reports: `{Ref, throw | exit, Reason}` or
    /// `{Ref, error, Reason, Stack}`.
    pub fn into_erpc_result(self, reference: &Reference) -> Term {
        let class = match self.class {
            Class::Throw => atom!("throw"),
            Class::Exit => atom!("exit"),
            Class::Error => {
                let stack = self.stack_term();
                return Term::from((reference, atom!("error"), self.reason, stack));
            }
        };
        Term::from((reference, class, self.reason))
    }
}

/// Functions of `lists` that are built into the run-time system, and explain their faults.
fn is_bif(function: &Atom, arguments: &[Term]) -> bool {
    matches!(
        (function.as_str(), arguments.len()),
        ("member" | "reverse", 2) | ("keyfind" | "keymember" | "keysearch", 3)
    )
}

/// `[{error_info, #{module => Module}}]`: who can explain the fault to a shell.
fn error_info(module: Atom) -> Term {
    Term::list([Term::from((atom!("error_info"), Term::map([(atom!("module"), module)])))])
}

/// `{badrpc, Reason}`.
pub fn badrpc(reason: impl Into<Term>) -> Term {
    Term::from((atom!("badrpc"), reason.into()))
}

/// How a call by `erpc` ended, as the caller learns it from the exit reason of the process that
/// ran the call.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum CallOutcome {
    /// `{Ref, return, Value}`.
    Return(Term),
    /// `{Ref, throw | exit, Reason}` or `{Ref, error, Reason, Stack}`.
    Raised {
        /// How it was raised.
        class: Class,
        /// What was raised.
        reason: Term,
        /// The frames above the call; empty for `throw` and `exit`.
        stack: Term,
    },
    /// The process ended in another way: it was killed, or the code called is not there.
    Crashed(ExitReason),
    /// The node is not reachable (any more).
    Noconnection,
}

impl CallOutcome {
    /// Reads the exit reason of the process that was spawned with `reference` as its first
    /// argument.
    pub fn read(reference: &Reference, reason: ExitReason) -> Self {
        let ExitReason::Other(term) = &reason else {
            return match reason {
                ExitReason::Noconnection => Self::Noconnection,
                other => Self::Crashed(other),
            };
        };
        let mine = |term: &Term| term.as_reference() == Some(reference);
        match term.as_tuple() {
            Some([tag, kind, value]) if mine(tag) => match kind.as_atom().map(Atom::as_str) {
                Some("return") => Self::Return(value.clone()),
                Some("throw") => Self::raised(Class::Throw, value, Term::Nil),
                Some("exit") => Self::raised(Class::Exit, value, Term::Nil),
                _ => Self::Crashed(reason),
            },
            Some([tag, kind, value, stack]) if mine(tag) && kind.is_atom("error") => {
                Self::raised(Class::Error, value, stack.clone())
            }
            _ => Self::Crashed(reason),
        }
    }

    fn raised(class: Class, reason: &Term, stack: Term) -> Self {
        Self::Raised { class, reason: reason.clone(), stack }
    }

    /// The value that `rpc:call/4` would give its caller.
    pub fn into_rpc(self) -> Term {
        match self {
            Self::Return(value) => value,
            Self::Raised { class: Class::Throw, reason, .. } => reason,
            Self::Raised { class: Class::Exit, reason, .. } => badrpc((atom!("EXIT"), reason)),
            Self::Raised { class: Class::Error, reason, stack } => {
                badrpc((atom!("EXIT"), (reason, stack)))
            }
            Self::Crashed(reason) => badrpc((atom!("EXIT"), reason.to_term())),
            Self::Noconnection => badrpc(atom!("nodedown")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference() -> Reference {
        Reference::new(atom!("a@h"), 3, &[1, 2, 3])
    }

    #[test]
    fn undef_is_shaped_as_by_a_beam() {
        let exception = Exception::undef(&atom!("nomod"), &atom!("f"), &[Term::from(1)]);
        assert_eq!(
            exception.clone().into_badrpc().to_string(),
            "{badrpc,{'EXIT',{undef,[{nomod,f,[1],[]}]}}}"
        );
        assert_eq!(
            exception.into_exit_reason().to_term().to_string(),
            "{undef,[{nomod,f,[1],[]}]}"
        );
    }

    #[test]
    fn each_class_ends_a_process_in_its_own_way() {
        let thrown = Exception::throw(1).into_exit_reason().to_term();
        assert_eq!(thrown.to_string(), "{{nocatch,1},[]}");
        assert_eq!(Exception::exit(atom!("bye")).into_exit_reason().to_term().to_string(), "bye");
        assert_eq!(Exception::exit(atom!("normal")).into_exit_reason(), ExitReason::Normal);
    }

    #[test]
    fn rex_gives_a_throw_as_a_plain_value() {
        assert_eq!(Exception::throw(1).into_badrpc(), Term::from(1));
        assert_eq!(Exception::exit(1).into_badrpc().to_string(), "{badrpc,{'EXIT',1}}");
    }

    #[test]
    fn a_location_is_added_only_where_none_is() {
        let arguments = [Term::from(1)];
        let placed = Exception::badarg().at(&atom!("m"), &atom!("f"), &arguments);
        assert_eq!(placed.stack_term().to_string(), "[{m,f,[1],[]}]");
        let again = placed.clone().at(&atom!("other"), &atom!("g"), &[]);
        assert_eq!(again, placed);
        assert!(Exception::exit(1).at(&atom!("m"), &atom!("f"), &[]).stacktrace.is_empty());
    }

    #[test]
    fn results_of_erpc_are_read_back() {
        let reference = reference();
        let value = Term::from((&reference, atom!("return"), 7));
        let read = |term: Term| CallOutcome::read(&reference, ExitReason::from(term));
        assert_eq!(read(value), CallOutcome::Return(Term::from(7)));
        for (exception, shown) in [
            (Exception::throw(1), "1"),
            (Exception::exit(1), "{badrpc,{'EXIT',1}}"),
            (Exception::error(1), "{badrpc,{'EXIT',{1,[]}}}"),
        ] {
            let outcome = read(exception.into_erpc_result(&reference));
            assert_eq!(outcome.into_rpc().to_string(), shown);
        }
    }

    #[test]
    fn a_foreign_reference_is_a_crash() {
        let other = Reference::new(atom!("a@h"), 3, &[9, 9, 9]);
        let value = Term::from((&other, atom!("return"), 7));
        let outcome = CallOutcome::read(&reference(), ExitReason::from(value.clone()));
        assert_eq!(outcome, CallOutcome::Crashed(ExitReason::Other(value)));
        let lost = CallOutcome::read(&reference(), ExitReason::Noconnection);
        assert_eq!(lost.into_rpc().to_string(), "{badrpc,nodedown}");
    }
}
