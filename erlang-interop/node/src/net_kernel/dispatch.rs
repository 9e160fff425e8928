//! What each control message of a peer does to this node.

use std::sync::Arc;

use erlang_dist::control::{AltactTarget, Control, SpawnReplyFlags, SpawnResult};
use erlang_term::{Atom, DecodeError, Pid, Reference, Term, atom};

use super::peer::Peer;
use crate::exit_reason::Arriving;
use crate::message::Message;
use crate::node::Node;
use crate::process::Process;
use crate::spawn_request::SpawnOrder;
use crate::weight::{HELD_BYTES_MAX, held};

/// Applies one control message. Unknown targets are ignored, as on a BEAM.
pub(super) fn dispatch(node: &Node, peer: &Arc<Peer>, control: Control, payload: Option<Term>) {
    if !names_its_own(peer, &control) {
        tracing::warn!(
            peer = %peer.node(), operation = control.operation().name(),
            "ignored a signal in the name of another node's process",
        );
        return;
    }
    let payload = payload.unwrap_or(Term::Nil);
    match control {
        Control::Send { to, .. } | Control::SendSender { to, .. } => {
            send_to_pid(node, peer, &to, payload);
        }
        Control::RegSend { name, .. } => send_to_name(node, peer, &name, payload),
        Control::AliasSend { to, .. } => send_to_alias(node, peer, &to, payload),
        Control::Link { from, to } => node.link_from_peer(peer, from, to),
        Control::Unlink { from, to } => node.old_unlink_from_peer(peer, &from, &to),
        Control::UnlinkId { id, from, to } => node.unlink_from_peer(peer, id, from, to),
        Control::UnlinkIdAck { id, from, to } => node.unlink_ack_from_peer(peer, id, &from, &to),
        Control::Exit { from, to, reason, .. } => {
            node.link_exit_from_peer(peer, &from, &to, Arriving::from_peer(reason));
        }
        Control::PayloadExit { from, to, .. } => {
            node.link_exit_from_peer(peer, &from, &to, Arriving::from_peer(payload));
        }
        Control::Exit2 { from, to, reason, .. } => exit_by_peer(node, peer, &from, &to, reason),
        Control::PayloadExit2 { from, to, .. } => exit_by_peer(node, peer, &from, &to, payload),
        Control::GroupLeader { from, to } => {
            if let Some(process) = node.table().find(&to) {
                process.lock().group_leader = from;
            }
        }
        Control::NodeLink => {}
        other => dispatch_monitor_or_spawn(node, peer, other, payload),
    }
}

/// Applies a control message whose payload was over a limit, and is lost. A message is dropped; what
/// the peer has ended must end here as well, so an exit or a down gets another reason.
pub(super) fn dispatch_oversized(
    node: &Node,
    peer: &Arc<Peer>,
    control: Control,
    error: DecodeError,
) {
    let operation = control.operation().name();
    tracing::warn!(peer = %peer.node(), operation, reason = %error, "payload over a limit, dropped");
    match control {
        Control::SpawnRequest { reference, from: to, .. } => {
            let result = SpawnResult::Error(atom!("system_limit"));
            let flags = SpawnReplyFlags::default();
            peer.signal(Control::SpawnReply { reference, to, flags, result, token: None }, None);
        }
        Control::PayloadExit { .. }
        | Control::PayloadExit2 { .. }
        | Control::PayloadMonitorPExit { .. }
        | Control::AltactSigSend { exit: true, .. } => {
            dispatch(node, peer, control, Some(Term::Atom(atom!("system_limit"))));
        }
        _ => {}
    }
}

fn dispatch_monitor_or_spawn(node: &Node, peer: &Arc<Peer>, control: Control, payload: Term) {
    match control {
        Control::MonitorP { from, to, reference } => {
            node.monitor_from_peer(peer, from, to, reference);
        }
        Control::DemonitorP { to, reference, .. } => {
            node.demonitor_from_peer(peer, &to, &reference);
        }
        Control::MonitorPExit { to, reference, reason, .. } => {
            node.down_from_peer(peer, &to, &reference, &Arriving::from_peer(reason));
        }
        Control::PayloadMonitorPExit { to, reference, .. } => {
            node.down_from_peer(peer, &to, &reference, &Arriving::from_peer(payload));
        }
        Control::SpawnRequest { reference, from, group_leader, mfa, options, .. } => {
            let args = payload;
            node.spawn_from_peer(
                peer,
                SpawnOrder { reference, from, group_leader, mfa, options, args },
            );
        }
        Control::SpawnReply { reference, to, flags, result, .. } => {
            node.spawn_reply_from_peer(peer, &reference, &to, flags, result);
        }
        Control::AltactSigSend { exit, from, to, .. } => {
            dispatch_altact(node, peer, exit, &from, to, payload);
        }
        other => {
            let operation = other.operation().name();
            tracing::warn!(peer = %peer.node(), operation, "ignored an unknown operation");
        }
    }
}

/// OTP 28's one signal for messages and exits to a pid, a name or an alias.
fn dispatch_altact(
    node: &Node,
    peer: &Peer,
    exit: bool,
    from: &Pid,
    to: AltactTarget,
    payload: Term,
) {
    match (to, exit) {
        (AltactTarget::Pid(to), true) => exit_by_peer(node, peer, from, &to, payload),
        (AltactTarget::Pid(to), false) => send_to_pid(node, peer, &to, payload),
        (AltactTarget::Name(name), false) => send_to_name(node, peer, &name, payload),
        (AltactTarget::Name(name), true) => {
            if let Some(pid) = node.whereis(&name) {
                exit_by_peer(node, peer, from, &pid, payload);
            }
        }
        (AltactTarget::Alias(alias), false) => send_to_alias(node, peer, &alias, payload),
        (AltactTarget::Alias(alias), true) => {
            if node.alias_owner(&alias).is_some_and(|process| may_end(node, peer, &process)) {
                node.exit_by_alias(from, &alias, Arriving::from_peer(payload));
            }
        }
    }
}

/// `exit(Pid, Reason)`: of its own processes a peer ends any, of others where it may call
/// `erlang:exit/2`.
fn exit_by_peer(node: &Node, peer: &Peer, from: &Pid, to: &Pid, reason: Term) {
    if node.table().find(to).is_some_and(|process| may_end(node, peer, &process)) {
        node.exit_local(from, to, Arriving::from_peer(reason));
    }
}

fn may_end(node: &Node, peer: &Peer, process: &Process) -> bool {
    process.origin() == Some(peer.origin())
        || node.allows(peer.origin(), (&atom!("erlang"), &atom!("exit"), 2))
}

fn send_to_pid(node: &Node, peer: &Peer, to: &Pid, payload: Term) {
    if let Some(process) = node.table().find(to) {
        process.deliver(weighed(peer, payload));
    }
}

fn send_to_name(node: &Node, peer: &Peer, name: &Atom, payload: Term) {
    if let Some(process) = node.registered_process(name) {
        process.deliver(weighed(peer, payload));
    }
}

fn send_to_alias(node: &Node, peer: &Peer, alias: &Reference, payload: Term) {
    node.deliver_to_alias(alias, weighed(peer, payload));
}

fn weighed(peer: &Peer, payload: Term) -> Message {
    let bytes = held(&payload, HELD_BYTES_MAX);
    Message::of_peer(payload, bytes, peer.number())
}

/// A peer speaks for its own processes only. A group leader may live anywhere.
fn names_its_own(peer: &Peer, control: &Control) -> bool {
    if matches!(control, Control::GroupLeader { .. }) {
        return true;
    }
    let own_reference = match control {
        Control::MonitorP { reference, .. }
        | Control::DemonitorP { reference, .. }
        | Control::SpawnRequest { reference, .. } => reference.node() == peer.node(),
        // Its answer to a request of ours; the links of another node's process are none of its business.
        Control::SpawnReply { result: SpawnResult::Pid(pid), .. } => pid.node() == peer.node(),
        _ => true,
    };
    own_reference && control.sender().is_none_or(|sender| sender.node() == peer.node())
}
