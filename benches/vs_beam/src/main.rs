//! Measures har beside a BEAM: both in one run, rounds interleaved, ratios printed.
//!
//! `benches/run [--rounds N] [--divide N] [--only TEXT] [--json FILE] [--har FILE]`
//!
//! `--only wire` takes the loads between two nodes that call nothing; any other text, the figures
//! whose names have it. `--only tls` measures over TLS, with certificates on both sides; its column of
//! plain TCP stays plain.
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
use measure::Measure;
use report::Report;

struct Options {
    /// How often each load is measured on each side.
    rounds: usize,
    /// By how much each load is shortened.
    divide: usize,
    /// What to measure, if not everything.
    only: Option<String>,
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
    let mut options = Options { rounds: 5, divide: 1, only: None, json: None, har: beside };
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        let value = arguments.next().ok_or_else(|| bad(&format!("{flag} needs a value")))?;
        let number = || value.parse::<usize>().map_err(|_| bad(&format!("{flag} takes a number")));
        match flag.as_str() {
            "--rounds" => options.rounds = number()?.max(1),
            "--divide" => options.divide = number()?.max(1),
            "--only" => options.only = Some(value),
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
    let mut cluster = Cluster::start()?;
    if options.only.as_deref() == Some(measure::TLS) {
        cluster.encrypt(&options.har)?;
    }
    beam::compile(&cluster)?;
    let served_beam = Running::start(&mut beam::server(&cluster, "served_beam"))?;
    let served_har = Running::start(&mut cluster.har(&options.har, "served_har"))?;
    cluster.await_reachable("served_beam")?;
    cluster.await_reachable("served_har")?;
    let raw = raw::Peer::start()?;
    let interop = interop::Driver::start(&cluster, "driving_rust")?;
    // One for each side, so that neither sees the other's garbage.
    let mut drives_beam = beam::Driver::start(&cluster, "drives_beam")?;
    let mut drives_har = beam::Driver::start(&cluster, "drives_har")?;
    let this = std::process::id();

    let mut report = Report::default();
    for round in 0..options.rounds {
        if options.only.is_none() {
            progress(&format!("round {} of {}: start and rest", round + 1, options.rounds))?;
            rest::round(&cluster, &options.har, round, &mut report)?;
        }
        for measure in measure::all(options.divide, options.only.as_deref()) {
            progress(&format!("round {} of {}: {:?}", round + 1, options.rounds, measure.load))?;
            let load = measure.load;
            let mut side = |side, pids: [u32; 2], run: &mut dyn FnMut() -> Outcome| {
                one_side(&mut report, side, &measure, pids, run)
            };
            side("raw TCP", [this, raw.pid()], &mut || raw.run(load))?;
            let pids = [drives_beam.pid(), served_beam.pid()];
            side("BEAM-BEAM", pids, &mut || drives_beam.run(load, "served_beam").map(Some))?;
            let pids = [drives_har.pid(), served_har.pid()];
            side("BEAM-har", pids, &mut || drives_har.run(load, "served_har").map(Some))?;
            let pids = [this, served_har.pid()];
            side("har-har", pids, &mut || interop.run(load, "served_har").map(Some))?;
        }
    }
    report.print(&mut io::stdout().lock())?;
    if let Some(file) = &options.json {
        std::fs::write(file, format!("{:#}\n", report.json()))?;
    }
    Ok(())
}

/// The numbers of a load, if it makes sense on that side.
type Outcome = io::Result<Option<Vec<f64>>>;

/// Runs one load on one side; `pids` are the processes whose time it takes.
fn one_side(
    report: &mut Report,
    side: &'static str,
    measure: &Measure,
    pids: [u32; 2],
    run: &mut dyn FnMut() -> Outcome,
) -> io::Result<()> {
    let before = machine::cpu_seconds(pids)?;
    let named = |error| io::Error::other(format!("{side}, {:?}: {error}", measure.load));
    let Some(numbers) = run().map_err(named)? else { return Ok(()) };
    let cpu = machine::cpu_seconds(pids)? - before;
    for (figure, number) in measure.figures.iter().zip(numbers) {
        let value = number * figure.scale;
        report.add(side, &figure.name, figure.unit, figure.more_is_better, value);
    }
    let (name, unit) = measure.cpu_name();
    report.add(side, &name, unit, false, cpu * 1e6 / measure.load.pieces());
    Ok(())
}

fn progress(text: &str) -> io::Result<()> {
    writeln!(io::stderr(), "{text}")
}
