//! A Rust program that drives load with `erlang-interop`: the same loads as the BEAM drives.

use std::io;
use std::time::{Duration, Instant};

use erlang_interop::node::transport::Transport;
use erlang_interop::node::transport::tls::Tls;
use erlang_interop::node::{
    Context, Cookie, Destination, Epmd, Message, Node, NodeConfig, NodeName,
};
use erlang_interop::otp::reason::CallOutcome;
use erlang_interop::otp::{client, erpc, gen_server, rpc};
use erlang_interop::term::{Atom, Term, atom, term};

use crate::machine::{Cluster, full};
use crate::measure::{Call, Load};
use crate::raw::{as_f64, percentiles};

/// Longest wait for any one answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(120);
/// Messages in flight in the pipelined load, as on the BEAM's side.
const WINDOW: usize = 1_000;

/// The driving node.
pub(crate) struct Driver {
    node: Node,
    runtime: tokio::runtime::Runtime,
}

type Outcome = Result<Vec<f64>, String>;

impl Driver {
    pub(crate) fn start(cluster: &Cluster, name: &str) -> io::Result<Self> {
        let name = NodeName::new(&full(name)).map_err(io::Error::other)?;
        let cookie = Cookie::new(cluster.cookie.as_str()).map_err(io::Error::other)?;
        let mut config = NodeConfig::new(name, cookie);
        config.epmd = Epmd::Daemon { address: config.interface, port: cluster.epmd_port };
        if let Some(optfile) = &cluster.optfile {
            let tls = Tls::from_optfile(optfile).map_err(io::Error::other)?;
            config.transport = Transport::Tls(tls);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let node = runtime.block_on(Node::start(config)).map_err(io::Error::other)?;
        Ok(Self { node, runtime })
    }

    /// Runs one load against the node `name` and returns its numbers.
    pub(crate) fn run(&self, load: Load, name: &str) -> io::Result<Vec<f64>> {
        let target = Atom::new(&full(name)).map_err(io::Error::other)?;
        let node = self.node.clone();
        let outcome = self.runtime.block_on(client::in_process(&self.node, move |context| {
            run(node, context, target, load)
        }));
        outcome.and_then(|numbers| numbers).map_err(io::Error::other)
    }
}

async fn run(node: Node, mut context: Context, target: Atom, load: Load) -> Outcome {
    node.connect(&target).await.map_err(|error| error.to_string())?;
    let context = &mut context;
    match load {
        Load::PingPong { rounds } => ping_pong(context, &target, rounds).await,
        Load::Pipelined { messages } => pipelined(context, &target, messages).await,
        Load::OneWay { messages } => {
            let message = |n: usize| term!({message, (n), a_word});
            one_way(context, &target, messages, message).await.map(|rate| vec![rate])
        }
        Load::Binaries { size, total } => {
            let binary = Term::binary(vec![b'x'; size]);
            let count = (total / size).max(1);
            let rate = one_way(context, &target, count, |_| binary.clone()).await?;
            Ok(vec![rate * as_f64(size) / 1_048_576.0])
        }
        Load::Calls { call, callers, calls } => {
            many_calls(&node, &target, callers, calls, call).await
        }
        Load::Connect { rounds } => connect(&node, &target, rounds).await,
    }
}

async fn receive(context: &mut Context) -> Result<Message, String> {
    context.receive_timeout(ANSWER_TIME_MAX).await.map_err(|error| error.to_string())
}

fn echo(target: &Atom) -> Destination {
    Destination::NameNode(atom!("echo"), target.clone())
}

async fn ping_pong(context: &mut Context, target: &Atom, rounds: usize) -> Outcome {
    let mut times = Vec::with_capacity(rounds);
    for round in 0..=rounds {
        let ping = Term::from((context.pid(), (atom!("ping"), round)));
        let start = Instant::now();
        context.send(echo(target), ping).await;
        receive(context).await?;
        times.push(start.elapsed().as_secs_f64() * 1e9);
    }
    // The first warms up.
    Ok(percentiles(times.split_off(1)))
}

async fn pipelined(context: &mut Context, target: &Atom, messages: usize) -> Outcome {
    let start = Instant::now();
    for n in 0..messages + WINDOW {
        if n >= WINDOW {
            receive(context).await?;
        }
        if n < messages {
            let ping = Term::from((context.pid(), (atom!("ping"), n)));
            context.send(echo(target), ping).await;
        }
    }
    Ok(vec![as_f64(messages) / start.elapsed().as_secs_f64()])
}

/// Messages a second until the sink has counted all.
async fn one_way(
    context: &mut Context,
    target: &Atom,
    count: usize,
    message: impl Fn(usize) -> Term,
) -> Result<f64, String> {
    sync(context, target).await?;
    let start = Instant::now();
    for n in 0..count {
        context.send(sink(target), message(n)).await;
    }
    let counted = sync(context, target).await?;
    if counted == i64::try_from(count).ok() {
        Ok(as_f64(count) / start.elapsed().as_secs_f64())
    } else {
        Err(format!("the sink counted {counted:?} of {count}"))
    }
}

fn sink(target: &Atom) -> Destination {
    Destination::NameNode(atom!("sink"), target.clone())
}

async fn sync(context: &mut Context, target: &Atom) -> Result<Option<i64>, String> {
    let request = Term::from((context.pid(), atom!("sync")));
    context.send(sink(target), request).await;
    let answer = receive(context).await?;
    Ok(answer.term().as_tuple().and_then(|answer| answer.get(1)?.as_integer()))
}

/// Calls a second, and nanoseconds a call at the median and at 99 of 100.
async fn many_calls(
    node: &Node,
    target: &Atom,
    callers: usize,
    calls: usize,
    call: Call,
) -> Outcome {
    let each = calls / callers;
    let start = Instant::now();
    let mut running = Vec::new();
    for _ in 0..callers {
        let (node, target) = (node.clone(), target.clone());
        let work = move |mut context: Context| async move {
            let mut times = Vec::with_capacity(each);
            for _ in 0..each {
                let start = Instant::now();
                call_once(&mut context, &target, call).await?;
                times.push(start.elapsed().as_secs_f64() * 1e9);
            }
            Ok::<_, String>(times)
        };
        running.push(tokio::spawn(async move { client::in_process(&node, work).await }));
    }
    let mut times = Vec::with_capacity(each * callers);
    for caller in running {
        times.extend(caller.await.map_err(|error| error.to_string())???);
    }
    let rate = as_f64(times.len()) / start.elapsed().as_secs_f64();
    Ok([vec![rate], percentiles(times)].concat())
}

async fn call_once(context: &mut Context, target: &Atom, call: Call) -> Result<(), String> {
    let (module, function) = (atom!("erlang"), atom!("node"));
    match call {
        Call::Erpc => {
            let answer =
                erpc::call_in(context, target, &module, &function, Vec::new(), ANSWER_TIME_MAX);
            match answer.await {
                Ok(CallOutcome::Return(value)) if value.as_atom() == Some(target) => Ok(()),
                other => Err(format!("erpc: {other:?}")),
            }
        }
        Call::Rpc => {
            let node = context.node();
            let answer = rpc::call(node, target, &module, &function, Vec::new(), ANSWER_TIME_MAX);
            match answer.await {
                value if value.as_atom() == Some(target) => Ok(()),
                other => Err(format!("rpc: {other}")),
            }
        }
        Call::GenServer => {
            let server = Destination::NameNode(atom!("net_kernel"), target.clone());
            let request = Term::from((atom!("is_auth"), context.node().name()));
            match gen_server::call(context, server, request, ANSWER_TIME_MAX).await {
                Ok(answer) if answer.is_atom("yes") => Ok(()),
                other => Err(format!("net_kernel: {other:?}")),
            }
        }
    }
}

/// Nanoseconds to connect, at the median and at 99 of 100.
async fn connect(node: &Node, target: &Atom, rounds: usize) -> Outcome {
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        node.disconnect(target).await;
        let start = Instant::now();
        node.connect(target).await.map_err(|error| error.to_string())?;
        times.push(start.elapsed().as_secs_f64() * 1e9);
    }
    Ok(percentiles(times))
}
