//! `supervisor`: starts its children in order, restarts those that end, ends them in reverse.
//!
//! Peers can ask it as they ask any supervisor: `which_children`, `count_children`,
//! `terminate_child`, `restart_child`, `delete_child`. New children come from Rust only, see
//! [`DynamicSupervisor`].

pub(crate) mod child;
mod dynamic;
pub(crate) mod intensity;

use erlang_node::{Context, ExitReason, Node, SpawnError, SpawnOptions};
use erlang_term::{Atom, Pid, Term, atom, term};

pub use child::{ChildSpec, ChildType, Restart, Shutdown, Start};
pub use dynamic::{DynamicSupervisor, StartChildError};
pub use intensity::Intensity;

use crate::gen_message::From;
use crate::gen_server::{self, Answer, GenServer, Next};
use intensity::Restarts;

/// Which children a restart concerns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// Only the one that ended.
    #[default]
    OneForOne,
    /// All: they depend on each other.
    OneForAll,
    /// The one that ended and those started after it.
    RestForOne,
}

/// What a supervisor is made of.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SupervisorSpec {
    /// Which children a restart concerns.
    pub strategy: Strategy,
    /// When it gives up.
    pub intensity: Intensity,
    /// Its children, in the order they are started.
    pub children: Vec<ChildSpec>,
}

impl SupervisorSpec {
    /// With this strategy and no children yet.
    pub fn new(strategy: Strategy) -> Self {
        Self { strategy, ..Self::default() }
    }

    /// With one more child.
    #[must_use]
    pub fn child(mut self, child: ChildSpec) -> Self {
        self.children.push(child);
        self
    }

    /// With another intensity.
    #[must_use]
    pub fn intensity(mut self, intensity: Intensity) -> Self {
        self.intensity = intensity;
        self
    }
}

/// Starts a supervisor that nobody is linked to: the root of a tree.
///
/// # Errors
/// When the name is taken, there are too many processes, or the node stops.
pub fn start(node: &Node, options: SpawnOptions, spec: SupervisorSpec) -> Result<Pid, SpawnError> {
    gen_server::start(node, options.trap_exit(), Supervisor::new(spec))
}

/// Starts a supervisor linked to the process that starts it.
///
/// # Errors
/// As [`start`].
pub fn start_link(
    context: &Context,
    options: SpawnOptions,
    spec: SupervisorSpec,
) -> Result<Pid, SpawnError> {
    let started = gen_server::start_link(context, options.trap_exit(), Supervisor::new(spec));
    started.map(|spawned| spawned.pid)
}

/// Starts a supervisor of children that run already: it links to them, and restarts them from here
/// on. For services that must be there before their supervisor has had its first turn.
///
/// # Errors
/// As [`start`].
pub(crate) fn adopt(
    node: &Node,
    options: SpawnOptions,
    intensity: Intensity,
    children: Vec<(ChildSpec, Pid)>,
) -> Result<Pid, SpawnError> {
    let mut server = Supervisor::new(SupervisorSpec::default().intensity(intensity));
    server.children =
        children.into_iter().map(|(spec, pid)| Child { spec, pid: Some(pid) }).collect();
    gen_server::start(node, options.trap_exit(), server)
}

struct Child {
    spec: ChildSpec,
    pid: Option<Pid>,
}

struct Supervisor {
    strategy: Strategy,
    restarts: Restarts,
    children: Vec<Child>,
}

impl Supervisor {
    fn new(spec: SupervisorSpec) -> Self {
        let child = |spec| Child { spec, pid: None };
        Self {
            strategy: spec.strategy,
            restarts: Restarts::new(spec.intensity),
            children: spec.children.into_iter().map(child).collect(),
        }
    }

    fn find(&self, id: &Term) -> Option<usize> {
        self.children.iter().position(|child| child.spec.id == *id)
    }

    /// Starts those of a range that don't run, in order.
    fn start_from(&mut self, context: &Context, first: usize) -> Result<(), SpawnError> {
        for child in &mut self.children[first..] {
            if child.pid.is_none() {
                child.pid = Some((child.spec.start)(context)?);
            }
        }
        Ok(())
    }

    /// Ends those from `first` on, in reverse order.
    async fn end_from(&mut self, context: &mut Context, first: usize) {
        for child in self.children[first..].iter_mut().rev() {
            if let Some(pid) = child.pid.take() {
                child::end(context, &pid, child.spec.shutdown).await;
            }
        }
    }

    /// A child ended by itself.
    async fn ended(&mut self, context: &mut Context, at: usize, reason: &ExitReason) -> Next {
        self.children[at].pid = None;
        if !reason.is_orderly() {
            tracing::error!(
                child = %self.children[at].spec.id, %reason,
                "supervisor: a child ended",
            );
        }
        let restart = self.children[at].spec.restart;
        if !restart.restarts(reason) {
            if restart == Restart::Temporary {
                self.children.remove(at);
            }
            return Next::Continue;
        }
        loop {
            if !self.restarts.allow(context.node().uptime()) {
                tracing::error!("supervisor: too many restarts, it gives up");
                return Next::Stop(ExitReason::Shutdown);
            }
            match self.restart(context, at).await {
                Ok(()) => return Next::Continue,
                // The node's end is no failure of the child.
                Err(SpawnError::Stopping) => return Next::Stop(ExitReason::Shutdown),
                Err(error) => tracing::error!(%error, "supervisor: a child did not start"),
            }
        }
    }

    async fn restart(&mut self, context: &mut Context, at: usize) -> Result<(), SpawnError> {
        match self.strategy {
            Strategy::OneForOne => {
                let child = &mut self.children[at];
                child.pid = Some((child.spec.start)(context)?);
                Ok(())
            }
            Strategy::OneForAll => self.restart_from(context, 0).await,
            Strategy::RestForOne => self.restart_from(context, at).await,
        }
    }

    /// Ends those from `first` on and starts them again, but for temporary ones, which go.
    async fn restart_from(
        &mut self,
        context: &mut Context,
        first: usize,
    ) -> Result<(), SpawnError> {
        self.end_from(context, first).await;
        let mut concerned = self.children.split_off(first);
        concerned.retain(|child| child.spec.restart != Restart::Temporary);
        self.children.append(&mut concerned);
        self.start_from(context, first)
    }

    /// `{terminate_child | restart_child | delete_child, Id}`.
    async fn command(&mut self, context: &mut Context, what: &str, id: &Term) -> Term {
        let Some(at) = self.find(id) else { return term!({error, not_found}) };
        match (what, self.children[at].pid.clone()) {
            ("terminate_child", Some(pid)) => {
                child::end(context, &pid, self.children[at].spec.shutdown).await;
                self.children[at].pid = None;
                term!(ok)
            }
            ("terminate_child", None) => term!(ok),
            ("restart_child" | "delete_child", Some(_)) => term!({error, running}),
            ("restart_child", None) => match (self.children[at].spec.start)(context) {
                Ok(pid) => {
                    self.children[at].pid = Some(pid.clone());
                    term!({ok, (pid)})
                }
                Err(error) => term!({error, (error.to_string())}),
            },
            ("delete_child", None) => {
                self.children.remove(at);
                term!(ok)
            }
            _ => term!({error, badarg}),
        }
    }
}

impl GenServer for Supervisor {
    fn module(&self) -> Atom {
        atom!("supervisor")
    }

    fn state(&self) -> Term {
        term!({state, (Term::list(self.children.iter().map(|child| child.spec.id.clone())))})
    }

    async fn init(&mut self, context: &mut Context) -> Result<(), ExitReason> {
        for pid in self.children.iter().filter_map(|child| child.pid.as_ref()) {
            context.link(pid).await;
        }
        if let Err(error) = self.start_from(context, 0) {
            tracing::error!(%error, "supervisor: a child did not start");
            self.end_from(context, 0).await;
            return Err(ExitReason::Shutdown);
        }
        Ok(())
    }

    async fn handle_call(&mut self, context: &mut Context, request: Term, _: From) -> Answer {
        let reply = match request.as_tuple() {
            // The spec's code would have to be here, and is not: children come from Rust.
            Some([what, spec]) if what.is_atom("start_child") => refused_child(spec),
            Some([what, id]) if what.is_atom("get_childspec") && self.find(id).is_none() => {
                term!({error, not_found})
            }
            Some([what, id]) => match what.as_atom() {
                Some(what) => self.command(context, what.as_str(), id).await,
                None => term!({error, badarg}),
            },
            None if request.is_atom("which_children") => Term::list(
                self.children
                    .iter()
                    .rev()
                    .map(|child| child.spec.listed(child.spec.id.clone(), child.pid.as_ref())),
            ),
            None if request.is_atom("count_children") => {
                child::counted(self.children.iter().map(|child| (&child.spec, child.pid.is_some())))
            }
            _ => term!({error, notsup}),
        };
        Answer::Reply(reply)
    }

    async fn handle_info(&mut self, context: &mut Context, message: Term) -> Next {
        let Some([tag, Term::Pid(from), reason]) = message.as_tuple() else {
            return Next::Continue;
        };
        if !tag.is_atom("EXIT") {
            return Next::Continue;
        }
        let reason = ExitReason::from(reason.clone());
        let ended = self.children.iter().position(|child| child.pid.as_ref() == Some(from));
        match ended {
            Some(at) => self.ended(context, at, &reason).await,
            // A stranger's. (The parent's and the node's are seen to by the server loop.)
            None => Next::Continue,
        }
    }

    async fn terminate(&mut self, context: &mut Context, _: &ExitReason) {
        self.end_from(context, 0).await;
    }
}

/// The answer to `start_child` with a specification that came as a message.
pub(crate) fn refused_child(spec: &Term) -> Term {
    let key = |name: Atom| spec.as_map().and_then(|map| map.get(&Term::from(name)));
    let complete = key(atom!("id")).is_some() && key(atom!("start")).is_some();
    if complete || spec.as_tuple().is_some_and(|parts| parts.len() == 6) {
        term!({error, notsup})
    } else {
        term!({error, {invalid_child_spec, (spec)}})
    }
}
