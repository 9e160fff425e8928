//! Registered names of a node.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use erlang_term::{Atom, Pid};
use foldhash::fast::RandomState;

use crate::error::RegisterError;
use crate::node::Node;
use crate::process::Process;

/// Who has which name. Its lock is taken before a process's, never under one.
#[derive(Default)]
pub(crate) struct Registry {
    names: RwLock<HashMap<Atom, Arc<Process>, RandomState>>,
}

impl Registry {
    pub(crate) fn find(&self, name: &Atom) -> Option<Arc<Process>> {
        self.names.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Atom> {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        names.keys().cloned().collect()
    }

    /// Gives a live process a name.
    pub(crate) fn insert(&self, name: &Atom, process: &Arc<Process>) -> Result<(), RegisterError> {
        if name.as_str() == "undefined" {
            return Err(RegisterError::Reserved);
        }
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        // Who has been ended but has not noticed yet has no name any more, as on a BEAM: its `DOWN` may be
        // delivered already.
        if names.get(name).is_some_and(|process| process.lock().is_alive()) {
            return Err(RegisterError::NameTaken { name: name.clone() });
        }
        let mut state = process.lock();
        if !state.is_alive() {
            return Err(RegisterError::Noproc);
        }
        let relations = state.relate();
        if let Some(name) = &relations.name {
            return Err(RegisterError::HasName { name: name.clone() });
        }
        relations.name = Some(name.clone());
        names.insert(name.clone(), Arc::clone(process));
        Ok(())
    }

    /// Takes a name from whoever has it.
    pub(crate) fn unregister(&self, name: &Atom) -> bool {
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        let Some(process) = names.remove(name) else { return false };
        if let Some(relations) = process.lock().relations_mut() {
            relations.name = None;
        }
        true
    }

    /// Takes the name of a process that has ended.
    pub(crate) fn remove(&self, name: &Atom, pid: &Pid) {
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        if names.get(name).is_some_and(|process| process.pid() == pid) {
            names.remove(name);
        }
    }
}

impl Node {
    /// Gives a process of this node a name.
    ///
    /// # Errors
    /// When the name is taken or reserved, the process has a name, or there is no such process.
    pub fn register(&self, name: &Atom, pid: &Pid) -> Result<(), RegisterError> {
        let process = self.table().find(pid).ok_or(RegisterError::Noproc)?;
        self.registry().insert(name, &process)
    }

    /// Takes a name back. Returns whether somebody had it.
    pub fn unregister(&self, name: &Atom) -> bool {
        self.registry().unregister(name)
    }

    /// The process of that name.
    pub fn whereis(&self, name: &Atom) -> Option<Pid> {
        self.registered_process(name).map(|process| process.pid().clone())
    }

    /// All registered names, in no order.
    pub fn registered(&self) -> Vec<Atom> {
        self.registry().all()
    }

    pub(crate) fn registered_process(&self, name: &Atom) -> Option<Arc<Process>> {
        self.registry().find(name)
    }
}
