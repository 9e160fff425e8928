//! One job for all nodes: operations in chunks, each routed by a task under the
//! `HAR.TaskSupervisor` of some node, BEAM or Rust; the answers in the order of the operations.
//!
//! A chunk whose node is lost goes to another node, with the same arguments: the same policies hold
//! there. Routing changes nothing, so that a chunk that is routed twice is no harm; its answer
//! counts once.

mod plan;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use erlang_interop::node::{Context, ExitReason, Node, NodeFilter};
use erlang_interop::otp::client::in_process;
use erlang_interop::otp::task::{TaskError, async_nolink};
use erlang_interop::term::{Atom, Term, atom, term};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Departures;
use super::limits::{
    CHUNK_OPERATIONS_MAX, CHUNKS_IN_FLIGHT_MAX, CHUNKS_MAX, JOB_TIME_MAX, JOBS_MAX,
};
use crate::telemetry::trace::{Attribute, Span, SpanContext, SpanKind};
use plan::{Attempt, Plan};

pub use plan::ChunkReport;

/// Chunks for each node when the size is not given: what is lost with a node is small, and a slow
/// node holds up little.
const CHUNKS_A_NODE: usize = 4;
/// How long a node may take to start a task: it only has to make a process.
const START_TIME: Duration = Duration::from_secs(5);
/// How long a node that was overloaded is left alone.
const REST: Duration = Duration::from_millis(50);

/// How a job is done. Times and counts have bounds of their own (`limits.rs`), which hold whatever is
/// asked for here.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct JobOptions {
    /// Operations in a chunk; `None`: so many that each node gets a few.
    pub chunk: Option<usize>,
    /// Chunks that one node has at the same time.
    pub in_flight: usize,
    /// For the whole job.
    pub timeout: Duration,
    /// For one chunk on one node; then it is tried elsewhere.
    pub chunk_timeout: Duration,
    /// The second argument of `route_batch/2`, for instance `[policies: […]]`. `None`:
    /// `route_batch/1` is called.
    pub route_options: Option<Term>,
}

impl Default for JobOptions {
    fn default() -> Self {
        Self {
            chunk: None,
            in_flight: 4,
            timeout: Duration::from_secs(30),
            chunk_timeout: Duration::from_secs(5),
            route_options: None,
        }
    }
}

/// Splits jobs over the cluster. Clones share the limit of jobs.
#[derive(Debug, Clone)]
pub struct Distributor {
    jobs: Arc<Semaphore>,
    departures: Departures,
}

/// Why a job was not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// As many jobs run as may.
    #[error("{JOBS_MAX} jobs run already: try again later")]
    Overloaded,
    /// This node leaves.
    #[error("this node leaves: ask another one")]
    Leaving,
}

impl Distributor {
    /// One that knows who leaves.
    pub(crate) fn new(departures: &Departures) -> Self {
        Self { jobs: Arc::new(Semaphore::new(JOBS_MAX)), departures: departures.clone() }
    }

    /// Has operations routed by all nodes that may have them. Gives for each share the reports of
    /// its chunks, in order. Dropped before its end, the job is cancelled: its tasks are shut down.
    ///
    /// # Errors
    /// [`Refused`]; nothing was started then.
    pub async fn route_all(
        &self,
        node: &Node,
        shares: &[Share],
        options: &JobOptions,
        span: &Span,
    ) -> Result<Vec<Vec<ChunkReport>>, Refused> {
        if self.departures.has_begun() {
            return Err(Refused::Leaving);
        }
        let _running = self.jobs.try_acquire().map_err(|_| Refused::Overloaded)?;
        let workers = || self.workers(node);
        let operations = shares.iter().map(|share| share.operations.len()).sum();
        let size = chunk_size(operations, workers().len(), options.chunk);
        let of_share = |(number, share): (usize, &'_ Share)| {
            share.operations.chunks(size).map(|chunk| (number, chunk.to_vec())).collect::<Vec<_>>()
        };
        let chunks: Vec<(usize, Vec<Term>)> =
            shares.iter().enumerate().flat_map(of_share).collect();
        let reports = run(node, workers, &chunks, shares, options, span).await;
        let mut found: Vec<Vec<ChunkReport>> = shares.iter().map(|_| Vec::new()).collect();
        for ((share, _), report) in chunks.iter().zip(reports) {
            found[*share].push(report);
        }
        Ok(found)
    }

    /// The nodes that a chunk may go to: this one too, even when it leaves, as long as it has a job.
    fn workers(&self, node: &Node) -> Vec<Atom> {
        let mut workers = node.nodes(NodeFilter::Visible);
        workers.retain(|peer| !self.departures.is_leaving(peer));
        workers.push(node.name().clone());
        workers
    }
}

/// Operations of a job that the same nodes may have.
pub struct Share {
    /// The operations.
    pub operations: Vec<Term>,
    /// Whether a node may have them. Asked again whenever something is started: nodes come and go.
    pub may_have: Box<dyn Fn(&Atom) -> bool + Send + Sync>,
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is in them is nobody's business.
        f.debug_struct("Share").field("operations", &self.operations.len()).finish_non_exhaustive()
    }
}

/// Operations in a chunk: never none, so that fewer operations than nodes are spread too.
fn chunk_size(operations: usize, nodes: usize, wanted: Option<usize>) -> usize {
    let size = wanted.unwrap_or_else(|| operations.div_ceil(nodes.max(1) * CHUNKS_A_NODE));
    size.max(operations.div_ceil(CHUNKS_MAX)).clamp(1, CHUNK_OPERATIONS_MAX)
}

enum Event {
    Ended { chunk: usize, node: Atom, attempt: Attempt },
    Rested(Atom),
}

async fn run(
    node: &Node,
    workers: impl Fn() -> Vec<Atom>,
    chunks: &[(usize, Vec<Term>)],
    shares: &[Share],
    options: &JobOptions,
    span: &Span,
) -> Vec<ChunkReport> {
    let deadline = Instant::now() + options.timeout.min(JOB_TIME_MAX);
    let mut plan = Plan::new(
        chunks.iter().map(|(share, chunk)| (chunk.len(), *share)),
        options.in_flight.min(CHUNKS_IN_FLIGHT_MAX),
    );
    let mut events = JoinSet::new();
    // Dropped with this function, however it ends: then attempts that still run give up.
    let (_job, cancelled) = watch::channel(());
    let late = loop {
        plan.offer(workers().into_iter().map(|node| {
            let may = shares.iter().map(|share| (share.may_have)(&node)).collect();
            (node, may)
        }));
        while let Some((chunk, worker)) = plan.start_next() {
            let operations = &chunks[chunk].1;
            let part = part_of(span, &worker, operations.len());
            let mut arguments = vec![Term::list(operations.iter().cloned())];
            arguments.extend(route_options(options.route_options.as_ref(), part.context()));
            let one = One {
                part,
                node: worker,
                arguments,
                timeout: options.chunk_timeout,
                cancelled: cancelled.clone(),
            };
            events.spawn(one.attempt(node.clone(), chunk));
        }
        if plan.is_done() {
            break false;
        }
        let event = tokio::select! {
            event = events.join_next() => event,
            () = tokio::time::sleep_until(deadline) => break true,
        };
        match event {
            // Nothing runs and nothing could be started: nobody is left.
            None => break false,
            Some(Ok(Event::Rested(worker))) => plan.rested(&worker),
            Some(Ok(Event::Ended { chunk, node: worker, attempt })) => {
                told(&worker, chunk, &attempt);
                if plan.record(chunk, &worker, attempt) {
                    events.spawn(async move {
                        tokio::time::sleep(REST).await;
                        Event::Rested(worker)
                    });
                }
            }
            Some(Err(error)) => tracing::error!(%error, "an attempt ended without a word"),
        }
    };
    plan.finish(late)
}

/// The span of one attempt at a chunk.
fn part_of(span: &Span, worker: &Atom, operations: usize) -> Span {
    let mut part = span.child("HAR.route_all chunk", SpanKind::Client);
    part.set("har.node", Attribute::Text(worker.as_str().to_owned()));
    part.set("har.operations", Attribute::Whole(operations as u64));
    part
}

/// The caller's options, and the place in the trace for who knows traces.
fn route_options(given: Option<&Term>, place: Option<SpanContext>) -> Option<Term> {
    let Some(place) = place else { return given.cloned() };
    let own = term!({traceparent, (Term::from(place.to_string()))});
    let given = given.and_then(Term::list_iter).into_iter().flatten();
    Some(Term::list(std::iter::once(own).chain(given)))
}

fn told(node: &Atom, chunk: usize, attempt: &Attempt) {
    match attempt {
        Attempt::Answered(_) => {}
        Attempt::Overloaded => tracing::debug!(%node, chunk, "overloaded"),
        Attempt::Gone(reason) => tracing::debug!(%node, chunk, %reason, "no worker"),
        Attempt::Failed(reason) => tracing::warn!(%node, chunk, %reason, "chunk failed"),
    }
}

/// One attempt at one chunk.
struct One {
    part: Span,
    node: Atom,
    arguments: Vec<Term>,
    timeout: Duration,
    cancelled: watch::Receiver<()>,
}

impl One {
    async fn attempt(mut self, own: Node, chunk: usize) -> Event {
        let node = self.node.clone();
        let mut part = std::mem::replace(&mut self.part, Span::none());
        let attempt = in_process(&own, move |context| self.ask(context)).await;
        // No process for it: as a BEAM says, a limit of this system.
        let attempt = attempt.unwrap_or_else(|_| Attempt::Failed(term!(system_limit)));
        if !matches!(attempt, Attempt::Answered(_)) {
            part.fail();
        }
        Event::Ended { chunk, node, attempt }
    }

    async fn ask(mut self, mut context: Context) -> Attempt {
        let asked = self.arguments[0].list_iter().map_or(0, Iterator::count);
        let supervisor = (atom!("Elixir.HAR.TaskSupervisor"), self.node);
        let router = Term::Atom(atom!("Elixir.HAR.ControlPlane.Router"));
        let work = (router, term!(route_batch), self.arguments);
        let task = match async_nolink(&mut context, supervisor, work, START_TIME).await {
            Ok(task) => task,
            Err(error) => return not_answered(error),
        };
        let result = tokio::select! {
            result = task.result(&mut context, self.timeout) => result,
            // Nothing is ever sent: this is the end of the job.
            _ = self.cancelled.changed() => Err(TaskError::Timeout(self.timeout)),
        };
        if matches!(result, Err(TaskError::Timeout(_))) {
            context.exit(task.pid(), ExitReason::Shutdown).await;
        }
        match result.map(|value| value.list_iter().map(Iterator::collect::<Vec<Term>>)) {
            Ok(Some(answers)) if answers.len() == asked => Attempt::Answered(answers),
            Ok(_) => Attempt::Failed(term!(bad_answer)),
            Err(error) => not_answered(error),
        }
    }
}

/// What a failure says of its node.
fn not_answered(error: TaskError) -> Attempt {
    match error {
        TaskError::NotStarted(answer) => match answer.as_tagged("error") {
            Some([why]) if why.is_atom("max_children") || why.is_atom("system_limit") => {
                Attempt::Overloaded
            }
            // No such supervisor, no such node, no answer: nothing ran.
            _ => Attempt::Gone(answer),
        },
        TaskError::Exit(ExitReason::Noconnection) => Attempt::Gone(term!(noconnection)),
        TaskError::Exit(reason) => {
            let reason = reason.to_term();
            let unable = ["undef", "not_allowed"];
            let why = reason.as_tuple().and_then(|parts| parts.first()).map(kind_of);
            match why {
                Some(Some(kind)) if unable.contains(&kind.as_str()) => Attempt::Gone(reason),
                _ => Attempt::Failed(reason),
            }
        }
        // A node that hangs would hold up one chunk after the other.
        TaskError::Timeout(_) => Attempt::Gone(term!(timeout)),
        error => Attempt::Failed(Term::from(error.to_string())),
    }
}

/// `undef` of `undef`, `not_allowed` of `{not_allowed, {M, F, A}}`.
fn kind_of(reason: &Term) -> Option<Atom> {
    let tag = reason.as_tuple().and_then(|parts| parts.first()).unwrap_or(reason);
    tag.as_atom().cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_operations_than_nodes_are_spread_and_chunks_stay_small() {
        assert_eq!(chunk_size(0, 3, None), 1);
        assert_eq!(chunk_size(2, 3, None), 1);
        assert_eq!(chunk_size(1200, 3, None), 100);
        assert_eq!(chunk_size(10, 3, Some(0)), 1);
        assert_eq!(chunk_size(10 * CHUNKS_MAX, 3, Some(1)), 10, "not one task each");
        assert_eq!(chunk_size(1_000_000, 3, None), CHUNK_OPERATIONS_MAX);
    }

    #[test]
    fn the_place_in_a_trace_goes_along_with_the_options() {
        let given = term!([{policies, ["eu"]}]);
        assert_eq!(route_options(None, None), None);
        assert_eq!(route_options(Some(&given), None), Some(given.clone()));
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let place = text.parse().ok();
        assert_eq!(route_options(None, place), Some(term!([{traceparent, (text)}])));
        let both = term!([{traceparent, (text)}, {policies, ["eu"]}]);
        assert_eq!(route_options(Some(&given), place), Some(both));
    }

    #[test]
    fn a_failure_says_whether_its_node_is_of_use() {
        let full = TaskError::NotStarted(term!({error, max_children}));
        assert_eq!(not_answered(full), Attempt::Overloaded);
        let absent = TaskError::NotStarted(term!(noproc));
        assert_eq!(not_answered(absent), Attempt::Gone(term!(noproc)));
        for unable in [term!({undef, []}), term!({{not_allowed, x}, []})] {
            let exit = TaskError::Exit(ExitReason::from(unable.clone()));
            assert_eq!(not_answered(exit), Attempt::Gone(unable));
        }
        let crash = TaskError::Exit(ExitReason::from(term!({badarg, []})));
        assert_eq!(not_answered(crash), Attempt::Failed(term!({badarg, []})));
    }
}
