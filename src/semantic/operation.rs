//! A vertex of the graph: one thing that shall be true of a machine.

use super::vocabulary::{Kind, OperationType};
use super::{Map, Value};

/// Where an operation stood in its source. Never leaves this program: an operation that came as a
/// term has none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origin {
    /// Line of the task, from 1; 0 when not known.
    pub line: u32,
    /// Name of the play, state file or section.
    pub scope: String,
    /// What the source wrote for each entry of `params`, `target` and `metadata`.
    pub keys: Vec<OriginKey>,
}

/// How the source spelled a key, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct OriginKey {
    /// The name of the entry in the operation.
    pub entry: String,
    /// The source's own name for it (`dest` for `destination`).
    pub source: String,
    /// Line of the key, from 1.
    pub line: u32,
}

/// What an operation lacks. spec: HAR.Semantic.Operation.validate/1
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidOperation {
    /// None of the keys that name the thing is there.
    #[error("the parameter {0} is missing")]
    MissingParam(&'static str),
}

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Unique in its graph.
    pub id: String,
    /// What it does.
    pub kind: OperationType,
    /// What it does it with.
    pub params: Map,
    /// Where and when: `hosts`, `when`, `environment`, `os`, `region`, …
    pub target: Map,
    /// What the source said besides; each format documents its keys.
    pub metadata: Map,
    /// Where it stood in the source.
    pub origin: Option<Box<Origin>>,
}

impl Operation {
    /// An operation with empty target and metadata.
    pub fn new(id: impl Into<String>, kind: impl Into<OperationType>, params: Map) -> Self {
        Self {
            id: id.into(),
            kind: kind.into(),
            params,
            target: Map::new(),
            metadata: Map::new(),
            origin: None,
        }
    }

    /// The line in the source; 0 when not known.
    pub fn line(&self) -> u32 {
        self.origin.as_ref().map_or(0, |origin| origin.line)
    }

    /// Whether the keys are there without which no backend can act.
    ///
    /// # Errors
    /// Names the missing key. As in Elixir a key that is there with nil passes.
    pub fn validate(&self) -> Result<(), InvalidOperation> {
        let has = |name: &str| self.params.contains(name);
        let missing = match self.kind.kind() {
            Some(Kind::PackageInstall) if !has("package") && !has("name") => "package",
            Some(Kind::ServiceStart) if !has("service") && !has("name") => "service",
            Some(Kind::FileWrite) if !has("path") => "path",
            Some(Kind::FileWrite)
                if !["content", "contents", "source"].iter().any(|key| has(key)) =>
            {
                "content"
            }
            _ => return Ok(()),
        };
        Err(InvalidOperation::MissingParam(missing))
    }

    /// The name as people read it: task name, state id, or the thing's own name.
    pub fn label(&self) -> String {
        let named =
            ["task_name", "state_id", "name"].iter().find_map(|key| self.metadata.present(key));
        let thing = || {
            ["name", "package", "service", "path"].iter().find_map(|key| self.params.present(key))
        };
        named.or_else(thing).and_then(Value::to_text).unwrap_or_else(|| self.id.clone())
    }
}

/// A version 4 UUID in lower case, made of 16 random bytes.
// spec: RFC 9562, section 5.4
pub fn uuid4(mut random: [u8; 16]) -> String {
    random[6] = (random[6] & 0x0f) | 0x40;
    random[8] = (random[8] & 0x3f) | 0x80;
    let mut text = String::with_capacity(36);
    for (at, byte) in random.iter().enumerate() {
        if [4, 6, 8, 10].contains(&at) {
            text.push('-');
        }
        for nibble in [byte >> 4, byte & 0x0f] {
            text.push(char::from_digit(u32::from(nibble), 16).expect("a nibble is a hex digit"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_needs_a_path_and_something_to_write() {
        let write = |params| Operation::new("a", Kind::FileWrite, params).validate();
        assert_eq!(write(Map::new()), Err(InvalidOperation::MissingParam("path")));
        assert_eq!(
            write(Map::new().with("path", "/x")),
            Err(InvalidOperation::MissingParam("content"))
        );
        assert_eq!(write(Map::new().with("path", "/x").with("source", Value::Null)), Ok(()));
    }

    #[test]
    fn uuids_carry_version_and_variant() {
        assert_eq!(uuid4([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(uuid4([0; 16]), "00000000-0000-4000-8000-000000000000");
    }
}
