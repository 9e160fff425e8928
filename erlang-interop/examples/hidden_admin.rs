//! A hidden node that looks after another: it joins without becoming part of the mesh, asks, and
//! leaves.
//!
//! ```text
//! cargo run --example hidden_admin -- admin@127.0.0.1 secret 4369 elixir@127.0.0.1
//! ```
#![allow(clippy::print_stdout, reason = "an example talks to whoever runs it")]

mod arguments;

use std::time::Duration;

use erlang_interop::otp::{Functions, StandardOptions, rpc, standard};
use erlang_interop::term::{Atom, Term, atom, term};

const TIMEOUT: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), arguments::Failure> {
    let (arguments, more) = arguments::Arguments::read()?;
    let target = more.first().ok_or("which node shall be asked?")?;
    let target = Atom::new(target)?;
    let node = arguments.node(true)?;
    standard(&node, Functions::builder().build(), StandardOptions::default())?;
    node.listen().await?;
    node.connect(&target).await?;
    let questions: [(&str, Atom, Vec<Term>); 3] = [
        ("release", atom!("system_info"), vec![term!(otp_release)]),
        ("visible nodes", atom!("nodes"), Vec::new()),
        ("hidden nodes", atom!("nodes"), vec![term!(hidden)]),
    ];
    for (what, function, arguments) in questions {
        let module = atom!("erlang");
        let answer = rpc::call(&node, &target, &module, &function, arguments, TIMEOUT).await;
        println!("{what}: {answer}");
    }
    node.shutdown().await;
    Ok(())
}
