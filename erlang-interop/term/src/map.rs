//! Maps: pairs in the order they came in, with an index when there are many or their keys are large.

use std::hash::BuildHasher;
use std::sync::{Arc, OnceLock};

use hashbrown::HashTable;

use crate::limits::{MAP_ENTRIES_UNINDEXED_MAX, RECURSION_LEVELS_MAX};
use crate::term::Term;
use crate::{equality, order, release};

/// A map; keys differ by `=:=`. Clones share the pairs, changes copy them.
#[derive(Clone)]
pub struct Map(Repr);

/// Keys and values alternate in the slices.
#[derive(Clone)]
enum Repr {
    Small(Arc<[Term]>),
    Indexed(Arc<Indexed>),
}

/// What is kept of the pairs lets maps be keys of maps, those again, and so on, while all that is done
/// with them takes time in proportion to their size.
struct Indexed {
    pairs: Box<[Term]>,
    /// Positions of the pairs by the hash of their key.
    index: HashTable<u32>,
    hasher: foldhash::fast::RandomState,
    /// Positions of the pairs in the order of their keys, once somebody asked.
    sorted: OnceLock<Box<[u32]>>,
    /// The hash of all pairs together, once somebody asked.
    hash: OnceLock<u64>,
}

/// A key occurs twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DuplicateKey;

impl Map {
    /// The map of these pairs; a later value replaces an earlier one of the same key.
    #[must_use]
    pub fn new(pairs: impl IntoIterator<Item = (Term, Term)>) -> Self {
        let pairs = pairs.into_iter();
        let mut flat: Vec<Term> = Vec::with_capacity(pairs.size_hint().0.saturating_mul(2));
        // Positions of the keys, once there are too many to look through.
        let mut seen: hashbrown::HashMap<Term, usize, foldhash::fast::RandomState> =
            hashbrown::HashMap::default();
        for (key, value) in pairs {
            let len = flat.len() / 2;
            let at = if len < MAP_ENTRIES_UNINDEXED_MAX {
                flat.iter().step_by(2).position(|found| *found == key)
            } else {
                if seen.is_empty() {
                    seen.extend(flat.iter().step_by(2).cloned().zip(0..));
                }
                seen.get(&key).copied()
            };
            if let Some(at) = at {
                flat[at * 2 + 1] = value;
                continue;
            }
            if !seen.is_empty() {
                seen.insert(key.clone(), len);
            }
            flat.extend([key, value]);
        }
        Self::from_flat(flat.into_iter()).expect("keys were made unique")
    }

    /// The map of keys and values that alternate, an even number of them.
    pub(crate) fn from_flat(
        flat: impl ExactSizeIterator<Item = Term>,
    ) -> Result<Self, DuplicateKey> {
        debug_assert!(flat.len().is_multiple_of(2));
        if flat.len() / 2 > MAP_ENTRIES_UNINDEXED_MAX {
            return Self::indexed(flat.collect());
        }
        let pairs: Arc<[Term]> = flat.collect();
        if pairs.len() > 2 && pairs.iter().step_by(2).any(release::holds_terms) {
            return Self::indexed(pairs.iter().cloned().collect());
        }
        if has_duplicates(&pairs) { Err(DuplicateKey) } else { Ok(Self(Repr::Small(pairs))) }
    }

    fn indexed(pairs: Box<[Term]>) -> Result<Self, DuplicateKey> {
        let hasher = foldhash::fast::RandomState::default();
        let mut index = HashTable::with_capacity(pairs.len() / 2);
        for (at, key) in pairs.iter().step_by(2).enumerate() {
            let entry = index.entry(
                hasher.hash_one(key),
                |&other: &u32| pairs[other as usize * 2] == *key,
                |&other| hasher.hash_one(&pairs[other as usize * 2]),
            );
            match entry {
                hashbrown::hash_table::Entry::Occupied(_) => return Err(DuplicateKey),
                hashbrown::hash_table::Entry::Vacant(vacant) => {
                    vacant.insert(at as u32);
                }
            }
        }
        let (sorted, hash) = (OnceLock::new(), OnceLock::new());
        Ok(Self(Repr::Indexed(Arc::new(Indexed { pairs, index, hasher, sorted, hash }))))
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &Term) -> Option<&Term> {
        self.get_within(key, RECURSION_LEVELS_MAX)
    }

    /// The value of the key that is the atom of this text.
    #[must_use]
    pub fn get_atom(&self, key: &str) -> Option<&Term> {
        match &self.0 {
            Repr::Small(_) => {
                self.iter().find(|(found, _)| found.is_atom(key)).map(|(_, value)| value)
            }
            Repr::Indexed(_) => self.get(&Term::Atom(crate::Atom::new(key).ok()?)),
        }
    }

    /// Whether there is a pair of this key.
    #[must_use]
    pub fn contains_key(&self, key: &Term) -> bool {
        self.position(key, RECURSION_LEVELS_MAX).is_some()
    }

    /// The number of pairs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.flat().len() / 2
    }

    /// Whether there is no pair.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.flat().is_empty()
    }

    /// The pairs in stored order: as received, or as given.
    pub fn iter(
        &self,
    ) -> impl DoubleEndedIterator<Item = (&Term, &Term)> + ExactSizeIterator + Clone {
        self.flat().chunks_exact(2).map(|pair| (&pair[0], &pair[1]))
    }

    /// The pairs in the order of their keys ([`Term`]'s `Ord`, the order of `deterministic`).
    #[must_use]
    pub fn sorted(&self) -> Vec<(&Term, &Term)> {
        self.sorted_within(RECURSION_LEVELS_MAX)
    }

    /// The same, comparing keys with so many levels of recursion.
    pub(crate) fn sorted_within(&self, levels: usize) -> Vec<(&Term, &Term)> {
        let compare =
            |left: &Term, right: &Term| order::compare::<{ order::EXACT }>(left, right, levels);
        let Repr::Indexed(map) = &self.0 else {
            let mut pairs: Vec<_> = self.iter().collect();
            pairs.sort_unstable_by(|left, right| compare(left.0, right.0));
            return pairs;
        };
        let pairs: Vec<_> = self.iter().collect();
        let positions = map.sorted.get_or_init(|| {
            let mut positions: Box<[u32]> = (0..pairs.len() as u32).collect();
            positions.sort_unstable_by(|&left, &right| {
                compare(pairs[left as usize].0, pairs[right as usize].0)
            });
            positions
        });
        positions.iter().map(|&at| pairs[at as usize]).collect()
    }

    /// The hash of all pairs together; `of_pairs` counts it if it is not kept.
    pub(crate) fn pairs_hash(&self, of_pairs: impl FnOnce() -> u64) -> u64 {
        match &self.0 {
            Repr::Small(_) => of_pairs(),
            Repr::Indexed(map) => *map.hash.get_or_init(of_pairs),
        }
    }

    /// The hash of all pairs together, if it is kept.
    pub(crate) fn kept_hash(&self) -> Option<u64> {
        match &self.0 {
            Repr::Small(_) => None,
            Repr::Indexed(map) => map.hash.get().copied(),
        }
    }

    /// A map with this pair added or its value replaced.
    #[must_use]
    pub fn insert(&self, key: impl Into<Term>, value: impl Into<Term>) -> Self {
        let (key, value) = (key.into(), value.into());
        let mut flat = self.flat().to_vec();
        match self.position(&key, RECURSION_LEVELS_MAX) {
            Some(at) => flat[at * 2 + 1] = value,
            None => flat.extend([key, value]),
        }
        Self::from_flat(flat.into_iter()).expect("the key was looked up")
    }

    /// A map without this key.
    #[must_use]
    pub fn remove(&self, key: &Term) -> Self {
        let Some(at) = self.position(key, RECURSION_LEVELS_MAX) else { return self.clone() };
        let mut flat = self.flat().to_vec();
        flat.drain(at * 2..at * 2 + 2);
        Self::from_flat(flat.into_iter()).expect("a part of unique keys")
    }

    /// Keys and values, alternating.
    pub(crate) fn flat(&self) -> &[Term] {
        match &self.0 {
            Repr::Small(pairs) => pairs,
            Repr::Indexed(map) => &map.pairs,
        }
    }

    /// The value of a key that is compared with so many levels of recursion.
    pub(crate) fn get_within(&self, key: &Term, levels: usize) -> Option<&Term> {
        self.position(key, levels).map(|at| &self.flat()[at * 2 + 1])
    }

    fn position(&self, key: &Term, levels: usize) -> Option<usize> {
        let is_key = |found: &Term| equality::equal(found, key, levels);
        match &self.0 {
            Repr::Small(pairs) => pairs.iter().step_by(2).position(is_key),
            Repr::Indexed(map) => map
                .index
                .find(map.hasher.hash_one(key), |&at| is_key(&map.pairs[at as usize * 2]))
                .map(|&at| at as usize),
        }
    }

    /// What this alone holds, if there are containers in it.
    pub(crate) fn sole(&mut self) -> Option<release::Parts<'_>> {
        match &mut self.0 {
            Repr::Small(pairs) => release::sole(pairs).map(|pairs| [pairs, &mut []]),
            Repr::Indexed(map) => Arc::get_mut(map).map(|map| [&mut *map.pairs, &mut []]),
        }
    }
}

fn has_duplicates(flat: &[Term]) -> bool {
    let keys = || flat.iter().step_by(2);
    keys().enumerate().any(|(at, key)| keys().take(at).any(|earlier| earlier == key))
}

impl Default for Map {
    fn default() -> Self {
        Self::new([])
    }
}

impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        equality::maps(self, other, RECURSION_LEVELS_MAX)
    }
}

impl Eq for Map {}

impl Drop for Map {
    fn drop(&mut self) {
        if let Some(parts) = self.sole() {
            release::release(parts);
        }
    }
}

impl std::fmt::Debug for Map {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        crate::text::erlang::write_term(formatter, &Term::Map(self.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(range: std::ops::Range<i64>) -> Map {
        Map::new(range.map(|number| (Term::from(number), Term::from(number * 2))))
    }

    #[test]
    fn small_and_large_maps_find_their_keys() {
        for size in
            [0, 1, MAP_ENTRIES_UNINDEXED_MAX as i64, MAP_ENTRIES_UNINDEXED_MAX as i64 + 1, 1000]
        {
            let map = numbers(0..size);
            assert_eq!(map.len(), size as usize);
            assert!((0..size).all(|key| map.get(&Term::from(key)) == Some(&Term::from(key * 2))));
            assert_eq!(map.get(&Term::from(size)), None);
            assert_eq!(map.get(&Term::from(1.0)), None);
        }
    }

    #[test]
    fn of_equal_keys_the_last_counts() {
        for size in [1, 15, 16, 17, 18, 100] {
            let twice = (0..size).chain(0..size).enumerate();
            let map = Map::new(twice.map(|(at, key)| (Term::from(key), Term::from(at))));
            assert_eq!(map.len(), size as usize);
            assert!(
                (0..size).all(|key| map.get(&Term::from(key)) == Some(&Term::from(key + size)))
            );
        }
    }

    #[test]
    fn changes_leave_the_original() {
        for size in [3, 40] {
            let map = numbers(0..size);
            let more = map.insert(-1, "new").insert(0, "changed");
            assert_eq!(map, numbers(0..size));
            assert_eq!(more.len(), size as usize + 1);
            assert_eq!(more.get(&Term::from(0)), Some(&Term::from("changed")));
            assert_eq!(more.remove(&Term::from(-1)).insert(0, 0), map);
        }
    }

    #[test]
    fn duplicates_are_found_at_every_size() {
        for size in [2, 10, 17, 100] {
            let mut flat: Vec<Term> = (0..size * 2).map(Term::from).collect();
            assert!(Map::from_flat(flat.clone().into_iter()).is_ok());
            flat[size as usize * 2 - 2] = flat[0].clone();
            assert!(Map::from_flat(flat.into_iter()).is_err());
        }
    }
}
