//! `har demo`: three nodes on this machine, one of them killed half-way, and nothing lost.

mod chaos;
mod machine;
mod story;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use erlang_interop::term::Atom;
use tokio::signal::unix::{SignalKind, signal};

use super::{Exit, Failure, print, runtime};
use crate::config::{Environment, Flags, Settings};
use crate::node;
use machine::{Machine, NodeProcess};
use story::{Client, Outcome, operations};

const NAMES: [&str; 3] = ["demo1@127.0.0.1", "demo2@127.0.0.1", "demo3@127.0.0.1"];
/// When the node is killed, as shares of the time that the job took before. At which of them it has work
/// depends on the machine; the last time it is held from the start, so that its part is not done.
const MOMENTS: [f64; 4] = [0.5, 0.4, 0.35, 0.5];
/// Operations in each job while nodes are killed.
const CHAOS_OPERATIONS: usize = 1000;
const PLAYBOOK: &str = "\
- hosts: web
  tasks:
    - name: Install nginx
      apt: {name: nginx, state: present}
    - name: Start nginx
      service: {name: nginx, state: started, enabled: true}
";

/// What `har demo` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Operations in a job
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000,
          value_parser = clap::value_parser!(u32).range(1000..=100_000))]
    operations: u32,
    /// Then kill a random node every 5 s for so many seconds, under load
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(10..=86_400))]
    kill_for: Option<u32>,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    crate::telemetry::logging::start(crate::config::LogFormat::Text, "error");
    runtime::of_a_client()?.block_on(async {
        let listen = |kind| {
            signal(kind).map_err(|error| {
                Failure::new(Exit::OsErr, format!("cannot listen for signals: {error}"))
            })
        };
        let mut interrupt = listen(SignalKind::interrupt())?;
        let mut terminate = listen(SignalKind::terminate())?;
        // Whatever is not chosen is dropped, and with it what was started.
        tokio::select! {
            outcome = tell(arguments) => outcome,
            _ = interrupt.recv() => Err(ended()),
            _ = terminate.recv() => Err(ended()),
        }
    })
}

fn ended() -> Failure {
    Failure::new(Exit::Negative, "the demo was ended; so are its nodes")
}

async fn tell(arguments: &Arguments) -> Result<(), Failure> {
    let count = arguments.operations;
    let begun = Instant::now();
    let machine = Arc::new(Machine::new()?);
    let mut nodes = Vec::new();
    for (place, name) in NAMES.iter().enumerate() {
        nodes.push(start(&machine, name, &NAMES[..place]).await?);
    }
    let client = client(&machine)?;
    client.mesh(&NAMES).await?;
    let ms = begun.elapsed().as_millis();
    let ids: Vec<String> = nodes.iter().map(|node| node.id().to_string()).collect();
    print(&format!(
        "Three nodes on this machine, in a mesh after {ms} ms (pids {}).\n",
        ids.join(", ")
    ))?;
    let converted = client.convert(PLAYBOOK).await?;
    print(&format!("\nAn Ansible playbook:\n\n{PLAYBOOK}\nis this Salt state:\n\n{converted}\n"))?;
    let operations = operations(usize::try_from(count).unwrap_or(usize::MAX));
    // The first job has connections and memory set up; the second is what one takes.
    client.route_all(&operations).await?;
    let (mut attempts, mut rows) = (0, Vec::new());
    while rows.is_empty() {
        let calm = client.route_all(&operations).await?;
        let kill = async {
            if attempts + 1 == MOMENTS.len() {
                nodes[2].hold();
            }
            tokio::time::sleep(calm.time.mul_f64(MOMENTS[attempts])).await;
            nodes[2].kill();
        };
        let (killed, ()) = tokio::join!(client.route_all(&operations), kill);
        let killed = killed?;
        attempts += 1;
        if killed.again > 0 || killed.lost > 0 {
            rows = vec![
                ("all three live".to_owned(), calm),
                ("demo3 killed half-way".to_owned(), killed),
            ];
        } else if attempts == MOMENTS.len() {
            let message = "demo3 never had work when it was killed; try more --operations";
            return Err(Failure::new(Exit::Software, message));
        } else {
            nodes[2] = start(&machine, NAMES[2], &NAMES[..2]).await?;
            client.mesh(&NAMES).await?;
        }
    }
    print(&table(count, &rows))?;
    if let Some(seconds) = arguments.kill_for {
        chaos(&machine, &client, &mut nodes, seconds).await?;
    }
    client.node.shutdown().await;
    let lost: usize = rows.iter().map(|(_, outcome)| outcome.lost).sum();
    if lost > 0 {
        return Err(Failure::new(Exit::Software, format!("{lost} operations were lost")));
    }
    let seconds = begun.elapsed().as_secs_f64();
    print(&format!("\nNothing was lost. {seconds:.1} s in all; the nodes are ended.\n"))
}

/// Kills random nodes under load, and says what came of it.
async fn chaos(
    machine: &Arc<Machine>,
    client: &Client,
    nodes: &mut [NodeProcess],
    seconds: u32,
) -> Result<(), Failure> {
    nodes[2] = start(machine, NAMES[2], &NAMES[..2]).await?;
    let operations = operations(CHAOS_OPERATIONS);
    let again = |place: usize| start(machine, NAMES[place], &NAMES);
    let tally = chaos::run(client, nodes, &operations, seconds, again).await?;
    print(&format!("\n{}", tally.text(operations.len())))?;
    if tally.lost > 0 {
        return Err(Failure::new(Exit::Software, format!("{} operations were lost", tally.lost)));
    }
    Ok(())
}

/// Waits on a thread of its own for what the node prints. Whoever is interrupted meanwhile ends when
/// that thread has, and the node with it.
async fn start(
    machine: &Arc<Machine>,
    name: &'static str,
    join: &'static [&str],
) -> Result<NodeProcess, Failure> {
    let machine = Arc::clone(machine);
    let started = tokio::task::spawn_blocking(move || machine.start(name, join)).await;
    started.unwrap_or_else(|error| Err(Failure::new(Exit::Software, error.to_string())))
}

/// A hidden node for the demo's own questions.
fn client(machine: &Machine) -> Result<Client, Failure> {
    let flags = Flags {
        cookie_file: Some(machine.cookie_file()),
        epmd_port: Some(machine.epmd_port),
        ..Flags::default()
    };
    let settings = Settings::resolve(flags, &Environment::default())?;
    let node = node::client(&settings, "demo@127.0.0.1")?;
    let first = Atom::from_checked(NAMES[0]);
    Ok(Client { node, first })
}

/// One row for each job.
fn table(count: u32, rows: &[(String, Outcome)]) -> String {
    let short = |name: &str| name.split('@').next().unwrap_or_default().to_owned();
    let mut text = format!("{count} operations      ");
    for name in NAMES {
        let _ = write!(text, "{:>8}", short(name));
    }
    text += "   again    lost      time\n";
    for (what, outcome) in rows {
        let _ = write!(text, "{what:<22}");
        for name in NAMES {
            let _ = write!(text, "{:>8}", outcome.by_node.get(name).copied().unwrap_or_default());
        }
        let ms = outcome.time.as_millis();
        let _ = writeln!(text, "{:>8}{:>8}{ms:>7} ms", outcome.again, outcome.lost);
    }
    text
}
