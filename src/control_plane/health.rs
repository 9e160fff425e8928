//! What is known of the health of backends.

use std::collections::BTreeMap;

use crate::semantic::{Map, Value};

/// Health of a backend: an atom. Any atom may be set; these are those with a meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// Answers as it should.
    Healthy,
    /// Answers, but not well.
    Degraded,
    /// Does not answer.
    Unhealthy,
    /// Never checked.
    Unknown,
    /// Whatever else somebody set.
    Other(String),
}

impl Status {
    /// The atom's text.
    pub fn name(&self) -> &str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
            Self::Unknown => "unknown",
            Self::Other(name) => name,
        }
    }

    /// The status for an atom's text.
    pub fn from_name(name: &str) -> Self {
        match name {
            "healthy" => Self::Healthy,
            "degraded" => Self::Degraded,
            "unhealthy" => Self::Unhealthy,
            "unknown" => Self::Unknown,
            other => Self::Other(other.to_owned()),
        }
    }

    /// spec: contract 1.2, `healthy?/1`
    pub fn is_healthy(&self) -> bool {
        matches!(self, Self::Healthy | Self::Degraded)
    }
}

/// Most backends whose health is kept: callers can register any name.
const BACKENDS_MAX: usize = 100_000;

/// The health of all backends, by id (`type:name`).
#[derive(Clone, Debug, Default)]
pub struct HealthChecker {
    /// Whether a backend that nobody checked counts as unusable.
    pub strict: bool,
    statuses: BTreeMap<String, Status>,
}

impl HealthChecker {
    /// What is known of a backend.
    pub fn status(&self, id: &str) -> Status {
        self.statuses.get(id).cloned().unwrap_or(Status::Unknown)
    }

    /// Whether work may go to a backend.
    pub fn is_usable(&self, id: &str) -> bool {
        match self.statuses.get(id) {
            None | Some(Status::Unknown) => !self.strict,
            Some(status) => status.is_healthy(),
        }
    }

    /// Makes a backend known; what is known of it already stays.
    pub fn register(&mut self, id: &str) {
        if self.statuses.len() < BACKENDS_MAX {
            self.statuses.entry(id.to_owned()).or_insert(Status::Unknown);
        }
    }

    /// Sets the health of a backend.
    pub fn set(&mut self, id: &str, status: Status) {
        if self.statuses.len() < BACKENDS_MAX || self.statuses.contains_key(id) {
            self.statuses.insert(id.to_owned(), status);
        }
    }

    /// All that is known, by id.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Status)> {
        self.statuses.iter().map(|(id, status)| (id.as_str(), status))
    }
}

/// The id of a backend as callers give it: a map, or the id itself. spec: contract 5.3
pub fn backend_id(value: &Value) -> Option<String> {
    match value {
        Value::String(id) | Value::Atom(id) => Some(id.clone()),
        Value::Map(map) => Some(id_of(map)),
        _ => None,
    }
}

fn id_of(map: &Map) -> String {
    let kind = map.get("type").and_then(Value::to_text).unwrap_or_else(|| "unknown".to_owned());
    let name = map.get("name").and_then(Value::to_text).unwrap_or_default();
    format!("{kind}:{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_is_usable_unless_strict() {
        let mut health = HealthChecker::default();
        assert!(health.is_usable("local:a"));
        health.set("local:a", Status::Unhealthy);
        assert!(!health.is_usable("local:a"));
        health.set("local:a", Status::Degraded);
        assert!(health.is_usable("local:a"));
        health.strict = true;
        health.register("local:b");
        assert!(!health.is_usable("local:b"));
        assert!(!health.is_usable("local:c"));
    }

    #[test]
    fn ids_of_maps_and_names() {
        let map = Map::new().with("type", Value::atom("local")).with("name", "apt");
        assert_eq!(backend_id(&map.into()).as_deref(), Some("local:apt"));
        assert_eq!(backend_id(&Map::new().into()).as_deref(), Some("unknown:"));
        assert_eq!(backend_id(&"x:y".into()).as_deref(), Some("x:y"));
        assert_eq!(backend_id(&Value::Integer(1)), None);
    }
}
