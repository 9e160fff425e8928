//! `Agent`: a term that others read and change, by Elixir's messages: `{get, F}`, `{update, F}`,
//! `{get_and_update, F}`, and the cast `{cast, F}`.
//!
//! `F` is `{Module, Function, Arguments}` or `&Module.function/arity`, looked up in the table of
//! functions, with the state as its first argument. A closure has no code here and raises as it
//! does on a BEAM without its module.

use erlang_node::{Context, ExitReason, Node, SpawnError, SpawnOptions};
use erlang_term::{Atom, Pid, Term, atom, term};

use crate::functions::{Caller, Functions, Outcome};
use crate::gen_message::From;
use crate::gen_server::{self, Answer, GenServer, Next};

/// Starts an agent.
///
/// # Errors
/// When the name is taken, there are too many processes, or the node stops.
pub fn start(
    node: &Node,
    options: SpawnOptions,
    functions: Functions,
    state: impl Into<Term>,
) -> Result<Pid, SpawnError> {
    gen_server::start(node, options, Agent { functions, state: state.into() })
}

struct Agent {
    functions: Functions,
    state: Term,
}

impl Agent {
    /// Calls `F` with the state.
    async fn apply(&self, context: &Context, function: &Term) -> Outcome {
        let caller = Caller::of(context);
        match function.as_tuple() {
            Some([Term::Atom(module), Term::Atom(name), arguments]) => {
                let more = arguments.list_iter().into_iter().flatten();
                let arguments = std::iter::once(self.state.clone()).chain(more).collect();
                self.functions.apply(caller, module, name, arguments).await
            }
            _ => {
                let arguments = vec![function.clone(), Term::list([self.state.clone()])];
                let (module, name) = (atom!("erlang"), atom!("apply"));
                self.functions.apply(caller, &module, &name, arguments).await
            }
        }
    }
}

impl GenServer for Agent {
    fn module(&self) -> Atom {
        atom!("Elixir.Agent.Server")
    }

    fn state(&self) -> Term {
        self.state.clone()
    }

    async fn handle_call(&mut self, context: &mut Context, request: Term, _: From) -> Answer {
        let Some([what, function]) = request.as_tuple() else {
            return Answer::Stop(ExitReason::Other(term!({bad_call, (request)})));
        };
        let outcome = match self.apply(context, function).await {
            Ok(outcome) => outcome,
            Err(raised) => return Answer::Stop(raised.into_exit_reason()),
        };
        match what.as_atom().map(Atom::as_str) {
            Some("get") => Answer::Reply(outcome),
            Some("update") => {
                self.state = outcome;
                Answer::Reply(term!(ok))
            }
            Some("get_and_update") => match outcome.as_tuple() {
                Some([value, state]) => {
                    self.state = state.clone();
                    Answer::Reply(value.clone())
                }
                _ => Answer::Stop(ExitReason::Other(term!({bad_return_value, (outcome)}))),
            },
            _ => Answer::Stop(ExitReason::Other(term!({bad_call, (request)}))),
        }
    }

    async fn handle_cast(&mut self, context: &mut Context, message: Term) -> Next {
        if let Some([function]) = message.as_tagged("cast") {
            match self.apply(context, function).await {
                Ok(state) => self.state = state,
                Err(raised) => return Next::Stop(raised.into_exit_reason()),
            }
        }
        Next::Continue
    }
}
