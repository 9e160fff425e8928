//! The handshake of protocol version 6, one state machine for each side.
//!
//! ```text
//! initiator                        acceptor
//!   send_name  N flags creation name ─►
//!                                ◄─ status  s ok | ok_simultaneous | nok | not_allowed | alive | named:
//!   status  s true | false       ─►            (only after alive)
//!                                ◄─ challenge N flags challenge creation name
//!   complement c flags creation  ─►            (only if it began with the old n)
//!   reply  r challenge digest    ─►
//!                                ◄─ ack a digest
//! ```
//! Both machines are fed with bytes as they arrive, in pieces of any size, and give bytes to write.
//! After an error, write what `take_output` still holds (a refused peer is told so), then close.
// spec: erl_dist_protocol, "Distribution Handshake"

mod acceptor;
mod initiator;
mod machine;
pub mod messages;
mod transport;

use std::time::Duration;

use bytes::Bytes;

use crate::flags::DistributionFlags;
use crate::name::{Creation, NodeName};

pub use acceptor::{Acceptor, AcceptorEvent, Decision, Identity, PeerName};
pub use initiator::{Initiator, InitiatorEvent};
pub use messages::Status;
pub use transport::LengthPrefix;

/// OTP's `net_setuptime` default: how long one step of the handshake may take.
pub const SETUP_TIME_DEFAULT: Duration = Duration::from_secs(7);

/// What we call ourselves towards a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalName {
    /// A name of our own.
    Static(NodeName),
    /// Only a host: the acceptor shall give us a name (`erl -sname undefined`). An initiator only.
    Dynamic {
        /// The part after the `@`.
        host: String,
    },
}

/// How we take part in handshakes; the same for all of a node's connections over one transport.
#[derive(Debug, Clone)]
pub struct HandshakeConfig {
    /// Our name.
    pub name: LocalName,
    /// Our creation.
    pub creation: Creation,
    /// What we can and want.
    pub flags: DistributionFlags,
    /// What a peer must be able to do. OTP 26 and later demand [`DistributionFlags::MANDATORY_26`].
    pub required: DistributionFlags,
    /// Two bytes over TCP, four over TLS.
    pub prefix: LengthPrefix,
    /// How long one step may take; the deadline begins anew with each message of the peer.
    pub step_time: Duration,
}

impl HandshakeConfig {
    /// The defaults of a visible node over TCP.
    pub fn new(name: NodeName, creation: Creation) -> Self {
        Self {
            name: LocalName::Static(name),
            creation,
            flags: DistributionFlags::DEFAULT,
            required: DistributionFlags::MANDATORY_26,
            prefix: LengthPrefix::Two,
            step_time: SETUP_TIME_DEFAULT,
        }
    }
}

/// What a finished handshake agreed on.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HandshakeOutcome {
    /// Our own name in this connection; the given one after a dynamic name.
    pub local: NodeName,
    /// Our own creation in this connection.
    pub local_creation: Creation,
    /// The peer.
    pub peer: NodeName,
    /// The peer's creation.
    pub peer_creation: Creation,
    /// What the peer offered.
    pub peer_flags: DistributionFlags,
    /// What both offered: all that the connection may use.
    pub flags: DistributionFlags,
    /// Bytes that came behind the last handshake message: the beginning of the first frames.
    /// [`crate::Connection::new`] takes them over.
    pub leftover: Bytes,
}

impl HandshakeOutcome {
    /// Whether the connection is hidden, which it is if either side is.
    pub fn is_hidden(&self) -> bool {
        !self.flags.contains(DistributionFlags::PUBLISHED)
    }
}
