//! Every bound of this layer, in one place.
//!
//! Terms come from peers that are not trusted: each length, depth and count has a named limit.

/// Characters of an atom. spec: erl_ext_dist, "SMALL_ATOM_UTF8_EXT".
pub const ATOM_CHARACTERS_MAX: usize = 255;

/// Bytes of an atom: every character may take four bytes of UTF-8.
pub const ATOM_BYTES_MAX: usize = ATOM_CHARACTERS_MAX * 4;

/// 32-bit words of a reference. spec: erl_ext_dist, "NEWER_REFERENCE_EXT".
pub const REFERENCE_WORDS_MAX: usize = 5;

/// Levels of nesting that the decoder accepts.
///
/// Neither it nor what walks over terms here needs a stack for that; code elsewhere may recurse
/// over what it is sent, and at this depth does well with the 2 MiB of a thread.
pub const DEPTH_MAX: usize = 1024;

/// Terms inside one decoded term. One byte on the wire can become a term of 24 bytes: 400 MiB beside the
/// message itself. Containers cost more, the most for their size what has little in it: empty maps and
/// tuples, references and bit strings come to 56 to 90 bytes each, 1.5 GiB in all. Who decodes for
/// strangers sets `DecodeLimits::terms_max` lower, as a node does.
pub const TERMS_MAX: usize = 1 << 24;

/// Atoms in one decoded term that nobody has used before. Each costs about 80 bytes while it is in
/// use; this is as many as a BEAM can have in all.
pub const NEW_ATOMS_MAX: usize = 1 << 20;

/// Bytes that a compressed term (tag 80) may inflate to.
pub const INFLATED_BYTES_MAX: usize = 64 << 20;

/// Levels of a term that are compared, hashed and dropped by recursion, which is faster; what lies
/// deeper is walked with a stack of our own. All of these levels fit a stack of 256 KiB.
pub(crate) const RECURSION_LEVELS_MAX: usize = 64;

/// Levels of nesting in text. The parsers recurse, some frames a level.
pub const TEXT_DEPTH_MAX: usize = 200;

/// Levels of a term that serde reads into a value. It recurses, some frames a level, and so do the types.
pub const SERDE_DEPTH_MAX: usize = 128;

/// Digits of a decimal integer in text: reading takes quadratic time.
pub const TEXT_DIGITS_MAX: usize = 10_000;

/// Bytes of an integer that is printed in decimal, which takes quadratic time; larger ones are printed in
/// hexadecimal digits, as Erlang and Elixir read them.
pub(crate) const DECIMAL_BYTES_MAX: usize = 8 * 1024;

/// Map entries up to which lookup walks the pairs; above, an index is kept.
pub(crate) const MAP_ENTRIES_UNINDEXED_MAX: usize = 16;

/// Encoded terms up to this many bytes are copied before binaries become windows into them: what came
/// in one read with others would keep all of it alive, for as long as somebody keeps a short string.
pub const TERM_BYTES_COPIED_MAX: usize = 48 * 1024;

/// Binaries up to this many bytes are kept inside the term itself.
pub(crate) const BINARY_INLINE_BYTES_MAX: usize = 22;

/// Sign and magnitude of integers up to this many bytes are kept inside the term itself.
pub(crate) const BIG_INLINE_BYTES_MAX: usize = 14;

/// Atoms that a shard of the atom table holds before it first looks for unused ones.
pub(crate) const ATOM_SHARD_SWEEP_MIN: usize = 1024;

const _: () = assert!(ATOM_BYTES_MAX <= u16::MAX as usize, "an atom's length must fit 16 bits");
const _: () = assert!(TEXT_DEPTH_MAX <= DEPTH_MAX, "what is read as text can be sent");
const _: () = assert!(NEW_ATOMS_MAX <= TERMS_MAX, "every atom is a term");
const _: () = assert!(TERMS_MAX <= u32::MAX as usize, "counts are kept in 32 bits");
const _: () = assert!(BINARY_INLINE_BYTES_MAX <= u8::MAX as usize);
