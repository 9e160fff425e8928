//! A worker that crashes when told to, and a supervisor that brings it back.
//!
//! ```text
//! cargo run --example supervised_worker -- rust@127.0.0.1 secret 4369
//! iex> GenServer.cast({Worker, :"rust@127.0.0.1"}, :crash)
//! iex> Supervisor.which_children({Top, :"rust@127.0.0.1"})
//! ```
#![allow(clippy::print_stdout, reason = "an example talks to whoever runs it")]

mod arguments;
mod serve;

use erlang_interop::node::{Context, ExitReason, SpawnOptions};
use erlang_interop::otp::gen_server::{self, GenServer, Next};
use erlang_interop::otp::supervisor::{self, ChildSpec, Strategy, SupervisorSpec};
use erlang_interop::otp::{Functions, StandardOptions, standard};
use erlang_interop::term::{Term, atom, term};

struct Worker;

impl GenServer for Worker {
    async fn handle_cast(&mut self, _: &mut Context, message: Term) -> Next {
        if message.is_atom("crash") {
            Next::Stop(ExitReason::from(term!(told_to)))
        } else {
            Next::Continue
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), arguments::Failure> {
    let (arguments, _) = arguments::Arguments::read()?;
    let node = arguments.node(false)?;
    standard(&node, Functions::builder().build(), StandardOptions::default())?;
    let worker = ChildSpec::worker(atom!("worker"), |context| {
        let options = SpawnOptions::new().name(atom!("Elixir.Worker"));
        gen_server::start_link(context, options, Worker).map(|started| started.pid)
    });
    let spec = SupervisorSpec::new(Strategy::OneForOne).child(worker);
    supervisor::start(&node, SpawnOptions::new().name(atom!("Elixir.Top")), spec)?;
    node.listen().await?;
    println!("ready as {}", node.name());
    serve::until_input_ends().await?;
    node.shutdown().await;
    Ok(())
}
