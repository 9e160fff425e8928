//! Runs seeds and reports the ones that fail: `erlang-sim --seeds 1000`, `erlang-sim --seed 7`.
#![expect(clippy::print_stdout, reason = "a program whose output is its report")]

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use erlang_sim::{Outcome, Size, grow, run};

/// Simulated clusters: real nodes, virtual time, a network that fails as the seed says.
#[derive(Debug, Parser)]
struct Arguments {
    /// Run only this seed, and show its events
    #[arg(long)]
    seed: Option<u64>,
    /// How many seeds to run
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Instead of seeds: what meshes of so many nodes cost, without faults
    #[arg(long, value_name = "NODES", value_delimiter = ',')]
    grow: Vec<usize>,
    /// Run each seed twice and compare
    #[arg(long)]
    twice: bool,
}

fn show(outcome: &Outcome) {
    for event in &outcome.trace {
        println!("{event}");
    }
    println!("seed {}: {} events, hash {:016x}", outcome.seed, outcome.events, outcome.hash);
    for name in &outcome.excused {
        println!("seed {}: half told: {name}", outcome.seed);
    }
    for fault in &outcome.faults {
        println!("seed {}: FAULT {fault}", outcome.seed);
    }
}

/// A table of what meshes cost.
fn show_growth(nodes: &[usize]) -> ExitCode {
    println!(
        "| nodes | messages | MiB | messages for one more | KiB for one more | messages in an idle minute | real time, one core |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for nodes in nodes {
        let found = match grow(*nodes) {
            Ok(found) => found,
            Err(why) => {
                println!("{nodes} nodes: {why}");
                return ExitCode::FAILURE;
            }
        };
        println!(
            "| {nodes} | {} | {:.1} | {} | {:.0} | {} | {:.1} s |",
            found.messages,
            found.bytes as f64 / 1_048_576.0,
            found.join_messages,
            found.join_bytes as f64 / 1024.0,
            found.idle_messages,
            found.time.as_secs_f64(),
        );
    }
    ExitCode::SUCCESS
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if !arguments.grow.is_empty() {
        return show_growth(&arguments.grow);
    }
    let mut traced = Size::default();
    traced.trace = true;
    if let Some(seed) = arguments.seed {
        let outcome = run(seed, traced);
        show(&outcome);
        return if outcome.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let started = Instant::now();
    let (mut failed, mut other, mut excused, mut events) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for seed in arguments.from..arguments.from + arguments.seeds {
        let outcome = run(seed, Size::default());
        events += outcome.events;
        if arguments.twice && run(seed, Size::default()) != outcome {
            other.push(seed);
        }
        if !outcome.excused.is_empty() {
            excused.push(seed);
        }
        if !outcome.faults.is_empty() {
            if failed.is_empty() {
                show(&run(seed, traced));
            }
            show(&outcome);
            failed.push(seed);
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let rate = arguments.seeds as f64 / seconds;
    println!("{} seeds, {events} events, {seconds:.1} s, {rate:.1} seeds/s", arguments.seeds);
    println!("failed: {failed:?}");
    println!("a name half told by a node that ended: {excused:?}");
    if arguments.twice {
        println!("not the same twice: {other:?}");
    }
    if failed.is_empty() && other.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
