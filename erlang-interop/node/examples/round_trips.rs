//! Measures request and answer between two nodes over loopback:
//! `cargo run --release --example round_trips [CALLS]`.

use std::error::Error;
use std::time::{Duration, Instant};

use erlang_node::{
    AliasMode, Context, Cookie, DemonitorOptions, Epmd, ExitReason, Node, NodeConfig, NodeName,
    SpawnOptions,
};
use erlang_term::{Pid, Term};

async fn start(name: &str, peer_port: u16) -> Result<Node, Box<dyn Error>> {
    let mut config = NodeConfig::new(NodeName::new(name)?, Cookie::new("round_trips")?);
    config.epmd = Epmd::FixedPort { peer_port };
    Ok(Node::start(config).await?)
}

/// Answers `{Alias, Body}` with `{Alias, Body}`.
async fn serve(mut context: Context) -> ExitReason {
    loop {
        let message = context.receive().await.into_term();
        if let Some([Term::Reference(alias), _]) = message.as_tuple() {
            context.send(alias, message.clone()).await;
        }
    }
}

/// Calls as a gen call does: monitor with alias, request, reply, demonitor.
async fn call(context: &mut Context, server: &Pid) {
    let monitor = context.monitor_with_alias(server, AliasMode::ReplyDemonitor).await;
    let request = Term::tuple([Term::Reference(monitor.clone()), Term::from(1)]);
    context.send(server, request).await;
    context
        .receive_matching(|message| match message.as_tuple() {
            Some([Term::Reference(of), _]) => *of == monitor,
            _ => message.is_down_of(&monitor),
        })
        .await;
    context.demonitor(&monitor, DemonitorOptions::FLUSH);
}

async fn measure(from: &Node, server: &Pid, callers: usize, calls: usize) -> Vec<Duration> {
    let (sender, mut results) = tokio::sync::mpsc::channel(callers);
    for _ in 0..callers {
        let (sender, server) = (sender.clone(), server.clone());
        let spawned = from.spawn(SpawnOptions::new(), move |mut context| async move {
            let mut times = Vec::with_capacity(calls);
            for _ in 0..calls {
                let began = Instant::now();
                call(&mut context, &server).await;
                times.push(began.elapsed());
            }
            // The receiver lives until all senders are gone.
            let _ = sender.send(times).await;
        });
        debug_assert!(spawned.is_ok(), "an empty node has room");
    }
    drop(sender);
    let mut all = Vec::new();
    while let Some(times) = results.recv().await {
        all.extend(times);
    }
    all.sort();
    all
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "its output is its purpose")]
async fn main() -> Result<(), Box<dyn Error>> {
    let total: usize = std::env::args().nth(1).map_or(Ok(100_000), |text| text.parse())?;
    let b = start("b@127.0.0.1", 1).await?;
    let port = b.listen_address().ok_or("it listens")?.port();
    let a = start("a@127.0.0.1", port).await?;
    let server = b.spawn(SpawnOptions::new(), serve)?;
    for callers in [1, 16, 64] {
        let began = Instant::now();
        let times = measure(&a, &server, callers, total / callers).await;
        let rate = times.len() as f64 / began.elapsed().as_secs_f64();
        let (median, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
        println!("{callers:2} callers: {rate:8.0} calls/s, median {median:?}, p99 {p99:?}");
    }
    Ok(())
}
