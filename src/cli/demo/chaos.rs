//! `har demo --kill-for SECONDS`: nodes are killed again and again while clients ask for job after job.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use erlang_interop::term::{Atom, Term};

use super::machine::NodeProcess;
use super::story::Client;
use super::{Failure, NAMES};

/// Between two kills.
const KILL_PERIOD: Duration = Duration::from_secs(5);
/// Clients that ask at the same time.
const CLIENTS: usize = 4;
/// Before a client that was not answered asks another node.
const RETRY_PAUSE: Duration = Duration::from_millis(10);

/// What it came to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) kills: usize,
    pub(super) jobs: usize,
    /// Jobs that were asked for again, since the node that had been asked was killed.
    pub(super) asked_again: usize,
    /// Operations without an answer of their own.
    pub(super) lost: usize,
    /// For each kill how long it took until all was answered that was under way then; sorted.
    pub(super) failovers: Vec<Duration>,
}

#[derive(Default)]
struct Log {
    tally: RefCell<Tally>,
    /// When the jobs that run have begun, by number.
    running: RefCell<BTreeMap<usize, Instant>>,
    /// Kills of which a job is still under way: its number, and when.
    open: RefCell<Vec<Open>>,
    next_job: Cell<usize>,
    over: Cell<bool>,
}

struct Open {
    at: Instant,
    jobs: Vec<usize>,
}

impl Log {
    fn begun(&self) -> usize {
        let number = self.next_job.replace(self.next_job.get() + 1);
        self.running.borrow_mut().insert(number, Instant::now());
        number
    }

    fn ended(&self, number: usize, attempts: usize, lost: usize) {
        self.running.borrow_mut().remove(&number);
        let mut tally = self.tally.borrow_mut();
        tally.jobs += 1;
        tally.asked_again += usize::from(attempts > 1);
        tally.lost += lost;
        self.open.borrow_mut().retain_mut(|kill| {
            kill.jobs.retain(|job| *job != number);
            if kill.jobs.is_empty() {
                tally.failovers.push(kill.at.elapsed());
            }
            !kill.jobs.is_empty()
        });
    }

    fn killed(&self) {
        let jobs: Vec<usize> = self.running.borrow().keys().copied().collect();
        self.tally.borrow_mut().kills += 1;
        if !jobs.is_empty() {
            self.open.borrow_mut().push(Open { at: Instant::now(), jobs });
        }
    }
}

/// Kills for so many `seconds`; `start` makes a new node of a name.
pub(super) async fn run<F: Future<Output = Result<NodeProcess, Failure>>>(
    client: &Client,
    nodes: &mut [NodeProcess],
    operations: &[Term],
    seconds: u32,
    start: impl Fn(usize) -> F,
) -> Result<Tally, Failure> {
    let log = Log::default();
    let end = Instant::now() + Duration::from_secs(seconds.into());
    let killing = async {
        while Instant::now() + KILL_PERIOD < end {
            tokio::time::sleep(KILL_PERIOD).await;
            let random = usize::try_from(getrandom::u32().unwrap_or_default()).unwrap_or_default();
            let victim = random % nodes.len();
            log.killed();
            nodes[victim].kill();
            nodes[victim] = start(victim).await?;
        }
        log.over.set(true);
        Ok::<(), Failure>(())
    };
    let one = |number| ask(client, operations, number, &log);
    let (killed, ..) = tokio::join!(killing, one(0), one(1), one(2), one(3));
    killed?;
    let mut tally = log.tally.into_inner();
    tally.failovers.sort();
    Ok(tally)
}

/// One client: each job goes to the next node, and to another when that one does not answer.
async fn ask(client: &Client, operations: &[Term], mut turn: usize, log: &Log) {
    while !log.over.get() {
        let number = log.begun();
        let key = format!("job {number}");
        let mut attempts = 0;
        let lost = loop {
            attempts += 1;
            turn += 1;
            let at = Atom::from_checked(NAMES[turn % NAMES.len()]);
            match client.route_all_at(&at, operations, Some(&key)).await {
                Ok(outcome) => break outcome.lost,
                Err(_) => tokio::time::sleep(RETRY_PAUSE).await,
            }
        };
        log.ended(number, attempts, lost);
    }
}

impl Tally {
    /// As it is printed.
    pub(super) fn text(&self, operations: usize) -> String {
        let of = |share: usize| {
            let place = (self.failovers.len() * share).div_ceil(100).saturating_sub(1);
            self.failovers.get(place).map_or(0, Duration::as_millis)
        };
        format!(
            "{} kills of a random node, one each {} s, while {CLIENTS} clients ask\n\
             {} jobs of {operations} operations answered, {} of them after asking another node, {} \
             operations lost\n\
             what was under way at a kill was answered after {} ms (p50), {} ms (p99), {} ms (longest)\n",
            self.kills,
            KILL_PERIOD.as_secs(),
            self.jobs,
            self.asked_again,
            self.lost,
            of(50),
            of(99),
            of(100),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kill_is_over_when_all_is_answered_that_was_under_way() {
        let log = Log::default();
        let (one, two) = (log.begun(), log.begun());
        log.killed();
        let three = log.begun();
        log.ended(one, 1, 0);
        assert!(log.tally.borrow().failovers.is_empty());
        log.ended(three, 1, 0);
        log.ended(two, 2, 5);
        let tally = log.tally.into_inner();
        assert_eq!((tally.kills, tally.jobs, tally.asked_again, tally.lost), (1, 3, 1, 5));
        assert_eq!(tally.failovers.len(), 1);
    }

    #[test]
    fn shares_are_of_what_was_measured() {
        let failovers = (1..=100).map(Duration::from_millis).collect();
        let text = Tally { failovers, ..Tally::default() }.text(1000);
        assert!(text.contains("50 ms (p50), 99 ms (p99), 100 ms (longest)"), "{text}");
        assert!(Tally::default().text(1000).contains("0 ms (p50)"));
    }
}
