//! Pipes in memory between nodes of one program.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::DuplexStream;
use tokio::sync::mpsc;

/// Bytes a pipe holds before its writer waits, as a socket's buffer does.
const PIPE_BYTES: usize = 256 * 1024;
/// Dials that may wait for their acceptor.
const BACKLOG: usize = 64;

type Dials = HashMap<String, mpsc::Sender<DuplexStream>>;

/// What lies between two nodes of a [`MemoryNet`]: it may delay bytes, hold them, or cut them off.
pub trait Wire: Send + Sync {
    /// A new connection: the end of the node `from`, which dials, and the end that `to` accepts.
    /// `None`: `to` can't be reached.
    fn connect(&self, from: &str, to: &str) -> Option<(DuplexStream, DuplexStream)>;
}

/// A network in memory. Nodes that hold clones of one can connect to each other by name.
#[derive(Clone, Default)]
pub struct MemoryNet {
    listeners: Arc<Mutex<Dials>>,
    wire: Option<Arc<dyn Wire>>,
}

pub(crate) struct MemoryListener {
    net: MemoryNet,
    name: String,
    /// Tells this listener's entry from that of a later one of the same name.
    own: mpsc::WeakSender<DuplexStream>,
    dials: mpsc::Receiver<DuplexStream>,
}

impl MemoryNet {
    /// A network without nodes.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same network for a node whose dials go over this wire.
    #[must_use]
    pub fn over(&self, wire: Arc<dyn Wire>) -> Self {
        Self { listeners: Arc::clone(&self.listeners), wire: Some(wire) }
    }

    /// Lets nobody reach the node of that name any more, so that another one may have the name.
    pub fn remove(&self, name: &str) {
        self.lock().remove(name);
    }

    fn lock(&self) -> MutexGuard<'_, Dials> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None`: a node of that name listens already.
    pub(crate) fn listen(&self, name: &str) -> Option<MemoryListener> {
        let (sender, dials) = mpsc::channel(BACKLOG);
        let mut listeners = self.lock();
        if listeners.contains_key(name) {
            return None;
        }
        let own = sender.downgrade();
        listeners.insert(name.to_owned(), sender);
        Some(MemoryListener { net: self.clone(), name: name.to_owned(), own, dials })
    }

    /// `None`: nobody of that name listens, or it can't be reached.
    pub(crate) async fn connect(&self, from: &str, name: &str) -> Option<DuplexStream> {
        let listener = self.lock().get(name).cloned()?;
        let (ours, theirs) = match &self.wire {
            Some(wire) => wire.connect(from, name)?,
            None => tokio::io::duplex(PIPE_BYTES),
        };
        listener.send(theirs).await.ok()?;
        Some(ours)
    }
}

impl MemoryListener {
    pub(crate) async fn accept(&mut self) -> DuplexStream {
        match self.dials.recv().await {
            Some(stream) => stream,
            // Removed from the network: nobody comes any more.
            None => std::future::pending().await,
        }
    }
}

impl Drop for MemoryListener {
    fn drop(&mut self) {
        let Some(own) = self.own.upgrade() else { return };
        let mut listeners = self.net.lock();
        if listeners.get(&self.name).is_some_and(|current| current.same_channel(&own)) {
            listeners.remove(&self.name);
        }
    }
}

impl fmt::Debug for MemoryNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryNet").field("wired", &self.wire.is_some()).finish_non_exhaustive()
    }
}
