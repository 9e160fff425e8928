//! The task that runs a process's function and ends it in order.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use super::{Phase, Process, panic};
use crate::ExitReason;
use crate::node::Node;

/// A process function, started.
pub(crate) type Body = Pin<Box<dyn Future<Output = ExitReason> + Send>>;

/// Runs a process until its function returns or an exit signal ends it, then tells the others.
pub(crate) struct ProcessTask {
    node: Node,
    process: Arc<Process>,
    body: Option<Body>,
    known: bool,
}

impl ProcessTask {
    pub(crate) fn new(node: Node, process: Arc<Process>, body: Body) -> Self {
        Self { node, process, body: Some(body), known: false }
    }

    /// Takes the first step where it is called, without a task. `true`: that was all, the process
    /// has ended. Else it has to be spawned, and its next step makes it known to whoever wakes it:
    /// what the first one waits for would have woken nobody.
    pub(crate) fn ends_at_once(&mut self) -> bool {
        let ended = Pin::new(&mut *self).poll(&mut TaskContext::from_waker(Waker::noop()));
        self.known = false;
        ended.is_ready()
    }

    /// The reason of an exit signal, if one has ended the process.
    fn ordered_exit(&self) -> Option<ExitReason> {
        if !self.process.exit_requested() {
            return None;
        }
        match &self.process.lock().phase {
            Phase::Exiting(reason) => Some(reason.clone()),
            _ => None,
        }
    }

    /// Lets exit signals wake this task. A tokio task has one waker for its whole life.
    fn make_known(&mut self, task: &TaskContext<'_>) {
        if !self.known {
            self.known = true;
            self.process.lock().task = Some(task.waker().clone());
        }
    }

    fn finish(&mut self, reason: ExitReason) {
        // The function's values are dropped before anybody learns of the end.
        let body = self.body.take();
        let reason = match panic::guarded(move || drop(body)) {
            Ok(()) => reason,
            Err(panicked) => panicked,
        };
        self.node.finish_process(&self.process, &reason);
    }
}

impl Future for ProcessTask {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<()> {
        self.make_known(task);
        if let Some(reason) = self.ordered_exit() {
            self.finish(reason);
            return Poll::Ready(());
        }
        let Some(body) = self.body.as_mut() else { return Poll::Ready(()) };
        let reason = match panic::guarded(|| body.as_mut().poll(task)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(reason)) => reason,
            Err(panicked) => {
                tracing::error!(pid = %self.process.pid(), reason = %panicked, "process panicked");
                panicked
            }
        };
        self.finish(reason);
        Poll::Ready(())
    }
}
