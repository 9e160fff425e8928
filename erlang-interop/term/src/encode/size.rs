//! How much room an encoding is likely to take, told from a few of its terms.
//!
//! A buffer that is right from the start is never moved. It is not worth a walk over everything.

use crate::list::Parts;
use crate::term::Term;

/// Version, header, and slack for what is told too small.
const BASE_BYTES: usize = 64;
/// A leaf with its tag, more or less.
const LEAF_BYTES: usize = 6;
/// Elements of a long container that are looked into.
const SAMPLES: usize = 16;
/// What one of these may count, so that a rare long binary does not stand for all.
const SAMPLE_BYTES_MAX: usize = 512;
/// Levels that are looked into.
const DEPTH: usize = 4;

/// About the encoded size of a term in bytes.
pub(super) fn expected(term: &Term) -> usize {
    BASE_BYTES + of_term(term, DEPTH)
}

fn of_term(term: &Term, depth: usize) -> usize {
    match term {
        Term::Binary(bytes) => LEAF_BYTES + bytes.len(),
        Term::List(list) => match list.parts() {
            Parts::Bytes(bytes) if bytes.len() <= usize::from(u16::MAX) => LEAF_BYTES + bytes.len(),
            Parts::Bytes(bytes) => LEAF_BYTES + 2 * bytes.len(),
            Parts::Integers(integers) => LEAF_BYTES + 5 * integers.len(),
            Parts::Terms(elements, _) => of_all(elements, depth),
        },
        Term::Tuple(elements) => of_all(elements, depth),
        Term::Map(map) => of_all(map.flat(), depth),
        Term::Atom(atom) => LEAF_BYTES + atom.as_str().len(),
        Term::Float(_) | Term::BigInteger(_) => 2 * LEAF_BYTES,
        Term::Pid(_) | Term::Port(_) | Term::Reference(_) | Term::Fun(_) => 8 * LEAF_BYTES,
        Term::Integer(_) | Term::Nil | Term::BitString(_) | Term::Local(_) => LEAF_BYTES,
    }
}

fn of_all(elements: &[Term], depth: usize) -> usize {
    let Some(depth) = depth.checked_sub(1) else { return elements.len() * 2 * LEAF_BYTES };
    if elements.len() <= SAMPLES {
        return LEAF_BYTES + elements.iter().map(|element| of_term(element, depth)).sum::<usize>();
    }
    // Binaries are most of what varies, and say their length for nothing.
    let (mut binaries, mut bytes) = (0, 0);
    for element in elements {
        if let Term::Binary(binary) = element {
            binaries += 1;
            bytes += LEAF_BYTES + binary.len();
        }
    }
    // A step that is odd, since keys and values alternate in maps.
    let step = (elements.len() / SAMPLES) | 1;
    let (mut samples, mut sampled) = (0, 0);
    for element in elements.iter().step_by(step) {
        if !matches!(element, Term::Binary(_)) {
            samples += 1;
            sampled += of_term(element, depth).min(SAMPLE_BYTES_MAX);
        }
    }
    // An eighth more than the average: a buffer that is a little short is moved all the same.
    let others = (elements.len() - binaries) * sampled / samples.max(1);
    bytes + others + others / 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{encode, term};

    fn is_close(term: &Term) {
        let (expected, bytes) = (expected(term), encode(term).len());
        assert!(expected >= bytes, "{expected} for {bytes}");
        assert!(expected <= 2 * bytes + 2 * BASE_BYTES, "{expected} for {bytes}");
    }

    #[test]
    fn even_terms_get_their_room_at_once() {
        is_close(&term!({route, "web-1", [a, b, 1.5]}));
        is_close(&Term::list((0..1000).map(|n| "x".repeat(n % 90))));
        is_close(&Term::list((0..1000).map(|n| term!(#{id => (n), name => "host.example"}))));
        is_close(&Term::map((0..1000).map(|n| (format!("key_{n}"), n))));
        is_close(&Term::binary(vec![0; 1 << 20]));
    }

    #[test]
    fn a_long_binary_stands_for_no_other() {
        let mut elements = vec![term!({a, b}); 10_000];
        elements[0] = Term::tuple([Term::binary(vec![0; 1 << 20])]);
        assert!(expected(&Term::list(elements)) < 8 << 20);
    }
}
