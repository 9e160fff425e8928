//! Integration tests of the crate `epmd`: one binary, a module for each topic.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod beam;
mod command_line;
mod differential;
mod embedded;
mod foreign_client;
mod hostile;
mod process;
mod prop;
mod support;
