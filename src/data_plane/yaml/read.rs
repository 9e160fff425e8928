//! Reads YAML text into [`Node`]s without recursion, within the limits of the data plane.

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use super::node::{Node, NodeKind, Style};
use crate::data_plane::limits::{SOURCE_BYTES_MAX, YAML_DEPTH_MAX, YAML_NODES_MAX};

/// Why a text is not YAML that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
#[non_exhaustive]
pub struct YamlError {
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
    /// The type atom an Elixir caller sees, when there is one for this fault.
    pub kind: Option<&'static str>,
    /// What is wrong.
    pub message: String,
}

impl YamlError {
    fn new(span: Span, kind: Option<&'static str>, message: impl Into<String>) -> Self {
        let (line, column) = place(span);
        Self { line, column, kind, message: message.into() }
    }

    /// The fault in YamlElixir's words where they exist, so that callers can match on the type.
    fn from_scan(error: &ScanError, source: &str) -> Self {
        let marker = *error.marker();
        let info = error.info();
        let open_flow = info.contains("',' or") || has_open_flow(source);
        if open_flow {
            let (line, column) = end_of_text(source);
            let message = "Unfinished flow collection".to_owned();
            return Self { line, column, kind: Some("unfinished_flow_collection"), message };
        }
        let (line, column) = place(Span::new(marker, marker));
        Self { line, column, kind: Some("unexpected_token"), message: info.to_owned() }
    }
}

/// Whether more flow collections are opened than closed, outside of quotes and comments.
fn has_open_flow(source: &str) -> bool {
    let mut open = 0_usize;
    for line in source.lines() {
        let mut quote = None;
        let mut previous = ' ';
        for c in line.chars() {
            match (quote, c) {
                (Some(end), c) if c == end => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') => quote = Some(c),
                (None, '#') if previous.is_whitespace() => break,
                (None, '[' | '{') => open += 1,
                (None, ']' | '}') => open = open.saturating_sub(1),
                _ => {}
            }
            previous = c;
        }
    }
    open > 0
}

/// One past the last character that is not white space.
fn end_of_text(source: &str) -> (u32, u32) {
    let text = source.trim_end();
    let line = text.lines().count().max(1);
    let column = text.lines().next_back().map_or(0, |last| last.chars().count()) + 1;
    (small(line), small(column))
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn place(span: Span) -> (u32, u32) {
    (small(span.start.line()), small(span.start.col() + 1))
}

/// A collection whose end has not been read yet.
struct Open {
    node: Node,
    anchor: usize,
    /// The key that waits for its value, in a mapping.
    key: Option<Node>,
    /// How many nodes lie inside, for charging aliases.
    size: usize,
}

/// Puts documents together from the parser's events.
#[derive(Default)]
struct Composer {
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Rc<(Node, usize)>>,
    nodes: usize,
}

/// All documents of a text. A text without content gives none; an empty document gives null.
///
/// # Errors
/// [`YamlError`] for malformed text and for text beyond the limits.
pub fn read(source: &str) -> Result<Vec<Node>, YamlError> {
    if source.len() > SOURCE_BYTES_MAX {
        let message = format!("the text has {} bytes, more than {SOURCE_BYTES_MAX}", source.len());
        return Err(YamlError { line: 1, column: 1, kind: None, message });
    }
    let mut composer = Composer::default();
    for event in Parser::new_from_str(source) {
        let (event, span) = event.map_err(|error| YamlError::from_scan(&error, source))?;
        composer.take(event, span)?;
    }
    Ok(composer.documents)
}

impl Composer {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), YamlError> {
        let (line, column) = place(span);
        match event {
            Event::DocumentStart(_) => self.anchors.clear(),
            Event::Scalar(text, style, anchor, tag) => {
                let core = tag
                    .as_deref()
                    .filter(|tag| tag.is_yaml_core_schema())
                    .map(|tag| tag.suffix.as_str());
                let plain = style == ScalarStyle::Plain && !matches!(core, Some("str" | "binary"));
                let style = if plain { Style::Plain } else { Style::Quoted };
                let tag = tag.as_deref().and_then(own_tag);
                let node =
                    Node { line, column, tag, kind: NodeKind::Scalar(text.into_owned(), style) };
                self.put(node, anchor, 1, span)?;
            }
            Event::SequenceStart(anchor, tag) => {
                let node = Node {
                    line,
                    column,
                    tag: tag.as_deref().and_then(own_tag),
                    kind: NodeKind::Sequence(Vec::new()),
                };
                self.begin(node, anchor, span)?;
            }
            Event::MappingStart(anchor, tag) => {
                let node = Node {
                    line,
                    column,
                    tag: tag.as_deref().and_then(own_tag),
                    kind: NodeKind::Mapping(Vec::new()),
                };
                self.begin(node, anchor, span)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(done) = self.open.pop() {
                    self.put(done.node, done.anchor, done.size, span)?;
                }
            }
            Event::Alias(anchor) => {
                let Some(target) = self.anchors.get(&anchor).cloned() else {
                    return Err(YamlError::new(
                        span,
                        Some("unrecognized_node"),
                        "the alias has no anchor",
                    ));
                };
                self.charge(target.1, span)?;
                self.put(target.0.clone(), 0, target.1, span)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, node: Node, anchor: usize, span: Span) -> Result<(), YamlError> {
        if self.open.len() >= YAML_DEPTH_MAX {
            return Err(YamlError::new(
                span,
                None,
                format!("nested deeper than {YAML_DEPTH_MAX} levels"),
            ));
        }
        self.open.push(Open { node, anchor, key: None, size: 1 });
        self.charge(1, span)
    }

    fn charge(&mut self, nodes: usize, span: Span) -> Result<(), YamlError> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > YAML_NODES_MAX {
            return Err(YamlError::new(span, None, format!("more than {YAML_NODES_MAX} nodes")));
        }
        Ok(())
    }

    /// Puts a complete node into the collection that is open, or makes it a document.
    fn put(&mut self, node: Node, anchor: usize, size: usize, span: Span) -> Result<(), YamlError> {
        self.charge(1, span)?;
        if anchor != 0 {
            self.charge(size, span)?;
            self.anchors.insert(anchor, Rc::new((node.clone(), size)));
        }
        let Some(open) = self.open.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        open.size = open.size.saturating_add(size);
        match &mut open.node.kind {
            NodeKind::Sequence(items) => items.push(node),
            NodeKind::Mapping(entries) => match open.key.take() {
                None => open.key = Some(node),
                Some(key) if is_merge(&key) => merge(entries, node),
                Some(key) => entries.push((key, node)),
            },
            NodeKind::Scalar(..) => {}
        }
        Ok(())
    }
}

/// The name of a tag outside YAML's own schema.
fn own_tag(tag: &Tag) -> Option<String> {
    (!tag.is_yaml_core_schema() && !tag.suffix.is_empty()).then(|| tag.suffix.clone())
}

fn is_merge(key: &Node) -> bool {
    matches!(&key.kind, NodeKind::Scalar(text, Style::Plain) if text == "<<")
}

/// Adds the entries of a merged mapping (or list of mappings) before those that override them.
// spec: yaml.org/type/merge.html
fn merge(entries: &mut Vec<(Node, Node)>, from: Node) {
    let sources = match from.kind {
        NodeKind::Mapping(_) => vec![from],
        NodeKind::Sequence(items) => items,
        NodeKind::Scalar(..) => return,
    };
    for source in sources {
        let NodeKind::Mapping(merged) = source.kind else { continue };
        let known: std::collections::HashSet<String> =
            entries.iter().filter_map(|(key, _)| key.text().map(str::to_owned)).collect();
        let new = merged
            .into_iter()
            .filter(|(key, _)| key.text().is_none_or(|text| !known.contains(text)));
        entries.splice(0..0, new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantic::Value;

    fn one(source: &str) -> Node {
        read(source).unwrap().pop().unwrap()
    }

    #[test]
    fn places_tags_and_documents() {
        let documents = read("---\n- a\n- !vault |\n  text\n---\nb: 1\n").unwrap();
        assert_eq!(documents.len(), 2);
        let items = documents[0].items().unwrap();
        assert_eq!((items[1].tag.as_deref(), items[1].line), (Some("vault"), 3));
        assert_eq!(documents[1].get("b").map(Node::value), Some(Value::Integer(1)));
    }

    #[test]
    fn merge_keys_are_resolved_and_own_keys_win() {
        let node = one("base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3\n");
        let used = node.get("use").unwrap();
        assert_eq!(used.get("x").map(Node::value), Some(Value::Integer(1)));
        assert_eq!(used.get("y").map(Node::value), Some(Value::Integer(3)));
    }

    #[test]
    fn quoted_scalars_and_str_tags_stay_text() {
        let node = one("[ 'yes', !!str 0644, yes ]");
        let values: Vec<_> = node.items().unwrap().iter().map(Node::value).collect();
        assert_eq!(values, ["yes".into(), "0644".into(), Value::Bool(true)]);
    }

    #[test]
    fn an_open_flow_collection_is_named_as_yaml_elixir_names_it() {
        let error = read("- hosts: [all\n  tasks: {\n").unwrap_err();
        assert_eq!(
            (error.line, error.column, error.kind, error.message.as_str()),
            (2, 11, Some("unfinished_flow_collection"), "Unfinished flow collection")
        );
    }

    #[test]
    fn floods_are_refused() {
        let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let alias = format!("*a{}", level - 1);
            laughs.push_str(&format!("a{level}: &a{level} [{}]\n", vec![alias; 10].join(", ")));
        }
        assert!(read(&laughs).unwrap_err().message.contains("nodes"));
        let deep = "[".repeat(10_000);
        assert!(read(&deep).is_err());
    }
}
