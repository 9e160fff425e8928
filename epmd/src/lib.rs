//! The Erlang Port Mapper Daemon (EPMD): codec, client and server.
//!
//! Erlang nodes on a host register the port they listen on with this daemon, and nodes that want
//! to reach them ask it. The crate knows nothing of terms or distribution, so that it can be used
//! alone (`har-epmd`) as well as embedded in a node.
//!
//! ```text
//! bytes ─ codec::RequestReader ─→ codec::Request ─→ answer (rules) ─→ registry (names, creations)
//!   ↑ server: sockets, limits, time                     ↑ client: register, port_of, names, …
//! ```
//!
//! - [`codec`] is sans-IO: bytes in, values out, no clock and no socket.
//! - [`registry`] holds who is registered; sans-IO too.
//! - [`server`] joins them with tokio's sockets; [`client`] is the other side.
//! - [`environment`] is the one place that reads `ERL_EPMD_*`.
//!
//! A daemon and a node in one process, as `erlang-node` embeds it:
//!
//! ```
//! use epmd::{Client, Registration, Server, ServerConfig};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let loopback = std::net::Ipv4Addr::LOCALHOST;
//! let config = ServerConfig {
//!     port: 0, // any free one; 4369 in real life
//!     addresses: vec![loopback.into()],
//!     ..ServerConfig::default()
//! };
//! // `BindError::AddrInUse` here means that an EPMD runs already: use that one.
//! let daemon = Server::bind(&config)?.spawn();
//!
//! let client = Client::new((loopback, daemon.port()).into());
//! let registered = client.register(&Registration::new("har", 9100)).await?;
//! assert!(registered.creation() > 0);
//! assert_eq!(client.port_of("har").await?.map(|node| node.port), Some(9100));
//!
//! daemon.shutdown().await;
//! registered.lost().await; // register again, with whoever listens next
//! # Ok(())
//! # }
//! ```
//!
//! spec: erl_dist_protocol, "EPMD Protocol"

mod answer;
pub mod client;
pub mod codec;
#[cfg(feature = "daemon")]
pub mod command_line;
pub mod environment;
pub mod limits;
pub mod registry;
pub mod server;

pub use client::{Client, ClientError, Registered, Registration};
pub use codec::NodeInfo;
#[cfg(feature = "daemon")]
pub use command_line::run;
pub use environment::Environment;
pub use server::{BindError, Server, ServerConfig, ServerHandle};

/// The port the daemon listens on when nothing else is said.
///
/// spec: erl_dist_protocol, "EPMD Protocol"
pub const DEFAULT_PORT: u16 = 4369;
