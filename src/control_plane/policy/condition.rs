//! When a policy applies: what it asks of the operation, and what of the backend.

use super::super::Backend;
use super::super::value_match::{Want, met_fields};
use crate::semantic::{Map, Operation, Value};

/// One line of a policy's condition.
#[derive(Clone, Debug, PartialEq)]
enum Line {
    /// The operation's type.
    Type(Want),
    /// A field of its target, its metadata or its parameters: whichever has what is wanted.
    Field(String, Want),
    /// Fields of one of them.
    Part(Part, Vec<(String, Want)>),
    /// Something that cannot be read.
    Unreadable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Target,
    Metadata,
    Params,
}

/// What is asked of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trait {
    Type,
    Name,
    Locality,
}

impl Trait {
    pub(super) fn of_key(key: &str) -> Option<Self> {
        match key {
            "backend_type" => Some(Self::Type),
            "backend_name" => Some(Self::Name),
            "backend_locality" => Some(Self::Locality),
            _ => None,
        }
    }

    pub(super) fn met_by(self, want: &Want, backend: &Backend) -> bool {
        match self {
            Self::Type => want.met_by_text(backend.known_kind()),
            Self::Name => want.met_by_text(Some(&backend.name)),
            Self::Locality => match backend.metadata.present("locality") {
                Some(said) => want.met_by(Some(said)),
                None => want.met_by_text(Some(if backend.is_local() { "local" } else { "remote" })),
            },
        }
    }
}

/// The condition of a policy. Each line of it must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Condition {
    operation: Vec<Line>,
    backend: Vec<(Trait, Want)>,
}

impl Condition {
    pub(super) fn read(map: &Map) -> Self {
        let mut condition = Self::default();
        for (key, value) in map.iter() {
            match key.name() {
                Some(name) => condition.add(name, value),
                None => condition.operation.push(Line::Unreadable),
            }
        }
        condition
    }

    fn add(&mut self, name: &str, value: &Value) {
        let want = Want::read(value);
        if want.is_unreadable() {
            return self.operation.push(Line::Unreadable);
        }
        if let Some(of) = Trait::of_key(name) {
            return self.backend.push((of, want));
        }
        let part = match name {
            "operation_type" | "operation" => return self.operation.push(Line::Type(want)),
            "target" => Some(Part::Target),
            "metadata" => Some(Part::Metadata),
            "params" => Some(Part::Params),
            _ => None,
        };
        self.operation.push(match (part, want) {
            (Some(part), Want::Fields(fields)) => Line::Part(part, fields),
            (_, want) => Line::Field(name.to_owned(), want),
        });
    }

    /// Whether what it asks of the operation holds. `unreadable` is the answer for lines that say
    /// nothing known.
    pub(super) fn holds_for_operation(&self, operation: &Operation, unreadable: bool) -> bool {
        let maps = || [&operation.target, &operation.metadata, &operation.params];
        self.operation.iter().all(|line| match line {
            Line::Type(want) => want.met_by_text(Some(operation.kind.name())),
            Line::Field(name, Want::Absent) => maps().iter().all(|map| map.present(name).is_none()),
            Line::Field(name, want) => maps().iter().any(|map| want.met_by(map.get(name))),
            Line::Part(Part::Target, fields) => met_fields(fields, &operation.target),
            Line::Part(Part::Metadata, fields) => met_fields(fields, &operation.metadata),
            Line::Part(Part::Params, fields) => met_fields(fields, &operation.params),
            Line::Unreadable => unreadable,
        })
    }

    /// Whether what it asks of the backend holds.
    pub(super) fn holds_for_backend(&self, backend: &Backend) -> bool {
        self.backend.iter().all(|(of, want)| of.met_by(want, backend))
    }
}
