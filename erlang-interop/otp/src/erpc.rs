//! `erpc`: what a peer starts here by a spawn request, and the same the other way.
//!
//! A call is a process that runs `erpc:execute_call/4` (or an older arity) with
//! `[Ref, Module, Function, Arguments]` and reports by its exit reason, `{Ref, return, Value}` and
//! so on; the caller monitors it. `rpc:call/4` of OTP 25 and later is the same. A cast is
//! `erpc:execute_cast/3`. Any other M,F,A is a plain spawn: the function is the process.

use std::time::Duration;

use erlang_node::{
    Context, ExitReason, Mfa, Node, Origin, ProcessFuture, SpawnReplies, SpawnRequestOptions,
    Spawner,
};
use erlang_term::{Atom, Reference, Term, atom};
use futures_util::future::join_all;

use crate::client::in_process;
use crate::functions::{Caller, Functions};
use crate::logger;
use crate::reason::{CallOutcome, Exception, Frame};

/// Runs what peers spawn, from the table of functions.
#[derive(Clone, Debug)]
pub struct FunctionSpawner {
    functions: Functions,
}

impl FunctionSpawner {
    /// A spawner for these functions.
    pub fn new(functions: Functions) -> Self {
        Self { functions }
    }
}

impl Spawner for FunctionSpawner {
    fn spawn(&self, context: Context, mfa: Mfa) -> ProcessFuture {
        let functions = self.functions.clone();
        Box::pin(async move { run(&functions, context, mfa).await })
    }

    /// What `execute_call` and `execute_cast` are asked to call, not themselves.
    fn runs(&self, mfa: &Mfa) -> (Atom, Atom, usize) {
        let called = match &mfa.args[..] {
            [.., Term::Atom(module), Term::Atom(function), arguments] if mfa.module == "erpc" => {
                let arity = match arguments {
                    Term::Nil => Some(0),
                    Term::List(arguments) => Some(arguments.len()),
                    _ => None,
                };
                arity.map(|arity| (module.clone(), function.clone(), arity))
            }
            _ => None,
        };
        called.unwrap_or_else(|| (mfa.module.clone(), mfa.function.clone(), mfa.args.len()))
    }

    fn allows(
        &self,
        node: &Node,
        by: &Origin,
        (module, function, arity): (&Atom, &Atom, usize),
    ) -> bool {
        let (pid, group_leader, origin) = (node.pid(), node.group_leader(), Some(by.clone()));
        let caller = Caller { node: node.clone(), pid, group_leader, origin };
        self.functions.check(&caller, module, function, arity).is_ok()
    }
}

/// A spawn request, understood.
#[derive(Clone, Debug, PartialEq)]
enum Job {
    /// `erpc:execute_call`: report the outcome by exit reason.
    Call { reference: Reference, module: Atom, function: Atom, arguments: Vec<Term> },
    /// `erpc:execute_cast`: run it; a failure is only logged.
    Cast { module: Atom, function: Atom, arguments: Vec<Term> },
    /// The function is the process.
    Process { module: Atom, function: Atom, arguments: Vec<Term>, by: StartedBy },
}

/// What started a process, and so is the last frame of its stack.
#[derive(Clone, Debug, PartialEq)]
enum StartedBy {
    /// A spawn request.
    Spawn,
    /// `proc_lib:spawn` and its like, with the parent and its ancestors.
    ProcLib(Term),
}

impl Job {
    fn read(mfa: Mfa) -> Self {
        if mfa.module == "erpc" {
            if mfa.function == "execute_call"
                && let Some(call) = Self::call(&mfa.args)
            {
                return call;
            }
            if mfa.function == "execute_cast"
                && let [Term::Atom(module), Term::Atom(function), arguments] = &mfa.args[..]
                && let Some(arguments) = list(arguments)
            {
                let (module, function) = (module.clone(), function.clone());
                return Self::Cast { module, function, arguments };
            }
        }
        if mfa.module == "proc_lib"
            && mfa.function == "init_p"
            && let [parent, ancestors, Term::Atom(module), Term::Atom(function), arguments] =
                &mfa.args[..]
            && let Some(arguments) = list(arguments)
        {
            let (module, function) = (module.clone(), function.clone());
            let ancestors =
                std::iter::once(parent.clone()).chain(list(ancestors).unwrap_or_default());
            let by = StartedBy::ProcLib(Term::list(ancestors));
            return Self::Process { module, function, arguments, by };
        }
        let by = StartedBy::Spawn;
        Self::Process { module: mfa.module, function: mfa.function, arguments: mfa.args, by }
    }

    /// `[Ref, M, F, Args]`, or `[Ref, Fun]`-like `[Ref, Fun, Args]`.
    fn call(arguments: &[Term]) -> Option<Self> {
        match arguments {
            [Term::Reference(reference), Term::Atom(module), Term::Atom(function), arguments] => {
                let reference = reference.clone();
                let Some(arguments) = list(arguments) else {
                    // What a BEAM's `execute_call` does, and what refuses an improper list there.
                    let arguments =
                        vec![Term::from(module), Term::from(function), arguments.clone()];
                    let (module, function) = (atom!("erlang"), atom!("apply"));
                    return Some(Self::Call { reference, module, function, arguments });
                };
                let (module, function) = (module.clone(), function.clone());
                Some(Self::Call { reference, module, function, arguments })
            }
            [Term::Reference(reference), fun @ Term::Fun(_), arguments] => Some(Self::Call {
                reference: reference.clone(),
                module: atom!("erlang"),
                function: atom!("apply"),
                arguments: vec![fun.clone(), arguments.clone()],
            }),
            _ => None,
        }
    }
}

fn list(term: &Term) -> Option<Vec<Term>> {
    Some(term.list_iter()?.collect())
}

async fn run(functions: &Functions, context: Context, mfa: Mfa) -> ExitReason {
    match Job::read(mfa) {
        Job::Call { reference, module, function, arguments } => {
            let outcome =
                functions.apply(Caller::of(&context), &module, &function, arguments).await;
            ExitReason::Other(match outcome {
                Ok(value) => Term::from((&reference, atom!("return"), value)),
                Err(raised) => raised.into_erpc_result(&reference),
            })
        }
        Job::Cast { module, function, arguments } => {
            let outcome =
                functions.apply(Caller::of(&context), &module, &function, arguments).await;
            end(&context, outcome.map(drop)).await
        }
        Job::Process { module, function, arguments, by } => {
            let arity = arity(&arguments);
            context.set_initial_call(module.clone(), function.clone(), arity);
            if let StartedBy::ProcLib(ancestors) = &by {
                context.put(atom!("$ancestors"), ancestors.clone());
                context.put(atom!("$initial_call"), (&module, &function, arity));
            }
            // `erlang:error(Reason, Arguments)` tells those of its caller.
            let error_args = arguments.get(1).and_then(list).filter(|_| function == "error");
            let outcome =
                functions.apply(Caller::of(&context), &module, &function, arguments).await;
            let outcome =
                outcome.map_err(|raised| by.frame(raised, &module, &function, error_args));
            end(&context, outcome.map(drop)).await
        }
    }
}

impl StartedBy {
    /// The exception with the frames that a BEAM's has below those of the function. The function
    /// that a spawn request starts is called last of all, so nothing is below it.
    fn frame(
        &self,
        raised: Exception,
        module: &Atom,
        function: &Atom,
        error_args: Option<Vec<Term>>,
    ) -> Exception {
        let mut raised = raised.without_raising_frame(module, function);
        match self {
            Self::ProcLib(_) => {
                raised.called_from(&atom!("proc_lib"), &atom!("init_p_do_apply"), 3)
            }
            Self::Spawn if raised.stacktrace.is_empty() => {
                let (module, function) = (atom!("erts_internal"), atom!("dist_spawn_init"));
                match error_args {
                    Some(args) => {
                        raised.stacktrace.push(Frame::call(&module, &function, &args));
                        raised
                    }
                    None => raised.called_from(&module, &function, 1),
                }
            }
            Self::Spawn => raised,
        }
    }
}

fn arity(arguments: &[Term]) -> u8 {
    u8::try_from(arguments.len()).unwrap_or(u8::MAX)
}

/// The exit reason of a plain process; a crash is logged where its output goes, as on a BEAM.
async fn end(context: &Context, outcome: Result<(), Exception>) -> ExitReason {
    match outcome {
        Ok(()) => ExitReason::Normal,
        Err(raised) => {
            let report = raised.class != crate::reason::Class::Exit;
            let reason = raised.into_exit_reason();
            if report {
                logger::report_crash(context, &reason).await;
            }
            reason
        }
    }
}

/// Calls a function on a node: `erpc:call/5`, with the outcome as it is. A call to the own node
/// goes the same way.
///
/// # Errors
/// [`TimedOut`] when no answer came in time; the function may still run.
pub async fn call(
    node: &Node,
    at: &Atom,
    module: &Atom,
    function: &Atom,
    arguments: Vec<Term>,
    timeout: Duration,
) -> Result<CallOutcome, TimedOut> {
    let (at, module, function) = (at.clone(), module.clone(), function.clone());
    in_process(node, move |mut context| async move {
        call_in(&mut context, &at, &module, &function, arguments, timeout).await
    })
    .await
    .unwrap_or(Ok(CallOutcome::Crashed(ExitReason::Killed)))
}

/// No answer came in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no answer in time")]
pub struct TimedOut;

/// As [`call`], from within a process.
///
/// # Errors
/// [`TimedOut`].
pub async fn call_in(
    context: &mut Context,
    at: &Atom,
    module: &Atom,
    function: &Atom,
    arguments: Vec<Term>,
    timeout: Duration,
) -> Result<CallOutcome, TimedOut> {
    send_request(context, at, module, function, arguments).await.receive(context, timeout).await
}

/// A call on its way, by [`send_request`]. Dropped, its answer stays a message of the process.
#[derive(Clone, Debug)]
pub struct Request {
    spawn: Reference,
    /// In the result, where only this call knows it.
    result: Reference,
}

/// Calls a function and goes on without its answer: `erpc:send_request/4`.
pub async fn send_request(
    context: &mut Context,
    at: &Atom,
    module: &Atom,
    function: &Atom,
    arguments: Vec<Term>,
) -> Request {
    let result = context.node().make_reference();
    let args =
        vec![Term::from(&result), Term::from(module), Term::from(function), Term::list(arguments)];
    let mfa = Mfa { module: atom!("erpc"), function: atom!("execute_call"), args };
    // That it was started is no news: the monitor tells the rest, and a message less is to be read.
    let options = SpawnRequestOptions::new().monitor().reply(SpawnReplies::ErrorOnly);
    let spawn = context.spawn_request(at, mfa, options).await;
    Request { spawn, result }
}

impl Request {
    /// Waits for the answer, and gives the call up when it does not come in time:
    /// `erpc:receive_response/2`. Other messages stay in the mailbox.
    ///
    /// # Errors
    /// [`TimedOut`]. The function may go on; nothing is heard of it.
    pub async fn receive(
        self,
        context: &mut Context,
        timeout: Duration,
    ) -> Result<CallOutcome, TimedOut> {
        let answered = self.wait(context, timeout).await;
        answered.ok_or_else(|| {
            abandon(context, &self.spawn);
            TimedOut
        })
    }

    /// Waits for the answer, and when it does not come in time the call stays as it is:
    /// `erpc:wait_response/2`. `None` also after the answer was taken.
    pub async fn wait(&self, context: &mut Context, timeout: Duration) -> Option<CallOutcome> {
        let answered = context.receive_map_timeout(timeout, |message| self.check(message)).await;
        answered.ok().map(|(_, outcome)| outcome)
    }

    /// What a message says of this call: `erpc:check_response/2`. `None`: it is about something else.
    #[must_use]
    pub fn check(&self, message: &Term) -> Option<CallOutcome> {
        outcome_of(message, &self.spawn, &self.result)
    }
}

/// What a message says of the call, if it is about it.
fn outcome_of(message: &Term, request: &Reference, reference: &Reference) -> Option<CallOutcome> {
    let mine = |term: &Term| term.as_reference() == Some(request);
    match message.as_tuple()? {
        [tag, asked, error, reason]
            if tag.is_atom("spawn_reply") && mine(asked) && error.is_atom("error") =>
        {
            Some(match ExitReason::from(reason.clone()) {
                ExitReason::Noconnection => CallOutcome::Noconnection,
                other => CallOutcome::Crashed(other),
            })
        }
        [tag, asked, _, _, reason] if tag.is_atom("DOWN") && mine(asked) => {
            Some(CallOutcome::read(reference, ExitReason::from(reason.clone())))
        }
        _ => None,
    }
}

fn abandon(context: &mut Context, request: &Reference) {
    if !context.spawn_request_abandon(request) {
        context.demonitor(request, erlang_node::DemonitorOptions::FLUSH);
    }
}

/// Runs a function on a node without waiting for anything: `erpc:cast/4`.
pub async fn cast(node: &Node, at: &Atom, module: &Atom, function: &Atom, arguments: Vec<Term>) {
    let args = vec![Term::from(module), Term::from(function), Term::list(arguments)];
    let mfa = Mfa { module: atom!("erpc"), function: atom!("execute_cast"), args };
    let at = at.clone();
    let sent = in_process(node, move |context| async move {
        let options = SpawnRequestOptions::new().reply(SpawnReplies::No);
        context.spawn_request(&at, mfa, options).await;
    })
    .await;
    if let Err(reason) = sent {
        tracing::warn!(reason, "erpc: cast was not sent");
    }
}

/// Calls a function on several nodes at once: `erpc:multicall/5`. The outcomes are in the order of
/// the nodes.
pub async fn multicall(
    node: &Node,
    nodes: &[Atom],
    module: &Atom,
    function: &Atom,
    arguments: &[Term],
    timeout: Duration,
) -> Vec<Result<CallOutcome, TimedOut>> {
    let calls =
        nodes.iter().map(|at| call(node, at, module, function, arguments.to_vec(), timeout));
    join_all(calls).await
}

#[cfg(test)]
mod tests {
    use erlang_term::term;

    use super::*;

    fn reference(word: u32) -> Reference {
        Reference::new(atom!("a@h"), 3, &[word, 0, 0])
    }

    fn mfa(module: Atom, function: Atom, args: Vec<Term>) -> Mfa {
        Mfa { module, function, args }
    }

    #[test]
    fn arguments_that_are_no_proper_list_are_left_to_apply() {
        let improper = Term::improper_list([Term::from(1)], 2);
        let args = vec![
            Term::from(&reference(1)),
            Term::from(atom!("lists")),
            Term::from(atom!("reverse")),
            improper.clone(),
        ];
        let expected = Job::Call {
            reference: reference(1),
            module: atom!("erlang"),
            function: atom!("apply"),
            arguments: vec![Term::from(atom!("lists")), Term::from(atom!("reverse")), improper],
        };
        assert_eq!(Job::read(mfa(atom!("erpc"), atom!("execute_call"), args)), expected);
    }

    #[test]
    fn the_function_that_erpc_calls_is_the_one_that_runs() {
        let spawner = FunctionSpawner::new(Functions::builder().build());
        let args = vec![term!(lists), term!(seq), term!([1, 9])];
        let cast = mfa(atom!("erpc"), atom!("execute_cast"), args.clone());
        assert_eq!(spawner.runs(&cast), (atom!("lists"), atom!("seq"), 2));
        let none = vec![Term::from(reference(1)), term!(mine), term!(slow), Term::Nil];
        let call = mfa(atom!("erpc"), atom!("execute_call"), none);
        assert_eq!(spawner.runs(&call), (atom!("mine"), atom!("slow"), 0));
        let own = mfa(atom!("mine"), atom!("execute_cast"), args);
        assert_eq!(spawner.runs(&own), (atom!("mine"), atom!("execute_cast"), 3));
    }

    #[test]
    fn spawn_requests_are_understood() {
        let args = vec![
            Term::from(reference(1)),
            Term::from(atom!("erlang")),
            Term::from(atom!("node")),
            Term::Nil,
        ];
        let job = Job::read(mfa(atom!("erpc"), atom!("execute_call"), args.clone()));
        let (module, function, arguments) = (atom!("erlang"), atom!("node"), Vec::new());
        assert_eq!(
            job,
            Job::Call {
                reference: reference(1),
                module: module.clone(),
                function: function.clone(),
                arguments: arguments.clone(),
            }
        );
        let job = Job::read(mfa(atom!("erpc"), atom!("execute_cast"), args[1..].to_vec()));
        assert_eq!(job, Job::Cast { module, function, arguments });
    }

    #[test]
    fn what_is_no_call_is_a_process() {
        let args = vec![Term::from(1)];
        let job = Job::read(mfa(atom!("erpc"), atom!("execute_call"), args.clone()));
        let (module, function) = (atom!("erpc"), atom!("execute_call"));
        assert_eq!(job, Job::Process { module, function, arguments: args, by: StartedBy::Spawn });
        let parent = Term::from(atom!("parent"));
        let args = vec![
            parent,
            Term::Nil,
            Term::from(atom!("m")),
            Term::from(atom!("f")),
            Term::list([1, 2]),
        ];
        let Job::Process { module, arguments, .. } =
            Job::read(mfa(atom!("proc_lib"), atom!("init_p"), args))
        else {
            panic!("a process");
        };
        assert_eq!((module, arguments.len()), (atom!("m"), 2));
    }

    #[test]
    fn outcomes_are_found_among_other_messages() {
        let (request, result) = (reference(1), reference(2));
        let value = Term::from((&result, atom!("return"), 5));
        let down = |reference: Reference| {
            let pid = atom!("somebody");
            Term::from((atom!("DOWN"), reference, atom!("process"), pid, value.clone()))
        };
        let read = |message: Term| outcome_of(&message, &request, &result);
        assert_eq!(read(down(request.clone())), Some(CallOutcome::Return(Term::from(5))));
        assert_eq!(read(down(reference(3))), None);
        let refused = |why: Atom| Term::from((atom!("spawn_reply"), &request, atom!("error"), why));
        assert_eq!(read(refused(atom!("noconnection"))), Some(CallOutcome::Noconnection));
        let other = CallOutcome::Crashed(ExitReason::Other(atom!("notsup").into()));
        assert_eq!(read(refused(atom!("notsup"))), Some(other));
    }
}
