//! `gen_server`: a process that answers calls, in Rust, for Rust and BEAM callers alike.

use std::time::Duration;

use erlang_node::{
    AliasMode, Context, DemonitorOptions, Destination, ExitReason, Message, MonitorTarget, Node,
    Origin, SpawnError, SpawnOptions, Spawned,
};
use erlang_term::{Atom, Pid, Term, atom};

use crate::client::in_process_for;
use crate::functions::Caller;
use crate::gen_message::{From, Request, call_message, cast_message};
use crate::sys::{self, Effect, Running, Status};

/// What follows a call.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Answer {
    /// Send this answer and go on.
    Reply(Term),
    /// Go on; somebody answers later with [`reply`], or nobody.
    NoReply,
    /// Send this answer, then end.
    StopReply(ExitReason, Term),
    /// End without an answer; the caller sees the reason.
    Stop(ExitReason),
}

impl Answer {
    /// [`Answer::Reply`] of anything that is a term.
    pub fn reply(value: impl Into<Term>) -> Self {
        Self::Reply(value.into())
    }
}

/// What follows a cast or any other message.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Next {
    /// Wait for the next message.
    Continue,
    /// End with this reason.
    Stop(ExitReason),
}

/// The behaviour. Only what a server needs is written; the defaults do what a BEAM's do: an
/// unknown call ends nobody, it is logged and left without an answer.
pub trait GenServer: Send + Sized + 'static {
    /// The callback module that tools are shown; an Elixir module has its full name.
    fn module(&self) -> Atom {
        atom!("gen_server")
    }

    /// The state that `sys:get_state/1` shows.
    fn state(&self) -> Term {
        Term::from(atom!("undefined"))
    }

    /// Runs first, in the process. An error ends it with that reason.
    fn init(
        &mut self,
        context: &mut Context,
    ) -> impl Future<Output = Result<(), ExitReason>> + Send {
        let _ = context;
        async { Ok(()) }
    }

    /// A call: `gen_server:call/2`, `GenServer.call/2`.
    fn handle_call(
        &mut self,
        context: &mut Context,
        request: Term,
        from: From,
    ) -> impl Future<Output = Answer> + Send {
        let (server, pid) = (self.module(), from.pid().clone());
        let _ = context;
        async move {
            tracing::warn!(%server, from = %pid, request = shown(&request), "unexpected call");
            Answer::NoReply
        }
    }

    /// A cast: `gen_server:cast/2`, `GenServer.cast/2`.
    fn handle_cast(
        &mut self,
        context: &mut Context,
        message: Term,
    ) -> impl Future<Output = Next> + Send {
        let server = self.module();
        let _ = context;
        async move {
            tracing::warn!(%server, message = shown(&message), "unexpected cast");
            Next::Continue
        }
    }

    /// Any other message.
    fn handle_info(
        &mut self,
        context: &mut Context,
        message: Term,
    ) -> impl Future<Output = Next> + Send {
        let server = self.module();
        let _ = context;
        async move {
            tracing::debug!(%server, message = shown(&message), "unexpected message");
            Next::Continue
        }
    }

    /// Runs last when the server ends by its own decision, by `sys:terminate/2`, or by an exit
    /// signal while it traps exits.
    fn terminate(
        &mut self,
        context: &mut Context,
        reason: &ExitReason,
    ) -> impl Future<Output = ()> + Send {
        let _ = (context, reason);
        async {}
    }
}

/// What kind of message it is, for logs: payloads don't belong there.
fn shown(message: &Term) -> String {
    let head = match message.as_tuple() {
        Some([head, ..]) => head,
        _ => message,
    };
    head.as_atom().map_or_else(|| "(no tag)".to_owned(), ToString::to_string)
}

/// Starts a server that nobody is linked to.
///
/// # Errors
/// When the name is taken, there are too many processes, or the node stops.
pub fn start<S: GenServer>(
    node: &Node,
    options: SpawnOptions,
    server: S,
) -> Result<Pid, SpawnError> {
    node.spawn(options, move |context| run(context, server))
}

/// Runs a server as the life of the current process: for [`start`], and for a process function
/// that becomes a server.
pub async fn run<S: GenServer>(mut context: Context, mut server: S) -> ExitReason {
    context.set_initial_call(server.module(), atom!("init"), 1);
    context.put(atom!("$initial_call"), (server.module(), atom!("init"), 1));
    if let Err(reason) = server.init(&mut context).await {
        return reason;
    }
    let mut running = Running::default();
    loop {
        let message = match running {
            Running::Running => context.receive().await,
            Running::Suspended => {
                let superior = Superior::of(&context);
                let urgent = |one: &Message| is_system(one) || superior.ends_it(one);
                context.receive_matching(urgent).await
            }
        };
        if let Some(exit) = message.as_exit()
            && Superior::of(&context).ends_it(&message)
        {
            server.terminate(&mut context, &exit.reason).await;
            return exit.reason;
        }
        let refused = if is_system(&message) { sys::not_allowed(&context, &message) } else { None };
        if let Some((from, answer)) = refused {
            sys::answer(&context, &from, answer).await;
            continue;
        }
        match step(&mut context, &mut server, &mut running, message.into_term()).await {
            Next::Continue => {}
            Next::Stop(reason) => {
                server.terminate(&mut context, &reason).await;
                return reason;
            }
        }
    }
}

/// The process that started this one by [`start_link`], by its pid or its name.
pub(crate) fn parent(context: &Context) -> Option<Pid> {
    let ancestors = context.dictionary_value(&Term::from(atom!("$ancestors")))?;
    match ancestors.as_list()?.iter().next()? {
        Term::Pid(pid) => Some(pid),
        Term::Atom(name) => context.node().whereis(&name),
        _ => None,
    }
}

/// Who ends a server by an exit signal, even one that traps exits.
struct Superior {
    parent: Option<Pid>,
    node: Pid,
}

impl Superior {
    fn of(context: &Context) -> Self {
        Self { parent: parent(context), node: context.node().pid().clone() }
    }

    fn ends_it(&self, message: &Message) -> bool {
        let Some(exit) = message.as_exit() else { return false };
        match &self.parent {
            Some(parent) => message.is_from_here() && exit.from == *parent,
            // Who was started by the node is ended by the node.
            None => message.is_from_here() && exit.from == self.node,
        }
    }
}

fn is_system(message: &Term) -> bool {
    matches!(message.as_tuple(), Some([tag, _, _]) if tag.is_atom("system"))
}

async fn step<S: GenServer>(
    context: &mut Context,
    server: &mut S,
    running: &mut Running,
    message: Term,
) -> Next {
    match Request::read(message) {
        Request::Call(from, request) => {
            match server.handle_call(context, request, from.clone()).await {
                Answer::Reply(value) => {
                    reply(context, &from, value).await;
                    Next::Continue
                }
                Answer::NoReply => Next::Continue,
                Answer::StopReply(reason, value) => {
                    reply(context, &from, value).await;
                    Next::Stop(reason)
                }
                Answer::Stop(reason) => Next::Stop(reason),
            }
        }
        Request::Cast(message) => server.handle_cast(context, message).await,
        Request::Info(message) => server.handle_info(context, message).await,
        Request::System(from, request) => {
            let status = Status { module: server.module(), state: server.state() };
            match sys::handle(context, &request, *running, status) {
                Effect::Answer(value, mode) => {
                    *running = mode;
                    sys::answer(context, &from, value).await;
                    Next::Continue
                }
                Effect::Terminate(reason) => {
                    sys::answer(context, &from, Term::from(atom!("ok"))).await;
                    Next::Stop(reason)
                }
            }
        }
    }
}

/// Answers a call: `gen_server:reply/2`.
pub async fn reply(context: &Context, from: &From, value: impl Into<Term>) {
    context.send(from.destination(), from.reply(value)).await;
}

/// Why a call got no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The server ended, or was never there (`noproc`), before it answered.
    #[error("the server ended before it answered: {0}")]
    Exit(ExitReason),
    /// The server's node can't be reached.
    #[error("node {0} is down")]
    Nodedown(Atom),
    /// No answer came in time. The server may still work on it.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The calling process could not be started.
    #[error("could not start the calling process: {0}")]
    Spawn(String),
}

impl CallError {
    /// The reason with which `gen_server:call/3` exits, without the `{gen_server, call, _}` part.
    pub fn reason(&self) -> Term {
        match self {
            Self::Exit(reason) => reason.to_term(),
            Self::Nodedown(node) => Term::from((atom!("nodedown"), node)),
            Self::Timeout(_) => Term::from(atom!("timeout")),
            Self::Spawn(_) => Term::from(atom!("system_limit")),
        }
    }
}

/// Calls a server from within a process: `gen_server:call/3`. It monitors the server, and the
/// answer goes to an alias, so that one that comes too late disappears.
///
/// # Errors
/// See [`CallError`].
pub async fn call(
    context: &mut Context,
    server: impl Into<Destination>,
    request: impl Into<Term>,
    timeout: Duration,
) -> Result<Term, CallError> {
    let server = server.into();
    let target = monitor_target(&server)?;
    let monitor = context.monitor_with_alias(target, AliasMode::ReplyDemonitor).await;
    let tag = Term::improper_list([atom!("alias")], &monitor);
    let from = From::new(context.pid().clone(), tag.clone());
    // Not by another dial: a call that is told to have failed must not be made after all.
    context.send_connected(server.clone(), call_message(&from, request)).await;
    let answer = context
        .receive_map_timeout(timeout, |message| match message.as_tuple() {
            Some([found, value]) if *found == tag => Some(Ok(value.clone())),
            _ if message.is_down_of(&monitor) => {
                let reason = message.as_down().map_or(ExitReason::Noproc, |down| down.reason);
                Some(Err(reason))
            }
            _ => None,
        })
        .await;
    match answer {
        Ok((_, Ok(value))) => {
            context.demonitor(&monitor, DemonitorOptions::FLUSH);
            Ok(value)
        }
        Ok((_, Err(ExitReason::Noconnection))) => Err(lost(&server)),
        Ok((_, Err(reason))) => Err(CallError::Exit(reason)),
        Err(_) => {
            context.demonitor(&monitor, DemonitorOptions::FLUSH);
            context.unalias(&monitor);
            Err(CallError::Timeout(timeout))
        }
    }
}

fn lost(server: &Destination) -> CallError {
    match server {
        Destination::NameNode(_, node) => CallError::Nodedown(node.clone()),
        Destination::Pid(pid) => CallError::Nodedown(pid.node().clone()),
        _ => CallError::Exit(ExitReason::Noconnection),
    }
}

fn monitor_target(server: &Destination) -> Result<MonitorTarget, CallError> {
    match server {
        Destination::Pid(pid) => Ok(MonitorTarget::from(pid.clone())),
        Destination::Name(name) => Ok(MonitorTarget::from(name.clone())),
        Destination::NameNode(name, node) => Ok(MonitorTarget::from((name.clone(), node.clone()))),
        // An alias can't be monitored: only its process knows of it.
        _ => Err(CallError::Exit(ExitReason::Noproc)),
    }
}

/// As [`call`], from code that is no process: a process is started for the call.
///
/// # Errors
/// See [`CallError`].
pub async fn call_from(
    node: &Node,
    server: impl Into<Destination>,
    request: impl Into<Term>,
    timeout: Duration,
) -> Result<Term, CallError> {
    call_in(node, None, server.into(), request.into(), timeout).await
}

/// As [`call_from`], on behalf of whom a function runs for.
///
/// # Errors
/// See [`CallError`].
pub async fn call_for(
    caller: &Caller,
    server: impl Into<Destination>,
    request: impl Into<Term>,
    timeout: Duration,
) -> Result<Term, CallError> {
    let origin = caller.origin.as_ref();
    call_in(&caller.node, origin, server.into(), request.into(), timeout).await
}

async fn call_in(
    node: &Node,
    origin: Option<&Origin>,
    server: Destination,
    request: Term,
    timeout: Duration,
) -> Result<Term, CallError> {
    in_process_for(node, origin, move |mut context| async move {
        call(&mut context, server, request, timeout).await
    })
    .await
    .map_err(CallError::Spawn)?
}

/// Sends a cast: `gen_server:cast/2`.
pub async fn cast(context: &Context, server: impl Into<Destination>, message: impl Into<Term>) {
    context.send(server, cast_message(message)).await;
}

/// Starts a server linked to the process that starts it, with `$ancestors` set as by `proc_lib`.
///
/// # Errors
/// When the name is taken, there are too many processes, or the node stops.
pub fn start_link<S: GenServer>(
    context: &Context,
    mut options: SpawnOptions,
    server: S,
) -> Result<Spawned, SpawnError> {
    options.link = true;
    let ancestors = ancestors(context);
    context.spawn(options, move |started| async move {
        started.put(atom!("$ancestors"), ancestors);
        run(started, server).await
    })
}

/// The `$ancestors` of a process that this one starts: itself, then its own.
pub fn ancestors(context: &Context) -> Term {
    let own: Pid = context.pid().clone();
    let before = context
        .dictionary_value(&Term::from(atom!("$ancestors")))
        .filter(Term::is_list)
        .unwrap_or(Term::Nil);
    Term::improper_list([own], before)
}
