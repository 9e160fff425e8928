//! The names of `global`, and the messages that carry them.

use std::collections::BTreeMap;

use erlang_term::{Atom, Fun, Pid, Term, atom};

use crate::limits::GLOBAL_NAMES_MAX;

/// One registered process.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) pid: Pid,
    /// The fun that decides when two processes claim the name. Kept as it came.
    pub(super) method: Term,
}

/// What is exchanged between name servers: `{Name, Pid, Method}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// The name: any term.
    pub name: Term,
    /// Who has it.
    pub pid: Pid,
    /// The fun that decides when two processes claim the name.
    pub method: Term,
}

impl Named {
    pub(super) fn read(term: &Term) -> Option<Self> {
        match term.as_tuple()? {
            [name, Term::Pid(pid), method] => {
                Some(Self { name: name.clone(), pid: pid.clone(), method: method.clone() })
            }
            _ => None,
        }
    }

    pub(super) fn to_term(&self) -> Term {
        Term::from((&self.name, &self.pid, &self.method))
    }
}

/// A change that both sides of a connect make: `{insert, {Name, Pid, Method}}` or
/// `{delete, Name}`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Operation {
    /// The name is that process's.
    Insert(Named),
    /// The name is nobody's.
    Delete(Term),
}

impl Operation {
    pub(super) fn read(term: &Term) -> Option<Self> {
        match term.as_tuple()? {
            [tag, named] if tag.is_atom("insert") => Some(Self::Insert(Named::read(named)?)),
            [tag, name] if tag.is_atom("delete") => Some(Self::Delete(name.clone())),
            _ => None,
        }
    }

    pub(super) fn to_term(&self) -> Term {
        match self {
            Self::Insert(named) => Term::from((atom!("insert"), named.to_term())),
            Self::Delete(name) => Term::from((atom!("delete"), name)),
        }
    }

    /// Reads a list of operations; what is none is left out.
    pub(super) fn read_all(list: &Term) -> Vec<Self> {
        list.list_iter().into_iter().flatten().filter_map(|term| Self::read(&term)).collect()
    }
}

/// Two processes that claim the same name when partitions meet.
#[derive(Clone, Debug, PartialEq)]
pub struct Clash {
    /// The other side's claim.
    pub theirs: Named,
    /// Ours.
    pub ours: Named,
}

/// The name table.
#[derive(Debug, Default)]
pub(super) struct Names {
    names: BTreeMap<Term, Entry>,
}

impl Names {
    pub(super) fn find(&self, name: &Term) -> Option<&Entry> {
        self.names.get(name)
    }

    pub(super) fn all(&self) -> Vec<Named> {
        let named = |(name, entry): (&Term, &Entry)| Named {
            name: name.clone(),
            pid: entry.pid.clone(),
            method: entry.method.clone(),
        };
        self.names.iter().map(named).collect()
    }

    /// Inserts or replaces. Gives the process that had the name; `Err`: too many names.
    pub(super) fn insert(&mut self, named: Named) -> Result<Option<Pid>, ()> {
        if self.names.len() >= GLOBAL_NAMES_MAX && !self.names.contains_key(&named.name) {
            return Err(());
        }
        let entry = Entry { pid: named.pid, method: named.method };
        Ok(self.names.insert(named.name, entry).map(|old| old.pid))
    }

    pub(super) fn remove(&mut self, name: &Term) -> Option<Pid> {
        self.names.remove(name).map(|entry| entry.pid)
    }

    /// Removes all names of a process that ended; returns how many.
    pub(super) fn remove_process(&mut self, pid: &Pid) -> usize {
        let before = self.names.len();
        self.names.retain(|_, entry| entry.pid != *pid);
        before - self.names.len()
    }

    /// Removes all names of processes of a node; gives a process for each.
    pub(super) fn remove_node(&mut self, node: &Atom) -> Vec<Pid> {
        let gone = self.names.extract_if(.., |_, entry| entry.pid.node() == node);
        gone.map(|(_, entry)| entry.pid).collect()
    }
}

/// The resolve function used by names that are registered here: `fun global:random_exit_name/3`.
pub fn random_exit_name() -> Term {
    Term::from(Fun::export(atom!("global"), atom!("random_exit_name"), 3))
}
