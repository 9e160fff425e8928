//! A backend: something that can carry out operations.

use crate::semantic::{Map, Value};

/// A backend of the routing table. spec: contract 2, "backend map (plain)"
#[derive(Clone, Debug, PartialEq)]
pub struct Backend {
    /// Unique in a decision.
    pub name: String,
    /// `local`, `remote`, `cloud`, …
    pub kind: String,
    /// The higher the sooner.
    pub priority: i64,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// Whatever else the table says of it.
    pub metadata: Map,
}

impl Backend {
    /// The name under which its health is kept. spec: contract 5.3
    pub fn id(&self) -> String {
        format!("{}:{}", self.kind, self.name)
    }

    /// The type, unless it has none.
    pub(super) fn known_kind(&self) -> Option<&str> {
        let known = !matches!(self.kind.as_str(), "" | "unknown" | "nil");
        known.then_some(self.kind.as_str())
    }

    /// Whether it is on the node that routes: as its metadata says, else by its type.
    pub(super) fn is_local(&self) -> bool {
        self.metadata.text("locality").unwrap_or(&self.kind) == "local"
    }

    /// The map that Elixir callers see.
    pub fn to_value(&self) -> Value {
        Map::new()
            .with("name", self.name.clone())
            .with("type", Value::atom(&self.kind))
            .with("priority", self.priority)
            .with(
                "capabilities",
                self.capabilities.iter().map(|name| Value::atom(name)).collect::<Vec<_>>(),
            )
            .with("metadata", self.metadata.clone())
            .into()
    }

    /// From a caller's map; what it leaves out has the table's defaults.
    pub fn from_map(map: &Map) -> Self {
        let capabilities = map.get("capabilities").and_then(Value::as_list).unwrap_or_default();
        Self {
            name: map.get("name").and_then(Value::to_text).unwrap_or_default(),
            kind: map.text("type").unwrap_or("unknown").to_owned(),
            priority: match map.get("priority") {
                Some(Value::Integer(priority)) => *priority,
                _ => Self::DEFAULT_PRIORITY,
            },
            capabilities: capabilities.iter().filter_map(Value::to_text).collect(),
            metadata: map.get("metadata").and_then(Value::as_map).cloned().unwrap_or_default(),
        }
    }

    /// Priority of a backend that names none.
    pub const DEFAULT_PRIORITY: i64 = 50;
}
