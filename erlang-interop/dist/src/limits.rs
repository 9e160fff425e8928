//! Every bound of this layer, with its reason. Units come last in the names.
//!
//! A peer that passes a bound gets a typed `Limit` error and loses its connection; nothing is ever
//! reserved because a peer announced a size.

/// Longest handshake message in bytes, without its prefix. The largest real one is a challenge with
/// a 255 character name (about 1.1 KiB); the rest is room for trailing data of later releases. Below
/// 0x1503, so that a TLS record is refused at once instead of being taken for a length.
pub const HANDSHAKE_MESSAGE_BYTES_MAX: usize = 4 * 1024;

/// Longest node name in characters. A name is an atom, and an atom has at most 255 characters.
pub const NODE_NAME_CHARACTERS_MAX: usize = 255;

/// Bytes that may follow the acceptor's last handshake message in one input before the connection
/// takes over: the first frames of an eager peer, bounded by what one read brings.
pub const HANDSHAKE_LEFTOVER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Longest cookie in bytes. A BEAM's cookie is an atom, at most 255 characters of up to 4 bytes.
pub const COOKIE_BYTES_MAX: usize = 1020;

/// Slots of an atom cache, one cache for each direction.
// spec: erl_dist_protocol, "Distribution Header"
pub const ATOM_CACHE_SLOTS: usize = 2048;

/// Atom references in one distribution header; the count is one byte.
pub const ATOM_REFERENCES_MAX: usize = 255;

/// Longest text of an atom in bytes: 255 characters of at most 4 bytes in UTF-8.
pub const ATOM_TEXT_BYTES_MAX: usize = 255 * 4;

/// About the bytes that an atom takes beside its text.
pub const ATOM_BYTES: usize = 64;

/// Payload bytes that one continuation fragment carries, as a BEAM cuts them.
pub const FRAGMENT_PAYLOAD_BYTES: usize = 64 * 1024;

/// Payload bytes that go with the first fragment of a message. It's small because a first fragment
/// keeps its place in the order of the atom cache and so can't be overtaken by a signal.
pub const FIRST_FRAGMENT_PAYLOAD_BYTES: usize = 1024;

/// Payloads up to this size in bytes travel in one frame with their control term; larger ones are cut
/// if the peer can join.
pub const UNFRAGMENTED_BYTES_MAX: usize = FRAGMENT_PAYLOAD_BYTES;

/// Longest single frame in bytes, without its prefix. A peer without `FRAGMENTS` sends a whole
/// message in one.
pub const FRAME_BYTES_MAX: usize = 512 * 1024 * 1024;

/// Longest joined message in bytes.
pub const MESSAGE_BYTES_MAX: usize = 2 * 1024 * 1024 * 1024 - 1;

/// Bytes of all unfinished fragmented messages of a connection together.
pub const FRAGMENTS_BYTES_MAX: usize = MESSAGE_BYTES_MAX;

/// Fragmented messages that may be unfinished at once: one for each sending process of the peer.
/// A BEAM has no bound here and runs out of memory.
pub const FRAGMENTED_MESSAGES_MAX: usize = 4096;

/// Highest id of a first fragment. At this count the average fragment of the longest message would
/// be 2 KiB, far below what a BEAM cuts.
pub const FRAGMENT_ID_MAX: u64 = 1024 * 1024;

/// Binaries from this size in bytes are handed to the output as they are; smaller ones are copied
/// beside their neighbours, which costs less than another vector entry.
pub const SHARED_BINARY_BYTES_MIN: usize = 4 * 1024;

/// Room kept ready for the next read, in bytes.
pub const READ_BUFFER_BYTES: usize = 128 * 1024;

/// How many times as long as what has come a buffer may be. A longer one is copied into, and both are
/// there for that moment: doubling would copy all of a long message, and hold half of it twice; this is
/// an eighth. What was not written to yet is no memory, only addresses.
pub const BUFFER_GROWTH: usize = 8;

/// Buffers from this size in bytes on are used again by later messages.
pub const SPARE_BYTES_MIN: usize = 64 * 1024;

/// Most memory in bytes that a connection keeps for later messages, for a tick interval or two: two
/// messages of 64 MiB, one being read while the other is looked at.
pub const SPARE_BYTES_MAX: usize = 2 * (64 * 1024 * 1024 + READ_BUFFER_BYTES);

/// Most buffers that a connection keeps for later messages: as many as messages of 64 KiB that a
/// process may have left unread while others of them arrive.
pub const SPARE_BUFFERS_MAX: usize = 256;

/// Bytes of small messages that one `poll_output` hands out at most (it always hands out at least one
/// frame), so that a call returns after bounded work.
pub const OUTPUT_BATCH_BYTES_MAX: usize = 1024 * 1024;

/// `net_tickintensity`: ticks per tick time.
pub const TICK_INTENSITY_MIN: u32 = 4;
/// See [`TICK_INTENSITY_MIN`].
pub const TICK_INTENSITY_MAX: u32 = 1000;

const _: () = assert!(FIRST_FRAGMENT_PAYLOAD_BYTES <= FRAGMENT_PAYLOAD_BYTES);
const _: () = assert!(FRAGMENT_PAYLOAD_BYTES <= UNFRAGMENTED_BYTES_MAX);
const _: () = assert!(FIRST_FRAGMENT_PAYLOAD_BYTES < UNFRAGMENTED_BYTES_MAX, "there is a second");
const _: () = assert!(UNFRAGMENTED_BYTES_MAX <= FRAME_BYTES_MAX);
const _: () = assert!(FRAME_BYTES_MAX <= MESSAGE_BYTES_MAX);
const _: () = assert!(MESSAGE_BYTES_MAX <= FRAGMENTS_BYTES_MAX);
const _: () = assert!(SPARE_BYTES_MIN < SPARE_BYTES_MAX && SPARE_BYTES_MAX <= MESSAGE_BYTES_MAX);
const _: () = assert!(FRAME_BYTES_MAX <= u32::MAX as usize);
const _: () = assert!(SHARED_BINARY_BYTES_MIN < UNFRAGMENTED_BYTES_MAX);
const _: () = assert!(NODE_NAME_CHARACTERS_MAX * 4 < HANDSHAKE_MESSAGE_BYTES_MAX);
const _: () = assert!(HANDSHAKE_MESSAGE_BYTES_MAX < 0x1503);
const _: () = assert!(FRAGMENT_ID_MAX as usize * FRAGMENT_PAYLOAD_BYTES >= MESSAGE_BYTES_MAX);
