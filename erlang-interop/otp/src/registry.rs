//! `Registry`: local names and properties of processes, under any term.
//!
//! Unlike the node's own names, keys are any term, and in a duplicate registry a key may have many
//! processes. Entries go when their process ends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use erlang_node::{Context, Node, SpawnError, SpawnOptions};
use erlang_term::{Atom, Pid, Term, atom};

use crate::gen_message::cast_message;
use crate::gen_server::{self, GenServer, Next};

/// Whether a key may have one process or many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// One.
    Unique,
    /// Many.
    Duplicate,
}

/// Why a process was not registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Another process has the key.
    #[error("already registered by {0}")]
    AlreadyRegistered(Pid),
    /// The process does not live on this node.
    #[error("no such process on this node")]
    Noproc,
}

#[derive(Debug, Default)]
struct Entries {
    by_key: HashMap<Term, Vec<(Pid, Term)>>,
    by_pid: HashMap<Pid, Vec<Term>>,
}

impl Entries {
    fn remove(&mut self, pid: &Pid) {
        for key in self.by_pid.remove(pid).unwrap_or_default() {
            self.remove_key(&key, pid);
        }
    }

    fn remove_key(&mut self, key: &Term, pid: &Pid) {
        if let Some(found) = self.by_key.get_mut(key) {
            found.retain(|entry| entry.0 != *pid);
            if found.is_empty() {
                self.by_key.remove(key);
            }
        }
    }
}

/// A registry, running. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Registry {
    node: Node,
    keys: Keys,
    pid: Pid,
    entries: Arc<Mutex<Entries>>,
}

impl Registry {
    /// Starts a registry; its process watches those that register.
    ///
    /// # Errors
    /// When the name is taken, there are too many processes, or the node stops.
    pub fn start(node: &Node, options: SpawnOptions, keys: Keys) -> Result<Self, SpawnError> {
        let entries = Arc::new(Mutex::new(Entries::default()));
        let watcher = Watcher { entries: Arc::clone(&entries) };
        let pid = gen_server::start(node, options, watcher)?;
        Ok(Self { node: node.clone(), keys, pid, entries })
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a process of this node under a key, with a value.
    ///
    /// # Errors
    /// When a unique key is taken, or the process doesn't live.
    pub async fn register(
        &self,
        key: impl Into<Term>,
        pid: &Pid,
        value: impl Into<Term>,
    ) -> Result<(), RegistryError> {
        if !self.node.is_process_alive(pid) {
            return Err(RegistryError::Noproc);
        }
        let key = key.into();
        {
            let mut entries = self.lock();
            if self.keys == Keys::Unique
                && let Some([(other, _), ..]) = entries.by_key.get(&key).map(Vec::as_slice)
                // One that has ended, and whose end has not arrived yet, is no owner.
                && self.node.is_process_alive(other)
            {
                return Err(RegistryError::AlreadyRegistered(other.clone()));
            }
            if self.keys == Keys::Unique {
                entries.by_key.remove(&key);
            }
            entries.by_key.entry(key.clone()).or_default().push((pid.clone(), value.into()));
            entries.by_pid.entry(pid.clone()).or_default().push(key);
        }
        self.node.send(&self.pid, cast_message((atom!("watch"), pid))).await;
        Ok(())
    }

    /// Takes a process off a key.
    pub fn unregister(&self, key: &Term, pid: &Pid) {
        let mut entries = self.lock();
        entries.remove_key(key, pid);
        if let Some(keys) = entries.by_pid.get_mut(pid) {
            keys.retain(|found| found != key);
        }
    }

    /// The processes of a key, with their values.
    pub fn lookup(&self, key: &Term) -> Vec<(Pid, Term)> {
        self.lock().by_key.get(key).cloned().unwrap_or_default()
    }

    /// The process of a key, of a unique registry.
    pub fn whereis(&self, key: &Term) -> Option<Pid> {
        self.lookup(key).into_iter().next().map(|(pid, _)| pid)
    }

    /// The keys of a process.
    pub fn keys(&self, pid: &Pid) -> Vec<Term> {
        self.lock().by_pid.get(pid).cloned().unwrap_or_default()
    }

    /// Sends a message to all processes of a key.
    pub async fn dispatch(&self, key: &Term, message: impl Into<Term>) {
        let message = message.into();
        for (pid, _) in self.lookup(key) {
            self.node.send(&pid, message.clone()).await;
        }
    }

    /// How many entries there are.
    pub fn count(&self) -> usize {
        self.lock().by_key.values().map(Vec::len).sum()
    }
}

/// The process that watches those that are registered.
struct Watcher {
    entries: Arc<Mutex<Entries>>,
}

impl GenServer for Watcher {
    fn module(&self) -> Atom {
        atom!("Elixir.Registry")
    }

    async fn handle_cast(&mut self, context: &mut Context, message: Term) -> Next {
        if let Some([Term::Pid(pid)]) = message.as_tagged("watch") {
            // A second monitor of the same process costs little and fires with the first.
            context.monitor(pid).await;
        }
        Next::Continue
    }

    async fn handle_info(&mut self, _: &mut Context, message: Term) -> Next {
        if let Some([tag, _, _, Term::Pid(pid), _]) = message.as_tuple()
            && tag.is_atom("DOWN")
        {
            self.entries.lock().unwrap_or_else(PoisonError::into_inner).remove(pid);
        }
        Next::Continue
    }
}
