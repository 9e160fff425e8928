//! Decisions: one backend for each operation, with the alternatives.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::index::{Candidate, Scratch};
use super::policy::{applying, judge};
use super::{Backend, ControlPlane, HealthChecker, Policy, PolicyStats, RoutingTable, Verdict};
use crate::semantic::{DateTime, Graph, GraphError, Map, Operation, OperationType, Value};
use crate::telemetry::{Event, Telemetry, share};

/// Why a graph or an operation cannot be routed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// The graph is not valid.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// For this many operations no backend matches, is usable and is allowed.
    #[error("no backend is available for {0} operations")]
    NoBackendAvailable(usize),
}

/// Where one operation goes.
#[derive(Clone, Debug, PartialEq)]
pub struct RoutingDecision {
    /// Place of the operation in what was routed.
    pub operation: usize,
    /// Who takes it.
    pub backend: Arc<Backend>,
    /// Who else could, best first.
    pub alternatives: Vec<Arc<Backend>>,
    /// When it was decided.
    pub timestamp: DateTime,
}

/// The decisions for a graph, in vertex order.
#[derive(Clone, Debug, PartialEq)]
pub struct RoutingPlan {
    /// One for each vertex.
    pub decisions: Vec<RoutingDecision>,
    /// The format the graph is meant for, as the caller named it.
    pub target: Value,
    /// When it was made.
    pub routed_at: DateTime,
    /// Names of the policies that had a say.
    pub policies_applied: Vec<String>,
}

/// The parts of a control plane, held still while a batch is routed, and memory that is used again
/// for each operation.
struct Snapshot<'a> {
    table: &'a RoutingTable,
    health: &'a HealthChecker,
    policies: &'a [Policy],
    facts: &'a Map,
    only: Option<&'a [String]>,
    applying: Vec<&'a Policy>,
    scratch: Scratch,
    ranked: Vec<(i64, &'a Candidate)>,
    evaluations: u64,
    denials: u64,
}

impl ControlPlane {
    /// Decides for each operation of a graph.
    ///
    /// # Errors
    /// [`RouteError`]: an invalid graph, or operations that nobody can take.
    pub fn route(
        &self,
        graph: &Graph,
        target: Value,
        only: Option<&[String]>,
    ) -> Result<RoutingPlan, RouteError> {
        graph.validate()?;
        let decided = self.route_batch(&graph.vertices, only);
        let failed = decided.iter().filter(|decision| decision.is_none()).count();
        if failed > 0 {
            return Err(RouteError::NoBackendAvailable(failed));
        }
        let (table, policies) = (self.table(), self.policies());
        let all = || table.policies().iter().chain(policies.policies());
        let names = match only {
            // What is enforced had its say too.
            Some(names) => {
                let enforced = all().filter(|policy| policy.enforced).map(|policy| &policy.name);
                let unnamed = enforced.filter(|name| !names.contains(name));
                names.iter().chain(unnamed).cloned().collect()
            }
            None => all().map(|policy| policy.name.clone()).collect(),
        };
        Ok(RoutingPlan {
            decisions: decided.into_iter().flatten().collect(),
            target,
            routed_at: DateTime::now(),
            policies_applied: names,
        })
    }

    /// Decides for each of these operations, in order; `None` where nobody can take one.
    pub fn route_batch(
        &self,
        operations: &[Operation],
        only: Option<&[String]>,
    ) -> Vec<Option<RoutingDecision>> {
        let started = Instant::now();
        let table = self.table();
        let (health, policies) = (self.health(), self.policies());
        let mut snapshot = Snapshot {
            table: &table,
            health: &health,
            policies: policies.policies(),
            facts: self.facts(),
            only,
            applying: Vec::new(),
            scratch: Scratch::default(),
            ranked: Vec::new(),
            evaluations: 0,
            denials: 0,
        };
        let timestamp = DateTime::now();
        let decide = |(place, operation)| snapshot.decide(place, operation, timestamp);
        let decided: Vec<_> = operations.iter().enumerate().map(decide).collect();
        policies.count(snapshot.evaluations, snapshot.denials);
        tell(self.telemetry(), operations, &decided, started.elapsed(), snapshot.denials);
        decided
    }

    /// Counts of what policies decided, and how many are in force.
    pub fn policy_stats(&self) -> PolicyStats {
        let mut stats = self.policies().stats();
        stats.policies += self.table().policies().len();
        stats
    }

    /// What the policies (only those named, if any are, and the enforced ones) say of a backend.
    pub fn evaluate(
        &self,
        backend: &Backend,
        operation: &Operation,
        only: Option<&[String]>,
    ) -> Verdict {
        self.evaluate_all(std::slice::from_ref(backend), operation, only)[0]
    }

    /// The same of each of these backends.
    pub fn evaluate_all(
        &self,
        backends: &[Backend],
        operation: &Operation,
        only: Option<&[String]>,
    ) -> Vec<Verdict> {
        let (table, policies) = (self.table(), self.policies());
        let mut found = Vec::new();
        let all = table.policies().iter().chain(policies.policies());
        applying(all, operation, only, &mut found);
        let verdicts: Vec<Verdict> =
            backends.iter().map(|backend| judge(&found, backend, self.facts())).collect();
        let denials = verdicts.iter().filter(|verdict| **verdict == Verdict::Deny).count();
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        policies.count(count(backends.len()), count(denials));
        verdicts
    }
}

/// One event for the batch, and one for each type of operation and backend in it.
fn tell(
    telemetry: &Telemetry,
    operations: &[Operation],
    decided: &[Option<RoutingDecision>],
    time: Duration,
    denials: u64,
) {
    let all = u64::try_from(operations.len()).unwrap_or(u64::MAX);
    if all == 0 {
        return;
    }
    let latency = share(time, all);
    telemetry.execute(&Event::RoutingDecision { count: all, latency });
    if denials > 0 {
        telemetry.execute(&Event::PolicyViolation { count: denials });
    }
    for ((operation_type, backend), count) in counted(operations, decided) {
        telemetry.execute(&Event::Decision { operation_type, backend, count, latency });
    }
}

/// Types and backends that are looked for one by one: most batches have fewer, and that is quicker
/// than to hash two names for each decision.
const LOOKED_THROUGH: usize = 16;

/// How often each type of operation went to each backend, by name.
fn counted<'a>(
    operations: &'a [Operation],
    decided: &'a [Option<RoutingDecision>],
) -> HashMap<(&'a str, Option<&'a str>), u64> {
    let mut few: Vec<(&OperationType, Option<&Arc<Backend>>, u64)> = Vec::new();
    let mut counts = HashMap::new();
    let name = |backend: Option<&'a Arc<Backend>>| backend.map(|backend| backend.name.as_str());
    let same = |a: Option<&Arc<Backend>>, b: Option<&Arc<Backend>>| match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (a, b) => a.is_none() && b.is_none(),
    };
    for (operation, decision) in operations.iter().zip(decided) {
        let (kind, backend) =
            (&operation.kind, decision.as_ref().map(|decision| &decision.backend));
        match few.iter().position(|(of, to, _)| *of == kind && same(*to, backend)) {
            Some(place) => few[place].2 += 1,
            None if few.len() < LOOKED_THROUGH => few.push((kind, backend, 1)),
            None => *counts.entry((kind.name(), name(backend))).or_default() += 1,
        }
    }
    for (kind, backend, count) in few {
        *counts.entry((kind.name(), name(backend))).or_default() += count;
    }
    counts
}

impl Snapshot<'_> {
    fn decide(
        &mut self,
        place: usize,
        operation: &Operation,
        timestamp: DateTime,
    ) -> Option<RoutingDecision> {
        let Self { table, health, facts, applying: found, scratch, ranked, .. } = self;
        applying(table.policies().iter().chain(self.policies), operation, self.only, found);
        ranked.clear();
        let (mut evaluations, mut denials, mut reordered) = (0, 0, false);
        table.for_each(operation, scratch, |candidate| {
            if !health.is_usable(&candidate.health_id) {
                return;
            }
            evaluations += 1;
            let priority = candidate.backend.priority;
            match judge(found, &candidate.backend, facts) {
                Verdict::Deny => denials += 1,
                Verdict::Allow => ranked.push((priority, candidate)),
                Verdict::Prefer(boost) => {
                    ranked.push((priority.saturating_add(boost), candidate));
                    reordered = true;
                }
            }
        });
        self.evaluations += evaluations;
        self.denials += denials;
        if reordered {
            ranked.sort_by_key(|(priority, _)| Reverse(*priority));
        }
        let mut backends = ranked.iter().map(|(_, candidate)| Arc::clone(&candidate.backend));
        let backend = backends.next()?;
        Some(RoutingDecision {
            operation: place,
            backend,
            alternatives: backends.collect(),
            timestamp,
        })
    }
}

impl RoutingPlan {
    /// The plan's metadata as Elixir callers see it.
    pub fn metadata(&self) -> Map {
        let policies =
            self.policies_applied.iter().map(|name| name.clone().into()).collect::<Vec<Value>>();
        Map::new().with("routed_at", self.routed_at.to_value()).with("policies_applied", policies)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;
    use crate::semantic::Kind;

    fn graph() -> Graph {
        let operation = Operation::new("a", Kind::ServiceStart, Map::new().with("service", "x"));
        Graph { vertices: vec![operation], ..Graph::default() }
    }

    fn deny_type(name: &str, kind: &str) -> Policy {
        let deny = Map::new().with("name", name).with("type", Value::atom("deny"));
        let kind = Map::new().with("backend_type", Value::atom(kind));
        Policy::from_map(&deny.with("condition", kind))
    }

    fn names(decision: &RoutingDecision) -> Vec<&str> {
        let all = std::iter::once(&decision.backend).chain(&decision.alternatives);
        all.map(|backend| backend.name.as_str()).collect()
    }

    #[test]
    fn a_fresh_control_plane_routes_and_a_strict_one_does_not() {
        let plan = ControlPlane::new(false).route(&graph(), Value::atom("salt"), None).unwrap();
        assert_eq!(names(&plan.decisions[0]), ["systemd", "salt.service", "passthrough"]);
        let strict = ControlPlane::new(true).route(&graph(), Value::Null, None);
        assert_eq!(strict, Err(RouteError::NoBackendAvailable(1)));
    }

    #[test]
    fn unhealthy_and_denied_backends_are_passed_over() {
        let plane = ControlPlane::new(false);
        plane.health_mut().set("local:systemd", Status::Unhealthy);
        plane.policies_mut().add(deny_type("no_remote", "remote")).unwrap();
        let plan = plane.route(&graph(), Value::Null, None).unwrap();
        assert_eq!(plan.decisions[0].backend.name, "passthrough");
        assert_eq!(plane.policies().stats().denials, 1);
    }

    #[test]
    fn what_takes_everything_else_is_no_way_round_a_policy() {
        let plane = ControlPlane::new(false);
        plane.policies_mut().add(deny_type("no_local", "local")).unwrap();
        let plan = plane.route(&graph(), Value::Null, None).unwrap();
        assert_eq!(names(&plan.decisions[0]), ["salt.service"]);
        plane.policies_mut().add(deny_type("no_remote", "remote")).unwrap();
        assert_eq!(
            plane.route(&graph(), Value::Null, None),
            Err(RouteError::NoBackendAvailable(1))
        );
    }

    #[test]
    fn a_preference_orders_backends_anew() {
        let plane = ControlPlane::new(false);
        let remote = Map::new().with("backend_type", Value::atom("remote"));
        let prefer = Map::new().with("name", "away").with("type", Value::atom("prefer"));
        let prefer = prefer.with("action", Map::new().with("boost", 60)).with("condition", remote);
        plane.policies_mut().add(Policy::from_map(&prefer)).unwrap();
        let plan = plane.route(&graph(), Value::Null, None).unwrap();
        assert_eq!(names(&plan.decisions[0]), ["salt.service", "systemd", "passthrough"]);
    }

    #[test]
    fn the_policies_of_a_table_hold_as_long_as_it_does() {
        let plane = ControlPlane::new(false);
        let policy = "policies:\n  - {name: no, type: deny, condition: {operation: 'service_*'}}\n";
        let routes = "routes:\n  - pattern: {operation: '*'}\n    backends: [{name: a}]\n";
        plane.reload(&format!("{routes}{policy}")).unwrap();
        assert!(plane.route(&graph(), Value::Null, None).is_err());
        // They are not among those that callers replace.
        plane.policies_mut().load(Vec::new()).unwrap();
        assert!(plane.route(&graph(), Value::Null, None).is_err());
        plane.reload(routes).unwrap();
        let plan = plane.route(&graph(), Value::Null, None).unwrap();
        assert_eq!(names(&plan.decisions[0]), ["a"]);
    }

    #[test]
    fn a_plan_names_the_policies_that_had_a_say() {
        let plane = ControlPlane::new(false);
        let enforced = Map::new().with("name", "mine").with("type", Value::atom("deny"));
        let enforced = enforced.with("condition", Map::new().with("environment", "no such"));
        let enforced = enforced.with("action", Value::atom("enforce"));
        plane.policies_mut().load(vec![Policy::from_map(&enforced)]).unwrap();
        let only = ["other".to_owned()];
        let plan = plane.route(&graph(), Value::Null, Some(&only)).unwrap();
        assert_eq!(plan.policies_applied, ["other", "mine"]);
    }

    #[test]
    fn each_type_and_backend_is_counted_however_many_there_are() {
        let plane = ControlPlane::new(false);
        let kinds = (0..60).map(|n| OperationType::from_name(&format!("odd_{}", n % 30)));
        let operations: Vec<_> = kinds.map(|kind| Operation::new("a", kind, Map::new())).collect();
        let mut decided = plane.route_batch(&operations, None);
        decided[0] = None;
        let counts = counted(&operations, &decided);
        assert_eq!(counts.len(), 31);
        assert_eq!(counts[&("odd_0", None)], 1);
        assert_eq!(counts[&("odd_0", Some("passthrough"))], 1);
        assert_eq!(counts[&("odd_29", Some("passthrough"))], 2);
    }
}
