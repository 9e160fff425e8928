//! An Erlang node on tokio: connections, processes, links, monitors, aliases, names.
//!
//! ```text
//! socket ─bytes→ transport ─bytes→ erlang_dist::Connection ─Control, Term→ net_kernel::dispatch
//!                                        ↑ queue (net_kernel::peer)             │ signals
//!                                        └── process ←── mailbox, links, monitors ┘
//! ```
//! - [`Node`] is the node: it listens, dials, spawns, and knows names.
//! - A process is a tokio task whose function is given a [`Context`]: its mailbox and what it may
//!   do. A panic ends the process, never the node.
//! - What peers may run here is the [`Spawner`]'s business; OTP's services are a layer above.
//!
//! Signals between two processes keep their order, on this node and across a connection.
//! Everything that comes from a peer is bounded by [`limits`] or by the [`NodeConfig`].

pub mod alias;
pub mod config;
mod destination;
pub mod error;
mod event;
mod exit_reason;
pub mod limits;
mod link;
mod message;
mod monitor;
mod net_kernel;
mod node;
mod process;
mod registry;
mod signal;
mod spawn;
mod spawn_request;
mod stats;
pub mod transport;
mod weight;

pub use alias::AliasMode;
pub use config::{Epmd, NodeConfig};
pub use destination::Destination;
pub use error::{ConnectError, DownReason, RegisterError, SendNowError, SpawnError, StartError};
pub use event::{MonitorNodesOptions, NodeChange, NodeEvent, NodeType};
pub use exit_reason::ExitReason;
pub use message::{Down, Exit, Message};
pub use monitor::{DemonitorOptions, MonitorTarget};
pub use net_kernel::{NodeFilter, NodeInfo};
pub use node::Node;
pub use process::{Context, ProcessInfo, ReceiveTimeout};
pub use spawn::{Mfa, ProcessFuture, SpawnOptions, Spawned, Spawner};
pub use spawn_request::{SpawnReplies, SpawnRequestOptions};
pub use stats::ConnectionStats;

pub use erlang_dist::{Cookie, Creation, DistributionFlags, NodeName};
