//! How much a term weighs: about its encoded size, without encoding it, or about what it holds.
//!
//! Used to account for what waits: in a connection's queue before it is encoded, and in a mailbox.

use erlang_term::{Fun, Term};

/// Bytes counted beside the content of binaries.
#[derive(Clone, Copy)]
struct Scale {
    /// For each term.
    term: usize,
    /// For each that has others in it.
    container: usize,
}

const ENCODED: Scale = Scale { term: 8, container: 0 };
/// A container is a piece of memory of its own, with counts in front.
const HELD: Scale = Scale { term: size_of::<Term>(), container: 48 };

/// About the encoded size of a term, but at most about `enough`: a walk that has found that much
/// stops.
pub(crate) fn weight(term: &Term, enough: usize) -> usize {
    walk(term, ENCODED, enough)
}

/// Weight above which what a peer sent is not looked at more closely. It is more than a mailbox holds.
pub(crate) const HELD_BYTES_MAX: usize = 1 << 31;

/// About the memory that a term holds, counting what it shares with others, too; `enough` as above.
pub fn held(term: &Term, enough: usize) -> usize {
    walk(term, HELD, enough)
}

fn walk(term: &Term, scale: Scale, enough: usize) -> usize {
    let mut walk = Walk { scale, total: 0, waiting: Vec::new() };
    walk.add(term);
    while let Some(container) = walk.waiting.pop() {
        match container {
            Term::Tuple(elements) => walk.add_all(elements.iter(), enough),
            Term::Map(map) => {
                walk.add_all(map.iter().flat_map(|(key, value)| [key, value]), enough);
            }
            Term::List(list) => match list.as_slice() {
                Some(elements) => {
                    walk.add_all(elements, enough);
                    walk.add(list.tail());
                }
                // Kept as numbers, and encoded in about as much.
                None => walk.total += list.len() * size_of::<i32>(),
            },
            Term::Fun(Fun::Closure(closure)) => walk.add_all(&closure.free, enough),
            _ => {}
        }
        if walk.total >= enough {
            break;
        }
    }
    walk.total
}

/// Only containers wait, so a flat term costs no allocation.
struct Walk<'a> {
    scale: Scale,
    total: usize,
    waiting: Vec<&'a Term>,
}

impl<'a> Walk<'a> {
    fn add_all(&mut self, terms: impl IntoIterator<Item = &'a Term>, enough: usize) {
        for term in terms {
            if self.total >= enough {
                return;
            }
            self.add(term);
        }
    }

    fn add(&mut self, term: &'a Term) {
        self.total += self.scale.term;
        match term {
            Term::Binary(bytes) => self.total += bytes.len(),
            Term::BitString(bits) => self.total += bits.bytes().len(),
            Term::BigInteger(integer) => self.total += integer.magnitude().len(),
            Term::Local(local) => self.total += local.bytes().len(),
            Term::Tuple(_) | Term::Map(_) | Term::Fun(Fun::Closure(_)) => self.container(term),
            Term::List(list) => match list.as_byte_string() {
                Some(bytes) => self.total += bytes.len(),
                None => self.container(term),
            },
            // Names and numbers: the constant is about right.
            _ => {}
        }
    }

    fn container(&mut self, term: &'a Term) {
        self.total += self.scale.container;
        self.waiting.push(term);
    }
}

#[cfg(test)]
mod tests {
    use erlang_term::{BitString, Closure, ClosureParts, Pid, atom};

    use super::*;

    #[test]
    fn binaries_weigh_their_length_wherever_they_are() {
        let deep = Term::tuple([Term::list([Term::binary(vec![0; 1000])]), Term::from(1)]);
        let weighed = weight(&deep, usize::MAX);
        assert!((1000..1100).contains(&weighed), "{weighed}");
    }

    #[test]
    fn small_terms_hold_more_than_their_bytes() {
        let small = Term::list(vec![Term::Nil; 1000]);
        assert!(weight(&small, usize::MAX) < 8200);
        assert!(held(&small, usize::MAX) >= 1000 * size_of::<Term>());
        let pairs = Term::list(vec![Term::tuple([Term::Nil]); 1000]);
        assert!(held(&pairs, usize::MAX) >= 1000 * (2 * size_of::<Term>() + 16));
    }

    #[test]
    fn what_a_peer_can_make_long_is_counted_wherever_it_is() {
        // [1000, 1001, ...], as it is kept when it was received: four bytes a number.
        let numbers = (1000..2000_i32).flat_map(|n| [&[98][..], &n.to_be_bytes()].concat());
        let head = [131, 108, 0, 0, 3, 232];
        let encoded: Vec<u8> = head.into_iter().chain(numbers).chain([106]).collect();
        let numbers = erlang_term::decode(&encoded.into()).expect("good");
        let big = [&[131, 111, 0, 0, 16, 0, 0][..], &[7; 4096]].concat();
        let big = erlang_term::decode(&big.into()).expect("good");
        let bits = BitString::new(vec![8; 4096], 5).expect("bits");
        let pid = Pid::new(atom!("a@h"), 1, 0, 1);
        let (uniq, module, free) = ([0; 16], atom!("m"), vec![Term::binary(vec![7; 4096])]);
        let fun = Closure::new(ClosureParts {
            arity: 0,
            index: 0,
            old_index: 0,
            old_uniq: 0,
            uniq,
            module,
            pid,
            free,
        });
        for long in [numbers, big, Term::BitString(bits), Term::Fun(Fun::Closure(fun))] {
            assert!((4000..5000).contains(&held(&long, usize::MAX)), "{}", held(&long, usize::MAX));
            assert!(weight(&long, usize::MAX) >= 4000);
        }
    }

    #[test]
    fn a_walk_stops_when_it_has_seen_enough() {
        let long = Term::list((0..100_000).map(|n| Term::from(n + 1000)));
        assert!(weight(&long, 1000) < 2000);
    }
}
