//! How a node is set up.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU64;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use erlang_dist::{Cookie, Creation, NodeName};
use erlang_term::Atom;

use crate::admission::Admission;
use crate::audit::Auditor;
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
    /// Which incarnation of its name the node is. `None`: chosen at random, as it should be wherever
    /// a node may be started again.
    pub creation: Option<Creation>,
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
    /// Names that may connect, or be dialed: `net_kernel:allow/1`, see [`crate::Node::allow`].
    /// `None`: all that know the cookie.
    pub allow: Option<Vec<Atom>>,
    /// Who may connect, or be dialed, by name, certificate and network; and cookies by name.
    pub admission: Admission,
    /// Takes down who joined, who was refused, who called what.
    pub auditor: Option<Arc<dyn Auditor>>,
    /// Time a whole handshake may take.
    pub net_setup_time: Duration,
    /// A peer that is silent for this long is down.
    pub net_tick_time: Duration,
    /// How often in that time connections are looked at and ticked, 4 to 1000: `net_tickintensity`.
    pub net_tick_intensity: u32,
    /// Whether to offer [`ALTACT_SIG`](erlang_dist::DistributionFlags::ALTACT_SIG), a flag of OTP 28: one operation for messages
    /// and exits to whatever can be addressed. This node understands it and never sends it.
    pub altact_sig: bool,
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
    /// Connections with one address at most.
    pub address_connections_max: usize,
    /// Handshakes from one address that may fail in a row; zero: any number.
    pub failed_handshakes_burst: u32,
    /// Failed handshakes forgiven each second.
    pub failed_handshakes_per_second: u32,
    /// Links and monitors that one peer may hold. A peer with more is disconnected.
    pub peer_relations_max: usize,
    /// Functions that may run for one peer at a time.
    pub peer_calls_max: usize,
    /// Processes that may live for one peer.
    pub peer_processes_max: usize,
    /// Bytes read from one peer each second; `None`: as they come.
    pub peer_bytes_per_second: Option<NonZeroU64>,
    /// Atoms nobody has used before that one peer may bring each second; `None`: as they come.
    pub peer_new_atoms_per_second: Option<NonZeroU64>,
    /// Bytes that unfinished messages of all peers may hold together, and the longest message.
    pub intake_bytes_max: usize,
    /// About the bytes that messages of peers may hold in all mailboxes together. When one more comes,
    /// the process that it is for is killed if it holds more than
    /// [`limits::MAILBOX_BYTES_FREE`].
    pub mailboxes_bytes_max: usize,
    /// Terms in one message from a peer; of one with more, the payload is dropped.
    pub message_terms_max: usize,
    /// Time given to processes to end by themselves at shutdown.
    pub shutdown_grace: Duration,
}

impl NodeConfig {
    /// A visible node with safe defaults.
    pub fn new(name: NodeName, cookie: Cookie) -> Self {
        Self {
            name,
            cookie,
            creation: None,
            hidden: false,
            epmd: Epmd::default(),
            interface: IpAddr::V4(Ipv4Addr::LOCALHOST),
            listen_ports: 0..=0,
            transport: Transport::Tcp,
            allow: None,
            admission: Admission::default(),
            auditor: None,
            net_setup_time: limits::NET_SETUP_TIME,
            net_tick_time: Duration::from_secs(60),
            net_tick_intensity: limits::NET_TICK_INTENSITY,
            altact_sig: false,
            dist_buf_busy_limit_bytes: limits::DIST_BUF_BUSY_LIMIT_BYTES,
            send_buffer_bytes: None,
            receive_buffer_bytes: None,
            processes_max: limits::PROCESSES_MAX,
            connections_max: limits::CONNECTIONS_MAX,
            pending_handshakes_max: limits::PENDING_HANDSHAKES_MAX,
            address_connections_max: limits::ADDRESS_CONNECTIONS_MAX,
            failed_handshakes_burst: limits::FAILED_HANDSHAKES_BURST,
            failed_handshakes_per_second: limits::FAILED_HANDSHAKES_PER_SECOND,
            peer_relations_max: limits::PEER_RELATIONS_MAX,
            peer_calls_max: limits::PEER_CALLS_MAX,
            peer_processes_max: limits::PEER_PROCESSES_MAX,
            // The socket and the mailboxes bound what a fast peer can do; only an operator knows
            // how fast is too fast.
            peer_bytes_per_second: None,
            peer_new_atoms_per_second: NonZeroU64::new(limits::PEER_NEW_ATOMS_PER_SECOND),
            intake_bytes_max: limits::INTAKE_BYTES_MAX,
            mailboxes_bytes_max: limits::MAILBOX_BYTES_MAX,
            message_terms_max: limits::MESSAGE_TERMS_MAX,
            shutdown_grace: limits::SHUTDOWN_GRACE,
        }
    }
}
