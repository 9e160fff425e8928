//! Messages that come in pieces, until they are whole.
// spec: erl_dist_protocol, "Distribution Header for Fragmented Messages"

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use bytes::Bytes;
use erlang_term::Atom;

use crate::connection::ConnectionLimits;
use crate::control::Control;
use crate::error::ConnectionError;

use super::spare::Spare;

/// A message whose last fragment hasn't come.
pub(crate) struct Unfinished {
    pub(crate) control: Control,
    /// The atoms of the first fragment's header, which the payload may refer to.
    pub(crate) atoms: Vec<Atom>,
    payload: Vec<u8>,
    next_id: u64,
}

/// A message whose last fragment has come.
pub(crate) struct Joined {
    pub(crate) control: Control,
    pub(crate) atoms: Vec<Atom>,
    pub(crate) payload: Bytes,
}

/// All unfinished messages of a peer, by sequence id.
pub(crate) struct Fragments {
    unfinished: HashMap<u64, Unfinished>,
    bytes: usize,
    limits: ConnectionLimits,
    spare: Spare,
}

impl Fragments {
    pub(crate) fn new(limits: ConnectionLimits, spare: Spare) -> Self {
        Self { unfinished: HashMap::new(), bytes: 0, limits, spare }
    }

    /// Bytes held for unfinished messages.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Messages that are unfinished.
    pub(crate) fn len(&self) -> usize {
        self.unfinished.len()
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
        control: Control,
        atoms: Vec<Atom>,
        payload: &[u8],
    ) -> Result<(), ConnectionError> {
        self.account(0, payload.len())?;
        let payload = payload.to_vec();
        let message = Unfinished { control, atoms, payload, next_id: id - 1 };
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
        let Entry::Occupied(mut entry) = self.unfinished.entry(sequence) else {
            return Err(misbehaved("a fragment of an unfinished message", sequence));
        };
        let message = entry.get_mut();
        if id == 0 || id != message.next_id {
            return Err(misbehaved("the next lower fragment id", id));
        }
        let before = message.payload.len();
        account(&mut self.bytes, &self.limits, before, data.len())?;
        message.next_id -= 1;
        // All but the last fragment have one length, so this is about what follows.
        let more =
            usize::try_from(message.next_id).unwrap_or(usize::MAX).saturating_mul(data.len());
        self.spare.extend(&mut message.payload, data, more);
        if message.next_id > 0 {
            return Ok(None);
        }
        let Unfinished { control, atoms, payload, .. } = entry.remove();
        self.bytes -= payload.len();
        Ok(Some(Joined { control, atoms, payload: self.spare.seal(payload) }))
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

fn misbehaved(expected: &'static str, got: u64) -> ConnectionError {
    ConnectionError::Misbehaved { expected, got: got.to_string() }
}
