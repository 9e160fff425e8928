//! What goes wrong between terms and values.

use crate::atom::AtomTooLong;

/// A value that has no term, or a term that is no such value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SerdeError {
    /// What serde or the type itself says.
    #[error("{0}")]
    Custom(String),
    /// A name that must be an atom is too long.
    #[error(transparent)]
    Atom(#[from] AtomTooLong),
    /// The term nests deeper than [`SERDE_DEPTH_MAX`](crate::limits::SERDE_DEPTH_MAX).
    #[error("the term nests deeper than {} levels", crate::limits::SERDE_DEPTH_MAX)]
    Depth,
    /// The term is of another type.
    #[error("expected {expected}, got {got}")]
    Unexpected {
        /// What the type wants.
        expected: &'static str,
        /// The beginning of the term in Erlang syntax.
        got: String,
    },
}

impl serde::ser::Error for SerdeError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::Custom(message.to_string())
    }
}

impl serde::de::Error for SerdeError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::Custom(message.to_string())
    }
}
