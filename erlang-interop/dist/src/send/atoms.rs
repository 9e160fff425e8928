//! The atom cache of the sending direction.
//!
//! The slot of an atom follows from its identity, as on a BEAM. Nothing is acknowledged: the peer
//! applies the entries in the order of the frames, so a header must be written in the order in which
//! it was made.
// spec: erl_dist_protocol, "Distribution Header"

use std::hash::{Hash, Hasher};

use erlang_term::Atom;

use crate::limits::{ATOM_CACHE_SLOTS, ATOM_REFERENCES_MAX};

/// What we know that the peer has in its slots, and the references of the frame being made.
pub(crate) struct OutgoingAtoms {
    slots: Vec<Slot>,
    frame: u64,
    references: Vec<Entry>,
    new: usize,
}

#[derive(Clone, Default)]
struct Slot {
    atom: Option<Atom>,
    /// The frame that last referred to the slot, and under which index.
    frame: u64,
    index: u8,
}

struct Entry {
    slot: u16,
    new: bool,
}

impl OutgoingAtoms {
    pub(crate) fn new() -> Self {
        let slots = vec![Slot::default(); ATOM_CACHE_SLOTS];
        Self { slots, frame: 0, references: Vec::with_capacity(16), new: 0 }
    }

    /// Begins the next frame.
    pub(crate) fn begin(&mut self) {
        self.frame += 1;
        self.references.clear();
        self.new = 0;
    }

    /// The index of `atom` in this frame's header, or `None` if it has to be written out: when the
    /// header is full, or another atom of this frame has its slot.
    pub(crate) fn reference(&mut self, atom: &Atom) -> Option<u8> {
        let number = slot_of(atom);
        let slot = &mut self.slots[number];
        let same = slot.atom.as_ref() == Some(atom);
        if slot.frame == self.frame {
            return same.then_some(slot.index);
        }
        if self.references.len() == ATOM_REFERENCES_MAX {
            return None;
        }
        let index = self.references.len() as u8;
        if !same {
            slot.atom = Some(atom.clone());
            self.new += 1;
        }
        slot.frame = self.frame;
        slot.index = index;
        self.references.push(Entry { slot: number as u16, new: !same });
        Some(index)
    }

    /// Takes back the entries of a frame that will not be sent.
    pub(crate) fn abandon(&mut self) {
        for entry in self.references.drain(..).filter(|entry| entry.new) {
            self.slots[usize::from(entry.slot)] = Slot::default();
        }
        self.new = 0;
    }

    /// Writes the count, flags and references of this frame.
    pub(crate) fn write_header(&self, to: &mut Vec<u8>) {
        let count = self.references.len();
        to.push(count as u8);
        if count == 0 {
            return;
        }
        let long = self.new > 0
            && self
                .references
                .iter()
                .any(|entry| entry.new && self.text(entry).len() > usize::from(u8::MAX));
        let nibble = |at: usize| match self.references.get(at) {
            Some(entry) => (u8::from(entry.new) << 3) | (entry.slot >> 8) as u8,
            None if at == count => u8::from(long),
            None => 0,
        };
        for pair in 0..=count / 2 {
            to.push(nibble(2 * pair) | (nibble(2 * pair + 1) << 4));
        }
        for entry in &self.references {
            to.push(entry.slot as u8);
            if entry.new {
                let text = self.text(entry);
                let length = text.len() as u16;
                if long {
                    to.extend_from_slice(&length.to_be_bytes());
                } else {
                    to.push(length as u8);
                }
                to.extend_from_slice(text);
            }
        }
    }

    fn text(&self, entry: &Entry) -> &[u8] {
        let atom = self.slots[usize::from(entry.slot)].atom.as_ref();
        atom.expect("a reference of this frame fills its slot").as_str().as_bytes()
    }
}

/// Atoms hash by identity: one word, which this spreads over the slots.
#[derive(Default)]
struct SlotHasher(u64);

impl Hasher for SlotHasher {
    fn finish(&self) -> u64 {
        // The top bits of a Fibonacci product depend on all bits of the word.
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - ATOM_CACHE_SLOTS.trailing_zeros())
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_usize(&mut self, word: usize) {
        self.0 ^= word as u64;
    }

    fn write_u64(&mut self, word: u64) {
        self.0 ^= word;
    }
}

const _: () = assert!(ATOM_CACHE_SLOTS.is_power_of_two());

fn slot_of(atom: &Atom) -> usize {
    let mut hasher = SlotHasher::default();
    atom.hash(&mut hasher);
    hasher.finish() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn atom(text: &str) -> Atom {
        Atom::new(text).expect("short")
    }

    fn header(atoms: &OutgoingAtoms) -> Vec<u8> {
        let mut bytes = Vec::new();
        atoms.write_header(&mut bytes);
        bytes
    }

    #[test]
    fn a_second_frame_refers_without_text() {
        let mut atoms = OutgoingAtoms::new();
        atoms.begin();
        assert_eq!(atoms.reference(&atom("rex")), Some(0));
        assert_eq!(atoms.reference(&atom("rex")), Some(0));
        let slot = slot_of(&atom("rex"));
        let first = header(&atoms);
        assert_eq!(first, [&[1, 8 | (slot >> 8) as u8, slot as u8, 3][..], b"rex"].concat());
        atoms.begin();
        assert_eq!(atoms.reference(&atom("rex")), Some(0));
        assert_eq!(header(&atoms), [1, (slot >> 8) as u8, slot as u8]);
    }

    #[test]
    fn an_abandoned_frame_leaves_no_entry() {
        let mut atoms = OutgoingAtoms::new();
        atoms.begin();
        atoms.reference(&atom("lost"));
        atoms.abandon();
        atoms.begin();
        atoms.reference(&atom("lost"));
        assert!(header(&atoms).ends_with(b"lost"));
    }

    #[test]
    fn a_long_atom_makes_all_lengths_long() {
        let mut atoms = OutgoingAtoms::new();
        let long = "é".repeat(200);
        atoms.begin();
        atoms.reference(&atom(&long));
        let bytes = header(&atoms);
        assert_eq!(bytes[1] >> 4, 1);
        assert_eq!(bytes[3..5], 400u16.to_be_bytes());
    }

    #[test]
    fn the_256th_atom_is_written_out() {
        let mut atoms = OutgoingAtoms::new();
        atoms.begin();
        let found = (0..1000).filter(|n| atoms.reference(&atom(&format!("many{n}"))).is_some());
        assert_eq!(found.count(), ATOM_REFERENCES_MAX);
    }
}
