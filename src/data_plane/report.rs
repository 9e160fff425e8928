//! What became of each part of a source: kept, approximated, or lost. Nothing is dropped silently.

use std::collections::HashSet;
use std::fmt::{self, Write as _};

use crate::semantic::{Key, Map, Operation, Value};

/// What became of one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Status {
    /// The output means the same.
    Kept,
    /// The output means nearly the same, or needs something outside it; the detail says what.
    Approximated,
    /// The output does not have it.
    Lost,
}

impl Status {
    /// The word in JSON, text and terms.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Approximated => "approximated",
            Self::Lost => "lost",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What became of it.
    pub status: Status,
    /// The play, state file or section.
    pub scope: String,
    /// The task or state, as people call it; empty for the scope itself.
    pub item: String,
    /// Id of the operation, when the part belongs to one.
    pub operation: Option<String>,
    /// The key in the source's spelling.
    pub key: String,
    /// Why, and what to do. Empty for what is kept as it stands.
    pub detail: String,
    /// Line in the source, from 1; 0 when not known.
    pub line: u32,
}

/// How many findings there are of each status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Entries kept.
    pub kept: usize,
    /// Entries approximated.
    pub approximated: usize,
    /// Entries lost.
    pub lost: usize,
}

/// The findings of a parse, of a transformation, or of both.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// In the order of the source as far as it is known.
    pub entries: Vec<Entry>,
}

impl Report {
    /// Adds a finding about a part outside any operation.
    pub fn note(
        &mut self,
        status: Status,
        scope: &str,
        key: &str,
        detail: impl Into<String>,
        line: u32,
    ) {
        self.entries.push(Entry {
            status,
            scope: scope.to_owned(),
            item: String::new(),
            operation: None,
            key: key.to_owned(),
            detail: detail.into(),
            line,
        });
    }

    /// Adds a finding about an entry of an operation, in the source's spelling and at its line.
    pub fn about(
        &mut self,
        operation: &Operation,
        status: Status,
        entry: &str,
        detail: impl Into<String>,
    ) {
        let origin = operation.origin.as_deref();
        let key = origin.and_then(|origin| origin.keys.iter().find(|key| key.entry == entry));
        self.entries.push(Entry {
            status,
            scope: origin.map_or_else(String::new, |origin| origin.scope.clone()),
            item: operation.label(),
            operation: Some(operation.id.clone()),
            key: key.map_or_else(|| entry.to_owned(), |key| key.source.clone()),
            detail: detail.into(),
            line: key.map_or(operation.line(), |key| key.line),
        });
    }

    /// The findings of a parse followed by those of the transformation of its graph. Where both
    /// speak of the same key of an operation the transformation, which is nearer the output, decides.
    #[must_use]
    pub fn followed_by(self, later: Self) -> Self {
        let decided: HashSet<(&str, &str)> = later
            .entries
            .iter()
            .filter_map(|entry| Some((entry.operation.as_deref()?, entry.key.as_str())))
            .collect();
        let open = |entry: &Entry| {
            entry.status != Status::Kept
                || entry
                    .operation
                    .as_deref()
                    .is_none_or(|id| !decided.contains(&(id, entry.key.as_str())))
        };
        let mut entries: Vec<Entry> = self.entries.into_iter().filter(open).collect();
        entries.extend(later.entries);
        entries.sort_by_key(|entry| entry.line);
        Self { entries }
    }

    /// The counts.
    pub fn summary(&self) -> Summary {
        let count = |status| self.entries.iter().filter(|entry| entry.status == status).count();
        Summary {
            kept: count(Status::Kept),
            approximated: count(Status::Approximated),
            lost: count(Status::Lost),
        }
    }

    /// As a value, for terms and JSON: `%{summary: %{…}, entries: [%{…}]}`.
    pub fn to_value(&self) -> Value {
        let summary = self.summary();
        let number = |count: usize| Value::Integer(i64::try_from(count).unwrap_or(i64::MAX));
        let entry = |entry: &Entry| {
            Map::new()
                .with("status", Value::atom(entry.status.name()))
                .with("scope", entry.scope.clone())
                .with("item", entry.item.clone())
                .with("operation", entry.operation.clone())
                .with("key", entry.key.clone())
                .with("detail", entry.detail.clone())
                .with(
                    "line",
                    if entry.line == 0 { Value::Null } else { Value::Integer(entry.line.into()) },
                )
                .into()
        };
        let counts = Map::new()
            .with("kept", number(summary.kept))
            .with("approximated", number(summary.approximated))
            .with("lost", number(summary.lost));
        let entries: Vec<Value> = self.entries.iter().map(entry).collect();
        Map::new().with("summary", counts).with("entries", entries).into()
    }

    /// As JSON, with the fields of [`Report::to_value`].
    pub fn to_json(&self) -> serde_json::Value {
        json(&self.to_value())
    }
}

/// A value as JSON. Atoms become text; keys are written as text.
pub fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(flag) => (*flag).into(),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) => {
            serde_json::Number::from_f64(*number).map_or(serde_json::Value::Null, Into::into)
        }
        Value::Atom(text) | Value::String(text) => text.as_str().into(),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(map) => {
            let entry = |(key, value): (&Key, &Value)| (key.label(), json(value));
            serde_json::Value::Object(map.iter().map(entry).collect())
        }
        Value::Opaque(term) => term.to_string().into(),
    }
}

/// For people: what was approximated or lost, line by line, and the counts.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in self.entries.iter().filter(|entry| entry.status != Status::Kept) {
            let mut place = String::new();
            if entry.line > 0 {
                write!(place, "line {}: ", entry.line)?;
            }
            let parts = [entry.scope.as_str(), entry.item.as_str(), entry.key.as_str()];
            let named: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            writeln!(
                f,
                "{:<12} {place}{}: {}",
                entry.status.name(),
                named.join(" / "),
                entry.detail
            )?;
        }
        let Summary { kept, approximated, lost } = self.summary();
        write!(f, "{kept} kept, {approximated} approximated, {lost} lost")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantic::Kind;

    #[test]
    fn the_transformation_decides_about_keys_that_the_parse_kept() {
        let operation = Operation::new("a", Kind::PackageInstall, Map::new());
        let mut parse = Report::default();
        parse.about(&operation, Status::Kept, "name", "");
        parse.about(&operation, Status::Kept, "tags", "");
        let mut transform = Report::default();
        transform.about(&operation, Status::Lost, "tags", "Salt has no tags");
        let all = parse.followed_by(transform);
        assert_eq!(all.summary(), Summary { kept: 1, approximated: 0, lost: 1 });
        assert!(all.to_string().ends_with("1 kept, 0 approximated, 1 lost"));
        assert_eq!(all.to_json()["summary"]["lost"], 1);
    }
}
