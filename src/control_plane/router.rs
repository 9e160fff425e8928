//! Decisions: one backend for each operation, with the alternatives.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Backend, ControlPlane, HealthChecker, PolicyEngine, RoutingTable, Verdict};
use crate::semantic::{DateTime, Graph, GraphError, Map, Operation, Value};
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

/// The parts of a control plane, held still while a batch is routed.
struct Snapshot<'a> {
    table: &'a RoutingTable,
    health: &'a HealthChecker,
    policies: &'a PolicyEngine,
    only: Option<&'a [String]>,
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
        let names = match only {
            Some(names) => names.to_vec(),
            None => self.policies().policies().iter().map(|policy| policy.name.clone()).collect(),
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
        let (decided, evaluations, denials) = {
            let (health, policies) = (self.health(), self.policies());
            let mut snapshot = Snapshot {
                table: &table,
                health: &health,
                policies: &policies,
                only,
                evaluations: 0,
                denials: 0,
            };
            let timestamp = DateTime::now();
            let decide = |(place, operation)| snapshot.decide(place, operation, timestamp);
            let decided: Vec<_> = operations.iter().enumerate().map(decide).collect();
            (decided, snapshot.evaluations, snapshot.denials)
        };
        self.policies_mut().count(evaluations, denials);
        tell(self.telemetry(), operations, &decided, started.elapsed(), denials);
        decided
    }

    /// The backends that policies allow, order kept.
    pub fn apply_policies(
        &self,
        backends: Vec<Backend>,
        operation: &Operation,
        only: Option<&[String]>,
    ) -> Vec<Backend> {
        let all = backends.len();
        let allowed: Vec<Backend> = {
            let policies = self.policies();
            backends
                .into_iter()
                .filter(|backend| policies.evaluate(backend, operation, only) != Verdict::Deny)
                .collect()
        };
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        self.policies_mut().count(count(all), count(all - allowed.len()));
        allowed
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
    let mut counts: HashMap<(&str, Option<&str>), u64> = HashMap::new();
    for (operation, decision) in operations.iter().zip(decided) {
        let backend = decision.as_ref().map(|decision| decision.backend.name.as_str());
        *counts.entry((operation.kind.name(), backend)).or_default() += 1;
    }
    for ((operation_type, backend), count) in counts {
        telemetry.execute(&Event::Decision { operation_type, backend, count, latency });
    }
}

impl Snapshot<'_> {
    fn decide(
        &mut self,
        place: usize,
        operation: &Operation,
        timestamp: DateTime,
    ) -> Option<RoutingDecision> {
        let mut ranked: Vec<(i64, Arc<Backend>)> = Vec::new();
        for backend in self.table.matching(operation) {
            if !self.health.is_usable(&backend.id()) {
                continue;
            }
            self.evaluations += 1;
            match self.policies.evaluate(&backend, operation, self.only) {
                Verdict::Deny => self.denials += 1,
                Verdict::Prefer(boost) => {
                    ranked.push((backend.priority.saturating_add(boost), backend))
                }
                Verdict::Allow => ranked.push((backend.priority, backend)),
            }
        }
        ranked.sort_by_key(|(priority, _)| std::cmp::Reverse(*priority));
        let mut backends = ranked.into_iter().map(|(_, backend)| backend);
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
    use super::super::{Policy, Status};
    use super::*;
    use crate::semantic::Kind;

    fn graph() -> Graph {
        let operation = Operation::new("a", Kind::ServiceStart, Map::new().with("service", "x"));
        Graph { vertices: vec![operation], ..Graph::default() }
    }

    #[test]
    fn a_fresh_control_plane_routes_and_a_strict_one_does_not() {
        let plan = ControlPlane::new(false).route(&graph(), Value::atom("salt"), None).unwrap();
        assert_eq!(plan.decisions[0].backend.name, "systemd");
        let alternatives: Vec<_> =
            plan.decisions[0].alternatives.iter().map(|backend| backend.name.as_str()).collect();
        assert_eq!(alternatives, ["salt.service", "passthrough"]);
        let strict = ControlPlane::new(true).route(&graph(), Value::Null, None);
        assert_eq!(strict, Err(RouteError::NoBackendAvailable(1)));
    }

    #[test]
    fn unhealthy_and_denied_backends_are_passed_over() {
        let plane = ControlPlane::new(false);
        plane.health_mut().set("local:systemd", Status::Unhealthy);
        let deny = Map::new().with("name", "no_remote").with("type", Value::atom("deny"));
        let deny = deny.with("condition", Map::new().with("backend_type", Value::atom("remote")));
        plane.policies_mut().add(Policy::from_map(&deny));
        let plan = plane.route(&graph(), Value::Null, None).unwrap();
        assert_eq!(plan.decisions[0].backend.name, "passthrough");
        assert_eq!(plane.policies().stats().denials, 1);
    }

    #[test]
    fn a_refused_table_leaves_the_old_one() {
        let plane = ControlPlane::new(false);
        let before = plane.table();
        assert!(plane.reload("routes: 1").is_err());
        assert_eq!(*plane.table(), *before);
        plane
            .reload("routes:\n  - pattern: {operation: '*'}\n    backends: [{name: only}]\n")
            .unwrap();
        assert_eq!(plane.table().routes().len(), 1);
    }
}
