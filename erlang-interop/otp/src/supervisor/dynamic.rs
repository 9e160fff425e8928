//! `DynamicSupervisor`: children that come and go, each restarted by itself.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use erlang_node::{Context, ExitReason, Node, SpawnError, SpawnOptions};
use erlang_term::{Atom, Pid, Term, atom, term};
use tokio::sync::oneshot;

use super::child::{self, ChildSpec};
use super::intensity::{Intensity, Restarts};
use crate::gen_message::{From, cast_message};
use crate::gen_server::{self, Answer, GenServer, Next};

/// Why a child was not started.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StartChildError {
    /// It has its most children already: `max_children`.
    #[error("there are {0} children already")]
    MaxChildren(usize),
    /// The child's own start failed.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// The supervisor is gone.
    #[error("the supervisor is gone")]
    Noproc,
}

type Answering = oneshot::Sender<Result<Pid, StartChildError>>;
/// Specs hold code, which no message carries: they wait here, and a message tells of them.
type Waiting = Arc<Mutex<VecDeque<(ChildSpec, Answering)>>>;

/// A handle on a running dynamic supervisor.
#[derive(Clone)]
pub struct DynamicSupervisor {
    node: Node,
    pid: Pid,
    waiting: Waiting,
}

impl std::fmt::Debug for DynamicSupervisor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "DynamicSupervisor({})", self.pid)
    }
}

impl DynamicSupervisor {
    /// Starts one that has no children yet.
    ///
    /// # Errors
    /// When the name is taken, there are too many processes, or the node stops.
    pub fn start(
        node: &Node,
        options: SpawnOptions,
        intensity: Intensity,
        children_max: usize,
    ) -> Result<Self, SpawnError> {
        let waiting = Waiting::default();
        let server = Server {
            waiting: Arc::clone(&waiting),
            restarts: Restarts::new(intensity),
            children_max,
            children: HashMap::new(),
        };
        let pid = gen_server::start(node, options.trap_exit(), server)?;
        Ok(Self { node: node.clone(), pid, waiting })
    }

    /// The supervisor's process.
    pub fn pid(&self) -> &Pid {
        &self.pid
    }

    /// Starts a child.
    ///
    /// # Errors
    /// See [`StartChildError`].
    pub async fn start_child(&self, spec: ChildSpec) -> Result<Pid, StartChildError> {
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back((spec, answer));
        if !self.node.is_process_alive(&self.pid) {
            return Err(StartChildError::Noproc);
        }
        self.node.send(&self.pid, cast_message(atom!("start_waiting"))).await;
        answered.await.unwrap_or(Err(StartChildError::Noproc))
    }
}

struct Server {
    waiting: Waiting,
    restarts: Restarts,
    children_max: usize,
    children: HashMap<Pid, ChildSpec>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // Whoever still waits learns that nobody will answer.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Server {
    fn start(&mut self, context: &Context, spec: ChildSpec) -> Result<Pid, StartChildError> {
        if self.children.len() >= self.children_max {
            return Err(StartChildError::MaxChildren(self.children_max));
        }
        let pid = (spec.start)(context)?;
        self.children.insert(pid.clone(), spec);
        Ok(pid)
    }

    fn ended(&mut self, context: &Context, spec: ChildSpec, reason: &ExitReason) -> Next {
        if !spec.restart.restarts(reason) {
            return Next::Continue;
        }
        loop {
            if !self.restarts.allow(context.node().uptime()) {
                tracing::error!("dynamic supervisor: too many restarts, it gives up");
                return Next::Stop(ExitReason::Shutdown);
            }
            match (spec.start)(context) {
                Ok(pid) => {
                    self.children.insert(pid, spec);
                    return Next::Continue;
                }
                // The node's end is no failure of the child.
                Err(SpawnError::Stopping) => return Next::Stop(ExitReason::Shutdown),
                Err(error) => tracing::error!(%error, "dynamic supervisor: a child did not start"),
            }
        }
    }
}

impl GenServer for Server {
    fn module(&self) -> Atom {
        atom!("Elixir.DynamicSupervisor")
    }

    fn state(&self) -> Term {
        term!(#{children => (Term::list(self.children.keys()))})
    }

    async fn handle_call(&mut self, context: &mut Context, request: Term, _: From) -> Answer {
        let reply = match request.as_tuple() {
            Some([tag, Term::Pid(pid)]) if tag.is_atom("terminate_child") => {
                match self.children.remove(pid) {
                    Some(spec) => {
                        child::end(context, pid, spec.shutdown).await;
                        term!(ok)
                    }
                    None => term!({error, not_found}),
                }
            }
            None if request.is_atom("which_children") => Term::list(
                self.children.iter().map(|(pid, spec)| spec.listed(term!(undefined), Some(pid))),
            ),
            None if request.is_atom("count_children") => {
                child::counted(self.children.values().map(|spec| (spec, true)))
            }
            _ => term!({error, notsup}),
        };
        Answer::Reply(reply)
    }

    async fn handle_cast(&mut self, context: &mut Context, message: Term) -> Next {
        if message.is_atom("start_waiting") {
            let next = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            if let Some((spec, answer)) = next {
                // Whoever asked may have given up; the child stays, as it would on a BEAM.
                let _ = answer.send(self.start(context, spec));
            }
        }
        Next::Continue
    }

    async fn handle_info(&mut self, context: &mut Context, message: Term) -> Next {
        let Some([tag, Term::Pid(from), reason]) = message.as_tuple() else {
            return Next::Continue;
        };
        if !tag.is_atom("EXIT") {
            return Next::Continue;
        }
        let reason = ExitReason::from(reason.clone());
        match self.children.remove(from) {
            Some(spec) => self.ended(context, spec, &reason),
            None => Next::Continue,
        }
    }

    async fn terminate(&mut self, context: &mut Context, _: &ExitReason) {
        for (pid, spec) in std::mem::take(&mut self.children) {
            child::end(context, &pid, spec.shutdown).await;
        }
    }
}
