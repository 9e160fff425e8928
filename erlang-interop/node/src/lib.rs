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
//! ```
//! use erlang_node::{Context, Cookie, ExitReason, Node, NodeConfig, NodeName, SpawnOptions};
//! use erlang_term::Term;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = NodeConfig::new(NodeName::new("rust@127.0.0.1")?, Cookie::new("secret")?);
//! let node = Node::new(config)?; // `node.listen().await?` lets peers in
//! let asker = |mut context: Context| async move {
//!     let worker = |_: Context| async { ExitReason::Other(Term::from(42)) };
//!     context.spawn(SpawnOptions::new().monitor(), worker).expect("an empty node has room");
//!     context.receive().await.as_down().map(|down| down.reason.to_term())
//! };
//! let (sender, receiver) = tokio::sync::oneshot::channel();
//! node.spawn(SpawnOptions::new(), move |context| async move {
//!     let _ = sender.send(asker(context).await);
//! })?;
//! assert_eq!(receiver.await?, Some(Term::from(42)));
//! node.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! Signals between two processes keep their order, on this node and across a connection.
//! Everything that comes from a peer is bounded by [`limits`] or by the [`NodeConfig`].

pub mod admission;
pub mod alias;
pub mod audit;
mod brief;
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
mod origin;
mod process;
mod registry;
mod signal;
mod spawn;
mod spawn_request;
mod stats;
pub mod transport;
mod weight;

pub use admission::{Admission, NamePattern, Network, NotAllowed};
pub use alias::AliasMode;
pub use audit::{AuditEvent, Auditor};
pub use config::{Epmd, NodeConfig};
pub use destination::Destination;
pub use error::{ConnectError, DownReason, RegisterError, SendNowError, SpawnError, StartError};
pub use event::{MonitorNodesOptions, NodeChange, NodeEvent, NodeType};
pub use exit_reason::ExitReason;
pub use message::{Down, Exit, Message};
pub use monitor::{DemonitorOptions, MonitorTarget};
pub use net_kernel::{NodeFilter, NodeInfo};
pub use node::Node;
pub use origin::{CallInFlight, Origin, OverBudget};
pub use process::{Context, ProcessInfo, ReceiveTimeout};
pub use spawn::{Mfa, ProcessFuture, SpawnOptions, Spawned, Spawner};
pub use spawn_request::{SpawnReplies, SpawnRequestOptions};
pub use stats::ConnectionStats;
pub use weight::held as held_bytes;

pub use erlang_dist::{Cookie, Creation, DistributionFlags, NodeName};
