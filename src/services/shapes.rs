//! Arguments out of terms: what does not fit is a `function_clause`, as a BEAM has it.

use std::collections::BTreeMap;

use erlang_interop::otp::Exception;
use erlang_interop::term::{Atom, Term};

use crate::cluster::Place;
use crate::control_plane::Backend;
use crate::data_plane::Options;
use crate::semantic::{Graph, Map, Operation, OperationType, Value, terms};
use crate::telemetry::trace::SpanContext;

/// The module atom of a routing plan.
pub(super) const ROUTING_PLAN: &str = "Elixir.HAR.ControlPlane.RoutingPlan";
/// The module atom of a routing decision.
pub(super) const ROUTING_DECISION: &str = "Elixir.HAR.ControlPlane.RoutingDecision";

/// What policies may ask of a node.
pub(super) fn facts(node: &Atom, place: &Place) -> Map {
    Map::new()
        .with("name", node.as_str())
        .with("region", place.region.known())
        .with("zone", place.zone.known())
}

/// The options in a keyword list or map.
pub(super) fn options(term: &Term) -> Result<Map, Exception> {
    terms::options(term).ok_or_else(Exception::function_clause)
}

/// Options of the data plane: `files: %{path => text}` gives other files of the source.
pub(super) fn data_options(values: Map) -> Options {
    let mut files = BTreeMap::new();
    if let Some(Value::Map(map)) = values.get("files") {
        for (path, text) in map.iter() {
            if let (Some(path), Some(text)) = (path.name(), text.as_text()) {
                files.insert(path.to_owned(), text.to_owned());
            }
        }
    }
    Options { values, files, ..Options::default() }
}

/// The trace that a caller's `traceparent: "00-…"` names.
pub(super) fn trace_parent(options: &Map) -> Option<SpanContext> {
    options.text("traceparent")?.parse().ok()
}

/// A graph struct.
pub(super) fn graph(term: &Term) -> Result<Graph, Exception> {
    Graph::from_term(term).ok_or_else(Exception::function_clause)
}

/// A graph struct, or that of a routing plan.
pub(super) fn graph_or_plan(term: &Term) -> Result<Graph, Exception> {
    if terms::is_struct(term, ROUTING_PLAN) {
        let inner = term.as_map().and_then(|map| map.get_atom("graph"));
        return graph(inner.ok_or_else(Exception::function_clause)?);
    }
    graph(term)
}

/// An operation struct.
pub(super) fn operation(term: &Term) -> Result<Operation, Exception> {
    Operation::from_term(term).ok_or_else(Exception::function_clause)
}

/// What can be read of an operation from a struct or from any map.
pub(super) fn any_operation(term: &Term) -> Operation {
    Operation::from_term(term).unwrap_or_else(|| {
        let fields = term.as_map();
        let field = |name: &str| fields.and_then(|fields| fields.get_atom(name));
        let part = |name: &str| field(name).and_then(terms::map).unwrap_or_default();
        let kind = field("type").and_then(Term::as_atom).map_or("", Atom::as_str);
        let operation = Operation::new("", OperationType::from_name(kind), part("params"));
        Operation { target: part("target"), metadata: part("metadata"), ..operation }
    })
}

/// A UTF-8 binary.
pub(super) fn text(term: &Term) -> Result<&str, Exception> {
    term.as_str().ok_or_else(Exception::function_clause)
}

/// A proper list.
pub(super) fn list(term: &Term) -> Result<Vec<Term>, Exception> {
    Ok(term.list_iter().ok_or_else(Exception::function_clause)?.collect())
}

/// A map.
pub(super) fn map(term: &Term) -> Result<Map, Exception> {
    terms::map(term).ok_or_else(Exception::function_clause)
}

/// A backend's map.
pub(super) fn backend(term: &Term) -> Result<Backend, Exception> {
    map(term).map(|map| Backend::from_map(&map))
}

/// The policy names in `policies: […]`; only binaries name a policy.
pub(super) fn policy_names(options: &Map) -> Option<Vec<String>> {
    let names = options.get("policies")?.as_list()?;
    let text = |value: &Value| match value {
        Value::String(name) => Some(name.clone()),
        _ => None,
    };
    Some(names.iter().filter_map(text).collect())
}
