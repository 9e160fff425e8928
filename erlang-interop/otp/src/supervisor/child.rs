//! Children of supervisors: how they are described, started and ended.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use erlang_node::{Context, ExitReason, SpawnError};
use erlang_term::{Atom, Pid, Term, atom};

/// When an ended child is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Restart {
    /// Always.
    #[default]
    Permanent,
    /// When it ended for another reason than `normal`, `shutdown` or `{shutdown, _}`.
    Transient,
    /// Never.
    Temporary,
}

impl Restart {
    /// Whether a child that ended for this reason is started again.
    pub fn restarts(self, reason: &ExitReason) -> bool {
        match self {
            Self::Permanent => true,
            Self::Transient => !reason.is_orderly(),
            Self::Temporary => false,
        }
    }
}

/// How a child is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shutdown {
    /// By `kill`.
    BrutalKill,
    /// By `shutdown`; by `kill` if it is still there after this time.
    Timeout(Duration),
    /// By `shutdown`, and it may take what it needs: for supervisors.
    Infinity,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::Timeout(Duration::from_secs(5))
    }
}

impl Restart {
    /// The atom of a child specification; `None`: it is none.
    pub(crate) fn read(term: &Term) -> Option<Self> {
        match term.as_atom()?.as_str() {
            "permanent" => Some(Self::Permanent),
            "transient" => Some(Self::Transient),
            "temporary" => Some(Self::Temporary),
            _ => None,
        }
    }
}

impl Shutdown {
    /// `brutal_kill`, `infinity` or milliseconds of a child specification; `None`: it is none.
    pub(crate) fn read(term: &Term) -> Option<Self> {
        match term {
            Term::Integer(milliseconds @ 0..) => {
                Some(Self::Timeout(Duration::from_millis(milliseconds.unsigned_abs())))
            }
            _ if term.is_atom("brutal_kill") => Some(Self::BrutalKill),
            _ if term.is_atom("infinity") => Some(Self::Infinity),
            _ => None,
        }
    }
}

/// What kind of process a child is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChildType {
    /// A worker.
    #[default]
    Worker,
    /// A supervisor.
    Supervisor,
}

/// Starts a child, linked to the supervisor whose context it is given; for instance with
/// [`crate::gen_server::start_link`].
pub type Start = Arc<dyn Fn(&Context) -> Result<Pid, SpawnError> + Send + Sync>;

/// What a supervisor must know of a child.
#[derive(Clone)]
#[non_exhaustive]
pub struct ChildSpec {
    /// Its name within the supervisor.
    pub id: Term,
    /// How it is started.
    pub start: Start,
    /// When it is started again.
    pub restart: Restart,
    /// How it is ended.
    pub shutdown: Shutdown,
    /// What it is.
    pub child_type: ChildType,
    /// The callback module that `which_children` shows.
    pub module: Atom,
}

impl fmt::Debug for ChildSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ChildSpec")
            .field("id", &self.id)
            .field("restart", &self.restart)
            .field("shutdown", &self.shutdown)
            .field("child_type", &self.child_type)
            .finish_non_exhaustive()
    }
}

impl ChildSpec {
    /// A permanent worker that is given five seconds to end.
    pub fn worker(
        id: impl Into<Term>,
        start: impl Fn(&Context) -> Result<Pid, SpawnError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            id: id.into(),
            start: Arc::new(start),
            restart: Restart::default(),
            shutdown: Shutdown::default(),
            child_type: ChildType::Worker,
            module: atom!("gen_server"),
        }
    }

    /// A permanent supervisor that may take its time to end.
    pub fn supervisor(
        id: impl Into<Term>,
        start: impl Fn(&Context) -> Result<Pid, SpawnError> + Send + Sync + 'static,
    ) -> Self {
        let worker = Self::worker(id, start);
        let (child_type, module) = (ChildType::Supervisor, atom!("supervisor"));
        Self { shutdown: Shutdown::Infinity, child_type, module, ..worker }
    }

    /// With another restart rule.
    #[must_use]
    pub fn restart(mut self, restart: Restart) -> Self {
        self.restart = restart;
        self
    }

    /// With another way to end.
    #[must_use]
    pub fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.shutdown = shutdown;
        self
    }

    /// `{Id, Pid, Type, Modules}` as `which_children` lists it.
    pub(super) fn listed(&self, id: Term, pid: Option<&Pid>) -> Term {
        let pid = pid.map_or_else(|| Term::from(atom!("undefined")), Term::from);
        let kind = match self.child_type {
            ChildType::Worker => atom!("worker"),
            ChildType::Supervisor => atom!("supervisor"),
        };
        Term::from((id, pid, kind, [self.module.clone()]))
    }
}

/// `[{specs, _}, {active, _}, {supervisors, _}, {workers, _}]`.
pub(super) fn counted<'a>(children: impl Iterator<Item = (&'a ChildSpec, bool)>) -> Term {
    let (mut specs, mut active, mut supervisors) = (0_i64, 0_i64, 0_i64);
    for (spec, alive) in children {
        specs += 1;
        active += i64::from(alive);
        supervisors += i64::from(spec.child_type == ChildType::Supervisor);
    }
    Term::list([
        (atom!("specs"), specs),
        (atom!("active"), active),
        (atom!("supervisors"), supervisors),
        (atom!("workers"), specs - supervisors),
    ])
}

/// Ends a child and waits until it is gone.
pub(crate) async fn end(context: &mut Context, pid: &Pid, shutdown: Shutdown) {
    let monitor = context.monitor(pid).await;
    context.unlink(pid);
    // It may have ended by itself just now; nobody is to take that for news later.
    let told =
        |message: &erlang_node::Message| message.as_exit().is_some_and(|exit| exit.from == *pid);
    while context.try_receive_matching(told).is_some() {}
    let reason = match shutdown {
        Shutdown::BrutalKill => ExitReason::Kill,
        _ => ExitReason::Shutdown,
    };
    context.exit(pid, reason).await;
    let gone = |message: &erlang_node::Message| message.is_down_of(&monitor);
    if let Shutdown::Timeout(time) = shutdown {
        if context.receive_matching_timeout(time, gone).await.is_ok() {
            return;
        }
        context.exit(pid, ExitReason::Kill).await;
    }
    context.receive_matching(gone).await;
}

#[cfg(test)]
mod tests {
    use erlang_term::term;

    use super::*;

    #[test]
    fn the_reason_decides_about_a_restart() {
        let crash = ExitReason::Other(term!(crash));
        let orderly = ExitReason::Other(term!({shutdown, 1}));
        assert!(Restart::Permanent.restarts(&ExitReason::Normal));
        assert!(Restart::Transient.restarts(&crash));
        assert!(!Restart::Transient.restarts(&orderly));
        assert!(!Restart::Transient.restarts(&ExitReason::Normal));
        assert!(!Restart::Temporary.restarts(&crash));
    }
}
