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
    pending: BTreeMap<ConnectionId, Task>,
    registered: HashMap<ConnectionId, Task>,
    /// Each seat holds a copy; when all are gone, all sockets are closed.
    open: Option<mpsc::Sender<()>>,
    all_closed: Option<mpsc::Receiver<()>>,
}

/// A connection's task; none in the moment before it runs.
type Task = Option<AbortHandle>;

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
    /// `start` spawns the task that owns the seat. No lock is held then, nor when a task is
    /// cut: a runtime that shuts down may drop the seat at once, and that takes the lock.
    ///
    /// `false`: the daemon is closing.
    pub(super) fn admit(self: &Arc<Self>, start: impl FnOnce(Seat) -> AbortHandle) -> bool {
        let (seat, crowded_out) = {
            let mut state = self.lock();
            let Some(open) = state.open.clone() else {
                return false;
            };
            let full = state.pending.len() >= self.config.pending_connections_max;
            let crowded_out = if full { state.pending.pop_first() } else { None };
            state.next += 1;
            let id = state.next;
            state.pending.insert(id, None);
            (Seat { shared: Arc::clone(self), id, name: None, _open: open }, crowded_out)
        };
        if let Some((id, task)) = crowded_out {
            tracing::warn!(connection = id, "too many pending connections, cutting the oldest");
            cut(task);
        }
        let id = seat.id;
        let task = start(seat);
        if !self.lock().attach(id, &task) {
            task.abort();
        }
        true
    }

    pub(super) async fn killed(&self) {
        self.kill.notified().await;
    }

    pub(super) fn kill(&self) {
        self.kill.notify_one();
    }

    /// Cuts all connections, and admits no more.
    fn cut_all(&self) {
        let tasks: Vec<Task> = {
            let mut state = self.lock();
            state.open = None;
            let pending = std::mem::take(&mut state.pending);
            pending.into_values().chain(state.registered.drain().map(|(_, task)| task)).collect()
        };
        tasks.into_iter().for_each(cut);
    }

    /// Cuts all connections and waits until their sockets are closed.
    pub(super) async fn close_all(&self) {
        self.cut_all();
        let all_closed = self.lock().all_closed.take();
        if let Some(mut all_closed) = all_closed {
            // Nobody sends: this ends with the last sender.
            let _ = all_closed.recv().await;
        }
    }
}

/// Cuts all connections when the daemon's future is dropped before it has ended.
#[derive(Debug)]
pub(super) struct CutOnDrop(pub(super) Arc<Shared>);

impl Drop for CutOnDrop {
    fn drop(&mut self) {
        self.0.cut_all();
    }
}

fn cut(task: Task) {
    if let Some(task) = task {
        task.abort();
    }
}

impl State {
    /// Keeps the task of a connection. `false`: it has ended, or is to be cut.
    fn attach(&mut self, id: ConnectionId, task: &AbortHandle) -> bool {
        let place = match self.pending.get_mut(&id) {
            Some(place) => Some(place),
            None => self.registered.get_mut(&id),
        };
        match place {
            Some(place) => {
                *place = Some(task.clone());
                true
            }
            None => false,
        }
    }
}

impl Seat {
    /// Carries out a request; a registration makes the seat keep the name.
    pub(super) fn answer(&mut self, request: &Request<'_>, asker: Asker) -> Answer {
        let mut state = self.shared.lock();
        let answer = state.daemon.answer(request, asker, seconds_since_1970());
        let mut stopped = None;
        match &answer {
            Answer::Keep { name, .. } => {
                self.name = Some(name.clone());
                if let Some(task) = state.pending.remove(&self.id) {
                    state.registered.insert(self.id, task);
                }
            }
            Answer::Stop { connection, .. } => stopped = state.registered.remove(connection),
            _ => {}
        }
        drop(state);
        cut(stopped.flatten());
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
