//! The daemon: sockets, time and limits around the registry.
//!
//! One task accepts for each address, one serves each connection. The registry sits behind a lock
//! that is held for one request at a time and never across an await.

mod connection;
mod listen;
mod shared;

use std::net::{IpAddr, SocketAddr, TcpListener as StdTcpListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

pub use listen::BindError;
use shared::{CutOnDrop, Shared};

use crate::answer::Rules;
use crate::registry::RegistryLimits;
use crate::{DEFAULT_PORT, Environment, limits};

/// Settings of a daemon.
///
/// ```
/// let config = epmd::ServerConfig { port: 0, ..epmd::ServerConfig::default() };
/// # let _ = config;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// Port to listen on; 0 takes a free one (for tests).
    pub port: u16,
    /// Addresses to listen on. None: all of them, IPv4 and IPv6. Else these, and the loopback
    /// addresses, which are always added.
    pub addresses: Vec<IpAddr>,
    /// Allows KILL while nodes live, and STOP.
    pub relaxed_command_check: bool,
    /// A connection without a registration is cut after this time without a byte.
    pub packet_timeout: Duration,
    /// Pause before each accept, to play a busy server.
    pub delay_accept: Duration,
    /// Pause before each piece of an answer, to play a busy server.
    pub delay_write: Duration,
    /// How many names are registered and remembered.
    pub registry_limits: RegistryLimits,
    /// How many connections may be without a registration; see [`limits`].
    pub pending_connections_max: usize,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            port: DEFAULT_PORT,
            addresses: Vec::new(),
            relaxed_command_check: false,
            packet_timeout: limits::PACKET_TIMEOUT_DEFAULT,
            delay_accept: Duration::ZERO,
            delay_write: Duration::ZERO,
            registry_limits: RegistryLimits::default(),
            pending_connections_max: limits::PENDING_CONNECTIONS_MAX,
        }
    }
}

impl From<Environment> for ServerConfig {
    fn from(environment: Environment) -> Self {
        let Environment { port, addresses, relaxed_command_check } = environment;
        Self { port, addresses, relaxed_command_check, ..Self::default() }
    }
}

/// A daemon that listens but does not serve yet.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<TcpListener>,
    shared: Arc<Shared>,
    port: u16,
}

/// Why a daemon ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Its owner asked for it.
    Shutdown,
    /// A KILL request was granted.
    Killed,
}

impl Server {
    /// Listens on the configured addresses.
    ///
    /// Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`BindError::AddrInUse`] when something (most likely another EPMD) has the port: join that
    /// one then. Other [`BindError`]s for addresses that can't be had.
    pub fn bind(config: &ServerConfig) -> Result<Self, BindError> {
        let listeners = listen::bind(config.port, &config.addresses)?;
        Self::from_listeners(listeners, config)
    }

    /// Serves on sockets that already listen, as systemd hands them over.
    ///
    /// Must be called inside a tokio runtime. The configured addresses and port are passed over.
    ///
    /// # Errors
    /// [`BindError::Listen`] when a socket is not usable.
    pub fn from_listeners(
        listeners: Vec<StdTcpListener>,
        config: &ServerConfig,
    ) -> Result<Self, BindError> {
        let mut ours = Vec::with_capacity(listeners.len());
        let mut port = config.port;
        for listener in listeners {
            let adopted = listen::adopt(listener)?;
            port = adopted.local_addr().map_or(port, |address| address.port());
            ours.push(adopted);
        }
        let rules = Rules { port, relaxed_command_check: config.relaxed_command_check };
        let shared = Arc::new(Shared::new(config.clone(), rules));
        Ok(Self { listeners: ours, shared, port })
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The addresses it listens on.
    #[must_use]
    pub fn local_addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Serves until `shutdown` completes or a KILL request is granted; then closes everything.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Ended {
        let Self { listeners, shared, .. } = self;
        let _cut = CutOnDrop(Arc::clone(&shared));
        let mut acceptors = JoinSet::new();
        for listener in listeners {
            acceptors.spawn(connection::accept(Arc::clone(&shared), listener));
        }
        let ended = tokio::select! {
            () = shutdown => Ended::Shutdown,
            () = shared.killed() => Ended::Killed,
        };
        acceptors.shutdown().await;
        shared.close_all().await;
        ended
    }

    /// Serves in a task of its own until the handle is dropped or asked to stop.
    #[must_use]
    pub fn spawn(self) -> ServerHandle {
        let (stop, stopped) = oneshot::channel::<()>();
        let port = self.port;
        // Both a message and a dropped sender end it.
        let task = tokio::spawn(self.run(async {
            let _ = stopped.await;
        }));
        ServerHandle { port, stop: Some(stop), task }
    }
}

/// A daemon that serves in its own task. Dropping it ends the daemon.
#[derive(Debug)]
pub struct ServerHandle {
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Ended>,
}

impl ServerHandle {
    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends the daemon and waits until its sockets are closed: another process can take over then.
    pub async fn shutdown(mut self) {
        self.stop.take();
        self.ended().await;
    }

    /// Waits until the daemon has ended (by a KILL request).
    pub async fn ended(&mut self) -> Ended {
        (&mut self.task).await.unwrap_or(Ended::Shutdown)
    }
}
