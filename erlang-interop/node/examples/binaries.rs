//! Measures binaries between two nodes in two processes beside plain TCP, over loopback, in one run:
//! `cargo run --release -p erlang-node --example binaries [MIB]`.
//!
//! The times of both processes and the page faults of the receiver are shown too: on a busy machine
//! they say more than the rate.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Instant;

use erlang_node::{
    Context, Cookie, Destination, Epmd, ExitReason, Node, NodeConfig, NodeName, SpawnOptions,
};
use erlang_term::{Term, atom};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const ROUNDS: usize = 5;
/// The argument that makes this program the receiving end.
const SERVE: &str = "serve";

async fn start(name: &str, peer_port: u16) -> Result<Node, Box<dyn Error>> {
    let mut config = NodeConfig::new(NodeName::new(name)?, Cookie::new("binaries")?);
    config.epmd = Epmd::FixedPort { peer_port };
    Ok(Node::start(config).await?)
}

/// Drops what comes, and answers `{From, _}`.
async fn sink(mut context: Context) -> ExitReason {
    loop {
        let message = context.receive().await.into_term();
        if let Some([Term::Pid(from), _]) = message.as_tuple() {
            context.send(from, message.clone()).await;
        }
    }
}

/// Swallows each connection to its end and answers one byte.
fn swallow(listener: &TcpListener) -> io::Result<()> {
    let mut buffer = vec![0; 256 * KIB];
    loop {
        let (mut socket, _) = listener.accept()?;
        while socket.read(&mut buffer)? > 0 {}
        socket.write_all(b"!")?;
    }
}

#[expect(clippy::print_stdout, reason = "the other end reads the ports")]
async fn serve() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let node = start("b@127.0.0.1", 1).await?;
    let pid = node.spawn(SpawnOptions::new(), sink)?;
    node.register(&atom!("sink"), &pid)?;
    let port = node.listen_address().ok_or("it listens")?.port();
    println!("{port} {}", listener.local_addr()?.port());
    std::thread::spawn(move || swallow(&listener));
    // It is ended by the other end.
    std::future::pending().await
}

/// Microseconds of processor time, and minor page faults, of a process.
fn spent(process: u32) -> (f64, f64) {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task"));
    let nanoseconds: u64 = tasks
        .into_iter()
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
        .filter_map(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        .sum();
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let faults = fields.split_whitespace().nth(7).and_then(|field| field.parse().ok());
    (nanoseconds as f64 / 1e3, faults.unwrap_or(0.0))
}

/// Seconds that plain TCP takes.
fn raw(port: u16, size: usize, total: usize) -> io::Result<f64> {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    // A write of 64 MiB is no different from 64 of 1 MiB.
    let data = vec![b'x'; size.min(MIB)];
    let start = Instant::now();
    for _ in 0..total / data.len() {
        socket.write_all(&data)?;
    }
    socket.shutdown(std::net::Shutdown::Write)?;
    socket.read_exact(&mut [0])?;
    Ok(start.elapsed().as_secs_f64())
}

/// Seconds that messages take.
async fn messages(context: &mut Context, body: &Term, count: usize) -> f64 {
    let sink = || Destination::NameNode(atom!("sink"), atom!("b@127.0.0.1"));
    let sync = Term::from((context.pid(), 1));
    context.send(sink(), sync.clone()).await;
    context.receive().await;
    let start = Instant::now();
    for _ in 0..count {
        context.send(sink(), body.clone()).await;
    }
    context.send(sink(), sync).await;
    context.receive().await;
    start.elapsed().as_secs_f64()
}

#[expect(clippy::print_stdout, reason = "a report is what this program is for")]
async fn measure(mut context: Context, peer: u32, raw_port: u16, mib: usize) -> io::Result<()> {
    let (this, total) = (std::process::id(), mib * MIB);
    println!(
        "   size  plain TCP  CPU us/MiB  messages    ratio  CPU us/MiB: sender, receiver  faults"
    );
    for _ in 0..ROUNDS {
        for size in [64 * KIB, MIB, 64 * MIB] {
            let before = spent(this).0 + spent(peer).0;
            let plain = raw(raw_port, size, total)?;
            let plain_cpu = (spent(this).0 + spent(peer).0 - before) / mib as f64;
            let body = Term::binary(vec![b'x'; size]);
            let (sender, receiver) = (spent(this), spent(peer));
            let ours = messages(&mut context, &body, total / size).await;
            let each = |now: f64, before: f64| (now - before) / mib as f64;
            println!(
                "{:>5} KiB {:>6.0} MiB/s {plain_cpu:>6.0} {:>10.0} MiB/s {:>6.2} {:>6.0} {:>6.0} {:>6.1}/MiB",
                size / KIB,
                mib as f64 / plain,
                mib as f64 / ours,
                plain / ours,
                each(spent(this).0, sender.0),
                each(spent(peer).0, receiver.0),
                each(spent(peer).1, receiver.1),
            );
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let argument = std::env::args().nth(1);
    if argument.as_deref() == Some(SERVE) {
        return serve().await;
    }
    let mib = argument.map_or(Ok(256), |text| text.parse())?;
    let mut command = Command::new(std::env::current_exe()?);
    let mut child = command.arg(SERVE).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().ok_or("it is piped")?).read_line(&mut line)?;
    let (port, raw_port) = line.trim().split_once(' ').ok_or("two ports")?;
    let (port, raw_port, peer) = (port.parse()?, raw_port.parse()?, child.id());
    let node = start("a@127.0.0.1", port).await?;
    let (sender, receiver) = tokio::sync::oneshot::channel();
    node.spawn(SpawnOptions::new(), move |context: Context| async move {
        // The receiver waits for it.
        let _ = sender.send(measure(context, peer, raw_port, mib).await);
    })?;
    let measured = receiver.await?;
    child.kill()?;
    child.wait()?;
    Ok(measured?)
}
