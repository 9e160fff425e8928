//! Salt states (SLS).
//!
//! Writing, in three steps: each operation becomes one or more states ([`states`]), conditions and
//! loops become Jinja or requisites ([`conditions`], [`loops`]), and [`emit`] writes the file.

mod conditions;
mod draft;
mod emit;
mod expression;
mod facts;
mod file;
mod keywords;
mod literal;
mod loops;
mod parse;
mod requisites;
mod states;
mod transform;
mod variables;

use crate::data_plane::format::{Format, Options, ParseError, Parsed, TransformError, Transformed};
use crate::semantic::Graph;

/// The format.
#[derive(Clone, Copy, Debug)]
pub struct Salt;

impl Format for Salt {
    fn name(&self) -> &'static str {
        "salt"
    }

    fn title(&self) -> &'static str {
        "Salt"
    }

    fn description(&self) -> &'static str {
        "Salt states (SLS)"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["sls"]
    }

    fn parse(&self, source: &str, options: &Options) -> Result<Parsed, ParseError> {
        parse::parse(source, options)
    }

    fn transform(&self, graph: &Graph, options: &Options) -> Result<Transformed, TransformError> {
        transform::transform(graph, options)
    }
}
