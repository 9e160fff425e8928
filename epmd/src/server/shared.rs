//! What the daemon's tasks share: the registry and the table of connections, behind one lock.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;

use super::ServerConfig;
use crate::answer::{Answer, Asker, Daemon, Rules};
use crate::codec::Request;
use crate::registry::{ConnectionId, Registry};

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: ServerConfig,
    state: Mutex<State>,
    kill: Notify,
}

#[derive(Debug)]
struct State {
    daemon: Daemon,
    next: ConnectionId,
    /// Connections without a registration, the oldest first.
    pending: BTreeMap<ConnectionId, AbortHandle>,
    registered: HashMap<ConnectionId, AbortHandle>,
    /// Each seat holds a copy; when all are gone, all sockets are closed.
    open: Option<mpsc::Sender<()>>,
    all_closed: Option<mpsc::Receiver<()>>,
}

/// A connection's place in the table. Dropping it releases the name and the place.
#[derive(Debug)]
pub(super) struct Seat {
    shared: Arc<Shared>,
    pub(super) id: ConnectionId,
    name: Option<Vec<u8>>,
    _open: mpsc::Sender<()>,
}

impl Shared {
    pub(super) fn new(config: ServerConfig, rules: Rules) -> Self {
        let (open, all_closed) = mpsc::channel(1);
        let daemon = Daemon::new(Registry::new(config.registry_limits), rules);
        let state = State {
            daemon,
            next: 0,
            pending: BTreeMap::new(),
            registered: HashMap::new(),
            open: Some(open),
            all_closed: Some(all_closed),
        };
        Self { config, state: Mutex::new(state), kill: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the maps whole: each change is a few infallible calls.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a new connection its place, and cuts the oldest pending one when there is none.
    ///
    /// `start` spawns the task; it runs under the lock, so that the task can't finish before it
    /// is in the table. `false`: the daemon is closing.
    pub(super) fn admit(self: &Arc<Self>, start: impl FnOnce(Seat) -> AbortHandle) -> bool {
        let mut state = self.lock();
        let Some(open) = state.open.clone() else {
            return false;
        };
        if state.pending.len() >= self.config.pending_connections_max
            && let Some((id, oldest)) = state.pending.pop_first()
        {
            tracing::warn!(connection = id, "too many pending connections, cutting the oldest");
            oldest.abort();
        }
        state.next += 1;
        let id = state.next;
        let task = start(Seat { shared: Arc::clone(self), id, name: None, _open: open });
        state.pending.insert(id, task);
        true
    }

    pub(super) async fn killed(&self) {
        self.kill.notified().await;
    }

    pub(super) fn kill(&self) {
        self.kill.notify_one();
    }

    /// Cuts all connections and waits until their sockets are closed.
    pub(super) async fn close_all(&self) {
        let all_closed = {
            let mut state = self.lock();
            state.open = None;
            for task in state.pending.values().chain(state.registered.values()) {
                task.abort();
            }
            state.all_closed.take()
        };
        if let Some(mut all_closed) = all_closed {
            // Nobody sends: this ends with the last sender.
            let _ = all_closed.recv().await;
        }
    }
}

impl Seat {
    /// Carries out a request; a registration makes the seat keep the name.
    pub(super) fn answer(&mut self, request: &Request<'_>, asker: Asker) -> Answer {
        let mut state = self.shared.lock();
        let answer = state.daemon.answer(request, asker, seconds_since_1970());
        match &answer {
            Answer::Keep { name, .. } => {
                self.name = Some(name.clone());
                if let Some(task) = state.pending.remove(&self.id) {
                    state.registered.insert(self.id, task);
                }
            }
            Answer::Stop { connection, .. } => {
                if let Some(task) = state.registered.remove(connection) {
                    task.abort();
                }
            }
            _ => {}
        }
        answer
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        let Some(name) = self.name.take() else {
            state.pending.remove(&self.id);
            return;
        };
        state.registered.remove(&self.id);
        if state.daemon.registry.release(&name, self.id) {
            tracing::info!(name = %String::from_utf8_lossy(&name), "unregistering");
        }
    }
}

/// The clock as the original uses it for creations; it wraps in 2106.
fn seconds_since_1970() -> u32 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    elapsed.as_secs() as u32
}
