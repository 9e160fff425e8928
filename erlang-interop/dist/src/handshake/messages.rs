//! The messages of the handshake: one struct each, read and written here.
//!
//! `N` is both the dialer's `send_name` and the acceptor's `challenge`: the role tells them apart.
//! Bytes behind the known fields are ignored, since later releases may add some.

use std::borrow::Cow;

use crate::cookie::Digest;
use crate::error::HandshakeError;
use crate::flags::DistributionFlags;
use crate::name::Creation;

/// `N` of the dialer, or the old `n`, which brings only 32 bits of flags and no creation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendName {
    /// What the dialer offers; only the low word with the old form.
    pub flags: DistributionFlags,
    /// The dialer's creation; `None` with the old form, a [`Complement`] follows then.
    pub creation: Option<Creation>,
    /// `alive@host`, or only the host if [`DistributionFlags::NAME_ME`] is set.
    pub name: String,
}

/// `s` of the acceptor.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// Go on.
    Ok,
    /// Go on; the acceptor gives up its own attempt.
    OkSimultaneous,
    /// The acceptor's own attempt goes on instead.
    Nok,
    /// The dialer isn't welcome.
    NotAllowed,
    /// The acceptor believes that it's connected to the dialer already.
    Alive,
    /// Go on, under this name.
    Named {
        /// `alive@host`.
        name: String,
        /// The creation to use.
        creation: Creation,
    },
}

/// `N` of the acceptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// What the acceptor offers.
    pub flags: DistributionFlags,
    /// To be answered with a digest.
    pub challenge: u32,
    /// The acceptor's creation.
    pub creation: Creation,
    /// `alive@host`.
    pub name: String,
}

/// `c`: what the old `n` couldn't carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Complement {
    /// The high word of the flags.
    pub flags_high: u32,
    /// The dialer's creation.
    pub creation: Creation,
}

/// `r`: the dialer's answer and its own challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChallengeReply {
    /// To be answered with a digest.
    pub challenge: u32,
    /// Answer to the acceptor's challenge.
    pub digest: Digest,
}

/// `a`: the acceptor's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChallengeAck {
    /// Answer to the dialer's challenge.
    pub digest: Digest,
}

impl SendName {
    /// Reads `N` or `n`.
    ///
    /// # Errors
    /// If it's another message, cut short, or its name is no UTF-8.
    pub fn read(message: &[u8]) -> Result<Self, HandshakeError> {
        let mut fields = Fields { message, at: 0, expected: "send_name (N or n)" };
        match fields.u8()? {
            b'N' => {
                let flags = DistributionFlags::from_bits(fields.u64()?);
                let creation = Some(Creation(fields.u32()?));
                let name = fields.name()?;
                Ok(Self { flags, creation, name })
            }
            b'n' => {
                if fields.u16()? != 5 {
                    return Err(fields.error());
                }
                let flags = DistributionFlags::from_bits(fields.u32()?.into());
                let name = fields.rest_text()?;
                Ok(Self { flags, creation: None, name })
            }
            _ => Err(fields.error()),
        }
    }

    /// Writes `N`, or the old form if there's no creation.
    pub fn write(&self, to: &mut Vec<u8>) {
        match self.creation {
            Some(creation) => {
                to.push(b'N');
                to.extend_from_slice(&self.flags.bits().to_be_bytes());
                to.extend_from_slice(&creation.0.to_be_bytes());
                put_name(to, &self.name);
            }
            None => {
                to.push(b'n');
                to.extend_from_slice(&5u16.to_be_bytes());
                to.extend_from_slice(&(self.flags.bits() as u32).to_be_bytes());
                to.extend_from_slice(self.name.as_bytes());
            }
        }
    }
}

impl Status {
    /// Reads `s` of an acceptor.
    ///
    /// # Errors
    /// If it's another message, an unknown status, or cut short.
    pub fn read(message: &[u8]) -> Result<Self, HandshakeError> {
        let mut fields = Fields { message, at: 0, expected: "a status" };
        if fields.u8()? != b's' {
            return Err(fields.error());
        }
        match &message[1..] {
            b"ok" => Ok(Self::Ok),
            b"ok_simultaneous" => Ok(Self::OkSimultaneous),
            b"nok" => Ok(Self::Nok),
            b"not_allowed" => Ok(Self::NotAllowed),
            b"alive" => Ok(Self::Alive),
            rest if rest.starts_with(b"named:") => {
                fields.at += b"named:".len();
                let name = fields.name()?;
                let creation = Creation(fields.u32()?);
                Ok(Self::Named { name, creation })
            }
            _ => Err(fields.error()),
        }
    }

    /// Writes `s`.
    pub fn write(&self, to: &mut Vec<u8>) {
        to.push(b's');
        match self {
            Self::Ok => to.extend_from_slice(b"ok"),
            Self::OkSimultaneous => to.extend_from_slice(b"ok_simultaneous"),
            Self::Nok => to.extend_from_slice(b"nok"),
            Self::NotAllowed => to.extend_from_slice(b"not_allowed"),
            Self::Alive => to.extend_from_slice(b"alive"),
            Self::Named { name, creation } => {
                to.extend_from_slice(b"named:");
                put_name(to, name);
                to.extend_from_slice(&creation.0.to_be_bytes());
            }
        }
    }
}

/// Reads the dialer's answer to `alive`: `true` to replace the old connection, `false` to keep it.
///
/// # Errors
/// If it's anything else.
pub fn read_alive_answer(message: &[u8]) -> Result<bool, HandshakeError> {
    match message {
        b"strue" => Ok(true),
        b"sfalse" => Ok(false),
        _ => Err(Fields { message, at: 0, expected: "status true or false" }.error()),
    }
}

/// Writes the dialer's answer to `alive`.
pub fn write_alive_answer(answer: bool, to: &mut Vec<u8>) {
    to.extend_from_slice(if answer { b"strue" } else { b"sfalse" });
}

impl Challenge {
    /// Reads `N` of an acceptor.
    ///
    /// # Errors
    /// If it's another message, cut short, or its name is no UTF-8.
    pub fn read(message: &[u8]) -> Result<Self, HandshakeError> {
        let mut fields = Fields { message, at: 0, expected: "a challenge (N)" };
        if fields.u8()? != b'N' {
            return Err(fields.error());
        }
        let flags = DistributionFlags::from_bits(fields.u64()?);
        let challenge = fields.u32()?;
        let creation = Creation(fields.u32()?);
        let name = fields.name()?;
        Ok(Self { flags, challenge, creation, name })
    }

    /// Writes `N`.
    pub fn write(&self, to: &mut Vec<u8>) {
        to.push(b'N');
        to.extend_from_slice(&self.flags.bits().to_be_bytes());
        to.extend_from_slice(&self.challenge.to_be_bytes());
        to.extend_from_slice(&self.creation.0.to_be_bytes());
        put_name(to, &self.name);
    }
}

impl Complement {
    /// Reads `c`.
    ///
    /// # Errors
    /// If it's another message or cut short.
    pub fn read(message: &[u8]) -> Result<Self, HandshakeError> {
        let mut fields = Fields { message, at: 0, expected: "a complement (c)" };
        if fields.u8()? != b'c' {
            return Err(fields.error());
        }
        Ok(Self { flags_high: fields.u32()?, creation: Creation(fields.u32()?) })
    }

    /// Writes `c`.
    pub fn write(&self, to: &mut Vec<u8>) {
        to.push(b'c');
        to.extend_from_slice(&self.flags_high.to_be_bytes());
        to.extend_from_slice(&self.creation.0.to_be_bytes());
    }
}

impl ChallengeReply {
    /// Reads `r`.
    ///
    /// # Errors
    /// If it's another message or cut short.
    pub fn read(message: &[u8]) -> Result<Self, HandshakeError> {
        let mut fields = Fields { message, at: 0, expected: "a challenge reply (r)" };
        if fields.u8()? != b'r' {
            return Err(fields.error());
        }
        Ok(Self { challenge: fields.u32()?, digest: Digest(fields.array()?) })
    }

    /// Writes `r`.
    pub fn write(&self, to: &mut Vec<u8>) {
        to.push(b'r');
        to.extend_from_slice(&self.challenge.to_be_bytes());
        to.extend_from_slice(self.digest.as_bytes());
    }
}

impl ChallengeAck {
    /// Reads `a`.
    ///
    /// # Errors
    /// If it's another message or cut short.
    pub fn read(message: &[u8]) -> Result<Self, HandshakeError> {
        let mut fields = Fields { message, at: 0, expected: "a challenge ack (a)" };
        if fields.u8()? != b'a' {
            return Err(fields.error());
        }
        Ok(Self { digest: Digest(fields.array()?) })
    }

    /// Writes `a`.
    pub fn write(&self, to: &mut Vec<u8>) {
        to.push(b'a');
        to.extend_from_slice(self.digest.as_bytes());
    }
}

fn put_name(to: &mut Vec<u8>, name: &str) {
    // A name of ours is at most 1020 bytes.
    to.extend_from_slice(&(name.len() as u16).to_be_bytes());
    to.extend_from_slice(name.as_bytes());
}

/// Reads fields front to back; whatever is missing is the same error.
struct Fields<'a> {
    message: &'a [u8],
    at: usize,
    expected: &'static str,
}

impl Fields<'_> {
    fn error(&self) -> HandshakeError {
        HandshakeError::Misbehaved { expected: self.expected, got: show(self.message).into_owned() }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], HandshakeError> {
        let field = self.message[self.at..].first_chunk::<N>().ok_or_else(|| self.error())?;
        self.at += N;
        Ok(*field)
    }

    fn u8(&mut self) -> Result<u8, HandshakeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Result<u16, HandshakeError> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, HandshakeError> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, HandshakeError> {
        self.array().map(u64::from_be_bytes)
    }

    fn name(&mut self) -> Result<String, HandshakeError> {
        let length = usize::from(self.u16()?);
        let end = self.at + length;
        let bytes = self.message.get(self.at..end).ok_or_else(|| self.error())?;
        self.at = end;
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| self.error())
    }

    fn rest_text(&mut self) -> Result<String, HandshakeError> {
        let bytes = &self.message[self.at..];
        self.at = self.message.len();
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| self.error())
    }
}

/// The beginning of a peer's message for an error text, without control characters.
pub(super) fn show(message: &[u8]) -> Cow<'static, str> {
    const SHOWN_BYTES_MAX: usize = 40;
    if message.is_empty() {
        return "an empty message".into();
    }
    let end = message.len().min(SHOWN_BYTES_MAX);
    let more = if end < message.len() { "…" } else { "" };
    format!("\"{}\"{more} of {} bytes", message[..end].escape_ascii(), message.len()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut to = Vec::new();
        write(&mut to);
        to
    }

    #[test]
    fn what_is_written_is_read() {
        let creation = Creation(7);
        let flags = DistributionFlags::DEFAULT;
        let name = SendName { flags, creation: Some(creation), name: "a@b".into() };
        assert_eq!(SendName::read(&written(|to| name.write(to))), Ok(name));
        let low = DistributionFlags::from_bits(flags.bits() & 0xffff_ffff);
        let old = SendName { flags: low, creation: None, name: "a@b".into() };
        assert_eq!(SendName::read(&written(|to| old.write(to))), Ok(old));
        let challenge = Challenge { flags, challenge: 9, creation, name: "ü@b".into() };
        assert_eq!(Challenge::read(&written(|to| challenge.write(to))), Ok(challenge));
        let named = Status::Named { name: "x@b".into(), creation };
        for status in [Status::Ok, Status::OkSimultaneous, Status::Nok, Status::Alive, named] {
            assert_eq!(Status::read(&written(|to| status.write(to))), Ok(status));
        }
        let complement = Complement { flags_high: 13, creation };
        assert_eq!(Complement::read(&written(|to| complement.write(to))), Ok(complement));
        for answer in [true, false] {
            let bytes = written(|to| write_alive_answer(answer, to));
            assert_eq!(read_alive_answer(&bytes), Ok(answer));
        }
    }

    #[test]
    fn trailing_bytes_are_accepted() {
        let name = SendName {
            flags: DistributionFlags::DEFAULT,
            creation: Some(Creation(1)),
            name: "a@b".into(),
        };
        let mut bytes = written(|to| name.write(to));
        bytes.extend_from_slice(b"later releases");
        assert_eq!(SendName::read(&bytes), Ok(name));
        let named = Status::Named { name: "x@b".into(), creation: Creation(2) };
        let mut bytes = written(|to| named.write(to));
        bytes.extend_from_slice(b"more");
        assert_eq!(Status::read(&bytes), Ok(named));
    }

    #[test]
    fn a_cut_message_is_an_error_at_every_length() {
        let digest = Digest([1; 16]);
        let whole = [
            written(|to| {
                let name = "a@b".into();
                let (flags, creation) = (DistributionFlags::DEFAULT, Creation(1));
                Challenge { flags, challenge: 1, creation, name }.write(to);
            }),
            written(|to| ChallengeReply { challenge: 1, digest }.write(to)),
            written(|to| ChallengeAck { digest }.write(to)),
            written(|to| Complement { flags_high: 1, creation: Creation(1) }.write(to)),
        ];
        for message in whole {
            for end in 0..message.len() {
                let cut = &message[..end];
                assert!(Challenge::read(cut).is_err());
                assert!(ChallengeReply::read(cut).is_err());
                assert!(ChallengeAck::read(cut).is_err());
                assert!(Complement::read(cut).is_err());
                assert!(Status::read(cut).is_err());
                assert!(SendName::read(&cut[..end.min(3)]).is_err());
            }
        }
    }

    #[test]
    fn errors_show_a_bounded_piece() {
        let error = Status::read(&[b'x'; 5000]).expect_err("no status");
        assert!(error.to_string().len() < 200, "{error}");
    }
}
