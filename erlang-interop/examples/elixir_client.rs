//! A client of an Elixir node: `rpc` to its functions, a call to a server of its.
//!
//! ```text
//! cargo run --example elixir_client -- rust@127.0.0.1 secret 4369 elixir@127.0.0.1
//! ```
#![allow(clippy::print_stdout, reason = "an example talks to whoever runs it")]

mod arguments;

use std::time::Duration;

use erlang_interop::otp::{Functions, StandardOptions, gen_server, rpc, standard};
use erlang_interop::term::{Atom, Term, atom, term};

const TIMEOUT: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), arguments::Failure> {
    let (arguments, more) = arguments::Arguments::read()?;
    let target = more.first().ok_or("which node shall be called?")?;
    let target = Atom::new(target)?;
    let node = arguments.node(false)?;
    standard(&node, Functions::builder().build(), StandardOptions::default())?;
    node.listen().await?;
    node.connect(&target).await?;
    let (module, function) = (atom!("Elixir.String"), atom!("upcase"));
    let text = vec![Term::from("hello from rust")];
    let answer = rpc::call(&node, &target, &module, &function, text, TIMEOUT).await;
    println!("String.upcase: {}", answer.to_elixir());
    let server = (atom!("net_kernel"), target);
    let request = term!({is_auth, (node.name())});
    let answer = gen_server::call_from(&node, server, request, TIMEOUT).await?;
    println!("net_kernel: {}", answer.to_elixir());
    node.shutdown().await;
    Ok(())
}
