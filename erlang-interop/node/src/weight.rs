//! How much a term weighs: about its encoded size, without encoding it.
//!
//! Used to account for what waits: in a connection's queue before it is encoded, and in a mailbox.

use erlang_term::Term;

/// Bytes counted for an element beside its content.
const ELEMENT_BYTES: usize = 8;

/// About the encoded size of a term, but at most about `enough`: a walk that has found that much
/// stops.
pub(crate) fn weight(term: &Term, enough: usize) -> usize {
    let mut walk = Walk { total: 0, waiting: Vec::new() };
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
                None => walk.total += list.len() * ELEMENT_BYTES,
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
        self.total += ELEMENT_BYTES;
        match term {
            Term::Binary(bytes) => self.total += bytes.len(),
            Term::Tuple(_) | Term::Map(_) => self.waiting.push(term),
            Term::List(list) => match list.as_byte_string() {
                Some(bytes) => self.total += bytes.len(),
                None => self.waiting.push(term),
            },
            // Names and numbers: the constant is about right.
            _ => {}
        }
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
    fn a_walk_stops_when_it_has_seen_enough() {
        let long = Term::list((0..100_000).map(|n| Term::from(n + 1000)));
        assert!(weight(&long, 1000) < 2000);
    }
}
