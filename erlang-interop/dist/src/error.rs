//! What can end a connection. Blame is data: an operator can tell an attack from a version gap.

use erlang_term::DecodeError;
use thiserror::Error;

use crate::flags::DistributionFlags;
use crate::handshake::Status;

/// A side of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// This node.
    Local,
    /// The other node.
    Peer,
}

/// Why a handshake failed. Write what is still queued, then close.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The peer sent what has no place here.
    #[error("peer broke the handshake: expected {expected}, got {got}")]
    Misbehaved {
        /// What the step allows.
        expected: &'static str,
        /// The beginning of what came.
        got: String,
    },
    /// The peer can't do what we demand; a dialer was told `not_allowed`.
    #[error("peer lacks mandatory distribution flags: {missing}")]
    Incompatible {
        /// The flags it lacks.
        missing: DistributionFlags,
    },
    /// A bound of this layer was passed.
    #[error("{what}: {got} is over the limit of {max}")]
    Limit {
        /// What was counted.
        what: &'static str,
        /// The bound.
        max: u64,
        /// What the peer sent or announced.
        got: u64,
    },
    /// The digest doesn't prove that the peer knows our cookie.
    #[error("peer does not know the cookie")]
    Auth,
    /// One side said no: a status other than `ok`, or `false` after `alive`.
    #[error("refused by {}: {}", side_name(*.by), status_name(.status))]
    Refused {
        /// Who refused.
        by: Side,
        /// With which status.
        status: Status,
    },
    /// The node that answered isn't the node we dialed.
    #[error("dialed {expected}, but {got} answered")]
    WrongName {
        /// The dialed name.
        expected: String,
        /// The name in its challenge.
        got: String,
    },
    /// The peer let a step's time pass.
    #[error("peer was silent while we awaited {awaited}")]
    Timeout {
        /// What should have come.
        awaited: &'static str,
    },
    /// The caller's decision doesn't fit: a name for a peer that has one, or none for one that asks.
    #[error("decision does not fit the peer's name: {reason}")]
    Decision {
        /// What doesn't fit.
        reason: &'static str,
    },
}

fn side_name(side: Side) -> &'static str {
    match side {
        Side::Local => "us",
        Side::Peer => "the peer",
    }
}

fn status_name(status: &Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::OkSimultaneous => "ok_simultaneous",
        Status::Nok => "nok",
        Status::NotAllowed => "not_allowed",
        Status::Alive => "alive",
        Status::Named { .. } => "named",
    }
}

/// Why an established connection has to end.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The peer sent what has no place here.
    #[error("peer broke the protocol: expected {expected}, got {got}")]
    Misbehaved {
        /// What is legal.
        expected: &'static str,
        /// What came.
        got: String,
    },
    /// The peer used what wasn't negotiated.
    #[error("peer used {what} without {flag}")]
    NotNegotiated {
        /// The operation or frame.
        what: &'static str,
        /// The flags that allow it.
        flag: DistributionFlags,
    },
    /// A term in a frame is broken or over a limit.
    #[error("bad term in {part}: {source}")]
    Term {
        /// Where the term stood.
        part: &'static str,
        /// What's wrong with it, with its byte offset in the frame (in the joined message for the
        /// payload of a fragmented one).
        source: DecodeError,
    },
    /// A bound of this layer was passed.
    #[error("{what}: {got} is over the limit of {max}")]
    Limit {
        /// What was counted.
        what: &'static str,
        /// The bound.
        max: u64,
        /// What the peer sent or announced.
        got: u64,
    },
    /// Nothing came from the peer for longer than the tick time.
    #[error("peer did not answer for {silent_ms} ms (net_tick_timeout)")]
    TickTimeout {
        /// Time since the last byte, in milliseconds.
        silent_ms: u64,
    },
}

/// Why a message can't be sent. The connection goes on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The peer can't do this operation.
    #[error("{operation} needs {flag}, which the peer lacks")]
    NotNegotiated {
        /// OTP's name of the operation.
        operation: &'static str,
        /// The flags it needs.
        flag: DistributionFlags,
    },
    /// An operation that carries a payload got none, or the other way round.
    #[error("{operation} {}", if *.expected { "needs a payload" } else { "has no payload" })]
    Payload {
        /// OTP's name of the operation.
        operation: &'static str,
        /// Whether it has a payload.
        expected: bool,
    },
    /// The encoded message is longer than we send.
    #[error("message of {bytes} bytes is over the limit of {max}")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// The term can't be encoded.
    #[error("message cannot be encoded: {0}")]
    Encode(#[from] erlang_term::EncodeError),
    /// The connection failed before.
    #[error("connection has failed")]
    Closed,
}
