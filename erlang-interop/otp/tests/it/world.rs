//! What a test runs in: an EPMD of its own, nodes of ours, nodes of theirs.

use std::time::Duration;

use epmd::server::{Server, ServerConfig, ServerHandle};
use erlang_node::{Cookie, Epmd, Node, NodeConfig, NodeName};
use erlang_otp::{Functions, Standard, StandardOptions, standard};
use erlang_term::{Atom, Term, atom};

use crate::beam::Beam;

pub(crate) const COOKIE: &str = "otpcookie";
/// How long anything may take before a test gives up. Generous: the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The EPMD and what is registered at it.
pub(crate) struct World {
    pub(crate) epmd: ServerHandle,
}

/// A node of ours with all services.
pub(crate) struct Ours {
    pub(crate) node: Node,
    pub(crate) services: Standard,
}

impl World {
    pub(crate) fn new() -> Self {
        let _ = tracing_subscriber::fmt()
            .with_test_writer()
            .with_env_filter(tracing_subscriber::EnvFilter::from_env("HAR_TEST_LOG"))
            .try_init();
        let config = ServerConfig { port: 0, ..ServerConfig::default() };
        Self { epmd: Server::bind(&config).expect("a free port").spawn() }
    }

    /// How a node of ours is set up.
    pub(crate) fn config(&self, name: &str) -> NodeConfig {
        let name = NodeName::new(&format!("{name}@127.0.0.1")).unwrap();
        let mut config = NodeConfig::new(name, Cookie::new(COOKIE).unwrap());
        config.epmd =
            Epmd::Daemon { address: std::net::Ipv4Addr::LOCALHOST.into(), port: self.epmd.port() };
        config
    }

    /// A node of ours, listening, with a task supervisor and the diagnostics.
    pub(crate) async fn ours(&self, name: &str) -> Ours {
        self.ours_with(name, StandardOptions::default()).await
    }

    /// The same with other options of the services.
    pub(crate) async fn ours_with(&self, name: &str, options: StandardOptions) -> Ours {
        let node = Node::new(self.config(name)).unwrap();
        let functions = Functions::builder()
            .pure("Elixir.HAR", "version", 0, |_| Ok(Term::from("9.9.9")))
            .build();
        let options = options.task_supervisor(atom!("Elixir.HAR.TaskSupervisor")).diagnostics(true);
        let services = standard(&node, functions, options).unwrap();
        node.listen().await.unwrap();
        Ours { node, services }
    }

    /// A BEAM that evaluates what it is told.
    pub(crate) fn beam(&self, name: &str) -> Beam {
        Beam::start(name, self.epmd.port())
    }
}

/// The name of a node in a test.
pub(crate) fn node(name: &str) -> Atom {
    Atom::new(&format!("{name}@127.0.0.1")).unwrap()
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "waited in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
