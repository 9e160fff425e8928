//! Integration tests of `erlang-term`, one binary.

mod vectors;
