//! Everything a node answers, started at once.

use std::sync::Arc;
use std::time::Duration;

use erlang_node::{Node, SpawnError, SpawnOptions};
use erlang_term::{Atom, Pid, atom};

use crate::erpc::FunctionSpawner;
use crate::functions::Functions;
use crate::gen_server::GenServer;
use crate::global::Global;
use crate::io::User;
use crate::logger::LoggerProxy;
use crate::net_kernel::NetKernel;
use crate::pg::Pg;
use crate::rex::Rex;
use crate::supervisor::{ChildSpec, Intensity};
use crate::{diagnostics, gen_server, supervisor, task_supervisor};

/// Which services a node has.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StandardOptions {
    /// Take part in `global`. A visible node must; a hidden one has nothing to do there.
    pub global: bool,
    /// `pg` scopes to run; the default one is `pg`.
    pub pg_scopes: Vec<Atom>,
    /// Names of `Task.Supervisor`s to run, for instance `Elixir.HAR.TaskSupervisor`.
    pub task_supervisors: Vec<Atom>,
    /// Most tasks of each of them.
    pub task_children_max: usize,
    /// Closed, it keeps the tasks of peers out of all of them.
    pub task_gate: task_supervisor::Gate,
    /// Whether `echo` and `sink` are there; see [`crate::diagnostics`].
    pub diagnostics: bool,
}

impl Default for StandardOptions {
    fn default() -> Self {
        Self {
            global: true,
            pg_scopes: vec![atom!("pg")],
            task_supervisors: Vec::new(),
            task_children_max: crate::limits::TASK_CHILDREN_MAX,
            task_gate: task_supervisor::Gate::default(),
            diagnostics: false,
        }
    }
}

impl StandardOptions {
    /// With a `Task.Supervisor` of this name.
    #[must_use]
    pub fn task_supervisor(mut self, name: Atom) -> Self {
        self.task_supervisors.push(name);
        self
    }

    /// With or without `echo` and `sink`.
    #[must_use]
    pub fn diagnostics(mut self, on: bool) -> Self {
        self.diagnostics = on;
        self
    }

    /// With this `pg` scope, too.
    #[must_use]
    pub fn pg_scope(mut self, name: Atom) -> Self {
        self.pg_scopes.push(name);
        self
    }
}

/// The services of a node, running.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Standard {
    /// The functions that can be called.
    pub functions: Functions,
    /// `global`, unless it was left out.
    pub global: Option<Global>,
    /// The `pg` scopes by name.
    pub pg: Vec<(Atom, Pg)>,
    /// The process that output and logs of remote processes go to: our group leader.
    pub user: Pid,
}

impl Standard {
    /// The `pg` scope of that name.
    pub fn scope(&self, name: &Atom) -> Option<&Pg> {
        self.pg.iter().find(|(scope, _)| scope == name).map(|(_, pg)| pg)
    }
}

/// Restarts of services that are borne: peers can kill them one after the other, and each comes
/// back; only a service that can't live any more ends the attempt.
const SERVICE_RESTARTS: usize = 100;
/// Within this time.
const SERVICE_RESTART_PERIOD: Duration = Duration::from_secs(10);

/// Services that keep nothing their peers don't forget with them, so that a new one is as good as
/// the old: they are started again when they end.
#[derive(Debug)]
pub struct Services {
    node: Node,
    supervisor: Atom,
    running: Vec<(ChildSpec, Pid)>,
}

impl Services {
    /// None yet; a process of this name is going to supervise them.
    pub fn new(node: &Node, supervisor: Atom) -> Self {
        Self { node: node.clone(), supervisor, running: Vec::new() }
    }

    /// Starts a service under its name, and remembers how.
    ///
    /// # Errors
    /// When the name is taken, there are too many processes, or the node stops.
    pub fn add<S: GenServer>(
        &mut self,
        name: &Atom,
        make: impl Fn(&Node) -> S + Send + Sync + 'static,
    ) -> Result<Pid, SpawnError> {
        // Whoever links to a service must not end it by leaving.
        let options = SpawnOptions::new().name(name.clone()).trap_exit();
        let (server, supervisor) = (make(&self.node), self.supervisor.clone());
        let pid = self.node.spawn(options.clone(), |context| async move {
            // It adopts them, and ends them.
            context.put(atom!("$ancestors"), [supervisor]);
            gen_server::run(context, server).await
        })?;
        let spec = ChildSpec::worker(name, move |context| {
            gen_server::start_link(context, options.clone(), make(context.node()))
                .map(|started| started.pid)
        });
        self.running.push((spec, pid.clone()));
        Ok(pid)
    }

    /// From here on they are started again when they end. The node shuts down when their supervisor gives
    /// up.
    ///
    /// # Errors
    /// As [`Services::add`].
    pub fn supervise(self) -> Result<(), SpawnError> {
        let node = self.node.clone();
        watch(&node, vec![self.adopted()?])
    }

    fn adopted(self) -> Result<Pid, SpawnError> {
        let intensity = Intensity::new(SERVICE_RESTARTS, SERVICE_RESTART_PERIOD);
        let options = SpawnOptions::new().name(self.supervisor);
        supervisor::adopt(&self.node, options, intensity, self.running)
    }
}

/// Starts what every BEAM has and peers expect: `net_kernel`, `rex`, `erpc`, `global`, `pg`,
/// `logger_proxy`, `user`. Best done between [`Node::new`] and [`Node::listen`], so that the first
/// peer finds all of it.
///
/// Services are restarted when they end, a `pg` scope without members of this node, as on a BEAM.
/// `global` can't be: its peers believe what it said. When it ends, the node shuts down, since a
/// node that takes half a part in it would block its whole cluster.
///
/// # Errors
/// When a name is taken, there are too many processes, or the node stops.
pub fn standard(
    node: &Node,
    functions: Functions,
    options: StandardOptions,
) -> Result<Standard, SpawnError> {
    if !node.set_spawner(Arc::new(FunctionSpawner::new(functions.clone()))) {
        tracing::warn!("the node has a spawner already; that one stays");
    }
    let mut services = Services::new(node, atom!("kernel_safe_sup"));
    let user = services.add(&atom!("user"), |_| User)?;
    node.set_group_leader(user.clone());
    services.add(&atom!("logger_proxy"), |_| LoggerProxy)?;
    services.add(&atom!("logger"), |_| LoggerProxy)?;
    let called = functions.clone();
    services.add(&atom!("net_kernel"), move |_| NetKernel::new(called.clone()))?;
    let called = functions.clone();
    services.add(&atom!("rex"), move |_| Rex::new(called.clone()))?;
    for name in &options.task_supervisors {
        let (called, max) = (functions.clone(), options.task_children_max);
        let gate = options.task_gate.clone();
        services.add(name, move |_| {
            let options = task_supervisor::Options::default().max_children(max).gate(gate.clone());
            task_supervisor::server(called.clone(), options)
        })?;
    }
    let mut pg = Vec::new();
    for name in options.pg_scopes {
        let scope = Pg::new(node, &name);
        let served = scope.clone();
        services.add(&name, move |_| served.server())?;
        pg.push((name, scope));
    }
    let mut watched = vec![services.adopted()?];
    let global = if options.global { Some(Global::start(node)?) } else { None };
    watched.extend(global.as_ref().map(|global| global.pid().clone()));
    if options.diagnostics {
        diagnostics::start(node)?;
    }
    watch(node, watched)?;
    Ok(Standard { functions, global, pg, user })
}

/// Shuts the node down when one of these processes ends.
fn watch(node: &Node, watched: Vec<Pid>) -> Result<(), SpawnError> {
    node.spawn(SpawnOptions::new(), move |mut context| async move {
        for pid in &watched {
            context.monitor(pid).await;
        }
        let ended = context.receive_map(|message| message.as_down()).await.1;
        if ended.reason.is_orderly() && context.node().is_stopping() {
            // The node shuts down already, and the exit signal to us is still under way.
            return;
        }
        tracing::error!(
            process = %ended.process, reason = %ended.reason,
            "a service that the node can't be without has ended: the node shuts down",
        );
        let node = context.node().clone();
        // Not by this process, which the shutdown ends, too.
        tokio::spawn(async move { node.shutdown().await });
    })
    .map(drop)
}
