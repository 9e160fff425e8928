//! Integration tests of `erlang-term`, one binary.

mod beam;
mod deep;
mod hostile;
mod properties;
#[cfg(feature = "serde")]
mod serde;
mod strategy;
mod vectors;
