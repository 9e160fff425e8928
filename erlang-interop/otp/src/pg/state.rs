//! One scope of `pg` as a pure state machine: messages and events in, outputs out.
//!
//! Protocol, between the processes that are registered under the scope's name on each node:
//! - `{discover, Pid}` (also `{discover, Pid, Version}`): the sender wants to know our local
//!   members. We cast it `{sync, Us, [{Group, [Member]}]}`; if it is new to us we monitor it and
//!   send it `{discover, Us}` in turn.
//! - `{join, Peer, Group, PidOrPids}` and `{leave, Peer, PidOrPids, [Group]}` tell changes. A
//!   process may be in a group several times.
//! - The end of a peer's scope process (or of its node) removes all its members. Nothing is kept
//!   for a peer that was never discovered.

use std::collections::{BTreeMap, HashMap};

use erlang_term::{Pid, Term, atom};

use crate::gen_message::cast_message;
use crate::limits::{PG_MEMBERSHIPS_MAX, PG_PEERS_MAX};

/// Groups of one side: a group and its members, repeated as often as they joined.
type Groups = BTreeMap<Term, Vec<Pid>>;

/// What the process around the state has to do.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Output {
    /// Send a message to a process.
    Send(Pid, Term),
    /// Watch a peer's scope process, and report its end to [`Scope::peer_down`].
    MonitorPeer(Pid),
    /// Watch a local member, and report its end to [`Scope::member_down`].
    MonitorMember(Pid),
    /// Stop watching a local member.
    DemonitorMember(Pid),
    /// Members of a group changed: `join` or `leave`, the group, the pids. For `monitor/1` of `pg`.
    Changed(Change, Term, Vec<Pid>),
}

/// Which way a group changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Processes joined.
    Join,
    /// Processes left.
    Leave,
}

/// A scope as this node sees it.
#[derive(Debug)]
pub struct Scope {
    own: Pid,
    local: Groups,
    peers: BTreeMap<Pid, Groups>,
}

impl Scope {
    /// An empty scope whose process is `own`.
    pub fn new(own: Pid) -> Self {
        Self { own, local: Groups::new(), peers: BTreeMap::new() }
    }

    /// All members of a group, on all nodes.
    pub fn members(&self, group: &Term) -> Vec<Pid> {
        let remote = self.peers.values().filter_map(|groups| groups.get(group));
        self.local.get(group).into_iter().chain(remote).flatten().cloned().collect()
    }

    /// The members of a group on this node.
    pub fn local_members(&self, group: &Term) -> Vec<Pid> {
        self.local.get(group).cloned().unwrap_or_default()
    }

    /// All groups that have a member, sorted.
    pub fn groups(&self) -> Vec<Term> {
        let all = self.local.keys().chain(self.peers.values().flat_map(BTreeMap::keys));
        let mut groups: Vec<Term> = all.cloned().collect();
        groups.sort();
        groups.dedup();
        groups
    }

    /// The groups that have a member on this node, sorted.
    pub fn local_groups(&self) -> Vec<Term> {
        let mut groups: Vec<Term> = self.local.keys().cloned().collect();
        groups.sort();
        groups
    }

    /// The scope processes of other nodes.
    pub fn peers(&self) -> impl Iterator<Item = &Pid> {
        self.peers.keys()
    }

    /// Local processes join a group.
    pub fn join(&mut self, group: &Term, pids: &[Pid]) -> Vec<Output> {
        let mut outputs = Vec::new();
        for pid in pids {
            if !self.is_local_member(pid) {
                outputs.push(Output::MonitorMember(pid.clone()));
            }
            self.local.entry(group.clone()).or_default().push(pid.clone());
        }
        let message = Term::from((atom!("join"), &self.own, group, one_or_list(pids)));
        self.broadcast(&message, &mut outputs);
        outputs.push(Output::Changed(Change::Join, group.clone(), pids.to_vec()));
        outputs
    }

    /// Local processes leave a group. `None`: none of them is a member.
    pub fn leave(&mut self, group: &Term, pids: &[Pid]) -> Option<Vec<Output>> {
        let mut left = Vec::new();
        for pid in pids {
            if remove_one(&mut self.local, group, pid) {
                left.push(pid.clone());
            }
        }
        if left.is_empty() {
            return None;
        }
        let mut outputs = Vec::new();
        for pid in &left {
            if !self.is_local_member(pid) {
                outputs.push(Output::DemonitorMember(pid.clone()));
            }
        }
        self.broadcast(&leave_message(&self.own, one_or_list(&left), [group]), &mut outputs);
        outputs.push(Output::Changed(Change::Leave, group.clone(), left));
        Some(outputs)
    }

    /// A local member ended: it leaves all its groups.
    pub fn member_down(&mut self, pid: &Pid) -> Vec<Output> {
        let mut groups = Vec::new();
        self.local.retain(|group, members| {
            let before = members.len();
            members.retain(|member| member != pid);
            // One entry for each time it had joined, as a peer keeps count.
            groups.extend(std::iter::repeat_n(group.clone(), before - members.len()));
            !members.is_empty()
        });
        if groups.is_empty() {
            return Vec::new();
        }
        let mut outputs = Vec::new();
        self.broadcast(&leave_message(&self.own, Term::from(pid), &groups), &mut outputs);
        for group in groups {
            outputs.push(Output::Changed(Change::Leave, group, vec![pid.clone()]));
        }
        outputs
    }

    /// A peer's scope process, or its node, is gone.
    pub fn peer_down(&mut self, peer: &Pid) -> Vec<Output> {
        let groups = self.peers.remove(peer).unwrap_or_default();
        let left = |(group, pids)| Output::Changed(Change::Leave, group, pids);
        groups.into_iter().map(left).collect()
    }

    /// A plain message or cast to the scope. `None`: it is none of `pg`'s.
    pub fn handle(&mut self, message: &Term) -> Option<Vec<Output>> {
        match message.as_tuple()? {
            [tag, Term::Pid(peer)] if tag.is_atom("discover") => Some(self.discover(peer)),
            [tag, Term::Pid(peer), _] if tag.is_atom("discover") => Some(self.discover(peer)),
            [tag, Term::Pid(peer), groups] if tag.is_atom("sync") => self.sync(peer, groups),
            [tag, Term::Pid(peer), group, pids] if tag.is_atom("join") => {
                Some(self.peer_join(peer, group, &pid_list(pids)?))
            }
            [tag, Term::Pid(peer), pids, groups] if tag.is_atom("leave") => {
                let (pids, groups) = (pid_list(pids)?, groups.list_iter()?);
                Some(self.peer_leave(peer, &pids, groups.collect()))
            }
            _ => None,
        }
    }

    /// `{discover, Us}`: what is sent to the scope of a node that just connected.
    pub fn discover_message(&self) -> Term {
        Term::from((atom!("discover"), &self.own))
    }

    fn discover(&mut self, peer: &Pid) -> Vec<Output> {
        let mut outputs = Vec::new();
        if *peer == self.own {
            return outputs;
        }
        outputs.push(Output::Send(peer.clone(), self.sync_message()));
        if !self.peers.contains_key(peer) && self.peers.len() < PG_PEERS_MAX {
            self.peers.insert(peer.clone(), Groups::new());
            outputs.push(Output::MonitorPeer(peer.clone()));
            outputs.push(Output::Send(peer.clone(), self.discover_message()));
        }
        outputs
    }

    /// `{'$gen_cast', {sync, Us, [{Group, [Member]}]}}`.
    fn sync_message(&self) -> Term {
        let groups = self
            .local
            .iter()
            .map(|(group, pids)| Term::from((group, Term::list(pids.iter().cloned()))));
        cast_message((atom!("sync"), &self.own, Term::list(groups)))
    }

    fn sync(&mut self, peer: &Pid, groups: &Term) -> Option<Vec<Output>> {
        let mut new = Groups::new();
        let mut memberships = 0;
        for entry in groups.list_iter()? {
            let [group, pids] = entry.as_tuple()? else { return None };
            let pids = pid_list(pids)?;
            memberships += pids.len();
            if memberships > PG_MEMBERSHIPS_MAX {
                tracing::warn!(peer = %peer, "pg: too many memberships in a sync, it is ignored");
                return Some(Vec::new());
            }
            new.insert(group.clone(), pids);
        }
        let mut outputs = Vec::new();
        if !self.peers.contains_key(peer) {
            if self.peers.len() >= PG_PEERS_MAX {
                return Some(outputs);
            }
            outputs.push(Output::MonitorPeer(peer.clone()));
        }
        let old = self.peers.insert(peer.clone(), new.clone()).unwrap_or_default();
        difference(&old, &new, &mut outputs);
        Some(outputs)
    }

    fn peer_join(&mut self, peer: &Pid, group: &Term, pids: &[Pid]) -> Vec<Output> {
        let Some(groups) = self.peers.get_mut(peer) else { return Vec::new() };
        let memberships: usize = groups.values().map(Vec::len).sum();
        if memberships + pids.len() > PG_MEMBERSHIPS_MAX {
            tracing::warn!(peer = %peer, "pg: too many memberships, a join is ignored");
            return Vec::new();
        }
        groups.entry(group.clone()).or_default().extend_from_slice(pids);
        vec![Output::Changed(Change::Join, group.clone(), pids.to_vec())]
    }

    fn peer_leave(&mut self, peer: &Pid, pids: &[Pid], from: Vec<Term>) -> Vec<Output> {
        let Some(groups) = self.peers.get_mut(peer) else { return Vec::new() };
        let mut outputs = Vec::new();
        for group in from {
            let left: Vec<Pid> =
                pids.iter().filter(|pid| remove_one(groups, &group, pid)).cloned().collect();
            if !left.is_empty() {
                outputs.push(Output::Changed(Change::Leave, group, left));
            }
        }
        outputs
    }

    fn is_local_member(&self, pid: &Pid) -> bool {
        self.local.values().any(|members| members.contains(pid))
    }

    fn broadcast(&self, message: &Term, outputs: &mut Vec<Output>) {
        outputs.extend(self.peers.keys().map(|peer| Output::Send(peer.clone(), message.clone())));
    }
}

/// `{leave, Us, Pids, Groups}`.
fn leave_message<'a>(own: &Pid, pids: Term, groups: impl IntoIterator<Item = &'a Term>) -> Term {
    Term::from((atom!("leave"), own, pids, Term::list(groups.into_iter().cloned())))
}

/// One pid stands for itself, several are a list.
fn one_or_list(pids: &[Pid]) -> Term {
    match pids {
        [one] => Term::from(one),
        several => Term::list(several.iter().cloned()),
    }
}

fn pid_list(term: &Term) -> Option<Vec<Pid>> {
    if let Term::Pid(pid) = term {
        return Some(vec![pid.clone()]);
    }
    term.list_iter()?.map(|pid| pid.as_pid().cloned()).collect()
}

fn remove_one(groups: &mut Groups, group: &Term, pid: &Pid) -> bool {
    let Some(members) = groups.get_mut(group) else { return false };
    let Some(at) = members.iter().position(|member| member == pid) else { return false };
    members.swap_remove(at);
    if members.is_empty() {
        groups.remove(group);
    }
    true
}

/// What a full sync changed, group by group.
fn difference(old: &Groups, new: &Groups, outputs: &mut Vec<Output>) {
    for (group, pids) in old {
        let now = new.get(group).map_or(&[][..], Vec::as_slice);
        let left = missing(pids, now);
        if !left.is_empty() {
            outputs.push(Output::Changed(Change::Leave, group.clone(), left));
        }
    }
    for (group, pids) in new {
        let before = old.get(group).map_or(&[][..], Vec::as_slice);
        let joined = missing(pids, before);
        if !joined.is_empty() {
            outputs.push(Output::Changed(Change::Join, group.clone(), joined));
        }
    }
}

/// Those of `all` that are not in `others`, counting repetitions.
fn missing(all: &[Pid], others: &[Pid]) -> Vec<Pid> {
    let mut counts: HashMap<&Pid, usize> = HashMap::new();
    for pid in others {
        *counts.entry(pid).or_default() += 1;
    }
    let mut rest = Vec::new();
    for pid in all {
        match counts.get_mut(pid) {
            Some(count) if *count > 0 => *count -= 1,
            _ => rest.push(pid.clone()),
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pid(node: &str, id: u32) -> Pid {
        Pid::new(erlang_term::Atom::new(node).expect("a short name"), id, 0, 3)
    }

    fn group() -> Term {
        Term::from(atom!("grp"))
    }

    fn discovered() -> (Scope, Pid) {
        let mut scope = Scope::new(pid("b@h", 1));
        let peer = pid("a@h", 1);
        scope.handle(&Term::from((atom!("discover"), &peer))).expect("a pg message");
        (scope, peer)
    }

    #[test]
    fn a_new_peer_is_synced_watched_and_asked() {
        let mut scope = Scope::new(pid("b@h", 1));
        let peer = pid("a@h", 1);
        let discover = Term::from((atom!("discover"), &peer));
        let outputs = scope.handle(&discover).expect("a pg message");
        let sync = cast_message((atom!("sync"), pid("b@h", 1), Term::Nil));
        assert_eq!(
            outputs,
            [
                Output::Send(peer.clone(), sync.clone()),
                Output::MonitorPeer(peer.clone()),
                Output::Send(peer.clone(), scope.discover_message()),
            ]
        );
        assert_eq!(scope.handle(&discover), Some(vec![Output::Send(peer, sync)]));
    }

    #[test]
    fn versioned_discover_is_accepted() {
        let mut scope = Scope::new(pid("b@h", 1));
        let discover = Term::from((atom!("discover"), pid("a@h", 1), 1));
        assert_eq!(scope.handle(&discover).expect("a pg message").len(), 3);
    }

    #[test]
    fn a_process_may_be_in_a_group_twice() {
        let (mut scope, peer) = discovered();
        let member = pid("a@h", 9);
        let join = |pids: Term| Term::from((atom!("join"), &peer, group(), pids));
        scope.handle(&join(Term::from(&member))).expect("a pg message");
        scope.handle(&join(Term::list([&member, &member]))).expect("a pg message");
        assert_eq!(scope.members(&group()).len(), 3);
        let leave = leave_message(&peer, Term::from(&member), [&group()]);
        scope.handle(&leave).expect("a pg message");
        assert_eq!(scope.members(&group()).len(), 2);
        assert!(scope.local_members(&group()).is_empty());
    }

    #[test]
    fn a_peer_that_was_never_discovered_is_ignored() {
        let mut scope = Scope::new(pid("b@h", 1));
        let join = Term::from((atom!("join"), pid("x@h", 1), group(), pid("x@h", 2)));
        assert_eq!(scope.handle(&join), Some(vec![]));
        assert!(scope.groups().is_empty());
    }

    #[test]
    fn a_lost_peer_takes_its_members_along() {
        let (mut scope, peer) = discovered();
        let member = pid("a@h", 9);
        let groups = Term::list([Term::from((group(), Term::list([&member])))]);
        let outputs = scope.handle(&Term::from((atom!("sync"), &peer, groups)));
        let changed = |change| Output::Changed(change, group(), vec![member.clone()]);
        assert_eq!(outputs, Some(vec![changed(Change::Join)]));
        assert_eq!(scope.peer_down(&peer), [changed(Change::Leave)]);
        assert!(scope.groups().is_empty());
    }

    #[test]
    fn our_own_joins_and_leaves_are_told() {
        let (mut scope, peer) = discovered();
        let (own, member) = (pid("b@h", 1), pid("b@h", 5));
        let outputs = scope.join(&group(), std::slice::from_ref(&member));
        let joined = Term::from((atom!("join"), &own, group(), &member));
        assert_eq!(outputs[0], Output::MonitorMember(member.clone()));
        assert_eq!(outputs[1], Output::Send(peer.clone(), joined));
        scope.join(&group(), std::slice::from_ref(&member));
        let outputs = scope.member_down(&member);
        let left = leave_message(&own, Term::from(&member), &[group(), group()]);
        assert_eq!(outputs[0], Output::Send(peer, left));
        assert!(scope.leave(&group(), &[member]).is_none());
    }

    #[test]
    fn malformed_messages_change_nothing() {
        let (mut scope, peer) = discovered();
        for broken in [
            Term::from((atom!("join"), &peer, group(), 1)),
            Term::from((atom!("sync"), &peer, 1)),
            Term::from((atom!("leave"), &peer, 1, 2)),
            Term::from(1),
        ] {
            assert_eq!(scope.handle(&broken), None);
        }
    }
}
