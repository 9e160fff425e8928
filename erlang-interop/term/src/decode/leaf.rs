//! Terms that contain no other terms (except the node names of identifiers).

use super::container::Decoder;
use super::error::{DecodeError, DecodeErrorKind};
use super::reader::Reader;
use crate::atom::Atom;
use crate::big_integer::{BigInteger, integer_from_wire, small_integer};
use crate::binary::{Binary, BitString};
use crate::fun::Fun;
use crate::identifier::{Pid, Port, Reference};
use crate::limits::{
    ATOM_BYTES_MAX, BIG_INLINE_BYTES_MAX, BINARY_INLINE_BYTES_MAX, REFERENCE_WORDS_MAX,
};
use crate::tag;
use crate::term::Term;

/// Bytes of `FLOAT_EXT`, a float as text.
const FLOAT_TEXT_BYTES: usize = 31;

/// An atom in any of its forms.
pub(crate) fn atom(reader: &mut Reader<'_>, atom_refs: &[Atom]) -> Result<Atom, DecodeError> {
    match reader.u8()? {
        tag::ATOM_CACHE_REF => atom_reference(reader, atom_refs),
        tag @ (tag::SMALL_ATOM_UTF8 | tag::ATOM_UTF8 | tag::ATOM | tag::SMALL_ATOM) => {
            atom_text(reader, tag)
        }
        _ => {
            reader.at -= 1;
            reader.fail(DecodeErrorKind::Expected { what: "an atom" })
        }
    }
}

pub(super) fn atom_reference(reader: &mut Reader<'_>, atoms: &[Atom]) -> Result<Atom, DecodeError> {
    let index = reader.u8()?;
    match atoms.get(usize::from(index)) {
        Some(atom) => Ok(atom.clone()),
        None => {
            reader.at -= 2;
            reader.fail(DecodeErrorKind::AtomReference { index, known: atoms.len() })
        }
    }
}

pub(super) fn atom_text(reader: &mut Reader<'_>, tag: u8) -> Result<Atom, DecodeError> {
    let start = reader.at - 1;
    let len = match tag {
        tag::SMALL_ATOM_UTF8 | tag::SMALL_ATOM => usize::from(reader.u8()?),
        _ => usize::from(reader.u16()?),
    };
    let error = |kind| DecodeError { offset: start, kind };
    if len > ATOM_BYTES_MAX {
        return Err(error(DecodeErrorKind::Limit {
            what: "bytes of an atom",
            max: ATOM_BYTES_MAX,
        }));
    }
    let bytes = reader.slice(len)?;
    if let (tag::SMALL_ATOM_UTF8 | tag::ATOM_UTF8, Some(atom)) = (tag, Atom::remembered(bytes)) {
        return Ok(atom);
    }
    let latin1;
    let text = if matches!(tag, tag::ATOM | tag::SMALL_ATOM) && !bytes.is_ascii() {
        latin1 = bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
        &*latin1
    } else {
        std::str::from_utf8(bytes)
            .map_err(|_| error(DecodeErrorKind::Invalid { what: "UTF-8 of an atom" }))?
    };
    Atom::new(text).map_err(|_| error(DecodeErrorKind::Invalid { what: "length of an atom" }))
}

impl Decoder<'_> {
    #[inline]
    pub(super) fn float(&mut self) -> Result<f64, DecodeError> {
        let value = f64::from_bits(self.reader.u64()?);
        self.finite(value, 9)
    }

    pub(super) fn float_text(&mut self) -> Result<f64, DecodeError> {
        let text = self.reader.slice(FLOAT_TEXT_BYTES)?;
        let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
        let value = std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok());
        self.finite(value.unwrap_or(f64::NAN), 1 + FLOAT_TEXT_BYTES)
    }

    #[inline]
    fn finite(&mut self, value: f64, len: usize) -> Result<f64, DecodeError> {
        if value.is_finite() {
            return Ok(value);
        }
        self.reader.at -= len;
        self.reader.fail(DecodeErrorKind::Invalid { what: "float" })
    }

    /// Pushes the integer of the sign byte and `len` bytes of magnitude.
    #[inline]
    pub(super) fn big(&mut self, len: usize) -> Result<(), DecodeError> {
        let bytes = &self.reader.bytes[self.reader.at..];
        // Short ones are read as one word, of which the bytes of what follows are cut off.
        if let 1..=8 = len
            && let Some([sign, word @ ..]) = bytes.first_chunk::<9>()
        {
            let magnitude = u64::from_le_bytes(*word) & (u64::MAX >> (64 - 8 * len));
            if let Some(value) = small_integer(*sign != 0, magnitude) {
                self.reader.at += len + 1;
                self.push_made(|| Term::Integer(value));
                return Ok(());
            }
        } else if let 9..BIG_INLINE_BYTES_MAX = len
            && let Some([sign, word @ ..]) = bytes.first_chunk::<17>()
        {
            let magnitude = u128::from_le_bytes(*word) & (u128::MAX >> (128 - 8 * len));
            if let Some(big) = BigInteger::inline(*sign, magnitude, len) {
                self.reader.at += len + 1;
                self.push_made(|| Term::BigInteger(big));
                return Ok(());
            }
        }
        let term = integer_from_wire(self.reader.slice(len.saturating_add(1))?);
        self.values.push(term);
        Ok(())
    }

    /// Pushes the binary of the next `len` bytes.
    #[inline]
    pub(super) fn push_binary(&mut self, len: usize) -> Result<(), DecodeError> {
        if len <= BINARY_INLINE_BYTES_MAX
            && let Some(bytes) = self.reader.bytes[self.reader.at..].first_chunk()
        {
            self.reader.at += len;
            self.push_made(|| Term::Binary(Binary::beginning(bytes, len)));
            return Ok(());
        }
        let binary = self.bytes(len)?;
        self.values.push(Term::Binary(binary));
        Ok(())
    }

    pub(super) fn bytes(&mut self, len: usize) -> Result<Binary, DecodeError> {
        let at = self.reader.at;
        let slice = self.reader.slice(len)?;
        if len <= BINARY_INLINE_BYTES_MAX {
            return Ok(Binary::copy_from_slice(slice));
        }
        Ok(Binary::window(self.owner.shared(), at, len))
    }

    pub(super) fn bit_binary(&mut self) -> Result<Term, DecodeError> {
        let len = self.reader.u32()? as usize;
        let bits = self.reader.u8()?;
        let bytes = self.bytes(len)?;
        if bits == 8 || (bits == 0 && len == 0) {
            return Ok(Term::Binary(bytes));
        }
        match BitString::new(bytes, bits) {
            Some(bit_string) => Ok(Term::BitString(bit_string)),
            None => self.reader.fail(DecodeErrorKind::Invalid { what: "bits of a bit string" }),
        }
    }

    pub(super) fn atom(&mut self) -> Result<Atom, DecodeError> {
        atom(&mut self.reader, self.atom_refs)
    }

    fn creation(&mut self, one_byte: bool) -> Result<u32, DecodeError> {
        if one_byte { Ok(u32::from(self.reader.u8()?)) } else { self.reader.u32() }
    }

    pub(super) fn pid(&mut self, tag: u8) -> Result<Pid, DecodeError> {
        let node = self.atom()?;
        let (id, serial) = (self.reader.u32()?, self.reader.u32()?);
        Ok(Pid::new(node, id, serial, self.creation(tag == tag::PID)?))
    }

    pub(super) fn port(&mut self, tag: u8) -> Result<Term, DecodeError> {
        let node = self.atom()?;
        let id =
            if tag == tag::V4_PORT { self.reader.u64()? } else { u64::from(self.reader.u32()?) };
        Ok(Term::Port(Port::new(node, id, self.creation(tag == tag::PORT)?)))
    }

    pub(super) fn reference(&mut self, tag: u8) -> Result<Term, DecodeError> {
        if tag == tag::REFERENCE {
            let node = self.atom()?;
            let word = self.reader.u32()?;
            let creation = self.creation(true)?;
            return Ok(Term::Reference(Reference::new(node, creation, &[word])));
        }
        let len = usize::from(self.reader.u16()?);
        if !(1..=REFERENCE_WORDS_MAX).contains(&len) {
            return self
                .reader
                .fail(DecodeErrorKind::Invalid { what: "number of words of a reference" });
        }
        let node = self.atom()?;
        let creation = self.creation(tag == tag::NEW_REFERENCE)?;
        let mut words = [0; REFERENCE_WORDS_MAX];
        for word in &mut words[..len] {
            *word = self.reader.u32()?;
        }
        Ok(Term::Reference(Reference::new(node, creation, &words[..len])))
    }

    pub(super) fn export(&mut self) -> Result<Term, DecodeError> {
        let (module, function) = (self.atom()?, self.atom()?);
        match self.reader.array()? {
            [tag::SMALL_INTEGER, arity] => Ok(Term::Fun(Fun::export(module, function, arity))),
            _ => {
                self.reader.at -= 2;
                self.reader.fail(DecodeErrorKind::Expected { what: "an arity" })
            }
        }
    }
}
