//! What is measured, and how much of it in one round.

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

/// Everything, in the order of the report. `divide` makes the rounds shorter.
pub(crate) fn all(divide: usize) -> Vec<Measure> {
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
