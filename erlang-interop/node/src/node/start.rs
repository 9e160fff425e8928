//! Going on the network and leaving it.

use std::net::SocketAddr;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use epmd::{Client, ClientError, Registered, Registration};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::Node;
use crate::ExitReason;
use crate::config::{Epmd, NodeConfig};
use crate::error::StartError;
use crate::limits::{EPMD_RETRY_MAX, EPMD_RETRY_MIN, TLS_CHECK_PERIOD};
use crate::net_kernel::serve_listener;
use crate::transport::tls::Tls;
use crate::transport::{Listener, Transport};

/// What keeps a node on the network.
pub(super) struct Listening {
    address: Option<SocketAddr>,
    acceptor: JoinHandle<()>,
    registration: Option<JoinHandle<()>>,
}

impl Node {
    /// [`Node::new`] and [`Node::listen`].
    ///
    /// # Errors
    /// Whatever keeps the node from running or from being reached.
    pub async fn start(config: NodeConfig) -> Result<Self, StartError> {
        let node = Self::new(config)?;
        node.listen().await?;
        Ok(node)
    }

    /// Goes on the network: listens, and registers at EPMD unless the configuration says not to.
    ///
    /// # Errors
    /// When no port is free, EPMD doesn't answer, the name is taken, or the node is alive already.
    pub async fn listen(&self) -> Result<(), StartError> {
        if self.0.alive.swap(true, Ordering::AcqRel) {
            return Err(StartError::AlreadyAlive { node: self.name().clone() });
        }
        let result = self.go_online().await;
        if result.is_err() {
            self.0.alive.store(false, Ordering::Release);
        }
        result
    }

    /// Goes on the network without being reachable: it dials, but neither listens nor registers.
    /// For clients that ask and leave.
    ///
    /// # Errors
    /// When the node is alive already.
    pub fn dial_only(&self) -> Result<(), StartError> {
        if self.0.alive.swap(true, Ordering::AcqRel) {
            return Err(StartError::AlreadyAlive { node: self.name().clone() });
        }
        Ok(())
    }

    async fn go_online(&self) -> Result<(), StartError> {
        let listener = Listener::bind(self.config())?;
        let address = listener.address();
        let mut registration = None;
        // Who needs no daemon is found without.
        self.0.registered.store(true, Ordering::Release);
        if let (
            Transport::Tcp | Transport::Tls(_),
            Epmd::Daemon { address: daemon, port },
            Some(address),
        ) = (&self.config().transport, &self.config().epmd, address)
        {
            let client = Client::new(SocketAddr::new(*daemon, *port));
            let mut wanted = Registration::new(self.config().name.alive(), address.port());
            wanted.hidden = self.config().hidden;
            let registered = register(&client, &wanted).await?;
            let keep = keep_registered(self.clone(), client, wanted, registered);
            registration = Some(self.runtime().spawn(keep));
        }
        if let Transport::Tls(tls) = &self.config().transport {
            self.runtime().spawn(keep_fresh(self.clone(), tls.clone()));
        }
        let acceptor = self.runtime().spawn(serve_listener(self.clone(), listener));
        tracing::info!(node = %self.name(), creation = self.creation(), ?address, "node is alive");
        let listening = Listening { address, acceptor, registration };
        *self.0.listening.lock().unwrap_or_else(PoisonError::into_inner) = Some(listening);
        Ok(())
    }

    /// Where the node listens; `None` before it does, and in memory.
    pub fn listen_address(&self) -> Option<SocketAddr> {
        let listening = self.0.listening.lock().unwrap_or_else(PoisonError::into_inner);
        listening.as_ref().and_then(|listening| listening.address)
    }

    /// Whether peers that look for this node find it: it listens, and EPMD knows it if there is one
    /// that has to.
    pub fn is_reachable(&self) -> bool {
        self.0.registered.load(Ordering::Acquire)
            && self.is_alive()
            && !self.is_stopping()
            && self.0.listening.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Stops the node: it is unregistered, its processes get `shutdown` and after the grace `kill`,
    /// and its connections end, so that peers see `nodedown` at once. Can be called from a process
    /// of the node, which then ends with the others.
    pub async fn shutdown(&self) {
        let node = self.clone();
        let stopped = self.runtime().spawn(async move { node.stop().await });
        if let Err(error) = stopped.await {
            tracing::warn!(reason = %error, "shutdown was cut short");
            // Who waits for the end must not wait for ever.
            self.0.stopped.send_replace(true);
        }
    }

    /// Resolves when the node has stopped, whoever ordered it: the program by [`Node::shutdown`],
    /// or a service of the node that found it has to go. Resolves at once if it has stopped.
    pub async fn stopped(&self) {
        // The node holds the sender, so the wait can't fail.
        let _ = self.0.stopped.subscribe().wait_for(|stopped| *stopped).await;
    }

    async fn stop(&self) {
        self.0.stopping.store(true, Ordering::Release);
        self.0.stop.notify_waiters();
        let listening = self.0.listening.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(listening) = listening {
            // Both end by themselves now; that they have is what counts.
            let _ = listening.acceptor.await;
            if let Some(registration) = listening.registration {
                let _ = registration.await;
            }
        }
        self.end_processes(ExitReason::Shutdown).await;
        self.end_processes(ExitReason::Kill).await;
        self.close_all().await;
        if self.0.alive.swap(false, Ordering::AcqRel) {
            tracing::info!(node = %self.name(), "node has stopped");
        }
        self.0.stopped.send_replace(true);
    }

    /// Sends an exit signal to each process, and waits for their ends for the grace at most.
    async fn end_processes(&self, reason: ExitReason) {
        let from = self.table().node_pid();
        for process in self.table().all() {
            self.exit_local(&from, process.pid(), reason.clone());
        }
        let empty = async {
            loop {
                let ended = self.0.process_ended.notified();
                tokio::pin!(ended);
                ended.as_mut().enable();
                if self.table().len() == 0 {
                    return;
                }
                ended.await;
            }
        };
        if timeout(self.config().shutdown_grace, empty).await.is_err() {
            tracing::warn!(left = self.table().len(), %reason, "processes outlived the grace");
        }
    }
}

async fn register(client: &Client, wanted: &Registration) -> Result<Registered, StartError> {
    client.register(wanted).await.map_err(|error| match error {
        ClientError::Refused { name, .. } => StartError::NameTaken { name },
        source => StartError::Epmd { address: client.address(), source },
    })
}

/// Looks after the certificates while nobody connects.
async fn keep_fresh(node: Node, tls: Tls) {
    loop {
        tokio::select! {
            () = node.stopping() => return,
            () = tokio::time::sleep(TLS_CHECK_PERIOD) => tls.refresh(),
        }
    }
}

/// What was said about a registration that fails again and again: each kind of fault once.
#[derive(Default)]
struct Told {
    taken: bool,
    other: bool,
}

impl Told {
    fn tell(&mut self, error: &StartError) {
        match error {
            StartError::NameTaken { name } if !std::mem::replace(&mut self.taken, true) => {
                tracing::warn!(
                    %name,
                    "another node took our name while EPMD was away, and peers that look for us find \
                     it: stop that one, or start this one under another name"
                );
            }
            StartError::NameTaken { .. } => tracing::debug!(reason = %error, "name still taken"),
            _ if !std::mem::replace(&mut self.other, true) => {
                tracing::warn!(
                    reason = %error,
                    "not registered, so new peers do not find this node: start EPMD (epmd -daemon)"
                );
            }
            _ => tracing::debug!(reason = %error, "not registered yet"),
        }
    }
}

/// Stays registered: when the daemon goes away, registers at the one that comes in its place.
async fn keep_registered(
    node: Node,
    client: Client,
    wanted: Registration,
    mut registered: Registered,
) {
    loop {
        tokio::select! {
            () = node.stopping() => return,
            () = registered.lost() => {}
        }
        node.0.registered.store(false, Ordering::Release);
        tracing::warn!(address = %client.address(), "EPMD went away");
        let (mut told, mut pause) = (Told::default(), EPMD_RETRY_MIN);
        registered = loop {
            match register(&client, &wanted).await {
                Ok(registered) => break registered,
                // Another daemon that comes at once is nothing to tell of.
                Err(error) if pause < EPMD_RETRY_MAX => tracing::debug!(reason = %error, "not yet"),
                Err(error) => told.tell(&error),
            }
            tokio::select! {
                () = node.stopping() => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (2 * pause).min(EPMD_RETRY_MAX);
        };
        node.0.registered.store(true, Ordering::Release);
        tracing::info!(address = %client.address(), "registered at EPMD again");
    }
}
