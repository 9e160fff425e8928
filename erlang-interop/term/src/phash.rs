//! `erlang:phash/2`, the older hash, which some programs still store.
//!
//! A running value, multiplied by a prime near 2^28 for each byte and each kind of part. Checked
//! against vectors made by OTP 25 and 27.

use std::slice;

use crate::fun::Fun;
use crate::list::{List, Parts};
use crate::phash2::hash32;
use crate::stack::Stack;
use crate::term::Term;

const P1: u32 = 268_440_163;
const P2: u32 = 268_439_161;
const P3: u32 = 268_435_459;
const P4: u32 = 268_436_141;
const P5: u32 = 268_438_633;
const P6: u32 = 268_437_017;
const P8: u32 = 268_437_511;
const P9: u32 = 268_439_627;
const P10: u32 = 268_440_479;
const P11: u32 = 268_440_577;
const P12: u32 = 268_440_581;
const P13: u32 = 268_440_593;
const P14: u32 = 268_440_611;

impl Term {
    /// `erlang:phash(Term, Range)`: 1..=range, for a range of 1..=2^32. Other ranges, which Erlang
    /// refuses, are brought to the nearest of these.
    #[must_use]
    pub fn phash(&self, range: u64) -> u64 {
        u64::from(fold(self, 0)) % range.clamp(1, 1 << 32) + 1
    }
}

fn step(hash: u32, prime: u32, value: u32) -> u32 {
    hash.wrapping_mul(prime).wrapping_add(value)
}

fn bytes(hash: u32, prime: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(hash, |hash, byte| step(hash, prime, u32::from(*byte)))
}

/// What is left of terms that were begun.
enum Rest<'a> {
    /// Elements of a tuple of so many.
    Tuple(slice::Iter<'a, Term>, usize),
    Free(slice::Iter<'a, Term>),
    List(slice::Iter<'a, Term>, &'a Term),
    /// A list whose tail was hashed.
    ListEnd,
}

fn fold(term: &Term, mut hash: u32) -> u32 {
    let mut stack = Stack::new();
    let mut next = Some(term);
    loop {
        if let Some(term) = next.take() {
            hash = open(term, hash, &mut stack);
        }
        let Some(rest) = stack.pop() else { return hash };
        match rest {
            Rest::Tuple(mut elements, arity) => {
                next = elements.next();
                match next {
                    Some(_) => stack.push(Rest::Tuple(elements, arity)),
                    None => hash = step(hash, P9, arity as u32),
                }
            }
            Rest::Free(mut values) => {
                next = values.next();
                if next.is_some() {
                    stack.push(Rest::Free(values));
                }
            }
            Rest::List(mut elements, tail) => {
                let other = elements.find(|element| match element {
                    Term::Integer(value @ 0..=255) => {
                        hash = step(hash, P2, *value as u32);
                        false
                    }
                    _ => true,
                });
                next = other.or(Some(tail));
                let later = other.map_or(Rest::ListEnd, |_| Rest::List(elements, tail));
                stack.push(later);
            }
            // The tail, `[]` included, gets a factor of its own.
            Rest::ListEnd => hash = hash.wrapping_mul(P8),
        }
    }
}

/// Mixes in a term, or how it begins, with the terms inside it put on the stack.
fn open<'a>(term: &'a Term, hash: u32, stack: &mut Stack<Rest<'a>>) -> u32 {
    match term {
        Term::Tuple(elements) => {
            stack.push(Rest::Tuple(elements.iter(), elements.len()));
            hash
        }
        Term::List(list) => open_list(list, hash, stack),
        Term::Fun(fun) => open_fun(fun, hash, stack),
        leaf => fold_leaf(leaf, hash),
    }
}

fn fold_leaf(term: &Term, hash: u32) -> u32 {
    match term {
        Term::Nil => step(hash, P3, 1),
        Term::Atom(atom) => step(hash, P1, atom.phash2_value()),
        Term::Integer(value) => {
            let prime = if *value < 0 { P4 } else { P3 };
            magnitude(hash, value.unsigned_abs()).wrapping_mul(prime)
        }
        Term::BigInteger(value) => {
            let mut digits = value.digits();
            let last = digits.next_back().unwrap_or(0);
            let hash = digits.fold(hash, |hash, digit| bytes(hash, P2, &digit.to_le_bytes()));
            magnitude(hash, last).wrapping_mul(if value.is_negative() { P4 } else { P3 })
        }
        Term::Float(value) => {
            let bits = if *value == 0.0 { 0 } else { value.to_bits() };
            step(hash, P6, (bits >> 32) as u32 ^ bits as u32)
        }
        Term::Binary(binary) => {
            let hash = bytes(hash, P1, binary);
            step(hash, P4, binary.len() as u32)
        }
        Term::BitString(bits) => {
            let (whole, last) = bits.split();
            let count = bits.last_bits();
            let hash = step(bytes(hash, P1, whole), P1, u32::from(last >> (8 - count)));
            let hash = step(hash, P12, u32::from(count));
            step(hash, P4, whole.len() as u32)
        }
        Term::Pid(pid) => bytes(hash, P5, &pid.id().to_le_bytes()).wrapping_mul(P6),
        Term::Port(port) => {
            let (high, low) = ((port.id() >> 32) as u32, port.id() as u32);
            let hash = if high == 0 { hash } else { bytes(hash, P11, &high.to_le_bytes()) };
            bytes(hash, P9, &low.to_le_bytes()).wrapping_mul(P10)
        }
        Term::Reference(reference) => {
            bytes(hash, P9, &reference.words()[0].to_le_bytes()).wrapping_mul(P10)
        }
        Term::Map(_) => step(hash, P13, P14).wrapping_add(hash32(term)),
        Term::Tuple(_) | Term::List(_) | Term::Fun(_) => fold(term, hash),
        // No BEAM hashes these without reading them first; their bytes stand in.
        Term::Local(local) => bytes(hash, P1, local.bytes()),
    }
}

/// Four bytes of the number, eight when it has more.
fn magnitude(hash: u32, value: u64) -> u32 {
    let len = if value >> 32 == 0 { 4 } else { 8 };
    bytes(hash, P2, &value.to_le_bytes()[..len])
}

fn open_fun<'a>(fun: &'a Fun, hash: u32, stack: &mut Stack<Rest<'a>>) -> u32 {
    match fun {
        Fun::Export(export) => {
            let hash = step(hash, P11, u32::from(export.arity()));
            let hash = step(hash, P1, export.module().phash2_value());
            step(hash, P1, export.function().phash2_value())
        }
        Fun::Closure(closure) => {
            let hash = step(hash, P10, closure.free.len() as u32);
            let hash = step(hash, P1, closure.module.phash2_value());
            let hash = step(hash, P2, closure.index);
            stack.push(Rest::Free(closure.free.iter()));
            step(hash, P2, closure.old_uniq as u32)
        }
    }
}

fn open_list<'a>(list: &'a List, hash: u32, stack: &mut Stack<Rest<'a>>) -> u32 {
    let hash = match list.parts() {
        Parts::Bytes(string) => bytes(hash, P2, string),
        Parts::Integers(_) => list.iter().fold(hash, |hash, element| match element {
            Term::Integer(value @ 0..=255) => step(hash, P2, value as u32),
            other => fold_leaf(&other, hash),
        }),
        Parts::Terms(elements, tail) => {
            stack.push(Rest::List(elements.iter(), tail));
            return hash;
        }
    };
    fold_leaf(&Term::Nil, hash).wrapping_mul(P8)
}
