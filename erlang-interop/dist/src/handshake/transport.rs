//! Handshake messages in a byte stream: a length, then that many bytes.

use bytes::{Buf, Bytes, BytesMut};

use crate::Now;
use crate::error::HandshakeError;
use crate::limits::{HANDSHAKE_LEFTOVER_BYTES_MAX, HANDSHAKE_MESSAGE_BYTES_MAX};

use std::time::Duration;

/// How long the length in front of a handshake message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LengthPrefix {
    /// Two bytes: TCP.
    Two,
    /// Four bytes: TLS (`inet_tls_dist` sets `{packet, 4}` from the start).
    Four,
}

/// What both machines share: unread input, unwritten output, and the deadline of the step.
#[derive(Debug)]
pub(super) struct Transport {
    prefix: LengthPrefix,
    input: BytesMut,
    output: Vec<u8>,
    step_time: Duration,
    deadline: Now,
}

impl Transport {
    pub(super) fn new(prefix: LengthPrefix, step_time: Duration, now: Now) -> Self {
        let deadline = now.saturating_add(step_time);
        Self { prefix, input: BytesMut::new(), output: Vec::new(), step_time, deadline }
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), HandshakeError> {
        let got = self.input.len().saturating_add(bytes.len());
        if got > HANDSHAKE_LEFTOVER_BYTES_MAX {
            return Err(HandshakeError::Limit {
                what: "bytes ahead of the handshake",
                max: HANDSHAKE_LEFTOVER_BYTES_MAX as u64,
                got: got as u64,
            });
        }
        self.input.extend_from_slice(bytes);
        Ok(())
    }

    /// The next whole message, and a new deadline for the step that follows it.
    pub(super) fn next(&mut self, now: Now) -> Result<Option<Bytes>, HandshakeError> {
        let (head, length) = match self.prefix {
            LengthPrefix::Two if self.input.len() >= 2 => (2, (&self.input[..]).get_u16() as usize),
            LengthPrefix::Four if self.input.len() >= 4 => {
                (4, (&self.input[..]).get_u32() as usize)
            }
            _ => return Ok(None),
        };
        if length > HANDSHAKE_MESSAGE_BYTES_MAX {
            return Err(HandshakeError::Limit {
                what: "handshake message bytes",
                max: HANDSHAKE_MESSAGE_BYTES_MAX as u64,
                got: length as u64,
            });
        }
        if self.input.len() < head + length {
            return Ok(None);
        }
        self.input.advance(head);
        self.deadline = now.saturating_add(self.step_time);
        Ok(Some(self.input.split_to(length).freeze()))
    }

    /// Queues one message, written by `body`.
    pub(super) fn put(&mut self, body: impl FnOnce(&mut Vec<u8>)) {
        let start = self.output.len();
        let head = match self.prefix {
            LengthPrefix::Two => 2,
            LengthPrefix::Four => 4,
        };
        self.output.resize(start + head, 0);
        body(&mut self.output);
        // Our own messages are a name and a few numbers: always far below 64 KiB.
        let length = (self.output.len() - start - head) as u32;
        self.output[start..start + head].copy_from_slice(&length.to_be_bytes()[4 - head..]);
    }

    pub(super) fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    pub(super) fn take_leftover(&mut self) -> Bytes {
        self.input.split().freeze()
    }

    pub(super) fn restart(&mut self, now: Now) {
        self.deadline = now.saturating_add(self.step_time);
    }

    pub(super) fn deadline(&self) -> Now {
        self.deadline
    }
}
