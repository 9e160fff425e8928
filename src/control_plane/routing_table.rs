//! The routing table and its YAML file.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Backend, Pattern};
use crate::data_plane::yaml::{Node, YamlError, read};
use crate::security::BackendNetworks;
use crate::semantic::{Map, Operation, Value};

/// The table that is used when none is given; also the example for one's own.
pub const BUILT_IN: &str = include_str!("../../config/routing_table.yaml");

/// Most routes of a table; each decision looks at all of them.
const ROUTES_MAX: usize = 10_000;

/// Keys of a backend's metadata that say where it is.
const ADDRESS_KEYS: [&str; 4] = ["address", "host", "url", "endpoint"];

/// A row of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Which operations it is for.
    pub pattern: Pattern,
    /// Who can take them.
    pub backends: Vec<Arc<Backend>>,
}

/// Why a table is refused. The one in use stays.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The text is not YAML.
    #[error("not valid YAML: {0}")]
    Yaml(YamlError),
    /// Valid YAML, but not a table.
    #[error("line {line}: {message}")]
    Shape {
        /// Line, from 1.
        line: u32,
        /// What was expected.
        message: String,
    },
}

/// The routes, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct RoutingTable {
    routes: Vec<Route>,
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
        let documents = read(source).map_err(TableError::Yaml)?;
        let document = documents.first().ok_or_else(|| shape(1, "the file is empty"))?;
        let routes = document
            .get("routes")
            .ok_or_else(|| shape(document.line, "a list `routes` is expected"))?;
        let items = routes.items().ok_or_else(|| shape(routes.line, "`routes` must be a list"))?;
        if items.len() > ROUTES_MAX {
            return Err(shape(routes.line, &format!("more than {ROUTES_MAX} routes")));
        }
        let routes = items.iter().map(|item| route(item, networks));
        Ok(Self { routes: routes.collect::<Result<_, _>>()? })
    }

    /// A table of these routes.
    pub fn new(routes: Vec<Route>) -> Self {
        Self { routes }
    }

    /// The routes.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The backends for an operation, the best first: by priority, then by how narrow their route
    /// is, then by their place in the table. Of equal names the first stays.
    pub fn matching(&self, operation: &Operation) -> Vec<Arc<Backend>> {
        let mut found: Vec<(i64, (usize, usize), &Arc<Backend>)> = Vec::new();
        for route in self.routes.iter().filter(|route| route.pattern.matches(operation)) {
            let specificity = route.pattern.specificity();
            found.extend(
                route.backends.iter().map(|backend| (backend.priority, specificity, backend)),
            );
        }
        found
            .sort_by_key(|(priority, specificity, _)| std::cmp::Reverse((*priority, *specificity)));
        let mut names: HashSet<&str> = HashSet::new();
        found.retain(|found| {
            let backend: &Backend = found.2;
            names.insert(&backend.name)
        });
        found.into_iter().map(|(_, _, backend)| Arc::clone(backend)).collect()
    }
}

impl Route {
    /// The map that Elixir callers see.
    pub fn to_value(&self) -> Value {
        let mut pattern = Map::new();
        if let Some(operation) = &self.pattern.operation {
            pattern.set("operation", operation.clone());
        }
        if !self.pattern.target.is_empty() {
            let entry = |(name, value): &(String, String)| {
                (crate::semantic::Key::text(name), value.clone().into())
            };
            pattern.set("target", self.pattern.target.iter().map(entry).collect::<Map>());
        }
        let backends = self.backends.iter().map(|backend| backend.to_value()).collect::<Vec<_>>();
        Map::new().with("pattern", pattern).with("backends", backends).into()
    }
}

fn shape(line: u32, message: &str) -> TableError {
    TableError::Shape { line, message: message.to_owned() }
}

fn route(node: &Node, networks: &BackendNetworks) -> Result<Route, TableError> {
    let pattern =
        node.get("pattern").ok_or_else(|| shape(node.line, "a route needs a `pattern`"))?;
    if pattern.entries().is_none() {
        return Err(shape(pattern.line, "`pattern` must be a mapping"));
    }
    let backends =
        node.get("backends").ok_or_else(|| shape(node.line, "a route needs `backends`"))?;
    let items =
        backends.items().ok_or_else(|| shape(backends.line, "`backends` must be a list"))?;
    let mut target = Vec::new();
    if let Some(fields) = pattern.get("target").filter(|fields| !fields.is_null()) {
        let entries =
            fields.entries().ok_or_else(|| shape(fields.line, "`target` must be a mapping"))?;
        for (key, value) in entries {
            match (key.text(), value.text()) {
                (Some(key), Some(value)) => target.push((key.to_owned(), value.to_owned())),
                _ => return Err(shape(key.line, "fields of `target` must be plain values")),
            }
        }
    }
    let operation = pattern
        .get("operation")
        .filter(|glob| !glob.is_null())
        .and_then(Node::text)
        .map(str::to_owned);
    let backends =
        items.iter().map(|item| backend(item, networks).map(Arc::new)).collect::<Result<_, _>>()?;
    Ok(Route { pattern: Pattern { operation, target }, backends })
}

fn backend(node: &Node, networks: &BackendNetworks) -> Result<Backend, TableError> {
    let name = node.get("name").and_then(Node::text).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| shape(node.line, "a backend needs a `name`"))?;
    let priority = match node.get("priority").map(Node::value) {
        None | Some(Value::Null) => Backend::DEFAULT_PRIORITY,
        Some(Value::Integer(priority)) => priority,
        Some(_) => return Err(shape(node.line, "`priority` must be a whole number")),
    };
    let capabilities = node.get("capabilities").and_then(Node::items).unwrap_or_default();
    let metadata = match node.get("metadata").map(Node::value) {
        Some(Value::Map(map)) => map,
        None | Some(Value::Null) => Map::new(),
        Some(_) => return Err(shape(node.line, "`metadata` must be a mapping")),
    };
    for address in ADDRESS_KEYS.iter().filter_map(|key| metadata.text(key)) {
        let checked = networks.check_written(address);
        checked.map_err(|error| shape(node.line, &format!("backend {name}: {error}")))?;
    }
    Ok(Backend {
        name: name.to_owned(),
        kind: node.get("type").and_then(Node::text).unwrap_or("local").to_owned(),
        priority,
        capabilities: capabilities.iter().filter_map(Node::text).map(str::to_owned).collect(),
        metadata,
    })
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
    fn a_backend_outside_its_networks_refuses_the_table() {
        let table = "routes:\n  - pattern: {operation: x}\n    backends:\n      \
                     - {name: near, metadata: {address: '10.0.2.7:22'}}\n      \
                     - {name: far, metadata: {url: 'https://10.0.1.7/api'}}";
        let networks = BackendNetworks(vec!["10.0.2.0/24".parse().expect("a network")]);
        assert!(RoutingTable::from_yaml(table).is_ok());
        let refused = RoutingTable::from_yaml_within(table, &networks).expect_err("far");
        assert_eq!(
            refused.to_string(),
            "line 5: backend far: 10.0.1.7 is in none of backends.networks (10.0.2.0/24)"
        );
        assert!(RoutingTable::from_yaml_within(BUILT_IN, &networks).is_ok());
    }

    #[test]
    fn a_fault_anywhere_refuses_the_table_and_names_the_line() {
        let cases = [
            ("", 1),
            ("a: 1", 1),
            ("routes: {}", 1),
            ("routes:\n  - backends: []", 2),
            ("routes:\n  - pattern: {}\n    backends:\n      - type: local", 4),
            (
                "routes:\n  - pattern: {operation: x}\n    backends:\n      - {name: a, priority: high}",
                4,
            ),
        ];
        for (source, line) in cases {
            match RoutingTable::from_yaml(source) {
                Err(TableError::Shape { line: got, .. }) => assert_eq!(got, line, "{source}"),
                other => panic!("{source}: {other:?}"),
            }
        }
        assert!(matches!(RoutingTable::from_yaml("a: ["), Err(TableError::Yaml(_))));
    }
}
