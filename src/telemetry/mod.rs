//! What the program tells of itself: log lines, events, metrics.
//!
//! ```text
//! router, services, cluster ─Event→ Telemetry::execute ─→ metrics  ─→ /metrics, HAR.Telemetry.metrics/0
//!                                                      ├→ recent   ─→ HAR.Telemetry.events/0,1
//!                                                      └→ handlers (attached from Rust)
//! ```
//! All names are in [`events`]. Nothing here waits, fails or allocates without bound: who observes
//! must not disturb.

pub mod events;
mod handlers;
pub mod logging;
mod metrics;
mod poller;
mod process;
mod recent;
mod series;
pub mod trace;
mod watch;

use std::fmt;
use std::sync::{Arc, OnceLock};

pub use events::{Event, Name};
pub use handlers::AttachError;
pub(crate) use metrics::share;
pub use metrics::{Family, Kind, Sample};
pub(crate) use poller::{keep_measuring, measure_memory, measure_process_count};
pub use recent::Recorded;
pub(crate) use watch::Watch;

use handlers::Handlers;
use metrics::{Metrics, real};
use recent::Recent;
use series::Counter;
use trace::Collector;

/// The events of a node. Clones share them.
#[derive(Clone, Default)]
pub struct Telemetry {
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    node: OnceLock<String>,
    metrics: Metrics,
    recent: Recent,
    handlers: Handlers,
    collector: OnceLock<Collector>,
    spans_exported: Counter,
    spans_dropped: Counter,
}

impl Telemetry {
    /// For the node of this name.
    #[must_use]
    pub fn of_node(name: &str) -> Self {
        let telemetry = Self::default();
        // It was made a line ago: nobody has named it.
        let _ = telemetry.state.node.set(name.to_owned());
        telemetry
    }

    fn node(&self) -> &str {
        self.state.node.get().map_or("nonode@nohost", String::as_str)
    }

    /// Has spans go to this collector. `false`: they go to one already.
    fn collect(&self, collector: Collector) -> bool {
        self.state.collector.set(collector).is_ok()
    }

    fn collector(&self) -> Option<&Collector> {
        self.state.collector.get()
    }

    fn spans_exported(&self, count: usize) {
        self.state.spans_exported.add(count as u64);
    }

    fn spans_dropped(&self, count: usize) {
        self.state.spans_dropped.add(count as u64);
    }

    /// Says that something happened.
    pub fn execute(&self, event: &Event<'_>) {
        self.state.metrics.observe(event);
        self.state.recent.add(event, self.node());
        self.state.handlers.call(event);
    }

    /// Has `run` called for each event of these names, by whoever causes it: it must not wait. A
    /// handler that panics is detached.
    ///
    /// # Errors
    /// [`AttachError`]: there is one of that name, or there are too many.
    pub fn attach(
        &self,
        id: &str,
        names: &[Name],
        run: impl Fn(&Event<'_>) + Send + Sync + 'static,
    ) -> Result<(), AttachError> {
        self.state.handlers.attach(id, names, Arc::new(run))
    }

    /// Takes a handler away; whether there was one of that name.
    pub fn detach(&self, id: &str) -> bool {
        self.state.handlers.detach(id)
    }

    /// The last events whose names begin with `prefix`, the oldest first. Of those that come often
    /// there are samples.
    #[must_use]
    pub fn recent(&self, prefix: &[&str]) -> Vec<Recorded> {
        self.state.recent.list(prefix)
    }

    /// How often each event has happened.
    pub fn totals(&self) -> impl Iterator<Item = (Name, u64)> {
        self.state.recent.totals()
    }

    /// All metrics with their values now, `node`'s own included.
    #[must_use]
    pub fn metrics(&self, node: &erlang_interop::node::Node) -> Vec<Family> {
        let mut families = self.state.metrics.families();
        families.push(Family {
            name: "har_events_total",
            help: "Telemetry events, by name.",
            kind: Kind::Counter,
            samples: self
                .totals()
                .map(|(name, total)| Sample {
                    suffix: "",
                    labels: vec![("event", name.path().join("."))],
                    value: real(total),
                })
                .collect(),
        });
        families.push(Family::one(
            "har_telemetry_handlers_detached_total",
            "Telemetry handlers that panicked.",
            Kind::Counter,
            real(self.state.handlers.detached()),
        ));
        let spans = |name, help, counter: &Counter| {
            Family::one(name, help, Kind::Counter, real(counter.value()))
        };
        families.push(spans(
            "har_trace_spans_exported_total",
            "Spans that the collector has taken.",
            &self.state.spans_exported,
        ));
        families.push(spans(
            "har_trace_spans_dropped_total",
            "Spans that no collector has taken.",
            &self.state.spans_dropped,
        ));
        families.extend(process::families(node));
        families
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Telemetry({})", self.node())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use super::events::{Meta, Number};
    use super::*;

    #[test]
    fn handlers_get_what_they_want_until_they_panic() {
        let telemetry = Telemetry::of_node("me@h");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let own = Arc::clone(&seen);
        let note = move |event: &Event<'_>| own.lock().expect("whole").push(event.name());
        telemetry.attach("note", &[Name::NodeUp, Name::NodeDown], note).expect("attached");
        telemetry.attach("bad", &[Name::NodeUp], |_| panic!("a bad handler")).expect("attached");
        let again = telemetry.attach("note", &[], |_| {});
        assert_eq!(again, Err(AttachError::AlreadyExists));
        telemetry.execute(&Event::NodeUp { node: "a@h" });
        telemetry.execute(&Event::NodeDown { node: "a@h", reason: "gone" });
        telemetry.execute(&Event::ClusterSize { nodes: 1 });
        assert_eq!(*seen.lock().expect("whole"), [Name::NodeUp, Name::NodeDown]);
        assert!(!telemetry.detach("bad"), "it was detached when it panicked");
        assert_eq!(telemetry.state.handlers.detached(), 1);
        assert!(telemetry.detach("note"));
        telemetry.execute(&Event::NodeUp { node: "a@h" });
        assert_eq!(seen.lock().expect("whole").len(), 2);
    }

    #[test]
    fn a_handler_may_attach_another() {
        let telemetry = Telemetry::default();
        let own = telemetry.clone();
        let attach = move |_: &Event<'_>| own.attach("two", &[Name::NodeUp], |_| {}).expect("room");
        telemetry.attach("one", &[Name::NodeUp], attach).expect("attached");
        telemetry.execute(&Event::NodeUp { node: "a@h" });
        assert!(telemetry.detach("two"));
    }

    #[test]
    fn handlers_are_bounded() {
        let telemetry = Telemetry::default();
        let attach = |number: usize| telemetry.attach(&number.to_string(), &[], |_| {});
        let refused = (0..1000).find_map(|number| attach(number).err());
        assert_eq!(refused, Some(AttachError::TooMany));
    }

    #[test]
    fn the_last_events_are_kept_and_all_are_counted() {
        let telemetry = Telemetry::of_node("me@h");
        for number in 0..1000 {
            telemetry.execute(&Event::NodeDown { node: &format!("n{number}@h"), reason: "x" });
            let latency = Duration::from_millis(5);
            telemetry.execute(&Event::RoutingDecision { count: 10, latency });
        }
        let downs = telemetry.recent(&["har", "cluster", "node_down"]);
        let last = downs.last().expect("kept");
        assert_eq!(last.metadata[0], ("node", Meta::Atom("n999@h".into())));
        assert!(downs.len() < 100, "bounded: {}", downs.len());
        let routed = telemetry.recent(&["har", "routing"]);
        assert_eq!(routed[0].measurements[1], ("count", Number::Whole(10)));
        assert_eq!(routed[0].metadata, [("node", Meta::Atom("me@h".into()))]);
        let total = |wanted| telemetry.totals().find(|(name, _)| *name == wanted).map(|one| one.1);
        assert_eq!(total(Name::RoutingDecision), Some(1000));
        assert_eq!(total(Name::NodeDown), Some(1000));
        assert!(telemetry.recent(&["nothing"]).is_empty());
        assert!(telemetry.recent(&[]).is_sorted_by_key(|recorded| recorded.at));
    }

    #[test]
    fn events_add_up_to_metrics() {
        let telemetry = Telemetry::default();
        let latency = Duration::from_micros(2);
        let backend = Some("apt");
        let decided = Event::Decision { operation_type: "file_write", backend, count: 3, latency };
        telemetry.execute(&decided);
        telemetry.execute(&decided);
        telemetry.execute(&Event::RoutingDecision { count: 6, latency });
        let families = telemetry.state.metrics.families();
        let of = |name: &str| {
            let family = families.iter().find(|family| family.name == name);
            &family.unwrap_or_else(|| panic!("no {name}")).samples
        };
        let [decisions] = &of("har_routing_decisions_total")[..] else { panic!("one set") };
        assert_eq!(decisions.value, 6.0);
        let labels = [("operation_type", "file_write"), ("backend", "apt")];
        assert_eq!(decisions.labels, labels.map(|(name, value)| (name, value.to_owned())));
        let count = of("har_routing_decision_seconds").last().expect("samples");
        assert_eq!((count.suffix, count.value), ("_count", 6.0));
    }
}
