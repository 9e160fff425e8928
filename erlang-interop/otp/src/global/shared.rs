//! The state of `global`, shared by its processes and by those who look names up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::state::State;

/// A handle on the state. It is locked for one step at a time, never while waiting.
#[derive(Clone, Debug)]
pub(super) struct Shared(Arc<Mutex<State>>);

impl Shared {
    pub(super) fn new(state: State) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    /// A panic while it is held would leave a step half done; each step only moves values, so the
    /// state stays usable.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
