//! `HAR.ControlPlane.Router` and `HAR.ControlPlane.RoutingTable`.

use std::collections::HashMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::sync::Arc;

use erlang_interop::otp::{FunctionsBuilder, Outcome};
use erlang_interop::term::{Term, atom, term};

use super::errors::{error, key_error, ok, route_reason, table_reason};
use super::keyed;
use super::shapes::{self, ROUTING_DECISION, ROUTING_PLAN};
use crate::cluster::Cluster;
use crate::control_plane::{Backend, ControlPlane, RoutingDecision};
use crate::data_plane::limits::SOURCE_BYTES_MAX;
use crate::semantic::{DateTime, Map, Operation, Value, terms};
use crate::telemetry::trace::{Attribute, Span, SpanKind};

const ROUTER: &str = "Elixir.HAR.ControlPlane.Router";
pub(super) const ROUTING_TABLE: &str = "Elixir.HAR.ControlPlane.RoutingTable";

pub(super) fn register(functions: &mut FunctionsBuilder, plane: &ControlPlane, cluster: &Cluster) {
    let shared = plane.clone();
    keyed::register_blocking(functions, (plane, cluster), (ROUTER, "route"), move |args| {
        route(&shared, &args[0], &args[1])
    });
    let shared = plane.clone();
    functions
        .blocking(ROUTER, "route_batch", 1, move |args| route_batch(&shared, &args[0], &Term::Nil));
    let shared = plane.clone();
    keyed::register_blocking(functions, (plane, cluster), (ROUTER, "route_batch"), move |args| {
        route_batch(&shared, &args[0], &args[1])
    });
    let shared = plane.clone();
    functions.pure(ROUTING_TABLE, "match", 2, move |args| matching(&shared, &args[0], &args[1]));
    let shared = plane.clone();
    functions.blocking(ROUTING_TABLE, "reload", 1, move |args| reload(&shared, &args[0]));
    let shared = plane.clone();
    functions.pure(ROUTING_TABLE, "get_routes", 0, move |_| Ok(routes(&shared)));
    let shared = plane.clone();
    functions.pure(ROUTING_TABLE, "version", 0, move |_| Ok(version(&shared)));
}

/// `{:ok, %RoutingPlan{}}`. The plan holds the graph as the caller gave it.
pub(super) fn route(plane: &ControlPlane, graph_term: &Term, options_term: &Term) -> Outcome {
    let graph = shapes::graph(graph_term)?;
    let options = shapes::options(options_term)?;
    let Some(target) = options.get("target").cloned() else {
        return Err(key_error("target", options_term));
    };
    let mut span = span(plane, "HAR.ControlPlane.Router.route", &options, graph.vertices.len());
    let plan = match plane.route(&graph, target.clone(), shapes::policy_names(&options).as_deref())
    {
        Ok(plan) => plan,
        Err(fault) => {
            span.fail();
            return Ok(error(route_reason(&fault)));
        }
    };
    let vertices = graph_term.as_map().and_then(|map| map.get_atom("vertices"));
    let given: Vec<Term> = vertices.and_then(Term::list_iter).into_iter().flatten().collect();
    let mut shown = Shown::default();
    let decisions: Vec<Term> = plan
        .decisions
        .iter()
        .map(|decision| shown.decision(decision, &given[decision.operation]))
        .collect();
    Ok(ok(terms::structure(
        ROUTING_PLAN,
        [
            ("graph", graph_term.clone()),
            ("decisions", Term::list(decisions)),
            ("target", terms::term(&target)),
            ("metadata", terms::map_term(&plan.metadata())),
        ],
    )))
}

/// The span of what is done for a call.
fn span(plane: &ControlPlane, name: &'static str, options: &Map, operations: usize) -> Span {
    let parent = shapes::trace_parent(options);
    let mut span = plane.telemetry().begin(name, SpanKind::Server, parent);
    span.set("har.operations", Attribute::Whole(operations as u64));
    span
}

/// Backends as terms, made once for all decisions of an answer: most have the same few.
#[derive(Default)]
struct Shown {
    backends: HashMap<*const Backend, Term>,
    lists: HashMap<Vec<*const Backend>, Term>,
    timestamp: Option<(DateTime, Term)>,
}

impl Shown {
    fn backend(&mut self, backend: &Arc<Backend>) -> Term {
        let term = || terms::term(&backend.to_value());
        self.backends.entry(Arc::as_ptr(backend)).or_insert_with(term).clone()
    }

    fn list(&mut self, backends: &[Arc<Backend>]) -> Term {
        let key: Vec<_> = backends.iter().map(Arc::as_ptr).collect();
        if let Some(list) = self.lists.get(&key) {
            return list.clone();
        }
        let list =
            Term::list(backends.iter().map(|backend| self.backend(backend)).collect::<Vec<_>>());
        self.lists.insert(key, list.clone());
        list
    }

    fn timestamp(&mut self, at: DateTime) -> Term {
        match &self.timestamp {
            Some((shown, term)) if *shown == at => term.clone(),
            _ => self.timestamp.insert((at, terms::term(&at.to_value()))).1.clone(),
        }
    }

    fn decision(&mut self, decision: &RoutingDecision, operation: &Term) -> Term {
        terms::structure(
            ROUTING_DECISION,
            [
                ("operation", operation.clone()),
                ("backend", self.backend(&decision.backend)),
                ("alternatives", self.list(&decision.alternatives)),
                ("reason", term!(pattern_match)),
                ("timestamp", self.timestamp(decision.timestamp)),
            ],
        )
    }
}

/// One result for each operation, in order: `{:ok, decision}` or `{:error, :no_backend_available}`.
fn route_batch(plane: &ControlPlane, operations: &Term, options: &Term) -> Outcome {
    let given = shapes::list(operations)?;
    let operations = given.iter().map(shapes::operation).collect::<Result<Vec<Operation>, _>>()?;
    let options = shapes::options(options)?;
    let policies = shapes::policy_names(&options);
    let name = "HAR.ControlPlane.Router.route_batch";
    let _span = span(plane, name, &options, operations.len());
    let decided = plane.route_batch(&operations, policies.as_deref());
    let mut shown = Shown::default();
    let results = decided.iter().zip(&given).map(|(decision, operation)| match decision {
        Some(decision) => ok(shown.decision(decision, operation)),
        None => term!({error, no_backend_available}),
    });
    Ok(Term::list(results.collect::<Vec<_>>()))
}

/// The backends for an operation. A map as target is laid over the operation's own.
pub(super) fn matching(plane: &ControlPlane, operation: &Term, target: &Term) -> Outcome {
    let mut operation = shapes::operation(operation)?;
    if let Some(target) = terms::map(target) {
        operation.target.extend(target);
    }
    let found = plane.table().matching(&operation);
    Ok(Term::list(found.iter().map(|backend| terms::term(&backend.to_value()))))
}

/// Reads a table from this node's disk; `:ok`, or `{:error, reason}` and the old one stays.
pub(super) fn reload(plane: &ControlPlane, path: &Term) -> Outcome {
    let source = match read_file(shapes::text(path)?) {
        Ok(source) => source,
        Err(reason) => return Ok(error(reason)),
    };
    Ok(match plane.reload(&source) {
        Ok(()) => term!(ok),
        Err(fault) => error(table_reason(&fault)),
    })
}

fn read_file(path: &str) -> Result<String, Term> {
    let reason = |fault: std::io::Error| match fault.kind() {
        ErrorKind::NotFound => term!(enoent),
        ErrorKind::PermissionDenied => term!(eacces),
        ErrorKind::IsADirectory => term!(eisdir),
        ErrorKind::NotADirectory => term!(enotdir),
        ErrorKind::InvalidData => term!({invalid_routing_table, "the file is not UTF-8"}),
        _ => term!(eio),
    };
    let limit = u64::try_from(SOURCE_BYTES_MAX).unwrap_or(u64::MAX);
    // Asked before it is opened: opening a pipe waits for its writer, and nobody may make us wait.
    let metadata = std::fs::metadata(path).map_err(reason)?;
    if !metadata.is_file() && !metadata.is_dir() {
        return Err(term!({invalid_routing_table, "not a regular file"}));
    }
    let file = File::open(path).map_err(reason)?;
    let mut source = String::new();
    // One byte more than allowed tells a file that is too long.
    file.take(limit + 1).read_to_string(&mut source).map_err(reason)?;
    if source.len() > SOURCE_BYTES_MAX {
        return Err(Term::from((
            atom!("invalid_routing_table"),
            Term::from("the file is too large"),
        )));
    }
    Ok(source)
}

/// Which table is in force: `%{serial: 3, digest: "…"}`. Nodes with equal ones route alike.
pub(super) fn version(plane: &ControlPlane) -> Term {
    let table = plane.table();
    let version = table.version();
    let serial = i64::try_from(version.serial).unwrap_or(i64::MAX);
    term!(#{serial => (serial), digest => (version.digest.as_str())})
}

/// The table as `[%{pattern: …, backends: […]}]`.
pub(super) fn routes(plane: &ControlPlane) -> Term {
    Term::list(plane.table().routes().iter().map(|route| terms::term(&route.to_value())))
}

/// The state that `:sys.get_state/1` shows.
pub(super) fn state(plane: &ControlPlane) -> Term {
    terms::map_term(&Map::new().with("routes", Value::Opaque(routes(plane))))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::semantic::Kind;

    fn operation() -> Term {
        Operation::new("a", Kind::ServiceStart, Map::new().with("service", "x")).to_term()
    }

    #[test]
    fn a_batch_gives_a_result_for_each_in_order() {
        let plane = ControlPlane::new(false);
        let results =
            route_batch(&plane, &Term::list([operation(), operation()]), &Term::Nil).unwrap();
        let results: Vec<Term> = results.list_iter().unwrap().collect();
        assert_eq!(results.len(), 2);
        let decision = &results[0].as_tagged("ok").unwrap()[0];
        assert!(terms::is_struct(decision, ROUTING_DECISION));
        assert_eq!(decision.as_map().unwrap().get_atom("operation"), Some(&operation()));
        assert!(route_batch(&plane, &Term::list([term!(x)]), &Term::Nil).is_err());
        let none = route_batch(&ControlPlane::new(true), &Term::list([operation()]), &Term::Nil);
        assert_eq!(none, Ok(term!([{error, no_backend_available}])));
    }

    #[test]
    fn a_table_is_reloaded_whole_or_not_at_all() {
        let plane = ControlPlane::new(false);
        assert_eq!(reload(&plane, &Term::from("/nowhere/at/all")), Ok(term!({error, enoent})));
        // A device would be read, and a pipe waited for, without end.
        let refused = term!({error, {invalid_routing_table, "not a regular file"}});
        assert_eq!(reload(&plane, &Term::from("/dev/zero")), Ok(refused));
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let path = Term::from(file.path().to_str().unwrap());
        write!(file, "routes: x").unwrap();
        let before = routes(&plane);
        let answer = reload(&plane, &path).unwrap();
        assert!(answer.as_tagged("error").unwrap()[0].as_tagged("invalid_routing_table").is_some());
        assert_eq!(routes(&plane), before);
        file.as_file_mut().set_len(0).unwrap();
        std::fs::write(file.path(), "routes: []").unwrap();
        assert_eq!(reload(&plane, &path), Ok(term!(ok)));
        assert_eq!(routes(&plane), Term::Nil);
    }
}
