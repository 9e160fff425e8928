//! A `Term` as a part of a value: to and from terms it goes as it is, elsewhere as its external format.
//!
//! serde has no way to hand a foreign value through. A name that nothing else uses tells our own
//! serializer and deserializer that a term waits beside the call.

use std::cell::Cell;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde::ser::{Error as _, Serialize, Serializer};

use crate::decode::decode;
use crate::encode::{EncodeOptions, encode_with};
use crate::term::Term;

pub(super) const TERM_NAME: &str = "$erlang_term::Term";

thread_local! {
    static WAITING: Cell<Option<Term>> = const { Cell::new(None) };
}

/// The term that `Serialize for Term` has just put beside the call.
pub(super) fn take_term() -> Option<Term> {
    WAITING.take()
}

/// Puts a term beside the call, for `Deserialize for Term` to take.
pub(super) fn lend_term(term: &Term) {
    WAITING.set(Some(term.clone()));
}

struct Encoded<'a>(&'a Term);

impl Serialize for Encoded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Another format asks for the content: the offer beside the call is void.
        WAITING.take();
        let bytes = encode_with(self.0, &EncodeOptions::default()).map_err(S::Error::custom)?;
        serializer.serialize_bytes(&bytes)
    }
}

/// Into terms as it is; into other formats as the bytes of its external format.
impl Serialize for Term {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        lend_term(self);
        serializer.serialize_newtype_struct(TERM_NAME, &Encoded(self))
    }
}

struct TermVisitor;

impl<'de> Visitor<'de> for TermVisitor {
    type Value = Term;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a term, or the bytes of its external format")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Term, E> {
        take_term().ok_or_else(|| E::custom("no term was given"))
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Term, E> {
        decode(&bytes::Bytes::copy_from_slice(bytes)).map_err(E::custom)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Term, D::Error> {
        deserializer.deserialize_bytes(self)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut bytes: A) -> Result<Term, A::Error> {
        let mut all = Vec::new();
        while let Some(byte) = bytes.next_element::<u8>()? {
            all.push(byte);
        }
        decode(&bytes::Bytes::from(all)).map_err(A::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Term {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(TERM_NAME, TermVisitor)
    }
}

/// Into terms as it is; into other formats as its text.
impl Serialize for crate::Atom {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        lend_term(&Term::Atom(self.clone()));
        serializer.serialize_newtype_struct(TERM_NAME, &Text(self.as_str()))
    }
}

struct Text<'a>(&'a str);

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        WAITING.take();
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for crate::Atom {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::new(&text).map_err(D::Error::custom)
    }
}
