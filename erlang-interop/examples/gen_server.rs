//! A `GenServer` in Rust that Elixir calls.
//!
//! ```text
//! cargo run --example gen_server -- rust@127.0.0.1 secret 4369
//! iex> GenServer.call({Counter, :"rust@127.0.0.1"}, {:add, 5})
//! ```
#![allow(clippy::print_stdout, reason = "an example talks to whoever runs it")]

mod arguments;
mod serve;

use erlang_interop::node::{Context, SpawnOptions};
use erlang_interop::otp::gen_message::From;
use erlang_interop::otp::gen_server::{self, Answer, GenServer};
use erlang_interop::otp::{Functions, StandardOptions, standard};
use erlang_interop::term::{Atom, Term, atom, term};

/// Its state: a number.
struct Counter(i64);

impl GenServer for Counter {
    fn module(&self) -> Atom {
        atom!("Elixir.Counter")
    }

    fn state(&self) -> Term {
        Term::from(self.0)
    }

    async fn handle_call(&mut self, _: &mut Context, request: Term, _: From) -> Answer {
        match request.as_tagged("add") {
            Some([Term::Integer(more)]) => {
                self.0 = self.0.saturating_add(*more);
                Answer::reply(self.0)
            }
            _ => Answer::Reply(term!({error, badarg})),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), arguments::Failure> {
    let (arguments, _) = arguments::Arguments::read()?;
    let node = arguments.node(false)?;
    standard(&node, Functions::builder().build(), StandardOptions::default())?;
    let options = SpawnOptions::new().name(atom!("Elixir.Counter"));
    gen_server::start(&node, options, Counter(0))?;
    node.listen().await?;
    println!("ready as {}", node.name());
    serve::until_input_ends().await?;
    node.shutdown().await;
    Ok(())
}
