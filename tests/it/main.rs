//! System tests of the `har` binary: real processes, real sockets, real files.

mod balancing;
mod beam;
mod certs;
mod command;
mod config;
mod convert;
mod cookie;
mod demo;
mod deploy;
mod discovery;
mod documents;
mod guard;
mod health;
mod hostile;
mod kubernetes;
mod leave;
mod ops;
mod ping;
mod regions;
mod rpc;
mod running;
mod start;
mod telemetry;
mod tidy;
mod without_epmd;
mod work;
