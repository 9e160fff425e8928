//! OTP behaviours and the services that every Erlang node answers, on top of [`erlang_node`].
//!
//! Peers reach this layer in two ways: by messages to registered processes (`rex`, `net_kernel`,
//! `global_name_server`, `pg`, …), and by spawn requests (`erpc`, and with it `rpc:call`). Both end
//! in the one table of [`functions`]. [`standard()`] starts all services.
//!
//! Services that must converge with other nodes ([`global`], [`pg`]) are pure state machines with a
//! thin process around them. What a BEAM sees of a failure is built in [`reason`] only.

pub mod agent;
mod builtin;
pub mod client;
pub mod diagnostics;
#[cfg(test)]
mod dialing;
pub mod erpc;
pub mod functions;
pub mod gen_message;
pub mod gen_server;
pub mod global;
pub mod io;
pub mod limits;
pub mod logger;
pub mod net_kernel;
pub mod pg;
mod policy;
pub mod pubsub;
pub mod reason;
pub mod registry;
pub mod rex;
pub mod rpc;
mod standard;
pub mod supervisor;
pub mod sys;
pub mod task;
pub mod task_supervisor;

pub use builtin::memory;
pub use functions::{Call, Caller, Functions, FunctionsBuilder, Outcome};
pub use policy::{CallPolicy, Decision};
pub use reason::{Class, Exception, Frame};
pub use standard::{Services, Standard, StandardOptions, standard};
