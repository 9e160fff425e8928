//! Integers that do not fit 64 bits.
//!
//! Kept as they travel (a sign byte, then the magnitude with its least byte first): decoding and
//! encoding are a copy, and no arithmetic happens unless someone asks for it. Up to 104 bits live in
//! the term itself, longer ones have an allocation.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use num_bigint::{BigInt, Sign};
use num_traits::ToPrimitive;

use crate::limits::{BIG_INLINE_BYTES_MAX, DECIMAL_BYTES_MAX};
use crate::term::Term;

/// An integer outside the range of `i64`; smaller ones are always [`Term::Integer`].
#[derive(Clone)]
pub struct BigInteger(Repr);

#[derive(Clone)]
enum Repr {
    Inline {
        len: u8,
        bytes: [u8; BIG_INLINE_BYTES_MAX],
    },
    /// More bytes than that.
    Shared(Arc<Box<[u8]>>),
}

impl BigInteger {
    /// Whether the number is below zero.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        self.wire_bytes()[0] != 0
    }

    /// The absolute value, least byte first, without leading zeros (at the end).
    #[must_use]
    pub fn magnitude(&self) -> &[u8] {
        &self.wire_bytes()[1..]
    }

    /// The number for arithmetic.
    #[must_use]
    pub fn to_bigint(&self) -> BigInt {
        let sign = if self.is_negative() { Sign::Minus } else { Sign::Plus };
        BigInt::from_bytes_le(sign, self.magnitude())
    }

    /// The nearest float; infinite beyond the range of floats.
    #[must_use]
    pub fn to_f64(&self) -> f64 {
        self.to_bigint().to_f64().unwrap_or(f64::NAN)
    }

    /// The sign byte and the magnitude, as they are written after a bignum's length.
    pub(crate) fn wire_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Repr::Shared(bytes) => bytes,
        }
    }

    /// Of sign byte and magnitude, which must be normal: a sign of 0 or 1, no zeros at the end.
    fn from_normal(bytes: &[u8]) -> Self {
        if bytes.len() > BIG_INLINE_BYTES_MAX {
            return Self(Repr::Shared(Arc::new(bytes.into())));
        }
        let mut inline = [0; BIG_INLINE_BYTES_MAX];
        inline[..bytes.len()].copy_from_slice(bytes);
        Self(Repr::Inline { len: bytes.len() as u8, bytes: inline })
    }

    /// Of a magnitude of `len` bytes, 9 to below [`BIG_INLINE_BYTES_MAX`], and its sign; `None` when
    /// they are not normal.
    #[inline]
    pub(crate) fn inline(sign: u8, magnitude: u128, len: usize) -> Option<Self> {
        let is_normal = sign <= 1 && magnitude >> (8 * (len - 1)) != 0;
        let bytes = (magnitude << 8 | u128::from(sign)).to_le_bytes();
        let bytes = *bytes.first_chunk().expect("an inline integer is shorter than 128 bits");
        is_normal.then_some(Self(Repr::Inline { len: len as u8 + 1, bytes }))
    }

    /// The magnitude's 64-bit digits, the least first.
    pub(crate) fn digits(&self) -> impl DoubleEndedIterator<Item = u64> + ExactSizeIterator {
        self.magnitude().chunks(8).map(|chunk| {
            let mut digit = [0; 8];
            digit[..chunk.len()].copy_from_slice(chunk);
            u64::from_le_bytes(digit)
        })
    }
}

/// The term of an integer given as sign byte and magnitude (least byte first). `bytes` must not be empty.
#[inline]
pub(crate) fn integer_from_wire(bytes: &[u8]) -> Term {
    let negative = bytes[0] != 0;
    let mut magnitude = &bytes[1..];
    if magnitude.len() > 8 {
        while let Some((0, rest)) = magnitude.split_last() {
            magnitude = rest;
        }
    }
    if magnitude.len() <= 8 {
        let mut digit = [0; 8];
        digit[..magnitude.len()].copy_from_slice(magnitude);
        if let Some(small) = small_integer(negative, u64::from_le_bytes(digit)) {
            return Term::Integer(small);
        }
    }
    if bytes[0] <= 1 {
        return Term::BigInteger(BigInteger::from_normal(&bytes[..=magnitude.len()]));
    }
    let mut normal = vec![u8::from(negative)];
    normal.extend_from_slice(magnitude);
    Term::BigInteger(BigInteger::from_normal(&normal))
}

/// The number, if it is within 64 bits.
#[inline]
pub(crate) fn small_integer(negative: bool, magnitude: u64) -> Option<i64> {
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

impl From<BigInt> for Term {
    fn from(value: BigInt) -> Self {
        if let Some(small) = value.to_i64() {
            return Self::Integer(small);
        }
        let (sign, mut bytes) = value.to_bytes_le();
        bytes.insert(0, u8::from(sign == Sign::Minus));
        integer_from_wire(&bytes)
    }
}

impl From<u64> for Term {
    fn from(value: u64) -> Self {
        Self::from(i128::from(value))
    }
}

impl From<i128> for Term {
    fn from(value: i128) -> Self {
        if let Ok(small) = i64::try_from(value) {
            return Self::Integer(small);
        }
        let mut bytes = [0; 17];
        bytes[0] = u8::from(value < 0);
        bytes[1..].copy_from_slice(&value.unsigned_abs().to_le_bytes());
        integer_from_wire(&bytes)
    }
}

impl From<u128> for Term {
    fn from(value: u128) -> Self {
        let mut bytes = [0; 17];
        bytes[1..].copy_from_slice(&value.to_le_bytes());
        integer_from_wire(&bytes)
    }
}

impl From<usize> for Term {
    fn from(value: usize) -> Self {
        Self::from(value as u64)
    }
}

impl PartialEq for BigInteger {
    fn eq(&self, other: &Self) -> bool {
        self.wire_bytes() == other.wire_bytes()
    }
}

impl Eq for BigInteger {}

impl Hash for BigInteger {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.wire_bytes().hash(state);
    }
}

impl PartialOrd for BigInteger {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for BigInteger {
    fn cmp(&self, other: &Self) -> Ordering {
        let sizes = |left: &Self, right: &Self| {
            let (left, right) = (left.magnitude(), right.magnitude());
            left.len().cmp(&right.len()).then_with(|| left.iter().rev().cmp(right.iter().rev()))
        };
        match (self.is_negative(), other.is_negative()) {
            (false, false) => sizes(self, other),
            (true, true) => sizes(other, self),
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
        }
    }
}

impl BigInteger {
    /// The digits, in decimal if these are not too many; else in hexadecimal behind `prefix`.
    pub(crate) fn write(&self, out: &mut impl fmt::Write, prefix: &str) -> fmt::Result {
        let magnitude = self.magnitude();
        if magnitude.len() <= DECIMAL_BYTES_MAX {
            return write!(out, "{}", self.to_bigint());
        }
        if self.is_negative() {
            out.write_char('-')?;
        }
        out.write_str(prefix)?;
        // It has no leading zeros, so the first byte is none.
        let (last, bytes) = magnitude.split_last().unwrap_or((&0, &[]));
        write!(out, "{last:X}")?;
        bytes.iter().rev().try_for_each(|byte| write!(out, "{byte:02X}"))
    }
}

impl fmt::Display for BigInteger {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(formatter, "16#")
    }
}

impl fmt::Debug for BigInteger {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn huge_numbers_are_printed_in_hexadecimal() {
        let shifted = |bits: usize| BigInt::from(0xABC_u32) << bits;
        let printed = |value: BigInt| Term::from(value).to_string();
        let decimal = shifted(DECIMAL_BYTES_MAX * 8 - 12);
        assert_eq!(printed(decimal.clone()), decimal.to_string());
        let huge = shifted(DECIMAL_BYTES_MAX * 8);
        assert_eq!(printed(huge.clone()), format!("16#{huge:X}"));
        assert_eq!(printed(-&huge), format!("-16#{huge:X}"));
        let elixir = Term::from(huge.clone()).to_elixir().to_string();
        assert_eq!(elixir, format!("0x{huge:X}"));
        assert_eq!(Term::from(huge).excerpt(8), "16#ABC00…");
    }

    #[test]
    fn only_numbers_outside_64_bits_are_big() {
        assert_eq!(Term::from(i128::from(i64::MIN)), Term::Integer(i64::MIN));
        assert_eq!(Term::from(i64::MAX as u64), Term::Integer(i64::MAX));
        for big in [i128::from(i64::MIN) - 1, i128::from(i64::MAX) + 1, i128::MIN, i128::MAX] {
            let Term::BigInteger(integer) = Term::from(big) else { panic!("{big} is big") };
            assert_eq!(integer.to_bigint(), BigInt::from(big));
        }
    }

    #[test]
    fn wire_form_is_normalised() {
        assert_eq!(integer_from_wire(&[1, 5, 0, 0]), Term::Integer(-5));
        assert_eq!(integer_from_wire(&[0]), Term::Integer(0));
        let padded = [&[7][..], &[1; 10], &[0; 3]].concat();
        let plain = [&[1][..], &[1; 10]].concat();
        assert_eq!(integer_from_wire(&padded), integer_from_wire(&plain));
    }

    #[test]
    fn order_follows_sign_and_size() {
        let big = |value: i128| match Term::from(value) {
            Term::BigInteger(integer) => integer,
            other => panic!("{other} is small"),
        };
        let ascending = [i128::MIN, -(1 << 80), -(1 << 70), 1 << 70, (1 << 70) + 256, 1 << 80];
        for pair in ascending.windows(2) {
            assert!(big(pair[0]) < big(pair[1]));
        }
    }
}
