//! What a format is, and the one table of formats.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use super::formats::{ansible::Ansible, salt::Salt};
use super::report::Report;
use super::yaml::YamlError;
use crate::semantic::{DateTime, Graph, GraphError, Map, Value};

/// All formats. To add one: a folder in `formats/` and a row here.
pub const FORMATS: &[&dyn Format] = &[&Ansible, &Salt];

/// A tool's notation, both ways.
pub trait Format: Sync {
    /// The atom that callers use.
    fn name(&self) -> &'static str;
    /// The name that people use.
    fn title(&self) -> &'static str;
    /// What it is, in a line.
    fn description(&self) -> &'static str;
    /// Endings of its files, without the dot.
    fn extensions(&self) -> &'static [&'static str];

    /// Reads a source.
    ///
    /// # Errors
    /// [`ParseError`] when the text is not in this format or too large.
    fn parse(&self, source: &str, options: &Options) -> Result<Parsed, ParseError>;

    /// Writes a graph. What the format cannot say is in the report.
    ///
    /// # Errors
    /// [`TransformError`] when the graph has no order.
    fn transform(&self, graph: &Graph, options: &Options) -> Result<Transformed, TransformError>;
}

/// The format with a name.
pub fn find(name: &str) -> Option<&'static dyn Format> {
    FORMATS.iter().copied().find(|format| format.name() == name)
}

/// What callers may ask for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The caller's option list as it came: `hosts`, `become`, `os`, … Unknown ones are left aside.
    pub values: Map,
    /// Number that the first operation's id ends with; the running count of this program if not set.
    pub first_id: Option<u64>,
    /// Other files of the source by relative path (`roles/web/tasks/main.yml`), to be inlined.
    pub files: BTreeMap<String, String>,
}

impl Options {
    /// An option's value, unless it is nil.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.present(name)
    }

    /// Whether an option is on.
    pub fn is_on(&self, name: &str) -> bool {
        self.get(name).and_then(Value::as_flag).unwrap_or(false)
    }
}

/// The outcome of a parse.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// What the source says.
    pub graph: Graph,
    /// What became of its parts.
    pub report: Report,
}

/// The outcome of a transformation.
#[derive(Clone, Debug)]
pub struct Transformed {
    /// The text in the target format.
    pub text: String,
    /// What became of the graph's parts.
    pub report: Report,
}

/// Why a source cannot be read.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// The text is not YAML.
    #[error("not valid YAML: {0}")]
    Yaml(YamlError),
    /// Valid YAML, but not of this format's shape.
    #[error("line {line}: {message}")]
    Shape {
        /// Line, from 1.
        line: u32,
        /// What was expected.
        message: String,
    },
    /// More than the limits allow.
    #[error("too many {what}: more than {max}")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// How many are allowed.
        max: usize,
    },
}

/// Why a graph cannot be written.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TransformError {
    /// The graph has no order.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The format can be read but not written (yet).
    #[error("{0} cannot be written")]
    Unsupported(&'static str),
}

/// Parses and transforms in one step, with one report of both.
///
/// # Errors
/// As the two steps.
pub fn transform(
    graph: &Graph,
    report: Report,
    target: &dyn Format,
    options: &Options,
) -> Result<Transformed, TransformError> {
    let Transformed { text, report: later } = target.transform(graph, options)?;
    Ok(Transformed { text, report: report.followed_by(later) })
}

/// Numbers that make ids unique, also between the graphs of one program.
#[derive(Debug)]
pub(super) struct Ids(Option<u64>);

impl Ids {
    pub(super) fn new(options: &Options) -> Self {
        Self(options.first_id)
    }

    pub(super) fn next(&mut self) -> u64 {
        static COUNT: AtomicU64 = AtomicU64::new(1);
        match &mut self.0 {
            None => COUNT.fetch_add(1, Ordering::Relaxed),
            Some(next) => {
                let number = *next;
                *next += 1;
                number
            }
        }
    }
}

/// The metadata of a graph that was just parsed; `parsed_at` as a moment in ISO 8601 shape.
pub(super) fn parsed_metadata(source: &str) -> Map {
    Map::new().with("source", Value::atom(source)).with("parsed_at", DateTime::now().to_value())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_found_by_name_and_names_differ() {
        for format in FORMATS {
            assert_eq!(find(format.name()).unwrap().title(), format.title());
        }
        assert!(find("bash").is_none());
    }

    #[test]
    fn ids_go_on_from_the_first() {
        let mut ids = Ids::new(&Options { first_id: Some(7), ..Options::default() });
        assert_eq!([ids.next(), ids.next()], [7, 8]);
    }
}
