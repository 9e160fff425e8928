//! Control messages: what one node asks of another.
//!
//! One variant for each operation; its traced form (`…_TT`) is the same variant with a `token`. The
//! payload, where there is one, travels apart.
// spec: erl_dist_protocol, "Protocol between Connected Nodes"

mod decode;
mod encode;
pub mod operation;

use erlang_term::{Atom, Pid, Reference, Term};

use crate::flags::DistributionFlags;
pub(crate) use decode::unexpected;
pub(crate) use encode::encode;
pub use operation::Operation;

/// A process by its pid or by the name it's registered under.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PidOrName {
    /// A pid.
    Pid(Pid),
    /// A registered name.
    Name(Atom),
}

impl From<Pid> for PidOrName {
    fn from(pid: Pid) -> Self {
        Self::Pid(pid)
    }
}

impl From<Atom> for PidOrName {
    fn from(name: Atom) -> Self {
        Self::Name(name)
    }
}

/// Module, function and arity of a process to be spawned.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mfa {
    /// Module.
    pub module: Atom,
    /// Function.
    pub function: Atom,
    /// Number of arguments; the arguments are the payload.
    pub arity: u8,
}

/// What became of a spawn request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SpawnResult {
    /// The new process.
    Pid(Pid),
    /// Why there's none: `badopt`, `notsup`, `system_limit` and the like.
    Error(Atom),
}

/// What a spawn reply says beside its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SpawnReplyFlags(pub u32);

impl SpawnReplyFlags {
    /// A link to the new process was set up.
    pub const LINK: u32 = 1;
    /// A monitor of the new process was set up.
    pub const MONITOR: u32 = 2;

    /// Whether a link was set up.
    pub const fn is_linked(self) -> bool {
        self.0 & Self::LINK != 0
    }

    /// Whether a monitor was set up.
    pub const fn is_monitored(self) -> bool {
        self.0 & Self::MONITOR != 0
    }
}

/// The receiver of an [`Control::AltactSigSend`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AltactTarget {
    /// A process.
    Pid(Pid),
    /// A registered name.
    Name(Atom),
    /// A process alias.
    Alias(Reference),
}

/// A control message.
///
/// `from` is the process that signals, `to` the one that is signalled. `token` is the sequential
/// trace token, `{Flags, Label, Serial, FromPid, Previous}`; a BEAM sends it only while tracing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are those of the variant's tuple, named above them")]
pub enum Control {
    /// `LINK`: from wants to be linked to to.
    Link { from: Pid, to: Pid },
    /// `SEND`, payload: a message; towards peers without `SEND_SENDER`.
    Send { to: Pid, token: Option<Term> },
    /// `EXIT`: a link broke; towards peers without `EXIT_PAYLOAD`.
    Exit { from: Pid, to: Pid, reason: Term, token: Option<Term> },
    /// `UNLINK`: towards peers without `UNLINK_ID`.
    Unlink { from: Pid, to: Pid },
    /// `NODE_LINK`: never sent; ignored when it comes.
    NodeLink,
    /// `REG_SEND`, payload: a message to a name.
    RegSend { from: Pid, name: Atom, token: Option<Term> },
    /// `GROUP_LEADER`: from becomes the leader of to.
    GroupLeader { from: Pid, to: Pid },
    /// `EXIT2`: `exit/2`; towards peers without `EXIT_PAYLOAD`.
    Exit2 { from: Pid, to: Pid, reason: Term, token: Option<Term> },
    /// `MONITOR_P`: from monitors to.
    MonitorP { from: Pid, to: PidOrName, reference: Reference },
    /// `DEMONITOR_P`: from monitors no more.
    DemonitorP { from: Pid, to: PidOrName, reference: Reference },
    /// `MONITOR_P_EXIT`: a monitored process ended; towards peers without `EXIT_PAYLOAD`.
    MonitorPExit { from: PidOrName, to: Pid, reference: Reference, reason: Term },
    /// `SEND_SENDER`, payload: a message.
    SendSender { from: Pid, to: Pid, token: Option<Term> },
    /// `PAYLOAD_EXIT`, payload is the reason: a link broke.
    PayloadExit { from: Pid, to: Pid, token: Option<Term> },
    /// `PAYLOAD_EXIT2`, payload is the reason: `exit/2`.
    PayloadExit2 { from: Pid, to: Pid, token: Option<Term> },
    /// `PAYLOAD_MONITOR_P_EXIT`, payload is the reason: a monitored process ended. `from` repeats
    /// what was monitored: the name, if by name.
    PayloadMonitorPExit { from: PidOrName, to: Pid, reference: Reference },
    /// `SPAWN_REQUEST`, payload is the argument list.
    SpawnRequest {
        reference: Reference,
        from: Pid,
        group_leader: Pid,
        mfa: Mfa,
        options: Term,
        token: Option<Term>,
    },
    /// `SPAWN_REPLY`.
    SpawnReply {
        reference: Reference,
        to: Pid,
        flags: SpawnReplyFlags,
        result: SpawnResult,
        token: Option<Term>,
    },
    /// `ALIAS_SEND`, payload: a message to an alias.
    AliasSend { from: Pid, to: Reference, token: Option<Term> },
    /// `UNLINK_ID`: from unlinks; must be acknowledged with the same id.
    UnlinkId { id: u64, from: Pid, to: Pid },
    /// `UNLINK_ID_ACK`.
    UnlinkIdAck { id: u64, from: Pid, to: Pid },
    /// `ALTACT_SIG_SEND`, payload: the message or exit reason (OTP 28).
    AltactSigSend { priority: bool, exit: bool, from: Pid, to: AltactTarget, token: Option<Term> },
}

impl Control {
    /// The operation with its number, name and needs.
    pub fn operation(&self) -> Operation {
        let traced = |plain, traced, token: &Option<Term>| match token {
            Some(_) => traced,
            None => plain,
        };
        match self {
            Self::Link { .. } => Operation::LINK,
            Self::Send { token, .. } => traced(Operation::SEND, Operation::SEND_TT, token),
            Self::Exit { token, .. } => traced(Operation::EXIT, Operation::EXIT_TT, token),
            Self::Unlink { .. } => Operation::UNLINK,
            Self::NodeLink => Operation::NODE_LINK,
            Self::RegSend { token, .. } => {
                traced(Operation::REG_SEND, Operation::REG_SEND_TT, token)
            }
            Self::GroupLeader { .. } => Operation::GROUP_LEADER,
            Self::Exit2 { token, .. } => traced(Operation::EXIT2, Operation::EXIT2_TT, token),
            Self::MonitorP { .. } => Operation::MONITOR_P,
            Self::DemonitorP { .. } => Operation::DEMONITOR_P,
            Self::MonitorPExit { .. } => Operation::MONITOR_P_EXIT,
            Self::SendSender { token, .. } => {
                traced(Operation::SEND_SENDER, Operation::SEND_SENDER_TT, token)
            }
            Self::PayloadExit { token, .. } => {
                traced(Operation::PAYLOAD_EXIT, Operation::PAYLOAD_EXIT_TT, token)
            }
            Self::PayloadExit2 { token, .. } => {
                traced(Operation::PAYLOAD_EXIT2, Operation::PAYLOAD_EXIT2_TT, token)
            }
            Self::PayloadMonitorPExit { .. } => Operation::PAYLOAD_MONITOR_P_EXIT,
            Self::SpawnRequest { token, .. } => {
                traced(Operation::SPAWN_REQUEST, Operation::SPAWN_REQUEST_TT, token)
            }
            Self::SpawnReply { token, .. } => {
                traced(Operation::SPAWN_REPLY, Operation::SPAWN_REPLY_TT, token)
            }
            Self::AliasSend { token, .. } => {
                traced(Operation::ALIAS_SEND, Operation::ALIAS_SEND_TT, token)
            }
            Self::UnlinkId { .. } => Operation::UNLINK_ID,
            Self::UnlinkIdAck { .. } => Operation::UNLINK_ID_ACK,
            Self::AltactSigSend { .. } => Operation::ALTACT_SIG_SEND,
        }
    }

    /// The process that signals, where the message names it by pid.
    pub fn sender(&self) -> Option<&Pid> {
        match self {
            Self::Link { from, .. }
            | Self::Exit { from, .. }
            | Self::Unlink { from, .. }
            | Self::RegSend { from, .. }
            | Self::GroupLeader { from, .. }
            | Self::Exit2 { from, .. }
            | Self::MonitorP { from, .. }
            | Self::DemonitorP { from, .. }
            | Self::SendSender { from, .. }
            | Self::PayloadExit { from, .. }
            | Self::PayloadExit2 { from, .. }
            | Self::SpawnRequest { from, .. }
            | Self::AliasSend { from, .. }
            | Self::UnlinkId { from, .. }
            | Self::UnlinkIdAck { from, .. }
            | Self::AltactSigSend { from, .. } => Some(from),
            Self::MonitorPExit { from, .. } | Self::PayloadMonitorPExit { from, .. } => {
                match from {
                    PidOrName::Pid(pid) => Some(pid),
                    PidOrName::Name(_) => None,
                }
            }
            Self::Send { .. } | Self::SpawnReply { .. } | Self::NodeLink => None,
        }
    }

    /// The process that is signalled, where the message names it by pid.
    pub fn receiver(&self) -> Option<&Pid> {
        match self {
            Self::Link { to, .. }
            | Self::Send { to, .. }
            | Self::Exit { to, .. }
            | Self::Unlink { to, .. }
            | Self::GroupLeader { to, .. }
            | Self::Exit2 { to, .. }
            | Self::MonitorPExit { to, .. }
            | Self::SendSender { to, .. }
            | Self::PayloadExit { to, .. }
            | Self::PayloadExit2 { to, .. }
            | Self::PayloadMonitorPExit { to, .. }
            | Self::SpawnReply { to, .. }
            | Self::UnlinkId { to, .. }
            | Self::UnlinkIdAck { to, .. } => Some(to),
            Self::MonitorP { to, .. } | Self::DemonitorP { to, .. } => match to {
                PidOrName::Pid(pid) => Some(pid),
                PidOrName::Name(_) => None,
            },
            Self::AltactSigSend { to, .. } => match to {
                AltactTarget::Pid(pid) => Some(pid),
                _ => None,
            },
            Self::RegSend { .. }
            | Self::SpawnRequest { .. }
            | Self::AliasSend { .. }
            | Self::NodeLink => None,
        }
    }

    /// The form of this message that a peer with these common flags understands, and the payload
    /// that goes with it; `None` if there's nothing to send to such a peer.
    ///
    /// `SEND_SENDER` becomes `SEND`, the payload exits become those that hold their reason, and
    /// `UNLINK_ID` becomes `UNLINK`, which is never acknowledged. The rest stays as it is.
    pub(crate) fn adapted(
        self,
        payload: Option<Term>,
        flags: DistributionFlags,
    ) -> Option<(Self, Option<Term>)> {
        let reason = |payload: Option<Term>| payload.unwrap_or(Term::Nil);
        let wants = self.operation().flag();
        if flags.contains(wants) && !matches!(self, Self::Send { .. }) {
            return Some((self, payload));
        }
        Some(match self {
            Self::SendSender { to, token, .. } => (Self::Send { to, token }, payload),
            Self::PayloadExit { from, to, token } => {
                (Self::Exit { from, to, reason: reason(payload), token }, None)
            }
            Self::PayloadExit2 { from, to, token } => {
                (Self::Exit2 { from, to, reason: reason(payload), token }, None)
            }
            Self::PayloadMonitorPExit { from, to, reference } => {
                (Self::MonitorPExit { from, to, reference, reason: reason(payload) }, None)
            }
            Self::UnlinkId { from, to, .. } => (Self::Unlink { from, to }, None),
            Self::UnlinkIdAck { .. } => return None,
            other => (other, payload),
        })
    }
}
