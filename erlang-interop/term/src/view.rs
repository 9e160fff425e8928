//! A lazy look at an encoded term: nothing is decoded but what is asked for.
//!
//! Routing needs one key of a map or the first element of a tuple, not the payload beside it. A
//! [`TermView`] steps over what it is not asked for, without recursion and without allocating, and each
//! step checks the bytes it walks over. What it does not walk over it does not check; [`TermView::decode`]
//! does, with the usual limits.
//!
//! ```
//! use erlang_term::{encode, term, view::TermView};
//! let bytes = encode(&term!({route, #{target => "web-1", payload => [1, 2, 3]}}));
//! let target = TermView::new(&bytes)?.element(1)?.and_then(|map| map.key("target").transpose());
//! assert_eq!(target.transpose()?.and_then(|name| name.as_str()), Some("web-1"));
//! # Ok::<(), erlang_term::DecodeError>(())
//! ```

use bytes::Bytes;

use crate::atom::Atom;
use crate::decode::reader::Reader;
use crate::decode::{DecodeError, DecodeErrorKind, DecodeOptions, decode_prefix};
use crate::tag;
use crate::term::Term;

/// A term within encoded bytes.
#[derive(Clone, Copy, Debug)]
pub struct TermView<'a> {
    bytes: &'a [u8],
    at: usize,
    atom_refs: &'a [Atom],
}

/// What kind of term a view looks at, with the number of its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// An integer of any size.
    Integer,
    /// A float.
    Float,
    /// An atom.
    Atom,
    /// A pid.
    Pid,
    /// A port.
    Port,
    /// A reference.
    Reference,
    /// A function.
    Fun,
    /// A tuple of so many elements.
    Tuple(usize),
    /// A map of so many pairs.
    Map(usize),
    /// A list of so many elements before its tail (which may be a list again); 0 for `[]`.
    List(usize),
    /// A binary of so many bytes.
    Binary(usize),
    /// A bit string of so many bytes, the last not full.
    BitString(usize),
}

impl<'a> TermView<'a> {
    /// Looks at what `term_to_binary` wrote. Compressed terms can only be decoded.
    ///
    /// # Errors
    /// When the bytes do not begin with 131 and a term.
    pub fn new(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        match bytes.first() {
            Some(&tag::VERSION) => Self::within(bytes, 1, &[]),
            Some(&got) => Err(DecodeError { offset: 0, kind: DecodeErrorKind::Version { got } }),
            None => Err(DecodeError { offset: 0, kind: DecodeErrorKind::Truncated }),
        }
    }

    /// Looks at the term that starts at `at`, without a version byte, in a message whose header lists
    /// `atom_refs`.
    ///
    /// # Errors
    /// When no term starts there.
    pub fn within(bytes: &'a [u8], at: usize, atom_refs: &'a [Atom]) -> Result<Self, DecodeError> {
        let view = Self { bytes, at, atom_refs };
        view.shape().map(|_| view)
    }

    /// What is there.
    ///
    /// # Errors
    /// When no term starts here, or the bytes end.
    pub fn shape(&self) -> Result<Shape, DecodeError> {
        let mut reader = self.reader();
        Ok(match reader.u8()? {
            tag::SMALL_INTEGER | tag::INTEGER | tag::SMALL_BIG | tag::LARGE_BIG => Shape::Integer,
            tag::NEW_FLOAT | tag::FLOAT => Shape::Float,
            tag::ATOM_CACHE_REF
            | tag::ATOM
            | tag::SMALL_ATOM
            | tag::ATOM_UTF8
            | tag::SMALL_ATOM_UTF8 => Shape::Atom,
            tag::NEW_PID | tag::PID => Shape::Pid,
            tag::V4_PORT | tag::NEW_PORT | tag::PORT => Shape::Port,
            tag::NEWER_REFERENCE | tag::NEW_REFERENCE | tag::REFERENCE => Shape::Reference,
            tag::NEW_FUN | tag::EXPORT => Shape::Fun,
            tag::SMALL_TUPLE => Shape::Tuple(usize::from(reader.u8()?)),
            tag::LARGE_TUPLE => Shape::Tuple(reader.u32()? as usize),
            tag::MAP => Shape::Map(reader.u32()? as usize),
            tag::NIL => Shape::List(0),
            tag::STRING => Shape::List(usize::from(reader.u16()?)),
            tag::LIST => Shape::List(reader.u32()? as usize),
            tag::BINARY => Shape::Binary(reader.u32()? as usize),
            tag::BIT_BINARY => {
                let len = reader.u32()? as usize;
                if reader.u8()? == 8 { Shape::Binary(len) } else { Shape::BitString(len) }
            }
            tag => return Err(DecodeError { offset: self.at, kind: DecodeErrorKind::Tag { tag } }),
        })
    }

    /// The element of a tuple, from 0; `None` when this is no tuple or has no such element.
    ///
    /// # Errors
    /// When the bytes before it are no terms.
    pub fn element(&self, index: usize) -> Result<Option<Self>, DecodeError> {
        match self.shape()? {
            Shape::Tuple(arity) if index < arity => {
                let mut reader = self.reader();
                let header = if reader.u8()? == tag::SMALL_TUPLE { 2 } else { 5 };
                reader.at = self.at + header;
                skip(&mut reader, index)?;
                Self::within(self.bytes, reader.at, self.atom_refs).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The value of the key that is the atom of this text; `None` when this is no map or has no such key.
    ///
    /// # Errors
    /// When the bytes before it are no terms.
    pub fn key(&self, key: &str) -> Result<Option<Self>, DecodeError> {
        let Shape::Map(pairs) = self.shape()? else { return Ok(None) };
        let mut reader = self.reader();
        reader.at += 5;
        for _ in 0..pairs {
            let here = Self { at: reader.at, ..*self };
            skip(&mut reader, 1)?;
            if here.is_atom(key) {
                return Self::within(self.bytes, reader.at, self.atom_refs).map(Some);
            }
            skip(&mut reader, 1)?;
        }
        Ok(None)
    }

    /// Whether this is the atom of that text.
    #[must_use]
    pub fn is_atom(&self, text: &str) -> bool {
        let mut reader = self.reader();
        let found = (|| {
            Ok::<_, DecodeError>(match reader.u8()? {
                tag::ATOM_CACHE_REF => {
                    let index = usize::from(reader.u8()?);
                    self.atom_refs.get(index).is_some_and(|atom| atom.as_str() == text)
                }
                tag::SMALL_ATOM_UTF8 => {
                    let len = usize::from(reader.u8()?);
                    reader.slice(len)? == text.as_bytes()
                }
                tag::ATOM_UTF8 => {
                    let len = usize::from(reader.u16()?);
                    reader.slice(len)? == text.as_bytes()
                }
                old @ (tag::ATOM | tag::SMALL_ATOM) => {
                    let len = if old == tag::ATOM {
                        usize::from(reader.u16()?)
                    } else {
                        usize::from(reader.u8()?)
                    };
                    reader.slice(len)?.iter().map(|byte| char::from(*byte)).eq(text.chars())
                }
                _ => false,
            })
        })();
        found.unwrap_or(false)
    }

    /// A small integer.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        let mut reader = self.reader();
        match reader.u8().ok()? {
            tag::SMALL_INTEGER => reader.u8().ok().map(i64::from),
            tag::INTEGER => reader.u32().ok().map(|value| i64::from(value as i32)),
            tag::SMALL_BIG => self.decode().ok()?.as_integer(),
            _ => None,
        }
    }

    /// The bytes of a binary.
    #[must_use]
    pub fn as_binary(&self) -> Option<&'a [u8]> {
        let mut reader = self.reader();
        if reader.u8().ok()? != tag::BINARY {
            return None;
        }
        let len = reader.u32().ok()? as usize;
        reader.slice(len).ok()
    }

    /// The text of a binary that is UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&'a str> {
        std::str::from_utf8(self.as_binary()?).ok()
    }

    /// The bytes of this term, without a version byte. A sub-term can be passed on as it is, unless the
    /// message had a header of atoms.
    ///
    /// # Errors
    /// When it is no valid term.
    pub fn raw(&self) -> Result<&'a [u8], DecodeError> {
        let mut reader = self.reader();
        skip(&mut reader, 1)?;
        Ok(&self.bytes[self.at..reader.at])
    }

    /// The term itself, with the default limits. Its bytes are copied once.
    ///
    /// # Errors
    /// When it is no valid term, or passes the limits.
    pub fn decode(&self) -> Result<Term, DecodeError> {
        let bytes = Bytes::copy_from_slice(self.raw()?);
        let options = DecodeOptions { atom_refs: self.atom_refs, ..DecodeOptions::default() };
        decode_prefix(&bytes, 0, &options).map(|(term, _)| term)
    }

    fn reader(&self) -> Reader<'a> {
        Reader { bytes: self.bytes, at: self.at }
    }
}

/// Steps over so many terms with all that is in them.
///
/// The usual terms are stepped over here, with nothing but the position to keep; what is rare, near the
/// end, or wrong is left to [`skip_head`].
fn skip(reader: &mut Reader<'_>, terms: usize) -> Result<(), DecodeError> {
    let bytes = reader.bytes;
    let (mut at, mut missing) = (reader.at, terms);
    while missing > 0 {
        missing -= 1;
        if let Some((end, inside)) = usual_head(bytes, at)
            // Every term takes a byte at least.
            && end + missing as u64 + inside <= bytes.len() as u64
        {
            at = end as usize;
            missing += inside as usize;
            continue;
        }
        reader.at = at;
        let inside = skip_head(reader)?;
        missing = missing.saturating_add(inside);
        if missing > reader.left() {
            return reader.fail(DecodeErrorKind::Truncated);
        }
        at = reader.at;
    }
    reader.at = at;
    Ok(())
}

/// How far the head of a term reaches, by its tag.
#[derive(Clone, Copy)]
struct Head {
    /// Bytes of tag, length and all that has no length of its own; 0 for tags that are left to
    /// [`skip_head`].
    bytes: u8,
    /// How far right the four bytes behind the tag are shifted to leave what the bytes, and the terms,
    /// that follow are counted by: [`NONE`] when there are none of them.
    bytes_shift: u8,
    terms_shift: u8,
    /// Terms that follow for each counted, and besides.
    pairs: bool,
    tail: bool,
}

/// A count of one, two and four bytes, or none.
const ONE: u8 = 24;
const TWO: u8 = 16;
const FOUR: u8 = 0;
const NONE: u8 = 32;

static HEADS: [Head; 256] = heads();

const fn heads() -> [Head; 256] {
    const fn head(bytes: u8, bytes_shift: u8, terms_shift: u8) -> Head {
        Head { bytes, bytes_shift, terms_shift, pairs: false, tail: false }
    }
    let mut heads = [head(0, NONE, NONE); 256];
    heads[tag::SMALL_INTEGER as usize] = head(2, NONE, NONE);
    heads[tag::ATOM_CACHE_REF as usize] = head(2, NONE, NONE);
    heads[tag::INTEGER as usize] = head(5, NONE, NONE);
    heads[tag::NEW_FLOAT as usize] = head(9, NONE, NONE);
    heads[tag::NIL as usize] = head(1, NONE, NONE);
    heads[tag::SMALL_ATOM_UTF8 as usize] = head(2, ONE, NONE);
    heads[tag::SMALL_ATOM as usize] = head(2, ONE, NONE);
    heads[tag::ATOM_UTF8 as usize] = head(3, TWO, NONE);
    heads[tag::ATOM as usize] = head(3, TWO, NONE);
    heads[tag::STRING as usize] = head(3, TWO, NONE);
    heads[tag::BINARY as usize] = head(5, FOUR, NONE);
    heads[tag::SMALL_BIG as usize] = head(3, ONE, NONE);
    heads[tag::SMALL_TUPLE as usize] = head(2, NONE, ONE);
    heads[tag::LIST as usize] = Head { tail: true, ..head(5, NONE, FOUR) };
    heads[tag::MAP as usize] = Head { pairs: true, ..head(5, NONE, FOUR) };
    heads
}

/// Where the head of a term of a usual kind ends, if the bytes reach that far, and the number of terms
/// inside it, which follow.
#[inline(always)]
fn usual_head(bytes: &[u8], at: usize) -> Option<(u64, u64)> {
    let [tag, len @ ..] = *bytes.get(at..)?.first_chunk::<5>()?;
    let at = at as u64;
    // The most frequent kinds by themselves: a processor foretells these branches, and starts with the
    // next term before it has read this one. A jump by the tag, or the table for all, takes twice as long.
    if tag == tag::SMALL_ATOM_UTF8 {
        return Some((at + 2 + u64::from(len[0]), 0));
    }
    if tag == tag::BINARY {
        return Some((at + 5 + u64::from(u32::from_be_bytes(len)), 0));
    }
    let head = HEADS[usize::from(tag)];
    if head.bytes == 0 {
        return None;
    }
    let len = u64::from(u32::from_be_bytes(len));
    let end = at + u64::from(head.bytes) + (len >> head.bytes_shift);
    let terms = (len >> head.terms_shift) << u8::from(head.pairs);
    Some((end, terms + u64::from(head.tail)))
}

/// Steps over a term's own bytes; gives the number of terms inside it, which follow.
fn skip_head(reader: &mut Reader<'_>) -> Result<usize, DecodeError> {
    let tag = reader.u8()?;
    let (bytes, terms) = match tag {
        tag::SMALL_INTEGER | tag::ATOM_CACHE_REF => (1, 0),
        tag::INTEGER => (4, 0),
        tag::NEW_FLOAT => (8, 0),
        tag::FLOAT => (31, 0),
        tag::NIL => (0, 0),
        tag::SMALL_ATOM | tag::SMALL_ATOM_UTF8 => (usize::from(reader.u8()?), 0),
        tag::ATOM | tag::ATOM_UTF8 | tag::STRING => (usize::from(reader.u16()?), 0),
        tag::BINARY => (reader.u32()? as usize, 0),
        tag::SMALL_BIG => (usize::from(reader.u8()?) + 1, 0),
        tag::LARGE_BIG | tag::BIT_BINARY => ((reader.u32()? as usize).saturating_add(1), 0),
        tag::SMALL_TUPLE => (0, usize::from(reader.u8()?)),
        tag::LARGE_TUPLE => (0, reader.u32()? as usize),
        tag::LIST => (0, (reader.u32()? as usize).saturating_add(1)),
        tag::MAP => (0, (reader.u32()? as usize).saturating_mul(2)),
        tag::EXPORT => (0, 3),
        tag::NEW_FUN => match (reader.u32()? as usize).checked_sub(4) {
            Some(rest) => (rest, 0),
            None => return reader.fail(DecodeErrorKind::Invalid { what: "size of a fun" }),
        },
        tag::NEW_PID | tag::PID | tag::V4_PORT | tag::NEW_PORT | tag::PORT | tag::REFERENCE => {
            skip_atom(reader)?;
            let numbers = match tag {
                tag::NEW_PID | tag::V4_PORT => 12,
                tag::PID => 9,
                tag::NEW_PORT => 8,
                _ => 5,
            };
            (numbers, 0)
        }
        tag::NEWER_REFERENCE | tag::NEW_REFERENCE => {
            let words = usize::from(reader.u16()?);
            skip_atom(reader)?;
            (words * 4 + if tag == tag::NEWER_REFERENCE { 4 } else { 1 }, 0)
        }
        tag => {
            reader.at -= 1;
            return reader.fail(DecodeErrorKind::Tag { tag });
        }
    };
    reader.slice(bytes)?;
    Ok(terms)
}

fn skip_atom(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    let len = match reader.u8()? {
        tag::ATOM_CACHE_REF => 1,
        tag::SMALL_ATOM | tag::SMALL_ATOM_UTF8 => usize::from(reader.u8()?),
        tag::ATOM | tag::ATOM_UTF8 => usize::from(reader.u16()?),
        _ => {
            reader.at -= 1;
            return reader.fail(DecodeErrorKind::Expected { what: "an atom" });
        }
    };
    reader.slice(len).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{encode, term};

    #[test]
    fn finds_elements_and_keys_without_decoding_the_rest() {
        let term = term!({route, #{payload => [{a, [1.5 | tail]}], id => -7, target => "web"}});
        let bytes = encode(&term);
        let view = TermView::new(&bytes).unwrap();
        assert_eq!(view.shape(), Ok(Shape::Tuple(2)));
        assert!(view.element(0).unwrap().unwrap().is_atom("route"));
        assert!(view.element(2).unwrap().is_none());
        let map = view.element(1).unwrap().unwrap();
        assert_eq!(map.key("id").unwrap().unwrap().as_integer(), Some(-7));
        assert_eq!(map.key("target").unwrap().unwrap().as_str(), Some("web"));
        assert!(map.key("none").unwrap().is_none());
        let payload = map.key("payload").unwrap().unwrap();
        assert_eq!(payload.decode(), Ok(term!([{a, [1.5 | tail]}])));
    }

    #[test]
    fn usual_terms_are_stepped_over_like_all_others() {
        let mut usual = 0;
        for tag in 0..=u8::MAX {
            for head in [[tag, 1, 0, 0, 0], [tag, 0, 1, 0, 0], [tag, 0, 0, 1, 0], [tag, 0, 1, 3, 2]]
            {
                let bytes = [&head[..], &[0; 1 << 17]].concat();
                let Some((end, terms)) = usual_head(&bytes, 0) else { continue };
                usual += 1;
                let mut reader = Reader { bytes: &bytes, at: 0 };
                let stepped = skip_head(&mut reader).map(|terms| (reader.at as u64, terms as u64));
                assert_eq!(stepped.ok(), Some((end, terms)).filter(|_| end <= 1 << 17), "{head:?}");
            }
        }
        assert_eq!(usual, 15 * 4);
    }

    #[test]
    fn hostile_bytes_are_refused() {
        for bytes in [
            &[131, 104, 2, 105, 255, 255, 255, 255][..],
            &[131, 104, 2, 112, 0, 0, 0, 1, 97],
            &[131, 104, 2, 88, 97, 1, 97],
            &[131, 104, 2, 200, 1, 1],
        ] {
            let view = TermView::new(bytes).unwrap();
            assert!(view.element(1).is_err(), "{bytes:?}");
        }
        assert!(TermView::new(&[131]).is_err());
        assert!(TermView::new(&[131, 80]).is_err());
    }
}
