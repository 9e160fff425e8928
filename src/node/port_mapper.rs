//! The port mapper of this host: join the one that answers, or be it, and take over when it goes.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use epmd::{BindError, Client, ClientError, Server, ServerConfig, ServerHandle};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// A daemon on this host answers at once or not at all.
const ANSWER_TIME: Duration = Duration::from_secs(2);
/// Pause after a failed take-over, before looking again.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// What a daemon gets to come back by itself. As long as it is away nobody finds a node of this host.
const RETURN_TIME: Duration = Duration::from_millis(50);

/// Who is the port mapper.
#[derive(Debug)]
pub(super) enum PortMapper {
    /// This process.
    Embedded(ServerHandle),
    /// Another one, which answered.
    Joined,
}

/// Why there is no port mapper.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PortMapperError {
    /// Nothing answers, and running one was not wanted.
    #[error(
        "no EPMD answers on port {port} and none may be started here; run `har epmd` or leave out --no-epmd"
    )]
    Absent {
        /// The port.
        port: u16,
    },
    /// Something listens on the port that is no EPMD.
    #[error(
        "port {port} is held by another program that is no EPMD ({reason}); free the port or choose another with --epmd-port"
    )]
    Stranger {
        /// The port.
        port: u16,
        /// What it did.
        reason: ClientError,
    },
    /// The port cannot be listened on.
    #[error("cannot run an EPMD on port {port}: {source}; choose another with --epmd-port")]
    Bind {
        /// The port.
        port: u16,
        /// Why.
        source: BindError,
    },
}

/// What is wanted of the port mapper.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// Its port.
    pub(super) port: u16,
    /// Whether this process may be it.
    pub(super) embedded: bool,
    /// Where this node listens: the port mapper must be reachable by the same peers.
    pub(super) interface: IpAddr,
    /// Where else the daemon is to listen, instead. None: there.
    pub(super) addresses: Vec<IpAddr>,
    /// Whether it can be told to end while names are registered, and to drop a name.
    pub(super) relaxed_command_check: bool,
}

impl Wanted {
    fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    fn server_config(&self) -> ServerConfig {
        let addresses = match (&self.addresses[..], self.interface) {
            ([], everywhere) if everywhere.is_unspecified() => Vec::new(),
            ([], one) => vec![one],
            (given, _) => given.to_vec(),
        };
        let relaxed_command_check = self.relaxed_command_check;
        let port = self.port;
        ServerConfig { port, addresses, relaxed_command_check, ..ServerConfig::default() }
    }

    /// Joins the daemon that answers, or becomes it.
    pub(super) async fn find(&self) -> Result<PortMapper, PortMapperError> {
        if self.answers().await? {
            return Ok(PortMapper::Joined);
        }
        let port = self.port;
        if !self.embedded {
            return Err(PortMapperError::Absent { port });
        }
        match Server::bind(&self.server_config()) {
            Ok(server) => Ok(PortMapper::Embedded(server.spawn())),
            // Another node was quicker; or a stranger holds another of the addresses.
            Err(source @ BindError::AddrInUse { .. }) => match self.answers().await? {
                true => Ok(PortMapper::Joined),
                false => Err(PortMapperError::Bind { port, source }),
            },
            Err(source) => Err(PortMapperError::Bind { port, source }),
        }
    }

    async fn answers(&self) -> Result<bool, PortMapperError> {
        match Client::new(self.address()).with_timeout(ANSWER_TIME).names().await {
            Ok(_) => Ok(true),
            Err(ClientError::Connect { .. }) => Ok(false),
            Err(reason) => Err(PortMapperError::Stranger { port: self.port, reason }),
        }
    }

    /// Keeps a port mapper on this host: when the joined one goes away and none answers, this
    /// process becomes it. Never returns.
    pub(super) async fn keep(self, mut current: PortMapper) {
        loop {
            match &mut current {
                PortMapper::Embedded(server) => {
                    server.ended().await;
                    tracing::warn!(port = self.port, "the embedded EPMD was told to end");
                }
                PortMapper::Joined => self.gone().await,
            }
            tokio::time::sleep(RETURN_TIME).await;
            current = match self.find().await {
                Ok(found) => {
                    if matches!(found, PortMapper::Embedded(_)) {
                        tracing::info!(port = self.port, "no EPMD answers: this node runs it now");
                    }
                    found
                }
                Err(error) => {
                    tracing::debug!(%error, "no port mapper");
                    tokio::time::sleep(LOOK_AGAIN).await;
                    PortMapper::Joined
                }
            };
        }
    }

    /// Waits until the daemon closes a connection: it does so when it ends, and now and then
    /// because the connection is idle.
    async fn gone(&self) {
        let waited: io::Result<usize> = async {
            let mut connection = TcpStream::connect(self.address()).await?;
            connection.read(&mut [0; 1]).await
        }
        .await;
        tracing::trace!(?waited, "the connection to EPMD ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn free_port() -> u16 {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        listener.local_addr().expect("an address").port()
    }

    fn on(port: u16, embedded: bool) -> Wanted {
        let (interface, addresses) = (Ipv4Addr::LOCALHOST.into(), Vec::new());
        Wanted { port, embedded, interface, addresses, relaxed_command_check: false }
    }

    async fn wanted(embedded: bool) -> Wanted {
        on(free_port().await, embedded)
    }

    #[tokio::test]
    async fn the_first_becomes_it_and_the_second_joins() {
        let wanted = wanted(true).await;
        let first = wanted.find().await.expect("free");
        assert!(matches!(first, PortMapper::Embedded(_)));
        let second = Wanted { embedded: false, ..wanted }.find().await.expect("joined");
        assert!(matches!(second, PortMapper::Joined));
    }

    #[tokio::test]
    async fn none_is_an_error_when_none_may_be_started() {
        let error = wanted(false).await.find().await.expect_err("none");
        assert!(matches!(error, PortMapperError::Absent { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_stranger_on_the_port_is_told_from_an_epmd() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let stranger = tokio::spawn(async move {
            loop {
                drop(listener.accept().await);
            }
        });
        let error = on(port, true).find().await.expect_err("a stranger");
        assert!(matches!(error, PortMapperError::Stranger { .. }), "{error}");
        stranger.abort();
    }

    #[tokio::test]
    async fn the_survivor_takes_over() {
        let wanted = wanted(true).await;
        let PortMapper::Embedded(first) = wanted.find().await.expect("free") else {
            panic!("the port was free")
        };
        let keeper = tokio::spawn(wanted.clone().keep(PortMapper::Joined));
        first.shutdown().await;
        let taken_over = async { while !wanted.answers().await.unwrap_or(false) {} };
        tokio::time::timeout(Duration::from_secs(20), taken_over).await.expect("taken over");
        keeper.abort();
    }
}
