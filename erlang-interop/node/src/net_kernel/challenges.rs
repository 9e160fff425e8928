//! The challenges this node has asked and waits for an answer to.
//!
//! The digest that answers a challenge is the same in both directions. Whoever could ask the node its own
//! challenge, on another connection, would have the answer from itself; so one that the node has asked
//! is no challenge to it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::ConnectError;

/// All of them: one for each handshake under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Challenges(Arc<Mutex<HashSet<u32>>>);

/// One of them, until its handshake ends.
#[derive(Debug)]
pub(super) struct Asked {
    challenge: u32,
    all: Challenges,
}

impl Challenges {
    fn lock(&self) -> MutexGuard<'_, HashSet<u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new one.
    pub(super) fn draw(&self) -> Result<Asked, ConnectError> {
        loop {
            let challenge = getrandom::u32().map_err(|_| ConnectError::Random)?;
            if self.lock().insert(challenge) {
                return Ok(Asked { challenge, all: self.clone() });
            }
        }
    }

    /// Whether the node asks that itself.
    pub(super) fn has(&self, challenge: u32) -> bool {
        self.lock().contains(&challenge)
    }
}

impl Asked {
    pub(super) fn challenge(&self) -> u32 {
        self.challenge
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.all.lock().remove(&self.challenge);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_known_while_its_handshake_runs() {
        let all = Challenges::default();
        let (one, two) = (all.draw().expect("random"), all.draw().expect("random"));
        assert_ne!(one.challenge(), two.challenge());
        let challenge = one.challenge();
        assert!(all.has(challenge));
        drop(one);
        assert!(!all.has(challenge) && all.has(two.challenge()));
    }
}
