//! Frames to messages.

use bytes::Bytes;
use erlang_term::{Atom, DecodeErrorKind, DecodeOptions};

use crate::connection::{ConnectionLimits, Event};
use crate::control::Control;
use crate::error::ConnectionError;
use crate::flags::DistributionFlags;
use crate::limits::READ_BUFFER_BYTES;

use super::atoms::IncomingAtoms;
use super::fragments::{FRAGMENT_HEADER_BYTES, Fragments, Head, Joined};
use super::frame_buffer::{FrameBuffer, LENGTH_BYTES};
use super::reader::TermReader;
use super::spare::Spare;

const VERSION: u8 = 131;
const PASS_THROUGH: u8 = 112;
const DIST_HEADER: u8 = 68;
const FRAGMENT_FIRST: u8 = 69;
const FRAGMENT_NEXT: u8 = 70;
const IDS_END: usize = 18;

/// The receiving half of a connection.
pub(crate) struct Inbox {
    flags: DistributionFlags,
    limits: ConnectionLimits,
    buffer: FrameBuffer,
    atoms: IncomingAtoms,
    fragments: Fragments,
    spare: Spare,
}

impl Inbox {
    pub(crate) fn new(flags: DistributionFlags, limits: ConnectionLimits) -> Self {
        let spare = Spare::default();
        Self {
            flags,
            limits,
            buffer: FrameBuffer::new(limits.frame_bytes_max, spare.clone()),
            atoms: IncomingAtoms::new(flags),
            fragments: Fragments::new(limits, spare.clone()),
            spare,
        }
    }

    pub(crate) fn push(&mut self, bytes: Bytes) {
        match self.fragments.space() {
            Some(space) => space.extend_from_slice(&bytes),
            None => self.buffer.push(bytes),
        }
    }

    /// Room to read into: where the message of an incoming fragment is joined, else the buffer.
    pub(crate) fn space(&mut self) -> &mut Vec<u8> {
        match self.fragments.space() {
            Some(space) => space,
            None => self.buffer.space(),
        }
    }

    /// How much is best read at once into [`Inbox::space`].
    ///
    /// Behind the first fragment of a message come others, whose place is known when it is read.
    pub(crate) fn wanted(&self) -> usize {
        if let Some(wanted) = self.fragments.wanted() {
            return wanted;
        }
        match *self.buffer.rest() {
            [a, b, c, d, VERSION, FRAGMENT_FIRST, ..] => {
                let frame = LENGTH_BYTES + u32::from_be_bytes([a, b, c, d]) as usize;
                (frame + FRAGMENT_HEADER_BYTES).saturating_sub(self.buffer.rest().len()).max(1)
            }
            _ => READ_BUFFER_BYTES,
        }
    }

    /// Bytes held: unread input and unfinished messages.
    pub(crate) fn held_bytes(&self) -> usize {
        self.buffer.len() + self.fragments.bytes()
    }

    /// Bytes kept for later messages.
    pub(crate) fn spare_bytes(&self) -> usize {
        self.spare.bytes()
    }

    /// Lets go what is kept for later messages.
    pub(crate) fn release_spare(&self) {
        self.spare.release();
    }

    /// Called once in a tick interval; an error if the peer doesn't go on with what it has begun.
    pub(crate) fn age(&mut self, idle_max: u32) -> Result<(), ConnectionError> {
        self.spare.age();
        self.fragments.age(idle_max)
    }

    /// Messages of which fragments are missing.
    pub(crate) fn unfinished_messages(&self) -> usize {
        self.fragments.len()
    }

    /// The next whole message in what has come. The work is bounded by what was pushed.
    pub(crate) fn next(&mut self) -> Result<Option<Event>, ConnectionError> {
        loop {
            if self.fragments.is_incoming() {
                let Some(joined) = self.fragments.poll_incoming(self.buffer.space()) else {
                    return Ok(None);
                };
                if let Some(joined) = joined {
                    return self.joined(joined).map(Some);
                }
            }
            match self.buffer.next()? {
                Some(frame) => {
                    if let Some(message) = self.frame(&frame)? {
                        return Ok(Some(message));
                    }
                }
                None if self.begin_incoming()? => {}
                None => return Ok(None),
            }
        }
    }

    /// Whether the frame that isn't whole is a fragment, whose rest then is read into its message.
    fn begin_incoming(&mut self) -> Result<bool, ConnectionError> {
        let rest = self.buffer.rest();
        let Some(&[a, b, c, d, VERSION, FRAGMENT_NEXT, ..]) =
            rest.first_chunk::<FRAGMENT_HEADER_BYTES>()
        else {
            return Ok(false);
        };
        // A length that is too short has been seen as a whole frame.
        let length = u32::from_be_bytes([a, b, c, d]) as usize - IDS_END;
        self.negotiated("a fragment", DistributionFlags::FRAGMENTS)?;
        let (sequence, id) = ids(&rest[LENGTH_BYTES..])?;
        let front = &rest[FRAGMENT_HEADER_BYTES..];
        self.fragments.begin_incoming(sequence, id, length, front)?;
        self.buffer.clear_rest();
        Ok(true)
    }

    fn frame(&mut self, frame: &Bytes) -> Result<Option<Event>, ConnectionError> {
        match frame[..] {
            // A tick says only that the peer lives, which the arrival of its bytes has said.
            [] => Ok(None),
            [PASS_THROUGH, ..] => self.pass_through(frame).map(Some),
            [VERSION, DIST_HEADER, ..] => self.dist_header(frame).map(Some),
            [VERSION, FRAGMENT_FIRST, ..] => self.first_fragment(frame),
            [VERSION, FRAGMENT_NEXT, ..] => self.next_fragment(frame),
            _ => Err(ConnectionError::Misbehaved {
                expected: "a frame that begins with 112, 131 68, 131 69 or 131 70",
                got: format!("{:?}", &frame[..frame.len().min(2)]),
            }),
        }
    }

    // spec: erl_dist_protocol, "Protocol between Connected Nodes", pass through
    fn pass_through(&mut self, frame: &Bytes) -> Result<Event, ConnectionError> {
        let header = DistributionFlags::DIST_HDR_ATOM_CACHE | DistributionFlags::FRAGMENTS;
        if self.flags.intersects(header) {
            return Err(ConnectionError::Misbehaved {
                expected: "frames with a distribution header, as negotiated",
                got: "a pass-through frame".into(),
            });
        }
        self.atoms.clear();
        let mut reader = reader(frame, 1, &[], &self.limits);
        reader.version()?;
        let control = Control::read(&mut reader, self.flags)?;
        if control.operation().has_payload() {
            reader.version()?;
        }
        message(control, &mut reader)
    }

    fn dist_header(&mut self, frame: &Bytes) -> Result<Event, ConnectionError> {
        self.negotiated(
            "a distribution header",
            DistributionFlags::DIST_HDR_ATOM_CACHE | DistributionFlags::FRAGMENTS,
        )?;
        let at = self.atoms.read(frame, 2)?;
        let mut reader = reader(frame, at, self.atoms.references(), &self.limits);
        let control = Control::read(&mut reader, self.flags)?;
        message(control, &mut reader)
    }

    fn negotiated(
        &self,
        what: &'static str,
        flag: DistributionFlags,
    ) -> Result<(), ConnectionError> {
        if self.flags.intersects(flag) {
            return Ok(());
        }
        Err(ConnectionError::NotNegotiated { what, flag })
    }

    fn first_fragment(&mut self, frame: &Bytes) -> Result<Option<Event>, ConnectionError> {
        self.negotiated("a fragment", DistributionFlags::FRAGMENTS)?;
        let (sequence, id) = ids(frame)?;
        self.fragments.check_first(sequence, id)?;
        let start = self.atoms.read(frame, IDS_END)?;
        let mut reader = reader(frame, start, self.atoms.references(), &self.limits);
        let control = Control::read(&mut reader, self.flags)?;
        if id == 1 {
            return message(control, &mut reader).map(Some);
        }
        if !control.operation().has_payload() {
            return Err(ConnectionError::Misbehaved {
                expected: "an operation with a payload in a fragmented message",
                got: control.operation().name().into(),
            });
        }
        let end = reader.position();
        let control = Bytes::copy_from_slice(&frame[start..end]);
        let head = Head { control, atoms: self.atoms.references().to_vec() };
        self.fragments.begin(sequence, id, head, &frame[end..])?;
        Ok(None)
    }

    fn next_fragment(&mut self, frame: &Bytes) -> Result<Option<Event>, ConnectionError> {
        self.negotiated("a fragment", DistributionFlags::FRAGMENTS)?;
        let (sequence, id) = ids(frame)?;
        let Some(joined) = self.fragments.add(sequence, id, &frame[IDS_END..])? else {
            return Ok(None);
        };
        self.joined(joined).map(Some)
    }

    fn joined(&self, joined: Joined) -> Result<Event, ConnectionError> {
        let Joined { head: Head { control, atoms }, payload } = joined;
        // It was read once already, to see where it ends.
        let control = Control::read(&mut reader(&control, 0, &atoms, &self.limits), self.flags)?;
        message(control, &mut reader(&payload, 0, &atoms, &self.limits))
    }
}

fn reader<'a>(
    frame: &'a Bytes,
    at: usize,
    atoms: &'a [Atom],
    limits: &ConnectionLimits,
) -> TermReader<'a> {
    let options = DecodeOptions { atom_refs: atoms, limits: limits.terms };
    TermReader::new(frame, at, atoms, options)
}

/// The rest of a message: its payload, if it has one, then the end.
fn message(control: Control, reader: &mut TermReader<'_>) -> Result<Event, ConnectionError> {
    let payload = if control.operation().has_payload() {
        reader.enter("payload");
        match reader.term() {
            Ok(term) => Some(term),
            // Its frames and atoms have been taken in already, so only this message is lost.
            Err(ConnectionError::Term { source, .. })
                if matches!(source.kind, DecodeErrorKind::Limit { .. }) =>
            {
                return Ok(Event::Oversized { control, error: source });
            }
            Err(error) => return Err(error),
        }
    } else {
        None
    };
    reader.end()?;
    Ok(Event::Message { control, payload })
}

/// Sequence id and fragment id.
fn ids(frame: &[u8]) -> Result<(u64, u64), ConnectionError> {
    if frame.len() < IDS_END {
        return Err(ConnectionError::Misbehaved {
            expected: "a sequence id and a fragment id",
            got: format!("a frame of {} bytes", frame.len()),
        });
    }
    let id = |at: usize| frame[at..at + 8].iter().fold(0, |id, byte| id << 8 | u64::from(*byte));
    Ok((id(2), id(10)))
}
