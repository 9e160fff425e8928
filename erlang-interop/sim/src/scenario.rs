//! One run: a cluster, deeds and faults by chance, healing, and the comparison at the end.

use std::time::Duration;

use erlang_node::{AliasMode, ExitReason, MonitorTarget};
use erlang_term::{Atom, Pid, Term, atom, term};
use tokio::time::sleep;

use crate::actor::{self, Deed};
use crate::book::Book;
use crate::cluster::{Cluster, names};
use crate::invariants;
use crate::journal::Journal;
use crate::network::{End, Network};
use crate::random::Random;
use crate::world::World;

/// Processes started with each node.
const PROCESSES: usize = 4;
/// Names, groups and locks that are fought for.
pub(crate) const SHARED_NAMES: u64 = 5;
/// Virtual time between two steps is below this.
const STEP_MS: u64 = 250;
/// How often the mesh is made whole again after healing, and how long each time.
const HEAL_ROUNDS: usize = 60;
const HEAL_ROUND: Duration = Duration::from_secs(5);
/// Rounds in a row that the cluster must stay whole.
const WHOLE_ROUNDS: usize = 3;
/// Virtual time in which everything that was begun must end.
const QUIET: Duration = Duration::from_secs(400);
/// After everything was done: the last signals arrive.
const LAST_SIGNALS: Duration = Duration::from_secs(30);

/// How large a run is.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Size {
    /// Nodes of the cluster.
    pub nodes: usize,
    /// Deeds and faults.
    pub steps: usize,
    /// How many of a hundred steps are faults.
    pub fault_percent: u64,
    /// Keep the events, not only their hash.
    pub trace: bool,
}

impl Default for Size {
    fn default() -> Self {
        Self { nodes: 5, steps: 200, fault_percent: 12, trace: false }
    }
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// A hash over all events with their times.
    pub hash: u64,
    /// How many events there were.
    pub events: u64,
    /// What was wrong; empty when all is well.
    pub faults: Vec<String>,
    /// Names that differ because the node that changed them ended before it had told all.
    pub excused: Vec<String>,
    /// The events, if they were wanted.
    pub trace: Vec<String>,
}

/// Runs a cluster from a seed. The same seed gives the same run.
///
/// # Panics
/// When no runtime can be made.
pub fn run(seed: u64, size: Size) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O needs nothing of the system");
    let outcome = runtime.block_on(async {
        let journal = Journal::new(size.trace);
        Scenario::new(seed, size, journal.clone()).play().await;
        let (hash, events) = (journal.hash(), journal.events());
        let excused = journal.excused();
        let (trace, faults) = journal.take();
        Outcome { seed, hash, events, faults, excused, trace }
    });
    runtime.shutdown_background();
    outcome
}

struct Scenario {
    random: Random,
    size: Size,
    world: World,
    network: Network,
    cluster: Cluster,
}

impl Scenario {
    fn new(seed: u64, size: Size, journal: Journal) -> Self {
        let texts = names(size.nodes);
        let atoms = texts.iter().map(|text| Atom::new(text).expect("a short name")).collect();
        let world = World::new(journal, atoms);
        let network = Network::new(seed, texts);
        let cluster = Cluster::new(world.clone(), network.clone(), size.nodes);
        Self { random: Random::new(seed), size, world, network, cluster }
    }

    async fn play(mut self) {
        for node in 0..self.size.nodes {
            self.start(node).await;
        }
        self.cluster.mesh().await;
        for _ in 0..self.size.steps {
            sleep(self.random.time_ms(STEP_MS)).await;
            if self.random.percent(self.size.fault_percent) {
                self.fault().await;
            } else {
                self.deed();
            }
        }
        self.heal().await;
        self.settle().await;
        invariants::check(&self.world, &self.cluster).await;
    }

    async fn start(&mut self, node: usize) {
        self.cluster.start(node).await;
        let Some(home) = self.cluster.home(node) else { return };
        for process in 0..PROCESSES {
            // One that does not trap exits ends by its links.
            actor::start(&self.world, home, process != 0);
        }
    }

    async fn fault(&mut self) {
        let node = self.random.index(self.size.nodes);
        let other = self.random.index(self.size.nodes);
        match self.random.below(12) {
            0..=2 => self.part(node, other, true),
            3 => self.part(node, other, false),
            4 => self.part_from_all(node),
            5 => {
                self.world.journal.note("heal");
                self.network.heal();
            }
            6 => self.network.set_slow_percent(self.random.below(40)),
            7 => self.cluster.crash(node, End::Killed),
            8 => self.cluster.crash(node, End::Vanished),
            9 => self.disconnect(node, other),
            10 if self.random.percent(40) => self.cluster.stop(node).await,
            _ => self.start(node).await,
        }
    }

    fn part(&self, one: usize, other: usize, apart: bool) {
        if one != other {
            self.world.journal.note(&format!("part {one} {other} {apart}"));
            self.network.part(one, other, apart);
        }
    }

    fn part_from_all(&self, node: usize) {
        for other in 0..self.size.nodes {
            self.part(node, other, true);
        }
    }

    fn disconnect(&self, one: usize, other: usize) {
        let Some(home) = self.cluster.home(one) else { return };
        self.world.journal.note(&format!("disconnect {one} {other}"));
        let (node, other) = (home.node.clone(), self.world.name(other).clone());
        tokio::spawn(async move { node.disconnect(&other).await });
    }

    fn deed(&mut self) {
        let living = self.world.living();
        let Some(book) = self.random.choose(&living).cloned() else { return };
        let deed = self.choose_deed(&living);
        self.order(&book, deed);
    }

    fn order(&self, book: &Book, deed: Deed) {
        let Some(home) = self.cluster.home(book.life.0) else { return };
        let number = self.world.plan(deed);
        // To a process of the same node, so there is nothing to wait for and nothing to fail.
        let _ = home.node.send_now(&book.pid, term!({do, (number)}));
    }

    /// Any process: mostly one that lives.
    fn target(&mut self, living: &[Book]) -> Option<Pid> {
        if self.random.percent(10) {
            let all = self.world.books();
            return self.random.choose(&all).map(|book| book.pid.clone());
        }
        self.random.choose(living).map(|book| book.pid.clone())
    }

    fn choose_deed(&mut self, living: &[Book]) -> Deed {
        let random = |scenario: &mut Self| scenario.random.any();
        let Some(to) = self.target(living) else { return Deed::End(ExitReason::Normal) };
        let name = self.random.below(SHARED_NAMES);
        let node = self.world.name(self.random.index(self.size.nodes)).clone();
        let (link, monitor) = (self.random.percent(50), self.random.percent(50));
        match self.random.below(100) {
            0..=24 => Deed::Send(to, self.ballast()),
            25..=29 => Deed::Exit(to),
            30 => Deed::Kill(to, ExitReason::Kill),
            31 => Deed::Kill(to, ExitReason::from(Term::from(atom!("boom")))),
            32..=41 => Deed::Link(to),
            42..=47 => Deed::Unlink(to),
            48..=57 => Deed::Monitor(MonitorTarget::Pid(to), self.mode()),
            58..=60 => Deed::Monitor(MonitorTarget::NameNode(atom!("pg"), node), None),
            61..=64 => Deed::Demonitor(random(self)),
            65..=67 => Deed::Alias(self.mode().unwrap_or(AliasMode::ExplicitUnalias)),
            68 => Deed::Unalias(random(self)),
            69..=71 => match self.alias() {
                Some(alias) => Deed::SendToAlias(alias),
                None => Deed::Send(to, 0),
            },
            72..=74 => Deed::Spawn { link, monitor },
            75..=78 => Deed::SpawnRequest { node, link, monitor },
            79..=81 => Deed::Rpc(node, i64::try_from(random(self) >> 8).unwrap_or_default()),
            82..=86 => Deed::Register(name),
            87..=88 => Deed::Unregister(name),
            89..=90 => Deed::Transaction(name),
            91..=95 => Deed::Join(name),
            96..=97 => Deed::Leave(name),
            _ => Deed::End(ExitReason::from(Term::from(atom!("done")))),
        }
    }

    /// Bytes that a message carries beside its number: at times so many that it is sent in parts.
    fn ballast(&mut self) -> usize {
        match self.random.below(20) {
            0 => 200_000,
            1 => 20_000,
            _ => self.random.index(200),
        }
    }

    fn mode(&mut self) -> Option<AliasMode> {
        match self.random.below(6) {
            0 => Some(AliasMode::ExplicitUnalias),
            1 => Some(AliasMode::Demonitor),
            2 => Some(AliasMode::ReplyDemonitor),
            _ => None,
        }
    }

    fn alias(&mut self) -> Option<erlang_term::Reference> {
        let aliases = self.world.aliases();
        self.random.choose(&aliases).cloned()
    }

    /// No more faults, all nodes up, each connected to each.
    async fn heal(&mut self) {
        self.world.journal.note("the end of all faults");
        self.network.heal();
        for node in 0..self.size.nodes {
            self.start(node).await;
        }
        let mut whole = 0;
        for _ in 0..HEAL_ROUNDS {
            self.cluster.mesh().await;
            sleep(HEAL_ROUND).await;
            whole = if self.cluster.is_whole() { whole + 1 } else { 0 };
            if whole == WHOLE_ROUNDS {
                return;
            }
        }
        for home in self.cluster.homes() {
            let nodes = home.node.nodes(erlang_node::NodeFilter::Visible);
            let known = home.global.known();
            let text = format!("{:?} is connected to {nodes:?}, agrees with {known:?}", home.life);
            self.world.journal.fault(text);
        }
    }

    async fn settle(&self) {
        let end =
            self.world.journal.now_ms() + u64::try_from(QUIET.as_millis()).unwrap_or(u64::MAX);
        let busy = || self.world.living().into_iter().find(|book| book.lock().doing.is_some());
        while let Some(book) = busy() {
            if self.world.journal.now_ms() > end {
                let doing = book.lock().doing.clone().unwrap_or_default();
                self.world.journal.fault(format!("{} never ended {doing}", book.pid));
                break;
            }
            sleep(HEAL_ROUND).await;
        }
        sleep(LAST_SIGNALS).await;
    }
}
