//! Everything a node answers, started at once.

use std::sync::Arc;

use erlang_node::{Node, SpawnError, SpawnOptions};
use erlang_term::{Atom, Pid, atom};

use crate::erpc::FunctionSpawner;
use crate::functions::Functions;
use crate::global::Global;
use crate::io::User;
use crate::logger::LoggerProxy;
use crate::net_kernel::NetKernel;
use crate::pg::Pg;
use crate::rex::Rex;
use crate::{diagnostics, gen_server, task_supervisor};

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

/// Starts what every BEAM has and peers expect: `net_kernel`, `rex`, `erpc`, `global`, `pg`,
/// `logger_proxy`, `user`. Best done between [`Node::new`] and [`Node::listen`], so that the first
/// peer finds all of it.
///
/// # Errors
/// When a name is taken, there are too many processes, or the node stops.
pub fn standard(
    node: &Node,
    functions: Functions,
    options: StandardOptions,
) -> Result<Standard, SpawnError> {
    let named = |name: Atom| SpawnOptions::new().name(name);
    let user = gen_server::start(node, named(atom!("user")), User)?;
    node.set_group_leader(user.clone());
    if !node.set_spawner(Arc::new(FunctionSpawner::new(functions.clone()))) {
        tracing::warn!("the node has a spawner already; that one stays");
    }
    gen_server::start(node, named(atom!("logger_proxy")), LoggerProxy)?;
    gen_server::start(node, named(atom!("logger")), LoggerProxy)?;
    gen_server::start(node, named(atom!("net_kernel")), NetKernel::new(functions.clone()))?;
    gen_server::start(node, named(atom!("rex")), Rex::new(functions.clone()))?;
    let global = if options.global { Some(Global::start(node)?) } else { None };
    let mut pg = Vec::new();
    for scope in options.pg_scopes {
        let started = Pg::start(node, &scope)?;
        pg.push((scope, started));
    }
    for name in options.task_supervisors {
        let tasks = task_supervisor::Options::default().max_children(options.task_children_max);
        task_supervisor::start(node, &name, functions.clone(), tasks)?;
    }
    if options.diagnostics {
        diagnostics::start(node)?;
    }
    Ok(Standard { functions, global, pg, user })
}
