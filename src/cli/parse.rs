//! `har parse`: the semantic graph of a source, as JSON or as the term an Elixir caller gets.

use std::path::PathBuf;

use serde_json::Value as Json;

use crate::data_plane::report::json;
use crate::semantic::terms;

use super::syntax::Syntax;
use super::{Failure, print, source};

/// What `har parse` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Format of the source
    #[arg(long, value_name = "FORMAT", value_parser = source::formats())]
    from: String,
    /// How to print the graph
    #[arg(long, value_name = "HOW", default_value = "json")]
    output: Output,
    /// The source; - for standard input
    file: PathBuf,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Output {
    /// JSON: atoms as text
    Json,
    /// The term in Elixir's syntax
    Elixir,
    /// The term in Erlang's syntax
    Erlang,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let from = source::format(&arguments.from)?;
    let source = source::read(&arguments.file)?;
    let parsed = from
        .parse(&source.text, &source.options)
        .map_err(|error| source::malformed(&source.name, from, &error))?;
    let graph = parsed.graph.to_term();
    let text = match arguments.output {
        Output::Json => format!("{:#}", plain(json(&terms::value(&graph)))),
        Output::Elixir => Syntax::Elixir.show(&graph),
        Output::Erlang => Syntax::Erlang.show(&graph),
    };
    print(&format!("{text}\n"))
}

/// Elixir's structs as JSON people expect: without the struct's name, a moment as text. The graph's
/// depth is bounded by the parser.
fn plain(value: Json) -> Json {
    match value {
        Json::Object(map) => match moment(&map) {
            Some(text) => text.into(),
            None => {
                let entries = map.into_iter().filter(|(key, _)| key != "__struct__");
                Json::Object(entries.map(|(key, value)| (key, plain(value))).collect())
            }
        },
        Json::Array(items) => items.into_iter().map(plain).collect(),
        other => other,
    }
}

/// `2026-01-31T23:59:59Z`, when the object is a `DateTime`.
fn moment(map: &serde_json::Map<String, Json>) -> Option<String> {
    map.get("__struct__").filter(|name| *name == "Elixir.DateTime")?;
    let number = |key: &str| map.get(key).and_then(Json::as_i64);
    let (year, month, day) = (number("year")?, number("month")?, number("day")?);
    let (hour, minute, second) = (number("hour")?, number("minute")?, number("second")?);
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"))
}
