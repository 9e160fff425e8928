//! What is measured, and how much of it in one round.

use crate::raw::as_f64;

/// One load against one node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Load {
    /// Round trips of a small tuple, one at a time.
    PingPong { rounds: usize },
    /// Small tuples through an echo with 1,000 in flight.
    Pipelined { messages: usize },
    /// Small tuples to a sink.
    OneWay { messages: usize },
    /// Calls by so many callers at once.
    Calls { call: Call, callers: usize, calls: usize },
    /// Binaries to a sink.
    Binaries { size: usize, total: usize },
    /// Connecting anew.
    Connect { rounds: usize },
}

/// What a caller calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Call {
    /// `erpc:call(Node, erlang, node, [])`.
    Erpc,
    /// `rpc:call(Node, erlang, node, [])`.
    Rpc,
    /// `gen_server:call({net_kernel, Node}, {is_auth, node()})`.
    GenServer,
}

impl Call {
    pub(crate) const fn module(self) -> &'static str {
        match self {
            Self::Erpc => "erpc",
            Self::Rpc => "rpc",
            Self::GenServer => "gen_server",
        }
    }
}

impl Load {
    /// What the processor time of a run is divided by: rounds, messages, calls, or MiB.
    pub(crate) fn pieces(self) -> f64 {
        as_f64(match self {
            Self::PingPong { rounds } | Self::Connect { rounds } => rounds,
            Self::Pipelined { messages } | Self::OneWay { messages } => messages,
            Self::Calls { calls, .. } => calls,
            Self::Binaries { size, total } => (total / size).max(1) * size / MIB,
        })
    }
}

impl Measure {
    /// The row of the processor time that both processes together take.
    pub(crate) fn cpu_name(&self) -> (String, &'static str) {
        let name = self.figures.first().map_or("", |figure| &*figure.name);
        let name = name.trim_end_matches(" p50");
        let unit = if matches!(self.load, Load::Binaries { .. }) { "us/MiB" } else { "us each" };
        (format!("{name}, CPU"), unit)
    }

    /// Whether `--only` names it.
    fn is_wanted(&self, only: &str) -> bool {
        let calls = matches!(self.load, Load::Calls { .. });
        let connects = matches!(self.load, Load::Connect { .. });
        (only == "wire" && !calls && !connects)
            || self.figures.iter().any(|figure| figure.name.contains(only))
    }
}

/// A load with what its numbers are called.
pub(crate) struct Measure {
    pub(crate) load: Load,
    /// One name for each number that the load gives.
    pub(crate) figures: Vec<Figure>,
}

/// One number in the report.
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    /// What the driver's number is multiplied with to be in `unit`.
    pub(crate) scale: f64,
    pub(crate) more_is_better: bool,
}

fn time(name: &str) -> Figure {
    let name = name.to_owned();
    Figure { name, unit: "us", scale: 1e-3, more_is_better: false }
}

fn rate(name: &str, unit: &'static str) -> Figure {
    let name = name.to_owned();
    Figure { name, unit, scale: 1.0, more_is_better: true }
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// What `--only` says for the loads over TLS.
pub(crate) const TLS: &str = "tls";

/// What `only` names, or everything, in the order of the report. `divide` makes the rounds shorter.
pub(crate) fn all(divide: usize, only: Option<&str>) -> Vec<Measure> {
    if only == Some(TLS) {
        return over_tls(divide);
    }
    let mut measures = everything(divide);
    measures.retain(|measure| only.is_none_or(|only| measure.is_wanted(only)));
    measures
}

/// Less of it than without: a BEAM moves a tenth of its TCP rate.
fn over_tls(divide: usize) -> Vec<Measure> {
    let part = |whole: usize| whole / divide;
    vec![
        connect(part(100)),
        ping_pong(part(2_000)),
        calls(Call::Erpc, 1, part(2_000)),
        calls(Call::Erpc, 16, part(8_000)),
        calls(Call::GenServer, 1, part(2_000)),
        calls(Call::GenServer, 16, part(8_000)),
        binaries(64 * KIB, part(128 * MIB)),
        binaries(MIB, part(128 * MIB)),
        binaries(64 * MIB, part(256 * MIB)),
    ]
}

fn everything(divide: usize) -> Vec<Measure> {
    let measure = |load, figures| Measure { load, figures };
    let part = |whole: usize| whole / divide;
    let mut measures = vec![
        connect(part(100)),
        ping_pong(part(5_000)),
        measure(Load::Pipelined { messages: part(100_000) }, vec![rate("pipelined echo", "msg/s")]),
        measure(
            Load::OneWay { messages: part(200_000) },
            vec![rate("small messages, one way", "msg/s")],
        ),
    ];
    for call in [Call::Erpc, Call::Rpc, Call::GenServer] {
        measures.push(calls(call, 1, part(4_000)));
        measures.push(calls(call, 16, part(16_000)));
        measures.push(calls(call, 64, part(16_000)));
    }
    measures.extend([64 * KIB, MIB, 64 * MIB].map(|size| binaries(size, part(512 * MIB))));
    measures
}

fn connect(rounds: usize) -> Measure {
    let figures = vec![time("connect p50"), time("connect p99")];
    Measure { load: Load::Connect { rounds }, figures }
}

fn ping_pong(rounds: usize) -> Measure {
    let figures = vec![time("ping-pong p50"), time("ping-pong p99")];
    Measure { load: Load::PingPong { rounds }, figures }
}

fn binaries(size: usize, total: usize) -> Measure {
    let name = match size {
        MIB.. => format!("binaries of {} MiB", size / MIB),
        _ => format!("binaries of {} KiB", size / KIB),
    };
    Measure { load: Load::Binaries { size, total }, figures: vec![rate(&name, "MiB/s")] }
}

fn calls(call: Call, callers: usize, calls: usize) -> Measure {
    let plural = if callers == 1 { "" } else { "s" };
    let name = format!("{}:call, {callers} caller{plural}", call.module());
    let [p50, p99] = [" p50", " p99"].map(|percentile| time(&(name.clone() + percentile)));
    Measure {
        load: Load::Calls { call, callers, calls },
        figures: vec![rate(&name, "calls/s"), p50, p99],
    }
}
