//! Who is registered, and which names were. Sans-IO: connections are numbers, time is a value.

use std::collections::{BTreeMap, HashMap};

use crate::codec::{Alive2, DumpLine, NameError, NodeInfo, check_name};
use crate::limits::{EXTRA_BYTES_MAX, OLD_NAMES_MAX, REGISTRATIONS_MAX};

/// Number of a connection, unique in one daemon's life.
pub type ConnectionId = u64;

/// The registered nodes and the names remembered from former ones.
#[derive(Debug)]
pub struct Registry {
    /// By name: where in `active` it is.
    names: HashMap<String, u64>,
    /// By order of registration, so that lists can show the latest first.
    active: BTreeMap<u64, Active>,
    old_names: HashMap<String, u64>,
    /// By order of release: the first is forgotten first.
    old: BTreeMap<u64, Old>,
    sequence: u64,
    /// No new name gets a creation below this, see [`Registry::forget_oldest`].
    creation_floor: u32,
    limits: RegistryLimits,
}

/// How much a [`Registry`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegistryLimits {
    /// Registered names.
    pub registrations_max: usize,
    /// Released names that are remembered.
    pub old_names_max: usize,
}

impl Default for RegistryLimits {
    fn default() -> Self {
        Self { registrations_max: REGISTRATIONS_MAX, old_names_max: OLD_NAMES_MAX }
    }
}

#[derive(Debug)]
struct Active {
    info: NodeInfo,
    creation: u32,
    connection: ConnectionId,
    descriptor: i32,
}

#[derive(Debug)]
struct Old {
    name: String,
    port: u16,
    creation: u32,
    descriptor: i32,
}

/// Why a registration is refused (result 1 on the wire).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Another live connection holds the name.
    #[error("node name already occupied")]
    Occupied,
    /// The name breaks a rule.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The extra field is above [`EXTRA_BYTES_MAX`].
    #[error("extra data is too long ({bytes})")]
    Extra {
        /// Its length.
        bytes: usize,
    },
    /// The daemon holds as many names as it may.
    #[error("too many registered names ({max})")]
    Full {
        /// The limit.
        max: usize,
    },
}

/// The connection that asks, as the registry sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// The registration ends with this connection.
    pub connection: ConnectionId,
    /// Shown by DUMP.
    pub descriptor: i32,
}

impl Registry {
    /// An empty registry.
    #[must_use]
    pub fn new(limits: RegistryLimits) -> Self {
        Self {
            names: HashMap::new(),
            active: BTreeMap::new(),
            old_names: HashMap::new(),
            old: BTreeMap::new(),
            sequence: 0,
            creation_floor: 1,
            limits,
        }
    }

    /// Registers a node and gives its creation.
    ///
    /// A new name gets `now_seconds` (seconds since 1970, as the original) as its creation, a
    /// remembered one its last creation plus one; never 0.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn register(
        &mut self,
        alive: &Alive2<'_>,
        holder: Holder,
        now_seconds: u32,
    ) -> Result<u32, Refusal> {
        let name = check_name(alive.name)?;
        if alive.extra.len() > EXTRA_BYTES_MAX {
            return Err(Refusal::Extra { bytes: alive.extra.len() });
        }
        if self.names.contains_key(name) {
            return Err(Refusal::Occupied);
        }
        if self.active.len() >= self.limits.registrations_max {
            return Err(Refusal::Full { max: self.limits.registrations_max });
        }
        let creation = match self.take_old(name) {
            Some(old) => old.creation.wrapping_add(1).max(1),
            None => now_seconds.max(self.creation_floor).max(1),
        };
        let info = NodeInfo {
            name: name.to_owned(),
            port: alive.port,
            node_type: alive.node_type,
            protocol: alive.protocol,
            highest_version: alive.highest_version,
            lowest_version: alive.lowest_version,
            extra: alive.extra.to_vec(),
        };
        let sequence = self.next_sequence();
        self.names.insert(name.to_owned(), sequence);
        let Holder { connection, descriptor } = holder;
        self.active.insert(sequence, Active { info, creation, connection, descriptor });
        Ok(creation)
    }

    /// Releases the name if `connection` still holds it; says whether it did.
    pub fn release(&mut self, name: &[u8], connection: ConnectionId) -> bool {
        let holds = |active: &Active| active.connection == connection;
        self.release_if(name, holds).is_some()
    }

    /// Releases the name whoever holds it, and says whose connection has to be cut.
    pub fn stop(&mut self, name: &[u8]) -> Option<ConnectionId> {
        self.release_if(name, |_| true)
    }

    /// The registered node of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&NodeInfo> {
        let sequence = self.names.get(name)?;
        self.active.get(sequence).map(|active| &active.info)
    }

    /// Number of registered nodes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.active.len()
    }

    /// A number that changes with every registration and release.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.sequence
    }

    /// Whether no node is registered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    /// Registered nodes, the latest first.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeInfo> {
        self.active.values().rev().map(|active| &active.info)
    }

    /// What DUMP shows: registered nodes, the latest first, then released names, the oldest first.
    pub fn dump(&self) -> impl Iterator<Item = DumpLine<'_>> {
        let active = self.active.values().rev().map(|active| DumpLine {
            active: true,
            name: &active.info.name,
            port: active.info.port,
            descriptor: active.descriptor,
        });
        active.chain(self.old.values().map(|old| DumpLine {
            active: false,
            name: &old.name,
            port: old.port,
            descriptor: old.descriptor,
        }))
    }

    fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    fn take_old(&mut self, name: &str) -> Option<Old> {
        let sequence = self.old_names.remove(name)?;
        self.old.remove(&sequence)
    }

    fn release_if(
        &mut self,
        name: &[u8],
        condition: impl FnOnce(&Active) -> bool,
    ) -> Option<ConnectionId> {
        let name = std::str::from_utf8(name).ok()?;
        let sequence = *self.names.get(name)?;
        self.active.get(&sequence).filter(|active| condition(active))?;
        let active = self.active.remove(&sequence)?;
        let (name, _) = self.names.remove_entry(name)?;
        let connection = active.connection;
        self.remember(name, active);
        Some(connection)
    }

    fn remember(&mut self, name: String, active: Active) {
        let sequence = self.next_sequence();
        self.old_names.insert(name.clone(), sequence);
        let Active { info, creation, descriptor, .. } = active;
        self.old.insert(sequence, Old { name, port: info.port, creation, descriptor });
        while self.old.len() > self.limits.old_names_max {
            self.forget_oldest();
        }
    }

    /// Forgets the name that was released first. A later registration of it is like a new one, so
    /// new names start above its creation: otherwise one that was registered more often than once
    /// a second would get a creation it already had.
    fn forget_oldest(&mut self) {
        if let Some((_, old)) = self.old.pop_first() {
            self.old_names.remove(&old.name);
            self.creation_floor = self.creation_floor.max(old.creation.saturating_add(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u32 = 1_795_565_399;

    fn alive(name: &str) -> Alive2<'_> {
        Alive2 {
            port: 5000,
            node_type: 77,
            protocol: 0,
            highest_version: 6,
            lowest_version: 6,
            name: name.as_bytes(),
            extra: b"",
        }
    }

    fn holder(connection: ConnectionId) -> Holder {
        Holder { connection, descriptor: connection as i32 }
    }

    #[test]
    fn creation_is_the_clock_then_counts_up() {
        let mut registry = Registry::new(RegistryLimits::default());
        assert_eq!(registry.register(&alive("a"), holder(1), NOW), Ok(NOW));
        assert_eq!(registry.register(&alive("b"), holder(2), NOW + 4), Ok(NOW + 4));
        assert!(registry.release(b"a", 1));
        assert_eq!(registry.register(&alive("a"), holder(3), NOW + 900), Ok(NOW + 1));
    }

    #[test]
    fn creation_is_never_zero() {
        let mut registry = Registry::new(RegistryLimits::default());
        assert_eq!(registry.register(&alive("a"), holder(1), 0), Ok(1));
        assert_eq!(registry.register(&alive("b"), holder(2), u32::MAX), Ok(u32::MAX));
        assert!(registry.release(b"b", 2));
        assert_eq!(registry.register(&alive("b"), holder(2), 5), Ok(1));
    }

    #[test]
    fn only_the_holder_releases() {
        let mut registry = Registry::new(RegistryLimits::default());
        registry.register(&alive("a"), holder(1), NOW).unwrap();
        assert_eq!(registry.register(&alive("a"), holder(2), NOW), Err(Refusal::Occupied));
        assert!(!registry.release(b"a", 2));
        assert_eq!(registry.find("a").map(|node| node.port), Some(5000));
        assert_eq!(registry.stop(b"a"), Some(1));
        assert_eq!(registry.stop(b"a"), None);
        assert!(registry.is_empty());
    }

    #[test]
    fn old_names_are_bounded_and_forgotten_in_order() {
        let limits = RegistryLimits { old_names_max: 2, ..RegistryLimits::default() };
        let mut registry = Registry::new(limits);
        for (number, name) in ["a", "b", "c"].iter().enumerate() {
            let connection = number as u64;
            registry.register(&alive(name), holder(connection), NOW).unwrap();
            registry.release(name.as_bytes(), connection);
        }
        let old: Vec<_> = registry.dump().map(|line| (line.active, line.name)).collect();
        assert_eq!(old, [(false, "b"), (false, "c")]);
    }

    #[test]
    fn a_forgotten_name_never_gets_a_creation_twice() {
        let limits = RegistryLimits { old_names_max: 1, ..RegistryLimits::default() };
        let mut registry = Registry::new(limits);
        let mut last = 0;
        for connection in 0..10 {
            last = registry.register(&alive("a"), holder(connection), NOW).unwrap();
            registry.release(b"a", connection);
        }
        registry.register(&alive("b"), holder(11), NOW).unwrap();
        registry.release(b"b", 11);
        assert!(registry.register(&alive("a"), holder(12), NOW).unwrap() > last);
    }

    #[test]
    fn full_registry_refuses() {
        let limits = RegistryLimits { registrations_max: 1, ..RegistryLimits::default() };
        let mut registry = Registry::new(limits);
        registry.register(&alive("a"), holder(1), NOW).unwrap();
        let full = Err(Refusal::Full { max: 1 });
        assert_eq!(registry.register(&alive("b"), holder(2), NOW), full);
    }

    #[test]
    fn latest_comes_first() {
        let mut registry = Registry::new(RegistryLimits::default());
        for (number, name) in ["a", "b", "c"].iter().enumerate() {
            registry.register(&alive(name), holder(number as u64), NOW).unwrap();
        }
        let names: Vec<_> = registry.nodes().map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["c", "b", "a"]);
    }
}
