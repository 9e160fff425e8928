//! Lists that have at least one element: proper, improper, or of bytes.
//!
//! A list that arrives as `STRING_EXT` stays the bytes it came as, and a longer one of integers takes
//! four bytes for each; the elements become terms when they are looked at.

use std::sync::Arc;

use crate::binary::Binary;
use crate::equality;
use crate::limits::RECURSION_LEVELS_MAX;
use crate::release;
use crate::term::Term;

/// A non-empty list; the empty one is [`Term::Nil`].
#[derive(Clone)]
pub struct List(Repr);

#[derive(Clone)]
enum Repr {
    Proper(Arc<[Term]>),
    Other(Arc<Other>),
}

enum Other {
    Bytes(Binary),
    Integers(Box<[i32]>),
    Improper { elements: Box<[Term]>, tail: Term },
}

static NIL: Term = Term::Nil;

impl List {
    /// A proper list; `None` without elements.
    #[must_use]
    pub fn new(elements: impl IntoIterator<Item = Term>) -> Option<Self> {
        let elements: Arc<[Term]> = elements.into_iter().collect();
        (!elements.is_empty()).then_some(Self(Repr::Proper(elements)))
    }

    /// A proper list of the integers 0..=255 that these bytes are; `None` without bytes.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Binary>) -> Option<Self> {
        let bytes = bytes.into();
        (!bytes.is_empty()).then(|| Self(Repr::Other(Arc::new(Other::Bytes(bytes)))))
    }

    /// A proper list of these integers, of which there must be some.
    pub(crate) fn from_integers(integers: Vec<i32>) -> Self {
        debug_assert!(!integers.is_empty());
        Self(Repr::Other(Arc::new(Other::Integers(integers.into()))))
    }

    /// Elements and a tail that is no list. The caller checks both.
    pub(crate) fn improper(elements: Box<[Term]>, tail: Term) -> Self {
        debug_assert!(!elements.is_empty() && !matches!(tail, Term::Nil | Term::List(_)));
        Self(Repr::Other(Arc::new(Other::Improper { elements, tail })))
    }

    /// The number of elements, without the tail.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a `List` is never empty")]
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Proper(elements) => elements.len(),
            Repr::Other(other) => match &**other {
                Other::Bytes(bytes) => bytes.len(),
                Other::Integers(integers) => integers.len(),
                Other::Improper { elements, .. } => elements.len(),
            },
        }
    }

    /// What follows the last element: [`Term::Nil`] in a proper list.
    #[must_use]
    pub fn tail(&self) -> &Term {
        match &self.0 {
            Repr::Other(other) => match &**other {
                Other::Improper { tail, .. } => tail,
                Other::Bytes(_) | Other::Integers(_) => &NIL,
            },
            Repr::Proper(_) => &NIL,
        }
    }

    /// Whether the list ends in `[]`.
    #[must_use]
    pub fn is_proper(&self) -> bool {
        matches!(self.tail(), Term::Nil)
    }

    /// The elements, without the tail.
    #[must_use]
    pub fn iter(&self) -> ListIter<'_> {
        match self.parts() {
            Parts::Terms(elements, _) => ListIter(Iter::Terms(elements.iter())),
            Parts::Bytes(bytes) => ListIter(Iter::Bytes(bytes.iter())),
            Parts::Integers(integers) => ListIter(Iter::Integers(integers.iter())),
        }
    }

    /// The bytes of a list that is kept as bytes. Other lists of small integers give `None`.
    #[must_use]
    pub fn as_byte_string(&self) -> Option<&Binary> {
        match &self.0 {
            Repr::Other(other) => match &**other {
                Other::Bytes(bytes) => Some(bytes),
                Other::Improper { .. } | Other::Integers(_) => None,
            },
            Repr::Proper(_) => None,
        }
    }

    /// The elements as terms that are there already; `None` when the list is kept as bytes or
    /// numbers, which [`List::iter`] makes terms of.
    #[must_use]
    pub fn as_slice(&self) -> Option<&[Term]> {
        match self.parts() {
            Parts::Terms(elements, _) => Some(elements),
            Parts::Bytes(_) | Parts::Integers(_) => None,
        }
    }

    /// What this alone holds, if there are containers in it.
    pub(crate) fn sole(&mut self) -> Option<release::Parts<'_>> {
        match &mut self.0 {
            Repr::Proper(elements) => release::sole(elements).map(|elements| [elements, &mut []]),
            Repr::Other(other) => match Arc::get_mut(other)? {
                Other::Improper { elements, tail } => Some([elements, std::slice::from_mut(tail)]),
                Other::Bytes(_) | Other::Integers(_) => None,
            },
        }
    }

    pub(crate) fn parts(&self) -> Parts<'_> {
        match &self.0 {
            Repr::Proper(elements) => Parts::Terms(elements, &NIL),
            Repr::Other(other) => match &**other {
                Other::Bytes(bytes) => Parts::Bytes(bytes),
                Other::Integers(integers) => Parts::Integers(integers),
                Other::Improper { elements, tail } => Parts::Terms(elements, tail),
            },
        }
    }
}

/// How a list is kept: elements and tail, or bytes or integers of a proper one.
pub(crate) enum Parts<'a> {
    Terms(&'a [Term], &'a Term),
    Bytes(&'a Binary),
    Integers(&'a [i32]),
}

/// The elements of a list, by value: bytes and numbers become integers, other terms are cheap clones.
#[derive(Clone, Debug, Default)]
pub struct ListIter<'a>(Iter<'a>);

#[derive(Clone, Debug, Default)]
enum Iter<'a> {
    #[default]
    Empty,
    Terms(std::slice::Iter<'a, Term>),
    Bytes(std::slice::Iter<'a, u8>),
    Integers(std::slice::Iter<'a, i32>),
}

impl Iterator for ListIter<'_> {
    type Item = Term;

    fn next(&mut self) -> Option<Term> {
        match &mut self.0 {
            Iter::Empty => None,
            Iter::Terms(elements) => elements.next().cloned(),
            Iter::Bytes(bytes) => bytes.next().map(|byte| Term::Integer(i64::from(*byte))),
            Iter::Integers(integers) => integers.next().map(|value| Term::Integer((*value).into())),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            Iter::Empty => (0, Some(0)),
            Iter::Terms(elements) => elements.size_hint(),
            Iter::Bytes(bytes) => bytes.size_hint(),
            Iter::Integers(integers) => integers.size_hint(),
        }
    }
}

impl ExactSizeIterator for ListIter<'_> {}

impl<'a> IntoIterator for &'a List {
    type Item = Term;
    type IntoIter = ListIter<'a>;

    fn into_iter(self) -> ListIter<'a> {
        self.iter()
    }
}

impl PartialEq for List {
    fn eq(&self, other: &Self) -> bool {
        equality::lists(self, other, RECURSION_LEVELS_MAX)
    }
}

impl Eq for List {}

impl Drop for List {
    fn drop(&mut self) {
        if let Some(parts) = self.sole() {
            release::release(parts);
        }
    }
}

impl std::fmt::Debug for List {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        crate::text::erlang::write_term(formatter, &Term::List(self.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::BuildHasher;

    #[test]
    fn bytes_and_terms_are_the_same_list() {
        let bytes = List::from_bytes(&b"abc"[..]).unwrap();
        let terms = List::new(b"abc".iter().map(|byte| Term::Integer(i64::from(*byte)))).unwrap();
        assert_eq!(bytes, terms);
        let hasher = foldhash::fast::FixedState::default();
        assert_eq!(hasher.hash_one(&bytes), hasher.hash_one(&terms));
        assert_ne!(bytes, List::from_bytes(&b"abd"[..]).unwrap());
    }

    #[test]
    fn numbers_and_terms_are_the_same_list() {
        let packed = List::from_integers(vec![-1, 0, i32::MAX]);
        let terms = [-1, 0, i64::from(i32::MAX)].map(Term::Integer);
        let terms = List::new(terms).unwrap();
        assert_eq!((packed.len(), packed.as_slice()), (3, None));
        assert_eq!(packed, terms);
        let hasher = foldhash::fast::FixedState::default();
        assert_eq!(hasher.hash_one(&packed), hasher.hash_one(&terms));
        let hashes = |list: &List| {
            let term = Term::List(list.clone());
            (term.phash2(), term.phash(1 << 20), term.to_string(), term.to_elixir().to_string())
        };
        assert_eq!(hashes(&packed), hashes(&terms));
        assert_ne!(packed, List::from_integers(vec![-1, 0, 1]));
        let bytes = List::from_bytes(&[7, 0, 255][..]).unwrap();
        let numbers = List::from_integers(vec![7, 0, 255]);
        assert_eq!(bytes, numbers);
        assert_eq!(hashes(&bytes), hashes(&numbers));
    }

    #[test]
    fn empty_lists_are_no_lists() {
        assert!(List::new([]).is_none());
        assert!(List::from_bytes(&[][..]).is_none());
    }
}
