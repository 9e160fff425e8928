//! The value of every Erlang type.

use std::sync::Arc;

use bytes::Bytes;

use crate::atom::Atom;
use crate::big_integer::BigInteger;
use crate::binary::{Binary, BitString};
use crate::fun::Fun;
use crate::identifier::{Pid, Port, Reference};
use crate::list::List;
use crate::map::Map;
use crate::tuple::Tuple;

/// An Erlang term. Cloning shares whatever is not a few bytes.
///
/// `==` is Erlang's `=:=` as OTP 27 has it (so `0.0` and `-0.0` differ); [`Term::equals`] is its
/// `==`. `Ord` is the order of map keys, where all integers come before all floats;
/// [`Term::cmp_order`] is that of `<` and of `lists:sort/1`. `Display` and `Debug` print Erlang
/// syntax, [`Term::to_elixir`] prints Elixir's.
///
/// Dropping, comparing, hashing, encoding and printing take no more of the thread's stack however deep
/// a term is. The decoders and parsers of this crate bound the depth of what they build.
#[derive(Clone)]
#[non_exhaustive]
pub enum Term {
    /// An integer within 64 bits.
    Integer(i64),
    /// An integer outside 64 bits.
    BigInteger(BigInteger),
    /// A float; Erlang has neither infinities nor NaN, and encoding refuses them.
    Float(f64),
    /// An atom, `true` and `nil` included.
    Atom(Atom),
    /// A reference.
    Reference(Reference),
    /// A function.
    Fun(Fun),
    /// A port.
    Port(Port),
    /// A process.
    Pid(Pid),
    /// A tuple.
    Tuple(Tuple),
    /// A map, or in Elixir a struct.
    Map(Map),
    /// The empty list.
    Nil,
    /// A list with at least one element.
    List(List),
    /// A binary; Elixir's strings are these.
    Binary(Binary),
    /// Bits that do not fill their last byte.
    BitString(BitString),
    /// What only the node that wrote it can read.
    Local(LocalTerm),
}

const _: () = assert!(size_of::<Term>() <= 24, "terms are moved and stored by the million");

/// A term in the local external format, opaque to all but its maker. spec: erl_ext_dist, "LOCAL_EXT".
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalTerm(Arc<Bytes>);

impl LocalTerm {
    /// Wraps what follows the tag 121.
    #[must_use]
    pub fn new(bytes: Bytes) -> Self {
        Self(Arc::new(bytes))
    }

    /// What follows the tag 121.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }
}

impl Term {
    /// The atom of a literal text.
    ///
    /// # Panics
    /// When the text has more than 255 characters: for text that is not a literal use [`Atom::new`].
    #[must_use]
    pub fn atom(text: &'static str) -> Self {
        Self::Atom(Atom::from_checked(text))
    }

    /// The proper list of these elements.
    #[must_use]
    pub fn list<T: Into<Self>>(elements: impl IntoIterator<Item = T>) -> Self {
        List::new(elements.into_iter().map(Into::into)).map_or(Self::Nil, Self::List)
    }

    /// The list of these elements that ends in `tail`; just the tail when there are none.
    #[must_use]
    pub fn improper_list<T: Into<Self>>(
        elements: impl IntoIterator<Item = T>,
        tail: impl Into<Self>,
    ) -> Self {
        let mut elements: Vec<Self> = elements.into_iter().map(Into::into).collect();
        match tail.into() {
            tail if elements.is_empty() => tail,
            Self::Nil => Self::list(elements),
            Self::List(rest) => {
                elements.extend(rest.iter());
                Self::improper_list(elements, rest.tail().clone())
            }
            tail => Self::List(List::improper(elements.into(), tail)),
        }
    }

    /// The tuple of these elements.
    #[must_use]
    pub fn tuple<T: Into<Self>>(elements: impl IntoIterator<Item = T>) -> Self {
        Self::Tuple(Tuple::new(elements.into_iter().map(Into::into)))
    }

    /// The map of these pairs; of equal keys the last counts.
    #[must_use]
    pub fn map<K: Into<Self>, V: Into<Self>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        Self::Map(Map::new(pairs.into_iter().map(|(key, value)| (key.into(), value.into()))))
    }

    /// A binary of these bytes.
    #[must_use]
    pub fn binary(bytes: impl Into<Binary>) -> Self {
        Self::Binary(bytes.into())
    }

    /// The UTF-8 binary that Elixir calls a string.
    #[must_use]
    pub fn string(text: &str) -> Self {
        Self::Binary(Binary::copy_from_slice(text.as_bytes()))
    }

    /// The list of code points that Erlang calls a string.
    #[must_use]
    pub fn charlist(text: &str) -> Self {
        if text.is_ascii() {
            return List::from_bytes(text.as_bytes()).map_or(Self::Nil, Self::List);
        }
        Self::list(text.chars().map(|character| i64::from(u32::from(character))))
    }
}

impl Default for Term {
    /// The empty list.
    fn default() -> Self {
        Self::Nil
    }
}
