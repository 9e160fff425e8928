//! An Erlang node on tokio.
