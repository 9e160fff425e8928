//! A YAML document as read, with the place of every node.

use super::scalar::resolve_yaml_1_1;
use crate::semantic::{Key, Map, Value};

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Style {
    /// Without quotes: the text decides the type.
    Plain,
    /// Quoted or a block: always text.
    Quoted,
}

/// A node with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
    /// The tag without its exclamation mark (`vault`, `Ref`), when the source has one.
    pub tag: Option<String>,
    /// What the node is.
    pub kind: NodeKind,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum NodeKind {
    /// A scalar, as its text.
    Scalar(String, Style),
    /// A sequence.
    Sequence(Vec<Node>),
    /// A mapping, in source order, with merge keys already resolved.
    Mapping(Vec<(Node, Node)>),
}

impl Node {
    /// The items of a sequence.
    pub fn items(&self) -> Option<&[Self]> {
        match &self.kind {
            NodeKind::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The entries of a mapping.
    pub fn entries(&self) -> Option<&[(Self, Self)]> {
        match &self.kind {
            NodeKind::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// The text of a scalar, whatever its type.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Scalar(text, _) => Some(text),
            _ => None,
        }
    }

    /// Whether this is a null scalar.
    pub fn is_null(&self) -> bool {
        match &self.kind {
            NodeKind::Scalar(text, Style::Plain) => resolve_yaml_1_1(text).is_null(),
            _ => false,
        }
    }

    /// The value of an entry of a mapping; of equal keys the last, as PyYAML reads it.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.entries()?
            .iter()
            .rev()
            .find(|(key, _)| key.text() == Some(name))
            .map(|(_, value)| value)
    }

    /// The node as a value, scalars by the rules of YAML 1.1.
    pub fn value(&self) -> Value {
        match &self.kind {
            NodeKind::Scalar(text, Style::Plain) if self.tag.is_none() => resolve_yaml_1_1(text),
            NodeKind::Scalar(text, _) => Value::String(text.clone()),
            NodeKind::Sequence(items) => Value::List(items.iter().map(Self::value).collect()),
            NodeKind::Mapping(entries) => {
                let entries = entries.iter().map(|(key, value)| (key.map_key(), value.value()));
                Value::Map(Map::from_entries(entries.collect()))
            }
        }
    }

    /// The node as the key of a map.
    pub fn map_key(&self) -> Key {
        match self.value() {
            Value::String(text) => Key::Text(text),
            // `on:` and `yes:` as keys are far more often meant as words than as booleans.
            Value::Bool(_) => Key::Text(self.text().unwrap_or_default().to_owned()),
            other => Key::Other(Box::new(other)),
        }
    }
}
