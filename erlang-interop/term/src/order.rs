//! The two orders of terms: of `<` and of map keys.
//!
//! number < atom < reference < fun < port < pid < tuple < map < `[]` < list < bit string.
//! spec: erlang reference manual, "Term Comparisons".

use std::cmp::Ordering;

use num_bigint::BigInt;
use num_traits::FromPrimitive;

use crate::big_integer::BigInteger;
use crate::binary::BitString;
use crate::deep;
use crate::fun::{Closure, Fun};
use crate::limits::RECURSION_LEVELS_MAX;
use crate::list::List;
use crate::map::Map;
use crate::term::Term;

/// Integers and floats by value, as `<` does.
pub(crate) const NUMERIC: u8 = 0;
/// Integers before floats, as keys of maps.
pub(crate) const EXACT: u8 = 1;
/// The same, but 0.0 and -0.0 are one: only good for telling what is equal.
const EXACT_OTP26: u8 = 2;

/// The first float above all of `i64`.
const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

/// Position of a type among the others; integers and floats share theirs.
pub(crate) mod rank {
    pub(crate) const NUMBER: u8 = 0;
    pub(crate) const ATOM: u8 = 1;
    pub(crate) const REFERENCE: u8 = 2;
    pub(crate) const FUN: u8 = 3;
    pub(crate) const PORT: u8 = 4;
    pub(crate) const PID: u8 = 5;
    pub(crate) const TUPLE: u8 = 6;
    pub(crate) const MAP: u8 = 7;
    pub(crate) const NIL: u8 = 8;
    pub(crate) const LIST: u8 = 9;
    pub(crate) const BIT_STRING: u8 = 10;
    pub(crate) const LOCAL: u8 = 11;
}

impl Term {
    /// Compares as Erlang's `<`, `==` and `>` do: integers and floats by their exact value.
    #[must_use]
    pub fn cmp_order(&self, other: &Self) -> Ordering {
        compare::<NUMERIC>(self, other, RECURSION_LEVELS_MAX)
    }

    /// Erlang's `=:=` as it was up to OTP 26, where `0.0 =:= -0.0`.
    #[must_use]
    pub fn exactly_equals_otp26(&self, other: &Self) -> bool {
        compare::<EXACT_OTP26>(self, other, RECURSION_LEVELS_MAX) == Ordering::Equal
    }

    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::Integer(_) | Self::BigInteger(_) | Self::Float(_) => rank::NUMBER,
            Self::Atom(_) => rank::ATOM,
            Self::Reference(_) => rank::REFERENCE,
            Self::Fun(_) => rank::FUN,
            Self::Port(_) => rank::PORT,
            Self::Pid(_) => rank::PID,
            Self::Tuple(_) => rank::TUPLE,
            Self::Map(_) => rank::MAP,
            Self::Nil => rank::NIL,
            Self::List(_) => rank::LIST,
            Self::Binary(_) | Self::BitString(_) => rank::BIT_STRING,
            Self::Local(_) => rank::LOCAL,
        }
    }
}

impl PartialOrd for Term {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The order of map keys: as [`Term::cmp_order`], but every integer comes before every float, so that
/// only terms that are `=:=` compare equal.
impl Ord for Term {
    fn cmp(&self, other: &Self) -> Ordering {
        compare::<EXACT>(self, other, RECURSION_LEVELS_MAX)
    }
}

/// Compares with so many levels of recursion; what is deeper is left to [`deep`].
pub(crate) fn compare<const HOW: u8>(left: &Term, right: &Term, levels: usize) -> Ordering {
    match (left, right) {
        (Term::Integer(left), Term::Integer(right)) => left.cmp(right),
        (Term::BigInteger(left), Term::BigInteger(right)) => left.cmp(right),
        (Term::Integer(_), Term::BigInteger(right)) => sign(right).reverse(),
        (Term::BigInteger(left), Term::Integer(_)) => sign(left),
        (Term::Float(left), Term::Float(right)) if HOW == EXACT => left.total_cmp(right),
        (Term::Float(left), Term::Float(right)) => {
            left.partial_cmp(right).unwrap_or_else(|| left.total_cmp(right))
        }
        (Term::Integer(_) | Term::BigInteger(_), Term::Float(_)) if HOW != NUMERIC => {
            Ordering::Less
        }
        (Term::Float(_), Term::Integer(_) | Term::BigInteger(_)) if HOW != NUMERIC => {
            Ordering::Greater
        }
        (Term::Integer(left), Term::Float(right)) => integer_and_float(*left, *right),
        (Term::Float(left), Term::Integer(right)) => integer_and_float(*right, *left).reverse(),
        (Term::BigInteger(left), Term::Float(right)) => big_and_float(left, *right),
        (Term::Float(left), Term::BigInteger(right)) => big_and_float(right, *left).reverse(),
        (Term::Atom(left), Term::Atom(right)) => left.cmp(right),
        (Term::Reference(left), Term::Reference(right)) => left.cmp(right),
        (Term::Port(left), Term::Port(right)) => left.cmp(right),
        (Term::Pid(left), Term::Pid(right)) => left.cmp(right),
        (Term::Binary(left), Term::Binary(right)) => left.cmp(right),
        (Term::Binary(left), Term::BitString(right)) => {
            bits((left, left.len() * 8), of_bits(right))
        }
        (Term::BitString(left), Term::Binary(right)) => {
            bits(of_bits(left), (right, right.len() * 8))
        }
        (Term::BitString(left), Term::BitString(right)) => bits(of_bits(left), of_bits(right)),
        (Term::Local(left), Term::Local(right)) => left.cmp(right),
        _ if left.rank() != right.rank() => left.rank().cmp(&right.rank()),
        _ => match levels.checked_sub(1) {
            Some(levels) => containers::<HOW>(left, right, levels),
            None => deep::compare::<HOW>(left, right),
        },
    }
}

/// Compares terms of one type that may have terms in them.
fn containers<const HOW: u8>(left: &Term, right: &Term, levels: usize) -> Ordering {
    match (left, right) {
        (Term::Tuple(left), Term::Tuple(right)) => {
            left.len().cmp(&right.len()).then_with(|| slices::<HOW>(left, right, levels))
        }
        (Term::Map(left), Term::Map(right)) => maps::<HOW>(left, right, levels),
        (Term::List(left), Term::List(right)) => lists::<HOW>(left, right, levels),
        (Term::Fun(Fun::Closure(left)), Term::Fun(Fun::Closure(right))) => {
            closures::<HOW>(left, right, levels)
        }
        (Term::Fun(left), Term::Fun(right)) => left.cmp(right),
        // Of one type, and all others are compared: `[]` and `[]`.
        _ => Ordering::Equal,
    }
}

fn sign(big: &BigInteger) -> Ordering {
    if big.is_negative() { Ordering::Less } else { Ordering::Greater }
}

fn integer_and_float(integer: i64, float: f64) -> Ordering {
    if float >= TWO_TO_63 {
        Ordering::Less
    } else if float < -TWO_TO_63 {
        Ordering::Greater
    } else {
        // In this range the whole part is an i64 without loss.
        integer.cmp(&(float as i64)).then_with(|| 0.0f64.total_cmp(&(float.fract() + 0.0)))
    }
}

fn big_and_float(big: &BigInteger, float: f64) -> Ordering {
    if (-TWO_TO_63..TWO_TO_63).contains(&float) {
        return sign(big);
    }
    // A float this large is whole. Infinities can only be made by hand; NaN sorts above all numbers.
    match BigInt::from_f64(float) {
        Some(whole) => big.to_bigint().cmp(&whole),
        None if float < 0.0 => Ordering::Greater,
        None => Ordering::Less,
    }
}

fn slices<const HOW: u8>(left: &[Term], right: &[Term], levels: usize) -> Ordering {
    left.iter()
        .zip(right)
        .map(|(left, right)| compare::<HOW>(left, right, levels))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn lists<const HOW: u8>(left: &List, right: &List, levels: usize) -> Ordering {
    let mut rights = right.iter();
    for left_element in left {
        let Some(right_element) = rights.next() else {
            // The left goes on with a cell where the right has its tail.
            return rank::LIST.cmp(&right.tail().rank());
        };
        let order = compare::<HOW>(&left_element, &right_element, levels);
        if order.is_ne() {
            return order;
        }
    }
    if rights.next().is_some() {
        return left.tail().rank().cmp(&rank::LIST);
    }
    compare::<HOW>(left.tail(), right.tail(), levels)
}

fn maps<const HOW: u8>(left: &Map, right: &Map, levels: usize) -> Ordering {
    left.len().cmp(&right.len()).then_with(|| {
        let (left, right) = (left.sorted_within(levels), right.sorted_within(levels));
        let pairs = || left.iter().zip(&right);
        let keys = pairs().map(|(left, right)| key::<HOW>(left.0, right.0, levels));
        let values = pairs().map(|(left, right)| compare::<HOW>(left.1, right.1, levels));
        keys.chain(values).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    })
}

/// Keys differ by `=:=` even where values are compared by `==`.
fn key<const HOW: u8>(left: &Term, right: &Term, levels: usize) -> Ordering {
    match HOW {
        EXACT_OTP26 => compare::<EXACT_OTP26>(left, right, levels),
        _ => compare::<EXACT>(left, right, levels),
    }
}

pub(crate) fn closures<const HOW: u8>(left: &Closure, right: &Closure, levels: usize) -> Ordering {
    left.compare_before_free(right)
        .then_with(|| slices::<HOW>(&left.free, &right.free, levels))
        .then_with(|| after_free::<HOW>(left, right))
}

/// What tells closures of equal free variables apart, where it matters.
pub(crate) fn after_free<const HOW: u8>(left: &Closure, right: &Closure) -> Ordering {
    if HOW == EXACT { left.compare_after_free(right) } else { Ordering::Equal }
}

fn of_bits(bits: &BitString) -> (&[u8], usize) {
    (bits.bytes(), bits.bit_len())
}

/// Bytes and the number of bits that count in them. Unused bits are zero, so the bytes compare like the
/// bits, except that among equal bytes the one with fewer bits is a prefix of the other.
fn bits(left: (&[u8], usize), right: (&[u8], usize)) -> Ordering {
    left.0.cmp(right.0).then(left.1.cmp(&right.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_by_exact_value() {
        let float = |value: f64| Term::Float(value);
        assert_eq!(Term::from(1).cmp_order(&float(1.0)), Ordering::Equal);
        assert_ne!(Term::from(1), float(1.0));
        assert_eq!(Term::from(1).cmp_order(&float(1.5)), Ordering::Less);
        assert_eq!(Term::from(-1).cmp_order(&float(-1.5)), Ordering::Greater);
        assert_eq!(Term::from(0).cmp_order(&float(-0.0)), Ordering::Equal);
        // 2^53 + 1 has no float of its own.
        assert_eq!(
            Term::from((1i64 << 53) + 1).cmp_order(&float(9_007_199_254_740_992.0)),
            Ordering::Greater
        );
        assert_eq!(Term::from(i64::MAX).cmp_order(&float(TWO_TO_63)), Ordering::Less);
        assert_eq!(Term::from(1u64 << 63).cmp_order(&float(TWO_TO_63)), Ordering::Equal);
        assert_eq!(Term::from((1u64 << 63) + 1).cmp_order(&float(TWO_TO_63)), Ordering::Greater);
    }

    #[test]
    fn in_key_order_integers_come_first() {
        assert!(Term::from(7) < Term::from(1.0));
        assert!(Term::from(1u64 << 63) < Term::from(-1.0));
        assert!(Term::from(-0.0) < Term::from(0.0));
    }

    #[test]
    fn bit_strings_compare_by_bits() {
        let bits = |bytes: &[u8], last: u8| Term::from(BitString::new(bytes, last).unwrap());
        let bytes = |bytes: &[u8]| Term::binary(bytes);
        assert!(bits(&[0x80], 1) < bits(&[0x80], 2));
        assert!(bits(&[0x80], 1) < bytes(&[0x80]));
        assert!(bits(&[0x80], 1) < bytes(&[0x80, 1]));
        assert!(bits(&[0x80], 1) > bytes(&[0x7f, 1]));
        assert!(bits(&[1, 0x80], 1) > bytes(&[1]));
        assert!(bits(&[1, 0x80], 1) < bytes(&[2]));
        assert!(bytes(&[]) < bits(&[0], 1));
    }

    #[test]
    fn tails_decide_after_elements() {
        let improper = Term::improper_list([1], 2);
        assert!(improper < Term::list([1, 2]));
        assert!(improper < Term::list([1]));
        assert!(Term::improper_list([1], "bin") > Term::list([1, 2]));
        assert!(Term::Nil < Term::list([0]));
    }
}
