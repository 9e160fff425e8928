//! What events add up to: the metrics of this node.

use std::time::Duration;

use super::events::Event;
use super::series::{BOUNDS_S, Counter, Gauge, Histogram, Labelled};

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, until the node starts anew.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Durations by length.
    Histogram,
}

impl Kind {
    /// `counter`, `gauge` or `histogram`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric with all its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// Its name, as Prometheus has it: `har_routing_decisions_total`.
    pub name: &'static str,
    /// What it is, in a sentence.
    pub help: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// Its values.
    pub samples: Vec<Sample>,
}

/// One value of a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What follows the name: `_bucket`, `_sum` and `_count` of a histogram.
    pub suffix: &'static str,
    /// Names and values of its labels.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub value: f64,
}

impl Family {
    /// A metric with one value and no labels.
    #[must_use]
    pub fn one(name: &'static str, help: &'static str, kind: Kind, value: f64) -> Self {
        let samples = vec![Sample { suffix: "", labels: Vec::new(), value }];
        Self { name, help, kind, samples }
    }
}

/// The metrics that events are counted in.
pub(super) struct Metrics {
    decisions: Labelled<Counter, 2>,
    unroutable: Labelled<Counter, 1>,
    decision_time: Histogram,
    violations: Counter,
    health_changes: Labelled<Counter, 1>,
    reloads: Labelled<Counter, 1>,
    parse_time: Labelled<Histogram, 1>,
    parse_errors: Labelled<Counter, 1>,
    transform_time: Labelled<Histogram, 1>,
    transform_errors: Labelled<Counter, 1>,
    convert_time: Labelled<Histogram, 2>,
    convert_errors: Labelled<Counter, 2>,
    pub(super) latency: Labelled<Gauge, 1>,
    node_ups: Counter,
    node_downs: Counter,
    auth_failures: Counter,
    audited: Counter,
    budgets: Labelled<Counter, 1>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            decisions: Labelled::new(["operation_type", "backend"]),
            unroutable: Labelled::new(["operation_type"]),
            decision_time: Histogram::default(),
            violations: Counter::default(),
            health_changes: Labelled::new(["to"]),
            reloads: Labelled::new(["result"]),
            parse_time: Labelled::new(["format"]),
            parse_errors: Labelled::new(["format"]),
            transform_time: Labelled::new(["target"]),
            transform_errors: Labelled::new(["target"]),
            convert_time: Labelled::new(["from", "to"]),
            convert_errors: Labelled::new(["from", "to"]),
            latency: Labelled::new(["target"]),
            node_ups: Counter::default(),
            node_downs: Counter::default(),
            auth_failures: Counter::default(),
            audited: Counter::default(),
            budgets: Labelled::new(["budget"]),
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "a metric is a double; 2^53 is far")]
pub(super) fn real(number: u64) -> f64 {
    number as f64
}

impl Metrics {
    /// Counts an event.
    pub(super) fn observe(&self, event: &Event<'_>) {
        match *event {
            Event::RoutingDecision { count, latency } => {
                self.decision_time.observe(latency, count);
            }
            Event::Decision { operation_type, backend: Some(backend), count, .. } => {
                self.decisions.of([operation_type, backend]).add(count);
            }
            Event::Decision { operation_type, backend: None, count, .. } => {
                self.unroutable.of([operation_type]).add(count);
            }
            Event::PolicyViolation { count } => self.violations.add(count),
            Event::HealthChange { to, .. } => self.health_changes.of([to]).add(1),
            Event::TableReload { routes } => {
                self.reloads.of([if routes.is_some() { "ok" } else { "error" }]).add(1);
            }
            Event::ParseComplete { format, latency, .. } => {
                self.parse_time.of([format]).observe(latency, 1);
            }
            Event::ParseError { format } => self.parse_errors.of([format]).add(1),
            Event::TransformComplete { target, latency, .. } => {
                self.transform_time.of([target]).observe(latency, 1);
            }
            Event::TransformError { target } => self.transform_errors.of([target]).add(1),
            Event::ConvertComplete { from, to, latency, .. } => {
                self.convert_time.of([from, to]).observe(latency, 1);
            }
            Event::ConvertError { from, to } => self.convert_errors.of([from, to]).add(1),
            Event::ClusterLatency { target, latency } => {
                self.latency.of([target]).set(latency.as_secs_f64());
            }
            Event::NodeUp { .. } => self.node_ups.add(1),
            Event::NodeDown { .. } => self.node_downs.add(1),
            Event::AuthFailed { .. } => self.auth_failures.add(1),
            Event::AuditLogged { .. } => self.audited.add(1),
            Event::BudgetExceeded { budget, .. } => self.budgets.of([budget]).add(1),
            // What can be read when somebody asks is read then: see `process`.
            Event::ClusterSize { .. }
            | Event::ClusterQueue { .. }
            | Event::Memory { .. }
            | Event::ProcessCount { .. } => {}
        }
    }

    /// All of them with their values.
    pub(super) fn families(&self) -> Vec<Family> {
        let mut all = self.of_routing();
        all.extend(self.of_conversion());
        all.extend(self.of_cluster());
        all
    }

    fn of_routing(&self) -> Vec<Family> {
        vec![
            counters(
                "har_routing_decisions_total",
                "Operations that went to a backend.",
                &self.decisions,
            ),
            counters(
                "har_routing_unroutable_total",
                "Operations that no backend could take.",
                &self.unroutable,
            ),
            Family {
                name: "har_routing_decision_seconds",
                help: "Time of a decision about one operation; in a batch, its share.",
                kind: Kind::Histogram,
                samples: durations(&self.decision_time, &[]),
            },
            counter(
                "har_policy_violations_total",
                "Backends that a policy refused while an operation was routed.",
                &self.violations,
            ),
            counters(
                "har_backend_health_changes_total",
                "Changes of the health of backends, by what it became.",
                &self.health_changes,
            ),
            counters(
                "har_routing_table_reloads_total",
                "Routing tables put in place (ok) or refused (error).",
                &self.reloads,
            ),
        ]
    }

    fn of_conversion(&self) -> Vec<Family> {
        vec![
            histograms("har_parse_seconds", "Time to parse a source.", &self.parse_time),
            counters(
                "har_parse_errors_total",
                "Sources that could not be parsed.",
                &self.parse_errors,
            ),
            histograms("har_transform_seconds", "Time to write a graph.", &self.transform_time),
            counters(
                "har_transform_errors_total",
                "Graphs that could not be written.",
                &self.transform_errors,
            ),
            histograms(
                "har_convert_seconds",
                "Time to convert a source: parse, route, write.",
                &self.convert_time,
            ),
            counters(
                "har_convert_errors_total",
                "Conversions that ended with an error.",
                &self.convert_errors,
            ),
        ]
    }

    fn of_cluster(&self) -> Vec<Family> {
        vec![
            gauges(
                "har_cluster_latency_seconds",
                "Time of a call to a peer, smoothed.",
                &self.latency,
            ),
            counter("har_cluster_node_ups_total", "Peers that have joined.", &self.node_ups),
            counter("har_cluster_node_downs_total", "Peers that were lost.", &self.node_downs),
            counter("har_auth_failures_total", "Peers that were not let in.", &self.auth_failures),
            counter("har_audit_events_total", "Lines of the audit log.", &self.audited),
            counters(
                "har_budgets_exceeded_total",
                "Budgets that peers have used up.",
                &self.budgets,
            ),
        ]
    }
}

fn counter(name: &'static str, help: &'static str, counter: &Counter) -> Family {
    Family::one(name, help, Kind::Counter, real(counter.value()))
}

fn counters<const N: usize>(
    name: &'static str,
    help: &'static str,
    counters: &Labelled<Counter, N>,
) -> Family {
    labelled(name, help, Kind::Counter, counters, |counter| real(counter.value()))
}

fn gauges<const N: usize>(
    name: &'static str,
    help: &'static str,
    gauges: &Labelled<Gauge, N>,
) -> Family {
    labelled(name, help, Kind::Gauge, gauges, Gauge::value)
}

fn labelled<T: Default, const N: usize>(
    name: &'static str,
    help: &'static str,
    kind: Kind,
    numbers: &Labelled<T, N>,
    value: fn(&T) -> f64,
) -> Family {
    let sample = |(labels, number): ([Box<str>; N], std::sync::Arc<T>)| Sample {
        suffix: "",
        labels: numbers.names.into_iter().zip(labels.map(String::from)).collect(),
        value: value(&number),
    };
    Family { name, help, kind, samples: numbers.all().into_iter().map(sample).collect() }
}

fn histograms<const N: usize>(
    name: &'static str,
    help: &'static str,
    histograms: &Labelled<Histogram, N>,
) -> Family {
    let samples = histograms.all().into_iter().flat_map(|(labels, histogram)| {
        let labels: Vec<_> = histograms.names.into_iter().zip(labels.map(String::from)).collect();
        durations(&histogram, &labels)
    });
    Family { name, help, kind: Kind::Histogram, samples: samples.collect() }
}

/// The samples of a histogram: cumulated buckets, sum, count.
fn durations(histogram: &Histogram, labels: &[(&'static str, String)]) -> Vec<Sample> {
    let (counts, sum) = histogram.cumulated();
    let bounds = BOUNDS_S.iter().map(ToString::to_string).chain(["+Inf".to_owned()]);
    let bucket = |(bound, count)| {
        let mut labels = labels.to_vec();
        labels.push(("le", bound));
        Sample { suffix: "_bucket", labels, value: real(count) }
    };
    let mut samples: Vec<Sample> = bounds.zip(counts).map(bucket).collect();
    let last = |suffix, value| Sample { suffix, labels: labels.to_vec(), value };
    samples.push(last("_sum", sum));
    samples.push(last("_count", real(counts[BOUNDS_S.len()])));
    samples
}

/// A time that operations took together, for each.
pub(crate) fn share(time: Duration, operations: u64) -> Duration {
    let operations = u32::try_from(operations).unwrap_or(u32::MAX).max(1);
    time / operations
}
