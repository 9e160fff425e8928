//! Why bytes are no term.

/// Bytes that are no term, or one that breaks a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("byte {offset}: {kind}")]
#[non_exhaustive]
pub struct DecodeError {
    /// Where in the input, in bytes from its start. For a compressed term: within what it inflates to.
    pub offset: usize,
    /// What is wrong there.
    pub kind: DecodeErrorKind,
}

/// What is wrong with the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The input ends within the term, or a count promises more than the rest of it can hold.
    #[error("the input ends within the term")]
    Truncated,
    /// The term is over, the input is not.
    #[error("bytes follow the term")]
    TrailingBytes,
    /// The first byte is not 131.
    #[error("expected the version byte 131, got {got}")]
    Version {
        /// The byte found.
        got: u8,
    },
    /// No term starts with this byte, or not here.
    #[error("unknown tag {tag}")]
    Tag {
        /// The byte found.
        tag: u8,
    },
    /// Something else than the type that the format demands here.
    #[error("expected {what}")]
    Expected {
        /// The type.
        what: &'static str,
    },
    /// A field has a value it must not have.
    #[error("invalid {what}")]
    Invalid {
        /// The field.
        what: &'static str,
    },
    /// A reference to an atom that the message's header does not list.
    #[error("atom reference {index}, the header has {known}")]
    AtomReference {
        /// The number in the term.
        index: u8,
        /// How many atoms the header lists.
        known: usize,
    },
    /// A map has a key twice.
    #[error("a map has the same key twice")]
    DuplicateKey,
    /// A limit of [`DecodeLimits`](super::DecodeLimits) is passed.
    #[error("{what}: more than {max}")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// How much there may be.
        max: usize,
    },
}
