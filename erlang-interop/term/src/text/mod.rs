//! The text form of terms: printed and read in Erlang's and Elixir's syntax.

mod elixir;
pub(crate) mod erlang;
mod excerpt;
mod read_bits;
mod read_elixir;
mod read_erlang;
mod scanner;

pub use elixir::Elixir;
pub use read_elixir::parse_elixir;
pub use read_erlang::parse_erlang;
pub use scanner::ParseError;
