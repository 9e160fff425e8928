//! Be an Erlang node from Rust.
//!
//! A facade over the four layers, lowest first: [`term`], [`dist`], [`node`], [`otp`].

pub use erlang_dist as dist;
pub use erlang_node as node;
pub use erlang_otp as otp;
pub use erlang_term as term;
