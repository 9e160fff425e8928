//! Routing decisions on one core: `cargo bench -p har --bench routing`.
//!
//! The built-in table and policies, operations of several types and targets. Decisions for each
//! second are of batches of 10,000; percentiles are of single operations, each a call of its own.

use std::hint::black_box;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use har::control_plane::ControlPlane;
use har::semantic::{Map, Operation, OperationType, Value};

/// Operations in a batch.
const BATCH: usize = 10_000;
/// How long batches are measured.
const BATCHES_TIME: Duration = Duration::from_secs(3);
/// Single decisions that are measured.
const SINGLES: usize = 200_000;

/// Every sixth is for a Debian machine, an IoT device, a network, development, or none of these.
fn operations() -> Vec<Operation> {
    let kinds = ["package_install", "service_start", "file_write", "user_create", "shell_run"];
    let targets = [
        Map::new().with("os", Value::atom("debian")),
        Map::new().with("device_type", Value::atom("iot")).with("os", Value::atom("alpine")),
        Map::new().with("ipv6", "2001:db8:2::5"),
        Map::new().with("environment", Value::atom("dev")),
        Map::new().with("region", "eu-west"),
        Map::new(),
    ];
    (0..BATCH)
        .map(|n| {
            let kind = OperationType::from_name(kinds[n % kinds.len()]);
            let params = Map::new().with("name", format!("thing-{n}")).with("state", "present");
            let operation = Operation::new(format!("op_{n}"), kind, params);
            Operation { target: targets[n % targets.len()].clone(), ..operation }
        })
        .collect()
}

fn main() -> io::Result<()> {
    let (plane, operations) = (ControlPlane::new(false), operations());
    // Warm, as a node that has run for a while is.
    let decided = plane.route_batch(&operations, None);
    assert!(decided.iter().all(Option::is_some), "each operation has a backend");
    let started = Instant::now();
    let mut batches = 0_u32;
    while started.elapsed() < BATCHES_TIME {
        black_box(plane.route_batch(black_box(&operations), None));
        batches += 1;
    }
    let count = f64::from(batches) * f64::from(u32::try_from(BATCH).expect("a small number"));
    let rate = count / started.elapsed().as_secs_f64();

    let mut times: Vec<Duration> = (0..SINGLES)
        .map(|n| {
            let one = std::slice::from_ref(&operations[n % BATCH]);
            let asked = Instant::now();
            black_box(plane.route_batch(black_box(one), None));
            asked.elapsed()
        })
        .collect();
    times.sort();
    let percentile = |part: usize| times[(times.len() * part / 1000).min(times.len() - 1)];
    let mut out = io::stdout().lock();
    writeln!(out, "{rate:>12.0} decisions/s in batches of {BATCH}, one thread")?;
    writeln!(
        out,
        "{:>12?} p50, {:?} p99, {:?} p99.9 of one decision by itself",
        percentile(500),
        percentile(990),
        percentile(999)
    )
}
