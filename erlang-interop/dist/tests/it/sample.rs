//! Values that several tests use.

use erlang_dist::control::{AltactTarget, Mfa, PidOrName, SpawnReplyFlags, SpawnResult};
use erlang_dist::{Control, DistributionFlags};
use erlang_term::{Atom, Pid, Reference, Term};

/// All that a connection can have.
pub(crate) fn all_flags() -> DistributionFlags {
    DistributionFlags::DEFAULT | DistributionFlags::ALTACT_SIG
}

pub(crate) fn atom(text: &str) -> Atom {
    Atom::new(text).expect("short")
}

pub(crate) fn pid(id: u32) -> Pid {
    Pid::new(atom("a@127.0.0.1"), id, id / 3, 0x5eed_0001)
}

pub(crate) fn reference(word: u32) -> Reference {
    Reference::new(atom("a@127.0.0.1"), 7, &[word, 2, 3, 4, 5])
}

/// Every variant, with and without a token.
pub(crate) fn every_control() -> Vec<Control> {
    let token = Some(Term::tuple([Term::from(1), Term::from(pid(9)), Term::from(-5)]));
    let mut all = Vec::new();
    for token in [None, token] {
        all.extend(traceable(&token));
    }
    let (from, to) = (pid(1), pid(2));
    let named = PidOrName::Name(atom("name"));
    let process = PidOrName::Pid(pid(3));
    all.extend([
        Control::Link { from: from.clone(), to: to.clone() },
        Control::NodeLink,
        Control::GroupLeader { from: from.clone(), to: to.clone() },
        Control::UnlinkId { id: 1, from: from.clone(), to: to.clone() },
        Control::UnlinkId { id: u64::MAX, from: from.clone(), to: to.clone() },
        Control::UnlinkIdAck { id: 1 << 40, from: from.clone(), to: to.clone() },
    ]);
    for either in [named, process] {
        let reference = reference(1);
        let (from, to) = (from.clone(), either.clone());
        all.push(Control::MonitorP { from: from.clone(), to, reference: reference.clone() });
        let to = either.clone();
        all.push(Control::DemonitorP { from: from.clone(), to, reference: reference.clone() });
        let (to, from) = (from, either);
        let reason = Term::from(1.5);
        all.push(Control::MonitorPExit {
            from: from.clone(),
            to: to.clone(),
            reference: reference.clone(),
            reason,
        });
        all.push(Control::PayloadMonitorPExit { from, to, reference });
    }
    all
}

fn traceable(token: &Option<Term>) -> Vec<Control> {
    let (from, to, token) = (pid(1), pid(2), token.clone());
    let reason = Term::tuple([Term::from(atom("shutdown")), Term::from(1)]);
    let mfa = Mfa { module: atom("erpc"), function: atom("execute_call"), arity: 4 };
    let options = Term::list([Term::from(atom("monitor"))]);
    let mut all = vec![
        Control::Send { to: to.clone(), token: token.clone() },
        Control::RegSend { from: from.clone(), name: atom("rex"), token: token.clone() },
        Control::SendSender { from: from.clone(), to: to.clone(), token: token.clone() },
        Control::PayloadExit { from: from.clone(), to: to.clone(), token: token.clone() },
        Control::PayloadExit2 { from: from.clone(), to: to.clone(), token: token.clone() },
        Control::AliasSend { from: from.clone(), to: reference(8), token: token.clone() },
        Control::Exit {
            from: from.clone(),
            to: to.clone(),
            reason: reason.clone(),
            token: token.clone(),
        },
        Control::Exit2 { from: from.clone(), to: to.clone(), reason, token: token.clone() },
        Control::SpawnRequest {
            reference: reference(4),
            from: from.clone(),
            group_leader: pid(5),
            mfa,
            options,
            token: token.clone(),
        },
    ];
    for result in [SpawnResult::Pid(pid(6)), SpawnResult::Error(atom("badopt"))] {
        all.push(Control::SpawnReply {
            reference: reference(4),
            to: to.clone(),
            flags: SpawnReplyFlags(SpawnReplyFlags::MONITOR),
            result,
            token: token.clone(),
        });
    }
    let targets = [
        AltactTarget::Pid(to),
        AltactTarget::Name(atom("name")),
        AltactTarget::Alias(reference(1)),
    ];
    for (number, to) in targets.into_iter().enumerate() {
        let (priority, exit) = (number != 1, number == 2);
        let (from, token) = (from.clone(), token.clone());
        all.push(Control::AltactSigSend { priority, exit, from, to, token });
    }
    all
}

/// A payload if the operation wants one.
pub(crate) fn payload(control: &Control, term: &Term) -> Option<Term> {
    control.operation().has_payload().then(|| term.clone())
}
