//! Measures har beside a BEAM: both in one run, rounds interleaved, ratios printed.
//!
//! `benches/run [--rounds N] [--divide N] [--json FILE] [--har FILE]`
//!
//! Absolute figures of a shared machine drift by a factor of two within an hour, so only ratios of
//! one run say something. Nothing is asserted here. The columns say who drives and who is driven:
//! a BEAM drives a BEAM, a BEAM drives har, a Rust program drives har, and plain TCP for the scale.

mod beam;
mod interop;
mod machine;
mod measure;
mod raw;
mod report;
mod rest;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use machine::{Cluster, Running};
use measure::Figure;
use report::Report;

struct Options {
    /// How often each load is measured on each side.
    rounds: usize,
    /// By how much each load is shortened.
    divide: usize,
    json: Option<PathBuf>,
    har: PathBuf,
}

fn main() -> ExitCode {
    let outcome = if std::env::args().any(|argument| argument == raw::SERVER_ARGUMENT) {
        raw::serve()
    } else {
        machine::end_all_on_signal().and_then(|()| options()).and_then(|options| run(&options))
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Without standard error there is nobody left to tell.
            let _ = writeln!(io::stderr(), "vs-beam: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> io::Result<Options> {
    let beside = std::env::current_exe()?.with_file_name("har");
    let mut options = Options { rounds: 5, divide: 1, json: None, har: beside };
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        let value = arguments.next().ok_or_else(|| bad(&format!("{flag} needs a value")))?;
        let number = || value.parse::<usize>().map_err(|_| bad(&format!("{flag} takes a number")));
        match flag.as_str() {
            "--rounds" => options.rounds = number()?.max(1),
            "--divide" => options.divide = number()?.max(1),
            "--json" => options.json = Some(value.into()),
            "--har" => options.har = value.into(),
            _ => return Err(bad(&format!("unknown option {flag}"))),
        }
    }
    if options.har.exists() {
        Ok(options)
    } else {
        let path = options.har.display();
        Err(bad(&format!("no har at {path}: cargo build --release first, or --har FILE")))
    }
}

fn bad(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

fn run(options: &Options) -> io::Result<()> {
    let cluster = Cluster::start()?;
    beam::compile(&cluster)?;
    let _served_beam = Running::start(&mut beam::server(&cluster, "served_beam"))?;
    let _served_har = Running::start(&mut cluster.har(&options.har, "served_har"))?;
    cluster.await_reachable("served_beam")?;
    cluster.await_reachable("served_har")?;
    let raw = raw::Peer::start()?;
    let interop = interop::Driver::start(&cluster, "driving_rust")?;
    // One for each side, so that neither sees the other's garbage.
    let mut drives_beam = beam::Driver::start(&cluster, "drives_beam")?;
    let mut drives_har = beam::Driver::start(&cluster, "drives_har")?;

    let mut report = Report::default();
    for round in 0..options.rounds {
        progress(&format!("round {} of {}: start and rest", round + 1, options.rounds))?;
        rest::round(&cluster, &options.har, round, &mut report)?;
        for measure in measure::all(options.divide) {
            progress(&format!("round {}: {:?}", round + 1, measure.load))?;
            if let Some(numbers) = raw.run(measure.load)? {
                add(&mut report, "raw TCP", &measure.figures, &numbers);
            }
            let numbers = drives_beam.run(measure.load, "served_beam")?;
            add(&mut report, "BEAM-BEAM", &measure.figures, &numbers);
            let numbers = drives_har.run(measure.load, "served_har")?;
            add(&mut report, "BEAM-har", &measure.figures, &numbers);
            let numbers = interop.run(measure.load, "served_har")?;
            add(&mut report, "har-har", &measure.figures, &numbers);
        }
    }
    report.print(&mut io::stdout().lock())?;
    if let Some(file) = &options.json {
        std::fs::write(file, format!("{:#}\n", report.json()))?;
    }
    Ok(())
}

fn add(report: &mut Report, side: &'static str, figures: &[Figure], numbers: &[f64]) {
    for (figure, number) in figures.iter().zip(numbers) {
        let value = number * figure.scale;
        report.add(side, figure.name, figure.unit, figure.more_is_better, value);
    }
}

fn progress(text: &str) -> io::Result<()> {
    writeln!(io::stderr(), "{text}")
}
