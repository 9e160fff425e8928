//! Idempotency keys: what has a key is done once, and its answer is given again to who asks again.
//!
//! The first node by right to a key does what it stands for and keeps the answer, and sends a copy to
//! the second: when the first is lost, that one is the first. Whoever has no answer asks the second
//! before it begins, since that was the first before this one came.

mod store;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use erlang_interop::term::{Term, decode, encode, term};
use tokio::sync::watch;

use super::limits::{KEPT_ANSWER_BYTES_MAX, KEY_BYTES_MAX};
use store::{Found, Store};

pub use store::{Fingerprint, Phase};

/// The answers of this node. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Keys(Arc<Mutex<Store>>);

/// How it stands with a key.
#[derive(Debug)]
pub enum Begun {
    /// It is for the caller to do.
    Run(Running),
    /// Somebody does it: when this changes or ends, ask again.
    Wait(watch::Receiver<()>),
    /// It was done.
    Kept(Term),
    /// The key stands for something else.
    Reused,
    /// As many are under way as may be.
    Full,
}

/// The right to do what a key stands for; dropped, it is up to the next.
#[derive(Debug)]
pub struct Running {
    keys: Keys,
    key: Vec<u8>,
    fingerprint: Fingerprint,
    _done: watch::Sender<()>,
}

impl Keys {
    /// Whether a key is one that is taken.
    #[must_use]
    pub fn is_key(key: &[u8]) -> bool {
        (1..=KEY_BYTES_MAX).contains(&key.len())
    }

    /// Begins what a key stands for, unless it was begun.
    #[must_use]
    pub fn begin(&self, key: &[u8], fingerprint: Fingerprint) -> Begun {
        let mut store = self.store();
        match store.find(key, fingerprint, Instant::now()) {
            Found::Kept(answer) => decode(&answer).map_or(Begun::Full, Begun::Kept),
            Found::Running(_, done) => Begun::Wait(done),
            Found::Other => Begun::Reused,
            Found::Nothing => {
                let (sender, done) = watch::channel(());
                if !store.run(key, fingerprint, done) {
                    return Begun::Full;
                }
                let (keys, key) = (self.clone(), key.to_vec());
                Begun::Run(Running { keys, key, fingerprint, _done: sender })
            }
        }
    }

    /// What is known of a key, for another node: `none`, `asking`, `running`, `reused` or
    /// `{ok, Answer}`.
    #[must_use]
    pub fn look(&self, key: &[u8], fingerprint: Fingerprint) -> Term {
        match self.store().find(key, fingerprint, Instant::now()) {
            Found::Kept(answer) => {
                decode(&answer).map_or(term!(none), |answer| term!({ok, (answer)}))
            }
            Found::Running(Phase::Asking, _) => term!(asking),
            Found::Running(Phase::Doing, _) => term!(running),
            Found::Running(Phase::Yielding, _) => term!(none),
            Found::Other => term!(reused),
            Found::Nothing => term!(none),
        }
    }

    /// Keeps what another node has done.
    pub(crate) fn keep_copy(&self, key: &[u8], fingerprint: &[u8], answer: &Term) {
        if let Ok(fingerprint) = Fingerprint::try_from(fingerprint)
            && Self::is_key(key)
        {
            self.keep(key, fingerprint, answer);
        }
    }

    fn keep(&self, key: &[u8], fingerprint: Fingerprint, answer: &Term) {
        let answer = encode(answer);
        if answer.len() > KEPT_ANSWER_BYTES_MAX {
            tracing::warn!(bytes = answer.len(), "an answer is too long to be kept for its key");
            return;
        }
        self.store().keep(key, fingerprint, answer.into(), Instant::now());
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        // Each step leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    /// How far it has come, for those who ask.
    pub fn has_come(&self, phase: Phase) {
        self.keys.store().has_come(&self.key, phase);
    }

    /// It was done, with this answer.
    pub fn keep(self, answer: &Term) {
        self.keys.keep(&self.key, self.fingerprint, answer);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.keys.store().ended(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Fingerprint = [1; 32];

    #[tokio::test]
    async fn the_second_waits_for_the_first_and_has_its_answer() {
        let keys = Keys::default();
        let Begun::Run(running) = keys.begin(b"k", ONE) else { panic!("nobody has begun") };
        let Begun::Wait(mut done) = keys.begin(b"k", ONE) else { panic!("it runs") };
        for (phase, seen) in
            [(Phase::Asking, "asking"), (Phase::Yielding, "none"), (Phase::Doing, "running")]
        {
            running.has_come(phase);
            assert!(keys.look(b"k", ONE).is_atom(seen));
        }
        assert!(matches!(keys.begin(b"k", [2; 32]), Begun::Reused));
        running.keep(&Term::from(7));
        assert!(done.changed().await.is_err(), "the first has ended");
        assert!(matches!(keys.begin(b"k", ONE), Begun::Kept(answer) if answer == Term::from(7)));
    }

    #[tokio::test]
    async fn what_was_broken_off_is_for_the_next() {
        let keys = Keys::default();
        let Begun::Run(running) = keys.begin(b"k", ONE) else { panic!("nobody has begun") };
        drop(running);
        assert!(matches!(keys.begin(b"k", [2; 32]), Begun::Run(_)), "it stood for nothing yet");
    }

    #[test]
    fn copies_are_kept_like_own_answers() {
        let keys = Keys::default();
        keys.keep_copy(b"k", &ONE, &Term::from(7));
        keys.keep_copy(b"k", b"short", &Term::from(8));
        assert!(matches!(keys.begin(b"k", ONE), Begun::Kept(answer) if answer == Term::from(7)));
        assert!(!Keys::is_key(b"") && !Keys::is_key(&[b'x'; KEY_BYTES_MAX + 1]));
    }
}
