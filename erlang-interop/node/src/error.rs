//! What can go wrong, typed. What failed, why, and where there is one, the cure.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use erlang_dist::{ConnectionError, HandshakeError};
use erlang_term::Atom;
use thiserror::Error;

use crate::admission::NotAllowed;
use crate::transport::tls::TlsError;

/// Why a node can't become part of a network.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The node listens already.
    #[error("the node {node} is alive already")]
    AlreadyAlive {
        /// Its name.
        node: Atom,
    },
    /// There is no tokio runtime to run on.
    #[error("a node needs a tokio runtime: {0}")]
    Runtime(#[from] tokio::runtime::TryCurrentError),
    /// The system gave no random numbers for creation and challenges.
    #[error("no random numbers from the system: {0}")]
    Random(getrandom::Error),
    /// Every port of the range is in use.
    #[error("no free port between {first} and {last} on {interface}: widen the listen range")]
    PortsBusy {
        /// Where we tried to listen.
        interface: IpAddr,
        /// First port of the range.
        first: u16,
        /// Last port of the range.
        last: u16,
    },
    /// Listening failed for another reason.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where we tried to listen.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The TLS options don't let peers in.
    #[error("TLS: {0}")]
    Tls(TlsError),
    /// EPMD knows a live node of this name.
    #[error("the name {name} seems to be in use by another Erlang node on this host")]
    NameTaken {
        /// The part before the `@`.
        name: String,
    },
    /// EPMD doesn't answer, or not as it should.
    #[error("no use of EPMD at {address}: {source}; is it running there?")]
    Epmd {
        /// Where EPMD should be.
        address: SocketAddr,
        /// What went wrong.
        source: epmd::client::ClientError,
    },
}

/// Why there is no connection to a node.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The name is our own.
    #[error("{node} is this node itself")]
    OwnName {
        /// The name.
        node: Atom,
    },
    /// The atom is no node name.
    #[error("{node} is no node name: it should look like name@host")]
    NotANodeName {
        /// The atom.
        node: Atom,
    },
    /// A node with long names meets one with short names.
    #[error("{node} cannot be dialed: this node uses {} host names", if *.ours_long { "fully qualified" } else { "short" })]
    HostForm {
        /// The name.
        node: Atom,
        /// Whether ours are fully qualified.
        ours_long: bool,
    },
    /// This node has not been started, or stops.
    #[error("this node is not alive")]
    NotAlive,
    /// The host isn't known.
    #[error("host {host} is not known: {source}")]
    UnknownHost {
        /// The part of the name behind the `@`.
        host: String,
        /// What the resolver said.
        source: Arc<io::Error>,
    },
    /// The EPMD of that host can't be asked.
    #[error("EPMD at {address} cannot be asked: {reason}")]
    Epmd {
        /// Its address.
        address: SocketAddr,
        /// What went wrong.
        reason: String,
    },
    /// EPMD of that host knows no such node.
    #[error("EPMD on {host} knows no node {name}: is it running?")]
    NotRegistered {
        /// The part before the `@`.
        name: String,
        /// The part behind it.
        host: String,
    },
    /// The node's port doesn't answer.
    #[error("cannot connect to {address}: {source}")]
    Io {
        /// The node's address.
        address: String,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The TLS handshake failed.
    #[error("TLS with {address}: {source}")]
    Tls {
        /// The peer's address.
        address: String,
        /// Which fault.
        source: TlsError,
    },
    /// This node runs without TLS and the peer with it.
    #[error("the peer speaks TLS (-proto_dist inet_tls) and this node does not")]
    PeerSpeaksTls,
    /// The handshake failed.
    #[error("handshake failed: {0}")]
    Handshake(HandshakeError),
    /// The peer closed in the middle of the handshake; with a wrong cookie, that's how it looks.
    #[error("the peer closed the connection during the handshake: do the cookies match?")]
    ClosedInHandshake,
    /// It took longer than `net_setup_time`.
    #[error("no connection within the set-up time")]
    SetupTimeout,
    /// The peer took long, and more peers dialed than may be in a handshake at once.
    #[error("given up for a newer peer: {max} handshakes were under way")]
    TooManyHandshakes {
        /// The limit.
        max: usize,
    },
    /// There are too many connections.
    #[error("there are {max} connections already")]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// There are too many connections with the peer's address.
    #[error("there are {max} connections with this address already")]
    TooManyOfAddress {
        /// The limit.
        max: usize,
    },
    /// A rule of this node keeps the peer out.
    #[error("not_allowed: {0}")]
    NotAllowed(#[from] NotAllowed),
    /// The system gave no random challenge.
    #[error("no random numbers from the system")]
    Random,
}

/// Why a process was not started.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpawnError {
    /// There are too many: `system_limit`.
    #[error("there are {max} processes already")]
    SystemLimit {
        /// The limit.
        max: usize,
    },
    /// As many live for that peer as may: `system_limit`.
    #[error("{peer} has {max} processes here already")]
    PeerLimit {
        /// The peer.
        peer: Atom,
        /// The limit.
        max: usize,
    },
    /// What it would keep for its peer does not fit with what is kept for peers already:
    /// `system_limit`.
    #[error("there is no room for the {bytes} bytes that it keeps")]
    TooManyBytes {
        /// What it would keep.
        bytes: usize,
    },
    /// The wanted name can't be had.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// The node stops.
    #[error("the node stops")]
    Stopping,
}

/// Why a name can't be given.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegisterError {
    /// Another process has it.
    #[error("the name {name} is taken")]
    NameTaken {
        /// The name.
        name: Atom,
    },
    /// The process has another name.
    #[error("the process is registered as {name} already")]
    HasName {
        /// The name it has.
        name: Atom,
    },
    /// There is no such process on this node.
    #[error("there is no such process on this node")]
    Noproc,
    /// `undefined` is no name.
    #[error("undefined cannot be registered")]
    Reserved,
}

/// Why a message was not sent at once.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendNowError {
    /// So much is queued for the connection that the sender would have to wait: `nosuspend`.
    #[error("the connection is busy")]
    Busy,
    /// The node isn't connected: `noconnect`.
    #[error("the node is not connected")]
    NotConnected,
}

/// Why a connection ended: the `nodedown_reason`.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum DownReason {
    /// The peer closed it, or died.
    #[error("connection_closed")]
    ConnectionClosed,
    /// Somebody on this node asked for it.
    #[error("disconnect")]
    Disconnected,
    /// The peer was silent for too long.
    #[error("net_tick_timeout")]
    NetTickTimeout,
    /// The peer, newly started, replaced it.
    #[error("replaced by a new connection")]
    Replaced,
    /// This node stops.
    #[error("net_kernel_terminated")]
    Stopped,
    /// The socket failed.
    #[error("socket error: {0}")]
    Io(Arc<io::Error>),
    /// The peer broke the protocol or a limit.
    #[error("{0}")]
    Protocol(ConnectionError),
    /// Serving it failed by a fault of this node, which the log tells.
    #[error("a fault of this node")]
    Crashed,
    /// The peer reads so slowly that too much was queued for it.
    #[error("{queued} bytes queued for a peer that does not read")]
    SlowPeer {
        /// What was queued.
        queued: usize,
    },
}

impl DownReason {
    /// The atom that OTP uses for this reason.
    pub fn atom_text(&self) -> &'static str {
        match self {
            Self::ConnectionClosed | Self::Replaced | Self::Io(_) => "connection_closed",
            Self::Disconnected | Self::SlowPeer { .. } => "disconnect",
            Self::NetTickTimeout => "net_tick_timeout",
            Self::Stopped => "net_kernel_terminated",
            Self::Protocol(_) | Self::Crashed => "connection_closed",
        }
    }
}
