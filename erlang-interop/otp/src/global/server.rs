//! The process `global_name_server`: carries out what the state machine decides.

use std::collections::HashMap;

use erlang_node::{Context, DemonitorOptions, ExitReason, MonitorNodesOptions, NodeFilter};
use erlang_term::{Atom, Pid, Reference, Term, atom};
use tokio::sync::mpsc;

use super::output::{LockerEvent, Output};
use super::resolve;
use super::shared::Shared;
use crate::client::cast_connected;
use crate::gen_message::From;
use crate::gen_server::{Answer, GenServer, Next, reply};

/// The name server process.
pub(super) struct NameServer {
    pub(super) shared: Shared,
    pub(super) locker: mpsc::UnboundedSender<LockerEvent>,
    /// Monitors of processes with names or locks, and how often each is needed.
    pub(super) monitors: HashMap<Pid, (Reference, usize)>,
    pub(super) connections: u64,
    pub(super) synced: tokio::sync::watch::Sender<u64>,
}

impl GenServer for NameServer {
    fn module(&self) -> Atom {
        atom!("global")
    }

    fn state(&self) -> Term {
        let state = self.shared.lock();
        Term::from((
            atom!("state"),
            Term::list(state.known()),
            Term::list(state.registered_names()),
        ))
    }

    async fn init(&mut self, context: &mut Context) -> Result<(), ExitReason> {
        let node = context.node().clone();
        node.monitor_nodes(context.pid(), MonitorNodesOptions::default());
        for node in node.nodes(NodeFilter::Visible) {
            self.nodeup(context, &node).await;
        }
        Ok(())
    }

    async fn handle_call(&mut self, context: &mut Context, request: Term, from: From) -> Answer {
        let outputs = self.shared.lock().call(&from, &request);
        self.perform(context, outputs).await;
        Answer::NoReply
    }

    async fn handle_cast(&mut self, context: &mut Context, message: Term) -> Next {
        self.handle(context, message).await;
        Next::Continue
    }

    async fn handle_info(&mut self, context: &mut Context, message: Term) -> Next {
        self.handle(context, message).await;
        Next::Continue
    }
}

impl NameServer {
    async fn nodeup(&mut self, context: &mut Context, node: &Atom) {
        self.connections += 1;
        let outputs = self.shared.lock().nodeup(node, self.connections);
        self.perform(context, outputs).await;
    }

    async fn handle(&mut self, context: &mut Context, message: Term) {
        let outputs = match message.as_tuple() {
            Some([tag, Term::Atom(node)]) if tag.is_atom("nodeup") => {
                let node = node.clone();
                return self.nodeup(context, &node).await;
            }
            Some([tag, Term::Atom(node)]) if tag.is_atom("nodedown") => {
                self.shared.lock().nodedown(node)
            }
            Some([tag, _, _, Term::Pid(pid), _]) if tag.is_atom("DOWN") => {
                self.monitors.remove(pid);
                self.shared.lock().process_down(pid)
            }
            Some(own) if own.first().is_some_and(is_internal) => match self.internal(&message) {
                Some(outputs) => outputs,
                None => return,
            },
            _ => {
                let (understood, outputs) = self.shared.lock().message(&message);
                if !understood {
                    tracing::debug!("global: unexpected message");
                }
                outputs
            }
        };
        self.perform(context, outputs).await;
    }

    /// Messages from our own locker and resolvers.
    fn internal(&self, message: &Term) -> Option<Vec<Output>> {
        match message.as_tuple()? {
            [tag, Term::Atom(node), my_tag, lock] if tag.is_atom("lock_is_set") => {
                let my_tag = my_tag.as_integer()?;
                Some(self.shared.lock().lock_is_set(node, my_tag, lock.clone()))
            }
            [tag, Term::Atom(node), my_tag, ours, his] if tag.is_atom("exchange_ops") => {
                let (ours, his) = (resolve::operations(ours), resolve::operations(his));
                let my_tag = my_tag.as_integer()?;
                Some(self.shared.lock().resolved_here(node, my_tag, ours, &his))
            }
            [tag, Term::Atom(node), my_tag] if tag.is_atom("stalled") => {
                Some(self.shared.lock().stalled(node, my_tag.as_integer()?))
            }
            [tag, Term::Atom(node)] if tag.is_atom("extra_nodedown") => {
                Some(self.shared.lock().extra_nodedown(node))
            }
            _ => None,
        }
    }

    async fn perform(&mut self, context: &mut Context, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Cast(node, message) => {
                    cast_connected(context, (atom!("global_name_server"), node), message).await;
                }
                Output::Send(node, message) => {
                    context.send_connected((atom!("global_name_server"), node), message).await;
                }
                Output::Reply(from, value) => reply(context, &from, value).await,
                Output::Monitor(pid) => self.monitor(context, pid).await,
                Output::Demonitor(pid) => self.demonitor(context, &pid),
                Output::Locker(event) => {
                    // The locker lives as long as we do; if not, the link ends us too.
                    let _ = self.locker.send(event);
                }
                Output::Resolve(work) => resolve::start(context, work),
                Output::SyncOther(node) => sync_other(context, self.shared.clone(), node),
                Output::Disconnect(node) => {
                    context.node().disconnect(&node).await;
                }
                Output::Synced(_) => self.synced.send_modify(|count| *count += 1),
            }
        }
    }

    async fn monitor(&mut self, context: &Context, pid: Pid) {
        if let Some((_, count)) = self.monitors.get_mut(&pid) {
            *count += 1;
            return;
        }
        let reference = context.monitor(&pid).await;
        self.monitors.insert(pid, (reference, 1));
    }

    fn demonitor(&mut self, context: &mut Context, pid: &Pid) {
        let Some((reference, count)) = self.monitors.get_mut(pid) else { return };
        *count -= 1;
        if *count == 0 {
            let reference = reference.clone();
            context.demonitor(&reference, DemonitorOptions::FLUSH);
            self.monitors.remove(pid);
        }
    }
}

/// Tags that only our own processes use; a peer could send them, with a session tag to guess.
fn is_internal(tag: &Term) -> bool {
    ["lock_is_set", "exchange_ops", "extra_nodedown", "stalled"]
        .iter()
        .any(|name| tag.is_atom(name))
}

/// A node that a peer knows: connect to it, and tell it that our names agree.
fn sync_other(context: &Context, shared: Shared, other: Atom) {
    let started = context.spawn(erlang_node::SpawnOptions::new(), move |own| async move {
        let server = atom!("global_name_server");
        if own.node().connect(&other).await.is_ok() {
            // The dial may have taken so long that it is true no longer.
            if !shared.lock().is_known(&other) {
                return;
            }
            let message = Term::from((atom!("in_sync"), own.node().name(), true));
            cast_connected(&own, (server, other), message).await;
        } else {
            own.send(server, (atom!("extra_nodedown"), other)).await;
        }
    });
    if let Err(error) = started {
        tracing::warn!(%error, "global: could not start a process");
    }
}
