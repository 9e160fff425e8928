//! The Erlang distribution protocol of one connection, as state machines without sockets.
//!
//! ```text
//! bytes ─► handshake::{Initiator, Acceptor} ─► HandshakeOutcome ─► Connection ─► Event
//!                                                                      ▲
//!                                             Control + payload ───────┘
//! ```
//! Nothing here opens a socket, reads a clock or draws a random number: bytes, time ([`Now`]) and
//! challenges are arguments. A driver pumps the machines; tests and fuzzers do the same without one.
//!
//! Everything that comes from a peer is bounded by [`limits`], and ends in a typed error of
//! [`error`], never in a panic.

pub mod connection;
pub mod control;
mod cookie;
pub mod error;
mod flags;
pub mod handshake;
pub mod limits;
mod name;
mod receive;
mod send;
mod tick;

pub use connection::{Connection, ConnectionConfig, ConnectionLimits, Event};
pub use control::Control;
pub use cookie::{Cookie, CookieError, Digest};
pub use error::{ConnectionError, HandshakeError, SendError};
pub use flags::DistributionFlags;
pub use name::{Creation, NodeName, NodeNameError};
pub use tick::TickConfig;

/// A point in time: the duration since a start of the driver's choice, never going back.
pub type Now = std::time::Duration;
