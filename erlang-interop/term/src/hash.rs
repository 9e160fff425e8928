//! `Hash`, in agreement with `Eq`.
//!
//! What goes into the hasher depends on the term alone, not on how deep it lies in another one, so that
//! a map can keep its hash. Everything that makes terms differ goes in, and the pairs of maps are hashed
//! with a seed of this process: a peer cannot make keys that collide.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::LazyLock;

use foldhash::fast::{FoldHasher, RandomState};

use crate::fun::Fun;
use crate::limits::RECURSION_LEVELS_MAX;
use crate::list::{List, Parts};
use crate::map::Map;
use crate::release::holds_terms;
use crate::term::Term;

/// Makes the hasher of each pair of a map.
static PAIRS: LazyLock<RandomState> = LazyLock::new(RandomState::default);

impl Hash for Term {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash(self, state, RECURSION_LEVELS_MAX);
    }
}

impl Hash for List {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.len());
        list(self, state, RECURSION_LEVELS_MAX);
    }
}

impl Hash for Map {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.len());
        state.write_u64(self.pairs_hash(|| pairs(self, RECURSION_LEVELS_MAX)));
    }
}

/// Hashes with so many levels of recursion; what is deeper is left to [`deep`].
fn hash<H: Hasher>(term: &Term, state: &mut H, levels: usize) {
    outside(term, state);
    if holds_terms(term) {
        match levels.checked_sub(1) {
            Some(levels) => inside(term, state, levels),
            None => deep(term, state),
        }
    }
}

/// Hashes a term without those in it.
fn outside<H: Hasher>(term: &Term, state: &mut H) {
    state.write_u8(term.rank());
    match term {
        Term::Integer(value) => state.write_i64(*value),
        Term::BigInteger(value) => value.hash(state),
        Term::Float(value) => state.write_u64(value.to_bits()),
        Term::Atom(value) => value.hash(state),
        Term::Reference(value) => value.hash(state),
        Term::Fun(Fun::Export(value)) => value.hash(state),
        Term::Fun(Fun::Closure(value)) => {
            value.module.hash(state);
            value.pid.hash(state);
            value.uniq.hash(state);
            state.write_u64(u64::from(value.index) << 32 | u64::from(value.old_index as u32));
            state.write_u64(u64::from(value.old_uniq as u32) << 8 | u64::from(value.arity));
            state.write_usize(value.free.len());
        }
        Term::Port(value) => value.hash(state),
        Term::Pid(value) => value.hash(state),
        Term::Nil => {}
        Term::Binary(value) => value.hash(state),
        Term::BitString(value) => value.hash(state),
        Term::Local(value) => value.hash(state),
        Term::Tuple(elements) => state.write_usize(elements.len()),
        Term::Map(map) => state.write_usize(map.len()),
        Term::List(list) => state.write_usize(list.len()),
    }
}

fn inside<H: Hasher>(term: &Term, state: &mut H, levels: usize) {
    match term {
        Term::Tuple(elements) => slice(elements, state, levels),
        Term::Fun(Fun::Closure(closure)) => slice(&closure.free, state, levels),
        Term::List(elements) => list(elements, state, levels),
        Term::Map(map) => state.write_u64(map.pairs_hash(|| pairs(map, levels))),
        _ => {}
    }
}

fn slice<H: Hasher>(elements: &[Term], state: &mut H, levels: usize) {
    for element in elements {
        hash(element, state, levels);
    }
}

fn list<H: Hasher>(list: &List, state: &mut H, levels: usize) {
    for element in list {
        hash(&element, state, levels);
    }
    hash(list.tail(), state, levels);
}

/// The hashes of all pairs together: their order must not matter.
fn pairs(map: &Map, levels: usize) -> u64 {
    map.iter().fold(0, |sum, (key, value)| {
        let mut pair = PAIRS.build_hasher();
        hash(key, &mut pair, levels);
        hash(value, &mut pair, levels);
        sum.wrapping_add(pair.finish())
    })
}

/// What [`deep`] has still to do.
enum Step<'a> {
    Term(&'a Term),
    EndOfPair,
    EndOfMap(&'a Map),
}

/// A map that [`deep`] is in.
struct Pairs {
    sum: u64,
    /// Of the pair that it is at.
    hasher: FoldHasher<'static>,
}

/// The same as [`inside`], for terms of any depth.
fn deep<H: Hasher>(term: &Term, state: &mut H) {
    let mut maps: Vec<Pairs> = Vec::new();
    let mut steps = Vec::new();
    open(term, &mut maps, &mut steps, state);
    while let Some(step) = steps.pop() {
        match step {
            Step::Term(term) => {
                outside(term, &mut current(&mut maps, state));
                open(term, &mut maps, &mut steps, state);
            }
            Step::EndOfPair => {
                let map = maps.last_mut().expect("a pair is in a map");
                let pair = std::mem::replace(&mut map.hasher, PAIRS.build_hasher());
                map.sum = map.sum.wrapping_add(pair.finish());
            }
            Step::EndOfMap(map) => {
                let sum = maps.pop().expect("a map that ends was begun").sum;
                current(&mut maps, state).write_u64(map.pairs_hash(|| sum));
            }
        }
    }
}

/// The hasher of what comes next.
fn current<'a>(maps: &'a mut [Pairs], state: &'a mut dyn Hasher) -> &'a mut dyn Hasher {
    match maps.last_mut() {
        Some(map) => &mut map.hasher,
        None => state,
    }
}

/// Adds the steps for what is in a term.
fn open<'a>(
    term: &'a Term,
    maps: &mut Vec<Pairs>,
    steps: &mut Vec<Step<'a>>,
    state: &mut dyn Hasher,
) {
    match term {
        Term::Tuple(elements) => steps.extend(elements.iter().rev().map(Step::Term)),
        Term::Fun(Fun::Closure(closure)) => {
            steps.extend(closure.free.iter().rev().map(Step::Term));
        }
        Term::List(elements) => match elements.parts() {
            Parts::Terms(elements, tail) => {
                steps.push(Step::Term(tail));
                steps.extend(elements.iter().rev().map(Step::Term));
            }
            Parts::Bytes(_) | Parts::Integers(_) => list(elements, &mut current(maps, state), 1),
        },
        Term::Map(map) => match map.kept_hash() {
            Some(sum) => current(maps, state).write_u64(sum),
            None => {
                maps.push(Pairs { sum: 0, hasher: PAIRS.build_hasher() });
                steps.push(Step::EndOfMap(map));
                for (key, value) in map.iter().rev() {
                    steps.extend([Step::EndOfPair, Step::Term(value), Step::Term(key)]);
                }
            }
        },
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fun::{Closure, ClosureParts};
    use crate::{Atom, term};

    fn hash_of(term: &Term) -> u64 {
        PAIRS.hash_one(term)
    }

    /// Such a term in so many tuples, lists and maps.
    fn wrapped(mut term: Term, levels: usize) -> Term {
        for level in 0..levels {
            term = match level % 4 {
                0 => term!({ (term) }),
                1 => term!([(term), 1]),
                2 => term!(#{"key" => (term), 1 => 2}),
                _ => term!(#{(term) => "value", 1 => 2}),
            };
        }
        term
    }

    #[test]
    fn equal_terms_hash_alike_at_every_depth_and_whoever_kept_a_hash() {
        for levels in [1, 3, RECURSION_LEVELS_MAX - 1, RECURSION_LEVELS_MAX, 70, 131, 300] {
            let one = wrapped(term!(#{{1, 2} => [1, 2], {3} => 4}), levels);
            let other = wrapped(term!(#{{3} => 4, {1, 2} => [1, 2]}), levels);
            // The hash of what is in `other` is kept before.
            hash_of(&wrapped(term!(#{{3} => 4, {1, 2} => [1, 2]}), levels / 2));
            assert_eq!(hash_of(&one), hash_of(&other), "{levels}");
            let mut one_deep = PAIRS.build_hasher();
            outside(&one, &mut one_deep);
            deep(&wrapped(term!(#{{1, 2} => [1, 2], {3} => 4}), levels), &mut one_deep);
            let mut recursive = PAIRS.build_hasher();
            hash(&one, &mut recursive, RECURSION_LEVELS_MAX);
            assert_eq!(one_deep.finish(), recursive.finish(), "{levels}");
        }
    }

    #[test]
    fn each_field_of_a_closure_counts() {
        let parts = || ClosureParts {
            arity: 1,
            uniq: [0; 16],
            index: 0,
            module: Atom::new("m").unwrap(),
            old_index: 0,
            old_uniq: 0,
            pid: crate::Pid::new(Atom::new("n@h").unwrap(), 1, 0, 0),
            free: Vec::new(),
        };
        let changes: [fn(&mut ClosureParts); 7] = [
            |parts| parts.arity = 2,
            |parts| parts.uniq[15] = 1,
            |parts| parts.index = 1,
            |parts| parts.old_index = 1,
            |parts| parts.old_uniq = 1,
            |parts| parts.pid = crate::Pid::new(Atom::new("n@h").unwrap(), 2, 0, 0),
            |parts| parts.free.push(Term::Nil),
        ];
        let hash_with = |change: fn(&mut ClosureParts)| {
            let mut parts = parts();
            change(&mut parts);
            hash_of(&Term::Fun(Fun::Closure(Closure::new(parts))))
        };
        let mut hashes: Vec<u64> = changes.into_iter().map(hash_with).collect();
        hashes.push(hash_with(|_| {}));
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), changes.len() + 1);
    }
}
