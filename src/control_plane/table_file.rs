//! The YAML file of a routing table. What cannot be understood refuses the whole file: a key that is
//! passed over may be the one that says for whom a route is.
// spec: contract 5.1

use std::sync::Arc;

use super::pattern::PREFIX_FIELD;
use super::policy::POLICIES_MAX;
use super::routing_table::Route;
use super::text_match::Prefix;
use super::{Backend, Check, Pattern, Policy};
use crate::data_plane::yaml::{Node, YamlError, read};
use crate::security::BackendNetworks;
use crate::semantic::{Map, Value};

/// Most routes of a table; each decision looks at all of them.
const ROUTES_MAX: usize = 10_000;

/// Keys of a backend's metadata that say where it is.
const ADDRESS_KEYS: [&str; 4] = ["address", "host", "url", "endpoint"];

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

/// Reads routes and policies.
pub(super) fn read_table(
    source: &str,
    networks: &BackendNetworks,
) -> Result<(Vec<Route>, Vec<Policy>), TableError> {
    let documents = read(source).map_err(TableError::Yaml)?;
    let document = documents.first().ok_or_else(|| shape(1, "the file is empty"))?;
    let routes = document
        .get("routes")
        .ok_or_else(|| shape(document.line, "a list `routes` is expected"))?;
    let items = routes.items().ok_or_else(|| shape(routes.line, "`routes` must be a list"))?;
    if items.len() > ROUTES_MAX {
        return Err(shape(routes.line, &format!("more than {ROUTES_MAX} routes")));
    }
    let routes = items.iter().map(|item| route(item, networks)).collect::<Result<_, _>>()?;
    let policies = match document.get("policies").filter(|node| !node.is_null()) {
        None => Vec::new(),
        Some(node) => policies(node)?,
    };
    Ok((routes, policies))
}

fn shape(line: u32, message: &str) -> TableError {
    TableError::Shape { line, message: message.to_owned() }
}

fn route(node: &Node, networks: &BackendNetworks) -> Result<Route, TableError> {
    let written =
        node.get("pattern").ok_or_else(|| shape(node.line, "a route needs a `pattern`"))?;
    let backends =
        node.get("backends").ok_or_else(|| shape(node.line, "a route needs `backends`"))?;
    let items =
        backends.items().ok_or_else(|| shape(backends.line, "`backends` must be a list"))?;
    let pattern = pattern(written)?;
    let backends =
        items.iter().map(|item| backend(item, networks).map(Arc::new)).collect::<Result<_, _>>()?;
    Ok(Route { pattern, backends })
}

fn pattern(node: &Node) -> Result<Pattern, TableError> {
    let entries = node.entries().ok_or_else(|| shape(node.line, "`pattern` must be a mapping"))?;
    let mut operation = None;
    let mut target = Vec::new();
    for (key, value) in entries {
        match key.text() {
            Some("operation") if value.is_null() => {}
            Some("operation") => {
                let glob = value.text();
                operation =
                    Some(glob.ok_or_else(|| shape(value.line, "`operation` must be plain text"))?);
            }
            Some("target") if value.is_null() => {}
            Some("target") => target = fields(value)?,
            _ => {
                return Err(shape(key.line, "a `pattern` has `operation` and `target`, no more"));
            }
        }
    }
    Ok(Pattern::new(operation, &target))
}

fn fields(node: &Node) -> Result<Vec<(&str, &str)>, TableError> {
    let entries = node.entries().ok_or_else(|| shape(node.line, "`target` must be a mapping"))?;
    entries
        .iter()
        .map(|(key, value)| match (key.text(), value.text()) {
            (Some(PREFIX_FIELD), Some(text)) if text != "*" && Prefix::parse(text).is_none() => {
                Err(shape(value.line, &format!("`{text}` is no IPv6 prefix")))
            }
            (Some(key), Some(value)) => Ok((key, value)),
            _ => Err(shape(key.line, "fields of `target` must be plain values")),
        })
        .collect()
}

fn backend(node: &Node, networks: &BackendNetworks) -> Result<Backend, TableError> {
    let name = node.get("name").and_then(Node::text).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| shape(node.line, "a backend needs a `name`"))?;
    let priority = match node.get("priority").map(Node::value) {
        None | Some(Value::Null) => Backend::DEFAULT_PRIORITY,
        Some(Value::Integer(priority)) => priority,
        Some(_) => return Err(shape(node.line, "`priority` must be a whole number")),
    };
    let plain = |name: &str| match node.get(name).filter(|value| !value.is_null()) {
        None => Ok(None),
        Some(value) => {
            let text = value.text();
            text.map(Some).ok_or_else(|| shape(value.line, &format!("`{name}` must be plain text")))
        }
    };
    let capabilities = match node.get("capabilities").filter(|value| !value.is_null()) {
        None => Vec::new(),
        Some(value) => {
            let texts = value.items().and_then(|items| {
                items.iter().map(|item| item.text().map(str::to_owned)).collect::<Option<_>>()
            });
            texts.ok_or_else(|| shape(value.line, "`capabilities` must be a list of names"))?
        }
    };
    let metadata = match node.get("metadata").map(Node::value) {
        Some(Value::Map(map)) => map,
        None | Some(Value::Null) => Map::new(),
        Some(_) => return Err(shape(node.line, "`metadata` must be a mapping")),
    };
    for address in ADDRESS_KEYS.iter().filter_map(|key| metadata.text(key)) {
        let checked = networks.check_written(address);
        checked.map_err(|error| shape(node.line, &format!("backend {name}: {error}")))?;
    }
    let wrong = |error: &str| shape(node.line, &format!("backend {name}: {error}"));
    let check = Check::of_metadata(&metadata).map_err(|error| wrong(&error))?;
    if let Some(host) = check.as_ref().and_then(Check::host) {
        networks.check_written(host).map_err(|error| wrong(&error.to_string()))?;
    }
    Ok(Backend {
        name: name.to_owned(),
        kind: plain("type")?.unwrap_or("local").to_owned(),
        priority,
        capabilities,
        metadata,
    })
}

/// The policies of a table: maps as `PolicyEngine.add_policy/1` takes them, each with a name.
fn policies(node: &Node) -> Result<Vec<Policy>, TableError> {
    let items = node.items().ok_or_else(|| shape(node.line, "`policies` must be a list"))?;
    if items.len() > POLICIES_MAX {
        return Err(shape(node.line, &format!("more than {POLICIES_MAX} policies")));
    }
    let policy = |item: &Node| {
        let Value::Map(map) = as_written(item) else {
            return Err(shape(item.line, "a policy must be a mapping"));
        };
        if map.text("name").is_none_or(str::is_empty) {
            return Err(shape(item.line, "a policy needs a `name`"));
        }
        let known = match map.text("type") {
            Some(kind) => matches!(kind, "allow" | "deny" | "prefer" | "require"),
            None => map.get("require").is_some_and(|require| require.as_map().is_some()),
        };
        if !known {
            let message = "a policy needs a `type` (allow, deny, prefer, require) or a `require`";
            return Err(shape(item.line, message));
        }
        Ok(Policy::from_map(&map))
    };
    items.iter().map(policy).collect()
}

/// Texts as they stand there: `no` is a region, not a boolean. Numbers and null are what they are.
fn as_written(node: &Node) -> Value {
    if let Some(entries) = node.entries() {
        let entries = entries.iter().map(|(key, value)| (key.map_key(), as_written(value)));
        return Value::Map(Map::from_entries(entries.collect()));
    }
    if let Some(items) = node.items() {
        return Value::List(items.iter().map(as_written).collect());
    }
    match node.value() {
        value @ (Value::Null | Value::Integer(_)) => value,
        _ => node.text().unwrap_or_default().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::BUILT_IN;
    use super::*;

    fn read(source: &str) -> Result<(Vec<Route>, Vec<Policy>), TableError> {
        read_table(source, &BackendNetworks::default())
    }

    #[test]
    fn a_backend_outside_its_networks_refuses_the_table() {
        let table = "routes:\n  - pattern: {operation: x}\n    backends:\n      \
                     - {name: near, metadata: {address: '10.0.2.7:22'}}\n      \
                     - {name: far, metadata: {url: 'https://10.0.1.7/api'}}";
        let networks = BackendNetworks(vec!["10.0.2.0/24".parse().expect("a network")]);
        assert!(read(table).is_ok());
        let refused = read_table(table, &networks).expect_err("far");
        assert_eq!(
            refused.to_string(),
            "line 5: backend far: 10.0.1.7 is in none of backends.networks (10.0.2.0/24)"
        );
        assert!(read_table(BUILT_IN, &networks).is_ok());
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
            ("routes:\n  - pattern: {operation: [x]}\n    backends: []", 2),
            ("routes:\n  - pattern:\n      operatoin: x\n    backends: []", 3),
            ("routes:\n  - pattern:\n      target: {ipv6_prefix: 10.0.0.0/8}\n    backends: []", 3),
            ("routes:\n  - pattern: {}\n    backends:\n      - {name: a, type: [b]}", 4),
            ("routes:\n  - pattern: {}\n    backends:\n      - {name: a, capabilities: b}", 4),
            ("routes: []\npolicies: {}", 2),
            ("routes: []\npolicies:\n  - {type: deny}", 3),
            ("routes: []\npolicies:\n  - {name: a, type: perhaps}", 3),
            ("routes: []\npolicies:\n  - {name: a}", 3),
        ];
        for (source, line) in cases {
            match read(source) {
                Err(TableError::Shape { line: got, .. }) => assert_eq!(got, line, "{source}"),
                other => panic!("{source}: {other:?}"),
            }
        }
        assert!(matches!(read("a: ["), Err(TableError::Yaml(_))));
    }

    #[test]
    fn other_keys_of_a_route_are_passed_over_and_policies_are_read() {
        let table = "routes:\n  - pattern: {operation: x, target: }\n    security_tier: iot\n    \
                     backends: [{name: a}]\npolicies:\n  - name: eu\n    match: {data_region: eu}\n    \
                     require: {node: {region: eu}}\n    action: enforce\n";
        let (routes, policies) = read(table).expect("a table");
        assert_eq!(routes.len(), 1);
        assert_eq!(policies.len(), 1);
        assert!(policies[0].enforced);
    }

    #[test]
    fn norway_is_a_region() {
        let table = "routes: []\npolicies:\n  - {name: no, match: {data_region: no}, priority: 7, \
                     require: {node: {region: [no, dk]}}}\n";
        let (_, policies) = read(table).expect("a table");
        let wanted = |key: &str, name: &str| {
            policies[0]
                .source
                .get(key)
                .and_then(Value::as_map)
                .and_then(|map| map.get(name))
                .cloned()
        };
        assert_eq!(policies[0].source.get("priority"), Some(&Value::Integer(7)));
        assert_eq!(wanted("match", "data_region"), Some("no".into()));
        let regions = Value::List(vec!["no".into(), "dk".into()]);
        assert_eq!(
            wanted("require", "node"),
            Some(Map::from_entries(vec![(crate::semantic::Key::text("region"), regions,)]).into())
        );
    }
}
