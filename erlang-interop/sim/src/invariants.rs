//! What must hold once everything has settled.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use erlang_node::{MonitorTarget, ProcessInfo};
use erlang_otp::gen_server::call_from;
use erlang_term::{Pid, Term, atom, term};

use crate::actor::{group_of, name_of};
use crate::book::{Book, Watch};
use crate::cluster::Cluster;
use crate::scenario::SHARED_NAMES;
use crate::world::World;

/// How long the answer about a lock may take.
const LOCK_TIME: Duration = Duration::from_secs(5);

/// What all nodes say of all their processes.
struct Survey<'a> {
    world: &'a World,
    cluster: &'a Cluster,
    infos: BTreeMap<Pid, ProcessInfo>,
}

/// Compares what the nodes say with each other and with the books; notes what is wrong.
pub(crate) async fn check(world: &World, cluster: &Cluster) {
    let mut infos = BTreeMap::new();
    for home in cluster.homes() {
        for pid in home.node.processes() {
            if let Some(info) = home.node.process_info(&pid) {
                infos.insert(pid, info);
            }
        }
    }
    let survey = Survey { world, cluster, infos };
    survey.links();
    survey.monitors();
    for book in world.living() {
        survey.book(&book);
    }
    survey.peers();
    survey.names();
    survey.groups();
    survey.processes();
    survey.locks().await;
}

impl Survey<'_> {
    fn fault(&self, fault: String) {
        self.world.journal.fault(fault);
    }

    fn links(&self) {
        for (pid, info) in &self.infos {
            for other in &info.links {
                match self.infos.get(other) {
                    None => self.fault(format!("{pid} is linked to {other}, which is gone")),
                    Some(theirs) if !theirs.links.contains(pid) => {
                        self.fault(format!("{pid} is linked to {other}, but not the other way"));
                    }
                    Some(_) => {}
                }
            }
            if !info.spawn_requests.is_empty() {
                self.fault(format!("{pid} waits for {} spawns", info.spawn_requests.len()));
            }
        }
    }

    /// The process that a monitor is of.
    fn watched(&self, pid: &Pid, target: &MonitorTarget) -> Option<Pid> {
        let (name, node) = match target {
            MonitorTarget::Pid(pid) => return Some(pid.clone()),
            MonitorTarget::Name(name) => (name, pid.node()),
            MonitorTarget::NameNode(name, node) => (name, node),
            _ => return None,
        };
        self.cluster.home(self.world.index_of(node))?.node.whereis(name)
    }

    fn monitors(&self) {
        let mut watching: BTreeMap<(Pid, Pid), i64> = BTreeMap::new();
        for (pid, info) in &self.infos {
            for target in &info.monitors {
                match self.watched(pid, target).filter(|watched| self.infos.contains_key(watched)) {
                    None => self.fault(format!("{pid} monitors {target:?}, which is gone")),
                    Some(watched) => {
                        *watching.entry((pid.clone(), watched)).or_default() += 1;
                    }
                }
            }
            for watcher in &info.monitored_by {
                *watching.entry((watcher.clone(), pid.clone())).or_default() -= 1;
            }
        }
        for ((watcher, watched), count) in watching {
            if count != 0 {
                self.fault(format!(
                    "{watcher} has {count} more monitors of {watched} than it knows"
                ));
            }
        }
    }

    /// What a process believes it has, against what its node says.
    fn book(&self, book: &Book) {
        let Some(info) = self.infos.get(&book.pid) else {
            return self.fault(format!("{} lives, but its node does not know it", book.pid));
        };
        let pages = book.lock();
        let active = pages.monitors.values().filter(|watch| watch.1 == Watch::Active);
        let gone: Vec<String> = active
            .clone()
            .filter(|watch| {
                let watched = self.watched(&book.pid, &watch.0);
                !watched.is_some_and(|watched| self.infos.contains_key(&watched))
            })
            .map(|watch| format!("{:?}", watch.0))
            .collect();
        if !gone.is_empty() {
            self.fault(format!("{} was never told of the end of {gone:?}", book.pid));
        }
        let (believed, said) = (active.count(), info.monitors.len());
        if believed != said {
            self.fault(format!("{} has {believed} monitors, its node says {said}", book.pid));
        }
        let known = |alias| pages.aliases.contains(alias) || pages.monitors.contains_key(alias);
        for alias in info.aliases.iter().filter(|alias| !known(alias)) {
            self.fault(format!("{} has an alias it does not know: {alias}", book.pid));
        }
        for alias in pages.aliases.iter().filter(|alias| !info.aliases.contains(alias)) {
            self.fault(format!("{} has lost its alias {alias}", book.pid));
        }
    }

    /// What a peer may still hold is neither more nor less than it holds.
    fn peers(&self) {
        for home in self.cluster.homes() {
            for peer in home.node.nodes(erlang_node::NodeFilter::Connected) {
                let Some(known) = home.node.node_info(&peer) else { continue };
                let ours = self.infos.iter().filter(|(pid, _)| pid.node() == home.node.name());
                let (mut watchers, mut links) = (0, 0);
                for (_, info) in ours {
                    watchers += info.monitored_by.iter().filter(|by| *by.node() == peer).count();
                    links += info.links.iter().filter(|other| *other.node() == peer).count();
                }
                let counted = known.relations;
                if counted < watchers || counted > watchers + links {
                    self.fault(format!(
                        "{:?} counts {counted} relations of {peer}: {watchers} monitors, {links} links",
                        home.life
                    ));
                }
            }
        }
    }

    /// Nothing runs but services, processes of the scenario and those that were asked for; and
    /// nobody has unread messages.
    fn processes(&self) {
        let books: BTreeSet<Pid> = self.world.living().into_iter().map(|book| book.pid).collect();
        for home in self.cluster.homes() {
            let ours = self.infos.iter().filter(|(pid, _)| pid.node() == home.node.name());
            let others =
                ours.clone().filter(|(pid, info)| !books.contains(*pid) && !asked_for(info));
            let (life, running, services) = (home.life, others.count(), home.services);
            if running != services {
                self.fault(format!(
                    "{life:?} runs {running} processes, its services are {services}"
                ));
            }
            for (pid, info) in ours.filter(|(_, info)| info.message_queue_len > 0) {
                self.fault(format!("{pid} has {} unread messages", info.message_queue_len));
            }
        }
    }

    /// No lock of `global` is held.
    async fn locks(&self) {
        let named = (0..SHARED_NAMES).map(name_of);
        let resources: Vec<Term> = named.chain([Term::from(atom!("global"))]).collect();
        for home in self.cluster.homes() {
            for resource in &resources {
                let request = term!({set_lock, {(resource), examiner}});
                let server = atom!("global_name_server");
                let set = call_from(&home.node, server, request, LOCK_TIME).await;
                if !set.is_ok_and(|set| set.as_bool() == Some(true)) {
                    self.fault(format!("{:?}: {resource} is still locked", home.life));
                }
            }
        }
    }

    fn names(&self) {
        let all: BTreeSet<Term> =
            self.cluster.homes().flat_map(|home| home.global.registered_names()).collect();
        let half_told: BTreeSet<Term> = self.world.half_told().into_iter().map(name_of).collect();
        for name in all {
            let owners: BTreeSet<Option<Pid>> =
                self.cluster.homes().map(|home| home.global.whereis_name(name.clone())).collect();
            if owners.len() != 1 {
                let each = self.cluster.homes();
                let each = each.map(|home| (home.life, home.global.whereis_name(name.clone())));
                let differs = format!("{name} is {:?}", each.collect::<Vec<_>>());
                // A change is no transaction, on a BEAM neither: of a node that ends in the middle
                // some have heard and others not, until they exchange names again. Two owners at
                // once is another matter.
                if half_told.contains(&name) && owners.iter().flatten().count() == 1 {
                    self.world.journal.excuse(differs);
                } else {
                    self.fault(differs);
                }
            }
            for owner in owners.iter().flatten().filter(|owner| !self.infos.contains_key(owner)) {
                self.fault(format!("{name} is {owner}, which is gone"));
            }
        }
    }

    fn groups(&self) {
        let mut wanted: BTreeMap<Term, Vec<Pid>> = BTreeMap::new();
        for book in self.world.living() {
            for (group, times) in &book.lock().groups {
                let members = wanted.entry(group_of(*group)).or_default();
                members.extend(std::iter::repeat_n(book.pid.clone(), *times));
            }
        }
        for home in self.cluster.homes() {
            let groups: BTreeSet<Term> =
                home.pg.groups().into_iter().chain(wanted.keys().cloned()).collect();
            for group in groups {
                let mut members = home.pg.members(group.clone());
                members.sort();
                let mut expected = wanted.get(&group).cloned().unwrap_or_default();
                expected.sort();
                if members != expected {
                    let life = home.life;
                    self.fault(format!("{life:?}: {group} is {members:?}, not {expected:?}"));
                }
            }
        }
    }
}

/// Whether it is a process that somebody spawned from elsewhere.
pub(crate) fn asked_for(info: &ProcessInfo) -> bool {
    let call = info.initial_call.as_ref();
    call.is_some_and(|call| call.0 == atom!("sim") && call.1 == atom!("wait"))
}
