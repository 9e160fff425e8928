//! `erlang:phash2/1,2`, the hash on which nodes of different kinds agree.
//!
//! Bob Jenkins' mix over the term, depth first. The value never differs between releases, which is
//! what makes it fit for sharing load with Elixir nodes.

use std::slice;

use crate::binary::BitString;
use crate::fun::Fun;
use crate::list::{List, Parts};
use crate::map::Map;
use crate::stack::Stack;
use crate::term::Term;

const GOLDEN: u32 = 0x9e37_79b9;

/// The type's constant: a multiple of the golden ratio.
const fn constant(number: u32) -> u32 {
    GOLDEN.wrapping_mul(number)
}

const NIL_VALUE: u32 = 2;
const NIL_ALONE: u32 = 3_468_870_702;

impl Term {
    /// `erlang:phash2(Term)`: 0..2^27.
    #[must_use]
    pub fn phash2(&self) -> u32 {
        fold(self, 0) & 0x07ff_ffff
    }

    /// `erlang:phash2(Term, Range)`: 0..range, for a range of 1..=2^32. Other ranges, which Erlang
    /// refuses, are brought to the nearest of these.
    #[must_use]
    pub fn phash2_range(&self, range: u64) -> u32 {
        (u64::from(fold(self, 0)) % range.clamp(1, 1 << 32)) as u32
    }
}

/// The hash in the atom table. Code points below 256 count as one latin1 byte, others as their UTF-8.
pub(crate) fn atom_hash(text: &str) -> u32 {
    let mut hash: u32 = 0;
    let mut step = |byte: u8| {
        hash = (hash << 4).wrapping_add(u32::from(byte));
        let high = hash & 0xf000_0000;
        if high != 0 {
            hash ^= high >> 24;
            hash ^= high;
        }
    };
    for character in text.chars() {
        if let Ok(latin1) = u8::try_from(character) {
            step(latin1);
        } else {
            character.encode_utf8(&mut [0; 4]).bytes().for_each(&mut step);
        }
    }
    hash
}

/// The whole 32 bits.
pub(crate) fn hash32(term: &Term) -> u32 {
    fold(term, 0)
}

/// What is left of terms that were begun.
enum Rest<'a> {
    Terms(slice::Iter<'a, Term>),
    /// Bytes in a row are mixed together.
    List {
        elements: slice::Iter<'a, Term>,
        tail: &'a Term,
        run: ByteRun,
    },
    /// Each pair is hashed by itself, so that their order does not matter.
    Pairs {
        flat: slice::Iter<'a, Term>,
        pairs: u32,
        before: u32,
    },
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
            Rest::Terms(mut terms) => {
                next = terms.next();
                if terms.len() > 0 {
                    stack.push(Rest::Terms(terms));
                }
            }
            Rest::List { mut elements, tail, mut run } => {
                let other = elements.find(|element| match element {
                    Term::Integer(value @ 0..=255) => {
                        hash = run.push(*value as u8, hash);
                        false
                    }
                    _ => true,
                });
                hash = run.end(hash);
                next = other.or(Some(tail));
                if other.is_some() {
                    stack.push(Rest::List { elements, tail, run });
                }
            }
            Rest::Pairs { mut flat, mut pairs, before } => {
                if flat.len().is_multiple_of(2) {
                    // A pair is done, or this is the start, where the hash was set to nothing.
                    pairs ^= std::mem::take(&mut hash);
                }
                next = flat.next();
                match next {
                    Some(_) => stack.push(Rest::Pairs { flat, pairs, before }),
                    None => hash = mix_one(before, pairs, constant(19)),
                }
            }
        }
    }
}

/// Mixes in a term, or how it begins, with the terms inside it put on the stack.
fn open<'a>(term: &'a Term, hash: u32, stack: &mut Stack<Rest<'a>>) -> u32 {
    match term {
        Term::Tuple(elements) => {
            stack.push(Rest::Terms(elements.iter()));
            mix_one(hash, elements.len() as u32, constant(9))
        }
        Term::Map(map) => open_map(map, hash, stack),
        Term::List(list) => open_list(list, hash, stack),
        Term::Fun(fun) => open_fun(fun, hash, stack),
        leaf => fold_leaf(leaf, hash),
    }
}

fn fold_leaf(term: &Term, hash: u32) -> u32 {
    match term {
        Term::Integer(value) => integer(*value, hash),
        Term::BigInteger(value) => {
            let kind = constant(if value.is_negative() { 10 } else { 11 });
            value.digits().fold(hash, |hash, digit| two_words(hash, digit, kind))
        }
        Term::Float(value) => {
            let bits = if *value == 0.0 { 0 } else { value.to_bits() };
            mix_two(hash, (bits >> 32) as u32, bits as u32, constant(12))
        }
        Term::Atom(atom) if hash == 0 => atom.phash2_value(),
        Term::Atom(atom) => mix_one(hash, atom.phash2_value(), constant(3)),
        Term::Reference(reference) => mix_one(hash, reference.words()[0], constant(7)),
        Term::Port(port) => two_words(hash, port.id(), constant(6)),
        Term::Pid(pid) => mix_one(hash, pid.id(), constant(5)),
        Term::Nil if hash == 0 => NIL_ALONE,
        Term::Nil => mix_one(hash, NIL_VALUE, constant(2)),
        Term::Binary(bytes) => {
            let start = constant(13).wrapping_add(hash);
            if bytes.is_empty() { start } else { block(bytes, start) }
        }
        Term::BitString(bits) => fold_bits(bits, hash),
        // No BEAM hashes these without reading them first; their bytes stand in.
        Term::Local(local) => block(local.bytes(), constant(13).wrapping_add(hash)),
        Term::Tuple(_) | Term::Map(_) | Term::List(_) | Term::Fun(_) => fold(term, hash),
    }
}

fn integer(value: i64, mut hash: u32) -> u32 {
    if !(-(1 << 27)..1 << 27).contains(&value) {
        return two_words(hash, value.unsigned_abs(), constant(if value < 0 { 10 } else { 11 }));
    }
    if value < 0 {
        hash = mix_one(hash, value.unsigned_abs() as u32, GOLDEN);
    }
    mix_one(hash, value as u32, GOLDEN)
}

fn open_fun<'a>(fun: &'a Fun, hash: u32, stack: &mut Stack<Rest<'a>>) -> u32 {
    match fun {
        Fun::Export(export) => {
            let module = export.module().phash2_value();
            let hash = mix_two(hash, u32::from(export.arity()), module, GOLDEN);
            mix_one(hash, export.function().phash2_value(), constant(14))
        }
        Fun::Closure(closure) => {
            let free = closure.free.len() as u32;
            let hash = mix_two(hash, free, closure.module.phash2_value(), GOLDEN);
            stack.push(Rest::Terms(closure.free.iter()));
            mix_two(hash, closure.index, closure.old_uniq as u32, GOLDEN)
        }
    }
}

fn open_map<'a>(map: &'a Map, hash: u32, stack: &mut Stack<Rest<'a>>) -> u32 {
    let before = mix_one(hash, map.len() as u32, constant(16));
    if map.is_empty() {
        return before;
    }
    stack.push(Rest::Pairs { flat: map.flat().iter(), pairs: 0, before });
    0
}

fn open_list<'a>(list: &'a List, mut hash: u32, stack: &mut Stack<Rest<'a>>) -> u32 {
    let mut run = ByteRun::default();
    match list.parts() {
        Parts::Bytes(bytes) => {
            for byte in &**bytes {
                hash = run.push(*byte, hash);
            }
        }
        Parts::Integers(integers) => {
            for value in integers {
                match u8::try_from(*value) {
                    Ok(byte) => hash = run.push(byte, hash),
                    Err(_) => hash = integer(i64::from(*value), run.end(hash)),
                }
            }
        }
        Parts::Terms(elements, tail) => {
            stack.push(Rest::List { elements: elements.iter(), tail, run });
            return hash;
        }
    }
    fold_leaf(&Term::Nil, run.end(hash))
}

/// Bytes in a row within a list, which are mixed four at a time.
#[derive(Default)]
struct ByteRun {
    word: u32,
    bytes: u8,
}

impl ByteRun {
    fn push(&mut self, byte: u8, hash: u32) -> u32 {
        self.word = (self.word << 8) | u32::from(byte);
        self.bytes += 1;
        if self.bytes == 4 { self.end(hash) } else { hash }
    }

    fn end(&mut self, hash: u32) -> u32 {
        if self.bytes == 0 {
            return hash;
        }
        let word = std::mem::take(self).word;
        mix_one(hash, word, constant(4))
    }
}

fn fold_bits(bits: &BitString, hash: u32) -> u32 {
    let (whole, last) = bits.split();
    let count = bits.last_bits();
    let hash = block(whole, constant(13).wrapping_add(hash));
    mix_two(hash, u32::from(count), u32::from(last >> (8 - count)), constant(15))
}

fn mix(mut a: u32, mut b: u32, mut c: u32) -> (u32, u32, u32) {
    a = a.wrapping_sub(b).wrapping_sub(c) ^ (c >> 13);
    b = b.wrapping_sub(c).wrapping_sub(a) ^ (a << 8);
    c = c.wrapping_sub(a).wrapping_sub(b) ^ (b >> 13);
    a = a.wrapping_sub(b).wrapping_sub(c) ^ (c >> 12);
    b = b.wrapping_sub(c).wrapping_sub(a) ^ (a << 16);
    c = c.wrapping_sub(a).wrapping_sub(b) ^ (b >> 5);
    a = a.wrapping_sub(b).wrapping_sub(c) ^ (c >> 3);
    b = b.wrapping_sub(c).wrapping_sub(a) ^ (a << 10);
    c = c.wrapping_sub(a).wrapping_sub(b) ^ (b >> 15);
    (a, b, c)
}

fn mix_two(hash: u32, first: u32, second: u32, kind: u32) -> u32 {
    mix(kind.wrapping_add(first), kind.wrapping_add(second), hash).2
}

fn mix_one(hash: u32, value: u32, kind: u32) -> u32 {
    mix_two(hash, value, 0, kind)
}

fn two_words(hash: u32, value: u64, kind: u32) -> u32 {
    mix_two(hash, value as u32, (value >> 32) as u32, kind)
}

fn block(bytes: &[u8], start: u32) -> u32 {
    let word = |bytes: &[u8]| {
        let mut word = [0; 4];
        word[..bytes.len()].copy_from_slice(bytes);
        u32::from_le_bytes(word)
    };
    let (mut a, mut b, mut c) = (GOLDEN, GOLDEN, start);
    let mut chunks = bytes.chunks_exact(12);
    for chunk in &mut chunks {
        a = a.wrapping_add(word(&chunk[0..4]));
        b = b.wrapping_add(word(&chunk[4..8]));
        c = c.wrapping_add(word(&chunk[8..12]));
        (a, b, c) = mix(a, b, c);
    }
    let rest = chunks.remainder();
    c = c.wrapping_add(bytes.len() as u32);
    a = a.wrapping_add(word(&rest[..rest.len().min(4)]));
    b = b.wrapping_add(word(&rest[rest.len().min(4)..rest.len().min(8)]));
    c = c.wrapping_add(word(&rest[rest.len().min(8)..]) << 8);
    mix(a, b, c).2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        assert_eq!(Term::atom("a").phash2(), 97);
        assert_eq!(Term::atom("ok").phash2(), 1883);
        assert_eq!(Term::Nil.phash2_range(1 << 32), NIL_ALONE);
    }

    #[test]
    fn ranges_outside_what_erlang_takes_are_clamped() {
        assert_eq!(Term::atom("ok").phash2_range(0), 0);
        assert_eq!(Term::atom("ok").phash2_range(u64::MAX), Term::atom("ok").phash2_range(1 << 32));
        assert_eq!(Term::atom("ok").phash2_range(10), 3);
    }
}
