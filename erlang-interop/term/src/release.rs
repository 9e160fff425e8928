//! Dropping nested terms: by recursion for some levels, then by a stack of what is still to go.

use std::cell::Cell;
use std::sync::Arc;

use crate::fun::Fun;
use crate::limits::RECURSION_LEVELS_MAX;
use crate::term::Term;

thread_local! {
    /// Levels of terms that this thread is dropping, one inside the other.
    static LEVEL: Cell<usize> = const { Cell::new(0) };
}

/// What a container holds: elements, and a tail or nothing.
pub(crate) type Parts<'a> = [&'a mut [Term]; 2];

/// Whether the term may hold others.
pub(crate) fn holds_terms(term: &Term) -> bool {
    matches!(term, Term::Tuple(_) | Term::Map(_) | Term::List(_) | Term::Fun(Fun::Closure(_)))
}

/// The terms behind the last reference to them, if any of these holds others; else `None`, and they
/// can be dropped as they are.
pub(crate) fn sole(shared: &mut Arc<[Term]>) -> Option<&mut [Term]> {
    // The count first: what others keep need not be looked at.
    if Arc::strong_count(shared) == 1 && shared.iter().any(holds_terms) {
        Arc::get_mut(shared)
    } else {
        None
    }
}

/// Drops the containers among what a container held that is being dropped.
pub(crate) fn release(parts: Parts<'_>) {
    let level = LEVEL.get();
    if level == RECURSION_LEVELS_MAX {
        return release_deep(parts);
    }
    LEVEL.set(level + 1);
    nested(parts).for_each(drop);
    LEVEL.set(level);
}

fn release_deep(parts: Parts<'_>) {
    let mut left: Vec<Term> = nested(parts).collect();
    while let Some(mut term) = left.pop() {
        let parts = match &mut term {
            Term::Tuple(tuple) => tuple.sole(),
            Term::Map(map) => map.sole(),
            Term::List(list) => list.sole(),
            Term::Fun(Fun::Closure(closure)) => closure.sole(),
            _ => None,
        };
        left.extend(parts.into_iter().flat_map(nested));
    }
}

fn nested(parts: Parts<'_>) -> impl Iterator<Item = Term> {
    parts.into_iter().flatten().filter(|term| holds_terms(term)).map(std::mem::take)
}
