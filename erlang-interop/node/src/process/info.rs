//! What can be told about a process from outside: `process_info/1`.

use erlang_term::{Atom, Pid, Reference, Term};

use super::Process;
use crate::monitor::MonitorTarget;

/// What `process_info/1` tells of a local process.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProcessInfo {
    /// The name it is registered under.
    pub registered_name: Option<Atom>,
    /// Processes it is linked to.
    pub links: Vec<Pid>,
    /// What it monitors.
    pub monitors: Vec<MonitorTarget>,
    /// Processes that monitor it.
    pub monitored_by: Vec<Pid>,
    /// Its active aliases, those of monitors included.
    pub aliases: Vec<Reference>,
    /// Its spawn requests that are not answered yet.
    pub spawn_requests: Vec<Reference>,
    /// Messages it has not received yet.
    pub message_queue_len: usize,
    /// Whether exit signals become messages.
    pub trap_exit: bool,
    /// Its group leader.
    pub group_leader: Pid,
    /// Its process dictionary.
    pub dictionary: Vec<(Term, Term)>,
    /// The function it was started with, if it said.
    pub initial_call: Option<(Atom, Atom, u8)>,
}

impl Process {
    /// `None`: the process is ending.
    pub(crate) fn info(&self) -> Option<ProcessInfo> {
        let state = self.lock();
        if !state.is_alive() {
            return None;
        }
        let mut info = ProcessInfo {
            registered_name: None,
            links: Vec::new(),
            monitors: Vec::new(),
            monitored_by: Vec::new(),
            aliases: Vec::new(),
            spawn_requests: Vec::new(),
            message_queue_len: self.message_count(),
            trap_exit: state.trap_exit,
            group_leader: state.group_leader.clone(),
            dictionary: Vec::new(),
            initial_call: None,
        };
        if let Some(relations) = state.relations() {
            info.registered_name = relations.name.clone();
            let active = relations.links.iter().filter(|entry| entry.1.is_active());
            info.links = active.map(|entry| entry.0.clone()).collect();
            info.monitors = relations.monitors.values().map(|one| one.target.clone()).collect();
            info.monitored_by =
                relations.monitored_by.values().map(|one| one.pid.clone()).collect();
            info.aliases = relations.aliases.keys().cloned().collect();
            info.spawn_requests = relations.spawning.keys().cloned().collect();
            info.dictionary = relations.dictionary.clone();
            info.initial_call = relations.initial_call.clone();
        }
        Some(info)
    }
}
