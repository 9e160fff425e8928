//! Integration tests of `erlang-term`, one binary.

mod serde;
mod vectors;
