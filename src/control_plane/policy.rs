//! Policies: which backends may, must not, or should take an operation.
//!
//! Two notations are known: the Elixir HAR's (`type`, `condition`, `action`) and the one for data
//! residency (`match`, `require`, `action: :enforce`). A policy that cannot be understood denies:
//! failing open would let data out.

use std::cmp::Reverse;

use super::Backend;
use super::pattern::{glob_matches, in_prefix};
use crate::semantic::{Map, Operation, Value};

/// What a policy does to the backends that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// Nothing: says that they are fine.
    Allow,
    /// They must not be used.
    Deny,
    /// Only those that meet the requirement may be used.
    Require,
    /// They come first.
    Prefer,
}

/// What the policies say of one backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// May be used.
    Allow,
    /// Must not be used.
    Deny,
    /// May be used, and comes first by that much.
    Prefer(i64),
}

/// One policy, with the map that a caller gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// What it does.
    pub effect: Effect,
    /// The higher the sooner; nil (none) comes before all numbers, as Erlang orders them.
    pub priority: Option<i64>,
    /// When it applies.
    condition: Map,
    /// What must hold, for [`Effect::Require`].
    require: Map,
    boost: i64,
    /// As it came, for showing.
    pub source: Map,
}

/// Most policies that are kept: every decision looks at all of them.
const POLICIES_MAX: usize = 1_000;

impl Policy {
    /// Reads a caller's map.
    pub fn from_map(map: &Map) -> Self {
        let part = |name: &str| map.get(name).and_then(Value::as_map).cloned();
        let require = part("require");
        let effect = match map.text("type") {
            Some("allow") => Effect::Allow,
            Some("prefer") => Effect::Prefer,
            Some("require") => Effect::Require,
            None if require.is_some() => Effect::Require,
            _ => Effect::Deny,
        };
        let action = part("action").unwrap_or_default();
        let boost = match action.get("boost") {
            Some(Value::Integer(boost)) => *boost,
            _ => 1,
        };
        Self {
            name: map.get("name").and_then(Value::to_text).unwrap_or_default(),
            effect,
            priority: match map.get("priority") {
                Some(Value::Integer(priority)) => Some(*priority),
                _ => None,
            },
            condition: part("condition").or_else(|| part("match")).unwrap_or_default(),
            require: require
                .or_else(|| action.get("require").and_then(Value::as_map).cloned())
                .unwrap_or(action),
            boost,
            source: map.clone(),
        }
    }

    fn applies(&self, backend: &Backend, operation: &Operation) -> bool {
        self.condition.iter().all(|(key, want)| {
            key.name().is_some_and(|key| condition_holds(key, want, backend, operation))
        })
    }

    fn verdict(&self, backend: &Backend, operation: &Operation) -> Verdict {
        if !self.applies(backend, operation) {
            return Verdict::Allow;
        }
        match self.effect {
            Effect::Allow => Verdict::Allow,
            Effect::Deny => Verdict::Deny,
            Effect::Prefer => Verdict::Prefer(self.boost),
            Effect::Require if meets(&self.require, backend) => Verdict::Allow,
            Effect::Require => Verdict::Deny,
        }
    }
}

fn condition_holds(key: &str, want: &Value, backend: &Backend, operation: &Operation) -> bool {
    let have = match key {
        "backend_type" => known_kind(backend),
        "backend_locality" => Some(locality(backend)),
        "backend_name" => Some(backend.name.clone()),
        "operation_type" | "operation" => Some(operation.kind.name().to_owned()),
        _ => [&operation.target, &operation.metadata, &operation.params]
            .iter()
            .find_map(|map| map.present(key)?.to_text()),
    };
    same(want, have.as_deref())
}

/// The type, unless the backend has none.
fn known_kind(backend: &Backend) -> Option<String> {
    (!backend.kind.is_empty() && backend.kind != "unknown" && backend.kind != "nil")
        .then(|| backend.kind.clone())
}

fn locality(backend: &Backend) -> String {
    let said = backend.metadata.present("locality").and_then(Value::to_text);
    said.unwrap_or_else(|| if backend.kind == "local" { "local" } else { "remote" }.to_owned())
}

/// Whether a value meets what is wanted: equal, one of a list, or by glob.
fn same(want: &Value, have: Option<&str>) -> bool {
    match want {
        Value::Null => have.is_none(),
        Value::List(any) => any.iter().any(|want| same(want, have)),
        want => match (want.to_text(), have) {
            (Some(want), Some(have)) => {
                glob_matches(&want, have) || (want.contains('/') && in_prefix(have, &want))
            }
            _ => false,
        },
    }
}

/// Whether a backend has what is required. `node: %{region: …}` asks for where it runs.
fn meets(require: &Map, backend: &Backend) -> bool {
    !require.is_empty()
        && require
            .iter()
            .all(|(key, want)| key.name().is_some_and(|key| requirement_met(key, want, backend)))
}

fn requirement_met(key: &str, want: &Value, backend: &Backend) -> bool {
    if let ("node" | "backend", Value::Map(fields)) = (key, want) {
        let nested = backend.metadata.get(key).and_then(Value::as_map);
        return fields.iter().all(|(key, want)| {
            let Some(key) = key.name() else { return false };
            let have = nested.and_then(|map| map.present(key)).and_then(Value::to_text);
            have.map_or_else(|| requirement_met(key, want, backend), |have| same(want, Some(&have)))
        });
    }
    match key {
        "type" | "backend_type" => same(want, known_kind(backend).as_deref()),
        "name" | "backend_name" => same(want, Some(&backend.name)),
        "locality" | "backend_locality" => same(want, Some(&locality(backend))),
        "capability" | "capabilities" => {
            let wanted = want.as_list().unwrap_or(std::slice::from_ref(want));
            wanted.iter().all(|want| backend.capabilities.iter().any(|have| same(want, Some(have))))
        }
        _ => same(want, backend.metadata.present(key).and_then(Value::to_text).as_deref()),
    }
}

/// Counts of what was decided.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PolicyStats {
    /// Backends judged.
    pub evaluations: u64,
    /// Of them denied.
    pub denials: u64,
    /// Policies in force.
    pub policies: usize,
}

impl PolicyStats {
    /// Denials in percent of evaluations, with two decimals; 0 when there were none.
    pub fn denial_rate(&self) -> f64 {
        if self.evaluations == 0 {
            return 0.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "a percentage of two decimals")]
        let rate = self.denials as f64 / self.evaluations as f64;
        (rate * 10_000.0).round() / 100.0
    }
}

/// The policies in force, in the order callers see.
#[derive(Clone, Debug)]
pub struct PolicyEngine {
    policies: Vec<Policy>,
    evaluations: u64,
    denials: u64,
}

impl Default for PolicyEngine {
    /// The policies of the Elixir HAR. spec: contract 5.2
    fn default() -> Self {
        let named = |name: &str, kind: &str, priority: i64, condition: Map, action: Map| {
            let map = Map::new()
                .with("name", name)
                .with("type", Value::atom(kind))
                .with("priority", priority);
            Policy::from_map(&map.with("condition", condition).with("action", action))
        };
        let local_dev = Map::new()
            .with("environment", Value::atom("dev"))
            .with("backend_locality", Value::atom("local"));
        Self {
            policies: vec![
                named("default_allow", "allow", 0, Map::new(), Map::new()),
                named(
                    "deny_unknown_type",
                    "deny",
                    100,
                    Map::new().with("backend_type", Value::Null),
                    Map::new(),
                ),
                named("prefer_local_dev", "prefer", 50, local_dev, Map::new().with("boost", 10)),
            ],
            evaluations: 0,
            denials: 0,
        }
    }
}

impl PolicyEngine {
    /// The policies, newest first.
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// Puts a policy in front.
    pub fn add(&mut self, policy: Policy) {
        if self.policies.len() < POLICIES_MAX {
            self.policies.insert(0, policy);
        }
    }

    /// Drops the policies of a name.
    pub fn remove(&mut self, name: &str) {
        self.policies.retain(|policy| policy.name != name);
    }

    /// Replaces all policies, the defaults included.
    pub fn load(&mut self, policies: Vec<Policy>) {
        self.policies = policies;
        self.policies.truncate(POLICIES_MAX);
    }

    /// What the policies (only those named, if any are) say of a backend.
    pub fn evaluate(
        &self,
        backend: &Backend,
        operation: &Operation,
        only: Option<&[String]>,
    ) -> Verdict {
        let mut chosen: Vec<&Policy> = self
            .policies
            .iter()
            .filter(|policy| only.is_none_or(|names| names.contains(&policy.name)))
            .collect();
        // nil sorts above all numbers: an atom is greater than a number.
        chosen.sort_by_key(|policy| Reverse((policy.priority.is_none(), policy.priority)));
        let mut preference = 0;
        for policy in chosen {
            match policy.verdict(backend, operation) {
                Verdict::Deny => return Verdict::Deny,
                Verdict::Prefer(boost) => preference += boost,
                Verdict::Allow => {}
            }
        }
        if preference == 0 { Verdict::Allow } else { Verdict::Prefer(preference) }
    }

    /// Counts verdicts that were reached.
    pub fn count(&mut self, evaluations: u64, denials: u64) {
        self.evaluations += evaluations;
        self.denials += denials;
    }

    /// The counts so far.
    pub fn stats(&self) -> PolicyStats {
        PolicyStats {
            evaluations: self.evaluations,
            denials: self.denials,
            policies: self.policies.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantic::Kind;

    fn backend(kind: &str, metadata: Map) -> Backend {
        Backend {
            name: "b".into(),
            kind: kind.into(),
            priority: 50,
            capabilities: vec!["all".into()],
            metadata,
        }
    }

    fn operation(target: Map) -> Operation {
        Operation { target, ..Operation::new("a", Kind::FileCopy, Map::new()) }
    }

    #[test]
    fn the_defaults() {
        let engine = PolicyEngine::default();
        let dev = operation(Map::new().with("environment", Value::atom("dev")));
        assert_eq!(engine.evaluate(&backend("local", Map::new()), &dev, None), Verdict::Prefer(10));
        assert_eq!(engine.evaluate(&backend("remote", Map::new()), &dev, None), Verdict::Allow);
        assert_eq!(engine.evaluate(&backend("", Map::new()), &dev, None), Verdict::Deny);
        let named = ["default_allow".to_owned()];
        assert_eq!(engine.evaluate(&backend("", Map::new()), &dev, Some(&named)), Verdict::Allow);
    }

    #[test]
    fn data_stays_in_its_region() {
        let mut engine = PolicyEngine::default();
        let node = Map::new().with("region", "eu");
        let policy = Map::new()
            .with("name", Value::atom("eu_data_residency"))
            .with("match", Map::new().with("data_region", "eu"))
            .with("require", Map::new().with("node", node.clone()))
            .with("action", Value::atom("enforce"));
        engine.add(Policy::from_map(&policy));
        let eu = operation(Map::new().with("data_region", "eu"));
        let us = operation(Map::new().with("data_region", "us"));
        let inside = backend("remote", Map::new().with("node", node));
        let flat = backend("remote", Map::new().with("region", Value::atom("eu")));
        let outside = backend("remote", Map::new().with("region", "us"));
        let nowhere = backend("remote", Map::new());
        for (backend, operation, want) in [
            (&inside, &eu, Verdict::Allow),
            (&flat, &eu, Verdict::Allow),
            (&outside, &eu, Verdict::Deny),
            (&nowhere, &eu, Verdict::Deny),
            (&outside, &us, Verdict::Allow),
        ] {
            assert_eq!(engine.evaluate(backend, operation, None), want);
        }
    }

    #[test]
    fn a_policy_that_says_nothing_known_denies() {
        let mut engine = PolicyEngine::default();
        engine.load(vec![Policy::from_map(
            &Map::new().with("name", "odd").with("type", Value::atom("perhaps")),
        )]);
        assert_eq!(
            engine.evaluate(&backend("local", Map::new()), &operation(Map::new()), None),
            Verdict::Deny
        );
    }

    #[test]
    fn rates_have_two_decimals() {
        let mut engine = PolicyEngine::default();
        assert!(engine.stats().denial_rate().abs() < f64::EPSILON);
        engine.count(3, 1);
        assert!((engine.stats().denial_rate() - 33.33).abs() < 1e-9);
    }
}
