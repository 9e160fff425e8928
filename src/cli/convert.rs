//! `har convert`: the result on standard output, what was kept or lost on standard error.

use std::io::{self, Write as _};
use std::path::PathBuf;

use crate::data_plane::format::transform;
use crate::data_plane::report::Report;

use super::{Exit, Failure, print, source};

/// What `har convert` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Format of the source
    #[arg(long, value_name = "FORMAT", value_parser = source::formats())]
    from: String,
    /// Format of the result
    #[arg(long, value_name = "FORMAT", value_parser = source::formats())]
    to: String,
    /// How to report, on standard error, what was kept, approximated and lost
    #[arg(long, value_name = "HOW", default_value = "text")]
    report: ReportForm,
    /// The source; - for standard input
    file: PathBuf,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum ReportForm {
    /// One line a finding
    Text,
    /// One JSON object
    Json,
    /// Nothing
    None,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (from, to) = (source::format(&arguments.from)?, source::format(&arguments.to)?);
    let source = source::read(&arguments.file)?;
    let parsed = from
        .parse(&source.text, &source.options)
        .map_err(|error| source::malformed(&source.name, from, &error))?;
    let written =
        transform(&parsed.graph, parsed.report, to, &source.options).map_err(|error| {
            let message = format!("{} cannot be written as {}: {error}", source.name, to.title());
            Failure::new(Exit::DataErr, message)
        })?;
    print(&written.text)?;
    report(arguments.report, &written.report);
    Ok(())
}

fn report(form: ReportForm, report: &Report) {
    // Standard error that has gone away is no reason to fail: the result is out.
    let _ = match form {
        ReportForm::Text => writeln!(io::stderr(), "{report}"),
        ReportForm::Json => writeln!(io::stderr(), "{}", report.to_json()),
        ReportForm::None => Ok(()),
    };
}
