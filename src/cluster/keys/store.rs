//! Answers by key, bounded in number, bytes and age. Time is an argument.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::watch;

use crate::cluster::limits::{KEPT_AGE_MAX, KEPT_BYTES_MAX, KEPT_KEYS_MAX, KEYS_RUNNING_MAX};

/// What a key stands for, so that it cannot stand for two things: SHA-256 of call and arguments.
pub type Fingerprint = [u8; 32];

/// How it stands with a key.
#[derive(Debug)]
pub(super) enum Found {
    Nothing,
    /// The key stands for something else.
    Other,
    Running(Phase, watch::Receiver<()>),
    /// The encoded answer.
    Kept(Bytes),
}

/// How far somebody who does what a key stands for has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It asks the second by right.
    Asking,
    /// It has seen that another with more right asks, too, and waits for that one.
    Yielding,
    /// It does it.
    Doing,
}

#[derive(Debug)]
struct Doer {
    fingerprint: Fingerprint,
    phase: Phase,
    done: watch::Receiver<()>,
}

#[derive(Debug)]
struct Kept {
    fingerprint: Fingerprint,
    answer: Bytes,
    at: Instant,
}

#[derive(Debug, Default)]
pub(super) struct Store {
    running: HashMap<Vec<u8>, Doer>,
    kept: HashMap<Vec<u8>, Kept>,
    /// The keys of what is kept, the oldest first.
    ages: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
}

impl Store {
    pub(super) fn find(&mut self, key: &[u8], fingerprint: Fingerprint, now: Instant) -> Found {
        self.forget_old(now);
        if let Some(kept) = self.kept.get(key) {
            return match kept.fingerprint == fingerprint {
                true => Found::Kept(kept.answer.clone()),
                false => Found::Other,
            };
        }
        match self.running.get(key) {
            Some(doer) if doer.fingerprint != fingerprint => Found::Other,
            Some(doer) => Found::Running(doer.phase, doer.done.clone()),
            None => Found::Nothing,
        }
    }

    /// `false`: as many run as may.
    pub(super) fn run(
        &mut self,
        key: &[u8],
        fingerprint: Fingerprint,
        done: watch::Receiver<()>,
    ) -> bool {
        let room = self.running.len() < KEYS_RUNNING_MAX;
        if room {
            let doer = Doer { fingerprint, phase: Phase::Asking, done };
            self.running.insert(key.to_vec(), doer);
        }
        room
    }

    pub(super) fn has_come(&mut self, key: &[u8], phase: Phase) {
        if let Some(doer) = self.running.get_mut(key) {
            doer.phase = phase;
        }
    }

    pub(super) fn ended(&mut self, key: &[u8]) {
        self.running.remove(key);
    }

    /// Keeps an answer; the oldest make room for it.
    pub(super) fn keep(
        &mut self,
        key: &[u8],
        fingerprint: Fingerprint,
        answer: Bytes,
        at: Instant,
    ) {
        self.forget(key);
        self.bytes += key.len() + answer.len();
        self.kept.insert(key.to_vec(), Kept { fingerprint, answer, at });
        self.ages.push_back((at, key.to_vec()));
        while self.kept.len() > KEPT_KEYS_MAX || self.bytes > KEPT_BYTES_MAX {
            let Some((at, oldest)) = self.ages.pop_front() else { return };
            self.forget_of(&oldest, at);
        }
    }

    fn forget_old(&mut self, now: Instant) {
        while let Some((at, key)) = self.ages.front().cloned()
            && now.saturating_duration_since(at) > KEPT_AGE_MAX
        {
            self.ages.pop_front();
            self.forget_of(&key, at);
        }
    }

    /// Forgets what was kept at that time, not what has replaced it.
    fn forget_of(&mut self, key: &[u8], at: Instant) {
        if self.kept.get(key).is_some_and(|kept| kept.at == at) {
            self.forget(key);
        }
    }

    fn forget(&mut self, key: &[u8]) {
        if let Some(kept) = self.kept.remove(key) {
            self.bytes -= key.len() + kept.answer.len();
            self.ages.retain(|(_, other)| other != key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ONE: Fingerprint = [1; 32];

    fn has(store: &mut Store, key: &[u8], now: Instant) -> bool {
        matches!(store.find(key, ONE, now), Found::Kept(_))
    }

    #[test]
    fn answers_grow_old() {
        let (mut store, now) = (Store::default(), Instant::now());
        store.keep(b"k", ONE, Bytes::from_static(b"x"), now);
        assert!(has(&mut store, b"k", now + KEPT_AGE_MAX));
        assert!(!has(&mut store, b"k", now + KEPT_AGE_MAX + Duration::from_millis(1)));
        assert_eq!((store.bytes, store.ages.len()), (0, 0));
    }

    #[test]
    fn the_oldest_make_room() {
        let (mut store, now) = (Store::default(), Instant::now());
        for key in 0..=KEPT_KEYS_MAX {
            store.keep(&key.to_be_bytes(), ONE, Bytes::from_static(b"x"), now);
        }
        assert_eq!(store.kept.len(), KEPT_KEYS_MAX);
        assert!(!has(&mut store, &0_usize.to_be_bytes(), now));
        let long = Bytes::from(vec![0; KEPT_BYTES_MAX / 2]);
        for key in [b"a", b"b", b"c"] {
            store.keep(key, ONE, long.clone(), now);
        }
        assert!(store.bytes <= KEPT_BYTES_MAX);
        assert!(!has(&mut store, b"a", now) && has(&mut store, b"c", now));
    }

    #[test]
    fn a_later_answer_replaces_an_earlier_one() {
        let (mut store, now) = (Store::default(), Instant::now());
        store.keep(b"k", ONE, Bytes::from_static(b"x"), now);
        store.keep(b"k", ONE, Bytes::from_static(b"yy"), now);
        assert_eq!((store.bytes, store.ages.len()), (3, 1));
    }

    #[test]
    fn only_so_many_run() {
        let mut store = Store::default();
        let (_sender, done) = watch::channel(());
        for key in 0..KEYS_RUNNING_MAX {
            assert!(store.run(&key.to_be_bytes(), ONE, done.clone()));
        }
        assert!(!store.run(b"more", ONE, done.clone()));
        store.ended(&0_usize.to_be_bytes());
        assert!(store.run(b"more", ONE, done));
    }
}
