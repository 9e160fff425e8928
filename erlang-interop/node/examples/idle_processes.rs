//! Measures what an idle process costs: `cargo run --release --example idle_processes [COUNT]`.

use std::error::Error;
use std::time::Instant;

use erlang_node::{Context, Cookie, ExitReason, Node, NodeConfig, NodeName, SpawnOptions};

/// Resident memory of this program in bytes, as Linux tells it.
fn resident() -> Result<usize, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kibibytes: usize = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes * 1024)
}

async fn idle(mut context: Context) -> ExitReason {
    loop {
        context.receive().await;
    }
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "its output is its purpose")]
async fn main() -> Result<(), Box<dyn Error>> {
    let count: usize = std::env::args().nth(1).map_or(Ok(100_000), |text| text.parse())?;
    let config = NodeConfig::new(NodeName::new("idle@localhost")?, Cookie::new("unused")?);
    let node = Node::new(config)?;
    let before = resident()?;
    let began = Instant::now();
    let mut pids = Vec::with_capacity(count);
    for _ in 0..count {
        pids.push(node.spawn(SpawnOptions::new(), idle)?);
    }
    for pid in &pids {
        // Each has run once and waits in receive after this.
        node.send(pid, 1).await;
    }
    while node
        .processes()
        .iter()
        .any(|pid| node.process_info(pid).is_some_and(|info| info.message_queue_len > 0))
    {
        tokio::task::yield_now().await;
    }
    let took = began.elapsed();
    let pids_bytes = pids.capacity() * size_of_val(&pids[0]);
    let each = (resident()? - before - pids_bytes) / count;
    println!("{count} idle processes: {each} bytes each, spawned and reached in {took:?}");
    Ok(())
}
