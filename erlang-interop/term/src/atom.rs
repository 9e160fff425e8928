//! Atoms: interned, reference counted, freed when nobody uses them.
//!
//! A peer that sends a million fresh atoms must not grow a node for ever, so the table drops the
//! atoms that only the table itself still holds. It does so by sweeping a shard whenever that shard
//! has doubled since its last sweep: releasing an atom stays as cheap as dropping an `Arc`, and the
//! table never holds more than about twice the atoms in use.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use hashbrown::HashTable;

use crate::limits::{ATOM_CHARACTERS_MAX, ATOM_SHARD_SWEEP_MIN};
use crate::phash2::atom_hash;

/// An atom of at most 255 characters.
///
/// Two atoms are equal exactly when they share their allocation, so comparing and hashing do not
/// look at the text. Ordering is by text, as in Erlang.
#[derive(Clone)]
pub struct Atom(Arc<AtomData>);

struct AtomData {
    text: Box<str>,
    /// `atom_hash` of the text, which every `phash2` of a term with this atom needs.
    hash: u32,
    latin1: bool,
}

/// The text is longer than the 255 characters an atom may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an atom has at most {ATOM_CHARACTERS_MAX} characters, this text has {characters}")]
pub struct AtomTooLong {
    /// Characters of the text that was refused.
    pub characters: usize,
}

const SHARDS: usize = 16;
/// Atoms each thread remembers, to find frequent ones without the table's lock.
const CACHE_SLOTS: usize = 256;

struct Shard {
    atoms: HashTable<Atom>,
    sweep_at: usize,
}

struct Table {
    hasher: foldhash::fast::RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

static TABLE: LazyLock<Table> = LazyLock::new(|| Table {
    hasher: foldhash::fast::RandomState::default(),
    shards: std::array::from_fn(|_| {
        Mutex::new(Shard { atoms: HashTable::new(), sweep_at: ATOM_SHARD_SWEEP_MIN })
    }),
});

thread_local! {
    static CACHE: RefCell<[Option<Atom>; CACHE_SLOTS]> = const { RefCell::new([const { None }; CACHE_SLOTS]) };
    static MADE: Cell<u64> = const { Cell::new(0) };
}

impl Atom {
    /// Interns a text.
    ///
    /// # Errors
    /// [`AtomTooLong`] when the text has more than 255 characters.
    pub fn new(text: &str) -> Result<Self, AtomTooLong> {
        if text.len() > ATOM_CHARACTERS_MAX {
            let characters = text.chars().count();
            if characters > ATOM_CHARACTERS_MAX {
                return Err(AtomTooLong { characters });
            }
        }
        if let Some(atom) = Self::remembered(text.as_bytes()) {
            return Ok(atom);
        }
        let atom = intern(text, TABLE.hasher.hash_one(text));
        CACHE.with_borrow_mut(|cache| cache[slot(text.as_bytes())] = Some(atom.clone()));
        Ok(atom)
    }

    /// The atom of this text, if there is one: what `list_to_existing_atom/1` asks. Atoms that
    /// nobody uses any more count until the table is swept.
    #[must_use]
    pub fn existing(text: &str) -> Option<Self> {
        if let Some(atom) = Self::remembered(text.as_bytes()) {
            return Some(atom);
        }
        let hash = TABLE.hasher.hash_one(text);
        lock(&TABLE.shards[shard_of(hash)]).atoms.find(hash, |atom| atom.as_str() == text).cloned()
    }

    /// The atom of this UTF-8 text, if this thread has used it lately.
    #[inline]
    pub(crate) fn remembered(text: &[u8]) -> Option<Self> {
        CACHE.with_borrow(|cache| {
            cache[slot(text)].as_ref().filter(|atom| atom.as_str().as_bytes() == text).cloned()
        })
    }

    /// Interns a text whose length the caller has checked. Used by [`atom!`](crate::atom).
    #[doc(hidden)]
    #[must_use]
    pub fn from_checked(text: &'static str) -> Self {
        Self::new(text).expect("the length of the literal is checked at compile time")
    }

    /// The atom's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Whether every character fits latin1, the encoding that OTP 25 prefers in files.
    #[must_use]
    pub fn is_latin1(&self) -> bool {
        self.0.latin1
    }

    /// Atoms that this thread has added to the table since it began: the difference tells how many
    /// a piece of work has added.
    #[must_use]
    pub fn made_by_thread() -> u64 {
        MADE.get()
    }

    /// Atoms in the table at present: those in use and those that the next sweep frees.
    #[must_use]
    pub fn table_len() -> usize {
        TABLE.shards.iter().map(|shard| lock(shard).atoms.len()).sum()
    }

    /// Frees every atom that nobody uses and that this thread does not remember. Sweeps happen by
    /// themselves as the table grows; call this to bring them forward.
    pub fn sweep() {
        CACHE.with_borrow_mut(|cache| *cache = [const { None }; CACHE_SLOTS]);
        for shard in &TABLE.shards {
            lock(shard).sweep();
        }
    }

    pub(crate) fn phash2_value(&self) -> u32 {
        self.0.hash
    }

    fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

/// A cheap mix of length, first and last bytes: enough to spread the atoms of a program.
#[inline]
fn slot(text: &[u8]) -> usize {
    let wide = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
    let mixed = match (text.first_chunk(), text.last_chunk()) {
        (Some(first), Some(last)) => wide(first) ^ wide(last).rotate_left(29),
        _ => text.iter().fold(0, |mixed, byte| mixed << 8 | u64::from(*byte)),
    };
    ((mixed ^ text.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize % CACHE_SLOTS
}

fn lock(shard: &Mutex<Shard>) -> std::sync::MutexGuard<'_, Shard> {
    // A panic while the lock is held leaves a valid table: every step inserts or removes whole atoms.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The high bits choose the shard, since the table inside uses the low ones.
fn shard_of(hash: u64) -> usize {
    (hash >> 59) as usize % SHARDS
}

fn intern(text: &str, hash: u64) -> Atom {
    let mut shard = lock(&TABLE.shards[shard_of(hash)]);
    if let Some(atom) = shard.atoms.find(hash, |atom| atom.as_str() == text) {
        return atom.clone();
    }
    if shard.atoms.len() >= shard.sweep_at {
        shard.sweep();
    }
    let atom = Atom(Arc::new(AtomData {
        text: text.into(),
        hash: atom_hash(text),
        latin1: text.chars().all(|character| character <= '\u{ff}'),
    }));
    shard.atoms.insert_unique(hash, atom.clone(), |atom| TABLE.hasher.hash_one(atom.as_str()));
    MADE.set(MADE.get() + 1);
    atom
}

impl Shard {
    fn sweep(&mut self) {
        // Only the table can hand out further handles, and it is locked: a count of one means unused.
        self.atoms.retain(|atom| Arc::strong_count(&atom.0) > 1);
        self.sweep_at = (self.atoms.len() * 2).max(ATOM_SHARD_SWEEP_MIN);
        if self.atoms.capacity() > self.sweep_at * 4 {
            self.atoms.shrink_to(self.sweep_at, |atom| TABLE.hasher.hash_one(atom.as_str()));
        }
    }
}

impl PartialEq for Atom {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Atom {}

impl Hash for Atom {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.address());
    }
}

impl PartialOrd for Atom {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Atom {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        if self == other {
            return std::cmp::Ordering::Equal;
        }
        // UTF-8 keeps the order of the code points.
        self.as_str().cmp(other.as_str())
    }
}

impl PartialEq<str> for Atom {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Atom {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl AsRef<str> for Atom {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl TryFrom<&str> for Atom {
    type Error = AtomTooLong;

    fn try_from(text: &str) -> Result<Self, AtomTooLong> {
        Self::new(text)
    }
}

impl std::str::FromStr for Atom {
    type Err = AtomTooLong;

    fn from_str(text: &str) -> Result<Self, AtomTooLong> {
        Self::new(text)
    }
}

/// Prints Erlang syntax: quotes where Erlang needs them.
impl fmt::Display for Atom {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::text::erlang::write_atom(formatter, self.as_str())
    }
}

impl fmt::Debug for Atom {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_share_their_atom() {
        let first = Atom::new("shared by two").unwrap();
        let second = Atom::new("shared by two").unwrap();
        assert_eq!(first, second);
        assert!(Arc::ptr_eq(&first.0, &second.0));
        assert_ne!(first, Atom::new("another").unwrap());
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert!(Atom::new(&"é".repeat(255)).is_ok());
        assert_eq!(Atom::new(&"é".repeat(256)), Err(AtomTooLong { characters: 256 }));
    }

    #[test]
    fn unused_atoms_are_freed_while_others_stay() {
        let kept = Atom::new("kept through the flood").unwrap();
        for number in 0..200_000 {
            drop(Atom::new(&format!("flood of atoms {number}")).unwrap());
        }
        // Shards sweep when doubled: what is left is far below the flood.
        assert!(Atom::table_len() < 2 * SHARDS * ATOM_SHARD_SWEEP_MIN + 10_000);
        assert_eq!(kept, Atom::new("kept through the flood").unwrap());
    }

    #[test]
    fn only_atoms_that_were_not_there_count_as_made() {
        let before = Atom::made_by_thread();
        let _kept = Atom::new("made once and counted once").unwrap();
        let _again = Atom::new("made once and counted once").unwrap();
        assert_eq!(Atom::made_by_thread() - before, 1);
    }

    #[test]
    fn order_is_by_code_point() {
        let order =
            |left: &str, right: &str| Atom::new(left).unwrap().cmp(&Atom::new(right).unwrap());
        assert!(order("a", "b").is_lt());
        assert!(order("a", "aa").is_lt());
        assert!(order("z", "é").is_lt());
        assert!(order("same", "same").is_eq());
    }
}
