//! Pids, ports and references: names of things that live on one incarnation of one node.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use crate::atom::Atom;
use crate::limits::REFERENCE_WORDS_MAX;

/// A node's name together with its creation; shared by the identifiers of that node.
#[derive(PartialEq, Eq, Hash)]
struct Incarnation {
    node: Atom,
    creation: u32,
}

/// Incarnations each thread remembers: a connection's identifiers are of very few nodes.
const REMEMBERED: usize = 8;

thread_local! {
    static RECENT: RefCell<[Option<Arc<Incarnation>>; REMEMBERED]> =
        const { RefCell::new([const { None }; REMEMBERED]) };
}

fn incarnation(node: Atom, creation: u32) -> Arc<Incarnation> {
    RECENT.with_borrow_mut(|recent| {
        let slot = &mut recent[creation as usize % REMEMBERED];
        if let Some(known) = slot
            && known.creation == creation
            && known.node == node
        {
            return Arc::clone(known);
        }
        let new = Arc::new(Incarnation { node, creation });
        *slot = Some(Arc::clone(&new));
        new
    })
}

impl Incarnation {
    fn equals(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        Arc::ptr_eq(self, other) || **self == **other
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.node.cmp(&other.node).then(self.creation.cmp(&other.creation))
    }
}

/// The name of a process. spec: erl_ext_dist, "NEW_PID_EXT".
#[derive(Clone)]
pub struct Pid {
    home: Arc<Incarnation>,
    id: u32,
    serial: u32,
}

impl Pid {
    /// A pid of the given node incarnation.
    #[must_use]
    pub fn new(node: Atom, id: u32, serial: u32, creation: u32) -> Self {
        Self { home: incarnation(node, creation), id, serial }
    }

    /// The node the process lives on.
    #[must_use]
    pub fn node(&self) -> &Atom {
        &self.home.node
    }

    /// The process number within the node.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// How often the numbers have wrapped.
    #[must_use]
    pub fn serial(&self) -> u32 {
        self.serial
    }

    /// Which incarnation of the node is meant.
    #[must_use]
    pub fn creation(&self) -> u32 {
        self.home.creation
    }
}

impl PartialEq for Pid {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.serial == other.serial && self.home.equals(&other.home)
    }
}

impl Eq for Pid {}

impl std::hash::Hash for Pid {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write_u64(u64::from(self.id) << 32 | u64::from(self.serial));
        self.home.hash(state);
    }
}

impl Ord for Pid {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.serial, self.id)
            .cmp(&(other.serial, other.id))
            .then_with(|| self.home.compare(&other.home))
    }
}

impl PartialOrd for Pid {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Prints `#Pid<node.id.serial>`; Erlang has no source form for pids.
impl fmt::Display for Pid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "#Pid<{}.{}.{}>", self.node().as_str(), self.id, self.serial)
    }
}

impl fmt::Debug for Pid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// The name of a port. spec: erl_ext_dist, "V4_PORT_EXT".
#[derive(Clone)]
pub struct Port {
    home: Arc<Incarnation>,
    id: u64,
}

impl Port {
    /// A port of the given node incarnation.
    #[must_use]
    pub fn new(node: Atom, id: u64, creation: u32) -> Self {
        Self { home: incarnation(node, creation), id }
    }

    /// The node the port lives on.
    #[must_use]
    pub fn node(&self) -> &Atom {
        &self.home.node
    }

    /// The port's number within the node.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Which incarnation of the node is meant.
    #[must_use]
    pub fn creation(&self) -> u32 {
        self.home.creation
    }
}

impl PartialEq for Port {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.home.equals(&other.home)
    }
}

impl Eq for Port {}

impl std::hash::Hash for Port {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write_u64(self.id);
        self.home.hash(state);
    }
}

impl Ord for Port {
    fn cmp(&self, other: &Self) -> Ordering {
        self.home.compare(&other.home).then(self.id.cmp(&other.id))
    }
}

impl PartialOrd for Port {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Prints `#Port<node.id>`; Erlang has no source form for ports.
impl fmt::Display for Port {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "#Port<{}.{}>", self.node().as_str(), self.id)
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// A reference, of a monitor or an alias or made for itself. spec: erl_ext_dist, "NEWER_REFERENCE_EXT".
#[derive(Clone)]
pub struct Reference(Arc<ReferenceData>);

#[derive(PartialEq, Eq, Hash)]
struct ReferenceData {
    node: Atom,
    creation: u32,
    len: u8,
    words: [u32; REFERENCE_WORDS_MAX],
}

impl Reference {
    /// A reference of the given node incarnation; `words` as on the wire, of which the first five count.
    /// Without any word it gets one zero.
    #[must_use]
    pub fn new(node: Atom, creation: u32, words: &[u32]) -> Self {
        let len = words.len().min(REFERENCE_WORDS_MAX);
        let mut kept = [0; REFERENCE_WORDS_MAX];
        kept[..len].copy_from_slice(&words[..len]);
        Self(Arc::new(ReferenceData { node, creation, len: len.max(1) as u8, words: kept }))
    }

    /// The node that made the reference.
    #[must_use]
    pub fn node(&self) -> &Atom {
        &self.0.node
    }

    /// Which incarnation of the node is meant.
    #[must_use]
    pub fn creation(&self) -> u32 {
        self.0.creation
    }

    /// One to five words, the least significant first (as on the wire).
    #[must_use]
    pub fn words(&self) -> &[u32] {
        &self.0.words[..usize::from(self.0.len)]
    }
}

impl PartialEq for Reference {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || *self.0 == *other.0
    }
}

impl Eq for Reference {}

impl std::hash::Hash for Reference {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Ord for Reference {
    fn cmp(&self, other: &Self) -> Ordering {
        self.node()
            .cmp(other.node())
            .then(self.creation().cmp(&other.creation()))
            // Missing high words count as zero, and words the other lacks decide before their number.
            .then_with(|| self.0.words.iter().rev().cmp(other.0.words.iter().rev()))
            .then(self.0.len.cmp(&other.0.len))
    }
}

impl PartialOrd for Reference {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Prints `#Ref<node.w.w.w>`, the most significant word first; Erlang has no source form for references.
impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "#Ref<{}", self.node().as_str())?;
        for word in self.words().iter().rev() {
            write!(formatter, ".{word}")?;
        }
        formatter.write_str(">")
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str) -> Atom {
        Atom::new(name).unwrap()
    }

    #[test]
    fn another_creation_is_another_process() {
        let pid = Pid::new(node("a@h"), 5, 0, 1);
        assert_eq!(pid, Pid::new(node("a@h"), 5, 0, 1));
        assert_ne!(pid, Pid::new(node("a@h"), 5, 0, 9));
        assert_ne!(pid, Pid::new(node("b@h"), 5, 0, 1));
    }

    #[test]
    fn references_keep_one_to_five_words() {
        assert_eq!(Reference::new(node("a@h"), 1, &[]).words(), &[0]);
        assert_eq!(Reference::new(node("a@h"), 1, &[1, 2, 3, 4, 5, 6]).words(), &[1, 2, 3, 4, 5]);
        assert_ne!(Reference::new(node("a@h"), 1, &[1]), Reference::new(node("a@h"), 1, &[1, 0]));
    }
}
