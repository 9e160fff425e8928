//! Who is told of changes: `pg:monitor_scope/1` and `pg:monitor/2`, also of other nodes.

use std::collections::HashMap;

use erlang_term::{Pid, Reference, Term, atom, term};

use super::state::Change;
use crate::limits::PG_WATCHERS_MAX;

/// The processes that watch a scope, by the monitor we hold of them. That reference is what they
/// know their watch by.
#[derive(Debug, Default)]
pub(super) struct Watchers(HashMap<Reference, Watcher>);

#[derive(Debug)]
struct Watcher {
    pid: Pid,
    /// `None`: all groups.
    group: Option<Term>,
}

impl Watchers {
    /// Whether one more is borne.
    pub(super) fn has_room(&self) -> bool {
        self.0.len() < PG_WATCHERS_MAX
    }

    pub(super) fn add(&mut self, monitor: Reference, pid: Pid, group: Option<Term>) {
        self.0.insert(monitor, Watcher { pid, group });
    }

    /// `false`: nobody watches by that reference.
    pub(super) fn remove(&mut self, monitor: &Reference) -> bool {
        self.0.remove(monitor).is_some()
    }

    /// `{Ref, join | leave, Group, Pids}` for each that wants to know.
    pub(super) fn messages(&self, change: Change, group: &Term, pids: &[Pid]) -> Vec<(Pid, Term)> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let tag = match change {
            Change::Join => atom!("join"),
            Change::Leave => atom!("leave"),
        };
        let pids = Term::list(pids);
        let wants = |one: &&Watcher| one.group.as_ref().is_none_or(|wanted| wanted == group);
        let concerned = self.0.iter().filter(|entry| wants(&entry.1));
        concerned
            .map(|(monitor, one)| (one.pid.clone(), term!({(monitor), (&tag), (group), (&pids)})))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_of_what_it_watches() {
        let pid = |id| Pid::new(atom!("a@h"), id, 0, 3);
        let reference = |id| Reference::new(atom!("b@h"), 3, &[id, 0, 0]);
        let mut watchers = Watchers::default();
        watchers.add(reference(1), pid(1), None);
        watchers.add(reference(2), pid(2), Some(term!(g)));
        let told = |watchers: &Watchers, group: Term| {
            let mut told: Vec<Pid> = watchers
                .messages(Change::Join, &group, &[pid(9)])
                .into_iter()
                .map(|entry| entry.0)
                .collect();
            told.sort();
            told
        };
        assert_eq!(told(&watchers, term!(g)), [pid(1), pid(2)]);
        assert_eq!(told(&watchers, term!(other)), [pid(1)]);
        let message = watchers.messages(Change::Leave, &term!(other), &[pid(9)]).remove(0).1;
        assert_eq!(message, term!({(reference(1)), leave, other, [(pid(9))]}));
        assert!(watchers.remove(&reference(1)));
        assert!(!watchers.remove(&reference(1)));
        assert_eq!(told(&watchers, term!(other)), []);
    }
}
