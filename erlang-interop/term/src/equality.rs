//! `=:=` as `Eq` and `Hash`, and `==`.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use crate::term::Term;

/// Erlang's `=:=`, as of OTP 27: floats are equal when their bits are, so `0.0` and `-0.0` differ.
/// (Up to OTP 26 they did not.)
impl PartialEq for Term {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Integer(left), Self::Integer(right)) => left == right,
            (Self::BigInteger(left), Self::BigInteger(right)) => left == right,
            (Self::Float(left), Self::Float(right)) => left.to_bits() == right.to_bits(),
            (Self::Atom(left), Self::Atom(right)) => left == right,
            (Self::Reference(left), Self::Reference(right)) => left == right,
            (Self::Fun(left), Self::Fun(right)) => left == right,
            (Self::Port(left), Self::Port(right)) => left == right,
            (Self::Pid(left), Self::Pid(right)) => left == right,
            (Self::Tuple(left), Self::Tuple(right)) => left == right,
            (Self::Map(left), Self::Map(right)) => left == right,
            (Self::Nil, Self::Nil) => true,
            (Self::List(left), Self::List(right)) => left == right,
            (Self::Binary(left), Self::Binary(right)) => left == right,
            (Self::BitString(left), Self::BitString(right)) => left == right,
            (Self::Local(left), Self::Local(right)) => left == right,
            _ => false,
        }
    }
}

impl Eq for Term {}

impl Hash for Term {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u8(self.rank());
        match self {
            Self::Integer(value) => state.write_i64(*value),
            Self::BigInteger(value) => value.hash(state),
            Self::Float(value) => state.write_u64(value.to_bits()),
            Self::Atom(value) => value.hash(state),
            Self::Reference(value) => value.hash(state),
            Self::Fun(value) => value.hash(state),
            Self::Port(value) => value.hash(state),
            Self::Pid(value) => value.hash(state),
            Self::Tuple(value) => value.hash(state),
            Self::Map(value) => value.hash(state),
            Self::Nil => {}
            Self::List(value) => value.hash(state),
            Self::Binary(value) => value.hash(state),
            Self::BitString(value) => value.hash(state),
            Self::Local(value) => value.hash(state),
        }
    }
}

impl Term {
    /// Erlang's `==`: numbers are compared by value, so `1 == 1.0`. Keys of maps still differ by `=:=`.
    #[must_use]
    pub fn equals(&self, other: &Self) -> bool {
        self.cmp_order(other) == Ordering::Equal
    }
}
