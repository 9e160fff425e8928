//! Be an Erlang node from Rust.
//!
//! A facade over the four layers, lowest first; depend on one of them alone where that is enough.
//! - [`term`]: Erlang terms, their external format, order, `phash2`, text.
//! - [`dist`]: the distribution protocol as a state machine without sockets.
//! - [`node`]: a node on tokio: connections, processes, links, monitors, names.
//! - [`otp`]: `gen_server` and supervisors in Rust, and what every node answers: `rpc`, `erpc`,
//!   `global`, `pg`, `net_kernel`, `Task.Supervisor`.
//!
//! A node that Elixir can call:
//! ```
//! use erlang_interop::node::{Cookie, Epmd, Node, NodeConfig, NodeName};
//! use erlang_interop::otp::{Functions, StandardOptions, standard};
//! use erlang_interop::term::Term;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let config = NodeConfig::new(NodeName::new("rust@127.0.0.1")?, Cookie::new("secret")?);
//! let node = Node::new(config)?;
//! // iex> :rpc.call(:"rust@127.0.0.1", Greeter, :hello, ["iex"])
//! let functions = Functions::builder()
//!     .pure("Elixir.Greeter", "hello", 1, |arguments| {
//!         let name = arguments[0].as_str().unwrap_or("you");
//!         Ok(Term::from(format!("hello {name}")))
//!     })
//!     .build();
//! standard(&node, functions, StandardOptions::default())?;
//! node.listen().await?;
//! # Ok(())
//! # }
//! ```
//! The folder `examples` has whole programs: a `gen_server` called from Elixir, a client of an
//! Elixir node, a supervised worker, and a hidden node that looks after others.

pub use erlang_dist as dist;
pub use erlang_node as node;
pub use erlang_otp as otp;
pub use erlang_term as term;
