//! `pg`: process groups that are known on all nodes, one process for each scope.
//!
//! The protocol is a pure state machine, [`state::Scope`]; here is the process around it and the
//! API. The scope `pg` is the default one; others (such as Phoenix.PubSub's) are started by name.

pub mod state;
mod watchers;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use erlang_node::{
    Context, DemonitorOptions, ExitReason, MonitorNodesOptions, Node, NodeFilter, SpawnError,
    SpawnOptions,
};
use erlang_term::{Atom, Pid, Reference, Term, atom, term};
use tokio::sync::broadcast;

use crate::gen_message::From;
use crate::gen_server::{Answer, CallError, GenServer, Next, call_from};
use crate::limits::CALL_TIMEOUT;
use state::{Change, Output, Scope};
use watchers::Watchers;

/// Changes that a slow subscriber may leave unread before it loses the oldest.
const CHANGES_KEPT: usize = 1024;

/// Processes joined or left a group.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Changed {
    /// Which way.
    pub change: Change,
    /// The group.
    pub group: Term,
    /// The processes, repeated as often as they joined or left.
    pub pids: Vec<Pid>,
}

/// A scope of this node. It stays the same when its process ends and is started again: then it
/// knows of nobody, until its peers have told it of theirs; processes of this node must join anew.
#[derive(Clone, Debug)]
pub struct Pg {
    node: Node,
    name: Atom,
    scope: Shared,
    changes: broadcast::Sender<Changed>,
}

impl Pg {
    /// Starts a scope: `pg:start/1`. Its process is registered under the scope's name. Nobody starts
    /// it again when it ends.
    ///
    /// # Errors
    /// When the name is taken, there are too many processes, or the node stops.
    pub fn start(node: &Node, name: &Atom) -> Result<Self, SpawnError> {
        let pg = Self::new(node, name);
        // A process that links to it must not end it by leaving.
        let options = SpawnOptions::new().name(name.clone()).trap_exit();
        crate::gen_server::start(node, options, pg.server())?;
        Ok(pg)
    }

    /// A scope whose process, a [`Pg::server`], is still to be started.
    pub(crate) fn new(node: &Node, name: &Atom) -> Self {
        let (changes, _) = broadcast::channel(CHANGES_KEPT);
        Self { node: node.clone(), name: name.clone(), scope: Shared::default(), changes }
    }

    /// What runs as the scope's process, the first time or again.
    pub(crate) fn server(&self) -> impl GenServer + use<> {
        Server {
            name: self.name.clone(),
            scope: self.scope.clone(),
            changes: self.changes.clone(),
            monitors: HashMap::new(),
            watchers: Watchers::default(),
        }
    }

    /// The process of the scope, if it runs.
    pub fn pid(&self) -> Option<Pid> {
        self.node.whereis(&self.name)
    }

    /// All members of a group: `pg:get_members/2`.
    pub fn members(&self, group: impl Into<Term>) -> Vec<Pid> {
        self.scope.read(|scope| scope.members(&group.into()))
    }

    /// The members on this node: `pg:get_local_members/2`.
    pub fn local_members(&self, group: impl Into<Term>) -> Vec<Pid> {
        self.scope.read(|scope| scope.local_members(&group.into()))
    }

    /// All groups with members: `pg:which_groups/1`.
    pub fn groups(&self) -> Vec<Term> {
        self.scope.read(Scope::groups)
    }

    /// Changes from now on: what `pg:monitor_scope/1` tells. When the process of the scope is started
    /// again, all leave.
    pub fn subscribe(&self) -> broadcast::Receiver<Changed> {
        self.changes.subscribe()
    }

    /// Local processes join a group: `pg:join/3`.
    ///
    /// # Errors
    /// When the scope's process is gone.
    pub async fn join(&self, group: impl Into<Term>, pids: &[Pid]) -> Result<(), CallError> {
        let request = term!({join_local, (group.into()), (Term::list(pids))});
        call_from(&self.node, self.name.clone(), request, CALL_TIMEOUT).await.map(drop)
    }

    /// Local processes leave a group: `pg:leave/3`. `false`: none of them was a member.
    ///
    /// # Errors
    /// When the scope's process is gone.
    pub async fn leave(&self, group: impl Into<Term>, pids: &[Pid]) -> Result<bool, CallError> {
        let request = term!({leave_local, (group.into()), (Term::list(pids))});
        let answer = call_from(&self.node, self.name.clone(), request, CALL_TIMEOUT).await?;
        Ok(answer.is_atom("ok"))
    }
}

/// The state, shared by the process and by readers; none before the process has begun.
#[derive(Clone, Debug, Default)]
struct Shared(Arc<Mutex<Option<Scope>>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Option<Scope>> {
        // Each step leaves the state consistent; a panic in between can't tear it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a reader finds: nothing before the process has begun.
    fn read<T: Default>(&self, read: impl FnOnce(&Scope) -> T) -> T {
        self.lock().as_ref().map(read).unwrap_or_default()
    }

    /// A process begins, with an empty scope. Gives the one of the process before it.
    fn begin(&self, own: &Pid) -> Option<Scope> {
        self.lock().replace(Scope::new(own.clone()))
    }

    fn with<T>(&self, own: &Pid, step: impl FnOnce(&mut Scope) -> T) -> T {
        step(self.lock().get_or_insert_with(|| Scope::new(own.clone())))
    }
}

struct Server {
    name: Atom,
    scope: Shared,
    changes: broadcast::Sender<Changed>,
    /// What we monitor: peers' scope processes and local members.
    monitors: HashMap<Pid, Reference>,
    watchers: Watchers,
}

impl GenServer for Server {
    fn module(&self) -> Atom {
        atom!("pg")
    }

    fn state(&self) -> Term {
        let groups = self.scope.read(Scope::groups);
        term!({state, (&self.name), (groups)})
    }

    async fn init(&mut self, context: &mut Context) -> Result<(), ExitReason> {
        if let Some(before) = self.scope.begin(context.pid()) {
            for group in before.groups() {
                let pids = before.members(&group);
                // Nobody subscribed: nothing to do.
                let _ = self.changes.send(Changed { change: Change::Leave, group, pids });
            }
        }
        let node = context.node().clone();
        node.monitor_nodes(context.pid(), MonitorNodesOptions::default());
        for peer in node.nodes(NodeFilter::Visible) {
            self.discover(context, peer).await;
        }
        Ok(())
    }

    async fn handle_call(&mut self, context: &mut Context, request: Term, from: From) -> Answer {
        let own = context.pid().clone();
        if let Some(answer) = self.watch(context, &request, from.pid()).await {
            return answer;
        }
        let (tag, group, pids) = match request.as_tuple() {
            Some([tag, group, pids]) => (tag, group, pids),
            Some([tag, group]) if tag.is_atom("get_members") => {
                return Answer::reply(self.scope.with(&own, |scope| scope.members(group)));
            }
            Some([tag, group]) if tag.is_atom("get_local_members") => {
                return Answer::reply(self.scope.with(&own, |scope| scope.local_members(group)));
            }
            None if request.is_atom("which_groups") => {
                return Answer::reply(self.scope.with(&own, |scope| scope.groups()));
            }
            None if request.is_atom("which_local_groups") => {
                return Answer::reply(self.scope.with(&own, |scope| scope.local_groups()));
            }
            _ => return Answer::Reply(term!({error, badarg})),
        };
        let Some(pids) = local_pids(context, pids) else {
            return Answer::Reply(term!({error, badarg}));
        };
        let outputs = match tag.as_atom().map(Atom::as_str) {
            Some("join_local") => self.scope.with(&own, |scope| Some(scope.join(group, &pids))),
            Some("leave_local") => self.scope.with(&own, |scope| scope.leave(group, &pids)),
            _ => return Answer::Reply(term!({error, badarg})),
        };
        match outputs {
            Some(outputs) => {
                self.perform(context, outputs).await;
                Answer::Reply(term!(ok))
            }
            None => Answer::Reply(term!(not_joined)),
        }
    }

    async fn handle_cast(&mut self, context: &mut Context, message: Term) -> Next {
        self.protocol(context, &message).await;
        Next::Continue
    }

    async fn handle_info(&mut self, context: &mut Context, message: Term) -> Next {
        match message.as_tuple() {
            Some([tag, Term::Atom(node)]) if tag.is_atom("nodeup") => {
                self.discover(context, node.clone()).await;
            }
            Some([tag, Term::Atom(_)]) if tag.is_atom("nodedown") => {}
            Some([tag, Term::Reference(monitor), _, Term::Pid(pid), _]) if tag.is_atom("DOWN") => {
                if !self.watchers.remove(monitor) {
                    self.down(context, pid).await;
                }
            }
            _ => self.protocol(context, &message).await,
        }
        Next::Continue
    }
}

/// The pids of a request, if all are processes of this node.
fn local_pids(context: &Context, pids: &Term) -> Option<Vec<Pid>> {
    let own = context.node().name();
    pids.list_iter()?.map(|pid| pid.as_pid().filter(|pid| pid.node() == own).cloned()).collect()
}

impl Server {
    async fn discover(&self, context: &Context, node: Atom) {
        let message = self.scope.with(context.pid(), |scope| scope.discover_message());
        context.send_connected((self.name.clone(), node), message).await;
    }

    /// `monitor`, `{monitor, Group}` and `{demonitor, Ref}`. `None`: another request.
    async fn watch(&mut self, context: &mut Context, request: &Term, by: &Pid) -> Option<Answer> {
        let group = match request.as_tuple() {
            None if request.is_atom("monitor") => None,
            Some([tag, group]) if tag.is_atom("monitor") => Some(group.clone()),
            Some([tag, Term::Reference(monitor)]) if tag.is_atom("demonitor") => {
                context.demonitor(monitor, DemonitorOptions::FLUSH);
                let known = self.watchers.remove(monitor);
                return Some(Answer::Reply(if known { term!(ok) } else { Term::from(false) }));
            }
            _ => return None,
        };
        if !self.watchers.has_room() {
            return Some(Answer::Reply(term!({error, system_limit})));
        }
        let members = self.scope.with(context.pid(), |scope| match &group {
            Some(group) => Term::list(scope.members(group)),
            None => Term::map(scope.groups().into_iter().map(|group| {
                let members = Term::list(scope.members(&group));
                (group, members)
            })),
        });
        let monitor = context.monitor(by).await;
        let answer = term!({(&monitor), (members)});
        self.watchers.add(monitor, by.clone(), group);
        Some(Answer::Reply(answer))
    }

    async fn protocol(&mut self, context: &mut Context, message: &Term) {
        let own = context.pid().clone();
        match self.scope.with(&own, |scope| scope.handle(message)) {
            Some(outputs) => self.perform(context, outputs).await,
            None => tracing::debug!(scope = %self.name, "pg: unexpected message"),
        }
    }

    async fn down(&mut self, context: &mut Context, pid: &Pid) {
        self.monitors.remove(pid);
        let own = context.pid().clone();
        let outputs = self.scope.with(&own, |scope| {
            if pid.node() == own.node() { scope.member_down(pid) } else { scope.peer_down(pid) }
        });
        self.perform(context, outputs).await;
    }

    async fn perform(&mut self, context: &mut Context, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                // Its node may have gone: that is no reason to dial it.
                Output::Send(pid, message) => context.send_connected(&pid, message).await,
                Output::MonitorPeer(pid) | Output::MonitorMember(pid) => {
                    let reference = context.monitor(&pid).await;
                    self.monitors.insert(pid, reference);
                }
                Output::DemonitorMember(pid) => {
                    if let Some(reference) = self.monitors.remove(&pid) {
                        context.demonitor(&reference, DemonitorOptions::FLUSH);
                    }
                }
                Output::Changed(change, group, pids) => {
                    for (watcher, message) in self.watchers.messages(change, &group, &pids) {
                        context.send(&watcher, message).await;
                    }
                    // Nobody subscribed: nothing to do.
                    let _ = self.changes.send(Changed { change, group, pids });
                }
            }
        }
    }
}
