//! What is to be written, in order: frames that are ready, and fragments that wait for their turn.

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};
use erlang_term::{Atom, Pid, Term};

use crate::control::{self, Control};
use crate::error::SendError;
use crate::flags::DistributionFlags;
use crate::limits::{
    FIRST_FRAGMENT_PAYLOAD_BYTES, FRAGMENT_PAYLOAD_BYTES, OUTPUT_BATCH_BYTES_MAX,
    SHARED_BINARY_BYTES_MIN, UNFRAGMENTED_BYTES_MAX,
};

use super::atoms::OutgoingAtoms;
use super::body::{Body, Parts};
use super::bulk::{Message, Stream};

const VERSION: u8 = 131;
const PASS_THROUGH: u8 = 112;
const DIST_HEADER: u8 = 68;
const FRAGMENT_FIRST: u8 = 69;
const FRAGMENT_NEXT: u8 = 70;
/// A frame without content.
const TICK_BYTES: usize = 4;
/// Room that a small frame takes in front of its terms, atoms aside.
const COALESCED_BYTES: usize = 16 * 1024;

/// The sending half of a connection.
pub(crate) struct Outbox {
    flags: DistributionFlags,
    message_bytes_max: usize,
    atoms: Option<OutgoingAtoms>,
    /// Terms of the message being sent; kept for its allocation.
    parts: Parts,
    header: Vec<u8>,
    empty: Atom,
    /// Frames in order; the last ones still in `tail`.
    ready: VecDeque<Bytes>,
    tail: BytesMut,
    /// Senders with unfinished messages, the next one in front.
    streams: VecDeque<Stream>,
    next_sequence: u64,
    queued: usize,
    tick_bytes: usize,
}

impl Outbox {
    pub(crate) fn new(flags: DistributionFlags, message_bytes_max: usize) -> Self {
        let cached = flags.contains(DistributionFlags::DIST_HDR_ATOM_CACHE);
        Self {
            flags,
            message_bytes_max,
            atoms: cached.then(OutgoingAtoms::new),
            parts: Parts::default(),
            header: Vec::with_capacity(64),
            empty: Atom::new("").expect("the empty atom is short"),
            ready: VecDeque::new(),
            tail: BytesMut::new(),
            streams: VecDeque::new(),
            next_sequence: 1,
            queued: 0,
            tick_bytes: 0,
        }
    }

    /// Bytes that wait to be polled.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.queued
    }

    pub(crate) fn tick(&mut self) {
        self.tail.put_u32(0);
        self.queued += TICK_BYTES;
        self.tick_bytes += TICK_BYTES;
    }

    /// Bytes of ticks that were queued since this was asked last: more than that is more than ticks.
    pub(crate) fn take_tick_bytes(&mut self) -> usize {
        std::mem::take(&mut self.tick_bytes)
    }

    /// Encodes and queues one message of `sender`, if that's known.
    pub(crate) fn send(
        &mut self,
        sender: Option<&Pid>,
        control: &Control,
        payload: Option<&Term>,
    ) -> Result<(), SendError> {
        let receiver = control.receiver();
        let held = self.streams.iter().position(|stream| stream.holds(sender, receiver));
        let control_bytes = self.encode(control, payload, held.is_none())?;
        if let Some(stream) = held {
            let bytes = self.parts.len();
            let pieces = self.parts.take_pieces();
            self.queued += bytes;
            self.streams[stream].waiting.push_back(Message { pieces, control_bytes, bytes });
        } else if self.fragments(self.parts.len() - control_bytes) {
            self.queued += self.parts.len();
            let bytes = self.parts.len();
            let message = Message { pieces: self.parts.take_pieces(), control_bytes, bytes };
            let sequence = self.next_sequence;
            self.next_sequence += 1;
            let (message, next_id) = self.first_fragment(sequence, message);
            let (sender, receiver) = (sender.cloned(), receiver.cloned());
            let waiting = VecDeque::new();
            let stream = Stream { sender, receiver, sequence, next_id, message, waiting };
            self.streams.push_back(stream);
        } else {
            self.single_frame();
        }
        Ok(())
    }

    /// Whether so much payload is cut. A control term is not: it is whole in the first fragment.
    fn fragments(&self, payload_bytes: usize) -> bool {
        payload_bytes > UNFRAGMENTED_BYTES_MAX && self.flags.contains(DistributionFlags::FRAGMENTS)
    }

    /// Whether frames have a distribution header.
    fn has_header(&self) -> bool {
        self.flags.intersects(DistributionFlags::DIST_HDR_ATOM_CACHE | DistributionFlags::FRAGMENTS)
    }

    /// Encodes both terms into `parts` and the atoms into `header`; returns the control term's length.
    fn encode(
        &mut self,
        control: &Control,
        payload: Option<&Term>,
        cached: bool,
    ) -> Result<usize, SendError> {
        let has_header = self.has_header();
        self.parts.clear();
        if let Some(atoms) = &mut self.atoms {
            atoms.begin();
        }
        let atoms = if cached { self.atoms.as_mut() } else { None };
        let mut body = Body::new(&mut self.parts, atoms, &self.empty);
        let version: &[u8] = if has_header { &[] } else { &[VERSION] };
        body.bytes(version);
        let mut result = control::encode(control, &mut body);
        let control_bytes = body.len();
        if let (Ok(()), Some(payload)) = (&result, payload) {
            body.bytes(version);
            result = body.term(payload);
        }
        let bytes = self.parts.len();
        let result = match result {
            Ok(()) if bytes > self.message_bytes_max => {
                Err(SendError::TooLong { bytes, max: self.message_bytes_max })
            }
            result => result.map_err(SendError::from),
        };
        if let Err(error) = result {
            if let Some(atoms) = &mut self.atoms {
                atoms.abandon();
            }
            self.parts.clear();
            return Err(error);
        }
        self.header.clear();
        match &self.atoms {
            Some(atoms) if cached => atoms.write_header(&mut self.header),
            _ if has_header => self.header.push(0),
            _ => {}
        }
        Ok(control_bytes)
    }

    /// Queues the message in `parts` as one frame.
    fn single_frame(&mut self) {
        let terms = self.parts.len();
        let start = self.tail.len();
        self.begin_frame(terms);
        let mut at = 0;
        self.queued += self.tail.len() - start + terms;
        for (position, piece) in self.parts.shared.drain(..) {
            self.tail.extend_from_slice(&self.parts.bytes[at..position]);
            at = position;
            self.ready.push_back(self.tail.split().freeze());
            self.ready.push_back(piece);
        }
        self.tail.extend_from_slice(&self.parts.bytes[at..]);
        self.parts.clear();
    }

    /// Length, tag and `header` of a frame whose terms have that many bytes.
    fn begin_frame(&mut self, terms: usize) {
        if self.tail.capacity() - self.tail.len() < self.header.len() + 8 {
            self.tail.reserve(COALESCED_BYTES.max(self.header.len() + 8));
        }
        // The lengths fit: terms are bounded by `message_bytes_max` and a header by its 255 atoms.
        if self.has_header() {
            self.tail.put_u32((2 + self.header.len() + terms) as u32);
            self.tail.put_slice(&[VERSION, DIST_HEADER]);
        } else {
            self.tail.put_u32((1 + terms) as u32);
            self.tail.put_u8(PASS_THROUGH);
        }
        self.tail.extend_from_slice(&self.header);
    }

    /// Queues the first fragment; returns what is left and the id of the next one.
    fn first_fragment(&mut self, sequence: u64, mut message: Message) -> (Message, u64) {
        let first = message.control_bytes + FIRST_FRAGMENT_PAYLOAD_BYTES;
        let rest = message.bytes.saturating_sub(first);
        let id = 1 + rest.div_ceil(FRAGMENT_PAYLOAD_BYTES) as u64;
        // There is a next one, or it would have the id 0, which ends a BEAM.
        debug_assert!(id > 1);
        let first = first.min(message.bytes);
        self.tail.put_u32((18 + self.header.len() + first) as u32);
        self.tail.put_slice(&[VERSION, FRAGMENT_FIRST]);
        self.tail.put_u64(sequence);
        self.tail.put_u64(id);
        self.tail.extend_from_slice(&self.header);
        self.queued += 22 + self.header.len();
        let tail = &mut self.tail;
        message.take(first, |piece| tail.extend_from_slice(&piece));
        (message, id - 1)
    }

    /// Moves one fragment of the sender whose turn it is to the ready frames.
    fn next_fragment(&mut self) {
        let Some(mut stream) = self.streams.pop_front() else { return };
        let bytes = stream.message.bytes.min(FRAGMENT_PAYLOAD_BYTES);
        self.tail.put_u32((18 + bytes) as u32);
        self.tail.put_slice(&[VERSION, FRAGMENT_NEXT]);
        self.tail.put_u64(stream.sequence);
        self.tail.put_u64(stream.next_id);
        self.queued += 22;
        self.ready.push_back(self.tail.split().freeze());
        stream.message.take(bytes, |piece| self.ready.push_back(piece));
        stream.next_id -= 1;
        if stream.next_id > 0 || self.release(&mut stream) {
            self.streams.push_back(stream);
        }
    }

    /// Lets go what waited behind a finished message, up to the next that needs fragments. Returns
    /// whether there's one.
    fn release(&mut self, stream: &mut Stream) -> bool {
        while let Some(mut message) = stream.waiting.pop_front() {
            // What waited was encoded without the cache.
            self.header.clear();
            if self.has_header() {
                self.header.push(0);
            }
            if self.fragments(message.bytes - message.control_bytes) {
                stream.sequence = self.next_sequence;
                self.next_sequence += 1;
                (stream.message, stream.next_id) = self.first_fragment(stream.sequence, message);
                return true;
            }
            let (start, terms) = (self.tail.len(), message.bytes);
            self.begin_frame(terms);
            self.queued += self.tail.len() - start;
            let (tail, ready) = (&mut self.tail, &mut self.ready);
            message.take(terms, |piece| {
                if piece.len() < SHARED_BINARY_BYTES_MIN {
                    tail.extend_from_slice(&piece);
                } else {
                    ready.push_back(tail.split().freeze());
                    ready.push_back(piece);
                }
            });
        }
        false
    }

    /// Hands out what to write next: frames that are ready, up to a bound, and then one fragment.
    /// Returns how many bytes that is.
    pub(crate) fn poll(&mut self, to: &mut Vec<Bytes>) -> usize {
        let mut handed = 0;
        while handed < OUTPUT_BATCH_BYTES_MAX
            && let Some(chunk) = self.ready.pop_front()
        {
            handed += chunk.len();
            to.push(chunk);
        }
        if self.ready.is_empty() {
            if !self.tail.is_empty() {
                handed += self.tail.len();
                to.push(self.tail.split().freeze());
            }
            self.next_fragment();
            for chunk in self.ready.drain(..) {
                handed += chunk.len();
                to.push(chunk);
            }
            // What a finished stream released stays in the tail only until the next poll.
        }
        self.queued -= handed;
        handed
    }
}
