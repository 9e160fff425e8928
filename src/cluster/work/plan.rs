//! Who does which chunk next: the state of one job, without clock or network.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use erlang_interop::term::{Atom, Term, term};

use crate::cluster::limits::{CHUNK_FAILURES_MAX, CHUNK_STARTS_MAX};

/// How one attempt at a chunk ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Attempt {
    /// One answer for each operation.
    Answered(Vec<Term>),
    /// The node has as much to do as it takes: nothing was started.
    Overloaded,
    /// The node is gone, or is not one that routes: others do the rest of the job.
    Gone(Term),
    /// The task ended without an answer, on a node that is still there.
    Failed(Term),
}

/// What became of one chunk.
#[derive(Debug, Clone, PartialEq)]
pub struct ChunkReport {
    /// Operations in it.
    pub operations: usize,
    /// The node that answered, or failed, last; `None`: it was never started.
    pub node: Option<Atom>,
    /// How often it was started, on whichever node.
    pub starts: u32,
    /// One answer for each operation, or why there is none.
    pub outcome: Result<Vec<Term>, Term>,
}

#[derive(Debug, Default)]
struct Chunk {
    operations: usize,
    /// Which [`Shares`] it belongs to.
    share: usize,
    starts: u32,
    failures: u32,
    /// Where it was started, in order.
    tried: Vec<Atom>,
    reason: Option<Term>,
    outcome: Option<Result<Vec<Term>, Term>>,
}

#[derive(Debug)]
struct Worker {
    running: usize,
    /// Chunks that it may have at once: fewer after it was overloaded, one more for each answer.
    window: usize,
    resting: bool,
    shares: Shares,
}

/// For each share of a job, whether a node may have it.
pub(super) type Shares = Vec<bool>;

/// The chunks of a job and the nodes that work on it.
#[derive(Debug)]
pub(super) struct Plan {
    chunks: Vec<Chunk>,
    waiting: VecDeque<usize>,
    workers: BTreeMap<Atom, Worker>,
    gone: BTreeSet<Atom>,
    window_max: usize,
}

impl Plan {
    /// Of chunks with so many operations each, and the share of the job that they belong to.
    pub(super) fn new(sizes: impl IntoIterator<Item = (usize, usize)>, window_max: usize) -> Self {
        let chunk = |(operations, share)| Chunk { operations, share, ..Chunk::default() };
        let chunks: Vec<Chunk> = sizes.into_iter().map(chunk).collect();
        Self {
            waiting: (0..chunks.len()).collect(),
            chunks,
            workers: BTreeMap::new(),
            gone: BTreeSet::new(),
            window_max: window_max.max(1),
        }
    }

    /// Takes nodes in, each with the shares that it may have now; one that went during this job
    /// stays out.
    pub(super) fn offer(&mut self, nodes: impl IntoIterator<Item = (Atom, Shares)>) {
        for (node, shares) in nodes {
            if !self.gone.contains(&node) {
                let window = self.window_max;
                let new = Worker { running: 0, window, resting: false, shares: Shares::new() };
                self.workers.entry(node).or_insert(new).shares = shares;
            }
        }
    }

    /// The next chunk to start, and where. A chunk that came back goes to a node that has not had
    /// it, as long as there is one.
    pub(super) fn start_next(&mut self) -> Option<(usize, Atom)> {
        let (place, node) = self.waiting.iter().enumerate().find_map(|(place, chunk)| {
            let Chunk { tried, share, .. } = &self.chunks[*chunk];
            let may = |worker: &Worker| worker.shares.get(*share) == Some(&true);
            let able = || self.workers.iter().filter(|(_, worker)| may(worker));
            let all_tried = able().all(|(node, _)| tried.contains(node));
            let free = able().filter(|(node, worker)| {
                let room = worker.running < worker.window && !worker.resting;
                room && (all_tried || !tried.contains(node))
            });
            let (node, _) = free.min_by_key(|(_, worker)| worker.running)?;
            Some((place, node.clone()))
        })?;
        let chunk = self.waiting.remove(place)?;
        self.workers.get_mut(&node)?.running += 1;
        let started = &mut self.chunks[chunk];
        started.starts += 1;
        started.tried.push(node.clone());
        Some((chunk, node))
    }

    /// Takes the end of an attempt down. `true`: the node should be left alone for a while, and
    /// [`Plan::rested`] said then.
    pub(super) fn record(&mut self, index: usize, node: &Atom, attempt: Attempt) -> bool {
        if let Some(worker) = self.workers.get_mut(node) {
            worker.running = worker.running.saturating_sub(1);
        }
        let chunk = &mut self.chunks[index];
        match attempt {
            Attempt::Answered(answers) => {
                chunk.outcome = Some(Ok(answers));
                if let Some(worker) = self.workers.get_mut(node) {
                    worker.window = (worker.window + 1).min(self.window_max);
                }
                return false;
            }
            Attempt::Overloaded => {
                chunk.starts -= 1;
                chunk.tried.pop();
                self.waiting.push_front(index);
                let Some(worker) = self.workers.get_mut(node) else { return false };
                worker.window = worker.running.max(1);
                return !std::mem::replace(&mut worker.resting, true);
            }
            Attempt::Gone(reason) => {
                self.workers.remove(node);
                self.gone.insert(node.clone());
                chunk.reason = Some(reason);
            }
            Attempt::Failed(reason) => {
                chunk.failures += 1;
                chunk.reason = Some(reason);
            }
        }
        if chunk.failures < CHUNK_FAILURES_MAX && chunk.starts < CHUNK_STARTS_MAX {
            self.waiting.push_front(index);
        } else {
            chunk.outcome = Some(Err(chunk.reason.clone().unwrap_or(Term::Nil)));
        }
        false
    }

    /// A node that was overloaded is asked again.
    pub(super) fn rested(&mut self, node: &Atom) {
        if let Some(worker) = self.workers.get_mut(node) {
            worker.resting = false;
        }
    }

    /// Whether each chunk has its outcome.
    pub(super) fn is_done(&self) -> bool {
        self.chunks.iter().all(|chunk| chunk.outcome.is_some())
    }

    /// The reports in the order of the chunks. What has no outcome has failed: with its last reason
    /// if nobody was left to do it, with `late` if there was no time left.
    pub(super) fn finish(self, late: bool) -> Vec<ChunkReport> {
        let report = |mut chunk: Chunk| {
            let outcome = chunk.outcome.take().unwrap_or_else(|| match chunk.reason.take() {
                _ if late => Err(term!(timeout)),
                Some(reason) => Err(reason),
                None => Err(term!(no_node)),
            });
            let (operations, starts) = (chunk.operations, chunk.starts);
            ChunkReport { operations, node: chunk.tried.pop(), starts, outcome }
        };
        self.chunks.into_iter().map(report).collect()
    }
}

#[cfg(test)]
mod tests {
    use erlang_interop::term::atom;

    use super::*;

    fn plan(chunks: usize, window: usize, nodes: &[&str]) -> Plan {
        let mut plan = Plan::new(std::iter::repeat_n((1, 0), chunks), window);
        plan.offer(nodes.iter().map(|name| (Atom::new(name).expect("short"), vec![true])));
        plan
    }

    fn started(plan: &mut Plan) -> Vec<(usize, String)> {
        std::iter::from_fn(|| plan.start_next())
            .map(|(chunk, node)| (chunk, node.as_str().to_owned()))
            .collect()
    }

    fn pairs(expected: &[(usize, &str)]) -> Vec<(usize, String)> {
        expected.iter().map(|(chunk, node)| (*chunk, (*node).to_owned())).collect()
    }

    #[test]
    fn chunks_are_spread_and_no_node_has_more_than_its_window() {
        let mut plan = plan(5, 2, &["a@h", "b@h"]);
        assert_eq!(started(&mut plan), pairs(&[(0, "a@h"), (1, "b@h"), (2, "a@h"), (3, "b@h")]));
        plan.record(1, &atom!("b@h"), Attempt::Answered(Vec::new()));
        assert_eq!(started(&mut plan), pairs(&[(4, "b@h")]));
        assert!(!plan.is_done());
    }

    #[test]
    fn what_a_lost_node_had_is_done_by_another_and_it_gets_no_more() {
        let mut plan = plan(4, 2, &["a@h", "b@h"]);
        started(&mut plan);
        for chunk in [0, 2] {
            plan.record(chunk, &atom!("a@h"), Attempt::Gone(term!(noconnection)));
        }
        plan.offer([(atom!("a@h"), vec![true])]);
        for chunk in [1, 3] {
            plan.record(chunk, &atom!("b@h"), Attempt::Answered(vec![Term::from(chunk)]));
        }
        assert_eq!(started(&mut plan), pairs(&[(2, "b@h"), (0, "b@h")]));
        for chunk in [0, 2] {
            plan.record(chunk, &atom!("b@h"), Attempt::Answered(vec![Term::from(chunk)]));
        }
        assert!(plan.is_done());
        let reports = plan.finish(false);
        assert_eq!(reports.iter().map(|report| report.starts).collect::<Vec<_>>(), [2, 1, 2, 1]);
        assert!(reports.iter().enumerate().all(|(n, r)| r.outcome == Ok(vec![Term::from(n)])));
    }

    #[test]
    fn a_node_that_has_enough_gets_less_and_rests() {
        let mut plan = plan(3, 2, &["a@h"]);
        let node = atom!("a@h");
        assert_eq!(started(&mut plan).len(), 2);
        assert!(plan.record(1, &node, Attempt::Overloaded));
        assert_eq!(started(&mut plan), []);
        // It has one chunk and may have no more, until that one is answered.
        plan.rested(&node);
        assert_eq!(started(&mut plan), []);
        assert!(!plan.record(0, &node, Attempt::Answered(Vec::new())));
        assert_eq!(started(&mut plan), pairs(&[(1, "a@h"), (2, "a@h")]));
    }

    #[test]
    fn overload_counts_neither_as_start_nor_as_failure() {
        let mut plan = plan(1, 2, &["a@h"]);
        for _ in 0..2 * CHUNK_STARTS_MAX {
            assert_eq!(started(&mut plan), pairs(&[(0, "a@h")]));
            assert!(plan.record(0, &atom!("a@h"), Attempt::Overloaded));
            assert_eq!(started(&mut plan), []);
            plan.rested(&atom!("a@h"));
        }
        assert_eq!(plan.finish(true)[0].outcome, Err(term!(timeout)));
    }

    #[test]
    fn a_chunk_that_fails_everywhere_is_given_up_with_its_reason() {
        let mut plan = plan(1, 1, &["a@h", "b@h"]);
        let mut nodes = Vec::new();
        while let Some((chunk, node)) = plan.start_next() {
            plan.record(chunk, &node, Attempt::Failed(term!({badarg, []})));
            nodes.push(node.as_str().to_owned());
        }
        assert_eq!(nodes, ["a@h", "b@h", "a@h"]);
        let [report] = &plan.finish(false)[..] else { panic!("one chunk") };
        assert_eq!(report.outcome, Err(term!({badarg, []})));
    }

    #[test]
    fn a_chunk_that_ends_nodes_does_not_end_them_all() {
        let names: Vec<String> = (0..20).map(|n| format!("n{n}@h")).collect();
        let mut plan = plan(1, 1, &names.iter().map(String::as_str).collect::<Vec<_>>());
        let mut lost = 0;
        while let Some((chunk, node)) = plan.start_next() {
            plan.record(chunk, &node, Attempt::Gone(term!(noconnection)));
            lost += 1;
        }
        assert_eq!(lost, CHUNK_STARTS_MAX);
    }

    #[test]
    fn with_nobody_left_the_rest_has_failed() {
        let mut plan = plan(2, 1, &["a@h"]);
        let (chunk, node) = plan.start_next().expect("one");
        plan.record(chunk, &node, Attempt::Gone(term!(noproc)));
        assert_eq!(plan.start_next(), None);
        let outcomes: Vec<_> = plan.finish(false).into_iter().map(|r| r.outcome).collect();
        assert_eq!(outcomes, [Err(term!(noproc)), Err(term!(no_node))]);
    }

    #[test]
    fn a_share_goes_only_where_it_may_also_when_its_node_is_lost() {
        let mut plan = Plan::new([(1, 0), (1, 1)], 4);
        let at = |name: &str, shares: [bool; 2]| (Atom::new(name).expect("short"), shares.to_vec());
        plan.offer([
            at("eu@h", [true, true]),
            at("us@h", [true, false]),
            at("beam@h", [true, false]),
        ]);
        let both = started(&mut plan);
        assert_eq!(both.iter().find(|(chunk, _)| *chunk == 1).expect("started").1, "eu@h");
        plan.record(1, &atom!("eu@h"), Attempt::Gone(term!(noconnection)));
        assert_eq!(started(&mut plan), []);
        // Somebody comes who may; what a node may have is told anew each time.
        plan.offer([at("us@h", [true, false]), at("eu2@h", [false, true])]);
        assert_eq!(started(&mut plan), pairs(&[(1, "eu2@h")]));
    }

    #[test]
    fn a_share_that_nobody_may_have_has_no_node() {
        let mut plan = Plan::new([(1, 0)], 4);
        plan.offer([(atom!("us@h"), vec![false])]);
        assert_eq!(started(&mut plan), []);
        assert_eq!(plan.finish(false)[0].outcome, Err(term!(no_node)));
    }
}
