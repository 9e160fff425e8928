//! The policies in force, and what all of them together say.

use std::sync::atomic::{AtomicU64, Ordering};

use super::super::Backend;
use super::{Effect, Policy, Verdict};
use crate::semantic::{Map, Operation, Value};

/// Most policies that are kept: every decision looks at all of them.
pub(in super::super) const POLICIES_MAX: usize = 1_000;

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

/// There are as many policies as may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {POLICIES_MAX} policies")]
pub struct TooManyPolicies;

/// The policies that callers set, in the order they see.
#[derive(Debug)]
pub struct PolicyEngine {
    policies: Vec<Policy>,
    evaluations: AtomicU64,
    denials: AtomicU64,
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
        let no_type = Map::new().with("backend_type", Value::Null);
        let local_dev = Map::new()
            .with("environment", Value::atom("dev"))
            .with("backend_locality", Value::atom("local"));
        let boost = Map::new().with("boost", 10);
        Self {
            policies: vec![
                named("default_allow", "allow", 0, Map::new(), Map::new()),
                named("deny_unknown_type", "deny", 100, no_type, Map::new()),
                named("prefer_local_dev", "prefer", 50, local_dev, boost),
            ],
            evaluations: AtomicU64::new(0),
            denials: AtomicU64::new(0),
        }
    }
}

impl PolicyEngine {
    /// The policies, newest first.
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// Puts a policy in front.
    ///
    /// # Errors
    /// [`TooManyPolicies`]; nothing has changed then.
    pub fn add(&mut self, policy: Policy) -> Result<(), TooManyPolicies> {
        if self.policies.len() >= POLICIES_MAX {
            return Err(TooManyPolicies);
        }
        self.policies.insert(0, policy);
        Ok(())
    }

    /// Drops the policies of a name.
    pub fn remove(&mut self, name: &str) {
        self.policies.retain(|policy| policy.name != name);
    }

    /// Replaces all policies, the defaults included.
    ///
    /// # Errors
    /// [`TooManyPolicies`]; nothing has changed then.
    pub fn load(&mut self, policies: Vec<Policy>) -> Result<(), TooManyPolicies> {
        if policies.len() > POLICIES_MAX {
            return Err(TooManyPolicies);
        }
        self.policies = policies;
        Ok(())
    }

    /// Counts verdicts that were reached.
    pub fn count(&self, evaluations: u64, denials: u64) {
        self.evaluations.fetch_add(evaluations, Ordering::Relaxed);
        self.denials.fetch_add(denials, Ordering::Relaxed);
    }

    /// The counts so far.
    pub fn stats(&self) -> PolicyStats {
        PolicyStats {
            evaluations: self.evaluations.load(Ordering::Relaxed),
            denials: self.denials.load(Ordering::Relaxed),
            policies: self.policies.len(),
        }
    }
}

/// Puts those of the policies that have a say on an operation into `found`: those named, if any
/// are, and those that are enforced.
pub(in super::super) fn applying<'a>(
    policies: impl IntoIterator<Item = &'a Policy>,
    operation: &Operation,
    only: Option<&[String]>,
    found: &mut Vec<&'a Policy>,
) {
    let chosen =
        |policy: &Policy| policy.enforced || only.is_none_or(|names| names.contains(&policy.name));
    found.clear();
    found.extend(policies.into_iter().filter(|policy| {
        policy.effect != Effect::Allow && chosen(policy) && policy.is_about(operation)
    }));
}

/// What policies that apply say of a backend, on a node with these facts. One that denies is
/// enough, so that their order does not matter.
pub(in super::super) fn judge(applying: &[&Policy], backend: &Backend, facts: &Map) -> Verdict {
    let mut preference: i64 = 0;
    for policy in applying {
        match policy.verdict(backend, facts) {
            Verdict::Deny => return Verdict::Deny,
            Verdict::Prefer(boost) => preference = preference.saturating_add(boost),
            Verdict::Allow => {}
        }
    }
    if preference == 0 { Verdict::Allow } else { Verdict::Prefer(preference) }
}
