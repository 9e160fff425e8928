//! What is known of the health of backends.

pub(super) mod check;
mod circuit;

use std::collections::BTreeMap;
use std::time::Instant;

use circuit::Circuit;
pub use circuit::CircuitState;

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

/// Bytes of the id of a backend: all ids together stay below 50 MiB.
const ID_BYTES_MAX: usize = 512;

/// The health of all backends, by id (`type:name`).
///
/// Three things say whether a backend is used: what [checks](check) found or somebody set, and the
/// [`circuit`] that opens when those who use it report failures.
#[derive(Clone, Debug, Default)]
pub struct HealthChecker {
    /// Whether a backend that nobody checked counts as unusable.
    pub strict: bool,
    known: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    status: Status,
    circuit: Circuit,
    /// Results of checks in a row.
    good: u32,
    bad: u32,
}

/// The health of a backend became another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthChange {
    /// What it was.
    pub from: Status,
    /// What it is.
    pub to: Status,
}

impl Entry {
    fn new(status: Status) -> Self {
        Self { status, circuit: Circuit::default(), good: 0, bad: 0 }
    }

    /// An open circuit counts for more than a check: those who use a backend know better.
    fn status(&self, now: impl FnOnce() -> Instant) -> Status {
        match self.circuit.state(now) {
            CircuitState::Open => Status::Unhealthy,
            CircuitState::HalfOpen if self.status.is_healthy() => Status::Degraded,
            _ => self.status.clone(),
        }
    }

    /// Takes the result of a check; those in a row count, but for a backend that was never checked.
    fn checked(&mut self, found: &Status, rise: u32, fall: u32) {
        if *found == Status::Unknown {
            // It may not be asked (any more); what was found before does not stand.
            (self.status, self.good, self.bad) = (Status::Unknown, 0, 0);
            return;
        }
        let good = found.is_healthy();
        (self.good, self.bad) = match good {
            true => (self.good.saturating_add(1), 0),
            false => (0, self.bad.saturating_add(1)),
        };
        let turns = match (&self.status, good) {
            (Status::Unknown, _) => true,
            (now, true) => now.is_healthy() || self.good >= rise,
            (now, false) => !now.is_healthy() || self.bad >= fall,
        };
        if turns {
            self.status = found.clone();
        }
    }
}

impl HealthChecker {
    /// What is known of a backend.
    pub fn status(&self, id: &str) -> Status {
        self.known.get(id).map_or(Status::Unknown, |entry| entry.status(Instant::now))
    }

    /// Whether work may go to a backend. A half-open circuit lets one of those who ask through.
    pub fn is_usable(&self, id: &str) -> bool {
        let Some(entry) = self.known.get(id) else { return !self.strict };
        let usable = match &entry.status {
            Status::Unknown => !self.strict,
            status => status.is_healthy(),
        };
        usable && entry.circuit.admits(Instant::now)
    }

    /// Makes a backend known; what is known of it already stays.
    pub fn register(&mut self, id: &str) {
        self.entry(id);
    }

    /// Sets the health of a backend, whatever was found and reported before.
    pub fn set(&mut self, id: &str, status: Status) -> Option<HealthChange> {
        self.change(id, |entry| *entry = Entry::new(status))
    }

    /// Takes the result of a check: `rise` good ones in a row make a backend healthy, `fall` bad ones
    /// unhealthy.
    pub fn checked(
        &mut self,
        id: &str,
        found: &Status,
        rise: u32,
        fall: u32,
    ) -> Option<HealthChange> {
        self.change(id, |entry| {
            entry.checked(found, rise, fall);
            let half_open = entry.circuit.state(Instant::now) == CircuitState::HalfOpen;
            if half_open && found.is_healthy() {
                entry.circuit.succeeded();
            }
        })
    }

    /// Takes what somebody who used a backend says of it.
    pub fn reported(&mut self, id: &str, went_well: bool) -> Option<HealthChange> {
        self.change(id, |entry| match went_well {
            true => entry.circuit.succeeded(),
            false => entry.circuit.failed(Instant::now()),
        })
    }

    /// The circuits that are not closed, and those with failures: id, state, failures in a row.
    pub fn circuits(&self) -> impl Iterator<Item = (&str, CircuitState, u32)> {
        self.known.iter().filter_map(|(id, entry)| {
            let failures = entry.circuit.failures();
            (failures > 0).then(|| (id.as_str(), entry.circuit.state(Instant::now), failures))
        })
    }

    /// All that is known, by id.
    pub fn all(&self) -> impl Iterator<Item = (&str, Status)> {
        self.known.iter().map(|(id, entry)| (id.as_str(), entry.status(Instant::now)))
    }

    fn change(&mut self, id: &str, change: impl FnOnce(&mut Entry)) -> Option<HealthChange> {
        let entry = self.entry(id)?;
        let from = entry.status(Instant::now);
        change(entry);
        let to = entry.status(Instant::now);
        (from != to).then_some(HealthChange { from, to })
    }

    /// `None`: as many are known as may be, or the id is too long.
    fn entry(&mut self, id: &str) -> Option<&mut Entry> {
        if id.len() > ID_BYTES_MAX {
            return None;
        }
        if self.known.len() >= BACKENDS_MAX && !self.known.contains_key(id) {
            return None;
        }
        if !self.known.contains_key(id) {
            self.known.insert(id.to_owned(), Entry::new(Status::Unknown));
        }
        self.known.get_mut(id)
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
    fn an_id_has_so_many_bytes() {
        let mut health = HealthChecker::default();
        let long = "x".repeat(ID_BYTES_MAX + 1);
        assert_eq!(health.set(&long, Status::Healthy), None);
        assert!(health.set(&long[1..], Status::Healthy).is_some());
        assert_eq!(health.all().count(), 1);
    }

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

    fn found(health: &mut HealthChecker, results: &[Status]) -> Vec<Status> {
        let mut each = |result: &Status| {
            health.checked("local:a", result, 2, 3);
            health.status("local:a")
        };
        results.iter().map(&mut each).collect()
    }

    #[test]
    fn results_in_a_row_change_a_health_and_the_first_one_does() {
        use Status::{Degraded, Healthy, Unhealthy};
        let mut health = HealthChecker { strict: true, ..HealthChecker::default() };
        assert!(!health.is_usable("local:a"));
        assert_eq!(found(&mut health, &[Healthy]), [Healthy]);
        assert!(health.is_usable("local:a"));
        let bad = [Unhealthy, Unhealthy, Healthy, Unhealthy, Unhealthy, Unhealthy];
        let seen = [Healthy, Healthy, Healthy, Healthy, Healthy, Unhealthy];
        assert_eq!(found(&mut health, &bad), seen);
        let good = [Healthy, Unhealthy, Degraded, Healthy, Degraded];
        let seen = [Unhealthy, Unhealthy, Unhealthy, Healthy, Degraded];
        assert_eq!(found(&mut health, &good), seen);
        let change = health.checked("local:a", &Healthy, 2, 3);
        assert_eq!(change, Some(HealthChange { from: Degraded, to: Healthy }));
        assert_eq!(health.checked("local:a", &Healthy, 2, 3), None);
    }

    #[test]
    fn what_is_reported_opens_the_circuit_and_who_sets_a_health_closes_it() {
        let mut health = HealthChecker::default();
        health.set("local:a", Status::Healthy);
        let changes = (0..10).filter_map(|_| health.reported("local:a", false)).count();
        assert_eq!(changes, 1);
        assert_eq!(health.status("local:a"), Status::Unhealthy);
        assert!(!health.is_usable("local:a"));
        let circuits: Vec<_> = health.circuits().collect();
        assert_eq!(circuits, [("local:a", CircuitState::Open, 5)]);
        health.checked("local:a", &Status::Healthy, 1, 1);
        assert!(!health.is_usable("local:a"), "a check alone does not close it");
        health.checked("local:a", &Status::Unknown, 1, 1);
        assert!(!health.is_usable("local:a"), "nor does one that could not be made");
        health.set("local:a", Status::Healthy);
        assert!(health.is_usable("local:a"));
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
