//! System tests of the `har` binary: real processes, real sockets, real files.

mod beam;
mod command;
mod config;
mod convert;
mod cookie;
mod documents;
mod ping;
mod rpc;
mod running;
mod start;
mod tidy;
