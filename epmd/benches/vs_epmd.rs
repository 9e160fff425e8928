//! Registrations and look-ups per second: `har-epmd` beside the original `epmd`, in one run, with
//! the same client. `cargo bench -p epmd --bench vs_epmd`. Prints a table; asserts nothing.
//!
//! Each operation is a connection, as nodes do it: look-up = connect, ask, read to the end;
//! registration = connect, ask, read the answer (and closing again, which is not counted apart).
//! They are measured with no other name registered and with many, since a host with many nodes is
//! where a daemon has work to do. Rounds alternate between the two, the median counts. Beside the
//! rate stands the processor time that the daemon itself spends on one operation: the rate holds
//! the client's work and the kernel's as well, and on a busy machine much noise.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench talks and may fail")]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use epmd::codec::{Alive2, Request};

const ROUNDS: usize = 9;
const OPERATIONS: usize = 1500;
/// The original can't hold more than about a thousand.
const BACKGROUND: [usize; 2] = [0, 900];
const CLIENTS: [usize; 2] = [1, 4];

struct Daemon {
    address: SocketAddr,
    child: Child,
    kept: Vec<TcpStream>,
}

impl Daemon {
    fn start(program: &str, background: usize) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let child = Command::new(program)
            .args(["-port", &address.port().to_string(), "-address", "127.0.0.1"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "{program} doesn't start");
        }
        let kept = (0..background).map(|n| register(address, &format!("kept{n}"))).collect();
        Self { address, child, kept }
    }

    fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    }
}

impl Daemon {
    /// Nanoseconds its threads have run so far.
    fn processor_nanoseconds(&self) -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let times = tasks.into_iter().flatten().flatten().filter_map(|task| {
            let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        });
        times.sum()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kept.clear();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn register(address: SocketAddr, name: &str) -> TcpStream {
    let alive = Alive2 {
        port: 4711,
        node_type: 77,
        protocol: 0,
        highest_version: 6,
        lowest_version: 6,
        name: name.as_bytes(),
        extra: b"",
    };
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(&Request::Alive2(alive).encode().unwrap()).unwrap();
    let mut answer = [0; 6];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer[..2], [118, 0], "{name} is refused");
    stream
}

fn look_up(address: SocketAddr, name: &str) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(&Request::PortPlease2 { name }.encode().unwrap()).unwrap();
    let mut answer = Vec::with_capacity(64);
    stream.read_to_end(&mut answer).unwrap();
    assert_eq!(answer[..2], [119, 0]);
}

/// Operations per second of `clients` threads that share the work.
fn rate(clients: usize, operation: impl Fn(usize) + Sync) -> f64 {
    let each = OPERATIONS / clients;
    let started = Instant::now();
    std::thread::scope(|scope| {
        for client in 0..clients {
            let operation = &operation;
            scope.spawn(move || (0..each).for_each(|n| operation(client * each + n)));
        }
    });
    (each * clients) as f64 / started.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn measure(label: &str, operation: impl Fn(SocketAddr, usize, usize) + Sync) {
    for background in BACKGROUND {
        for clients in CLIENTS {
            let programs = [env!("CARGO_BIN_EXE_har-epmd"), "epmd"];
            let daemons = programs.map(|program| Daemon::start(program, background));
            let target = register_target(&daemons);
            let mut rates = [Vec::new(), Vec::new()];
            let before = daemons.each_ref().map(Daemon::processor_nanoseconds);
            for round in 0..ROUNDS {
                for (daemon, rates) in daemons.iter().zip(&mut rates) {
                    rates.push(rate(clients, |n| operation(daemon.address, round, n)));
                }
            }
            let after = daemons.each_ref().map(Daemon::processor_nanoseconds);
            let operations = (ROUNDS * OPERATIONS) as f64;
            let spent = |which: usize| (after[which] - before[which]) as f64 / 1e3 / operations;
            let [ours, theirs] = rates.map(median);
            let memory = daemons.each_ref().map(Daemon::resident_kib);
            println!(
                "{label:<10} {background:>5} {clients:>7} {ours:>9.0} {theirs:>9.0} {:>6.2} \
                 {:>8.1} {:>8.1} {:>8} {:>8}",
                ours / theirs,
                spent(0),
                spent(1),
                memory[0],
                memory[1]
            );
            drop(target);
        }
    }
}

/// The name that look-ups ask for; registered last of all.
fn register_target(daemons: &[Daemon; 2]) -> [TcpStream; 2] {
    daemons.each_ref().map(|daemon| register(daemon.address, "target"))
}

fn main() {
    println!(
        "{:<10} {:>5} {:>7} {:>9} {:>9} {:>6} {:>8} {:>8} {:>8} {:>8}",
        "operation",
        "names",
        "clients",
        "ours/s",
        "epmd/s",
        "ratio",
        "ours us",
        "epmd us",
        "ours KiB",
        "epmd KiB"
    );
    measure("look-up", |address, _, _| look_up(address, "target"));
    measure("register", |address, round, n| {
        drop(register(address, &format!("r{round}_{n}")));
    });
}
