//! How a node is set up.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::time::Duration;

use erlang_dist::{Cookie, NodeName};
use erlang_term::Atom;

use crate::limits;
use crate::transport::Transport;

/// Port of the Erlang Port Mapper Daemon unless told otherwise.
pub const EPMD_PORT: u16 = 4369;

/// How nodes find each other's ports.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Epmd {
    /// By the EPMD of each host, all on this port. The node registers at the one on `address`.
    Daemon {
        /// Where this host's EPMD listens.
        address: IpAddr,
        /// The port, the same on all hosts of a cluster.
        port: u16,
    },
    /// Without EPMD: every node listens on its host's same port, as with `-erl_epmd_port`.
    FixedPort {
        /// The port peers listen on.
        peer_port: u16,
    },
}

impl Default for Epmd {
    fn default() -> Self {
        Self::Daemon { address: IpAddr::V4(Ipv4Addr::LOCALHOST), port: EPMD_PORT }
    }
}

/// How a node is set up. [`NodeConfig::new`] gives safe defaults: it listens on loopback only.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NodeConfig {
    /// The node's name.
    pub name: NodeName,
    /// The cookie for peers that have none of their own.
    pub cookie: Cookie,
    /// Whether the node stays out of peers' visible node lists.
    pub hidden: bool,
    /// How nodes find each other.
    pub epmd: Epmd,
    /// The address to listen on.
    pub interface: IpAddr,
    /// The ports to try, in order: `inet_dist_listen_min` to `inet_dist_listen_max`. A range of
    /// port 0 alone lets the system choose.
    pub listen_ports: RangeInclusive<u16>,
    /// What carries the bytes.
    pub transport: Transport,
    /// Names that may connect: `net_kernel:allow/1`. `None`: all that know the cookie.
    pub allow: Option<Vec<Atom>>,
    /// Time a whole handshake may take.
    pub net_setup_time: Duration,
    /// A peer that is silent for this long is down.
    pub net_tick_time: Duration,
    /// Bytes queued for a connection above which senders wait.
    pub dist_buf_busy_limit_bytes: usize,
    /// `SO_SNDBUF` of connections, unless the system's default shall stay.
    pub send_buffer_bytes: Option<usize>,
    /// `SO_RCVBUF` of connections, unless the system's default shall stay.
    pub receive_buffer_bytes: Option<usize>,
    /// Live processes at most.
    pub processes_max: usize,
    /// Connections at most.
    pub connections_max: usize,
    /// Handshakes of dialing peers at most.
    pub pending_handshakes_max: usize,
    /// Links and monitors that one peer may hold.
    pub peer_relations_max: usize,
    /// Time given to processes to end by themselves at shutdown.
    pub shutdown_grace: Duration,
}

impl NodeConfig {
    /// A visible node with safe defaults.
    pub fn new(name: NodeName, cookie: Cookie) -> Self {
        Self {
            name,
            cookie,
            hidden: false,
            epmd: Epmd::default(),
            interface: IpAddr::V4(Ipv4Addr::LOCALHOST),
            listen_ports: 0..=0,
            transport: Transport::Tcp,
            allow: None,
            net_setup_time: limits::NET_SETUP_TIME,
            net_tick_time: Duration::from_secs(60),
            dist_buf_busy_limit_bytes: limits::DIST_BUF_BUSY_LIMIT_BYTES,
            send_buffer_bytes: None,
            receive_buffer_bytes: None,
            processes_max: limits::PROCESSES_MAX,
            connections_max: limits::CONNECTIONS_MAX,
            pending_handshakes_max: limits::PENDING_HANDSHAKES_MAX,
            peer_relations_max: limits::PEER_RELATIONS_MAX,
            shutdown_grace: limits::SHUTDOWN_GRACE,
        }
    }
}
