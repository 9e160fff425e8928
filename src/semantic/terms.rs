//! The border to Erlang terms: graphs as the Elixir HAR shapes them, every key present.
// spec: contract 2, "Struct shapes"

use erlang_interop::term::{Atom, Term, atom};

use super::{Dependency, DependencyType, Graph, Key, Map, Operation, OperationType, Value};

/// The module atoms of the structs.
pub const GRAPH: &str = "Elixir.HAR.Semantic.Graph";
/// See [`GRAPH`].
pub const OPERATION: &str = "Elixir.HAR.Semantic.Operation";
/// See [`GRAPH`].
pub const DEPENDENCY: &str = "Elixir.HAR.Semantic.Dependency";

/// Deepest nesting of a caller's values that is read; deeper parts stay opaque terms.
const DEPTH_MAX: usize = 64;

/// An atom of a text; what is too long for an atom is cut at the limit of 255 characters.
pub fn atom_of(text: &str) -> Atom {
    Atom::new(text).unwrap_or_else(|_| {
        let cut: String = text.chars().take(255).collect();
        Atom::new(&cut).expect("255 characters fit an atom")
    })
}

/// A value as a term.
pub fn term(value: &Value) -> Term {
    match value {
        Value::Null => Term::Atom(atom!("nil")),
        Value::Bool(flag) => Term::from(*flag),
        Value::Integer(number) => Term::from(*number),
        Value::Float(number) if number.is_finite() => Term::from(*number),
        // Erlang has no infinity; its YAML reader gives atoms of these names.
        Value::Float(number) => Term::Atom(if number.is_nan() {
            atom!("nan")
        } else if *number > 0.0 {
            atom!("+inf")
        } else {
            atom!("-inf")
        }),
        Value::Atom(name) => Term::Atom(atom_of(name)),
        Value::String(text) => Term::string(text),
        Value::List(items) => Term::list(items.iter().map(term)),
        Value::Map(map) => map_term(map),
        Value::Opaque(term) => term.clone(),
    }
}

/// A map as a term.
pub fn map_term(map: &Map) -> Term {
    Term::map(map.iter().map(|(key, value)| (key_term(key), term(value))))
}

fn key_term(key: &Key) -> Term {
    match key {
        Key::Atom(name) => Term::Atom(atom_of(name)),
        Key::Text(text) => Term::string(text),
        Key::Other(value) => term(value),
    }
}

/// A term as a value. What values cannot hold stays an opaque term.
pub fn value(term: &Term) -> Value {
    value_at(term, 0)
}

fn value_at(term: &Term, depth: usize) -> Value {
    if depth >= DEPTH_MAX {
        return Value::Opaque(term.clone());
    }
    match term {
        Term::Integer(number) => Value::Integer(*number),
        Term::Float(number) => Value::Float(*number),
        Term::Atom(name) => match name.as_str() {
            "nil" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            other => Value::Atom(other.to_owned()),
        },
        Term::Binary(_) => term.as_str().map_or_else(|| Value::Opaque(term.clone()), Value::from),
        Term::Nil => Value::List(Vec::new()),
        Term::List(_) => match term.list_iter() {
            Some(items) => Value::List(items.map(|item| value_at(&item, depth + 1)).collect()),
            None => Value::Opaque(term.clone()),
        },
        Term::Map(_) => map_at(term, depth).map_or_else(|| Value::Opaque(term.clone()), Value::Map),
        other => Value::Opaque(other.clone()),
    }
}

fn map_at(term: &Term, depth: usize) -> Option<Map> {
    let map = term.as_map()?;
    let entry = |(key, value): (&Term, &Term)| {
        let key = match (key.as_atom(), key.as_str()) {
            (Some(name), _) => Key::Atom(name.as_str().to_owned()),
            (None, Some(text)) => Key::Text(text.to_owned()),
            (None, None) => Key::Other(Box::new(value_at(key, depth + 1))),
        };
        (key, value_at(value, depth + 1))
    };
    Some(Map::from_entries(map.sorted().into_iter().map(entry).collect()))
}

/// A map of a caller; `None` when the term is none.
pub fn map(term: &Term) -> Option<Map> {
    map_at(term, 0)
}

/// A keyword list (or map) of options; `None` when the term is neither.
pub fn options(term: &Term) -> Option<Map> {
    if term.as_map().is_some() {
        return map(term);
    }
    let mut found = Map::new();
    for item in term.list_iter()? {
        let [key, value] = item.as_tuple()? else { return None };
        let key = key.as_atom()?;
        // Keyword.get takes the first of equal keys.
        if !found.contains(key.as_str()) {
            found.set(key.as_str(), self::value(value));
        }
    }
    Some(found)
}

/// A struct: a map with its module under `__struct__`.
pub fn structure<const N: usize>(module: &'static str, fields: [(&'static str, Term); N]) -> Term {
    let head = (Term::atom("__struct__"), Term::atom(module));
    Term::map(std::iter::once(head).chain(fields.map(|(name, term)| (Term::atom(name), term))))
}

/// Whether a term is a struct of a module.
pub fn is_struct(term: &Term, module: &str) -> bool {
    term.as_map()
        .and_then(|map| map.get_atom("__struct__"))
        .is_some_and(|name| name.is_atom(module))
}

impl Operation {
    /// As `%HAR.Semantic.Operation{}`.
    pub fn to_term(&self) -> Term {
        structure(
            OPERATION,
            [
                ("id", Term::string(&self.id)),
                ("type", Term::Atom(atom_of(self.kind.name()))),
                ("params", map_term(&self.params)),
                ("target", map_term(&self.target)),
                ("metadata", map_term(&self.metadata)),
            ],
        )
    }

    /// From `%HAR.Semantic.Operation{}`; `None` when the term is not of that shape. Fields that are
    /// nil, as in a bare struct, count as empty.
    pub fn from_term(term: &Term) -> Option<Self> {
        if !is_struct(term, OPERATION) {
            return None;
        }
        let fields = term.as_map()?;
        let part = |name: &str| fields.get_atom(name).and_then(map).unwrap_or_default();
        Some(Self {
            id: fields.get_atom("id").and_then(Term::as_str).unwrap_or_default().to_owned(),
            kind: OperationType::from_name(fields.get_atom("type")?.as_atom()?.as_str()),
            params: part("params"),
            target: part("target"),
            metadata: part("metadata"),
            origin: None,
        })
    }
}

impl Dependency {
    /// As `%HAR.Semantic.Dependency{}`.
    pub fn to_term(&self) -> Term {
        structure(
            DEPENDENCY,
            [
                ("from", Term::string(&self.from)),
                ("to", Term::string(&self.to)),
                ("type", Term::Atom(atom_of(self.kind.name()))),
                ("metadata", map_term(&self.metadata)),
            ],
        )
    }

    /// From `%HAR.Semantic.Dependency{}`; `None` when the term is not of that shape.
    pub fn from_term(term: &Term) -> Option<Self> {
        if !is_struct(term, DEPENDENCY) {
            return None;
        }
        let fields = term.as_map()?;
        Some(Self {
            from: fields.get_atom("from")?.as_str()?.to_owned(),
            to: fields.get_atom("to")?.as_str()?.to_owned(),
            kind: DependencyType::from_name(fields.get_atom("type")?.as_atom()?.as_str()),
            metadata: fields.get_atom("metadata").and_then(map).unwrap_or_default(),
        })
    }
}

impl Graph {
    /// As `%HAR.Semantic.Graph{}`.
    pub fn to_term(&self) -> Term {
        structure(
            GRAPH,
            [
                ("vertices", Term::list(self.vertices.iter().map(Operation::to_term))),
                ("edges", Term::list(self.edges.iter().map(Dependency::to_term))),
                ("metadata", map_term(&self.metadata)),
            ],
        )
    }

    /// From `%HAR.Semantic.Graph{}`; `None` when the term, or a part of it, is not of that shape.
    pub fn from_term(term: &Term) -> Option<Self> {
        if !is_struct(term, GRAPH) {
            return None;
        }
        let fields = term.as_map()?;
        let vertices = fields
            .get_atom("vertices")?
            .list_iter()?
            .map(|item| Operation::from_term(&item))
            .collect::<Option<_>>()?;
        let edges = fields
            .get_atom("edges")?
            .list_iter()?
            .map(|item| Dependency::from_term(&item))
            .collect::<Option<_>>()?;
        Some(Self {
            vertices,
            edges,
            metadata: fields.get_atom("metadata").and_then(map).unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;

    #[test]
    fn graphs_go_both_ways() {
        let params = Map::new()
            .with("package", "nginx")
            .with("state", Value::atom("install"))
            .with("none", Value::Null);
        let mut graph = Graph {
            vertices: vec![Operation::new("a", Kind::PackageInstall, params)],
            ..Graph::default()
        };
        graph.edges.push(Dependency::new("a", "a", DependencyType::Sequential, "test"));
        let back = Graph::from_term(&graph.to_term()).unwrap();
        assert_eq!(back.to_term(), graph.to_term());
        assert_eq!(back.vertices[0].kind, OperationType::Known(Kind::PackageInstall));
    }

    #[test]
    fn odd_terms_stay_as_they_are() {
        let tuple = Term::tuple([Term::from(1), Term::from(2)]);
        assert_eq!(value(&tuple), Value::Opaque(tuple.clone()));
        assert_eq!(term(&value(&tuple)), tuple);
    }

    #[test]
    fn options_are_keyword_lists_or_maps() {
        let list = Term::list([Term::tuple([Term::atom("to"), Term::atom("salt")])]);
        assert_eq!(options(&list).unwrap().text("to"), Some("salt"));
        assert!(options(&Term::list([Term::atom("to")])).is_none());
    }

    #[test]
    fn long_types_are_cut_to_an_atom() {
        assert_eq!(atom_of(&"x".repeat(300)).as_str().len(), 255);
    }
}
