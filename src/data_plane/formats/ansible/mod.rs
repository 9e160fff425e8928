//! Ansible playbooks.
//!
//! What the graph holds besides the contract's shapes: each task keyword that is no module stays in
//! the operation's metadata under its own name (`loop`, `register`, `notify`, `become_user`, …),
//! `section` tells handlers from tasks, and the graph's `plays` hold the variables of each play.

mod args;
mod conditions;
mod files;
mod handlers;
mod keywords;
mod modules;
mod parse;
mod play;
mod table;
mod task;
mod transform;

use crate::data_plane::format::{Format, Options, ParseError, Parsed, TransformError, Transformed};
use crate::semantic::Graph;

/// The format.
#[derive(Clone, Copy, Debug)]
pub struct Ansible;

impl Format for Ansible {
    fn name(&self) -> &'static str {
        "ansible"
    }

    fn title(&self) -> &'static str {
        "Ansible"
    }

    fn description(&self) -> &'static str {
        "Ansible playbooks (YAML)"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["yml", "yaml"]
    }

    fn parse(&self, source: &str, options: &Options) -> Result<Parsed, ParseError> {
        parse::parse(source, options)
    }

    fn transform(&self, graph: &Graph, options: &Options) -> Result<Transformed, TransformError> {
        transform::transform(graph, options)
    }
}
