//! External term format to terms.
//!
//! Nesting is followed by an explicit stack: finished terms wait on one stack of values until their
//! container is complete, then move into it with a single allocation. Nothing is reserved on the
//! sender's word: a count that the remaining bytes cannot hold is refused when it is read.

mod container;
mod error;
mod leaf;
pub(crate) mod reader;

use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;

use crate::atom::Atom;
use crate::limits::{
    DEPTH_MAX, INFLATED_BYTES_MAX, NEW_ATOMS_MAX, TERM_BYTES_COPIED_MAX, TERMS_MAX,
};
use crate::tag;
use crate::term::{LocalTerm, Term};

pub use error::{DecodeError, DecodeErrorKind};

/// What a term may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Levels of nesting; at most [`DEPTH_MAX`] unless the caller's thread has stack to spare.
    pub depth: usize,
    /// Terms in all, containers included.
    pub terms_max: usize,
    /// Atoms that nobody has used before.
    pub new_atoms_max: usize,
    /// Bytes that a compressed term may inflate to.
    pub inflated_bytes_max: usize,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self {
            depth: DEPTH_MAX,
            terms_max: TERMS_MAX,
            new_atoms_max: NEW_ATOMS_MAX,
            inflated_bytes_max: INFLATED_BYTES_MAX,
        }
    }
}

/// How to decode.
#[derive(Debug, Clone, Copy, Default)]
pub struct DecodeOptions<'a> {
    /// The atoms of the message's distribution header, for `ATOM_CACHE_REF`. Empty elsewhere.
    pub atom_refs: &'a [Atom],
    /// What the term may cost.
    pub limits: DecodeLimits,
}

/// Decodes what `term_to_binary` wrote: the version byte, one term (which may be compressed), nothing
/// more. Long binaries in the term are windows into `bytes`, or
/// into a copy of them when these are short ([`TERM_BYTES_COPIED_MAX`]).
///
/// # Errors
/// When the bytes are anything else, or pass the default limits.
///
/// ```
/// let bytes = bytes::Bytes::from_static(&[131, 104, 2, 119, 2, b'o', b'k', 97, 7]);
/// assert_eq!(erlang_term::decode(&bytes)?.to_string(), "{ok,7}");
/// # Ok::<(), erlang_term::DecodeError>(())
/// ```
pub fn decode(bytes: &Bytes) -> Result<Term, DecodeError> {
    decode_with(bytes, &DecodeLimits::default())
}

/// [`decode`] with limits of one's own.
///
/// # Errors
/// When the bytes are no encoded term, or pass the limits.
pub fn decode_with(bytes: &Bytes, limits: &DecodeLimits) -> Result<Term, DecodeError> {
    let options = DecodeOptions { atom_refs: &[], limits: *limits };
    let fail = |offset, kind| Err(DecodeError { offset, kind });
    match bytes.first() {
        None => return fail(0, DecodeErrorKind::Truncated),
        Some(&tag::VERSION) => {}
        Some(&got) => return fail(0, DecodeErrorKind::Version { got }),
    }
    match bytes.get(1) {
        Some(&tag::COMPRESSED) => {
            let inflated = inflate(bytes, limits.inflated_bytes_max)?;
            whole(&inflated, 0, &options)
        }
        Some(&tag::LOCAL) => Ok(Term::Local(LocalTerm::new(bytes.slice(2..)))),
        _ => whole(bytes, 1, &options),
    }
}

/// Decodes the term that starts at `at`, without a version byte, and tells where it ends. This is the
/// form inside distribution messages, so compressed and local terms are refused.
///
/// # Errors
/// When no valid term starts there, or it passes the limits.
pub fn decode_prefix(
    bytes: &Bytes,
    at: usize,
    options: &DecodeOptions<'_>,
) -> Result<(Term, usize), DecodeError> {
    if at > bytes.len() {
        return Err(DecodeError { offset: bytes.len(), kind: DecodeErrorKind::Truncated });
    }
    container::Decoder::new(bytes, at, options).run()
}

fn whole(bytes: &Bytes, at: usize, options: &DecodeOptions<'_>) -> Result<Term, DecodeError> {
    let (term, end) = decode_prefix(bytes, at, options)?;
    if end == bytes.len() {
        Ok(term)
    } else {
        Err(DecodeError { offset: end, kind: DecodeErrorKind::TrailingBytes })
    }
}

/// `131 80 Size:32 Zlib`. The size is checked before inflating and the output never passes it.
fn inflate(bytes: &Bytes, inflated_bytes_max: usize) -> Result<Bytes, DecodeError> {
    let fail = |offset, kind| Err(DecodeError { offset, kind });
    let Some(size) = bytes[2..].first_chunk::<4>() else {
        return fail(2, DecodeErrorKind::Truncated);
    };
    let size = u32::from_be_bytes(*size) as usize;
    if size > inflated_bytes_max {
        let kind = DecodeErrorKind::Limit { what: "inflated bytes", max: inflated_bytes_max };
        return fail(2, kind);
    }
    let mut inflated = Vec::new();
    let mut source = flate2::read::ZlibDecoder::new(&bytes[6..]).take(size as u64 + 1);
    match source.read_to_end(&mut inflated) {
        Ok(len) if len == size => {}
        Ok(_) => return fail(2, DecodeErrorKind::Invalid { what: "size of a compressed term" }),
        Err(_) => return fail(6, DecodeErrorKind::Invalid { what: "zlib data" }),
    }
    if source.get_ref().total_in() as usize != bytes.len() - 6 {
        return fail(6, DecodeErrorKind::TrailingBytes);
    }
    Ok(Bytes::from(inflated))
}

/// The owner that windows into a message share, made when the first of them is needed.
struct Owner<'a> {
    bytes: &'a Bytes,
    shared: Option<Arc<Bytes>>,
}

impl Owner<'_> {
    fn shared(&mut self) -> &Arc<Bytes> {
        self.shared.get_or_insert_with(|| {
            Arc::new(match self.bytes.len() {
                ..=TERM_BYTES_COPIED_MAX => Bytes::copy_from_slice(self.bytes),
                _ => self.bytes.clone(),
            })
        })
    }
}
