//! `<<...>>`: bits put together from segments.

use super::scanner::{Parsed, Scanner};
use crate::binary::{Binary, BitString};
use crate::term::Term;

/// Bits of one integer segment.
const SEGMENT_BITS_MAX: u64 = 64;

/// Bits as they are written, the highest of each byte first.
#[derive(Default)]
pub(super) struct Bits {
    bytes: Vec<u8>,
    /// Bits used of the last byte; 0 when it is full.
    used: u32,
}

impl Bits {
    pub(super) fn push_bytes(&mut self, bytes: &[u8]) {
        if self.used == 0 {
            self.bytes.extend_from_slice(bytes);
        } else {
            bytes.iter().for_each(|byte| self.push(u64::from(*byte), 8));
        }
    }

    fn push(&mut self, value: u64, bits: u32) {
        for bit in (0..bits).rev() {
            if self.used == 0 {
                self.bytes.push(0);
            }
            let last = self.bytes.last_mut().expect("a byte was pushed");
            *last |= ((value >> bit & 1) as u8) << (7 - self.used);
            self.used = (self.used + 1) % 8;
        }
    }

    /// An integer, cut to `bits` as in both languages.
    pub(super) fn push_integer(
        &mut self,
        scanner: &Scanner<'_>,
        value: &Term,
        bits: Option<&Term>,
    ) -> Parsed<()> {
        let bits = bits.map_or(Some(8), |bits| u64::try_from(bits.as_integer()?).ok());
        match (value, bits) {
            (Term::Integer(value), Some(bits)) if bits <= SEGMENT_BITS_MAX => {
                self.push(*value as u64, bits as u32);
                Ok(())
            }
            (Term::Integer(_), _) => {
                scanner.fail(format!("a segment has 0 to {SEGMENT_BITS_MAX} bits"))
            }
            _ => scanner.fail("a segment is a small integer or a string"),
        }
    }

    pub(super) fn finish(self) -> Term {
        match u8::try_from(self.used) {
            Ok(used @ 1..) => BitString::new(Binary::from(self.bytes), used)
                .map_or_else(|| Term::Binary(Binary::default()), Term::BitString),
            _ => Term::binary(self.bytes),
        }
    }
}
