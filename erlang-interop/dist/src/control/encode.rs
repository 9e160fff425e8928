//! From a [`Control`] to the bytes of its term.

use erlang_term::{EncodeError, Pid, Reference, Term};

use crate::send::body::Body;

use super::decode::altact;
use super::{AltactTarget, Control, PidOrName, SpawnResult};

const SMALL_TUPLE: u8 = 104;

/// Writes the control term into `body`.
pub(crate) fn encode(control: &Control, body: &mut Body<'_>) -> Result<(), EncodeError> {
    let operation = control.operation();
    let traced = matches!(control, Control::AltactSigSend { token: Some(_), .. });
    body.bytes(&[SMALL_TUPLE, operation.arity() + u8::from(traced)]);
    body.small_integer(operation.number());
    match control {
        Control::NodeLink => {}
        Control::Send { to, token } => {
            unused(body);
            pid(to, body);
            optional(token, body)?;
        }
        Control::RegSend { from, name, token } => {
            pid(from, body);
            unused(body);
            body.atom(name);
            optional(token, body)?;
        }
        Control::Link { from, to } | Control::Unlink { from, to } => pids(from, to, body),
        Control::GroupLeader { from, to } => pids(from, to, body),
        Control::SendSender { from, to, token }
        | Control::PayloadExit { from, to, token }
        | Control::PayloadExit2 { from, to, token } => {
            pids(from, to, body);
            optional(token, body)?;
        }
        Control::Exit { from, to, reason, token } | Control::Exit2 { from, to, reason, token } => {
            pids(from, to, body);
            optional(token, body)?;
            body.term(reason)?;
        }
        Control::MonitorP { from, to, reference: r }
        | Control::DemonitorP { from, to, reference: r } => {
            pid(from, body);
            pid_or_name(to, body);
            reference(r, body);
        }
        Control::MonitorPExit { from, to, reference: r, reason } => {
            pid_or_name(from, body);
            pid(to, body);
            reference(r, body);
            body.term(reason)?;
        }
        Control::PayloadMonitorPExit { from, to, reference: r } => {
            pid_or_name(from, body);
            pid(to, body);
            reference(r, body);
        }
        Control::AliasSend { from, to, token } => {
            pid(from, body);
            reference(to, body);
            optional(token, body)?;
        }
        Control::UnlinkId { id, from, to } | Control::UnlinkIdAck { id, from, to } => {
            body.term(&Term::from(*id))?;
            pids(from, to, body);
        }
        Control::SpawnRequest { .. } | Control::SpawnReply { .. } => spawn(control, body)?,
        Control::AltactSigSend { .. } => altact_sig_send(control, body)?,
    }
    Ok(())
}

fn spawn(control: &Control, body: &mut Body<'_>) -> Result<(), EncodeError> {
    match control {
        Control::SpawnRequest { reference: r, from, group_leader, mfa, options, token } => {
            reference(r, body);
            pids(from, group_leader, body);
            body.bytes(&[SMALL_TUPLE, 3]);
            body.atom(&mfa.module);
            body.atom(&mfa.function);
            body.small_integer(mfa.arity);
            body.term(options)?;
            optional(token, body)
        }
        Control::SpawnReply { reference: r, to, flags, result, token } => {
            reference(r, body);
            pid(to, body);
            body.term(&Term::from(flags.0))?;
            match result {
                SpawnResult::Pid(new) => pid(new, body),
                SpawnResult::Error(error) => body.atom(error),
            }
            optional(token, body)
        }
        _ => Ok(()),
    }
}

fn altact_sig_send(control: &Control, body: &mut Body<'_>) -> Result<(), EncodeError> {
    let Control::AltactSigSend { priority, exit, from, to, token } = control else {
        return Ok(());
    };
    let flag = |set: bool, bit: u64| if set { bit } else { 0 };
    let flags = flag(*priority, altact::PRIORITY)
        | flag(token.is_some(), altact::TOKEN)
        | flag(matches!(to, AltactTarget::Alias(_)), altact::ALIAS)
        | flag(matches!(to, AltactTarget::Name(_)), altact::NAME)
        | flag(*exit, altact::EXIT);
    body.small_integer(flags as u8);
    pid(from, body);
    match to {
        AltactTarget::Pid(to) => pid(to, body),
        AltactTarget::Name(name) => body.atom(name),
        AltactTarget::Alias(alias) => reference(alias, body),
    }
    optional(token, body)
}

fn unused(body: &mut Body<'_>) {
    body.empty_atom();
}

fn optional(token: &Option<Term>, body: &mut Body<'_>) -> Result<(), EncodeError> {
    token.as_ref().map_or(Ok(()), |token| body.term(token))
}

fn pids(from: &Pid, to: &Pid, body: &mut Body<'_>) {
    pid(from, body);
    pid(to, body);
}

// spec: erl_ext_dist, "NEW_PID_EXT"
fn pid(pid: &Pid, body: &mut Body<'_>) {
    body.bytes(&[88]);
    body.atom(pid.node());
    let mut numbers = [0; 12];
    numbers[..4].copy_from_slice(&pid.id().to_be_bytes());
    numbers[4..8].copy_from_slice(&pid.serial().to_be_bytes());
    numbers[8..].copy_from_slice(&pid.creation().to_be_bytes());
    body.bytes(&numbers);
}

fn pid_or_name(either: &PidOrName, body: &mut Body<'_>) {
    match either {
        PidOrName::Pid(process) => pid(process, body),
        PidOrName::Name(name) => body.atom(name),
    }
}

// spec: erl_ext_dist, "NEWER_REFERENCE_EXT"
fn reference(reference: &Reference, body: &mut Body<'_>) {
    let words: &[u32] = reference.words();
    body.bytes(&[90, 0, words.len() as u8]);
    body.atom(reference.node());
    body.bytes(&reference.creation().to_be_bytes());
    for word in words {
        body.bytes(&word.to_be_bytes());
    }
}
