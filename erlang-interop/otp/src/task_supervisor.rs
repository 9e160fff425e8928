//! `Task.Supervisor`: runs functions of the table as tasks of remote (and local) owners.
//!
//! - `{start_task, [Owner, monitor], Restart, Shutdown}` starts a task that waits for
//!   `{OwnerPid, Ref, ReplyTo, Callers, {M, F, Args}}`, runs it and sends `{Ref, Value}` to
//!   `ReplyTo`. This is `async`, `async_nolink`, `async_stream`, and `start_child` of Elixir 1.18.
//! - `{start_task, [Owner, Callers, {M, F, Args}], Restart, Shutdown}` runs at once and answers
//!   nobody: `start_child` of Elixir 1.14.
//!
//! - `{start_child, {{Task, start_link, [Fun | M, F, Args]}, Restart, Shutdown, Type, Modules}}`, by
//!   which `DynamicSupervisor.start_child(supervisor, {Task, …})` asks: a task that runs at once.
//!
//! A task that is not `temporary`, as it is by default, is started again when it ends, as often as
//! the supervisor's intensity allows.
//!
//! `Owner` is `{Node, Pid, NameOrPid}`. The answer to the call is `{ok, TaskPid}`, or
//! `{error, max_children}`, or `{error, shutting_down}` to peers once the [`Gate`] is closed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use erlang_node::{
    Context, DemonitorOptions, Destination, ExitReason, Node, Origin, SpawnError, SpawnOptions,
};
use erlang_term::{Atom, Pid, Term, atom, term};

use crate::functions::{Caller, Functions};
use crate::gen_message::From;
use crate::gen_server::{Answer, GenServer, Next, ancestors};
use crate::limits::TASK_CHILDREN_MAX;
use crate::reason::Exception;
use crate::supervisor::child;
use crate::supervisor::intensity::Restarts;
use crate::supervisor::{Intensity, Restart, Shutdown};

/// How long a task waits for the message that says what to run, as in Elixir.
const WORK_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether a supervisor still takes tasks of peers; open at first. Clones are the same gate.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<AtomicBool>);

impl Gate {
    /// From now on peers are refused. Tasks that run go on, and the node itself may start more.
    pub fn close(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// How a supervisor is set up.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Tasks at the same time; one more is answered `{error, max_children}`.
    pub max_children: usize,
    /// How often tasks are started again; one more is given up.
    pub intensity: Intensity,
    /// Closed, it keeps the tasks of peers out.
    pub gate: Gate,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_children: TASK_CHILDREN_MAX,
            intensity: Intensity::default(),
            gate: Gate::default(),
        }
    }
}

impl Options {
    /// With another maximum of tasks.
    #[must_use]
    pub fn max_children(mut self, max: usize) -> Self {
        self.max_children = max;
        self
    }

    /// With a gate that somebody else may close.
    #[must_use]
    pub fn gate(mut self, gate: Gate) -> Self {
        self.gate = gate;
        self
    }
}

/// Starts a supervisor under a name, for instance `Elixir.HAR.TaskSupervisor`.
///
/// # Errors
/// When the name is taken, there are too many processes, or the node stops.
pub fn start(
    node: &Node,
    name: &Atom,
    functions: Functions,
    options: Options,
) -> Result<Pid, SpawnError> {
    let spawn = SpawnOptions::new().name(name.clone()).trap_exit();
    crate::gen_server::start(node, spawn, server(functions, options))
}

/// The server alone, for who supervises it. Its process must trap exits.
pub(crate) fn server(functions: Functions, options: Options) -> impl GenServer {
    let restarts = Restarts::new(options.intensity);
    Supervisor { functions, options, restarts, children: HashMap::new() }
}

struct Supervisor {
    functions: Functions,
    options: Options,
    restarts: Restarts,
    /// The tasks.
    children: HashMap<Pid, Task>,
}

/// What is remembered of a task.
struct Task {
    restart: Restart,
    shutdown: Shutdown,
    /// To start it again; a temporary one never is.
    start: Option<Start>,
    /// The peer for which it runs, also when it is started again.
    origin: Option<Origin>,
}

impl Task {
    /// `None`: options that a task can't have. `nil` stands for the default.
    fn read(
        context: &Context,
        start: Option<Start>,
        (restart, shutdown): (&Term, &Term),
    ) -> Option<(Self, Start)> {
        let or = |term: &Term| term.is_atom("nil");
        let restart = if or(restart) { Restart::Temporary } else { Restart::read(restart)? };
        let shutdown = if or(shutdown) { Shutdown::default() } else { Shutdown::read(shutdown)? };
        let start = start?;
        let again = (restart != Restart::Temporary).then(|| start.clone());
        Some((Self { restart, shutdown, start: again, origin: context.asker() }, start))
    }
}

/// What a task starts with.
#[derive(Clone, Debug, PartialEq)]
enum Start {
    /// Wait for the owner's message; watch the owner meanwhile if `monitor`.
    Wait { owner: Pid, monitor: bool },
    /// Run at once.
    Run { callers: Term, work: Work },
}

/// `{M, F, Args}`.
#[derive(Clone, Debug, PartialEq)]
struct Work {
    module: Atom,
    function: Atom,
    arguments: Vec<Term>,
}

impl Work {
    fn read(term: &Term) -> Option<Self> {
        match term.as_tuple()? {
            [Term::Atom(module), Term::Atom(function), arguments] => Some(Self {
                module: module.clone(),
                function: function.clone(),
                arguments: arguments.list_iter()?.collect(),
            }),
            _ => None,
        }
    }
}

impl Start {
    fn read(arguments: &Term) -> Option<Self> {
        let arguments: Vec<Term> = arguments.list_iter()?.collect();
        let [owner, rest @ ..] = &arguments[..] else { return None };
        let [_, Term::Pid(owner), _] = owner.as_tuple()? else { return None };
        match rest {
            [monitor] => {
                Some(Self::Wait { owner: owner.clone(), monitor: monitor.is_atom("monitor") })
            }
            [callers, work] => {
                Some(Self::Run { callers: callers.clone(), work: Work::read(work)? })
            }
            _ => None,
        }
    }
}

impl GenServer for Supervisor {
    fn module(&self) -> Atom {
        atom!("Elixir.DynamicSupervisor")
    }

    fn state(&self) -> Term {
        term!(#{children => (self.children.len() as i64)})
    }

    async fn handle_call(&mut self, context: &mut Context, request: Term, _: From) -> Answer {
        let reply = match request.as_tuple() {
            None => self.ask(&request),
            Some([tag, arguments, restart, shutdown]) if tag.is_atom("start_task") => {
                Task::read(context, Start::read(arguments), (restart, shutdown))
                    .map(|(task, start)| self.take(context, task, start))
            }
            Some([tag, child]) if tag.is_atom("start_child") => {
                Some(self.start_child(context, child))
            }
            Some([tag, Term::Pid(child)]) if tag.is_atom("terminate_child") => {
                Some(self.terminate_child(context, child).await)
            }
            _ => None,
        };
        Answer::Reply(reply.unwrap_or_else(|| term!({error, badarg})))
    }

    async fn handle_info(&mut self, context: &mut Context, message: Term) -> Next {
        if let Some([tag, Term::Pid(from), reason]) = message.as_tuple()
            && tag.is_atom("EXIT")
        {
            // Others link and end, and a task that was told to end may tell it late: no reason to end the
            // tasks of all.
            if let Some(task) = self.children.remove(from) {
                self.ended(context, task, &ExitReason::from(reason.clone()));
            }
        }
        Next::Continue
    }

    async fn terminate(&mut self, context: &mut Context, _: &ExitReason) {
        for (pid, task) in std::mem::take(&mut self.children) {
            let brutal = task.shutdown == Shutdown::BrutalKill;
            let reason = if brutal { ExitReason::Kill } else { ExitReason::Shutdown };
            context.exit(&pid, reason).await;
        }
    }
}

impl Supervisor {
    fn ask(&self, what: &Term) -> Option<Term> {
        let count = self.children.len() as i64;
        match what.as_atom()?.as_str() {
            "which_children" => Some(Term::list(
                self.children
                    .keys()
                    .map(|pid| term!({undefined, (pid), worker, [@"Elixir.Task.Supervised"]})),
            )),
            "count_children" => Some(term!([
                {specs, (count)}, {active, (count)}, {supervisors, 0}, {workers, (count)}
            ])),
            _ => None,
        }
    }

    /// Starts a task that somebody asks for.
    fn take(&mut self, context: &Context, task: Task, start: Start) -> Term {
        if self.options.gate.is_closed() && task.origin.is_some() {
            return term!({error, shutting_down});
        }
        self.start(context, task, start)
    }

    fn start(&mut self, context: &Context, task: Task, start: Start) -> Term {
        if self.children.len() >= self.options.max_children {
            return term!({error, max_children});
        }
        let functions = self.functions.clone();
        let ancestors = ancestors(context);
        let options = SpawnOptions::new().link().on_behalf_of(task.origin.clone());
        let options = match &start {
            Start::Wait { .. } => options,
            Start::Run { callers, work } => options.keeping([callers]).keeping(&work.arguments),
        };
        let started = context.spawn(options, move |own| async move {
            own.put(atom!("$ancestors"), ancestors);
            run(own, functions, start).await
        });
        match started {
            Ok(spawned) => {
                self.children.insert(spawned.pid.clone(), task);
                term!({ok, (spawned.pid)})
            }
            Err(error) => {
                tracing::debug!(%error, "task supervisor: could not start a task");
                term!({error, system_limit})
            }
        }
    }

    /// `{{Module, Function, Args}, Restart, Shutdown, Type, Modules}`: a task is started, anything
    /// else has no code here and is answered as a start that failed with `undef`.
    fn start_child(&mut self, context: &Context, child: &Term) -> Term {
        let Some([start, restart, shutdown, _, _]) = child.as_tuple() else {
            return term!({error, {invalid_child_spec, (child)}});
        };
        let Some(wanted) = Work::read(start) else {
            return term!({error, {invalid_mfa, (start)}});
        };
        let run = match (wanted.module.as_str(), wanted.function.as_str(), &wanted.arguments[..]) {
            ("Elixir.Task", "start_link", [fun @ Term::Fun(_)]) => Some(Work {
                module: atom!("erlang"),
                function: atom!("apply"),
                arguments: vec![fun.clone(), Term::Nil],
            }),
            ("Elixir.Task", "start_link", [module, function, arguments]) => {
                Work::read(&term!({(module), (function), (arguments)}))
            }
            _ => None,
        };
        let Some(work) = run else {
            let raised = Exception::undef(&wanted.module, &wanted.function, &wanted.arguments);
            return term!({error, (raised.into_exit_reason().to_term())});
        };
        let start = Start::Run { callers: Term::Nil, work };
        match Task::read(context, Some(start), (restart, shutdown)) {
            Some((task, start)) => self.take(context, task, start),
            None => term!({error, {invalid_child_spec, (child)}}),
        }
    }

    /// A task ended: it is started again if it should. One that fails too often is given up; its
    /// peers chose what it runs, so the other tasks and the supervisor don't suffer for it.
    fn ended(&mut self, context: &Context, task: Task, reason: &ExitReason) {
        let Some(start) = task.start.clone().filter(|_| task.restart.restarts(reason)) else {
            return;
        };
        if self.restarts.allow(context.node().uptime()) {
            self.start(context, task, start);
        } else {
            tracing::error!(%reason, "task supervisor: too many restarts, a task is given up");
        }
    }

    async fn terminate_child(&mut self, context: &mut Context, child: &Pid) -> Term {
        let Some(task) = self.children.remove(child) else { return term!({error, not_found}) };
        child::end(context, child, task.shutdown).await;
        term!(ok)
    }
}

/// The life of a task.
async fn run(mut context: Context, functions: Functions, start: Start) -> ExitReason {
    let (callers, work, answer_to) = match start {
        Start::Run { callers, work } => (callers, work, None),
        Start::Wait { owner, monitor } => match wait(&mut context, &owner, monitor).await {
            // They were counted in the mailbox until now.
            Ok((callers, work, _))
                if !context.keep([&callers].into_iter().chain(&work.arguments)) =>
            {
                return ExitReason::Other(term!(system_limit));
            }
            Ok((callers, work, answer_to)) => (callers, work, Some(answer_to)),
            Err(reason) => return reason,
        },
    };
    context.put(atom!("$callers"), callers);
    let arity = u8::try_from(work.arguments.len()).unwrap_or(u8::MAX);
    context.set_initial_call(work.module.clone(), work.function.clone(), arity);
    context.put(atom!("$initial_call"), (&work.module, &work.function, arity));
    let caller = Caller::of(&context);
    match functions.apply(caller, &work.module, &work.function, work.arguments).await {
        Ok(value) => {
            if let Some((reference, Some(to))) = answer_to {
                context.send(to, (reference, value)).await;
            }
            ExitReason::Normal
        }
        Err(raised) => {
            let raised = framed(raised, &work.module, &work.function);
            tracing::error!(
                pid = %context.pid(), module = %work.module, function = %work.function, %raised,
                "task terminating",
            );
            raised.into_exit_reason()
        }
    }
}

/// The exception with the frames that a task has below those of its function.
fn framed(raised: Exception, module: &Atom, function: &Atom) -> Exception {
    let supervised = atom!("Elixir.Task.Supervised");
    raised
        .without_raising_frame(module, function)
        .called_from(&supervised, &atom!("invoke_mfa"), 2)
        .called_from(&supervised, &atom!("reply"), 4)
        .called_from(&atom!("proc_lib"), &atom!("init_p_do_apply"), 3)
}

type Told = (Term, Work, (Term, Option<Destination>));

/// Waits for `{OwnerPid, Ref, ReplyTo, Callers, MFA}`.
async fn wait(context: &mut Context, owner: &Pid, monitor: bool) -> Result<Told, ExitReason> {
    let watch = if monitor { Some(context.monitor(owner).await) } else { None };
    let told = context
        .receive_map_timeout(WORK_TIMEOUT, |message| match message.as_tuple() {
            Some([from, reference, to, callers, work]) if from.as_pid() == Some(owner) => {
                let work = Work::read(work)?;
                let to = Destination::from_term(to);
                Some(Ok((callers.clone(), work, (reference.clone(), to))))
            }
            Some([tag, reference, _, _, reason])
                if tag.is_atom("DOWN") && reference.as_reference() == watch.as_ref() =>
            {
                Some(Err(ExitReason::Other(term!({shutdown, (reason)}))))
            }
            _ => None,
        })
        .await;
    if let Some(watch) = &watch {
        context.demonitor(watch, DemonitorOptions::FLUSH);
    }
    match told {
        Ok((_, outcome)) => outcome,
        Err(_) => Err(ExitReason::Other(term!(timeout))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> (Pid, Term) {
        let pid = Pid::new(atom!("a@h"), 7, 0, 3);
        (pid.clone(), term!({@"a@h", (&pid), (&pid)}))
    }

    #[test]
    fn both_shapes_of_start_task_are_understood() {
        let (pid, owner) = owner();
        let later = Start::read(&term!([(&owner), monitor]));
        assert_eq!(later, Some(Start::Wait { owner: pid, monitor: true }));
        let now = Start::read(&term!([(&owner), [1], {erlang, node, []}]));
        let work = Work { module: atom!("erlang"), function: atom!("node"), arguments: Vec::new() };
        assert_eq!(now, Some(Start::Run { callers: term!([1]), work }));
        for broken in [term!([]), term!([1, monitor]), term!([(&owner), [], {erlang, node}])] {
            assert_eq!(Start::read(&broken), None);
        }
    }
}
