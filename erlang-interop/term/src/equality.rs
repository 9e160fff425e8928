//! `=:=` as `Eq` and `Hash`, and `==`.

use std::cmp::Ordering;
use std::hash::{BuildHasher, Hash, Hasher};

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

impl Hash for Term {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash(self, state, RECURSION_LEVELS_MAX);
    }
}

/// Hashes with so many levels of recursion; what is deeper is left to [`deep`].
fn hash<H: Hasher>(term: &Term, state: &mut H, levels: usize) {
    state.write_u8(term.rank());
    match term {
        Term::Integer(value) => state.write_i64(*value),
        Term::BigInteger(value) => value.hash(state),
        Term::Float(value) => state.write_u64(value.to_bits()),
        Term::Atom(value) => value.hash(state),
        Term::Reference(value) => value.hash(state),
        Term::Fun(Fun::Export(value)) => value.hash(state),
        Term::Port(value) => value.hash(state),
        Term::Pid(value) => value.hash(state),
        Term::Nil => {}
        Term::Binary(value) => value.hash(state),
        Term::BitString(value) => value.hash(state),
        Term::Local(value) => value.hash(state),
        Term::Tuple(_) | Term::Map(_) | Term::List(_) | Term::Fun(Fun::Closure(_)) => {
            match levels.checked_sub(1) {
                Some(levels) => hash_container(term, state, levels),
                None => deep::hash(term, state),
            }
        }
    }
}

fn hash_container<H: Hasher>(term: &Term, state: &mut H, levels: usize) {
    match term {
        Term::Map(map) => hash_map(map, state, levels),
        Term::List(list) => hash_list(list, state, levels),
        Term::Fun(Fun::Closure(closure)) => {
            closure.module.hash(state);
            hash_slice(&closure.free, state, levels);
        }
        Term::Tuple(elements) => hash_slice(elements, state, levels),
        leaf => hash(leaf, state, levels),
    }
}

fn hash_slice<H: Hasher>(elements: &[Term], state: &mut H, levels: usize) {
    state.write_usize(elements.len());
    for element in elements {
        hash(element, state, levels);
    }
}

pub(crate) fn hash_list<H: Hasher>(list: &List, state: &mut H, levels: usize) {
    state.write_usize(list.len());
    for element in list {
        hash(&element, state, levels);
    }
    hash(list.tail(), state, levels);
}

pub(crate) fn hash_map<H: Hasher>(map: &Map, state: &mut H, levels: usize) {
    // The order of pairs must not matter, so each pair is hashed by itself and the sum is folded in.
    let pairs = foldhash::fast::FixedState::default();
    let sum = map.iter().fold(0u64, |sum, (key, value)| {
        let mut pair = pairs.build_hasher();
        hash(key, &mut pair, levels);
        hash(value, &mut pair, levels);
        sum.wrapping_add(pair.finish())
    });
    state.write_usize(map.len());
    state.write_u64(sum);
}

impl Term {
    /// Erlang's `==`: numbers are compared by value, so `1 == 1.0`. Keys of maps still differ by `=:=`.
    #[must_use]
    pub fn equals(&self, other: &Self) -> bool {
        self.cmp_order(other) == Ordering::Equal
    }
}
