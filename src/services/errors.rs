//! Errors as the terms that Elixir callers match on.
// spec: contract 1.4 and 1.2

use erlang_interop::otp::Exception;
use erlang_interop::term::{Term, atom, term};

use crate::control_plane::{RouteError, TableError};
use crate::data_plane::yaml::YamlError;
use crate::data_plane::{ParseError, TransformError};
use crate::semantic::terms::{atom_of, structure};
use crate::semantic::{Dependency, GraphError, InvalidOperation, Operation};

/// `{:ok, value}`.
pub(super) fn ok(value: Term) -> Term {
    Term::from((atom!("ok"), value))
}

/// `{:error, reason}`.
pub(super) fn error(reason: Term) -> Term {
    Term::from((atom!("error"), reason))
}

/// `%YamlElixir.ParsingError{}`.
pub(super) fn yaml_error(fault: &YamlError) -> Term {
    let kind = fault.kind.map_or(atom!("nil"), atom_of);
    structure(
        "Elixir.YamlElixir.ParsingError",
        [
            ("__exception__", Term::from(true)),
            ("line", Term::from(fault.line)),
            ("column", Term::from(fault.column)),
            ("type", Term::Atom(kind)),
            ("message", Term::string(&fault.message)),
        ],
    )
}

/// The reason of a failed parse.
pub(super) fn parse_reason(fault: &ParseError) -> Term {
    match fault {
        ParseError::Yaml(fault) => Term::from((atom!("yaml_parse_error"), yaml_error(fault))),
        other => Term::from((atom!("parse_error"), Term::string(&other.to_string()))),
    }
}

/// The reason of a failed transformation.
pub(super) fn transform_reason(fault: &TransformError) -> Term {
    match fault {
        TransformError::Graph(fault) => graph_reason(fault),
        TransformError::Unsupported(name) => {
            Term::from((atom!("unsupported_target"), atom_of(name)))
        }
    }
}

/// Why a graph is not valid.
pub(super) fn graph_reason(fault: &GraphError) -> Term {
    match fault {
        GraphError::InvalidReferences(edges) => Term::from((
            atom!("invalid_references"),
            Term::list(edges.iter().map(Dependency::to_term)),
        )),
        GraphError::CircularDependency => term!(circular_dependency),
        GraphError::InvalidOperations(operations) => {
            let operations = operations.iter().map(|(operation, _)| Operation::to_term(operation));
            Term::from((atom!("invalid_operations"), Term::list(operations)))
        }
    }
}

/// Why an operation is not valid.
pub(super) fn operation_reason(fault: &InvalidOperation) -> Term {
    match fault {
        InvalidOperation::MissingParam(name) => Term::from((atom!("missing_param"), atom_of(name))),
    }
}

/// Why a graph could not be routed: one tuple for each operation that nobody takes.
pub(super) fn route_reason(fault: &RouteError) -> Term {
    match fault {
        RouteError::Graph(fault) => graph_reason(fault),
        RouteError::NoBackendAvailable(count) => {
            let each = std::iter::repeat_n(term!({error, no_backend_available}), *count);
            Term::from((atom!("routing_failed"), Term::list(each)))
        }
    }
}

/// Why a routing table was refused.
pub(super) fn table_reason(fault: &TableError) -> Term {
    match fault {
        TableError::Yaml(fault) => yaml_error(fault),
        other => Term::from((atom!("invalid_routing_table"), Term::string(&other.to_string()))),
    }
}

/// `%KeyError{}` as `Keyword.fetch!/2` raises it.
pub(super) fn key_error(key: &'static str, options: &Term) -> Exception {
    Exception::error(structure(
        "Elixir.KeyError",
        [
            ("__exception__", Term::from(true)),
            ("key", Term::atom(key)),
            ("term", options.clone()),
            ("message", term!(nil)),
        ],
    ))
}
