//! Start and rest: how long until a node is registered and reachable, and what it weighs idle.

use std::io;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::machine::{Cluster, Running, memory_kib, threads};
use crate::report::Report;

/// How long a node is left alone before it is weighed.
const IDLE_TIME: Duration = Duration::from_millis(1_500);

/// One start of each side. The column says who is started: a BEAM, or har.
pub(crate) fn round(
    cluster: &Cluster,
    har: &Path,
    round: usize,
    report: &mut Report,
) -> io::Result<()> {
    let name = format!("start_beam{round}");
    let mut beam = cluster.erl(&name);
    beam.arg("-noinput");
    one(cluster, "BEAM-BEAM", &name, &mut beam, report)?;
    let name = format!("start_har{round}");
    one(cluster, "har-har", &name, &mut cluster.har(har, &name), report)?;
    let bytes = std::fs::metadata(har)?.len();
    let mib = f64::from(u32::try_from(bytes / 1024).unwrap_or(u32::MAX)) / 1024.0;
    report.add("har-har", "binary", "MiB", false, mib);
    Ok(())
}

fn one(
    cluster: &Cluster,
    side: &'static str,
    name: &str,
    command: &mut Command,
    report: &mut Report,
) -> io::Result<()> {
    let start = Instant::now();
    let node = Running::start(command)?;
    cluster.await_reachable(name)?;
    report.add(side, "start to reachable", "ms", false, start.elapsed().as_secs_f64() * 1e3);
    std::thread::sleep(IDLE_TIME);
    let (rss, pss) = memory_kib(node.pid())?;
    report.add(side, "idle RSS", "MiB", false, rss / 1024.0);
    report.add(side, "idle PSS", "MiB", false, pss / 1024.0);
    let threads = u32::try_from(threads(node.pid())?).unwrap_or(u32::MAX);
    report.add(side, "threads", "", false, f64::from(threads));
    drop(node);
    cluster.await_gone(name)
}
