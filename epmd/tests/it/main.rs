//! Integration tests of the crate `epmd`: one binary, a module for each topic.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod embedded;
mod support;
