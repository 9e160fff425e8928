//! Every bound of this layer, with its reason. Units come last in the names.
//!
//! A limit that a user may move is a field of [`crate::NodeConfig`] or [`crate::SpawnOptions`];
//! what stands here is its default, or a bound nobody has asked to move.

use std::time::Duration;

/// Bytes waiting for one connection above which senders wait: the `+zdbbl` of a BEAM.
pub const DIST_BUF_BUSY_LIMIT_BYTES: usize = 1024 * 1024;

/// Bytes of signals which must not wait (exits, downs, acknowledgements) that may pile up for a
/// connection while it is busy: about two results as long as the longest message that we would take.
/// A peer for which that much waits is disconnected when one more comes, since the alternative is
/// memory without end. What made it busy may be of any length.
pub const SIGNAL_OVERRUN_BYTES: usize = 128 * 1024 * 1024;

/// Bytes encoded for one connection before the socket gets its turn. Large enough that a write
/// is worth its system call, small enough that reading never starves.
pub const WRITE_BATCH_BYTES: usize = 256 * 1024;

/// Slices given to one vectored write. Linux takes 1024 at most; more than this gains nothing.
pub const WRITE_SLICES_MAX: usize = 64;

/// Bytes asked of the socket in one read.
pub const READ_CHUNK_BYTES: usize = 64 * 1024;

/// Ticks in a tick time: the `net_tickintensity` of a BEAM.
pub const NET_TICK_INTENSITY: u32 = 4;

/// Time a whole handshake may take: OTP's `net_setuptime`.
pub const NET_SETUP_TIME: Duration = Duration::from_secs(7);

/// Handshakes that may be under way from peers that dialed us. A flood of half-open connections
/// costs at most this many tasks; beyond, an old one gives way to each new one, so that a flood
/// locks nobody out.
pub const PENDING_HANDSHAKES_MAX: usize = 128;

/// Established connections. A BEAM mesh rarely passes 200 nodes; this bounds what strangers who
/// know the cookie can hold.
pub const CONNECTIONS_MAX: usize = 4096;

/// Connections with one address at a time. All nodes of a machine may share one; with a whole mesh
/// behind it, it is still a quarter of what there is.
pub const ADDRESS_CONNECTIONS_MAX: usize = CONNECTIONS_MAX / 4;

/// Handshakes from one address that may fail before its dials are cut off at once. A node with a
/// wrong cookie that dials twice a second needs some time for that.
pub const FAILED_HANDSHAKES_BURST: u32 = 100;

/// Failed handshakes that an address is forgiven each second.
pub const FAILED_HANDSHAKES_PER_SECOND: u32 = 5;

/// Handshakes at once from an address that has used up its failures, but from which peers are
/// connected, or which is 127.0.0.1 or ::1: those who share it with whoever fails must not be locked out.
pub const NARROW_HANDSHAKES_MAX: usize = 16;

/// Addresses whose failures are remembered, each with about 100 bytes.
pub const ATTEMPT_SOURCES_MAX: usize = 32_768;

/// Bytes of a pattern for names. A node name has 255 characters.
pub const NAME_PATTERN_BYTES_MAX: usize = 1024;

/// Functions that run for one peer at a time; one more gets `system_limit`. Each costs some KiB,
/// so that this is about a quarter of a GiB.
pub const PEER_CALLS_MAX: usize = 65_536;

/// Processes that live for one peer; one more gets `system_limit`. A quarter of what there is.
pub const PEER_PROCESSES_MAX: usize = PROCESSES_MAX / 4;

/// Atoms unknown until then that one peer may bring each second; beyond, it is read more slowly.
/// Unused ones are freed, so this bounds work, not memory: a BEAM would have crashed after ten
/// seconds of it.
pub const PEER_NEW_ATOMS_PER_SECOND: u64 = 100_000;

/// Least bytes of one read from a peer that has a pace.
pub const PACED_READ_BYTES_MIN: usize = 4096;

/// Ended connections whose last messages still count as their peer's.
pub const ORIGINS_GONE_KEPT: usize = 1024;

/// Live processes: the ceiling of a BEAM's `+P` default.
pub const PROCESSES_MAX: usize = 1_048_576;

/// Messages that may wait in one mailbox. A process that passes it is killed, see
/// [`crate::SpawnOptions::mailbox_messages_max`].
pub const MAILBOX_MESSAGES_MAX: usize = 4_000_000;

/// Bytes that messages from the network may hold in one mailbox, and in all together. A process that
/// passes it is killed, see [`crate::SpawnOptions::mailbox_bytes_max`].
pub const MAILBOX_BYTES_MAX: usize = 136 * 1024 * 1024;

/// Bytes that such messages may hold in one mailbox in any case.
pub const MAILBOX_BYTES_FREE: usize = 1024 * 1024;

/// Bytes that unfinished messages of all peers may hold together: also the longest message that can
/// be received. A BEAM has no bound here.
pub const INTAKE_BYTES_MAX: usize = 68 * 1024 * 1024;

/// Bytes that the unfinished messages of one peer may hold in any case.
pub const INTAKE_BYTES_FREE: usize = 1024 * 1024;

/// Terms in one message from a peer. One byte on the wire can become a term of 24 bytes, or of about
/// 70 where each is a tuple of its own.
pub const MESSAGE_TERMS_MAX: usize = 1536 * 1024;

/// Links and monitors that one peer may hold at our processes. Each costs about 100 bytes.
pub const PEER_RELATIONS_MAX: usize = 2_000_000;

/// Node events that a slow subscriber may leave unread before it loses the oldest.
pub const NODE_EVENTS_KEPT: usize = 1024;

/// Options read from one incoming spawn request; OTP knows about ten.
pub const SPAWN_OPTIONS_MAX: usize = 64;

/// Time given to processes to end by themselves when the node shuts down.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// Wait before the second attempt to register at EPMD after its daemon went away, doubled each time:
/// another node of this host may have taken the daemon's place by then.
pub const EPMD_RETRY_MIN: Duration = Duration::from_millis(25);

/// Longest wait between attempts to register at EPMD. A BEAM waits about as long each time.
pub const EPMD_RETRY_MAX: Duration = Duration::from_secs(2);

/// Time to write what is still queued when a connection is closed by us.
pub const CLOSE_FLUSH: Duration = Duration::from_millis(500);

/// Bytes of a file of certificates, keys, revocations or TLS options. The bundle of all public CAs
/// has about 200 KiB; revocation lists can be longer.
pub const TLS_FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// CAs between a peer's certificate and one that we trust, unless told otherwise: OTP's `depth`.
pub const TLS_DEPTH_DEFAULT: usize = 10;

/// TLS sessions remembered for resumption, each about 2 KiB, for either side.
pub const TLS_SESSIONS_KEPT: usize = 1024;

/// Bytes read at once below TLS. Two whole records fit, so that most need one system call.
pub const TLS_READ_BYTES: usize = 32 * 1024;

/// Files of one directory of revocation lists.
pub const TLS_CRL_FILES_MAX: usize = 1024;

/// How long before the end of a certificate a node begins to warn.
pub const TLS_EXPIRY_WARNING: Duration = Duration::from_secs(30 * 24 * 3600);

/// How often a node looks for changed certificates and near ends while nobody connects.
pub const TLS_CHECK_PERIOD: Duration = Duration::from_secs(3600);

/// Pause between two warnings of the same certificate's end.
pub const TLS_WARNING_PERIOD: Duration = Duration::from_secs(24 * 3600);

const _: () = assert!(READ_CHUNK_BYTES <= WRITE_BATCH_BYTES, "a read is one unit of work at most");
const _: () = assert!(WRITE_BATCH_BYTES <= DIST_BUF_BUSY_LIMIT_BYTES, "a batch fits the queue");
const _: () = assert!(DIST_BUF_BUSY_LIMIT_BYTES < SIGNAL_OVERRUN_BYTES, "signals outlast messages");
const _: () = assert!(PENDING_HANDSHAKES_MAX <= CONNECTIONS_MAX, "a handshake may succeed");
const _: () = assert!(ADDRESS_CONNECTIONS_MAX <= CONNECTIONS_MAX);
const _: () = assert!(NARROW_HANDSHAKES_MAX <= PENDING_HANDSHAKES_MAX, "others come in too");
const _: () = assert!(PEER_PROCESSES_MAX <= PROCESSES_MAX && PEER_CALLS_MAX <= PROCESSES_MAX);
const _: () = assert!(PACED_READ_BYTES_MIN <= READ_CHUNK_BYTES);
const _: () = assert!(INTAKE_BYTES_FREE < INTAKE_BYTES_MAX && INTAKE_BYTES_MAX < MAILBOX_BYTES_MAX);
const _: () = assert!(TLS_CHECK_PERIOD.as_secs() <= TLS_WARNING_PERIOD.as_secs());

/// Bytes of arguments up to which a function that a peer calls takes its first step on the
/// connection's task: with so little to work on, it is done before another thread would have begun,
/// and the connection is not kept from its next signal.
pub(crate) const BRIEF_ARGUMENTS_BYTES_MAX: usize = 1024;

/// The longest first step of such a function. One that took longer is started as a task for the next
/// [`LONG_STEP_CALLS`] calls, and so is at most one call in that many what the connection waits for.
pub(crate) const BRIEF_STEP_MAX: Duration = Duration::from_micros(500);

/// Calls of a function for which it is remembered that its first step was long.
pub(crate) const LONG_STEP_CALLS: u32 = 256;

/// Functions of which that is remembered at the same time. Above what a node offers, so that it is
/// reached only by names that nobody has.
pub(crate) const LONG_STEP_FUNCTIONS_MAX: usize = 4096;
