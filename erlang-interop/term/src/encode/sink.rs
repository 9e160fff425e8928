//! Where encoded bytes go, and where atoms are looked up.

use bytes::Bytes;

use crate::atom::Atom;

/// Takes encoded bytes in order.
pub trait Sink {
    /// Appends bytes by copying them.
    fn put(&mut self, bytes: &[u8]);

    /// Appends a large binary that may be kept as it is, for a vectored write.
    fn put_shared(&mut self, bytes: Bytes);

    /// Binaries from this many bytes on are handed to [`Sink::put_shared`].
    fn shared_bytes_min(&self) -> usize {
        usize::MAX
    }
}

/// The atoms of a distribution header that is being built.
pub trait AtomRefs {
    /// The atom's number in the header; `None` to write its text.
    fn reference(&mut self, atom: &Atom) -> Option<u8>;
}

/// No header: every atom is written as text.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoAtomRefs;

impl AtomRefs for NoAtomRefs {
    #[inline]
    fn reference(&mut self, _: &Atom) -> Option<u8> {
        None
    }
}
