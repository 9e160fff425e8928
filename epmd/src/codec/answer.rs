//! Answers of a fixed form: to ALIVE2 and PORT_PLEASE2.

use super::{DISTRIBUTION_VERSION, NodeInfo, check_name, request::push_field};

const ALIVE2_RESP: u8 = 121;
const ALIVE2_X_RESP: u8 = 118;
const PORT2_RESP: u8 = 119;

/// The creation field of a refusal, in either width.
const CREATION_OF_REFUSAL: u32 = 99;

/// Answer to ALIVE2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alive2Answer {
    /// The name is registered.
    Ok {
        /// Sets this incarnation of the name apart from earlier ones. 1 to 3 for old nodes.
        creation: u32,
    },
    /// The name is taken or not allowed.
    Refused {
        /// The result byte: 1 from the original.
        result: u8,
    },
}

/// Answer to PORT_PLEASE2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortAnswer {
    /// The node is registered.
    Found(NodeInfo),
    /// It is not (result 1), or the daemon reports another failure.
    NotFound {
        /// The result byte.
        result: u8,
    },
}

/// Why bytes are not the answer that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// Another first byte than the request has.
    #[error("answer has tag {got}, expected {expected}")]
    Tag {
        /// The byte that came.
        got: u8,
        /// What had to come.
        expected: u8,
    },
    /// Ended before its fields did.
    #[error("answer ends after {bytes} bytes")]
    Short {
        /// How many came.
        bytes: usize,
    },
    /// A name in it is no name.
    #[error("answer names a node wrongly")]
    Name,
    /// A line of NAMES has another form.
    #[error("answer has a line of unknown form")]
    Line,
}

/// Answer to ALIVE2 in the form that fits the node's version.
///
/// `highest_version` is the request's. From 6 on the creation has 32 bits (ALIVE2_X_RESP), before
/// it has 16 and goes from 1 to 3.
// spec: erl_dist_protocol, "Register a Node in EPMD"
#[must_use]
pub fn encode_alive2(highest_version: u16, answer: Alive2Answer) -> Vec<u8> {
    let (result, creation) = match answer {
        Alive2Answer::Ok { creation } => (0, creation),
        Alive2Answer::Refused { result } => (result, CREATION_OF_REFUSAL),
    };
    if highest_version >= DISTRIBUTION_VERSION {
        let mut out = vec![ALIVE2_X_RESP, result];
        out.extend_from_slice(&creation.to_be_bytes());
        return out;
    }
    let small = if result == 0 { creation.wrapping_sub(1) % 3 + 1 } else { creation };
    let mut out = vec![ALIVE2_RESP, result];
    out.extend_from_slice(&(small as u16).to_be_bytes());
    out
}

/// Reads an answer to ALIVE2 as far as it has come; `None`: more bytes are needed.
///
/// # Errors
/// [`AnswerError::Tag`].
pub fn decode_alive2(bytes: &[u8]) -> Result<Option<Alive2Answer>, AnswerError> {
    let creation = match bytes {
        [] => return Ok(None),
        [ALIVE2_X_RESP, _, a, b, c, d, ..] => u32::from_be_bytes([*a, *b, *c, *d]),
        [ALIVE2_RESP, _, a, b, ..] => u32::from(u16::from_be_bytes([*a, *b])),
        [ALIVE2_X_RESP | ALIVE2_RESP, ..] => return Ok(None),
        [got, ..] => return Err(AnswerError::Tag { got: *got, expected: ALIVE2_X_RESP }),
    };
    match bytes[1] {
        0 => Ok(Some(Alive2Answer::Ok { creation })),
        result => Ok(Some(Alive2Answer::Refused { result })),
    }
}

/// Answer to PORT_PLEASE2; `None`: no such node.
// spec: erl_dist_protocol, "Get the Distribution Port of a Node"
#[must_use]
pub fn encode_port(node: Option<&NodeInfo>) -> Vec<u8> {
    let Some(node) = node else {
        return vec![PORT2_RESP, 1];
    };
    let mut out = Vec::with_capacity(14 + node.name.len() + node.extra.len());
    out.extend_from_slice(&[PORT2_RESP, 0]);
    out.extend_from_slice(&node.port.to_be_bytes());
    out.extend_from_slice(&[node.node_type, node.protocol]);
    out.extend_from_slice(&node.highest_version.to_be_bytes());
    out.extend_from_slice(&node.lowest_version.to_be_bytes());
    push_field(&mut out, node.name.as_bytes());
    push_field(&mut out, &node.extra);
    out
}

/// Reads an answer to PORT_PLEASE2 as far as it has come; `None`: more bytes are needed.
///
/// # Errors
/// [`AnswerError::Tag`] and [`AnswerError::Name`].
pub fn decode_port(bytes: &[u8]) -> Result<Option<PortAnswer>, AnswerError> {
    match bytes {
        [] | [PORT2_RESP] => return Ok(None),
        [PORT2_RESP, 0, ..] => {}
        [PORT2_RESP, result, ..] => return Ok(Some(PortAnswer::NotFound { result: *result })),
        [got, ..] => return Err(AnswerError::Tag { got: *got, expected: PORT2_RESP }),
    }
    let Some((fixed, rest)) = bytes.split_at_checked(10) else {
        return Ok(None);
    };
    let Some((name, rest)) = split_field(rest) else {
        return Ok(None);
    };
    let Some((extra, _)) = split_field(rest) else {
        return Ok(None);
    };
    let pair = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
    Ok(Some(PortAnswer::Found(NodeInfo {
        name: check_name(name).map_err(|_| AnswerError::Name)?.to_owned(),
        port: pair(2),
        node_type: fixed[4],
        protocol: fixed[5],
        highest_version: pair(6),
        lowest_version: pair(8),
        extra: extra.to_vec(),
    })))
}

fn split_field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_at_checked(2)?;
    rest.split_at_checked(usize::from(u16::from_be_bytes([length[0], length[1]])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alive2_has_the_width_of_the_version() {
        let ok = Alive2Answer::Ok { creation: 0x6b06_2757 };
        assert_eq!(encode_alive2(6, ok), b"v\x00\x6b\x06\x27\x57");
        assert_eq!(encode_alive2(7, ok)[0], 118);
        for (creation, small) in [(1, 1), (2, 2), (3, 3), (4, 1), (u32::MAX, 3)] {
            assert_eq!(encode_alive2(5, Alive2Answer::Ok { creation }), [121, 0, 0, small]);
        }
        let refused = Alive2Answer::Refused { result: 1 };
        assert_eq!(encode_alive2(6, refused), [118, 1, 0, 0, 0, 99]);
        assert_eq!(encode_alive2(5, refused), [121, 1, 0, 99]);
    }

    #[test]
    fn port_answer_as_captured() {
        let node = NodeInfo {
            name: "a".into(),
            port: 5000,
            node_type: 77,
            protocol: 0,
            highest_version: 6,
            lowest_version: 5,
            extra: vec![],
        };
        let bytes = b"w\x00\x13\x88M\x00\x00\x06\x00\x05\x00\x01a\x00\x00";
        assert_eq!(encode_port(Some(&node)), bytes);
        for cut in 0..bytes.len() {
            assert_eq!(decode_port(&bytes[..cut]), Ok(None), "cut at {cut}");
        }
        assert_eq!(decode_port(bytes), Ok(Some(PortAnswer::Found(node))));
        assert_eq!(decode_port(&encode_port(None)), Ok(Some(PortAnswer::NotFound { result: 1 })));
        assert!(decode_port(b"v\0").is_err());
    }

    #[test]
    fn alive2_answer_is_read_at_every_cut() {
        for bytes in [&[118, 0, 1, 2, 3, 4][..], &[121, 0, 0, 2]] {
            for cut in 0..bytes.len() {
                assert_eq!(decode_alive2(&bytes[..cut]), Ok(None));
            }
            assert!(matches!(decode_alive2(bytes), Ok(Some(Alive2Answer::Ok { .. }))));
        }
        assert!(decode_alive2(b"w").is_err());
    }
}
