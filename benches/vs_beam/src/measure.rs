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
    /// `erpc:call(Node, erlang, node, [])`.
    Erpc { callers: usize, calls: usize },
    /// `gen_server:call({net_kernel, Node}, {is_auth, node()})`.
    GenCall { callers: usize, calls: usize },
    /// Binaries to a sink.
    Binaries { size: usize, total: usize },
    /// Connecting anew.
    Connect { rounds: usize },
}

impl Load {
    /// What the processor time of a run is divided by: rounds, messages, calls, or MiB.
    pub(crate) fn pieces(self) -> f64 {
        as_f64(match self {
            Self::PingPong { rounds } | Self::Connect { rounds } => rounds,
            Self::Pipelined { messages } | Self::OneWay { messages } => messages,
            Self::Erpc { calls, .. } | Self::GenCall { calls, .. } => calls,
            Self::Binaries { size, total } => (total / size).max(1) * size / MIB,
        })
    }
}

impl Measure {
    /// The row of the processor time that both processes together take.
    pub(crate) fn cpu_name(&self) -> (String, &'static str) {
        let name = self.figures.first().map_or("", |figure| figure.name);
        let name = name.trim_end_matches(" p50");
        let unit = if matches!(self.load, Load::Binaries { .. }) { "us/MiB" } else { "us each" };
        (format!("{name}, CPU"), unit)
    }

    /// Whether `--only` names it.
    fn is_wanted(&self, only: &str) -> bool {
        let calls = matches!(self.load, Load::Erpc { .. } | Load::GenCall { .. });
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
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    /// What the driver's number is multiplied with to be in `unit`.
    pub(crate) scale: f64,
    pub(crate) more_is_better: bool,
}

const fn time(name: &'static str) -> Figure {
    Figure { name, unit: "us", scale: 1e-3, more_is_better: false }
}

const fn rate(name: &'static str, unit: &'static str) -> Figure {
    Figure { name, unit, scale: 1.0, more_is_better: true }
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// What `only` names, or everything, in the order of the report. `divide` makes the rounds shorter.
pub(crate) fn all(divide: usize, only: Option<&str>) -> Vec<Measure> {
    let mut measures = everything(divide);
    measures.retain(|measure| only.is_none_or(|only| measure.is_wanted(only)));
    measures
}

fn everything(divide: usize) -> Vec<Measure> {
    let measure = |load, figures| Measure { load, figures };
    let part = |whole: usize| whole / divide;
    vec![
        measure(
            Load::Connect { rounds: part(100) },
            vec![time("connect p50"), time("connect p99")],
        ),
        measure(
            Load::PingPong { rounds: part(5_000) },
            vec![time("ping-pong p50"), time("ping-pong p99")],
        ),
        measure(Load::Pipelined { messages: part(100_000) }, vec![rate("pipelined echo", "msg/s")]),
        measure(
            Load::OneWay { messages: part(200_000) },
            vec![rate("small messages, one way", "msg/s")],
        ),
        measure(
            Load::Erpc { callers: 1, calls: part(4_000) },
            vec![rate("erpc:call, 1 caller", "calls/s")],
        ),
        measure(
            Load::Erpc { callers: 16, calls: part(16_000) },
            vec![rate("erpc:call, 16 callers", "calls/s")],
        ),
        measure(
            Load::Erpc { callers: 64, calls: part(16_000) },
            vec![rate("erpc:call, 64 callers", "calls/s")],
        ),
        measure(
            Load::GenCall { callers: 1, calls: part(4_000) },
            vec![rate("gen_server:call, 1 caller", "calls/s")],
        ),
        measure(
            Load::GenCall { callers: 16, calls: part(16_000) },
            vec![rate("gen_server:call, 16 callers", "calls/s")],
        ),
        measure(
            Load::GenCall { callers: 64, calls: part(16_000) },
            vec![rate("gen_server:call, 64 callers", "calls/s")],
        ),
        measure(
            Load::Binaries { size: 64 * KIB, total: part(512 * MIB) },
            vec![rate("binaries of 64 KiB", "MiB/s")],
        ),
        measure(
            Load::Binaries { size: MIB, total: part(512 * MIB) },
            vec![rate("binaries of 1 MiB", "MiB/s")],
        ),
        measure(
            Load::Binaries { size: 64 * MIB, total: part(512 * MIB) },
            vec![rate("binaries of 64 MiB", "MiB/s")],
        ),
    ]
}
