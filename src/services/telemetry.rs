//! `HAR.Telemetry`: what has happened on this node, for whoever asks all nodes.

use std::time::UNIX_EPOCH;

use erlang_interop::otp::{Call, Exception, FunctionsBuilder, Outcome};
use erlang_interop::term::{Atom, Term, atom, term};

use super::errors::error;
use crate::semantic::terms::atom_of;
use crate::telemetry::events::{Meta, Number};
use crate::telemetry::{
    AttachError, Event, Family, Name, Recorded, Sample, Telemetry, measure_memory,
    measure_process_count,
};

const MODULE: &str = "Elixir.HAR.Telemetry";
/// The handler of `attach_handlers/0`.
const LOG_HANDLER: &str = "har-log";
/// What it logs. spec: contract 6
const LOGGED: &[Name] = &[Name::Decision, Name::ParseComplete, Name::TransformComplete];
/// Longest prefix of a name that is looked at.
const PREFIX_MAX: usize = 8;

pub(super) fn register(functions: &mut FunctionsBuilder, telemetry: &Telemetry) {
    let shared = telemetry.clone();
    functions.pure(MODULE, "attach_handlers", 0, move |_| attach_handlers(&shared));
    let shared = telemetry.clone();
    functions.function(MODULE, "measure_memory", 0, move |call: Call| {
        measure_memory(&shared, call.node());
        async move { Ok(term!(ok)) }
    });
    let shared = telemetry.clone();
    functions.function(MODULE, "measure_process_count", 0, move |call: Call| {
        measure_process_count(&shared, call.node());
        async move { Ok(term!(ok)) }
    });
    let shared = telemetry.clone();
    functions.pure(MODULE, "events", 0, move |_| Ok(events(&shared.recent(&[]))));
    let shared = telemetry.clone();
    functions.pure(MODULE, "events", 1, move |args| {
        let prefix = prefix(&args[0])?;
        let prefix: Vec<&str> = prefix.iter().map(Atom::as_str).collect();
        Ok(events(&shared.recent(&prefix)))
    });
    let shared = telemetry.clone();
    functions.function(MODULE, "metrics", 0, move |call: Call| {
        let metrics = metrics(&shared, &call);
        async move { Ok(metrics) }
    });
}

/// Has decisions, parsed sources and written graphs logged; `{:error, :already_exists}` when they
/// are.
fn attach_handlers(telemetry: &Telemetry) -> Outcome {
    let log = |event: &Event<'_>| {
        let (measured, of) = (event.measurements(), event.metadata(""));
        tracing::info!(event = event.name().path().join("."), ?measured, ?of);
    };
    Ok(match telemetry.attach(LOG_HANDLER, LOGGED, log) {
        Ok(()) => term!(ok),
        Err(AttachError::AlreadyExists) => error(term!(already_exists)),
        Err(_) => error(term!(system_limit)),
    })
}

/// The beginning of a name: a list of atoms.
fn prefix(given: &Term) -> Result<Vec<Atom>, Exception> {
    let parts = given.list_iter().ok_or_else(Exception::badarg)?;
    let parts = parts.take(PREFIX_MAX);
    parts.map(|part| part.as_atom().cloned().ok_or_else(Exception::badarg)).collect()
}

/// `[%{event: [:har, :cluster, :node_up], measurements: %{count: 1}, metadata: %{node: :"a@h"},
/// time: 1700000000000}]`, the oldest first; times in milliseconds since 1970.
fn events(recorded: &[Recorded]) -> Term {
    Term::list(recorded.iter().map(|recorded| {
        let since = recorded.at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let time = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        let measured =
            recorded.measurements.iter().map(|(name, value)| (key(name), number(*value)));
        let metadata = recorded.metadata.iter().map(|(name, value)| (key(name), meta(value)));
        term!(#{
            event => (path(recorded.name)),
            measurements => (Term::map(measured)),
            metadata => (Term::map(metadata)),
            time => (Term::from(time)),
        })
    }))
}

fn path(name: Name) -> Term {
    Term::list(name.path().iter().map(|part| Term::atom(part)))
}

fn key(name: &'static str) -> Term {
    Term::atom(name)
}

fn number(value: Number) -> Term {
    match value {
        Number::Whole(count) => Term::from(i64::try_from(count).unwrap_or(i64::MAX)),
        Number::Real(real) => Term::from(real),
    }
}

fn meta(value: &Meta) -> Term {
    match value {
        Meta::Text(text) => Term::string(text),
        Meta::Atom(name) => Term::Atom(atom_of(name)),
        Meta::Whole(count) => number(Number::Whole(*count)),
        Meta::Nil => term!(nil),
    }
}

/// `%{node: node(), events: %{[:har, :cluster, :node_up] => 2}, metrics: %{"har_cluster_nodes" =>
/// %{type: :gauge, help: "…", samples: [%{name: "har_cluster_nodes", labels: %{}, value: 3.0}]}}}`.
fn metrics(telemetry: &Telemetry, call: &Call) -> Term {
    let totals = telemetry.totals().map(|(name, total)| (path(name), number(Number::Whole(total))));
    let families = telemetry.metrics(call.node());
    let families = families.iter().map(|family| (Term::string(family.name), of_family(family)));
    Term::map([
        (key("node"), Term::from(call.node().name())),
        (key("events"), Term::map(totals)),
        (key("metrics"), Term::map(families)),
    ])
}

fn of_family(family: &Family) -> Term {
    let samples = family.samples.iter().map(|sample| of_sample(family.name, sample));
    term!(#{
        type => (Term::atom(family.kind.as_str())),
        help => (Term::string(family.help)),
        samples => (Term::list(samples)),
    })
}

fn of_sample(name: &str, sample: &Sample) -> Term {
    let labels = sample.labels.iter().map(|(name, value)| (key(name), Term::string(value)));
    // A term cannot be infinite.
    let value = if sample.value.is_finite() {
        Term::from(sample.value)
    } else {
        Term::Atom(atom!("infinity"))
    };
    term!(#{
        name => (Term::string(&format!("{name}{}", sample.suffix))),
        labels => (Term::map(labels)),
        value => (value),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_lists_of_maps_with_times() {
        let telemetry = Telemetry::of_node("me@h");
        telemetry.execute(&Event::NodeDown { node: "a@h", reason: "closed" });
        let listed = events(&telemetry.recent(&["har", "cluster"]));
        let event = listed.list_iter().unwrap().next().unwrap();
        let fields = event.as_map().unwrap();
        assert_eq!(fields.get_atom("event"), Some(&term!([har, cluster, node_down])));
        assert_eq!(fields.get_atom("measurements"), Some(&term!(#{count => 1})));
        let metadata = term!(#{node => (atom!("a@h")), reason => "closed"});
        assert_eq!(fields.get_atom("metadata"), Some(&metadata));
        assert!(fields.get_atom("time").and_then(Term::as_integer) > Some(1_700_000_000_000));
    }

    #[test]
    fn a_prefix_is_a_list_of_atoms() {
        assert_eq!(prefix(&term!([har, cluster])), Ok(vec![atom!("har"), atom!("cluster")]));
        assert_eq!(prefix(&Term::Nil), Ok(vec![]));
        assert_eq!(prefix(&term!(har)), Err(Exception::badarg()));
        assert_eq!(prefix(&term!([1])), Err(Exception::badarg()));
    }

    #[test]
    fn handlers_are_attached_once() {
        let telemetry = Telemetry::default();
        assert_eq!(attach_handlers(&telemetry), Ok(term!(ok)));
        assert_eq!(attach_handlers(&telemetry), Ok(term!({error, already_exists})));
        assert!(telemetry.detach(LOG_HANDLER));
    }

    #[test]
    fn what_has_no_end_is_an_atom() {
        let sample = Sample { suffix: "_bucket", labels: vec![("le", "1".into())], value: 1.5 };
        let shown = of_sample("x", &sample);
        let wanted = term!(#{name => "x_bucket", labels => #{le => "1"}, value => (1.5)});
        assert_eq!(shown, wanted);
        let sample = Sample { value: f64::INFINITY, ..sample };
        let shown = of_sample("x", &sample);
        assert!(shown.as_map().unwrap().get_atom("value").unwrap().is_atom("infinity"));
    }
}
