//! Binaries and bit strings.
//!
//! A binary that arrives in a message is a window into the received bytes: never copied, cheap to
//! clone. One that fits the term itself (22 bytes) lives there, so that short strings neither
//! allocate nor keep a large message alive.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;

use crate::limits::BINARY_INLINE_BYTES_MAX;

/// A sequence of bytes; cloning shares them.
#[derive(Clone)]
pub struct Binary(Repr);

#[derive(Clone)]
enum Repr {
    Inline {
        len: u8,
        bytes: [u8; BINARY_INLINE_BYTES_MAX],
    },
    Window {
        owner: Arc<Bytes>,
        offset: u32,
        len: u32,
    },
    /// More than a window's 32 bits can say.
    Whole(Arc<Bytes>),
}

impl Binary {
    /// A binary that copies a slice.
    #[must_use]
    pub fn copy_from_slice(bytes: &[u8]) -> Self {
        Self::inline(bytes).unwrap_or_else(|| Self::share(Bytes::copy_from_slice(bytes)))
    }

    /// The bytes as they are handed out for vectored writes; nothing is copied unless they are few.
    #[must_use]
    pub fn as_bytes(&self) -> Bytes {
        match &self.0 {
            Repr::Inline { .. } => Bytes::copy_from_slice(self),
            Repr::Window { owner, offset, len } => {
                owner.slice(*offset as usize..*offset as usize + *len as usize)
            }
            Repr::Whole(owner) => Bytes::clone(owner),
        }
    }

    /// The text, if the bytes are UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self).ok()
    }

    /// A binary with an allocation of its own, which keeps no received message alive.
    #[must_use]
    pub fn detach(&self) -> Self {
        Self::copy_from_slice(self)
    }

    /// A window into bytes whose owner is shared by many binaries. The range must lie inside.
    pub(crate) fn window(owner: &Arc<Bytes>, offset: usize, len: usize) -> Self {
        if let Some(small) = Self::inline(&owner[offset..offset + len]) {
            return small;
        }
        match (u32::try_from(offset), u32::try_from(len)) {
            (Ok(offset), Ok(len)) => Self(Repr::Window { owner: Arc::clone(owner), offset, len }),
            _ => Self(Repr::Whole(Arc::new(owner.slice(offset..offset + len)))),
        }
    }

    /// Whether the bytes live in the term itself.
    pub(crate) fn is_inline(&self) -> bool {
        matches!(self.0, Repr::Inline { .. })
    }

    /// The first `len` of these bytes. All are copied, which takes less than to find out how many; the
    /// others are never looked at.
    #[inline]
    pub(crate) fn beginning(bytes: &[u8; BINARY_INLINE_BYTES_MAX], len: usize) -> Self {
        debug_assert!(len <= bytes.len());
        Self(Repr::Inline { len: len as u8, bytes: *bytes })
    }

    fn inline(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > BINARY_INLINE_BYTES_MAX {
            return None;
        }
        let mut inline = [0; BINARY_INLINE_BYTES_MAX];
        inline[..bytes.len()].copy_from_slice(bytes);
        Some(Self(Repr::Inline { len: bytes.len() as u8, bytes: inline }))
    }

    fn share(bytes: Bytes) -> Self {
        Self(Repr::Whole(Arc::new(bytes)))
    }
}

impl From<Bytes> for Binary {
    fn from(bytes: Bytes) -> Self {
        Self::inline(&bytes).unwrap_or_else(|| Self::share(bytes))
    }
}

impl From<Vec<u8>> for Binary {
    fn from(bytes: Vec<u8>) -> Self {
        Self::from(Bytes::from(bytes))
    }
}

impl From<&[u8]> for Binary {
    fn from(bytes: &[u8]) -> Self {
        Self::copy_from_slice(bytes)
    }
}

impl Default for Binary {
    fn default() -> Self {
        Self(Repr::Inline { len: 0, bytes: [0; BINARY_INLINE_BYTES_MAX] })
    }
}

impl Deref for Binary {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Repr::Window { owner, offset, len } => {
                &owner[*offset as usize..*offset as usize + *len as usize]
            }
            Repr::Whole(owner) => owner,
        }
    }
}

impl AsRef<[u8]> for Binary {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Binary {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Binary {}

impl Hash for Binary {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl fmt::Debug for Binary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::text::erlang::write_binary(formatter, self)
    }
}

/// A sequence of bits whose number is no multiple of eight.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BitString(Arc<BitData>);

#[derive(PartialEq, Eq, Hash)]
struct BitData {
    bytes: Binary,
    last_bits: u8,
}

impl BitString {
    /// Bits from bytes of which the last counts only its `last_bits` (1..=7) high bits; its other
    /// bits are cleared. `None` without bytes or for other numbers of bits.
    #[must_use]
    pub fn new(bytes: impl Into<Binary>, last_bits: u8) -> Option<Self> {
        let mut bytes = bytes.into();
        if !(1..=7).contains(&last_bits) {
            return None;
        }
        let last = *bytes.last()?;
        let masked = last & (0xff << (8 - last_bits));
        if masked != last {
            let mut copy = bytes.to_vec();
            copy.pop();
            copy.push(masked);
            bytes = Binary::from(copy);
        }
        Some(Self(Arc::new(BitData { bytes, last_bits })))
    }

    /// All bytes; the unused low bits of the last are zero.
    #[must_use]
    pub fn bytes(&self) -> &Binary {
        &self.0.bytes
    }

    /// Bits that count in the last byte, 1..=7.
    #[must_use]
    pub fn last_bits(&self) -> u8 {
        self.0.last_bits
    }

    /// The number of bits.
    #[must_use]
    pub fn bit_len(&self) -> usize {
        (self.0.bytes.len() - 1) * 8 + usize::from(self.0.last_bits)
    }

    /// The whole bytes, and the last one with its unused bits zero.
    pub(crate) fn split(&self) -> (&[u8], u8) {
        let (last, whole) = self.0.bytes.split_last().expect("a bit string has at least one byte");
        (whole, *last)
    }
}

impl fmt::Debug for BitString {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::text::erlang::write_bit_string(formatter, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_binaries_share_and_short_ones_do_not() {
        let owner = Arc::new(Bytes::from(vec![7; 100]));
        let long = Binary::window(&owner, 10, 50);
        assert_eq!(long.as_bytes().as_ptr(), owner[10..].as_ptr());
        let short = Binary::window(&owner, 10, BINARY_INLINE_BYTES_MAX);
        assert!(short.is_inline());
        drop(long);
        assert_eq!(Arc::strong_count(&owner), 1);
    }

    #[test]
    fn representation_does_not_show() {
        let bytes = vec![9; 30];
        let owner = Arc::new(Bytes::from(vec![9; 100]));
        assert_eq!(Binary::from(bytes.clone()), Binary::window(&owner, 3, 30));
        assert_eq!(Binary::copy_from_slice(&bytes).detach(), Binary::from(bytes));
    }

    #[test]
    fn bit_strings_clear_unused_bits() {
        let bits = BitString::new(&[0xff, 0xff][..], 3).unwrap();
        assert_eq!(&**bits.bytes(), &[0xff, 0b1110_0000]);
        assert_eq!(bits.bit_len(), 11);
        assert!(BitString::new(&[1][..], 8).is_none());
        assert!(BitString::new(&[][..], 3).is_none());
    }
}
