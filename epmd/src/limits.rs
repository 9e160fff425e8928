//! Every limit of this layer, with its reason. The unit comes last in the name.

use std::time::Duration;

/// Longest node name, in characters. An atom has at most 255, and a node name is one.
pub const NAME_CHARACTERS_MAX: usize = 255;

/// Longest node name, in bytes: 255 characters of at most four bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = NAME_CHARACTERS_MAX * 4;

/// Longest `Extra` field, in bytes. The original allows as much as for a name.
pub const EXTRA_BYTES_MAX: usize = NAME_BYTES_MAX;

/// Longest request, in bytes, with its two-byte length. The original's input buffer has
/// 3 × 1020 bytes and refuses what would fill it.
pub const REQUEST_BYTES_MAX: usize = 3 * NAME_BYTES_MAX - 1;

/// Connections of one daemon that have not registered a name (yet). When one more comes, the
/// oldest is cut: an honest client needs well under a millisecond, a slow one loses its place.
pub const PENDING_CONNECTIONS_MAX: usize = 1024;

/// Names registered at a time. Far above any real host, and bounded memory (at most 2 KiB each).
pub const REGISTRATIONS_MAX: usize = 16 * 1024;

/// Released names that are remembered, so that a later registration gets a fresh creation.
/// The original starts to forget the oldest one above this number.
pub const OLD_NAMES_MAX: usize = 1000;

/// The same with debugging switched on, as in the original.
pub const OLD_NAMES_DEBUG_MAX: usize = 5;

/// Addresses that one daemon can listen on, as in the original.
pub const LISTEN_ADDRESSES_MAX: usize = 16;

/// Longest answer to NAMES or DUMP that a client takes in, in bytes: [`REGISTRATIONS_MAX`] names
/// of full length with some text around each. A daemon that sends more is not one.
pub const LIST_ANSWER_BYTES_MAX: usize =
    (REGISTRATIONS_MAX + OLD_NAMES_MAX) * (NAME_BYTES_MAX + 64);

/// Longest answer to PORT_PLEASE2, in bytes: 12 before the name, and the length of the extra field.
pub const PORT_ANSWER_BYTES_MAX: usize = 14 + NAME_BYTES_MAX + EXTRA_BYTES_MAX;

/// A connection without a registration is cut after this time without a byte (`-packet_timeout`).
pub const PACKET_TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);

/// The original counts whole seconds and looks once a second, so a client that is silent for just
/// the packet timeout is never cut. The same patience here.
pub const PACKET_TIMEOUT_GRACE: Duration = Duration::from_secs(1);

/// A client that trickles bytes is cut after this many packet timeouts in all.
pub const PACKET_TIMEOUTS_TOTAL_MAX: u32 = 4;

/// How long a client waits for the connection and for each whole answer.
pub const CLIENT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

/// Pause after a failed accept (out of descriptors), so that it does not spin.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Length of the queue of connections the kernel has finished and we have not yet accepted.
pub const LISTEN_BACKLOG: u32 = 1024;

/// Descriptors the stand-alone daemon asks the system for (as far as the hard limit allows).
pub const DESCRIPTORS_WANTED: u64 = (REGISTRATIONS_MAX + PENDING_CONNECTIONS_MAX + 64) as u64;

// A full ALIVE2 (13 bytes of fields, two of length) must fit a request.
const _: () = assert!(2 + 13 + NAME_BYTES_MAX + EXTRA_BYTES_MAX <= REQUEST_BYTES_MAX);
// The two-byte length can say all of it.
const _: () = assert!(REQUEST_BYTES_MAX - 2 <= u16::MAX as usize);
// At least the aim of 10,000 names, and the pending ones beside them.
const _: () = assert!(REGISTRATIONS_MAX >= 10_000);
const _: () = assert!(OLD_NAMES_DEBUG_MAX < OLD_NAMES_MAX);
