//! Requests: what a client sends.

use super::NameError;
use crate::limits::{EXTRA_BYTES_MAX, NAME_BYTES_MAX, NAME_CHARACTERS_MAX, REQUEST_BYTES_MAX};

const ALIVE2: u8 = 120;
const PORT_PLEASE2: u8 = 122;
const NAMES: u8 = 110;
const DUMP: u8 = 100;
const KILL: u8 = 107;
const STOP: u8 = 115;

/// Bytes of an ALIVE2 without name and extra: opcode, fields and the two lengths.
const ALIVE2_FIXED_BYTES: usize = 13;

/// A request, borrowed from the bytes it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// Register a node; it stays registered as long as the connection.
    Alive2(Alive2<'a>),
    /// Where does the node of this (alive) name listen?
    PortPlease2 {
        /// 1 to 255 characters of UTF-8.
        name: &'a str,
    },
    /// List the registered nodes.
    Names,
    /// List all the daemon knows, released names too.
    Dump,
    /// End the daemon.
    Kill,
    /// Drop a registration.
    Stop {
        /// The name, not checked: an odd one is just not found.
        name: &'a [u8],
    },
}

/// The fields of an ALIVE2 request. `name` is not yet checked: the daemon answers a bad one with
/// a refusal, while a request that can't be read is not answered at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alive2<'a> {
    /// Port the node listens on.
    pub port: u16,
    /// See [`super::NODE_TYPE_NORMAL`].
    pub node_type: u8,
    /// See [`super::PROTOCOL_TCP`].
    pub protocol: u8,
    /// Highest distribution version; from 6 on the answer has a 32-bit creation.
    pub highest_version: u16,
    /// Lowest distribution version.
    pub lowest_version: u16,
    /// Alive part of the node name, without a zero byte.
    pub name: &'a [u8],
    /// Opaque.
    pub extra: &'a [u8],
}

/// Why bytes are not a request, or a request can't be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The length says 0, or more than the daemon takes.
    #[error("invalid packet size ({bytes})")]
    Size {
        /// What the length field said.
        bytes: usize,
    },
    /// More bytes came than the length says.
    #[error("got {got} bytes in packet, expected {expected}")]
    Excess {
        /// Bytes after the length field.
        got: usize,
        /// What the length field said.
        expected: usize,
    },
    /// The first byte is no known request.
    #[error("got garbage (opcode {opcode})")]
    Opcode {
        /// The byte.
        opcode: u8,
    },
    /// Shorter than its fields.
    #[error("packet too small for request {request} ({bytes})")]
    TooSmall {
        /// Name of the request.
        request: &'static str,
        /// Bytes without the length field.
        bytes: usize,
    },
    /// A length inside points past the end.
    #[error("{field} size error in ALIVE2_REQ")]
    FieldLength {
        /// Which field.
        field: &'static str,
    },
    /// The name breaks a rule.
    #[error("invalid node name in {request}: {source}")]
    Name {
        /// Name of the request.
        request: &'static str,
        /// The rule.
        source: NameError,
    },
}

impl<'a> Request<'a> {
    /// Reads the body of a request (without its two-byte length).
    ///
    /// # Errors
    /// [`RequestError`]; the daemon closes without an answer then.
    pub fn decode(body: &'a [u8]) -> Result<Self, RequestError> {
        let Some((&opcode, rest)) = body.split_first() else {
            return Err(RequestError::Size { bytes: 0 });
        };
        match opcode {
            ALIVE2 => decode_alive2(body).map(Self::Alive2),
            PORT_PLEASE2 => decode_port_please2(rest),
            // Bytes after these are passed over, as the original does.
            NAMES => Ok(Self::Names),
            DUMP => Ok(Self::Dump),
            KILL => Ok(Self::Kill),
            STOP => {
                let end = rest.iter().position(|&byte| byte == 0).unwrap_or(rest.len());
                if rest.is_empty() {
                    return Err(RequestError::TooSmall { request: "STOP_REQ", bytes: 1 });
                }
                Ok(Self::Stop { name: &rest[..end] })
            }
            _ => Err(RequestError::Opcode { opcode }),
        }
    }

    /// The request with its two-byte length, ready to send.
    ///
    /// # Errors
    /// A name that is empty, too long or has a zero byte; an extra field above its limit.
    pub fn encode(&self) -> Result<Vec<u8>, RequestError> {
        let mut out = vec![0, 0];
        match self {
            Self::Alive2(alive) => alive.encode(&mut out)?,
            Self::PortPlease2 { name } => {
                check_sendable("PORT2_REQ", name.as_bytes())?;
                out.push(PORT_PLEASE2);
                out.extend_from_slice(name.as_bytes());
            }
            Self::Names => out.push(NAMES),
            Self::Dump => out.push(DUMP),
            Self::Kill => out.push(KILL),
            Self::Stop { name } => {
                check_sendable("STOP_REQ", name)?;
                out.push(STOP);
                out.extend_from_slice(name);
            }
        }
        let body = out.len() - 2;
        let length = u16::try_from(body).map_err(|_| RequestError::Size { bytes: body })?;
        out[..2].copy_from_slice(&length.to_be_bytes());
        Ok(out)
    }
}

impl Alive2<'_> {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), RequestError> {
        check_sendable("ALIVE2_REQ", self.name)?;
        if self.extra.len() > EXTRA_BYTES_MAX {
            return Err(RequestError::FieldLength { field: "Extra info" });
        }
        out.push(ALIVE2);
        out.extend_from_slice(&self.port.to_be_bytes());
        out.extend_from_slice(&[self.node_type, self.protocol]);
        out.extend_from_slice(&self.highest_version.to_be_bytes());
        out.extend_from_slice(&self.lowest_version.to_be_bytes());
        push_field(out, self.name);
        push_field(out, self.extra);
        Ok(())
    }
}

/// Appends a field with its two-byte length. The callers have checked that it fits.
pub(super) fn push_field(out: &mut Vec<u8>, field: &[u8]) {
    let length = u16::try_from(field.len()).expect("fields are limited to 1020 bytes");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(field);
}

fn check_sendable(request: &'static str, name: &[u8]) -> Result<(), RequestError> {
    let wrong = |source| RequestError::Name { request, source };
    if name.is_empty() {
        return Err(wrong(NameError::Empty));
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(wrong(NameError::TooLong { bytes: name.len() }));
    }
    if name.contains(&0) { Err(wrong(NameError::ZeroByte)) } else { Ok(()) }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let pair = bytes.get(at..at + 2)?;
    Some(u16::from_be_bytes([pair[0], pair[1]]))
}

// spec: erl_dist_protocol, "Register a Node in EPMD"
fn decode_alive2(body: &[u8]) -> Result<Alive2<'_>, RequestError> {
    let small = || RequestError::TooSmall { request: "ALIVE2_REQ", bytes: body.len() };
    // One byte more than the fixed fields, as the original asks for.
    if body.len() <= ALIVE2_FIXED_BYTES {
        return Err(small());
    }
    let name_length = usize::from(u16_at(body, 9).ok_or_else(small)?);
    let extra_at = 11 + name_length;
    let wrong_name = RequestError::FieldLength { field: "Node name" };
    let extra_length = usize::from(u16_at(body, extra_at).ok_or_else(|| wrong_name.clone())?);
    let name = body.get(11..extra_at).ok_or(wrong_name)?;
    let extra = body
        .get(extra_at + 2..extra_at + 2 + extra_length)
        .ok_or(RequestError::FieldLength { field: "Extra info" })?;
    if name.contains(&0) {
        return Err(RequestError::Name { request: "ALIVE2_REQ", source: NameError::ZeroByte });
    }
    Ok(Alive2 {
        port: u16_at(body, 1).ok_or_else(small)?,
        node_type: body[3],
        protocol: body[4],
        highest_version: u16_at(body, 5).ok_or_else(small)?,
        lowest_version: u16_at(body, 7).ok_or_else(small)?,
        name,
        extra,
    })
}

// spec: erl_dist_protocol, "Get the Distribution Port of a Node"
fn decode_port_please2(rest: &[u8]) -> Result<Request<'_>, RequestError> {
    let wrong = |source| RequestError::Name { request: "PORT2_REQ", source };
    // Old releases end the name with a zero byte.
    let name = rest.strip_suffix(&[0]).unwrap_or(rest);
    if name.is_empty() {
        return Err(RequestError::TooSmall { request: "PORT2_REQ", bytes: 1 });
    }
    if name.contains(&0) {
        return Err(wrong(NameError::ZeroByte));
    }
    let name = super::check_name(name).map_err(wrong)?;
    Ok(Request::PortPlease2 { name })
}

/// Collects the bytes of one request, however they are cut.
///
/// Ask [`space`](Self::space) where to read to, then say with [`advance`](Self::advance) how many
/// bytes came. What is read is bounded, and nothing is reserved on the peer's word.
#[derive(Debug)]
pub struct RequestReader {
    buffer: Vec<u8>,
    got: usize,
    /// Whole length with its field, once known.
    want: Option<usize>,
}

impl Default for RequestReader {
    fn default() -> Self {
        Self { buffer: vec![0; REQUEST_BYTES_MAX], got: 0, want: None }
    }
}

impl RequestReader {
    /// Where the next bytes belong; never empty before the request is whole.
    pub fn space(&mut self) -> &mut [u8] {
        let end = self.want.unwrap_or(REQUEST_BYTES_MAX);
        &mut self.buffer[self.got..end]
    }

    /// Bytes collected so far.
    #[must_use]
    pub fn received(&self) -> usize {
        self.got
    }

    /// Takes note of `count` new bytes in [`space`](Self::space); gives the body when it is whole.
    ///
    /// # Errors
    /// [`RequestError::Size`] and [`RequestError::Excess`].
    pub fn advance(&mut self, count: usize) -> Result<Option<&[u8]>, RequestError> {
        self.got = (self.got + count).min(self.buffer.len());
        let Some(length) = u16_at(&self.buffer[..self.got], 0) else {
            return Ok(None);
        };
        let bytes = usize::from(length);
        if bytes == 0 || bytes + 2 > REQUEST_BYTES_MAX {
            return Err(RequestError::Size { bytes });
        }
        self.want = Some(bytes + 2);
        match self.got.cmp(&(bytes + 2)) {
            std::cmp::Ordering::Less => Ok(None),
            std::cmp::Ordering::Equal => Ok(Some(&self.buffer[2..self.got])),
            std::cmp::Ordering::Greater => {
                Err(RequestError::Excess { got: self.got - 2, expected: bytes })
            }
        }
    }
}

// The widest name a caller can send is also one the daemon takes.
const _: () = assert!(NAME_CHARACTERS_MAX * 4 == NAME_BYTES_MAX);

#[cfg(test)]
mod tests {
    use super::*;

    fn alive(name: &[u8]) -> Vec<u8> {
        let mut body = vec![120, 0x13, 0x88, 77, 0, 0, 6, 0, 5];
        push_field(&mut body, name);
        push_field(&mut body, b"");
        body
    }

    #[test]
    fn reads_alive2() {
        let body = alive(b"a");
        let expected = Alive2 {
            port: 5000,
            node_type: 77,
            protocol: 0,
            highest_version: 6,
            lowest_version: 5,
            name: b"a",
            extra: b"",
        };
        assert_eq!(Request::decode(&body), Ok(Request::Alive2(expected)));
    }

    #[test]
    fn alive2_with_wrong_lengths_is_refused() {
        let body = alive(b"abc");
        for cut in 1..body.len() {
            assert!(Request::decode(&body[..cut]).is_err(), "cut at {cut}");
        }
        let mut liar = alive(b"abc");
        liar[10] = 100;
        let name = RequestError::FieldLength { field: "Node name" };
        assert_eq!(Request::decode(&liar), Err(name));
        assert!(Request::decode(&alive(b"a\0b")).is_err());
        assert!(Request::decode(&alive(b"")).is_err(), "13 bytes are one too few");
    }

    #[test]
    fn port_please2_takes_one_final_zero() {
        assert_eq!(Request::decode(b"za\0"), Ok(Request::PortPlease2 { name: "a" }));
        assert!(Request::decode(b"za\0\0").is_err());
        assert!(Request::decode(b"z").is_err());
        assert!(Request::decode(b"z\0").is_err());
        assert!(Request::decode(b"z\xff").is_err());
    }

    #[test]
    fn short_requests() {
        assert_eq!(Request::decode(b"nxx"), Ok(Request::Names));
        assert_eq!(Request::decode(b"d"), Ok(Request::Dump));
        assert_eq!(Request::decode(b"k"), Ok(Request::Kill));
        assert_eq!(Request::decode(b"sab\0c"), Ok(Request::Stop { name: b"ab" }));
        assert!(Request::decode(b"s").is_err());
        assert_eq!(Request::decode(b"q"), Err(RequestError::Opcode { opcode: b'q' }));
        assert_eq!(Request::decode(b""), Err(RequestError::Size { bytes: 0 }));
    }

    fn feed(reader: &mut RequestReader, bytes: &[u8]) -> Result<Option<Vec<u8>>, RequestError> {
        reader.space()[..bytes.len()].copy_from_slice(bytes);
        reader.advance(bytes.len()).map(|body| body.map(<[u8]>::to_vec))
    }

    #[test]
    fn reader_refuses_sizes_and_excess_as_the_original() {
        let fresh = RequestReader::default;
        assert_eq!(feed(&mut fresh(), &[0, 0]), Err(RequestError::Size { bytes: 0 }));
        assert_eq!(
            feed(&mut fresh(), &3058_u16.to_be_bytes()),
            Err(RequestError::Size { bytes: 3058 })
        );
        assert_eq!(feed(&mut fresh(), &3057_u16.to_be_bytes()), Ok(None));
        let excess = RequestError::Excess { got: 2, expected: 1 };
        assert_eq!(feed(&mut fresh(), b"\0\x01nn"), Err(excess));
    }

    #[test]
    fn reader_stops_at_the_end_of_the_request() {
        let mut reader = RequestReader::default();
        assert_eq!(feed(&mut reader, &[0]), Ok(None));
        assert_eq!(feed(&mut reader, &[3]), Ok(None));
        assert_eq!(reader.space().len(), 3);
        assert_eq!(feed(&mut reader, b"zab"), Ok(Some(b"zab".to_vec())));
    }
}
