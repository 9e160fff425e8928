//! Policies: which backends may, must not, or should take an operation, and which nodes may see it.
//!
//! Two notations are known: the Elixir HAR's (`type`, `condition`, `action`) and the one for data
//! residency (`match`, `require`, `action: :enforce`). A policy that cannot be understood denies:
//! failing open would let data out.

mod condition;
mod engine;
mod requirement;

use super::Backend;
use crate::semantic::{Map, Operation, Value};
use condition::Condition;
use requirement::Requirement;

pub(super) use engine::{POLICIES_MAX, applying, judge};
pub use engine::{PolicyEngine, PolicyStats, TooManyPolicies};

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
    /// Whether it holds for everybody: `action: :enforce`. A caller that names the policies to apply
    /// cannot leave it out.
    pub enforced: bool,
    condition: Condition,
    requirement: Requirement,
    boost: i64,
    /// As it came, for showing.
    pub source: Map,
}

impl Policy {
    /// Reads a caller's map.
    pub fn from_map(map: &Map) -> Self {
        let part = |name: &str| map.get(name).and_then(Value::as_map);
        let require = part("require");
        let effect = match map.text("type") {
            Some("allow") => Effect::Allow,
            Some("prefer") => Effect::Prefer,
            Some("require") => Effect::Require,
            None if require.is_some() => Effect::Require,
            _ => Effect::Deny,
        };
        let empty = Map::new();
        let action = part("action").unwrap_or(&empty);
        let required = require.or_else(|| action.get("require").and_then(Value::as_map));
        let condition = part("condition").or_else(|| part("match")).unwrap_or(&empty);
        Self {
            name: map.get("name").and_then(Value::to_text).unwrap_or_default(),
            effect,
            enforced: map.text("action") == Some("enforce"),
            condition: Condition::read(condition),
            requirement: Requirement::read(required.unwrap_or(action)),
            boost: match action.get("boost") {
                Some(Value::Integer(boost)) => *boost,
                _ => 1,
            },
            source: map.clone(),
        }
    }

    /// Whether the operation is one that it is about.
    fn is_about(&self, operation: &Operation) -> bool {
        // What cannot be read must not make a prohibition vanish.
        let forbids = matches!(self.effect, Effect::Deny | Effect::Require);
        self.condition.holds_for_operation(operation, forbids)
    }

    /// Of a backend, for an operation that it is about, on a node with these facts.
    fn verdict(&self, backend: &Backend, facts: &Map) -> Verdict {
        if !self.condition.holds_for_backend(backend) {
            return Verdict::Allow;
        }
        match self.effect {
            Effect::Allow => Verdict::Allow,
            Effect::Deny => Verdict::Deny,
            Effect::Prefer => Verdict::Prefer(self.boost),
            Effect::Require if self.requirement.met_by(backend, facts) => Verdict::Allow,
            Effect::Require => Verdict::Deny,
        }
    }

    /// Whether it keeps operations off some nodes.
    pub(super) fn confines(&self) -> bool {
        self.effect == Effect::Require && self.requirement.is_about_nodes()
    }

    /// Whether a node with these facts may have an operation that it is about.
    pub(super) fn allows_node(&self, facts: &Map) -> bool {
        self.requirement.allows_node(facts)
    }
}

#[cfg(test)]
mod tests;
