//! The nodes that one topology has found: which to dial now, which later, which have left. Pure:
//! time since some start and randomness are arguments.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use erlang_interop::term::Atom;

use crate::cluster::back_off::BackOff;
use crate::cluster::limits::{
    DIAL_PAUSE, DIALS_BURST_MAX, DIALS_MAX, LOSSES_TOLD_MAX, PEERS_MAX, TELLING_TIME,
};

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Membership {
    peers: HashMap<Atom, Peer>,
    waiting: VecDeque<Atom>,
    dialling: usize,
    /// When the burst would be whole again: the spread of dials, as one number.
    rested_at: Duration,
    telling_since: Duration,
    losses_told: u32,
}

#[derive(Debug)]
struct Peer {
    phase: Phase,
    back_off: BackOff,
    not_before: Duration,
    failures: u32,
    fault: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Waiting,
    Dialling,
}

/// What a finished dial means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It is connected now.
    Connected,
    /// It cannot be reached, and that is news.
    Lost,
    /// Neither can it, nor can many others; the log need not name each.
    LostMany,
    /// It still cannot be reached, or is one of those many.
    StillLost,
    /// It left the topology while it was dialled; whether the dial worked.
    Left(bool),
}

/// A node as [`Membership::report`] shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub node: Atom,
    /// Dials that failed since it last answered.
    pub failures: u32,
    /// Why the last dial failed.
    pub fault: Option<String>,
}

impl Membership {
    /// `node` is said to be there, and is neither this node nor connected: it is dialled when its
    /// time has come.
    pub(super) fn want(&mut self, node: &Atom, now: Duration) {
        if !self.peers.contains_key(node) && !self.has_room() {
            return;
        }
        let peer = self.peers.entry(node.clone()).or_insert_with(|| Peer {
            phase: Phase::Idle,
            back_off: BackOff::new(),
            not_before: now,
            failures: 0,
            fault: None,
        });
        if peer.phase == Phase::Idle && peer.not_before <= now {
            peer.phase = Phase::Waiting;
            self.waiting.push_back(node.clone());
        }
    }

    /// `node` is said to be there, and is connected.
    pub(super) fn connected(&mut self, node: &Atom) {
        if let Some(peer) = self.peers.get_mut(node) {
            peer.answered();
        } else if self.has_room() {
            let peer = Peer {
                phase: Phase::Idle,
                back_off: BackOff::new(),
                not_before: Duration::ZERO,
                failures: 0,
                fault: None,
            };
            self.peers.insert(node.clone(), peer);
        }
    }

    /// Room for one more name; the one that has failed most makes way.
    fn has_room(&mut self) -> bool {
        if self.peers.len() < PEERS_MAX {
            return true;
        }
        let idle = self.peers.iter().filter(|(_, peer)| {
            // A node that answered keeps its place.
            peer.phase == Phase::Idle && peer.failures > 0
        });
        let worst = idle.max_by_key(|(_, peer)| (peer.failures, peer.not_before));
        let worst = worst.map(|(node, _)| node.clone());
        worst.is_some_and(|node| self.peers.remove(&node).is_some())
    }

    /// When the next node may be dialled, if one waits for that alone.
    pub(super) fn next_at(&self) -> Option<Duration> {
        let waits = self.dialling < DIALS_MAX && !self.waiting.is_empty();
        waits.then(|| self.rested_at.saturating_sub(DIAL_PAUSE * (DIALS_BURST_MAX - 1)))
    }

    /// The next node to dial now, as far as the bounds of dials allow.
    pub(super) fn next(&mut self, now: Duration) -> Option<Atom> {
        while self.next_at().is_some_and(|at| at <= now) {
            let node = self.waiting.pop_front()?;
            match self.peers.get_mut(&node) {
                Some(peer) if peer.phase == Phase::Waiting => {
                    peer.phase = Phase::Dialling;
                    self.dialling += 1;
                    self.rested_at = self.rested_at.max(now) + DIAL_PAUSE;
                    return Some(node);
                }
                // It has left meanwhile.
                _ => {}
            }
        }
        None
    }

    /// The dial of `node` has ended: with `fault`, or connected.
    pub(super) fn dialled(
        &mut self,
        node: &Atom,
        fault: Option<String>,
        now: Duration,
        random: u32,
    ) -> Change {
        self.dialling = self.dialling.saturating_sub(1);
        let Some(peer) = self.peers.get_mut(node) else { return Change::Left(fault.is_none()) };
        peer.phase = Phase::Idle;
        if fault.is_none() {
            peer.answered();
            return Change::Connected;
        }
        peer.not_before = now + peer.back_off.wait(random);
        peer.failures = peer.failures.saturating_add(1);
        peer.fault = fault;
        if peer.failures == 1 { self.loss(now) } else { Change::StillLost }
    }

    fn loss(&mut self, now: Duration) -> Change {
        if now >= self.telling_since + TELLING_TIME {
            self.telling_since = now;
            self.losses_told = 0;
        }
        self.losses_told = self.losses_told.saturating_add(1);
        match self.losses_told {
            ..=LOSSES_TOLD_MAX => Change::Lost,
            count if count == LOSSES_TOLD_MAX + 1 => Change::LostMany,
            _ => Change::StillLost,
        }
    }

    /// The topology consists of `listed` now: forgets and gives those that have left it.
    pub(super) fn left(&mut self, listed: &[Atom]) -> Vec<Atom> {
        let listed: HashSet<&Atom> = listed.iter().collect();
        let gone: Vec<Atom> =
            self.peers.keys().filter(|node| !listed.contains(node)).cloned().collect();
        for node in &gone {
            self.peers.remove(node);
        }
        gone
    }

    /// All nodes, by name.
    pub(super) fn report(&self) -> Vec<Found> {
        let found = |(node, peer): (&Atom, &Peer)| Found {
            node: node.clone(),
            failures: peer.failures,
            fault: peer.fault.clone(),
        };
        let mut report: Vec<Found> = self.peers.iter().map(found).collect();
        report.sort_by(|a, b| a.node.as_str().cmp(b.node.as_str()));
        report
    }
}

impl Peer {
    fn answered(&mut self) {
        self.back_off.reset();
        self.not_before = Duration::ZERO;
        self.failures = 0;
        self.fault = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(100);
    const END: Duration = Duration::from_secs(1000);

    fn node(name: &str) -> Atom {
        Atom::new(name).expect("short")
    }

    fn refused() -> Option<String> {
        Some("refused".to_owned())
    }

    #[test]
    fn a_node_is_dialled_once_at_a_time() {
        let (mut membership, a) = (Membership::default(), node("a@h"));
        membership.want(&a, START);
        membership.want(&a, START);
        assert_eq!(membership.next(START), Some(a.clone()));
        membership.want(&a, START);
        assert_eq!(membership.next(START), None);
        assert_eq!(membership.dialled(&a, None, START, 0), Change::Connected);
        // It went away and is heard again.
        membership.want(&a, START);
        assert_eq!(membership.next(START), Some(a));
    }

    #[test]
    fn a_silent_node_is_dialled_ever_more_rarely_and_told_once() {
        let (mut membership, a) = (Membership::default(), node("a@h"));
        let mut changes = Vec::new();
        let mut dials = Vec::new();
        for beat in 0..240 {
            let now = START + Duration::from_millis(beat * 250);
            membership.want(&a, now);
            if let Some(node) = membership.next(now) {
                dials.push(beat);
                changes.push(membership.dialled(&node, refused(), now, u32::MAX));
            }
        }
        assert_eq!(dials, [0, 2, 6, 14, 30, 62, 126]);
        assert_eq!(changes[..2], [Change::Lost, Change::StillLost]);
        assert!(changes[1..].iter().all(|change| *change == Change::StillLost));
        let report = membership.report();
        assert_eq!((report[0].failures, report[0].fault.as_deref()), (7, Some("refused")));
        // Connected by itself: the next loss is news again.
        membership.connected(&a);
        assert_eq!(membership.report()[0].failures, 0);
        membership.want(&a, END);
        assert_eq!(membership.next(END), Some(a.clone()));
        assert_eq!(membership.dialled(&a, refused(), END, 0), Change::Lost);
    }

    #[test]
    fn a_flood_of_names_is_bounded_and_does_not_lock_out_a_real_one() {
        let mut membership = Membership::default();
        for n in 0..PEERS_MAX * 3 {
            membership.want(&node(&format!("x{n}@h")), START);
        }
        assert_eq!(membership.report().len(), PEERS_MAX);
        let dialled: Vec<Atom> = std::iter::from_fn(|| membership.next(START)).collect();
        assert_eq!(dialled.len(), DIALS_MAX);
        for name in &dialled {
            membership.dialled(name, refused(), START, u32::MAX);
        }
        let real = node("real@h");
        membership.want(&real, START);
        assert!(membership.report().iter().any(|found| found.node == real));
        assert_eq!(membership.report().len(), PEERS_MAX);
    }

    #[test]
    fn dials_are_spread_after_a_burst_and_losses_told_in_moderation() {
        let mut membership = Membership::default();
        let (mut dials, mut changes) = (Vec::new(), Vec::new());
        for n in 0..PEERS_MAX {
            membership.want(&node(&format!("x{n}@h")), START);
            while let Some(name) = membership.next(START) {
                dials.push(name.clone());
                changes.push(membership.dialled(&name, refused(), START, u32::MAX));
            }
        }
        assert_eq!(u32::try_from(dials.len()), Ok(DIALS_BURST_MAX));
        let told = changes.iter().filter(|change| **change == Change::Lost).count();
        assert_eq!(u32::try_from(told), Ok(LOSSES_TOLD_MAX));
        assert_eq!(changes.iter().filter(|change| **change == Change::LostMany).count(), 1);
        // Later one at a time, and a loss is news again.
        assert_eq!(membership.next_at(), Some(START + DIAL_PAUSE));
        let later = START + DIAL_PAUSE;
        assert!(membership.next(later).is_some());
        assert_eq!(membership.next(later), None);
        let much_later = START + TELLING_TIME;
        let name = membership.next(much_later).expect("rested");
        assert_eq!(membership.dialled(&name, refused(), much_later, 0), Change::Lost);
    }

    #[test]
    fn a_flood_does_not_push_out_who_is_connected() {
        let mut membership = Membership::default();
        let good = node("good@h");
        membership.connected(&good);
        for n in 0..PEERS_MAX * 2 {
            let name = node(&format!("x{n}@h"));
            membership.want(&name, START);
            while let Some(name) = membership.next(START) {
                membership.dialled(&name, refused(), START, u32::MAX);
            }
        }
        assert!(membership.report().iter().any(|found| found.node == good));
        assert!(membership.report().len() <= PEERS_MAX);
    }

    #[test]
    fn who_is_no_longer_listed_has_left() {
        let mut membership = Membership::default();
        let [a, b, c] = ["a@h", "b@h", "c@h"].map(node);
        for name in [&a, &b, &c] {
            membership.want(name, START);
        }
        assert_eq!(membership.next(START), Some(a.clone()));
        assert_eq!(membership.left(std::slice::from_ref(&c)).len(), 2);
        // b was waiting: it is not dialled any more. a was being dialled.
        assert_eq!(membership.next(START), Some(c.clone()));
        assert_eq!(membership.next(START), None);
        assert_eq!(membership.dialled(&a, None, START, 0), Change::Left(true));
        assert_eq!(membership.left(&[c]), Vec::<Atom>::new());
    }
}
