//! Many processes that link, unlink, monitor and end at random, on two nodes: in the end both sides
//! agree, and nothing is left.

use std::collections::HashSet;

use erlang_node::{Context, DemonitorOptions, ExitReason, Node, SpawnOptions};
use erlang_term::{Pid, Reference, Term};

use crate::harness::{node, until};

/// Random enough, and the same each time: xorshift.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).expect("small")
    }
}

const PROCESSES: usize = 12;
const STEPS: usize = 300;

/// Plays for a number of steps once it is told who the others are, then waits.
async fn play(mut context: Context, seed: u64) -> ExitReason {
    context.trap_exit(true);
    let others: Vec<Pid> = loop {
        if let Some(list) = context.receive().await.list_iter() {
            break list.filter_map(|pid| pid.as_pid().cloned()).collect();
        }
    };
    let mut dice = Dice(seed);
    let mut monitors: Vec<Reference> = Vec::new();
    for _ in 0..STEPS {
        let other = &others[dice.roll(others.len())];
        match dice.roll(10) {
            0..=2 => context.link(other).await,
            3..=5 => context.unlink(other),
            6..=7 => monitors.push(context.monitor(other).await),
            8 => {
                if let Some(monitor) = monitors.pop() {
                    context.demonitor(&monitor, DemonitorOptions::FLUSH);
                }
            }
            _ => tokio::task::yield_now().await,
        }
        while context.try_receive().is_some() {}
    }
    context.put(Term::atom("played"), true);
    loop {
        if context.receive().await.is_atom("end") {
            return ExitReason::Other(Term::atom("over"));
        }
    }
}

/// Pairs of linked processes as that node knows them.
fn links(of: &Node) -> HashSet<(Pid, Pid)> {
    let mut all = HashSet::new();
    for pid in of.processes() {
        let info = of.process_info(&pid);
        all.extend(info.into_iter().flat_map(|info| info.links).map(|to| (pid.clone(), to)));
    }
    all
}

fn agree(a: &Node, b: &Node) -> bool {
    let mut all = links(a);
    all.extend(links(b));
    all.iter().all(|(from, to)| all.contains(&(to.clone(), from.clone())))
}

fn watchers(of: &Node) -> usize {
    let infos = of.processes().into_iter().filter_map(|pid| of.process_info(&pid));
    infos.map(|info| info.monitored_by.len()).sum()
}

fn watching(of: &Node) -> usize {
    let infos = of.processes().into_iter().filter_map(|pid| of.process_info(&pid));
    infos.map(|info| info.monitors.len()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_agree_on_links_and_monitors_and_forget_them_all() {
    for seed in 1..=8_u64 {
        let (a, b) = (node("cha").await, node("chb").await);
        a.connect(b.name()).await.expect("connected");
        let mut all = Vec::new();
        for number in 0..PROCESSES {
            let home = if number % 2 == 0 { &a } else { &b };
            let own = seed * 1000 + number as u64;
            let pid = home.spawn(SpawnOptions::new(), move |context| play(context, own));
            all.push(pid.expect("spawned"));
        }
        let list = Term::list(all.iter().cloned().map(Term::Pid));
        for pid in &all {
            a.send(pid, list.clone()).await;
        }
        let played = |node: &Node| {
            let mut infos = node.processes().into_iter().filter_map(|pid| node.process_info(&pid));
            infos.all(|info| !info.dictionary.is_empty())
        };
        until("all have played and both sides agree", || {
            played(&a)
                && played(&b)
                && agree(&a, &b)
                && watching(&a) + watching(&b) == watchers(&a) + watchers(&b)
        })
        .await;
        // Half of them end in order, the others lose the connection.
        for pid in all.iter().step_by(3) {
            a.send(pid, Term::atom("end")).await;
        }
        until("these have ended", || {
            a.process_count() + b.process_count() == PROCESSES - PROCESSES.div_ceil(3)
        })
        .await;
        a.disconnect(b.name()).await;
        let across = |node: &Node| links(node).iter().any(|(from, to)| from.node() != to.node());
        until("no link across is left", || !across(&a) && !across(&b) && agree(&a, &b)).await;
    }
}
