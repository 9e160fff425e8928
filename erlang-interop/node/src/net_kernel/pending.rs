//! Handshakes of peers that dialed us: how many at once, and which gives way to a new one.
//!
//! Who dials has proven nothing yet, so being many must not keep others out. When all places are
//! taken, the oldest handshake of the address with the most of them is given up for the new one.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::admission::source;

struct Entry {
    id: u64,
    source: String,
    /// Dropped when the handshake has to give way.
    _place: oneshot::Sender<()>,
}

#[derive(Default)]
struct List {
    next_id: u64,
    /// The oldest first.
    entries: VecDeque<Entry>,
}

/// The handshakes under way.
#[derive(Clone)]
pub(super) struct Pending {
    max: usize,
    list: Arc<Mutex<List>>,
}

/// The place of one handshake among those; free again when dropped.
pub(super) struct Place {
    id: u64,
    pending: Pending,
    lost: oneshot::Receiver<()>,
}

impl Pending {
    pub(super) fn new(max: usize) -> Self {
        Self { max: max.max(1), list: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a handshake with a peer at `from`, an address with its port. With more than
    /// `source_max` from there, the oldest of them gives way.
    pub(super) fn enter(&self, from: &str, source_max: usize) -> Place {
        // Whoever has a host has all its ports, and whoever has an IPv6 host its whole network.
        let host = from.rsplit_once(':').map_or(from, |(host, _port)| host);
        let address = host.trim_matches(['[', ']']).parse().map(source);
        let source = address.map_or_else(|_| host.to_owned(), |address| address.to_string());
        let source = source.as_str();
        let (sender, lost) = oneshot::channel();
        let mut list = self.lock();
        list.make_room_at(source, source_max);
        if list.entries.len() >= self.max {
            list.give_up_one();
        }
        let id = list.next_id;
        list.next_id += 1;
        list.entries.push_back(Entry { id, source: source.to_owned(), _place: sender });
        Place { id, pending: self.clone(), lost }
    }
}

impl List {
    fn make_room_at(&mut self, source: &str, max: usize) {
        if max >= self.entries.len() {
            return;
        }
        let of_source = |entry: &&Entry| entry.source == source;
        if self.entries.iter().filter(of_source).count() >= max
            && let Some(at) = self.entries.iter().position(|entry| entry.source == source)
        {
            self.entries.remove(at);
        }
    }

    fn give_up_one(&mut self) {
        let mut by_source: HashMap<&str, usize> = HashMap::new();
        for entry in &self.entries {
            *by_source.entry(&entry.source).or_default() += 1;
        }
        let most = by_source.values().copied().max().unwrap_or_default();
        let victim = self.entries.iter().position(|entry| by_source[entry.source.as_str()] == most);
        if let Some(at) = victim {
            self.entries.remove(at);
        }
    }
}

impl Place {
    /// Resolves when this handshake has to give way to a new one.
    pub(super) async fn lost(&mut self) {
        // Nothing is ever sent; the sender is dropped.
        let _ = (&mut self.lost).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.pending.lock().entries.retain(|entry| entry.id != self.id);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const MANY: usize = usize::MAX;

    fn is_lost(place: &mut Place) -> bool {
        place.lost().now_or_never().is_some()
    }

    #[test]
    fn the_oldest_of_the_most_numerous_gives_way() {
        let pending = Pending::new(4);
        let mut good = pending.enter("10.0.0.1:5", MANY);
        let mut crowd: Vec<Place> =
            (0..3).map(|n| pending.enter(&format!("[::7]:{n}"), MANY)).collect();
        let mut fresh = pending.enter("10.0.0.2:9", MANY);
        assert!(is_lost(&mut crowd[0]));
        let mut again = pending.enter("[::7]:8", MANY);
        assert!(is_lost(&mut crowd[1]));
        assert!(!is_lost(&mut crowd[2]) && !is_lost(&mut again));
        assert!(!is_lost(&mut good) && !is_lost(&mut fresh));
    }

    #[test]
    fn a_network_of_64_bits_is_one_source() {
        let pending = Pending::new(4);
        let mut good = pending.enter("[fd00:0:0:2::1]:5", MANY);
        let mut crowd: Vec<Place> =
            (0..3).map(|n| pending.enter(&format!("[fd00:0:0:1::{n}]:5"), MANY)).collect();
        let _fresh = pending.enter("10.0.0.2:9", MANY);
        assert!(is_lost(&mut crowd[0]) && !is_lost(&mut good));
    }

    #[test]
    fn a_place_that_is_left_is_free() {
        let pending = Pending::new(1);
        drop(pending.enter("10.0.0.1:5", MANY));
        let mut only = pending.enter("10.0.0.1:6", MANY);
        assert!(!is_lost(&mut only));
        assert_eq!(pending.lock().entries.len(), 1);
        // As many as there are places, also when none was wanted.
        let none = Pending::new(0);
        assert!(!is_lost(&mut none.enter("10.0.0.1:5", MANY)));
    }

    #[test]
    fn a_source_that_may_have_few_gives_way_to_itself() {
        let pending = Pending::new(10);
        let mut other = pending.enter("10.0.0.2:9", MANY);
        let mut few: Vec<Place> =
            (0..3).map(|n| pending.enter(&format!("10.0.0.1:{n}"), 2)).collect();
        assert!(is_lost(&mut few[0]));
        assert!(!is_lost(&mut few[1]) && !is_lost(&mut few[2]) && !is_lost(&mut other));
    }
}
