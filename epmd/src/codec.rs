//! Requests and answers as bytes. Sans-IO.
//!
//! A request has a two-byte length; an answer has none, it ends by its own fields or with the
//! connection. All integers are big-endian.
//!
//! spec: erl_dist_protocol, "EPMD Protocol"

mod answer;
mod list;
mod name;
mod request;

pub use answer::{Alive2Answer, AnswerError, PortAnswer, decode_alive2, decode_port};
pub use answer::{encode_alive2, encode_port};
pub use list::{Dump, DumpLine, Names, decode_dump, decode_names, encode_dump, encode_names};
pub use name::{NameError, check_name};
pub use request::{Alive2, Request, RequestError, RequestReader};

/// Type byte of a node that is listed by `nodes()`: `M`.
pub const NODE_TYPE_NORMAL: u8 = 77;
/// Type byte of a hidden node, for example a C node: `H`.
pub const NODE_TYPE_HIDDEN: u8 = 72;
/// Protocol byte of TCP over IPv4; the only one in use, also over IPv6.
pub const PROTOCOL_TCP: u8 = 0;
/// The distribution version that nodes since OTP 23 speak; from here on creations have 32 bits.
pub const DISTRIBUTION_VERSION: u16 = 6;

/// What the daemon knows of a registered node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeInfo {
    /// Alive part of the node's name (without `@host`).
    pub name: String,
    /// TCP port the node accepts distribution connections on.
    pub port: u16,
    /// [`NODE_TYPE_NORMAL`], [`NODE_TYPE_HIDDEN`], or whatever the node said.
    pub node_type: u8,
    /// [`PROTOCOL_TCP`], or whatever the node said.
    pub protocol: u8,
    /// Highest distribution version the node speaks.
    pub highest_version: u16,
    /// Lowest distribution version the node speaks.
    pub lowest_version: u16,
    /// Opaque bytes the node registered with; BEAMs send none.
    pub extra: Vec<u8>,
}
