//! What a policy requires: of the node that routes an operation, and of the backend that takes it.

use super::super::Backend;
use super::super::value_match::{Want, met_fields};
use super::condition::Trait;
use crate::semantic::{Map, Value};

/// What must hold, all of it. Nothing required is nothing met: such a policy denies.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Requirement {
    lines: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq)]
enum Line {
    /// The node that routes and the place of the backend: `node: %{region: "eu"}`.
    Node(Vec<(String, Want)>),
    /// The backend itself.
    Backend(Trait, Want),
    /// All of these capabilities.
    Capabilities(Vec<Want>),
    /// A field of the backend's metadata, or of `backend` in it.
    Metadata(String, Want),
    /// Something that cannot be read, and so is met by nobody.
    Unreadable,
}

impl Requirement {
    pub(super) fn read(map: &Map) -> Self {
        let mut requirement = Self::default();
        for (key, value) in map.iter() {
            match (key.name(), value) {
                (Some("backend"), Value::Map(fields)) => {
                    requirement.lines.extend(fields.iter().map(|(key, value)| match key.name() {
                        Some(name) => of_backend(name, value),
                        None => Line::Unreadable,
                    }));
                }
                (Some("node"), Value::Map(fields)) => {
                    let fields = Want::read_fields(fields).filter(|fields| !fields.is_empty());
                    requirement.lines.push(fields.map_or(Line::Unreadable, Line::Node));
                }
                (Some("node"), name) => {
                    let name = vec![("name".to_owned(), Want::read(name))];
                    requirement.lines.push(Line::Node(name));
                }
                (Some(name), value) => requirement.lines.push(of_backend(name, value)),
                (None, _) => requirement.lines.push(Line::Unreadable),
            }
        }
        requirement
    }

    /// Whether a node with these facts may have the operation at all.
    pub(super) fn allows_node(&self, facts: &Map) -> bool {
        !self.lines.is_empty()
            && self.lines.iter().all(|line| match line {
                Line::Node(fields) => met_fields(fields, facts),
                Line::Unreadable => false,
                _ => true,
            })
    }

    /// Whether it says anything of nodes.
    pub(super) fn is_about_nodes(&self) -> bool {
        self.lines.is_empty()
            || self.lines.iter().any(|line| matches!(line, Line::Node(_) | Line::Unreadable))
    }

    /// Whether a backend may take the operation, on a node with these facts.
    pub(super) fn met_by(&self, backend: &Backend, facts: &Map) -> bool {
        self.allows_node(facts)
            && self.lines.iter().all(|line| match line {
                Line::Node(fields) => fields.iter().all(|(name, want)| {
                    // The name is that of the node alone.
                    name == "name" || in_place(backend, name, want)
                }),
                Line::Backend(of, want) => of.met_by(want, backend),
                Line::Capabilities(wanted) => wanted.iter().all(|want| {
                    backend.capabilities.iter().any(|have| want.met_by_text(Some(have)))
                }),
                Line::Metadata(name, want) => {
                    let nested = backend.metadata.get("backend").and_then(Value::as_map);
                    let nested = nested.and_then(|map| map.present(name));
                    want.met_by(nested.or_else(|| backend.metadata.get(name)))
                }
                Line::Unreadable => false,
            })
    }
}

/// Whether a backend is where it should be: where its metadata says; a local one that says nothing
/// is where its node is, and that one was asked.
fn in_place(backend: &Backend, name: &str, want: &Want) -> bool {
    let nested = backend.metadata.get("node").and_then(Value::as_map);
    let said = nested.and_then(|map| map.present(name)).or_else(|| backend.metadata.present(name));
    match said {
        Some(said) => want.met_by(Some(said)),
        None => backend.is_local(),
    }
}

fn of_backend(name: &str, value: &Value) -> Line {
    let want = Want::read(value);
    if want.is_unreadable() {
        return Line::Unreadable;
    }
    match name {
        "type" => Line::Backend(Trait::Type, want),
        "name" => Line::Backend(Trait::Name, want),
        "locality" => Line::Backend(Trait::Locality, want),
        "capability" | "capabilities" => Line::Capabilities(match want {
            Want::Any(all) => all,
            one => vec![one],
        }),
        name => match Trait::of_key(name) {
            Some(of) => Line::Backend(of, want),
            None => Line::Metadata(name.to_owned(), want),
        },
    }
}
