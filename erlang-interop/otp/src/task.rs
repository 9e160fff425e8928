//! `Task`: a function that runs in a process of its own, and its result.

use std::time::Duration;

use erlang_node::{
    AliasMode, Context, DemonitorOptions, Destination, ExitReason, SpawnError, SpawnOptions,
};
use erlang_term::{Pid, Reference, Term, atom, term};

use crate::gen_server::ancestors;

/// A task on this or another node that somebody waits for.
#[derive(Debug)]
pub struct Task {
    pid: Pid,
    /// Monitor and alias: the result comes to it.
    reference: Reference,
}

/// Why a task gave no result.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// It ended first.
    #[error("the task ended: {0}")]
    Exit(ExitReason),
    /// No result came in time; the task goes on, unless it is shut down.
    #[error("no result within {0:?}")]
    Timeout(Duration),
    /// The supervisor of another node did not start it.
    #[error("the task was not started: {0}")]
    NotStarted(Term),
}

/// Starts a function in a process linked to this one: `Task.async/1`.
///
/// # Errors
/// When there are too many processes, or the node stops.
pub async fn start<F, Fut, T>(context: &Context, run: F) -> Result<Task, SpawnError>
where
    F: FnOnce(Context) -> Fut + Send + 'static,
    Fut: Future<Output = T> + Send + 'static,
    T: Into<Term> + Send,
{
    let (owner, ancestors) = (context.pid().clone(), ancestors(context));
    let spawned = context.spawn(SpawnOptions::new().link(), move |own| async move {
        own.put(atom!("$ancestors"), ancestors);
        own.put(atom!("$callers"), Term::list([owner.clone()]));
        // The reference is made after the start, so it comes as a message.
        let mut own = own;
        let (_, reply_to) = own
            .receive_map(|message| match message.as_tuple() {
                Some([Term::Pid(from), Term::Reference(reference)]) if *from == owner => {
                    Some(reference.clone())
                }
                _ => None,
            })
            .await;
        let (pid, node) = (own.pid().clone(), own.node().clone());
        let value = run(own).await.into();
        tracing::trace!(%pid, "task done");
        node.send(&reply_to, (&reply_to, value)).await;
    })?;
    let reference = context.monitor_with_alias(&spawned.pid, AliasMode::ReplyDemonitor).await;
    context.send(&spawned.pid, (context.pid(), &reference)).await;
    Ok(Task { pid: spawned.pid, reference })
}

/// Runs `Module:Function(Arguments)` under a `Task.Supervisor` of any node, as
/// `Task.Supervisor.async_nolink/4` does: a BEAM's or one of [`crate::task_supervisor`].
///
/// # Errors
/// [`TaskError::NotStarted`] with the reason; the caller is not linked to the task.
pub async fn async_nolink(
    context: &mut Context,
    supervisor: impl Into<Destination>,
    (module, function, arguments): (Term, Term, Vec<Term>),
    timeout: Duration,
) -> Result<Task, TaskError> {
    let own = context.pid().clone();
    let owner = term!({(context.node().name()), (&own), (&own)});
    let request = term!({start_task, [(owner), monitor], temporary, nil});
    let answer = crate::gen_server::call(context, supervisor, request, timeout)
        .await
        .map_err(|error| TaskError::NotStarted(error.reason()))?;
    let Some([Term::Pid(pid)]) = answer.as_tagged("ok") else {
        return Err(TaskError::NotStarted(answer));
    };
    let reference = context.monitor_with_alias(pid, AliasMode::ReplyDemonitor).await;
    let work = term!({(module), (function), (Term::list(arguments))});
    let message = term!({(&own), (&reference), (&reference), [(&own)], (work)});
    context.send(pid, message).await;
    Ok(Task { pid: pid.clone(), reference })
}

impl Task {
    /// The process that runs it.
    pub fn pid(&self) -> &Pid {
        &self.pid
    }

    /// Waits for the result: `Task.await/2`, with failures as values.
    ///
    /// # Errors
    /// See [`TaskError`].
    pub async fn result(
        &self,
        context: &mut Context,
        timeout: Duration,
    ) -> Result<Term, TaskError> {
        let reference = &self.reference;
        let told = context
            .receive_map_timeout(timeout, |message| match message.as_tuple() {
                Some([Term::Reference(found), value]) if found == reference => {
                    Some(Ok(value.clone()))
                }
                _ if message.is_down_of(reference) => {
                    let reason = message.as_down().map_or(ExitReason::Noproc, |down| down.reason);
                    Some(Err(TaskError::Exit(reason)))
                }
                _ => None,
            })
            .await;
        match told {
            Ok((_, outcome)) => {
                context.demonitor(reference, DemonitorOptions::FLUSH);
                outcome
            }
            Err(_) => Err(TaskError::Timeout(timeout)),
        }
    }

    /// Ends it: `Task.shutdown/2`; when it does not within 5 seconds, by force. A result that came in
    /// time is given.
    pub async fn shutdown(self, context: &mut Context) -> Option<Term> {
        context.unlink(&self.pid);
        context.exit(&self.pid, ExitReason::Shutdown).await;
        let mut result = self.result(context, crate::limits::CALL_TIMEOUT).await;
        while let Err(TaskError::Timeout(_)) = result {
            context.exit(&self.pid, ExitReason::Kill).await;
            result = self.result(context, crate::limits::CALL_TIMEOUT).await;
        }
        result.ok()
    }
}
