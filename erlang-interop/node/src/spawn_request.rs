//! Spawn requests between nodes: `spawn_request/5`, and what `erpc` is made of.
// spec: erl_dist_protocol, "Protocol between Connected Nodes": SPAWN_REQUEST, SPAWN_REPLY

use std::sync::Arc;

use erlang_dist::control::{self, Control, PidOrName, SpawnReplyFlags, SpawnResult};
use erlang_term::{Atom, Pid, Reference, Term, atom};

use crate::brief::Function;
use crate::error::SpawnError;
use crate::limits::SPAWN_OPTIONS_MAX;
use crate::link::Link;
use crate::message::Message;
use crate::monitor::{Monitor, MonitorTarget, Place, Watcher};
use crate::net_kernel::Peer;
use crate::node::Node;
use crate::process::{Context, Process};
use crate::spawn::{Mfa, SpawnOptions};

/// Which answers to a spawn request become messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpawnReplies {
    /// Each.
    #[default]
    Yes,
    /// None.
    No,
    /// Only that it failed.
    ErrorOnly,
    /// Only that it worked.
    SuccessOnly,
}

/// How a process is started on another node.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SpawnRequestOptions {
    /// Link it to the process that asks.
    pub link: bool,
    /// Monitor it; the request's reference is the monitor.
    pub monitor: bool,
    /// Which answers become messages.
    pub reply: SpawnReplies,
    /// First element of the answer, if not `spawn_reply`.
    pub reply_tag: Option<Term>,
    /// Its group leader, if not that of the process that asks.
    pub group_leader: Option<Pid>,
}

impl SpawnRequestOptions {
    /// No link, no monitor, each answer a message.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a monitor.
    #[must_use]
    pub fn monitor(mut self) -> Self {
        self.monitor = true;
        self
    }

    /// With a link.
    #[must_use]
    pub fn link(mut self) -> Self {
        self.link = true;
        self
    }

    /// With a choice of the answers that become messages.
    #[must_use]
    pub fn reply(mut self, replies: SpawnReplies) -> Self {
        self.reply = replies;
        self
    }

    /// With another first element of the answer.
    #[must_use]
    pub fn reply_tag(mut self, tag: Term) -> Self {
        self.reply_tag = Some(tag);
        self
    }

    fn on_wire(&self) -> Term {
        let mut options = Vec::new();
        if self.link {
            options.push(Term::Atom(atom!("link")));
        }
        if self.monitor {
            options.push(Term::Atom(atom!("monitor")));
        }
        Term::list(options)
    }
}

/// A spawn request that is not answered yet.
#[derive(Clone, Debug)]
pub(crate) struct PendingSpawn {
    pub(crate) connection: u64,
    reply: SpawnReplies,
    tag: Option<Term>,
    abandoned: bool,
}

impl PendingSpawn {
    fn new(connection: u64, options: &SpawnRequestOptions) -> Self {
        Self { connection, reply: options.reply, tag: options.reply_tag.clone(), abandoned: false }
    }

    /// The message that tells the answer, if one is wanted.
    fn message(self, request: &Reference, answer: Result<Term, Atom>) -> Option<Message> {
        let wanted = match self.reply {
            SpawnReplies::Yes => true,
            SpawnReplies::No => false,
            SpawnReplies::ErrorOnly => answer.is_err(),
            SpawnReplies::SuccessOnly => answer.is_ok(),
        };
        if !wanted {
            return None;
        }
        let (outcome, value) = match answer {
            Ok(pid) => (atom!("ok"), pid),
            Err(why) => (atom!("error"), Term::Atom(why)),
        };
        let tag = self.tag.unwrap_or_else(|| Term::Atom(atom!("spawn_reply")));
        let reference = Term::Reference(request.clone());
        Some(Message::new(Term::tuple([tag, reference, Term::Atom(outcome), value])))
    }
}

/// What a peer asked for in the options of its request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wanted {
    link: bool,
    monitor: bool,
}

impl Wanted {
    /// `None`: an option we don't know.
    fn parse(options: &Term) -> Option<Self> {
        let mut wanted = Self::default();
        for (count, option) in options.list_iter()?.enumerate() {
            if count == SPAWN_OPTIONS_MAX {
                return None;
            }
            if let Some(name) = option.as_atom() {
                match name.as_str() {
                    "link" => wanted.link = true,
                    "monitor" => wanted.monitor = true,
                    _ => return None,
                }
                continue;
            }
            match option.as_tuple()? {
                [name, value] => match name.as_atom()?.as_str() {
                    "monitor" => wanted.monitor = true,
                    // What these tune, our processes don't have; still a value is one or isn't.
                    // The reply options are for the asking side: a reply is sent in any case.
                    "priority" if is_one_of(value, &["low", "normal", "high", "max"]) => {}
                    "message_queue_data" if is_one_of(value, &["on_heap", "off_heap"]) => {}
                    "async_dist" if value.as_bool().is_some() => {}
                    "fullsweep_after" | "min_heap_size" | "min_bin_vheap_size"
                        if value.as_integer().is_some_and(|size| size >= 0) => {}
                    "max_heap_size" | "reply" | "reply_tag" => {}
                    _ => return None,
                },
                _ => return None,
            }
        }
        Some(wanted)
    }

    fn flags(self) -> SpawnReplyFlags {
        let link = if self.link { SpawnReplyFlags::LINK } else { 0 };
        let monitor = if self.monitor { SpawnReplyFlags::MONITOR } else { 0 };
        SpawnReplyFlags(link | monitor)
    }
}

fn is_one_of(value: &Term, names: &[&str]) -> bool {
    names.iter().any(|name| value.is_atom(name))
}

/// Arguments a function can have in Erlang.
const ARITY_MAX: usize = u8::MAX as usize;

/// An incoming request.
pub(crate) struct SpawnOrder {
    pub(crate) reference: Reference,
    pub(crate) from: Pid,
    pub(crate) group_leader: Pid,
    pub(crate) mfa: control::Mfa,
    pub(crate) options: Term,
    pub(crate) args: Term,
}

impl Node {
    /// `SPAWN_REQUEST` came from a peer. The reply is queued before the process can run, so it
    /// precedes every other signal of that process.
    pub(crate) fn spawn_from_peer(&self, peer: &Peer, order: SpawnOrder) {
        let (reference, to) = (order.reference.clone(), order.from.clone());
        let refuse = |why: Atom| {
            let result = SpawnResult::Error(why);
            let flags = SpawnReplyFlags::default();
            let (reference, to) = (reference.clone(), to.clone());
            peer.signal(Control::SpawnReply { reference, to, flags, result, token: None }, None);
        };
        let Some(spawner) = self.spawner() else { return refuse(atom!("notsup")) };
        let Some(wanted) = Wanted::parse(&order.options) else { return refuse(atom!("badopt")) };
        let Some(args) = order.args.list_iter() else { return refuse(atom!("badarg")) };
        let args: Vec<Term> = args.collect();
        let mfa = Mfa { module: order.mfa.module, function: order.mfa.function, args };
        let options = SpawnOptions::new()
            .group_leader(order.group_leader)
            .on_behalf_of(Some(peer.origin().clone()))
            .keeping([&order.args]);
        let process = match self.new_process(None, &options) {
            Ok(process) => process,
            // The connection is about to close, which tells the peer what a BEAM that halts tells it.
            Err(SpawnError::Stopping) => return,
            Err(_) => return refuse(atom!("system_limit")),
        };
        relate_to_peer(&process, wanted, peer, &order.from, &order.reference);
        if self.enter(&process).is_err() {
            return refuse(atom!("system_limit"));
        }
        if wanted != Wanted::default() {
            self.table().relates_to_peer(&process);
        }
        for _ in 0..usize::from(wanted.link) + usize::from(wanted.monitor) {
            self.count_relation(peer);
        }
        let reply = Control::SpawnReply {
            reference: order.reference,
            to: order.from,
            flags: wanted.flags(),
            result: SpawnResult::Pid(process.pid().clone()),
            token: None,
        };
        peer.signal_of(process.pid(), reply, None);
        let brief = Function::of_brief(spawner.runs(&mfa), &order.args);
        let body = spawner.spawn(Context::new(self.clone(), Arc::clone(&process)), mfa);
        self.start_asked(process, body, brief);
    }

    pub(crate) async fn spawn_request(
        &self,
        process: &Arc<Process>,
        node: &Atom,
        mfa: Mfa,
        options: SpawnRequestOptions,
    ) -> Reference {
        let request = self.references().of_process(process.pid());
        if mfa.args.len() > ARITY_MAX {
            let pending = PendingSpawn::new(0, &options);
            answer_failed(process, &request, pending, atom!("badarg"));
            return request;
        }
        if self.is_own_name(node) {
            self.spawn_request_here(process, &request, mfa, &options);
            return request;
        }
        let asked = match self.peer_for(node).await {
            Some(peer) => {
                peer.may_send().await && self.ask(process, &request, mfa, &options, &peer)
            }
            None => false,
        };
        if !asked {
            let pending = PendingSpawn::new(0, &options);
            answer_failed(process, &request, pending, atom!("noconnection"));
        }
        request
    }

    /// Sends the request; `false` when the connection closed.
    fn ask(
        &self,
        process: &Process,
        request: &Reference,
        mfa: Mfa,
        options: &SpawnRequestOptions,
        peer: &Peer,
    ) -> bool {
        let Ok(arity) = u8::try_from(mfa.args.len()) else { return false };
        let mut state = process.lock();
        if !state.is_alive() {
            return true;
        }
        let leader = options.group_leader.clone().unwrap_or_else(|| state.group_leader.clone());
        let pending = PendingSpawn::new(peer.id(), options);
        state.relate().spawning.insert(request.clone(), pending);
        self.table().relates_to_peer(process);
        let control = Control::SpawnRequest {
            reference: request.clone(),
            from: process.pid().clone(),
            group_leader: leader,
            mfa: control::Mfa { module: mfa.module, function: mfa.function, arity },
            options: options.on_wire(),
            token: None,
        };
        let sent = peer.signal(control, Some(Term::list(mfa.args)));
        if !sent {
            state.relate().spawning.remove(request);
        }
        sent
    }

    /// The same towards our own node, without a wire.
    fn spawn_request_here(
        &self,
        process: &Arc<Process>,
        request: &Reference,
        mfa: Mfa,
        options: &SpawnRequestOptions,
    ) {
        let pending = PendingSpawn::new(0, options);
        let mut spawning = SpawnOptions::new();
        spawning.group_leader = options.group_leader.clone();
        let answer = match (self.spawner(), self.new_process(Some(process), &spawning)) {
            (None, _) => Err(atom!("notsup")),
            // Whoever asked ends with the node.
            (_, Err(SpawnError::Stopping)) => return,
            (_, Err(_)) => Err(atom!("system_limit")),
            (Some(spawner), Ok(new)) if self.enter(&new).is_ok() => {
                if options.link {
                    self.link_local(process, new.pid());
                }
                if options.monitor {
                    self.monitor_local(process, request, MonitorTarget::Pid(new.pid().clone()));
                }
                Ok((spawner, new))
            }
            _ => Err(atom!("system_limit")),
        };
        let message = match &answer {
            Ok((_, new)) => pending.message(request, Ok(Term::Pid(new.pid().clone()))),
            Err(why) => pending.message(request, Err(why.clone())),
        };
        if let Some(message) = message {
            process.deliver(message);
        }
        if let Ok((spawner, new)) = answer {
            let context = Context::new(self.clone(), Arc::clone(&new));
            self.start_process(new, Box::pin(async move { spawner.spawn(context, mfa).await }));
        }
    }

    pub(crate) fn spawn_request_abandon(&self, process: &Process, request: &Reference) -> bool {
        let mut state = process.lock();
        let Some(relations) = state.relations_mut() else { return false };
        match relations.spawning.get_mut(request) {
            Some(pending) if !pending.abandoned => {
                pending.abandoned = true;
                true
            }
            _ => false,
        }
    }

    /// `SPAWN_REPLY` came from a peer.
    pub(crate) fn spawn_reply_from_peer(
        &self,
        peer: &Peer,
        request: &Reference,
        to: &Pid,
        flags: SpawnReplyFlags,
        result: SpawnResult,
    ) {
        let taken = self.table().find(to).map(|process| {
            let mut state = process.lock();
            let pending = state.relations_mut().and_then(|relations| {
                let known = relations.spawning.get(request)?.connection == peer.id();
                known.then(|| relations.spawning.remove(request)).flatten()
            });
            let pending = pending.filter(|pending| !pending.abandoned && state.is_alive());
            let (Some(pending), SpawnResult::Pid(pid)) = (&pending, &result) else {
                return (pending, Arc::clone(&process));
            };
            relate_to_spawned(state.relate(), flags, peer.id(), request, pid);
            let message = pending.clone().message(request, Ok(Term::Pid(pid.clone())));
            if let Some(message) = message {
                process.deliver_locked(&mut state, message);
            }
            (Some(pending.clone()), Arc::clone(&process))
        });
        match (taken, result) {
            (Some((Some(_), _)), SpawnResult::Pid(_)) => {}
            (Some((Some(pending), process)), SpawnResult::Error(why)) => {
                if let Some(message) = pending.message(request, Err(why)) {
                    process.deliver(message);
                }
            }
            (_, SpawnResult::Pid(pid)) => drop_spawned(peer, request, to, flags, pid),
            (_, SpawnResult::Error(_)) => {}
        }
    }

    /// The connection was lost before the answer came.
    pub(crate) fn spawn_request_lost(&self, process: &Process, request: &Reference) {
        let mut state = process.lock();
        let pending =
            state.relations_mut().and_then(|relations| relations.spawning.remove(request));
        drop(state);
        if let Some(pending) = pending.filter(|pending| !pending.abandoned) {
            answer_failed(process, request, pending, atom!("noconnection"));
        }
    }
}

fn answer_failed(process: &Process, request: &Reference, pending: PendingSpawn, why: Atom) {
    if let Some(message) = pending.message(request, Err(why)) {
        process.deliver(message);
    }
}

fn relate_to_peer(process: &Process, wanted: Wanted, peer: &Peer, from: &Pid, request: &Reference) {
    if wanted == Wanted::default() {
        return;
    }
    let mut state = process.lock();
    let relations = state.relate();
    if wanted.link {
        let link = Link::Remote { connection: peer.id(), unlink_id: None, counted: true };
        relations.links.insert(from.clone(), link);
    }
    if wanted.monitor {
        let watcher = Watcher { pid: from.clone(), name: None, connection: Some(peer.id()) };
        relations.monitored_by.insert(request.clone(), watcher);
    }
}

fn relate_to_spawned(
    relations: &mut crate::process::Relations,
    flags: SpawnReplyFlags,
    connection: u64,
    request: &Reference,
    pid: &Pid,
) {
    if flags.is_linked() {
        let link = Link::Remote { connection, unlink_id: None, counted: false };
        relations.links.insert(pid.clone(), link);
    }
    if flags.is_monitored() {
        let target = MonitorTarget::Pid(pid.clone());
        relations
            .monitors
            .insert(request.clone(), Monitor { target, place: Place::Remote(connection) });
    }
}

/// Nobody waits for that process any more: break what it believes to have.
fn drop_spawned(peer: &Peer, request: &Reference, to: &Pid, flags: SpawnReplyFlags, pid: Pid) {
    if flags.is_monitored() {
        let (from, reference) = (to.clone(), request.clone());
        let watched = PidOrName::Pid(pid.clone());
        peer.signal(Control::DemonitorP { from, to: watched, reference }, None);
    }
    if flags.is_linked() {
        let control = Control::PayloadExit { from: to.clone(), to: pid, token: None };
        peer.signal(control, Some(Term::Atom(atom!("abandoned"))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &'static str) -> Term {
        Term::atom(text)
    }

    #[test]
    fn known_options_are_read_and_unknown_ones_refused() {
        let priority = Term::tuple([name("priority"), name("high")]);
        let options = Term::list([name("monitor"), priority, name("link")]);
        assert_eq!(Wanted::parse(&options), Some(Wanted { link: true, monitor: true }));
        assert_eq!(Wanted::parse(&Term::Nil), Some(Wanted::default()));
        assert_eq!(Wanted::parse(&Term::list([name("nonsense")])), None);
        assert_eq!(Wanted::parse(&name("link")), None);
        let odd = Term::tuple([name("priority"), name("odd")]);
        assert_eq!(Wanted::parse(&Term::list([odd])), None);
        assert_eq!(Wanted::parse(&Term::list(vec![name("link"); SPAWN_OPTIONS_MAX + 1])), None);
    }

    #[test]
    fn replies_are_filtered_by_the_asking_side() {
        let request = Reference::new(atom!("a@h"), 4, &[1]);
        let told = |reply, answer: Result<Term, Atom>| {
            let options = SpawnRequestOptions::new().reply(reply);
            PendingSpawn::new(1, &options).message(&request, answer).is_some()
        };
        assert!(told(SpawnReplies::Yes, Ok(Term::Nil)));
        assert!(!told(SpawnReplies::No, Err(atom!("badopt"))));
        assert!(told(SpawnReplies::ErrorOnly, Err(atom!("badopt"))));
        assert!(!told(SpawnReplies::ErrorOnly, Ok(Term::Nil)));
        assert!(!told(SpawnReplies::SuccessOnly, Err(atom!("badopt"))));
    }
}
