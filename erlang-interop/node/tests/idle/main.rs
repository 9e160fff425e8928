//! What idle processes cost. A binary of its own with this one test, since it measures the memory of
//! its whole program.

use std::sync::atomic::{AtomicUsize, Ordering};

use erlang_node::{Context, Cookie, ExitReason, Node, NodeConfig, NodeName, SpawnOptions};

const PROCESSES: usize = 100_000;
const BYTES_EACH_MAX: usize = 1024;

/// Resident memory of this program in bytes, as Linux tells it.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    let kibibytes = line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number");
    kibibytes * 1024
}

/// Messages that processes have received. It is no part of them, since their size is what counts.
static REACHED: AtomicUsize = AtomicUsize::new(0);

/// Waits for messages, and counts them.
async fn idle(mut context: Context) -> ExitReason {
    loop {
        context.receive().await;
        REACHED.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_processes_cost_less_than_a_kibibyte_each() {
    let name = NodeName::new("idle@127.0.0.1").expect("a name");
    let node = Node::new(NodeConfig::new(name, Cookie::new("unused").expect("a cookie")))
        .expect("a node without a network");
    let mut pids = Vec::with_capacity(PROCESSES);
    let before = resident();
    for _ in 0..PROCESSES {
        pids.push(node.spawn(SpawnOptions::new(), idle).expect("there is room for so many"));
    }
    // Each has run, has had a message and waits for the next one.
    for pid in &pids {
        node.send(pid, 1).await;
    }
    while REACHED.load(Ordering::Relaxed) < PROCESSES {
        tokio::task::yield_now().await;
    }
    let all = resident().saturating_sub(before + pids.capacity() * size_of_val(&pids[0]));
    let each = all / PROCESSES;
    assert!(node.process_count() >= PROCESSES, "all live");
    assert!(each < BYTES_EACH_MAX, "{each} bytes for each idle process");
    // Had nothing been measured, this would tell.
    assert!(each > size_of::<Context>(), "only {each} bytes for each idle process");
    println!("{PROCESSES} idle processes: {each} bytes each");
}
