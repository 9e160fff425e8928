//! Nodes that come and go, told to processes and to other tasks.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use erlang_term::{Atom, Pid, Term, atom};
use tokio::sync::broadcast;

use crate::error::DownReason;
use crate::limits::NODE_EVENTS_KEPT;
use crate::message::Message;
use crate::node::Node;

/// A node came or went.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NodeEvent {
    /// Which node.
    pub node: Atom,
    /// Whether the connection is hidden.
    pub hidden: bool,
    /// Number of the connection: another one each time.
    pub connection_id: u64,
    /// What happened.
    pub change: NodeChange,
}

/// What happened to a node.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum NodeChange {
    /// It is connected.
    Up,
    /// It is no longer connected.
    Down(DownReason),
}

/// Which nodes a process is told of, and how: the options of `net_kernel:monitor_nodes/2`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MonitorNodesOptions {
    /// Which kind of nodes.
    pub node_type: NodeType,
    /// With an information list as third element: `{nodeup, Node, [{node_type, Type}]}`, and for a
    /// nodedown also `{nodedown_reason, Reason}`.
    pub info: bool,
}

/// A kind of nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeType {
    /// Visible ones.
    #[default]
    Visible,
    /// Hidden ones.
    Hidden,
    /// Both.
    All,
}

#[derive(Default)]
struct Watchers {
    /// `monitor_node/2`: one entry for each call.
    of_node: HashMap<Atom, Vec<Pid>>,
    /// `net_kernel:monitor_nodes/2`: one entry for each call.
    of_all: Vec<(Pid, MonitorNodesOptions)>,
}

/// Who wants to know of nodes.
pub(crate) struct Events {
    sender: broadcast::Sender<NodeEvent>,
    watchers: Mutex<Watchers>,
    /// Whether any process ever asked, so that the end of a process usually costs nothing here.
    used: AtomicBool,
}

impl Events {
    pub(crate) fn new() -> Self {
        let (sender, _) = broadcast::channel(NODE_EVENTS_KEPT);
        Self { sender, watchers: Mutex::default(), used: AtomicBool::new(false) }
    }

    fn lock(&self) -> MutexGuard<'_, Watchers> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets a process that has ended.
    pub(crate) fn forget(&self, pid: &Pid) {
        if !self.used.load(Ordering::Relaxed) {
            return;
        }
        let mut watchers = self.lock();
        watchers.of_all.retain(|entry| entry.0 != *pid);
        watchers.of_node.retain(|_, pids| {
            pids.retain(|watcher| watcher != pid);
            !pids.is_empty()
        });
    }
}

impl NodeType {
    fn includes(self, hidden: bool) -> bool {
        match self {
            Self::Visible => !hidden,
            Self::Hidden => hidden,
            Self::All => true,
        }
    }
}

impl NodeEvent {
    /// The message for a process that asked with these options.
    fn message(&self, options: MonitorNodesOptions) -> Term {
        let kind = if self.hidden { atom!("hidden") } else { atom!("visible") };
        let mut info = vec![Term::tuple([Term::Atom(atom!("node_type")), Term::Atom(kind)])];
        let tag = match &self.change {
            NodeChange::Up => atom!("nodeup"),
            NodeChange::Down(reason) => {
                let key = Term::Atom(atom!("nodedown_reason"));
                info.insert(0, Term::tuple([key, Term::atom(reason.atom_text())]));
                atom!("nodedown")
            }
        };
        let mut elements = vec![Term::Atom(tag), Term::Atom(self.node.clone())];
        if options.info {
            elements.push(Term::list(info));
        }
        Term::tuple(elements)
    }
}

impl Node {
    /// Node events from now on. A subscriber that leaves more than [`NODE_EVENTS_KEPT`] unread loses
    /// the oldest and is told so.
    pub fn subscribe(&self) -> broadcast::Receiver<NodeEvent> {
        self.events().sender.subscribe()
    }

    /// Tells a process of all nodes that come and go: `net_kernel:monitor_nodes/2`.
    pub fn monitor_nodes(&self, pid: &Pid, options: MonitorNodesOptions) {
        self.events().used.store(true, Ordering::Relaxed);
        self.events().lock().of_all.push((pid.clone(), options));
    }

    /// Takes back all [`Node::monitor_nodes`] of a process with these options.
    pub fn demonitor_nodes(&self, pid: &Pid, options: MonitorNodesOptions) {
        self.events().lock().of_all.retain(|entry| entry.0 != *pid || entry.1 != options);
    }

    /// `monitor_node/2`.
    pub(crate) async fn monitor_node(&self, pid: &Pid, node: &Atom, on: bool) {
        if !on {
            let mut watchers = self.events().lock();
            if let Some(pids) = watchers.of_node.get_mut(node)
                && let Some(at) = pids.iter().position(|watcher| watcher == pid)
            {
                pids.remove(at);
            }
            return;
        }
        if self.is_own_name(node) {
            return;
        }
        self.events().used.store(true, Ordering::Relaxed);
        self.events().lock().of_node.entry(node.clone()).or_default().push(pid.clone());
        if self.peer_for(node).await.is_none() {
            self.tell_node_watchers(node);
        }
    }

    /// `{nodedown, Node}` to each process that watches that node.
    fn tell_node_watchers(&self, node: &Atom) {
        let watching = self.events().lock().of_node.remove(node).unwrap_or_default();
        for pid in watching {
            let down = [Term::Atom(atom!("nodedown")), Term::Atom(node.clone())];
            self.tell(&pid, Term::tuple(down));
        }
    }

    fn tell(&self, pid: &Pid, term: Term) {
        if let Some(process) = self.table().find(pid) {
            process.deliver(Message::new(term));
        }
    }

    pub(crate) fn announce(&self, event: NodeEvent) {
        if matches!(event.change, NodeChange::Down(_)) {
            self.tell_node_watchers(&event.node);
        }
        let all = self.events().lock().of_all.clone();
        for (pid, options) in all {
            if options.node_type.includes(event.hidden) {
                self.tell(&pid, event.message(options));
            }
        }
        // Nobody subscribed: nothing to do.
        let _ = self.events().sender.send(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_those_of_otp() {
        let event = NodeEvent {
            node: Atom::new("a@h").expect("short"),
            hidden: true,
            connection_id: 1,
            change: NodeChange::Down(DownReason::NetTickTimeout),
        };
        assert_eq!(event.message(MonitorNodesOptions::default()).to_string(), "{nodedown,a@h}");
        let options = MonitorNodesOptions { node_type: NodeType::All, info: true };
        assert_eq!(
            event.message(options).to_string(),
            "{nodedown,a@h,[{nodedown_reason,net_tick_timeout},{node_type,hidden}]}"
        );
        assert!(!NodeType::Visible.includes(true) && NodeType::All.includes(true));
    }
}
