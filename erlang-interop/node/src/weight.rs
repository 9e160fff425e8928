//! How much a term weighs: about its encoded size, without encoding it.
//!
//! Used to account for what waits: in a connection's queue before it is encoded, and in a mailbox.

use erlang_term::Term;

/// Bytes counted for an element beside its content.
const ELEMENT_BYTES: usize = 8;

/// About the encoded size of a term, but at most about `enough`: a walk that has found that much
/// stops.
pub(crate) fn weight(term: &Term, enough: usize) -> usize {
    let mut total = 0;
    let mut waiting = vec![term];
    while let Some(term) = waiting.pop() {
        total += ELEMENT_BYTES;
        if total >= enough {
            return total;
        }
        match term {
            Term::Binary(bytes) => total += bytes.len(),
            Term::Tuple(elements) => waiting.extend(elements.iter()),
            Term::Map(map) => {
                for (key, value) in map.iter() {
                    waiting.push(key);
                    waiting.push(value);
                }
            }
            Term::List(list) => match (list.as_byte_string(), list.as_slice()) {
                (Some(bytes), _) => total += bytes.len(),
                (None, Some(elements)) => {
                    waiting.extend(elements);
                    waiting.push(list.tail());
                }
                (None, None) => total += list.len() * ELEMENT_BYTES,
            },
            // Names and numbers: the constant is about right.
            _ => {}
        }
    }
    total
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
