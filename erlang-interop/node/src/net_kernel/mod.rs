//! Connections of a node: who is connected, who is being dialed, who may come in.
//!
//! One slot a node name. A slot is claimed before a handshake may finish, by the dialer or by an
//! acceptor, and only its owner can fill it; so two connections to one node can't come up side by
//! side. Whoever wants a connection waits on the slot, whichever side sets it up.

mod accept;
mod challenges;
mod connection;
mod dial;
mod dispatch;
mod handshake;
mod intake;
mod pace;
mod peer;
mod pending;
mod slots;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use erlang_dist::handshake::HandshakeOutcome;
use erlang_dist::{Connection, ConnectionConfig, Cookie, TickConfig};
use erlang_term::Atom;

use crate::admission::{Admission, Attempts, Candidate, NotAllowed};
use crate::audit::{AuditEvent, Direction, Party};
use crate::config::NodeConfig;
use crate::error::{ConnectError, DownReason};
use crate::event::{NodeChange, NodeEvent};
use crate::node::Node;
use crate::origin::{OriginLimits, Origins};
use crate::stats::ConnectionStats;
use crate::transport::Remote;
use challenges::Challenges;
use connection::{Driver, to_the_end};
use handshake::Halves;
use intake::Intake;
pub(crate) use peer::Peer;
use pending::Pending;
use slots::Slots;

pub(crate) use accept::serve as serve_listener;

/// What `nodes` lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeFilter {
    /// Connected and visible.
    #[default]
    Visible,
    /// Connected and hidden.
    Hidden,
    /// Connected.
    Connected,
    /// Connected, or known by having been so.
    Known,
}

/// What is known of a connected node.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NodeInfo {
    /// Its name.
    pub node: Atom,
    /// Its creation.
    pub creation: u32,
    /// Whether the connection is hidden.
    pub hidden: bool,
    /// What both sides can do.
    pub flags: erlang_dist::DistributionFlags,
    /// Number of the connection.
    pub connection_id: u64,
    /// Links and monitors that the node has set up here and that still count towards
    /// [`NodeConfig::peer_relations_max`].
    pub relations: usize,
    /// Counters.
    pub stats: ConnectionStats,
}

/// The far end as an audit shows it.
fn party<'a>(node: Option<&'a Atom>, remote: &'a Remote, direction: Direction) -> Party<'a> {
    let Remote { address, certificates, .. } = remote;
    Party { node, address, certificates, direction }
}

/// The connections and what decides about them.
pub(crate) struct NetKernel {
    slots: Slots,
    next_id: AtomicU64,
    cookies: RwLock<HashMap<Atom, Cookie>>,
    default_cookie: RwLock<Cookie>,
    /// Names once connected, bounded by the connections limit.
    known: Mutex<Vec<Atom>>,
    handshakes: Pending,
    challenges: Challenges,
    attempts: Attempts,
    /// Names of `net_kernel:allow/1`; `None`: it was not called.
    allowed: RwLock<Option<Vec<Atom>>>,
    origins: Origins,
    intake: Arc<Intake>,
}

impl NetKernel {
    pub(crate) fn new(config: &NodeConfig) -> Self {
        Self {
            slots: Slots::new(config.connections_max),
            next_id: AtomicU64::new(1),
            cookies: RwLock::default(),
            default_cookie: RwLock::new(config.cookie.clone()),
            known: Mutex::default(),
            handshakes: Pending::new(config.pending_handshakes_max),
            challenges: Challenges::default(),
            attempts: Attempts::new(
                config.failed_handshakes_burst,
                config.failed_handshakes_per_second,
            ),
            allowed: RwLock::new(config.allow.clone()),
            origins: Origins::default(),
            intake: Intake::new(config.intake_bytes_max),
        }
    }

    fn new_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn origins(&self) -> &Origins {
        &self.origins
    }

    fn cookie_for(&self, node: &Atom, admission: &Admission) -> Cookie {
        let own = self.cookies.read().unwrap_or_else(PoisonError::into_inner).get(node).cloned();
        own.or_else(|| admission.cookie_for(node)).unwrap_or_else(|| {
            self.default_cookie.read().unwrap_or_else(PoisonError::into_inner).clone()
        })
    }

    fn remember(&self, node: &Atom, max: usize) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains(node) {
            if known.len() >= max {
                known.remove(0);
            }
            known.push(node.clone());
        }
    }
}

impl Node {
    /// Connects to a node, unless it is connected.
    ///
    /// # Errors
    /// Why there is no connection.
    pub async fn connect(&self, node: &Atom) -> Result<(), ConnectError> {
        self.connected(node).await.map(|_| ())
    }

    /// Ends the connection to a node. Returns whether there was one.
    pub async fn disconnect(&self, node: &Atom) -> bool {
        match self.connected_peer(node) {
            Some(peer) => {
                peer.close(DownReason::Disconnected);
                peer.wait_gone().await;
                true
            }
            None => false,
        }
    }

    /// Connected nodes of a kind, sorted by name.
    pub fn nodes(&self, filter: NodeFilter) -> Vec<Atom> {
        let kernel = self.kernel();
        let mut names: Vec<Atom> = match filter {
            NodeFilter::Known => {
                kernel.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
            }
            _ => kernel
                .slots
                .peers()
                .into_iter()
                .filter(|peer| match filter {
                    NodeFilter::Visible => !peer.is_hidden(),
                    NodeFilter::Hidden => peer.is_hidden(),
                    _ => true,
                })
                .map(|peer| peer.node().clone())
                .collect(),
        };
        names.sort();
        names
    }

    /// What is known of a connected node.
    pub fn node_info(&self, node: &Atom) -> Option<NodeInfo> {
        let peer = self.connected_peer(node)?;
        Some(NodeInfo {
            node: peer.node().clone(),
            creation: peer.creation(),
            hidden: peer.is_hidden(),
            flags: peer.flags(),
            connection_id: peer.id(),
            relations: peer.relations(),
            stats: peer.counters().snapshot(peer.queued_bytes()),
        })
    }

    /// Lets these nodes connect, and none that was never given here: `net_kernel:allow/1`. Before the
    /// first call every node may. Open connections stay.
    pub fn allow(&self, nodes: &[Atom]) {
        let mut allowed = self.kernel().allowed.write().unwrap_or_else(PoisonError::into_inner);
        let allowed = allowed.get_or_insert_default();
        for node in nodes {
            if !allowed.contains(node) {
                allowed.push(node.clone());
            }
        }
    }

    /// The nodes given to [`Node::allow`]; `None`: it was never called.
    pub fn allowed(&self) -> Option<Vec<Atom>> {
        self.kernel().allowed.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a node may connect, or be dialed.
    fn may_connect(&self, node: &Atom, remote: &Remote) -> Result<(), ConnectError> {
        if self.allowed().is_some_and(|allowed| !allowed.contains(node)) {
            return Err(NotAllowed::NotInAllow.into());
        }
        let candidate = Candidate {
            node: node.as_str(),
            address: remote.ip,
            certificates: &remote.certificates,
        };
        self.config().admission.check(&candidate)?;
        let max = self.config().address_connections_max;
        if remote.ip.is_some_and(|ip| self.kernel().slots.count_at(ip) >= max) {
            return Err(ConnectError::TooManyOfAddress { max });
        }
        Ok(())
    }

    /// Sets the cookie for one peer, or for all that have none of their own.
    pub fn set_cookie(&self, node: Option<&Atom>, cookie: Cookie) {
        let kernel = self.kernel();
        match node.filter(|node| *node != self.name()) {
            Some(node) => {
                let mut cookies = kernel.cookies.write().unwrap_or_else(PoisonError::into_inner);
                cookies.insert(node.clone(), cookie);
            }
            None => {
                *kernel.default_cookie.write().unwrap_or_else(PoisonError::into_inner) = cookie;
            }
        }
    }

    /// The cookie for peers that have none of their own.
    pub fn cookie(&self) -> Cookie {
        self.kernel().default_cookie.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The open connection to a node, if there is one.
    pub(crate) fn connected_peer(&self, node: &Atom) -> Option<Arc<Peer>> {
        self.kernel().slots.peer(node).filter(|peer| !peer.is_closed())
    }

    /// The connection of that number, if it is still the one to that node.
    pub(crate) fn peer_of_connection(&self, node: &Atom, id: u64) -> Option<Arc<Peer>> {
        self.connected_peer(node).filter(|peer| peer.id() == id)
    }

    /// A connection to a node, dialed if need be. Why there is none is logged.
    pub(crate) async fn peer_for(&self, node: &Atom) -> Option<Arc<Peer>> {
        match self.connected(node).await {
            Ok(peer) => Some(peer),
            Err(error) => {
                tracing::debug!(peer = %node, reason = %error, "not connected");
                None
            }
        }
    }

    /// Brings a connection up whose handshake is done, and starts its task.
    fn bring_up(
        &self,
        owner: u64,
        halves: Halves,
        outcome: &HandshakeOutcome,
        direction: Direction,
    ) {
        let name = outcome.peer.as_atom();
        let kernel = self.kernel();
        let limits = OriginLimits {
            calls_max: self.config().peer_calls_max,
            processes_max: self.config().peer_processes_max,
            // Half, so that one peer alone leaves room for what others have to say.
            kept_bytes_max: self.config().mailboxes_bytes_max / 2,
        };
        let origin = kernel.origins.connected(&name, limits);
        let peer = Arc::new(Peer::new(
            owner,
            name.clone(),
            outcome.peer_creation.into(),
            outcome.flags,
            self.config().dist_buf_busy_limit_bytes,
            halves.remote.ip,
            origin,
        ));
        let tick = TickConfig {
            net_tick_time: self.config().net_tick_time,
            net_tick_intensity: self.config().net_tick_intensity,
        };
        let mut config = ConnectionConfig { tick, ..Default::default() };
        config.limits.terms.terms_max = self.config().message_terms_max;
        let machine = Connection::new(config, outcome, self.now());
        if !kernel.slots.fill(&name, owner, Arc::clone(&peer)) {
            kernel.origins.gone(peer.number());
            return;
        }
        kernel.remember(&name, self.config().connections_max);
        // Told before the first message of the peer can arrive.
        self.announce(NodeEvent {
            node: name.clone(),
            hidden: peer.is_hidden(),
            connection_id: peer.id(),
            change: NodeChange::Up,
        });
        tracing::info!(peer = %name, hidden = peer.is_hidden(), connection = owner, "nodeup");
        kernel.slots.tell_up(&name, owner, &peer);
        let Halves { reader, writer, remote } = halves;
        self.audit(&AuditEvent::Joined(party(Some(&name), &remote, direction)));
        let machine = (machine, kernel.intake.share());
        let driver = Driver::new(self.clone(), Arc::clone(&peer), machine, reader, writer);
        let node = self.clone();
        self.runtime().spawn(async move {
            let reason = to_the_end(driver.run()).await;
            node.take_down(&peer, reason);
        });
    }

    /// Tells everybody of the end of a connection, then frees its slot.
    fn take_down(&self, peer: &Arc<Peer>, reason: DownReason) {
        peer.close(reason.clone());
        self.connection_lost(peer);
        tracing::info!(peer = %peer.node(), reason = %reason, connection = peer.id(), "nodedown");
        // Told before a new connection can come up, so that down and up are never swapped.
        self.announce(NodeEvent {
            node: peer.node().clone(),
            hidden: peer.is_hidden(),
            connection_id: peer.id(),
            change: NodeChange::Down(reason.clone()),
        });
        self.audit(&AuditEvent::Left { node: peer.node(), reason: &reason });
        self.kernel().origins.gone(peer.number());
        self.kernel().slots.free(peer);
        peer.set_gone();
    }

    /// Orders all connections to end, and waits until they have.
    pub(crate) async fn close_all(&self) {
        let peers = self.kernel().slots.shut();
        // All are told first: each may take its time for what is still queued.
        for peer in &peers {
            peer.close(DownReason::Stopped);
        }
        for peer in &peers {
            peer.wait_gone().await;
        }
    }
}
