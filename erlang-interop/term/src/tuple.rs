//! Tuples: one allocation each, shared by clones.

use std::ops::Deref;
use std::sync::Arc;

use crate::release;
use crate::term::Term;

/// A tuple of terms; dereferences to its elements.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Tuple(Arc<[Term]>);

impl Tuple {
    /// A tuple of these elements.
    #[must_use]
    pub fn new(elements: impl IntoIterator<Item = Term>) -> Self {
        Self(elements.into_iter().collect())
    }
}

impl Tuple {
    /// What this alone holds, if there are containers in it.
    pub(crate) fn sole(&mut self) -> Option<release::Parts<'_>> {
        release::sole(&mut self.0).map(|elements| [elements, &mut []])
    }
}

impl Drop for Tuple {
    fn drop(&mut self) {
        if let Some(parts) = self.sole() {
            release::release(parts);
        }
    }
}

impl Deref for Tuple {
    type Target = [Term];

    fn deref(&self) -> &[Term] {
        &self.0
    }
}

impl From<Vec<Term>> for Tuple {
    fn from(elements: Vec<Term>) -> Self {
        Self(elements.into())
    }
}

impl<'a> IntoIterator for &'a Tuple {
    type Item = &'a Term;
    type IntoIter = std::slice::Iter<'a, Term>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl std::fmt::Debug for Tuple {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        crate::text::erlang::write_term(formatter, &Term::Tuple(self.clone()))
    }
}
