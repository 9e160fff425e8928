//! Dialing: from a node's name to a connection.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use erlang_dist::error::Side;
use erlang_dist::handshake::{Initiator, Status};
use erlang_dist::{HandshakeError, NodeName};
use erlang_term::Atom;

use super::handshake::{Halves, initiate};
use super::peer::Peer;
use super::slots::{Claim, Found};
use crate::admission::NotAllowed;
use crate::audit::Direction;
use crate::config::Epmd;
use crate::error::ConnectError;
use crate::node::Node;
use crate::transport::{Remote, Stream, Transport, connect_tcp};

/// How long a dial waits for a peer of that name that is coming in itself. Longer than honest
/// handshakes take; one who only says the name must not keep us from dialing its owner.
const ARRIVAL_PATIENCE: Duration = Duration::from_secs(1);

impl Node {
    /// The connection to a node, set up now if there is none.
    pub(super) async fn connected(&self, node: &Atom) -> Result<Arc<Peer>, ConnectError> {
        if let Some(peer) = self.connected_peer(node) {
            return Ok(peer);
        }
        let name = self.dialable(node)?;
        loop {
            let id = self.kernel().new_id();
            let waiter = match self.kernel().slots.dial(node, id)? {
                Found::Connected(peer) => return Ok(peer),
                Found::Closing(peer) => {
                    peer.wait_gone().await;
                    continue;
                }
                Found::Wait(waiter) => waiter,
                Found::Arriving(waiter) => {
                    let arrived = tokio::time::timeout(ARRIVAL_PATIENCE, waiter.wait()).await;
                    if let Ok(Ok(peer)) = arrived {
                        return Ok(peer);
                    }
                    match self.kernel().slots.dial_anyway(node, id) {
                        Some((claim, waiter)) => {
                            self.runtime().spawn(dial(self.clone(), name.clone(), claim));
                            waiter
                        }
                        // It has failed, or is up by now.
                        None => continue,
                    }
                }
                Found::Claimed(claim, waiter) => {
                    // A task of its own: who asked may give up, others may wait too.
                    let dialing = dial(self.clone(), name.clone(), claim);
                    self.runtime().spawn(dialing);
                    waiter
                }
            };
            return waiter.wait().await;
        }
    }

    /// Whether we may dial that name at all.
    fn dialable(&self, node: &Atom) -> Result<NodeName, ConnectError> {
        if node == self.name() {
            return Err(ConnectError::OwnName { node: node.clone() });
        }
        if !self.is_alive() {
            return Err(ConnectError::NotAlive);
        }
        let Ok(name) = NodeName::new(node.as_str()) else {
            return Err(ConnectError::NotANodeName { node: node.clone() });
        };
        let ours_long = self.config().name.is_long();
        if name.is_long() != ours_long {
            return Err(ConnectError::HostForm { node: node.clone(), ours_long });
        }
        self.config().admission.check_name(node.as_str())?;
        if self.allowed().is_some_and(|allowed| !allowed.contains(node)) {
            return Err(NotAllowed::NotInAllow.into());
        }
        Ok(name)
    }

    async fn open(&self, name: &NodeName) -> Result<Halves, ConnectError> {
        if let Transport::Memory(net) = &self.config().transport {
            let Some(stream) = net.connect(self.config().name.as_str(), name.as_str()).await else {
                let (name, host) = (name.alive().to_owned(), name.host().to_owned());
                return Err(ConnectError::NotRegistered { name, host });
            };
            let (reader, writer) = Stream::Memory(stream).split();
            return Ok(Halves { reader, writer, remote: Remote::in_memory(name.as_str()) });
        }
        let mut failed = None;
        for host in resolve(name.host()).await? {
            match self.open_tcp(name, host).await {
                Ok(halves) => return Ok(halves),
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or_else(|| ConnectError::UnknownHost {
            host: name.host().to_owned(),
            source: Arc::new(std::io::ErrorKind::NotFound.into()),
        }))
    }

    async fn open_tcp(&self, name: &NodeName, host: IpAddr) -> Result<Halves, ConnectError> {
        let port = match &self.config().epmd {
            Epmd::FixedPort { peer_port } => *peer_port,
            Epmd::Daemon { port, .. } => port_of(name, SocketAddr::new(host, *port)).await?,
        };
        let address = SocketAddr::new(host, port);
        self.config().admission.check_address(host)?;
        let stream = connect_tcp(address, self.config()).await.map_err(|error| {
            ConnectError::Io { address: address.to_string(), source: Arc::new(error) }
        })?;
        let stream = Stream::Tcp(stream).secure_dialed(self.config(), name.host(), address).await?;
        let mut remote = Remote::at(address);
        remote.certificates = stream.certificate_names(self.config(), Direction::Out);
        self.may_connect(&name.as_atom(), &remote)?;
        let (reader, writer) = stream.split();
        Ok(Halves { reader, writer, remote })
    }
}

/// The addresses of a host, at least one.
async fn resolve(host: &str) -> Result<Vec<IpAddr>, ConnectError> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![address]);
    }
    let unknown = |error: std::io::Error| ConnectError::UnknownHost {
        host: host.to_owned(),
        source: Arc::new(error),
    };
    let found = tokio::net::lookup_host((host, 0)).await.map_err(unknown)?;
    let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
    // IPv4 first: that is where a BEAM listens unless told otherwise.
    addresses.sort_by_key(IpAddr::is_ipv6);
    addresses.dedup();
    if addresses.is_empty() {
        return Err(unknown(std::io::ErrorKind::NotFound.into()));
    }
    Ok(addresses)
}

async fn port_of(name: &NodeName, address: SocketAddr) -> Result<u16, ConnectError> {
    match epmd::Client::new(address).port_of(name.alive()).await {
        Ok(Some(info)) => Ok(info.port),
        Ok(None) => Err(ConnectError::NotRegistered {
            name: name.alive().to_owned(),
            host: name.host().to_owned(),
        }),
        Err(error) => Err(ConnectError::Epmd { address, reason: error.to_string() }),
    }
}

/// Dials, and fills or fails the claimed slot.
async fn dial(node: Node, name: NodeName, claim: Claim) {
    let Claim { id, mut taken_over } = claim;
    let limit = node.config().net_setup_time;
    let attempt = tokio::time::timeout(limit, attempt(&node, &name, id));
    let result = tokio::select! {
        biased;
        _ = &mut taken_over => return,
        result = attempt => result.unwrap_or(Err(ConnectError::SetupTimeout)),
    };
    let Err(error) = result else { return };
    let nok = HandshakeError::Refused { by: Side::Peer, status: Status::Nok };
    if matches!(&error, ConnectError::Handshake(refused) if *refused == nok) {
        // The peer dials us, and its attempt goes on. It takes the slot over when it arrives.
        if tokio::time::timeout(limit, taken_over).await.is_ok() {
            return;
        }
    }
    // Whoever asked for the connection gets the error and knows whether it is news.
    tracing::debug!(peer = %name, direction = "out", reason = %error, "connection failed");
    node.kernel().slots.fail(&name.as_atom(), id, error);
}

async fn attempt(node: &Node, name: &NodeName, id: u64) -> Result<(), ConnectError> {
    let mut halves = node.open(name).await?;
    let cookie = node.kernel().cookie_for(&name.as_atom(), &node.config().admission);
    let asked = node.kernel().challenges.draw()?;
    let config = node.handshake_config();
    let machine = Initiator::new(config, name.clone(), cookie, asked.challenge(), node.now());
    let outcome = initiate(node, &mut halves, machine).await?;
    node.bring_up(id, halves, &outcome, Direction::Out);
    Ok(())
}
