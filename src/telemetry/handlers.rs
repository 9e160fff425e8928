//! Who wants to know of events.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::events::{Event, Name};

/// Most handlers at a time: each event looks through them.
const HANDLERS_MAX: usize = 64;

const _: () = assert!(Name::ALL.len() <= 64, "a name has a bit in `wanted`");

/// Why a handler was not attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// As `{:error, :already_exists}`.
    #[error("there is a handler of that name")]
    AlreadyExists,
    /// There are as many as may be.
    #[error("there are {HANDLERS_MAX} handlers: detach one")]
    TooMany,
}

type Run = dyn Fn(&Event<'_>) + Send + Sync;

struct Handler {
    id: String,
    names: Vec<Name>,
    run: Arc<Run>,
}

/// The handlers.
#[derive(Default)]
pub(super) struct Handlers {
    list: RwLock<Vec<Handler>>,
    /// A bit for each name that some handler wants: nobody looks further for the others.
    wanted: AtomicU64,
    detached: AtomicU64,
}

impl Handlers {
    pub(super) fn attach(
        &self,
        id: &str,
        names: &[Name],
        run: Arc<Run>,
    ) -> Result<(), AttachError> {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        if list.iter().any(|handler| handler.id == id) {
            return Err(AttachError::AlreadyExists);
        }
        if list.len() >= HANDLERS_MAX {
            return Err(AttachError::TooMany);
        }
        list.push(Handler { id: id.to_owned(), names: names.to_vec(), run });
        self.want(&list);
        Ok(())
    }

    /// Whether there was one of that name.
    pub(super) fn detach(&self, id: &str) -> bool {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        let before = list.len();
        list.retain(|handler| handler.id != id);
        self.want(&list);
        list.len() < before
    }

    fn want(&self, list: &[Handler]) {
        let bits = list.iter().flat_map(|handler| &handler.names);
        let wanted = bits.fold(0, |wanted, name| wanted | 1 << name.index());
        self.wanted.store(wanted, Ordering::Relaxed);
    }

    /// Calls those that want the event. One that panics is detached, as Elixir's telemetry has it: an
    /// observer must not disturb what it observes.
    pub(super) fn call(&self, event: &Event<'_>) {
        let name = event.name();
        if self.wanted.load(Ordering::Relaxed) & 1 << name.index() == 0 {
            return;
        }
        // Called without the lock, so that a handler may attach and detach.
        let wanting: Vec<(String, Arc<Run>)> = {
            let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
            let wanting = list.iter().filter(|handler| handler.names.contains(&name));
            wanting.map(|handler| (handler.id.clone(), Arc::clone(&handler.run))).collect()
        };
        for (id, run) in wanting {
            if catch_unwind(AssertUnwindSafe(|| run(event))).is_err() && self.detach(&id) {
                self.detached.fetch_add(1, Ordering::Relaxed);
                let event = name.path().join(".");
                tracing::error!(handler = %id, event, "a telemetry handler panicked: detached");
            }
        }
    }

    /// How many were detached because they panicked.
    pub(super) fn detached(&self) -> u64 {
        self.detached.load(Ordering::Relaxed)
    }
}
