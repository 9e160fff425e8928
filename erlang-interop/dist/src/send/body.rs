//! The terms of one message, being written.

use bytes::Bytes;
use erlang_term::{Atom, AtomRefs, EncodeError, Sink, Term, encode_to};

use crate::limits::SHARED_BINARY_BYTES_MIN;

use super::atoms::OutgoingAtoms;

/// Encoded terms: bytes, and large binaries that stand between them without being copied.
#[derive(Default)]
pub(crate) struct Parts {
    pub(crate) bytes: Vec<u8>,
    /// Where in `bytes` each shared piece stands.
    pub(crate) shared: Vec<(usize, Bytes)>,
    shared_bytes: usize,
}

impl Parts {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.shared.clear();
        self.shared_bytes = 0;
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len() + self.shared_bytes
    }

    /// The pieces in order, each without a copy. Leaves nothing behind.
    pub(crate) fn take_pieces(&mut self) -> std::collections::VecDeque<Bytes> {
        let mut bytes = Bytes::from(std::mem::take(&mut self.bytes));
        let mut pieces = std::collections::VecDeque::new();
        let mut at = 0;
        for (position, piece) in self.shared.drain(..) {
            if position > at {
                pieces.push_back(bytes.split_to(position - at));
                at = position;
            }
            pieces.push_back(piece);
        }
        if !bytes.is_empty() {
            pieces.push_back(bytes);
        }
        self.shared_bytes = 0;
        pieces
    }
}

impl Sink for Parts {
    fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn put_shared(&mut self, piece: Bytes) {
        self.shared_bytes += piece.len();
        self.shared.push((self.bytes.len(), piece));
    }

    fn shared_bytes_min(&self) -> usize {
        SHARED_BINARY_BYTES_MIN
    }
}

/// The atoms of a frame: by reference to its header, or all written out.
struct FrameAtoms<'a>(Option<&'a mut OutgoingAtoms>);

impl AtomRefs for FrameAtoms<'_> {
    fn reference(&mut self, atom: &Atom) -> Option<u8> {
        self.0.as_mut().and_then(|atoms| atoms.reference(atom))
    }
}

/// Writes terms into [`Parts`].
pub(crate) struct Body<'a> {
    parts: &'a mut Parts,
    atoms: FrameAtoms<'a>,
    empty: &'a Atom,
}

impl<'a> Body<'a> {
    pub(crate) fn new(
        parts: &'a mut Parts,
        atoms: Option<&'a mut OutgoingAtoms>,
        empty: &'a Atom,
    ) -> Self {
        Self { parts, atoms: FrameAtoms(atoms), empty }
    }

    pub(crate) fn len(&self) -> usize {
        self.parts.len()
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.parts.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn small_integer(&mut self, value: u8) {
        self.bytes(&[97, value]);
    }

    pub(crate) fn empty_atom(&mut self) {
        self.atom(self.empty);
    }

    pub(crate) fn atom(&mut self, atom: &Atom) {
        if let Some(index) = self.atoms.reference(atom) {
            return self.bytes(&[82, index]);
        }
        let text = atom.as_str().as_bytes();
        match u8::try_from(text.len()) {
            Ok(length) => self.bytes(&[119, length]),
            Err(_) => {
                let length = text.len() as u16;
                self.bytes(&[118]);
                self.bytes(&length.to_be_bytes());
            }
        }
        self.bytes(text);
    }

    pub(crate) fn term(&mut self, term: &Term) -> Result<(), EncodeError> {
        encode_to(term, self.parts, &mut self.atoms)
    }
}
