//! System tests of the `har` binary: real processes, real sockets, real files.

mod command;
mod config;
mod cookie;
mod documents;
mod tidy;
