//! Messages that come in pieces, until they are whole.
// spec: erl_dist_protocol, "Distribution Header for Fragmented Messages"

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use bytes::Bytes;
use erlang_term::Atom;

use crate::connection::ConnectionLimits;
use crate::error::ConnectionError;
use crate::limits::{ATOM_BYTES, READ_BUFFER_BYTES};

use super::spare::Spare;

/// Length, version, tag, and the two ids in front of a fragment.
pub(crate) const FRAGMENT_HEADER_BYTES: usize = 22;

/// What the first fragment of a message brings beside payload.
pub(crate) struct Head {
    /// The control term as it came: decoded it could take many times as much.
    pub(crate) control: Bytes,
    /// The atoms of the fragment's header, which both terms may refer to.
    pub(crate) atoms: Vec<Atom>,
}

impl Head {
    /// About the bytes that it holds.
    fn bytes(&self) -> usize {
        let atoms = self.atoms.iter().map(|atom| ATOM_BYTES + atom.as_str().len());
        self.control.len() + atoms.sum::<usize>()
    }
}

/// A message whose last fragment hasn't come.
struct Unfinished {
    head: Head,
    head_bytes: usize,
    payload: Vec<u8>,
    next_id: u64,
}

/// A message whose last fragment has come.
pub(crate) struct Joined {
    pub(crate) head: Head,
    pub(crate) payload: Bytes,
}

/// All unfinished messages of a peer, by sequence id.
pub(crate) struct Fragments {
    unfinished: HashMap<u64, Unfinished>,
    bytes: usize,
    limits: ConnectionLimits,
    spare: Spare,
    /// The fragment whose bytes are read straight into its message.
    incoming: Option<Incoming>,
    /// How many were unfinished and held how much when a tick interval began.
    seen: (usize, usize),
    /// Tick intervals since that has changed.
    idle: u32,
}

/// A fragment of which a part has come.
struct Incoming {
    sequence: u64,
    /// Length of the message's payload when the fragment began, and when it will be whole.
    start: usize,
    end: usize,
}

impl Fragments {
    pub(crate) fn new(limits: ConnectionLimits, spare: Spare) -> Self {
        Self {
            unfinished: HashMap::new(),
            bytes: 0,
            limits,
            spare,
            incoming: None,
            seen: (0, 0),
            idle: 0,
        }
    }

    /// Bytes held for unfinished messages.
    pub(crate) fn bytes(&self) -> usize {
        let arrived = self.incoming.as_ref().and_then(|incoming| {
            self.unfinished.get(&incoming.sequence).map(|m| m.payload.len() - incoming.start)
        });
        self.bytes + arrived.unwrap_or(0)
    }

    /// Messages that are unfinished.
    pub(crate) fn len(&self) -> usize {
        self.unfinished.len()
    }

    /// Called once in a tick interval. An error if for more than `idle_max` of them nothing has come of
    /// messages that are unfinished.
    pub(crate) fn age(&mut self, idle_max: u32) -> Result<(), ConnectionError> {
        let now = (self.len(), self.bytes());
        let idle = self.len() > 0 && now == self.seen;
        self.idle = if idle { self.idle + 1 } else { 0 };
        self.seen = now;
        if self.idle > idle_max {
            return Err(ConnectionError::Limit {
                what: "tick intervals without a byte of an unfinished message",
                max: idle_max.into(),
                got: self.idle.into(),
            });
        }
        Ok(())
    }

    /// Checks a first fragment's id before anything of it is read.
    pub(crate) fn check_first(&self, sequence: u64, id: u64) -> Result<(), ConnectionError> {
        if id == 0 {
            return Err(misbehaved("a fragment id that counts down to 1", id));
        }
        if id > self.limits.fragment_id_max {
            let max = self.limits.fragment_id_max;
            return Err(ConnectionError::Limit { what: "fragments of a message", max, got: id });
        }
        if self.unfinished.contains_key(&sequence) {
            return Err(misbehaved("the sequence id of no unfinished message", sequence));
        }
        if id > 1 && self.unfinished.len() >= self.limits.fragmented_messages_max {
            return Err(ConnectionError::Limit {
                what: "unfinished fragmented messages",
                max: self.limits.fragmented_messages_max as u64,
                got: self.unfinished.len() as u64 + 1,
            });
        }
        Ok(())
    }

    /// Keeps the first fragment of a message of which more is to come.
    pub(crate) fn begin(
        &mut self,
        sequence: u64,
        id: u64,
        head: Head,
        payload: &[u8],
    ) -> Result<(), ConnectionError> {
        let head_bytes = head.bytes();
        self.account(0, head_bytes + payload.len())?;
        let payload = payload.to_vec();
        let message = Unfinished { head, head_bytes, payload, next_id: id - 1 };
        self.unfinished.insert(sequence, message);
        Ok(())
    }

    /// Adds a fragment; returns the message if it was the last one.
    pub(crate) fn add(
        &mut self,
        sequence: u64,
        id: u64,
        data: &[u8],
    ) -> Result<Option<Joined>, ConnectionError> {
        let message = self.expected(sequence, id)?;
        let before = message.payload.len();
        account(&mut self.bytes, &self.limits, before, data.len())?;
        let message = self.unfinished.get_mut(&sequence).expect("it was found above");
        let more = following(message, data.len());
        self.spare.extend(&mut message.payload, data, more);
        Ok(self.fragment_ended(sequence))
    }

    /// The unfinished message of which this fragment is next.
    fn expected(&self, sequence: u64, id: u64) -> Result<&Unfinished, ConnectionError> {
        let message = self.unfinished.get(&sequence);
        let message =
            message.ok_or_else(|| misbehaved("a fragment of an unfinished message", sequence))?;
        if id == 0 || id != message.next_id {
            return Err(misbehaved("the next lower fragment id", id));
        }
        Ok(message)
    }

    /// Counts a fragment that is whole; returns the message if it was the last one.
    fn fragment_ended(&mut self, sequence: u64) -> Option<Joined> {
        let Entry::Occupied(mut entry) = self.unfinished.entry(sequence) else { return None };
        entry.get_mut().next_id -= 1;
        if entry.get().next_id > 0 {
            return None;
        }
        let Unfinished { head, head_bytes, payload, .. } = entry.remove();
        self.bytes -= head_bytes + payload.len();
        let payload = self.spare.seal(self.spare.fitted(payload));
        Some(Joined { head, payload })
    }

    /// Takes the `front` of a fragment of `length` bytes. The rest is to be read into
    /// [`Fragments::space`], where the message is joined, until [`Fragments::poll_incoming`] says
    /// that it is whole.
    pub(crate) fn begin_incoming(
        &mut self,
        sequence: u64,
        id: u64,
        length: usize,
        front: &[u8],
    ) -> Result<(), ConnectionError> {
        let start = self.expected(sequence, id)?.payload.len();
        // What hasn't come is checked but not counted.
        account(&mut self.bytes.clone(), &self.limits, start, length)?;
        let message = self.unfinished.get_mut(&sequence).expect("it was found above");
        let more = following(message, length).saturating_add(length - front.len());
        self.spare.extend(&mut message.payload, front, more);
        self.incoming = Some(Incoming { sequence, start, end: start + length });
        Ok(())
    }

    /// Room for the rest of the incoming fragment. It grows with what has come.
    pub(crate) fn space(&mut self) -> Option<&mut Vec<u8>> {
        let incoming = self.incoming.as_ref()?;
        let message = self.unfinished.get_mut(&incoming.sequence)?;
        let (length, wanted) = (message.payload.len(), incoming.wanted(message));
        let least = wanted.min(READ_BUFFER_BYTES);
        if message.payload.capacity() - length < least {
            let more = following(message, incoming.end - incoming.start).saturating_add(wanted);
            self.spare.grow(&mut message.payload, least, more);
        }
        Some(&mut message.payload)
    }

    /// How much may be read into [`Fragments::space`]: to the end of the fragment, and the header
    /// that may be behind it.
    pub(crate) fn wanted(&self) -> Option<usize> {
        let incoming = self.incoming.as_ref()?;
        self.unfinished.get(&incoming.sequence).map(|message| incoming.wanted(message))
    }

    /// Looks at what was read into [`Fragments::space`]. `None` until the fragment is whole; then
    /// the message if it was the last, and what was read beyond the fragment goes to `behind`.
    pub(crate) fn poll_incoming(&mut self, behind: &mut Vec<u8>) -> Option<Option<Joined>> {
        let Incoming { sequence, start, end } = *self.incoming.as_ref()?;
        let message = self.unfinished.get_mut(&sequence)?;
        if message.payload.len() < end {
            return None;
        }
        behind.extend_from_slice(&message.payload[end..]);
        message.payload.truncate(end);
        self.bytes += end - start;
        self.incoming = None;
        Some(self.fragment_ended(sequence))
    }

    pub(crate) fn is_incoming(&self) -> bool {
        self.incoming.is_some()
    }

    fn account(&mut self, before: usize, more: usize) -> Result<(), ConnectionError> {
        account(&mut self.bytes, &self.limits, before, more)
    }
}

fn account(
    bytes: &mut usize,
    limits: &ConnectionLimits,
    before: usize,
    more: usize,
) -> Result<(), ConnectionError> {
    let limit = |what, max: usize, got: usize| {
        Err(ConnectionError::Limit { what, max: max as u64, got: got as u64 })
    };
    if before + more > limits.message_bytes_max {
        return limit("bytes of a fragmented message", limits.message_bytes_max, before + more);
    }
    if *bytes + more > limits.fragments_bytes_max {
        let got = *bytes + more;
        return limit("bytes of unfinished messages", limits.fragments_bytes_max, got);
    }
    *bytes += more;
    Ok(())
}

impl Incoming {
    fn wanted(&self, message: &Unfinished) -> usize {
        self.end.saturating_sub(message.payload.len()) + FRAGMENT_HEADER_BYTES
    }
}

/// Bytes that follow the next fragment at most, with the header that may be read behind them, if it has
/// `length` and says the truth: all but the last have one length.
fn following(message: &Unfinished, length: usize) -> usize {
    let fragments = usize::try_from(message.next_id.saturating_sub(1)).unwrap_or(usize::MAX);
    fragments.saturating_mul(length).saturating_add(FRAGMENT_HEADER_BYTES)
}

fn misbehaved(expected: &'static str, got: u64) -> ConnectionError {
    ConnectionError::Misbehaved { expected, got: got.to_string() }
}
