//! Starting processes on this node.

use std::pin::Pin;
use std::sync::Arc;

use erlang_term::{Atom, Pid, Reference, Term};
use tokio::time::Instant;

use crate::ExitReason;
use crate::brief::Function;
use crate::error::SpawnError;
use crate::limits::{MAILBOX_BYTES_MAX, MAILBOX_MESSAGES_MAX};
use crate::monitor::MonitorTarget;
use crate::node::Node;
use crate::origin::{LiveProcess, Origin};
use crate::process::{Context, MailboxLimits, Process, ProcessTask};
use crate::weight::{HELD_BYTES_MAX, held};

/// Module, function and arguments: what a peer asks to be run.
#[derive(Clone, Debug, PartialEq)]
pub struct Mfa {
    /// The module.
    pub module: Atom,
    /// The function.
    pub function: Atom,
    /// The arguments; their number is the arity.
    pub args: Vec<Term>,
}

/// A future of a process function, as a [`Spawner`] returns it.
pub type ProcessFuture = Pin<Box<dyn Future<Output = ExitReason> + Send>>;

/// What runs when a peer asks for a process by module, function and arguments.
///
/// Set once with [`Node::set_spawner`]. For a function that doesn't exist the process ends with
/// `{undef, [{M, F, Args, []}]}`, as it would on a BEAM; the spawn itself still succeeds.
pub trait Spawner: Send + Sync {
    /// The function of a new process. Called before the process runs; the work belongs into the
    /// future.
    fn spawn(&self, context: Context, mfa: Mfa) -> ProcessFuture;

    /// Module, name and arity of the function that does the work. It is asked for to know how long
    /// that function takes; a spawner of functions that only call others says which.
    fn runs(&self, mfa: &Mfa) -> (Atom, Atom, usize) {
        (mfa.module.clone(), mfa.function.clone(), mfa.args.len())
    }

    /// Whether a peer may have done by a message or a signal what this function does. A spawner that
    /// has rules for calls answers by them; else everything may be done, as on a BEAM.
    fn allows(
        &self,
        node: &Node,
        by: &Origin,
        (module, function, arity): (&Atom, &Atom, usize),
    ) -> bool {
        let _ = (node, by, module, function, arity);
        true
    }
}

/// How a process is started.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SpawnOptions {
    /// Link it to the process that starts it.
    pub link: bool,
    /// Let the process that starts it monitor it.
    pub monitor: bool,
    /// Register it before it runs.
    pub name: Option<Atom>,
    /// Its group leader; else that of the process that starts it, else the node itself.
    pub group_leader: Option<Pid>,
    /// Whether it begins with exits trapped.
    pub trap_exit: bool,
    /// The peer it is started for, and counted for; else that of the process that starts it.
    pub origin: Option<Origin>,
    /// Bytes that it keeps for its peer until it ends, such as its arguments. They count with what
    /// waits in mailboxes; nothing is started beyond.
    pub kept_bytes: usize,
    /// Messages its mailbox may hold. When one more comes the process is killed (links and monitors
    /// see `killed`), as a BEAM does at `max_heap_size`: the connection goes on being read, other
    /// processes don't suffer, and memory stays bounded.
    pub mailbox_messages_max: u32,
    /// The same for about the bytes that messages from the network hold. All mailboxes together have a
    /// bound, too: [`crate::NodeConfig::mailboxes_bytes_max`].
    pub mailbox_bytes_max: usize,
}

impl Default for SpawnOptions {
    fn default() -> Self {
        Self {
            link: false,
            monitor: false,
            name: None,
            group_leader: None,
            trap_exit: false,
            origin: None,
            kept_bytes: 0,
            mailbox_messages_max: u32::try_from(MAILBOX_MESSAGES_MAX).unwrap_or(u32::MAX),
            mailbox_bytes_max: MAILBOX_BYTES_MAX,
        }
    }
}

impl SpawnOptions {
    /// No link, no monitor, no name.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a link to the process that starts it.
    #[must_use]
    pub fn link(mut self) -> Self {
        self.link = true;
        self
    }

    /// With a monitor by the process that starts it.
    #[must_use]
    pub fn monitor(mut self) -> Self {
        self.monitor = true;
        self
    }

    /// Under a name.
    #[must_use]
    pub fn name(mut self, name: Atom) -> Self {
        self.name = Some(name);
        self
    }

    /// With this group leader.
    #[must_use]
    pub fn group_leader(mut self, leader: Pid) -> Self {
        self.group_leader = Some(leader);
        self
    }

    /// For this peer, or for nobody in particular.
    #[must_use]
    pub fn on_behalf_of(mut self, origin: Option<Origin>) -> Self {
        self.origin = origin;
        self
    }

    /// Keeping these terms for its peer until it ends.
    #[must_use]
    pub fn keeping<'a>(mut self, terms: impl IntoIterator<Item = &'a Term>) -> Self {
        if self.origin.is_some() {
            self.kept_bytes +=
                terms.into_iter().map(|term| held(term, HELD_BYTES_MAX)).sum::<usize>();
        }
        self
    }

    /// With exits trapped from the start.
    #[must_use]
    pub fn trap_exit(mut self) -> Self {
        self.trap_exit = true;
        self
    }
}

/// A process that was started, and the monitor if one was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Spawned {
    /// The process.
    pub pid: Pid,
    /// The monitor, if the options asked for one.
    pub monitor: Option<Reference>,
}

impl Node {
    /// Starts a process that no process asked for, so there is nobody to link or monitor it:
    /// those two options have no effect here.
    ///
    /// # Errors
    /// When the name is taken, there are too many processes, or the node stops.
    pub fn spawn<F, Fut, R>(&self, options: SpawnOptions, run: F) -> Result<Pid, SpawnError>
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future<Output = R> + Send + 'static,
        R: Into<ExitReason>,
    {
        self.spawn_by(None, options, run).map(|spawned| spawned.pid)
    }

    pub(crate) fn spawn_by<F, Fut, R>(
        &self,
        parent: Option<&Arc<Process>>,
        options: SpawnOptions,
        run: F,
    ) -> Result<Spawned, SpawnError>
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future<Output = R> + Send + 'static,
        R: Into<ExitReason>,
    {
        let process = self.new_process(parent, &options)?;
        let spawned = self.introduce(parent, &process, &options)?;
        let context = Context::new(self.clone(), Arc::clone(&process));
        self.start_process(process, Box::pin(async move { run(context).await.into() }));
        Ok(spawned)
    }

    /// A process with its options applied, in no table yet.
    pub(crate) fn new_process(
        &self,
        parent: Option<&Arc<Process>>,
        options: &SpawnOptions,
    ) -> Result<Arc<Process>, SpawnError> {
        if self.is_stopping() {
            return Err(SpawnError::Stopping);
        }
        let leader = match (&options.group_leader, parent) {
            (Some(leader), _) => leader.clone(),
            (None, Some(parent)) => parent.lock().group_leader.clone(),
            (None, None) => self.group_leader(),
        };
        let limits = MailboxLimits {
            messages_max: options.mailbox_messages_max,
            bytes_max: options.mailbox_bytes_max,
        };
        let origin = options.origin.as_ref().or_else(|| parent.and_then(|parent| parent.origin()));
        let lives_for = origin.map(|origin| self.process_for(origin)).transpose()?;
        let mailboxes = Arc::clone(self.mailboxes());
        let process = Process::new(self.table().new_pid(), leader, limits, mailboxes, lives_for);
        process.lock().trap_exit = options.trap_exit;
        if options.kept_bytes > 0 && !self.keep(&process, options.kept_bytes) {
            return Err(SpawnError::TooManyBytes { bytes: options.kept_bytes });
        }
        Ok(process)
    }

    /// Counts bytes that a process keeps for its peer; whether there is room.
    pub(crate) fn keep(&self, process: &Process, bytes: usize) -> bool {
        process.keep(bytes).unwrap_or_else(|over| {
            if let Some(origin) = process.origin() {
                self.tell_over_budget(origin, over);
            }
            false
        })
    }

    /// A place in a peer's budget of processes.
    fn process_for(&self, origin: &Origin) -> Result<LiveProcess, SpawnError> {
        origin.begin_process().map_err(|over| {
            self.tell_over_budget(origin, over);
            SpawnError::PeerLimit { peer: origin.node().clone(), max: over.max }
        })
    }

    /// Enters the process into the tables and relates it to its parent.
    fn introduce(
        &self,
        parent: Option<&Arc<Process>>,
        process: &Arc<Process>,
        options: &SpawnOptions,
    ) -> Result<Spawned, SpawnError> {
        self.enter(process)?;
        if let Some(name) = &options.name
            && let Err(error) = self.registry().insert(name, process)
        {
            self.table().remove(process.pid());
            return Err(SpawnError::Register(error));
        }
        let mut spawned = Spawned { pid: process.pid().clone(), monitor: None };
        if let Some(parent) = parent {
            if options.link {
                self.link_local(parent, process.pid());
            }
            if options.monitor {
                let reference = self.references().of_process(parent.pid());
                let target = MonitorTarget::Pid(process.pid().clone());
                self.monitor_local(parent, &reference, target);
                spawned.monitor = Some(reference);
            }
        }
        Ok(spawned)
    }

    pub(crate) fn enter(&self, process: &Arc<Process>) -> Result<(), SpawnError> {
        let max = self.config().processes_max;
        if self.table().insert(Arc::clone(process), max) {
            Ok(())
        } else {
            Err(SpawnError::SystemLimit { max })
        }
    }

    /// Starts what a peer asked for. The first step of a function that is likely to end without a
    /// wait is taken here, unless that was long lately: see [`crate::brief`].
    pub(crate) fn start_asked(
        &self,
        process: Arc<Process>,
        body: ProcessFuture,
        brief: Option<Function>,
    ) {
        let Some(function) = brief.filter(|function| self.long_steps().may_be_brief(function))
        else {
            return self.start_process(process, body);
        };
        let mut task = ProcessTask::new(self.clone(), process, body);
        let begun = Instant::now();
        let ended = task.ends_at_once();
        self.long_steps().took(function, begun.elapsed());
        if !ended {
            self.runtime().spawn(task);
        }
    }

    pub(crate) fn start_process(&self, process: Arc<Process>, body: ProcessFuture) {
        self.runtime().spawn(ProcessTask::new(self.clone(), process, body));
    }
}
