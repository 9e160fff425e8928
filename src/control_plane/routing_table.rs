//! The routing table: routes and the policies that go with them.

use std::fmt::Write as _;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::index::{Candidate, Index, Scratch};
use super::table_file::{self, TableError};
use super::{Backend, Pattern, Policy};
use crate::security::BackendNetworks;
use crate::semantic::{Key, Map, Operation, Value};

/// The table that is used when none is given; also the example for one's own.
pub const BUILT_IN: &str = include_str!("../../config/routing_table.yaml");

/// A row of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Which operations it is for.
    pub pattern: Pattern,
    /// Who can take them.
    pub backends: Vec<Arc<Backend>>,
}

/// Which table it is. The greater is the newer; nodes with equal ones route alike.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableVersion {
    /// 0 for the table a node starts with, one more than all that were seen for a new one.
    pub serial: u64,
    /// The first half of the SHA-256 of the file, in hexadecimal digits.
    pub digest: String,
}

/// The routes, in order, and the policies of the same file.
#[derive(Debug)]
pub struct RoutingTable {
    routes: Vec<Route>,
    policies: Vec<Policy>,
    index: Index,
    source: Arc<str>,
    version: TableVersion,
}

impl Default for RoutingTable {
    fn default() -> Self {
        Self::from_yaml(BUILT_IN).expect("the built-in table is tested to be valid")
    }
}

impl RoutingTable {
    /// Reads a table. spec: contract 5.1
    ///
    /// # Errors
    /// [`TableError`] with the line of the first fault; a table is taken whole or not at all.
    pub fn from_yaml(source: &str) -> Result<Self, TableError> {
        Self::from_yaml_within(source, &BackendNetworks::default())
    }

    /// The same, where backends may be in these networks only.
    ///
    /// # Errors
    /// As [`RoutingTable::from_yaml`], also for an address that is elsewhere.
    pub fn from_yaml_within(source: &str, networks: &BackendNetworks) -> Result<Self, TableError> {
        let (routes, policies) = table_file::read_table(source, networks)?;
        let index = Index::new(&routes);
        let version = TableVersion { serial: 0, digest: digest(source) };
        Ok(Self { routes, policies, index, source: source.into(), version })
    }

    /// The routes.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The policies of its file, which hold as long as this table does.
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// Which table it is.
    pub fn version(&self) -> &TableVersion {
        &self.version
    }

    /// The text it was read from.
    pub fn source(&self) -> &Arc<str> {
        &self.source
    }

    pub(super) fn with_serial(mut self, serial: u64) -> Self {
        self.version.serial = serial;
        self
    }

    /// The backends for an operation, the best first: by priority, then by how narrow their route
    /// is, then by their place in the table. Of equal names the first stays.
    pub fn matching(&self, operation: &Operation) -> Vec<Arc<Backend>> {
        let mut found = Vec::new();
        self.for_each(operation, &mut Scratch::default(), |candidate| {
            found.push(Arc::clone(&candidate.backend));
        });
        found
    }

    pub(super) fn for_each<'a>(
        &'a self,
        operation: &Operation,
        scratch: &mut Scratch,
        take: impl FnMut(&'a Candidate),
    ) {
        self.index.for_each(operation, scratch, take);
    }
}

fn digest(source: &str) -> String {
    let digest = Sha256::digest(source.as_bytes());
    digest.iter().take(16).fold(String::new(), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Route {
    /// The map that Elixir callers see.
    pub fn to_value(&self) -> Value {
        let mut pattern = Map::new();
        if let Some(operation) = self.pattern.operation() {
            pattern.set("operation", operation);
        }
        let target = self.pattern.target();
        if target.len() > 0 {
            let entry = |(name, value): (&str, &str)| (Key::text(name), value.into());
            pattern.set("target", target.map(entry).collect::<Map>());
        }
        let backends = self.backends.iter().map(|backend| backend.to_value()).collect::<Vec<_>>();
        Map::new().with("pattern", pattern).with("backends", backends).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantic::Kind;

    fn names(target: Map, kind: Kind) -> Vec<String> {
        let mut operation = Operation::new("a", kind, Map::new());
        operation.target = target;
        RoutingTable::default()
            .matching(&operation)
            .iter()
            .map(|backend| backend.name.clone())
            .collect()
    }

    #[test]
    fn the_built_in_table_routes_by_type_and_target() {
        assert_eq!(
            names(Map::new(), Kind::ServiceStart),
            ["systemd", "salt.service", "passthrough"]
        );
        assert_eq!(names(Map::new(), Kind::PackageInstall), ["passthrough"]);
        assert_eq!(
            names(Map::new().with("os", "debian"), Kind::PackageInstall),
            ["apt", "ansible.apt", "passthrough"]
        );
        let iot = Map::new().with("device_type", Value::atom("iot"));
        assert_eq!(
            names(iot, Kind::ServiceStop),
            ["systemd_minimal", "systemd", "har_iot_agent", "salt.service", "passthrough"]
        );
        assert_eq!(
            names(Map::new().with("ipv6", "2001:db8:2::5"), Kind::CronCreate),
            ["iot_manager", "passthrough"]
        );
    }

    #[test]
    fn versions_are_ordered_by_serial_and_tell_contents_apart() {
        let table = RoutingTable::default();
        assert_eq!((table.version().serial, table.version().digest.len()), (0, 32));
        let other = RoutingTable::from_yaml("routes: []").unwrap();
        assert_ne!(table.version(), other.version());
        let newer = RoutingTable::default().with_serial(1);
        assert!(newer.version() > table.version() && newer.version() > other.version());
        assert_eq!(newer.source().as_ref(), BUILT_IN);
    }
}
