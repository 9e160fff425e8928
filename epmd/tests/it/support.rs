//! What several topics need: a daemon on a free port, and waiting without sleeping blindly.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use epmd::{Client, Server, ServerConfig, ServerHandle};

/// Long enough for a loaded machine; tests end as soon as what they wait for happens.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Settings for a daemon on a free loopback port.
pub(crate) fn config() -> ServerConfig {
    let addresses = vec![Ipv4Addr::LOCALHOST.into()];
    ServerConfig { port: 0, addresses, ..ServerConfig::default() }
}

/// A daemon, and a client for it.
pub(crate) fn start(config: &ServerConfig) -> (ServerHandle, Client) {
    let server = Server::bind(config).unwrap();
    let client = Client::new(address(server.port())).with_timeout(PATIENCE);
    (server.spawn(), client)
}

pub(crate) fn address(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Asks again until the answer is yes, or panics.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut ask: impl FnMut() -> F) {
    let deadline = Instant::now() + PATIENCE;
    while !ask().await {
        assert!(Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
