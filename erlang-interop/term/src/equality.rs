//! `=:=` as `Eq`, and `==`.

use std::cmp::Ordering;

use crate::deep;
use crate::fun::{Closure, Fun};
use crate::limits::RECURSION_LEVELS_MAX;
use crate::list::{List, Parts};
use crate::map::Map;
use crate::order::EXACT;
use crate::term::Term;

/// Erlang's `=:=`, as of OTP 27: floats are equal when their bits are, so `0.0` and `-0.0` differ.
/// (Up to OTP 26 they did not.)
impl PartialEq for Term {
    fn eq(&self, other: &Self) -> bool {
        equal(self, other, RECURSION_LEVELS_MAX)
    }
}

impl Eq for Term {}

/// Tells with so many levels of recursion; what is deeper is left to [`deep`].
pub(crate) fn equal(left: &Term, right: &Term, levels: usize) -> bool {
    match (left, right) {
        (Term::Integer(left), Term::Integer(right)) => left == right,
        (Term::BigInteger(left), Term::BigInteger(right)) => left == right,
        (Term::Float(left), Term::Float(right)) => left.to_bits() == right.to_bits(),
        (Term::Atom(left), Term::Atom(right)) => left == right,
        (Term::Reference(left), Term::Reference(right)) => left == right,
        (Term::Port(left), Term::Port(right)) => left == right,
        (Term::Pid(left), Term::Pid(right)) => left == right,
        (Term::Nil, Term::Nil) => true,
        (Term::Binary(left), Term::Binary(right)) => left == right,
        (Term::BitString(left), Term::BitString(right)) => left == right,
        (Term::Local(left), Term::Local(right)) => left == right,
        (Term::Tuple(_), Term::Tuple(_))
        | (Term::Map(_), Term::Map(_))
        | (Term::List(_), Term::List(_))
        | (Term::Fun(_), Term::Fun(_)) => match levels.checked_sub(1) {
            Some(levels) => containers(left, right, levels),
            None => deep::compare::<EXACT>(left, right) == Ordering::Equal,
        },
        _ => false,
    }
}

fn containers(left: &Term, right: &Term, levels: usize) -> bool {
    match (left, right) {
        (Term::Tuple(left), Term::Tuple(right)) => slices(left, right, levels),
        (Term::Map(left), Term::Map(right)) => maps(left, right, levels),
        (Term::List(left), Term::List(right)) => lists(left, right, levels),
        (Term::Fun(Fun::Closure(left)), Term::Fun(Fun::Closure(right))) => {
            closures(left, right, levels)
        }
        (Term::Fun(Fun::Export(left)), Term::Fun(Fun::Export(right))) => left == right,
        _ => false,
    }
}

fn slices(left: &[Term], right: &[Term], levels: usize) -> bool {
    left.len() == right.len()
        && left.iter().zip(right).all(|(left, right)| equal(left, right, levels))
}

pub(crate) fn maps(left: &Map, right: &Map, levels: usize) -> bool {
    left.len() == right.len()
        && left.iter().all(|(key, value)| {
            right.get_within(key, levels).is_some_and(|found| equal(found, value, levels))
        })
}

pub(crate) fn lists(left: &List, right: &List, levels: usize) -> bool {
    match (left.parts(), right.parts()) {
        (Parts::Terms(left, left_tail), Parts::Terms(right, right_tail)) => {
            slices(left, right, levels) && equal(left_tail, right_tail, levels)
        }
        (Parts::Bytes(left), Parts::Bytes(right)) => left == right,
        (Parts::Integers(left), Parts::Integers(right)) => left == right,
        // One of them is packed: it is proper and has only integers.
        _ => {
            left.len() == right.len()
                && left.is_proper() == right.is_proper()
                && left.iter().eq(right.iter())
        }
    }
}

pub(crate) fn closures(left: &Closure, right: &Closure, levels: usize) -> bool {
    left.compare_before_free(right).is_eq()
        && left.compare_after_free(right).is_eq()
        && slices(&left.free, &right.free, levels)
}

impl Term {
    /// Erlang's `==`: numbers are compared by value, so `1 == 1.0`. Keys of maps still differ by `=:=`.
    #[must_use]
    pub fn equals(&self, other: &Self) -> bool {
        self.cmp_order(other) == Ordering::Equal
    }
}
