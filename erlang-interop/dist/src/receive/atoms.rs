//! The atom cache of the receiving direction, and the header of the frame being read.
// spec: erl_dist_protocol, "Distribution Header"

use erlang_term::Atom;

use crate::error::ConnectionError;
use crate::flags::DistributionFlags;
use crate::limits::{ATOM_CACHE_SLOTS, ATOM_TEXT_BYTES_MAX};

/// What the peer has put into its slots, and the atoms that the current frame's `82 I` mean.
pub(crate) struct IncomingAtoms {
    /// Empty if the cache wasn't negotiated.
    slots: Vec<Option<Atom>>,
    references: Vec<Atom>,
    /// The slots of `references`, to see that a reference is the same as in the frame before.
    numbers: Vec<u16>,
}

const NEW: u8 = 8;

impl IncomingAtoms {
    pub(crate) fn new(flags: DistributionFlags) -> Self {
        let cached = flags.contains(DistributionFlags::DIST_HDR_ATOM_CACHE);
        let slots = if cached { vec![None; ATOM_CACHE_SLOTS] } else { Vec::new() };
        Self { slots, references: Vec::new(), numbers: Vec::new() }
    }

    /// The atoms of the header that was read last.
    pub(crate) fn references(&self) -> &[Atom] {
        &self.references
    }

    /// Frames without a header have no atoms to refer to.
    pub(crate) fn clear(&mut self) {
        self.references.clear();
        self.numbers.clear();
    }

    /// Reads a header that begins at `at`; returns where the control term begins.
    ///
    /// New entries are applied even if the message is dropped later: the stream is the only order.
    pub(crate) fn read(&mut self, frame: &[u8], at: usize) -> Result<usize, ConnectionError> {
        let mut header = Header { frame, at };
        let count = usize::from(header.byte()?);
        if count > 0 && self.slots.is_empty() {
            return Err(ConnectionError::NotNegotiated {
                what: "atom cache references",
                flag: DistributionFlags::DIST_HDR_ATOM_CACHE,
            });
        }
        self.references.truncate(count);
        self.numbers.truncate(count);
        if count == 0 {
            return Ok(header.at);
        }
        let flags = header.bytes(count / 2 + 1)?;
        let nibble = |at: usize| (flags[at / 2] >> (4 * (at % 2))) & 0xf;
        let long = nibble(count) & 1 != 0;
        for index in 0..count {
            let flags = nibble(index);
            let slot = usize::from(flags & 7) << 8 | usize::from(header.byte()?);
            if flags & NEW != 0 {
                let atom = header.atom(long)?;
                self.slots[slot] = Some(atom.clone());
                // Whatever still refers to the old text has to be looked up again.
                for number in self.numbers.iter_mut().filter(|number| usize::from(**number) == slot)
                {
                    *number = u16::MAX;
                }
                self.set(index, slot, atom);
            } else if self.numbers.get(index) != Some(&(slot as u16)) {
                let Some(atom) = self.slots[slot].clone() else {
                    return Err(ConnectionError::Misbehaved {
                        expected: "a reference to a filled slot of the atom cache",
                        got: format!("slot {slot}"),
                    });
                };
                self.set(index, slot, atom);
            }
        }
        Ok(header.at)
    }

    fn set(&mut self, index: usize, slot: usize, atom: Atom) {
        // Two references of one header may mean one slot: the last text stands only from here on.
        if index < self.references.len() {
            self.references[index] = atom;
            self.numbers[index] = slot as u16;
        } else {
            self.references.push(atom);
            self.numbers.push(slot as u16);
        }
    }
}

const _: () = assert!(ATOM_CACHE_SLOTS == 8 << 8);

struct Header<'a> {
    frame: &'a [u8],
    at: usize,
}

impl<'a> Header<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8], ConnectionError> {
        let bytes = self.frame.get(self.at..self.at + count).ok_or_else(|| {
            ConnectionError::Misbehaved {
                expected: "a whole distribution header",
                got: format!("a frame of {} bytes", self.frame.len()),
            }
        })?;
        self.at += count;
        Ok(bytes)
    }

    fn byte(&mut self) -> Result<u8, ConnectionError> {
        self.bytes(1).map(|bytes| bytes[0])
    }

    fn atom(&mut self, long: bool) -> Result<Atom, ConnectionError> {
        let mut length = usize::from(self.byte()?);
        if long {
            length = length << 8 | usize::from(self.byte()?);
        }
        let bad = |got: String| ConnectionError::Misbehaved {
            expected: "an atom of at most 255 characters in UTF-8",
            got,
        };
        if length > ATOM_TEXT_BYTES_MAX {
            return Err(bad(format!("{length} bytes")));
        }
        let text =
            std::str::from_utf8(self.bytes(length)?).map_err(|error| bad(error.to_string()))?;
        Atom::new(text).map_err(|error| bad(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::send::atoms::OutgoingAtoms;

    fn texts(atoms: &IncomingAtoms) -> Vec<&str> {
        atoms.references().iter().map(Atom::as_str).collect()
    }

    #[test]
    fn reads_what_a_beam_wrote() {
        // The header of the first frame of a captured connection (OTP 25).
        let frame =
            b"\x04\x8f\xdc\x00\x44\x0bb@127.0.0.1\x05\x00\x79\x03rex\x0a\x10features_request";
        let mut atoms = IncomingAtoms::new(DistributionFlags::DEFAULT);
        assert_eq!(atoms.read(frame, 0).expect("a header"), frame.len());
        assert_eq!(texts(&atoms), ["b@127.0.0.1", "", "rex", "features_request"]);
    }

    #[test]
    fn reads_what_we_write_over_many_frames() {
        let mut outgoing = OutgoingAtoms::new();
        let mut incoming = IncomingAtoms::new(DistributionFlags::DEFAULT);
        for frame in 0..500usize {
            outgoing.begin();
            let mut expected = Vec::new();
            for n in 0..frame % 260 {
                let text =
                    format!("{}{}", "é".repeat((frame * 7 + n) % 200), (frame * 31 + n) % 3000);
                let atom = Atom::new(&text).expect("short");
                if let Some(index) = outgoing.reference(&atom)
                    && usize::from(index) == expected.len()
                {
                    expected.push(text);
                }
            }
            let mut header = Vec::new();
            outgoing.write_header(&mut header);
            assert_eq!(incoming.read(&header, 0).expect("a header"), header.len());
            assert_eq!(texts(&incoming), expected);
        }
    }

    #[test]
    fn an_empty_slot_is_no_atom() {
        let mut atoms = IncomingAtoms::new(DistributionFlags::DEFAULT);
        let error = atoms.read(&[1, 0x07, 0xff], 0).expect_err("an empty slot");
        assert!(error.to_string().contains("slot 2047"), "{error}");
        let flags = DistributionFlags::DEFAULT - DistributionFlags::DIST_HDR_ATOM_CACHE;
        let mut atoms = IncomingAtoms::new(flags);
        let error = atoms.read(&[1, 8, 0, 1, b'x'], 0).expect_err("no cache");
        assert!(matches!(error, ConnectionError::NotNegotiated { .. }));
        assert_eq!(atoms.read(&[0], 0).expect("no atoms"), 1);
    }

    #[test]
    fn a_replaced_slot_is_seen_by_later_frames() {
        let mut atoms = IncomingAtoms::new(DistributionFlags::DEFAULT);
        atoms.read(&[2, 0x88, 0, 0, 1, b'a', 1, 1, b'b'], 0).expect("two atoms");
        atoms.read(&[1, 0x08, 0, 1, b'c'], 0).expect("another text");
        atoms.read(&[2, 0x00, 0, 0, 1], 0).expect("both");
        assert_eq!(texts(&atoms), ["c", "b"]);
    }
}
