//! The names of all events, and what each carries. No other file writes a name down.
//!
//! Names, measurements and metadata are those of the Elixir HAR and of its documents, where these
//! have the event. Latencies are milliseconds, of one operation where a batch was measured.

use std::time::Duration;

/// Longest text in an event, in bytes: peers choose some of them.
const TEXT_BYTES_MAX: usize = 256;

macro_rules! names {
    ($($name:ident = [$($part:literal),+], $help:literal;)*) => {
        /// What happened, as a name that Elixir's telemetry would have: a list of atoms.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum Name { $(#[doc = $help] $name,)* }

        impl Name {
            /// All names.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The atoms of the name.
            #[must_use]
            pub fn path(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($part),+],)* }
            }

            /// What it says, in a sentence.
            #[must_use]
            pub fn help(self) -> &'static str {
                match self { $(Self::$name => $help,)* }
            }
        }
    };
}

names! {
    RoutingDecision = ["har", "routing", "decision"], "A batch of operations was routed.";
    Decision = ["har", "control_plane", "routing", "decision"],
        "Operations of one type went to one backend, or to none.";
    PolicyViolation = ["har", "control_plane", "policy", "violation"],
        "Policies refused backends while a batch was routed.";
    HealthChange = ["har", "control_plane", "health", "change"], "The health of a backend changed.";
    TableReload = ["har", "control_plane", "routing_table", "reload"],
        "A routing table was put in place, or refused.";
    ParseComplete = ["har", "data_plane", "parse", "complete"], "A source was parsed.";
    ParseError = ["har", "data_plane", "parse", "error"], "A source could not be parsed.";
    TransformComplete = ["har", "data_plane", "transform", "complete"], "A graph was written.";
    TransformError = ["har", "data_plane", "transform", "error"], "A graph could not be written.";
    ConvertComplete = ["har", "convert", "complete"], "A source was converted.";
    ConvertError = ["har", "convert", "error"], "A conversion ended with an error.";
    ClusterSize = ["har", "cluster", "size"], "How many nodes there are.";
    ClusterLatency = ["har", "cluster", "latency"], "How long a call to a peer takes.";
    ClusterQueue = ["har", "cluster", "queue_len"], "How many messages wait in mailboxes.";
    NodeUp = ["har", "cluster", "node_up"], "A peer has joined.";
    NodeDown = ["har", "cluster", "node_down"], "A peer is gone.";
    AuthFailed = ["har", "auth", "failed"], "Somebody was not let in.";
    AuditLogged = ["har", "audit", "logged"], "A line went to the audit log.";
    BudgetExceeded = ["har", "budget", "exceeded"], "A peer has used up a budget.";
    Memory = ["vm", "memory"], "Memory of this node, in bytes.";
    ProcessCount = ["vm", "process_count"], "Processes of this node.";
}

impl Name {
    /// The place of the name among [`Name::ALL`].
    pub(super) fn index(self) -> usize {
        usize::from(self as u8)
    }

    /// Whether it comes so often that a list of what happened keeps samples only.
    pub(super) fn is_frequent(self) -> bool {
        matches!(
            self,
            Self::RoutingDecision
                | Self::Decision
                | Self::PolicyViolation
                | Self::ParseComplete
                | Self::TransformComplete
                | Self::ConvertComplete
        )
    }
}

/// Something that happened. Texts are borrowed: nothing is copied when nobody keeps it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the names of the fields are those of measurements and metadata")]
pub enum Event<'a> {
    RoutingDecision { count: u64, latency: Duration },
    Decision { operation_type: &'a str, backend: Option<&'a str>, count: u64, latency: Duration },
    PolicyViolation { count: u64 },
    HealthChange { backend: &'a str, from: &'a str, to: &'a str },
    TableReload { routes: Option<u64> },
    ParseComplete { format: &'a str, operations: u64, latency: Duration },
    ParseError { format: &'a str },
    TransformComplete { target: &'a str, operations: u64, latency: Duration },
    TransformError { target: &'a str },
    ConvertComplete { from: &'a str, to: &'a str, operations: u64, latency: Duration },
    ConvertError { from: &'a str, to: &'a str },
    ClusterSize { nodes: u64 },
    ClusterLatency { target: &'a str, latency: Duration },
    ClusterQueue { messages: u64 },
    NodeUp { node: &'a str },
    NodeDown { node: &'a str, reason: &'a str },
    AuthFailed { client: &'a str, reason: &'a str },
    AuditLogged { event: &'a str },
    BudgetExceeded { node: &'a str, budget: &'a str, max: u64 },
    Memory { total: u64, processes: u64, system: u64 },
    ProcessCount { count: u64 },
}

/// A measured value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A count, or bytes.
    Whole(u64),
    /// Milliseconds.
    Real(f64),
}

/// A value that says what was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meta {
    /// A text.
    Text(String),
    /// An atom's text.
    Atom(String),
    /// A count.
    Whole(u64),
    /// `nil`.
    Nil,
}

/// What was measured, by name.
pub type Measurements = Vec<(&'static str, Number)>;
/// What it was measured of, by name.
pub type Metadata = Vec<(&'static str, Meta)>;

fn ms(latency: Duration) -> Number {
    Number::Real(latency.as_secs_f64() * 1000.0)
}

fn bounded(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned()
}

fn text(text: &str) -> Meta {
    Meta::Text(bounded(text))
}

fn atom(text: &str) -> Meta {
    Meta::Atom(bounded(text))
}

impl Event<'_> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> Name {
        match self {
            Self::RoutingDecision { .. } => Name::RoutingDecision,
            Self::Decision { .. } => Name::Decision,
            Self::PolicyViolation { .. } => Name::PolicyViolation,
            Self::HealthChange { .. } => Name::HealthChange,
            Self::TableReload { .. } => Name::TableReload,
            Self::ParseComplete { .. } => Name::ParseComplete,
            Self::ParseError { .. } => Name::ParseError,
            Self::TransformComplete { .. } => Name::TransformComplete,
            Self::TransformError { .. } => Name::TransformError,
            Self::ConvertComplete { .. } => Name::ConvertComplete,
            Self::ConvertError { .. } => Name::ConvertError,
            Self::ClusterSize { .. } => Name::ClusterSize,
            Self::ClusterLatency { .. } => Name::ClusterLatency,
            Self::ClusterQueue { .. } => Name::ClusterQueue,
            Self::NodeUp { .. } => Name::NodeUp,
            Self::NodeDown { .. } => Name::NodeDown,
            Self::AuthFailed { .. } => Name::AuthFailed,
            Self::AuditLogged { .. } => Name::AuditLogged,
            Self::BudgetExceeded { .. } => Name::BudgetExceeded,
            Self::Memory { .. } => Name::Memory,
            Self::ProcessCount { .. } => Name::ProcessCount,
        }
    }

    /// What was measured.
    #[must_use]
    pub fn measurements(&self) -> Measurements {
        let whole = |name, value: u64| (name, Number::Whole(value));
        match *self {
            Self::RoutingDecision { count, latency } | Self::Decision { count, latency, .. } => {
                vec![("latency", ms(latency)), whole("count", count)]
            }
            Self::ParseComplete { latency, .. }
            | Self::TransformComplete { latency, .. }
            | Self::ConvertComplete { latency, .. } => vec![("latency", ms(latency))],
            Self::ClusterLatency { latency, .. } => vec![("latency_ms", ms(latency))],
            Self::TableReload { routes } => vec![whole("routes", routes.unwrap_or(0))],
            Self::ClusterSize { nodes } => vec![whole("nodes", nodes)],
            Self::ClusterQueue { messages } => vec![whole("messages", messages)],
            Self::BudgetExceeded { max, .. } => vec![whole("max", max)],
            Self::Memory { total, processes, system } => {
                vec![whole("total", total), whole("processes", processes), whole("system", system)]
            }
            Self::PolicyViolation { count } | Self::ProcessCount { count } => {
                vec![whole("count", count)]
            }
            Self::HealthChange { .. }
            | Self::ParseError { .. }
            | Self::TransformError { .. }
            | Self::ConvertError { .. }
            | Self::NodeUp { .. }
            | Self::NodeDown { .. }
            | Self::AuthFailed { .. }
            | Self::AuditLogged { .. } => vec![whole("count", 1)],
        }
    }

    /// What it was measured of. `node`: the one on which it happened.
    #[must_use]
    pub fn metadata(&self, node: &str) -> Metadata {
        let operations = |count: u64| ("operation_count", Meta::Whole(count));
        match *self {
            Self::RoutingDecision { .. } => vec![("node", atom(node))],
            Self::Decision { operation_type, backend, .. } => vec![
                ("operation_type", atom(operation_type)),
                ("backend", backend.map_or(Meta::Nil, text)),
            ],
            Self::HealthChange { backend, from, to } => {
                vec![("backend", text(backend)), ("from", atom(from)), ("to", atom(to))]
            }
            Self::TableReload { routes } => {
                vec![("result", atom(if routes.is_some() { "ok" } else { "error" }))]
            }
            Self::ParseComplete { format, operations: count, .. } => {
                vec![("format", atom(format)), operations(count)]
            }
            Self::ParseError { format } => vec![("format", atom(format))],
            Self::TransformComplete { target, operations: count, .. } => {
                vec![("target", atom(target)), operations(count)]
            }
            Self::TransformError { target } => vec![("target", atom(target))],
            Self::ConvertComplete { from, to, operations: count, .. } => {
                vec![("from", atom(from)), ("to", atom(to)), operations(count)]
            }
            Self::ConvertError { from, to } => vec![("from", atom(from)), ("to", atom(to))],
            Self::ClusterLatency { target, .. } => vec![("target", atom(target))],
            Self::NodeUp { node } => vec![("node", atom(node))],
            Self::NodeDown { node, reason } => vec![("node", atom(node)), ("reason", text(reason))],
            Self::AuthFailed { client, reason } => {
                vec![("client", text(client)), ("reason", text(reason))]
            }
            Self::AuditLogged { event } => vec![("event", atom(event))],
            Self::BudgetExceeded { node, budget, .. } => {
                vec![("node", atom(node)), ("budget", text(budget))]
            }
            Self::PolicyViolation { .. }
            | Self::ClusterSize { .. }
            | Self::ClusterQueue { .. }
            | Self::Memory { .. }
            | Self::ProcessCount { .. } => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_told_apart_and_keep_their_places() {
        let paths: BTreeSet<_> = Name::ALL.iter().map(|name| name.path()).collect();
        assert_eq!(paths.len(), Name::ALL.len());
        assert!(Name::ALL.iter().enumerate().all(|(at, name)| name.index() == at));
    }

    #[test]
    fn an_event_is_what_the_documents_of_har_show() {
        let latency = Duration::from_micros(5000);
        let event = Event::ClusterLatency { target: "a@h", latency };
        assert_eq!(event.name().path(), ["har", "cluster", "latency"]);
        assert_eq!(event.measurements(), [("latency_ms", Number::Real(5.0))]);
        assert_eq!(event.metadata("me@h"), [("target", Meta::Atom("a@h".into()))]);
        let event = Event::RoutingDecision { count: 2, latency };
        assert_eq!(event.metadata("me@h"), [("node", Meta::Atom("me@h".into()))]);
    }

    #[test]
    fn texts_of_peers_are_bounded() {
        let long = "é".repeat(10_000);
        let event = Event::AuthFailed { client: &long, reason: "x" };
        let Meta::Text(client) = &event.metadata("me@h")[0].1 else { panic!("a text") };
        assert_eq!(client.len(), TEXT_BYTES_MAX);
    }
}
