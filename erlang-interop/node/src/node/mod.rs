//! The node itself: what all its parts share.

mod send;
mod start;

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use erlang_dist::handshake::{HandshakeConfig, LocalName};
use erlang_dist::{Creation, DistributionFlags};
use erlang_term::{Atom, Pid, Reference};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::alias::References;
use crate::brief::LongSteps;
use crate::config::NodeConfig;
use crate::error::StartError;
use crate::event::Events;
use crate::net_kernel::NetKernel;
use crate::process::table::ProcessTable;
use crate::process::{Mailboxes, ProcessInfo};
use crate::registry::Registry;
use crate::spawn::Spawner;

/// How often who waits for the end of the peers' processes looks for it: each end may be one of
/// thousands a second, so that nobody is woken for it.
const PEER_PROCESSES_LOOK: Duration = Duration::from_millis(5);

/// An Erlang node. A handle: clones are the same node.
///
/// Made by [`Node::new`] it runs processes and knows names; [`Node::listen`] lets peers in. Both in
/// one is [`Node::start`]. [`Node::shutdown`] ends it; dropping all handles does not.
#[derive(Clone)]
pub struct Node(Arc<Inner>);

struct Inner {
    name: Atom,
    creation: u32,
    config: NodeConfig,
    started: Instant,
    runtime: Handle,
    table: ProcessTable,
    registry: Registry,
    mailboxes: Arc<Mailboxes>,
    references: References,
    kernel: NetKernel,
    events: Events,
    spawner: OnceLock<Arc<dyn Spawner>>,
    long_steps: LongSteps,
    unlink_ids: AtomicU64,
    group_leader: Mutex<Pid>,
    alive: AtomicBool,
    /// Whether EPMD knows the node, or does not have to.
    registered: AtomicBool,
    stopping: AtomicBool,
    stop: Notify,
    /// Set, never cleared, when `shutdown` has done its work.
    stopped: watch::Sender<bool>,
    process_ended: Notify,
    listening: Mutex<Option<start::Listening>>,
}

impl Node {
    /// A node that runs processes but isn't on the network yet. Register what peers will look for,
    /// set the spawner, then [`Node::listen`].
    ///
    /// # Errors
    /// Without a tokio runtime around, or without random numbers for the creation.
    pub fn new(config: NodeConfig) -> Result<Self, StartError> {
        let runtime = Handle::try_current()?;
        // Chosen by ourselves, so that pids exist before EPMD is asked. Peers learn it in the
        // handshake; what EPMD offers is of no further use.
        let creation = match config.creation {
            Some(creation) => creation.0,
            None => Creation::from_random(getrandom::u32().map_err(StartError::Random)?).0,
        };
        crate::process::panic::install_hook();
        let name = config.name.as_atom();
        let table = ProcessTable::new(name.clone(), creation);
        let group_leader = Mutex::new(table.node_pid());
        Ok(Self(Arc::new(Inner {
            mailboxes: Arc::new(Mailboxes::new(config.mailboxes_bytes_max)),
            references: References::new(name.clone(), creation),
            kernel: NetKernel::new(&config),
            name,
            creation,
            config,
            started: Instant::now(),
            runtime,
            table,
            registry: Registry::default(),
            events: Events::new(),
            spawner: OnceLock::new(),
            long_steps: LongSteps::default(),
            unlink_ids: AtomicU64::new(1),
            group_leader,
            alive: AtomicBool::new(false),
            registered: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            stop: Notify::new(),
            stopped: watch::Sender::new(false),
            process_ended: Notify::new(),
            listening: Mutex::default(),
        })))
    }

    /// Sets what runs for spawn requests. Returns `false` if that was set before.
    pub fn set_spawner(&self, spawner: Arc<dyn Spawner>) -> bool {
        self.0.spawner.set(spawner).is_ok()
    }

    /// The node's name: `node()`.
    pub fn name(&self) -> &Atom {
        &self.0.name
    }

    /// Which incarnation of its name the node is.
    pub fn creation(&self) -> u32 {
        self.0.creation
    }

    /// How it was set up.
    pub fn config(&self) -> &NodeConfig {
        &self.0.config
    }

    /// Whether it is on the network: `is_alive()`.
    pub fn is_alive(&self) -> bool {
        self.0.alive.load(Ordering::Acquire)
    }

    /// Whether the node shuts down or has done so. Until its last connection has ended it is alive
    /// nevertheless.
    pub fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::Acquire)
    }

    /// Pids of all processes of this node, in no order.
    pub fn processes(&self) -> Vec<Pid> {
        self.table().all().iter().map(|process| process.pid().clone()).collect()
    }

    /// How many processes there are.
    pub fn process_count(&self) -> usize {
        self.table().len()
    }

    /// How many messages wait in the mailboxes of all processes. It looks at each process.
    pub fn messages_waiting(&self) -> usize {
        self.table().messages_waiting()
    }

    /// How many processes live for peers: what those have asked for and what is not done yet.
    pub fn peer_processes(&self) -> usize {
        self.kernel().origins().processes()
    }

    /// Resolves when no process lives for a peer: each call that was taken is answered.
    pub async fn no_peer_processes(&self) {
        while self.peer_processes() > 0 {
            tokio::time::sleep(PEER_PROCESSES_LOOK).await;
        }
    }

    /// Whether a process of this node lives: `is_process_alive/1`.
    pub fn is_process_alive(&self, pid: &Pid) -> bool {
        self.table().find(pid).is_some_and(|process| process.lock().is_alive())
    }

    /// What can be told about a process of this node.
    pub fn process_info(&self, pid: &Pid) -> Option<ProcessInfo> {
        self.table().find(pid)?.info()
    }

    /// A reference that this node has not made before: `make_ref()`.
    pub fn make_reference(&self) -> Reference {
        self.references().fresh()
    }

    /// A pid that no process has or will have.
    pub fn unused_pid(&self) -> Pid {
        self.table().new_pid()
    }

    /// The group leader of processes that are started without one.
    pub fn group_leader(&self) -> Pid {
        self.0.group_leader.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets the group leader of processes that are started without one.
    pub fn set_group_leader(&self, leader: Pid) {
        *self.0.group_leader.lock().unwrap_or_else(PoisonError::into_inner) = leader;
    }

    /// Time since the node was made.
    pub fn uptime(&self) -> Duration {
        self.now()
    }

    pub(crate) fn is_own_name(&self, node: &Atom) -> bool {
        *node == self.0.name
    }

    pub(crate) fn now(&self) -> Duration {
        self.0.started.elapsed()
    }

    /// The moment that the node's own clock calls `at`.
    pub(crate) fn instant(&self, at: Duration) -> Instant {
        const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 3600);
        self.0.started + at.min(FAR)
    }

    pub(crate) fn runtime(&self) -> &Handle {
        &self.0.runtime
    }

    pub(crate) fn table(&self) -> &ProcessTable {
        &self.0.table
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.0.registry
    }

    pub(crate) fn references(&self) -> &References {
        &self.0.references
    }

    pub(crate) fn kernel(&self) -> &NetKernel {
        &self.0.kernel
    }

    pub(crate) fn events(&self) -> &Events {
        &self.0.events
    }

    pub(crate) fn spawner(&self) -> Option<Arc<dyn Spawner>> {
        self.0.spawner.get().cloned()
    }

    /// Whether a peer may have done by a message or a signal what that function does, see
    /// [`Spawner::allows`].
    pub fn allows(&self, by: &crate::Origin, function: (&Atom, &Atom, usize)) -> bool {
        self.0.spawner.get().is_none_or(|spawner| spawner.allows(self, by, function))
    }

    pub(crate) fn mailboxes(&self) -> &Arc<Mailboxes> {
        &self.0.mailboxes
    }

    pub(crate) fn long_steps(&self) -> &LongSteps {
        &self.0.long_steps
    }

    pub(crate) fn next_unlink_id(&self) -> u64 {
        self.0.unlink_ids.fetch_add(1, Ordering::Relaxed)
    }

    /// Resolves when the node stops.
    pub(crate) async fn stopping(&self) {
        let stop = self.0.stop.notified();
        tokio::pin!(stop);
        stop.as_mut().enable();
        if !self.is_stopping() {
            stop.await;
        }
    }

    /// After a process has left the table.
    pub(crate) fn process_ended(&self, pid: &Pid) {
        self.events().forget(pid);
        self.0.process_ended.notify_waiters();
    }

    pub(crate) fn handshake_config(&self) -> HandshakeConfig {
        let config = self.config();
        let creation = Creation(self.creation());
        let mut handshake = HandshakeConfig::new(config.name.clone(), creation);
        debug_assert!(matches!(handshake.name, LocalName::Static(_)));
        handshake.prefix = config.transport.prefix();
        handshake.step_time = config.net_setup_time;
        if config.hidden {
            handshake.flags = DistributionFlags::DEFAULT_HIDDEN;
        }
        if config.altact_sig {
            handshake.flags |= DistributionFlags::ALTACT_SIG;
        }
        handshake
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let inner: &Inner = self.0.deref();
        f.debug_struct("Node")
            .field("name", &inner.name)
            .field("creation", &inner.creation)
            .field("alive", &self.is_alive())
            .finish_non_exhaustive()
    }
}
