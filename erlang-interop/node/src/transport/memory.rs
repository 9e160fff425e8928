//! Pipes in memory between nodes of one program.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::DuplexStream;
use tokio::sync::mpsc;

/// Bytes a pipe holds before its writer waits, as a socket's buffer does.
const PIPE_BYTES: usize = 256 * 1024;
/// Dials that may wait for their acceptor.
const BACKLOG: usize = 64;

type Dials = HashMap<String, mpsc::Sender<DuplexStream>>;

/// A network in memory. Nodes that hold clones of one can connect to each other by name.
#[derive(Clone, Debug, Default)]
pub struct MemoryNet {
    listeners: Arc<Mutex<Dials>>,
}

pub(crate) struct MemoryListener {
    net: MemoryNet,
    name: String,
    dials: mpsc::Receiver<DuplexStream>,
}

impl MemoryNet {
    /// A network without nodes.
    pub fn new() -> Self {
        Self::default()
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
        listeners.insert(name.to_owned(), sender);
        Some(MemoryListener { net: self.clone(), name: name.to_owned(), dials })
    }

    /// `None`: nobody of that name listens.
    pub(crate) async fn connect(&self, name: &str) -> Option<DuplexStream> {
        let listener = self.lock().get(name).cloned()?;
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        listener.send(theirs).await.ok()?;
        Some(ours)
    }
}

impl MemoryListener {
    pub(crate) async fn accept(&mut self) -> DuplexStream {
        match self.dials.recv().await {
            Some(stream) => stream,
            // The network keeps a sender as long as this listener lives.
            None => std::future::pending().await,
        }
    }
}

impl Drop for MemoryListener {
    fn drop(&mut self) {
        self.net.lock().remove(&self.name);
    }
}
