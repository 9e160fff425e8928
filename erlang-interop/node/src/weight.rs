//! How much a term weighs: about its encoded size, without encoding it, or about what it holds.
//!
//! Used to account for what waits: in a connection's queue before it is encoded, and in a mailbox.

use erlang_term::Term;

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

/// About the memory that a term holds, counting what it shares with others, too; `enough` as above.
pub(crate) fn held(term: &Term, enough: usize) -> usize {
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
                None => walk.total += list.len(),
            },
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
            Term::Tuple(_) | Term::Map(_) => self.container(term),
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
    fn a_walk_stops_when_it_has_seen_enough() {
        let long = Term::list((0..100_000).map(|n| Term::from(n + 1000)));
        assert!(weight(&long, 1000) < 2000);
    }
}
