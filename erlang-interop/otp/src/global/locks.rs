//! The locks of `global`: `{ResourceId, LockRequesterId}`, each held by one or more processes.
//!
//! Holders with the same requester id share a lock: that is how both lockers of a connect hold
//! `{global, [LockerA, LockerB]}` together, and why the lock outlives the first of them to let go.

use std::collections::HashMap;

use erlang_term::{Atom, Pid, Term};

use crate::limits::{GLOBAL_LOCK_HOLDERS_MAX, GLOBAL_LOCKS_MAX};

/// Who holds one resource.
#[derive(Debug)]
struct Lock {
    requester: Term,
    holders: Vec<Pid>,
}

/// All locks of this node.
#[derive(Debug, Default)]
pub(super) struct Locks {
    locks: HashMap<Term, Lock>,
}

/// The outcome of an attempt to lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Locked {
    /// It is set, and the process is a new holder that must be watched.
    New,
    /// It was set by this process already.
    Already,
    /// Somebody else has it, or there are too many.
    Refused,
}

/// `{ResourceId, LockRequesterId}` taken apart.
pub(super) fn lock_id(term: &Term) -> Option<(&Term, &Term)> {
    match term.as_tuple()? {
        [resource, requester] => Some((resource, requester)),
        _ => None,
    }
}

impl Locks {
    /// Whether this requester could set the lock now.
    pub(super) fn can_set(&self, resource: &Term, requester: &Term) -> bool {
        self.locks.get(resource).is_none_or(|lock| lock.requester == *requester)
    }

    /// Whether anybody holds the resource.
    pub(super) fn is_set(&self, resource: &Term) -> bool {
        self.locks.contains_key(resource)
    }

    pub(super) fn set(&mut self, resource: &Term, requester: &Term, pid: &Pid) -> Locked {
        if !self.can_set(resource, requester) {
            return Locked::Refused;
        }
        if let Some(lock) = self.locks.get_mut(resource) {
            if lock.holders.contains(pid) {
                return Locked::Already;
            }
            if lock.holders.len() >= GLOBAL_LOCK_HOLDERS_MAX {
                return Locked::Refused;
            }
            lock.holders.push(pid.clone());
            return Locked::New;
        }
        if self.locks.len() >= GLOBAL_LOCKS_MAX {
            return Locked::Refused;
        }
        let lock = Lock { requester: requester.clone(), holders: vec![pid.clone()] };
        self.locks.insert(resource.clone(), lock);
        Locked::New
    }

    /// Takes a process off a lock. Returns whether it was a holder.
    pub(super) fn delete(&mut self, resource: &Term, requester: &Term, pid: &Pid) -> bool {
        let Some(lock) = self.locks.get_mut(resource) else { return false };
        if lock.requester != *requester {
            return false;
        }
        let Some(at) = lock.holders.iter().position(|holder| holder == pid) else { return false };
        lock.holders.swap_remove(at);
        if lock.holders.is_empty() {
            self.locks.remove(resource);
        }
        true
    }

    /// Takes a process that ended off all its locks; gives it once for each.
    pub(super) fn delete_process(&mut self, pid: &Pid) -> Vec<Pid> {
        self.release(|holder| holder == pid)
    }

    /// Takes the processes of a node that was lost off their locks; gives each once a lock.
    pub(super) fn delete_node(&mut self, node: &Atom) -> Vec<Pid> {
        self.release(|holder| holder.node() == node)
    }

    fn release(&mut self, gone: impl Fn(&Pid) -> bool) -> Vec<Pid> {
        let mut released = Vec::new();
        self.locks.retain(|_, lock| {
            released.extend(lock.holders.extract_if(.., |holder| gone(holder)));
            !lock.holders.is_empty()
        });
        released
    }
}

#[cfg(test)]
mod tests {
    use erlang_term::atom;

    use super::*;

    fn pid(id: u32) -> Pid {
        Pid::new(atom!("a@h"), id, 0, 3)
    }

    #[test]
    fn requesters_exclude_each_other_and_share_with_themselves() {
        let mut locks = Locks::default();
        let (resource, one, two) = (Term::from(atom!("r")), Term::from(1), Term::from(2));
        assert_eq!(locks.set(&resource, &one, &pid(1)), Locked::New);
        assert_eq!(locks.set(&resource, &one, &pid(1)), Locked::Already);
        assert_eq!(locks.set(&resource, &two, &pid(2)), Locked::Refused);
        assert_eq!(locks.set(&resource, &one, &pid(2)), Locked::New);
        assert!(locks.delete(&resource, &one, &pid(1)));
        assert!(!locks.can_set(&resource, &two));
        assert!(!locks.delete(&resource, &two, &pid(2)));
        assert!(locks.delete(&resource, &one, &pid(2)));
        assert!(!locks.is_set(&resource));
    }

    #[test]
    fn a_dead_holder_loses_all_its_locks() {
        let mut locks = Locks::default();
        locks.set(&Term::from(1), &Term::from(1), &pid(1));
        locks.set(&Term::from(2), &Term::from(1), &pid(1));
        locks.set(&Term::from(2), &Term::from(1), &pid(2));
        assert_eq!(locks.delete_process(&pid(1)), [pid(1), pid(1)]);
        assert!(!locks.is_set(&Term::from(1)));
        assert!(locks.is_set(&Term::from(2)));
        assert_eq!(locks.delete_node(&atom!("b@h")), []);
        assert_eq!(locks.delete_node(&atom!("a@h")), [pid(2)]);
        assert!(!locks.is_set(&Term::from(2)));
    }
}
