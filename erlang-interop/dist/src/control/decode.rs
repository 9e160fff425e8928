//! From the bytes of a control term to a [`Control`], without a tuple in between.

use erlang_term::{Atom, Pid, Reference, Term};

use crate::error::ConnectionError;
use crate::flags::DistributionFlags;
use crate::receive::reader::TermReader;

use super::{AltactTarget, Control, Mfa, Operation, PidOrName, SpawnReplyFlags, SpawnResult};

/// Flag word of `ALTACT_SIG_SEND`.
pub(super) mod altact {
    pub(crate) const PRIORITY: u64 = 1;
    pub(crate) const TOKEN: u64 = 2;
    pub(crate) const ALIAS: u64 = 4;
    pub(crate) const NAME: u64 = 8;
    pub(crate) const EXIT: u64 = 16;
    pub(crate) const ALL: u64 = 31;
}

impl Control {
    /// Reads the control term at the reader's position.
    ///
    /// `flags` are the common ones: what they don't allow is an error.
    pub(crate) fn read(
        reader: &mut TermReader<'_>,
        flags: DistributionFlags,
    ) -> Result<Self, ConnectionError> {
        let arity = reader.tuple_head()?;
        let number = reader.small_integer()?;
        let operation =
            Operation::from_number(number).ok_or_else(|| ConnectionError::Misbehaved {
                expected: "a known operation",
                got: format!("operation {number}"),
            })?;
        let row_flag = operation.flag();
        if !flags.contains(row_flag) {
            let what = operation.name();
            return Err(ConnectionError::NotNegotiated { what, flag: row_flag });
        }
        let traced = operation == Operation::ALTACT_SIG_SEND && arity == operation.arity() + 1;
        if arity != operation.arity() && !traced {
            return Err(ConnectionError::Misbehaved {
                expected: "as many elements as the operation has",
                got: format!("{} with {arity}", operation.name()),
            });
        }
        Fields { reader, flags }.control(operation, traced)
    }
}

struct Fields<'r, 'a> {
    reader: &'r mut TermReader<'a>,
    flags: DistributionFlags,
}

type Read<T> = Result<T, ConnectionError>;

impl Fields<'_, '_> {
    fn control(&mut self, operation: Operation, traced: bool) -> Read<Control> {
        Ok(match operation {
            Operation::SEND | Operation::SEND_TT => {
                self.unused()?;
                let to = self.pid()?;
                Control::Send { to, token: self.token(operation == Operation::SEND_TT)? }
            }
            Operation::REG_SEND | Operation::REG_SEND_TT => {
                let from = self.pid()?;
                self.unused()?;
                let name = self.atom()?;
                let token = self.token(operation == Operation::REG_SEND_TT)?;
                Control::RegSend { from, name, token }
            }
            Operation::SEND_SENDER | Operation::SEND_SENDER_TT => {
                let (from, to) = (self.pid()?, self.pid()?);
                let token = self.token(operation == Operation::SEND_SENDER_TT)?;
                Control::SendSender { from, to, token }
            }
            Operation::ALIAS_SEND | Operation::ALIAS_SEND_TT => {
                let (from, to) = (self.pid()?, self.reference()?);
                let token = self.token(operation == Operation::ALIAS_SEND_TT)?;
                Control::AliasSend { from, to, token }
            }
            Operation::ALTACT_SIG_SEND => self.altact(traced)?,
            Operation::SPAWN_REQUEST | Operation::SPAWN_REQUEST_TT => {
                self.spawn_request(operation == Operation::SPAWN_REQUEST_TT)?
            }
            Operation::SPAWN_REPLY | Operation::SPAWN_REPLY_TT => {
                self.spawn_reply(operation == Operation::SPAWN_REPLY_TT)?
            }
            Operation::MONITOR_P => {
                let (from, to) = (self.pid()?, self.pid_or_name()?);
                Control::MonitorP { from, to, reference: self.reference()? }
            }
            Operation::DEMONITOR_P => {
                let (from, to) = (self.pid()?, self.pid_or_name()?);
                Control::DemonitorP { from, to, reference: self.reference()? }
            }
            Operation::MONITOR_P_EXIT => {
                let (from, to) = (self.pid_or_name()?, self.pid()?);
                let reference = self.reference()?;
                Control::MonitorPExit { from, to, reference, reason: self.term()? }
            }
            Operation::PAYLOAD_MONITOR_P_EXIT => {
                let (from, to) = (self.pid_or_name()?, self.pid()?);
                Control::PayloadMonitorPExit { from, to, reference: self.reference()? }
            }
            Operation::UNLINK_ID | Operation::UNLINK_ID_ACK => self.unlink_id(operation)?,
            Operation::NODE_LINK => Control::NodeLink,
            _ => self.between(operation)?,
        })
    }

    /// The operations that begin with both pids and have at most a token and a reason more.
    fn between(&mut self, operation: Operation) -> Read<Control> {
        let (from, to) = (self.pid()?, self.pid()?);
        Ok(match operation {
            Operation::LINK => Control::Link { from, to },
            Operation::UNLINK if self.flags.contains(DistributionFlags::UNLINK_ID) => {
                return Err(ConnectionError::Misbehaved {
                    expected: "UNLINK_ID, which both sides know",
                    got: "UNLINK".into(),
                });
            }
            Operation::UNLINK => Control::Unlink { from, to },
            Operation::GROUP_LEADER => Control::GroupLeader { from, to },
            Operation::EXIT | Operation::EXIT_TT => {
                let token = self.token(operation == Operation::EXIT_TT)?;
                Control::Exit { from, to, reason: self.term()?, token }
            }
            Operation::EXIT2 | Operation::EXIT2_TT => {
                let token = self.token(operation == Operation::EXIT2_TT)?;
                Control::Exit2 { from, to, reason: self.term()?, token }
            }
            Operation::PAYLOAD_EXIT | Operation::PAYLOAD_EXIT_TT => {
                let token = self.token(operation == Operation::PAYLOAD_EXIT_TT)?;
                Control::PayloadExit { from, to, token }
            }
            _ => {
                let token = self.token(operation == Operation::PAYLOAD_EXIT2_TT)?;
                Control::PayloadExit2 { from, to, token }
            }
        })
    }

    fn unlink_id(&mut self, operation: Operation) -> Read<Control> {
        let id = self.integer("an unlink id from 1 to 2^64-1", 1, u64::MAX)?;
        let (from, to) = (self.pid()?, self.pid()?);
        Ok(match operation {
            Operation::UNLINK_ID => Control::UnlinkId { id, from, to },
            _ => Control::UnlinkIdAck { id, from, to },
        })
    }

    fn altact(&mut self, traced: bool) -> Read<Control> {
        let flags = self.integer("the flags of ALTACT_SIG_SEND", 0, altact::ALL)?;
        let has = |flag| flags & flag != 0;
        if has(altact::TOKEN) != traced || (has(altact::ALIAS) && has(altact::NAME)) {
            return Err(ConnectionError::Misbehaved {
                expected: "flags of ALTACT_SIG_SEND that agree with its elements",
                got: format!("flags {flags}"),
            });
        }
        let from = self.pid()?;
        let to = if has(altact::ALIAS) {
            AltactTarget::Alias(self.reference()?)
        } else if has(altact::NAME) {
            AltactTarget::Name(self.atom()?)
        } else {
            AltactTarget::Pid(self.pid()?)
        };
        let token = self.token(traced)?;
        let (priority, exit) = (has(altact::PRIORITY), has(altact::EXIT));
        Ok(Control::AltactSigSend { priority, exit, from, to, token })
    }

    fn spawn_request(&mut self, traced: bool) -> Read<Control> {
        let reference = self.reference()?;
        let (from, group_leader) = (self.pid()?, self.pid()?);
        if self.reader.tuple_head()? != 3 {
            return Err(ConnectionError::Misbehaved {
                expected: "{Module, Function, Arity} in SPAWN_REQUEST",
                got: "a tuple of another size".into(),
            });
        }
        let (module, function) = (self.atom()?, self.atom()?);
        let arity = self.integer("an arity from 0 to 255", 0, 255)? as u8;
        let options = self.term()?;
        let token = self.token(traced)?;
        let mfa = Mfa { module, function, arity };
        Ok(Control::SpawnRequest { reference, from, group_leader, mfa, options, token })
    }

    fn spawn_reply(&mut self, traced: bool) -> Read<Control> {
        let reference = self.reference()?;
        let to = self.pid()?;
        let flags = self.integer("the flags of SPAWN_REPLY", 0, u32::MAX.into())? as u32;
        let result = match self.pid_or_name()? {
            PidOrName::Pid(pid) => SpawnResult::Pid(pid),
            PidOrName::Name(error) => SpawnResult::Error(error),
        };
        let token = self.token(traced)?;
        let flags = SpawnReplyFlags(flags);
        Ok(Control::SpawnReply { reference, to, flags, result, token })
    }

    fn term(&mut self) -> Read<Term> {
        self.reader.term()
    }

    /// The element that once held a cookie.
    fn unused(&mut self) -> Read<()> {
        self.atom().map(drop)
    }

    fn token(&mut self, traced: bool) -> Read<Option<Term>> {
        if traced { self.term().map(Some) } else { Ok(None) }
    }

    fn pid(&mut self) -> Read<Pid> {
        self.reader.pid()
    }

    fn atom(&mut self) -> Read<Atom> {
        self.reader.atom()
    }

    fn reference(&mut self) -> Read<Reference> {
        match self.term()? {
            Term::Reference(reference) => Ok(reference),
            other => Err(unexpected("a reference", &other)),
        }
    }

    fn pid_or_name(&mut self) -> Read<PidOrName> {
        match self.term()? {
            Term::Pid(pid) => Ok(PidOrName::Pid(pid)),
            Term::Atom(name) => Ok(PidOrName::Name(name)),
            other => Err(unexpected("a pid or a name", &other)),
        }
    }

    fn integer(&mut self, expected: &'static str, min: u64, max: u64) -> Read<u64> {
        let term = self.term()?;
        let value = match &term {
            Term::Integer(value) => u64::try_from(*value).ok(),
            Term::BigInteger(value) if !value.is_negative() => word(value.magnitude()),
            _ => None,
        };
        match value {
            Some(value) if (min..=max).contains(&value) => Ok(value),
            _ => Err(unexpected(expected, &term)),
        }
    }
}

/// A little-endian magnitude, if it fits.
fn word(magnitude: &[u8]) -> Option<u64> {
    let used = magnitude.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    if used > 8 {
        return None;
    }
    Some(magnitude[..used].iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

/// An error that shows the beginning of a term.
pub(crate) fn unexpected(expected: &'static str, got: &Term) -> ConnectionError {
    const SHOWN_CHARACTERS_MAX: usize = 60;
    ConnectionError::Misbehaved { expected, got: got.excerpt(SHOWN_CHARACTERS_MAX) }
}
