//! Traces: which call led to which work, also on other nodes, told to a collector of OpenTelemetry.
//!
//! A span is a piece of work. The context of one goes along with what is asked of other nodes, as the
//! text `traceparent` of W3C among the options of the call, which who knows no traces ignores; so what
//! they do becomes part of the same trace.
//!
//! Sequential trace tokens of the distribution would travel with each message, through BEAMs too. But
//! a BEAM that takes one traces its processes by it, its own tools use the same single token, and each
//! message in the cluster would be a control message of another kind; a word in the options costs
//! nothing where nobody looks at it.

mod context;
mod export;
mod otlp;

use std::time::{Instant, SystemTime};

use tokio::sync::mpsc;

pub use context::SpanContext;
pub(crate) use export::{Collector, Exporter};

use super::Telemetry;

/// Most attributes of a span.
const ATTRIBUTES_MAX: usize = 16;
/// Longest text of an attribute, in bytes: callers choose some.
const ATTRIBUTE_BYTES_MAX: usize = 256;

/// On which side of a call a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// It answers a call.
    Server,
    /// It waits for the answer of another node.
    Client,
}

/// A value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// A text.
    Text(String),
    /// A count.
    Whole(u64),
}

/// A piece of work that is over.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finished {
    context: SpanContext,
    parent: Option<u64>,
    name: &'static str,
    kind: SpanKind,
    began: SystemTime,
    ended: SystemTime,
    attributes: Vec<(&'static str, Attribute)>,
    failed: bool,
}

/// A piece of work under way. It is over when this is dropped.
#[derive(Debug)]
pub struct Span(State);

#[derive(Debug)]
enum State {
    /// Nobody collects traces here, and none came with the call.
    Nothing,
    /// Nothing is told of it here, but what is done for it elsewhere is part of this.
    Passing(SpanContext),
    Open(Box<Open>),
}

#[derive(Debug)]
struct Open {
    span: Finished,
    started: Instant,
    queue: mpsc::Sender<Finished>,
    telemetry: Telemetry,
}

impl Span {
    /// A span that tells nobody.
    #[must_use]
    pub fn none() -> Self {
        Self(State::Nothing)
    }

    /// What goes along with what is asked of others.
    #[must_use]
    pub fn context(&self) -> Option<SpanContext> {
        match &self.0 {
            State::Nothing => None,
            State::Passing(context) => Some(*context),
            State::Open(open) => Some(open.span.context),
        }
    }

    /// A span of what is done for this one.
    #[must_use]
    pub fn child(&self, name: &'static str, kind: SpanKind) -> Self {
        match &self.0 {
            State::Nothing => Self::none(),
            State::Passing(context) => Self(State::Passing(*context)),
            State::Open(open) => open.telemetry.begin(name, kind, Some(open.span.context)),
        }
    }

    /// Says something of it.
    pub fn set(&mut self, name: &'static str, value: Attribute) {
        let State::Open(open) = &mut self.0 else { return };
        let value = match value {
            Attribute::Text(mut text) => {
                text.truncate(text.floor_char_boundary(ATTRIBUTE_BYTES_MAX));
                Attribute::Text(text)
            }
            whole @ Attribute::Whole(_) => whole,
        };
        if open.span.attributes.len() < ATTRIBUTES_MAX {
            open.span.attributes.push((name, value));
        }
    }

    /// It did not come to a good end.
    pub fn fail(&mut self) {
        if let State::Open(open) = &mut self.0 {
            open.span.failed = true;
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        let State::Open(open) = std::mem::replace(&mut self.0, State::Nothing) else { return };
        let Open { mut span, started, queue, telemetry } = *open;
        // The clock may have been set meanwhile; how long it took is told by another one.
        span.ended = span.began + started.elapsed();
        if queue.try_send(span).is_err() {
            telemetry.spans_dropped(1);
        }
    }
}

impl Telemetry {
    /// Begins a span: of a trace that came with a call (`parent`), or of a new one.
    #[must_use]
    pub fn begin(&self, name: &'static str, kind: SpanKind, parent: Option<SpanContext>) -> Span {
        let passing =
            |context: Option<SpanContext>| Span(context.map_or(State::Nothing, State::Passing));
        let Some(collector) = self.collector() else { return passing(parent) };
        let context = match parent {
            Some(parent) => parent.child(),
            None => SpanContext::new(collector.sample_percent),
        };
        let Some(context) = context else { return passing(parent) };
        if !context.sampled {
            // Who began the trace has decided that nobody wants it; the others must know, too.
            return passing(Some(context));
        }
        let now = SystemTime::now();
        let span = Finished {
            context,
            parent: parent.map(|parent| parent.span),
            name,
            kind,
            began: now,
            ended: now,
            attributes: Vec::new(),
            failed: false,
        };
        let (queue, telemetry) = (collector.queue.clone(), self.clone());
        Span(State::Open(Box::new(Open { span, started: Instant::now(), queue, telemetry })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(sample_percent: u32) -> (Telemetry, mpsc::Receiver<Finished>) {
        let telemetry = Telemetry::of_node("me@h");
        let (queue, spans) = mpsc::channel(2);
        assert!(telemetry.collect(Collector { queue, sample_percent }));
        (telemetry, spans)
    }

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0";

    #[test]
    fn spans_of_one_trace_point_at_each_other() {
        let (telemetry, mut spans) = collected(100);
        let parent: SpanContext = format!("{PARENT}1").parse().expect("one");
        let mut span = telemetry.begin("a", SpanKind::Server, Some(parent));
        span.set("text", Attribute::Text("x".repeat(10_000)));
        let mut child = span.child("b", SpanKind::Client);
        child.fail();
        drop(child);
        let own = span.context().expect("it is collected");
        drop(span);
        let (child, span) = (spans.try_recv().expect("b"), spans.try_recv().expect("a"));
        assert_eq!((child.name, child.parent, child.failed), ("b", Some(own.span), true));
        assert_eq!((span.name, span.parent, span.failed), ("a", Some(parent.span), false));
        assert!([child.context.trace, own.trace].iter().all(|trace| *trace == parent.trace));
        let Attribute::Text(text) = &span.attributes[0].1 else { panic!("a text") };
        assert_eq!(text.len(), ATTRIBUTE_BYTES_MAX);
    }

    #[test]
    fn what_nobody_wants_is_told_to_nobody_but_passed_on() {
        let (telemetry, mut spans) = collected(0);
        let unwanted: SpanContext = format!("{PARENT}0").parse().expect("one");
        for parent in [Some(unwanted), None] {
            let span = telemetry.begin("a", SpanKind::Server, parent);
            let child = span.child("b", SpanKind::Client);
            assert!(!child.context().expect("it goes along").sampled);
        }
        assert!(spans.try_recv().is_err());
        // A node without a collector hands on what its caller gave it.
        let deaf = Telemetry::default();
        let wanted: SpanContext = format!("{PARENT}1").parse().expect("one");
        let span = deaf.begin("a", SpanKind::Server, Some(wanted));
        assert_eq!(span.child("b", SpanKind::Client).context(), Some(wanted));
        assert_eq!(deaf.begin("a", SpanKind::Server, None).context(), None);
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let (telemetry, _spans) = collected(100);
        for _ in 0..5 {
            drop(telemetry.begin("a", SpanKind::Server, None));
        }
        assert_eq!(telemetry.state.spans_dropped.value(), 3);
    }
}
