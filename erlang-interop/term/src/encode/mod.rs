//! Terms to external term format.

mod sink;
mod size;
mod writer;

use bytes::Bytes;

use crate::term::Term;

pub use sink::{AtomRefs, NoAtomRefs, Sink};

/// A term that the format cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// Erlang has neither infinities nor NaN.
    #[error("a float is infinite or not a number")]
    Float,
    /// Lengths and counts are 32 bits wide.
    #[error("{what}: {len} do not fit 32 bits")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// Its length.
        len: usize,
    },
    /// A local term must be the whole of what is encoded.
    #[error("a local term inside another term")]
    LocalInside,
    /// The compressor failed.
    #[error("compression failed")]
    Compression,
}

/// How atoms are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AtomEncoding {
    /// UTF-8 always: OTP 26 and later, and every distribution connection.
    #[default]
    Utf8,
    /// Latin1 (tag 100) where the characters fit: `term_to_binary` of OTP 25 and earlier.
    Latin1WhereItFits,
}

/// How ports are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PortEncoding {
    /// With 64-bit numbers (tag 120) always: OTP 26 and later.
    #[default]
    Wide,
    /// With 32-bit numbers (tag 89) where they are below 2^28: OTP 25, and peers without `V4_NC`.
    NarrowWhereItFits,
}

/// How to encode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EncodeOptions {
    /// How atoms are written.
    pub atoms: AtomEncoding,
    /// How ports are written.
    pub ports: PortEncoding,
    /// Write the pairs of maps in the order of their keys, so that equal terms give equal bytes.
    pub deterministic: bool,
    /// Compress at this zlib level (0..=9) when that makes the term smaller.
    pub compressed: Option<u32>,
}

impl EncodeOptions {
    /// What `term_to_binary/1` of OTP 25 does.
    #[must_use]
    pub fn otp25() -> Self {
        Self {
            atoms: AtomEncoding::Latin1WhereItFits,
            ports: PortEncoding::NarrowWhereItFits,
            ..Self::default()
        }
    }
}

/// Encodes with the version byte, as `term_to_binary/1` of OTP 26 and later.
///
/// A float that is no number, or a binary or list beyond 32 bits, has no encoding: such a term encodes
/// as the atom `badarg`. Use [`encode_with`] for terms that may have them.
#[must_use]
pub fn encode(term: &Term) -> Vec<u8> {
    encode_with(term, &EncodeOptions::default()).unwrap_or_else(|_| b"\x83\x77\x06badarg".to_vec())
}

/// Encodes with the version byte.
///
/// # Errors
/// When the format cannot hold the term.
pub fn encode_with(term: &Term, options: &EncodeOptions) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::with_capacity(size::expected(term));
    bytes.push(crate::tag::VERSION);
    if let Term::Local(local) = term {
        bytes.push(crate::tag::LOCAL);
        bytes.extend_from_slice(local.bytes());
        return Ok(bytes);
    }
    writer::write(term, *options, &mut bytes, &mut NoAtomRefs)?;
    match options.compressed {
        Some(level) => compress(bytes, level),
        None => Ok(bytes),
    }
}

/// Encodes without a version byte into a sink, taking atoms from a distribution header where `atoms`
/// offers them. Atoms are UTF-8 and ports as narrow as they can be, which every peer reads.
///
/// # Errors
/// When the format cannot hold the term; the sink then has a part of it.
pub fn encode_to(
    term: &Term,
    sink: &mut impl Sink,
    atoms: &mut impl AtomRefs,
) -> Result<(), EncodeError> {
    let options =
        EncodeOptions { ports: PortEncoding::NarrowWhereItFits, ..EncodeOptions::default() };
    writer::write(term, options, sink, atoms)
}

fn compress(bytes: Vec<u8>, level: u32) -> Result<Vec<u8>, EncodeError> {
    use std::io::Write;
    let body = &bytes[1..];
    let size = u32::try_from(body.len())
        .map_err(|_| EncodeError::TooLong { what: "bytes to compress", len: body.len() })?;
    let mut packed = vec![crate::tag::VERSION, crate::tag::COMPRESSED];
    packed.extend_from_slice(&size.to_be_bytes());
    let level = flate2::Compression::new(level.min(9));
    let mut encoder = flate2::write::ZlibEncoder::new(packed, level);
    encoder.write_all(body).map_err(|_| EncodeError::Compression)?;
    let packed = encoder.finish().map_err(|_| EncodeError::Compression)?;
    Ok(if packed.len() < bytes.len() { packed } else { bytes })
}

impl Sink for Vec<u8> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn put_shared(&mut self, bytes: Bytes) {
        self.extend_from_slice(&bytes);
    }
}
