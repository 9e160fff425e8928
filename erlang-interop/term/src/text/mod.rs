//! The text form of terms: printed and read in Erlang's and Elixir's syntax.

pub(crate) mod erlang;
