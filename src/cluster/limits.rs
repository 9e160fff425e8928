//! Bounds of what discovery believes, and of what jobs may take. Anyone on the network can send a heartbeat, and a DNS answer
//! or an EPMD can be forged.

use std::time::Duration;

/// Longest datagram that is read: a heartbeat with the longest node name is below 600 bytes, and
/// other keys in it are allowed.
pub(crate) const DATAGRAM_BYTES_MAX: usize = 2048;
/// Most terms in a heartbeat: the map, a pair, and room for pairs we do not know.
pub(crate) const HEARTBEAT_TERMS_MAX: usize = 64;
/// Deepest nesting in a heartbeat: ours has one level.
pub(crate) const HEARTBEAT_DEPTH_MAX: usize = 8;
/// Most names that one topology remembers: ten times the largest mesh that makes sense.
pub(crate) const PEERS_MAX: usize = 1024;
/// Dials of one topology at the same time: names that do not answer hold one up for seconds.
pub(crate) const DIALS_MAX: usize = 16;
/// Dials of one topology at once before they are spread: a mesh of a hundred forms at once.
pub(crate) const DIALS_BURST_MAX: u32 = 128;
/// Pause between dials after that: whoever makes names up must not make us knock everywhere.
pub(crate) const DIAL_PAUSE: Duration = Duration::from_millis(50);
/// Names of a topology that the log tells as lost in one [`TELLING_TIME`]: made-up names must not
/// fill the disk.
pub(crate) const LOSSES_TOLD_MAX: u32 = 64;
/// See [`LOSSES_TOLD_MAX`].
pub(crate) const TELLING_TIME: Duration = Duration::from_secs(60);
/// Longest time for finding out which nodes there are; then the last answer stands.
pub(crate) const LIST_TIME_MAX: Duration = Duration::from_secs(15);
/// Longest file of host names that is read: some thousands of hosts.
pub(crate) const HOSTS_FILE_BYTES_MAX: u64 = 256 * 1024;
/// Longest file of a service account that is read: a token has some 1 KiB, a bundle of CAs more.
pub(crate) const ACCOUNT_FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Most header lines in an answer of the API of Kubernetes, which sends about ten.
pub(crate) const HEADERS_MAX: usize = 64;
/// Longest answer of the API of Kubernetes: a page of pods at 30 KiB each.
pub(crate) const RESPONSE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Objects in a page of its list.
pub(crate) const PAGE_ITEMS: usize = 250;
/// Most pages: twice the names that are remembered, since not each object tells one.
pub(crate) const PAGES_MAX: usize = 8;
/// Longest text of a refusal that is logged, in characters.
pub(crate) const REFUSAL_CHARS_MAX: usize = 512;
/// Longest line of a watch: an object in etcd has 1.5 MiB at most.
pub(crate) const WATCH_LINE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// How long a watch is asked for: a server that is silently gone is noticed after that.
pub(crate) const WATCH_TIME: Duration = Duration::from_secs(60);
/// How much later than asked for the server may end it.
pub(crate) const WATCH_GRACE: Duration = Duration::from_secs(15);
/// A watch that ended sooner is opened again only when it is time to ask anyway.
pub(crate) const WATCH_AGE_MIN: Duration = Duration::from_secs(1);

const _: () = assert!(PEERS_MAX <= PAGE_ITEMS * PAGES_MAX && PAGE_ITEMS <= PEERS_MAX);
/// Longest digest of a routing table that is read; ours have 32 digits.
pub(crate) const DIGEST_BYTES_MAX: usize = 64;
/// Longest routing table that goes from node to node: ten thousand routes of 100 bytes.
pub(crate) const TABLE_BYTES_MAX: usize = 1024 * 1024;
/// How many tables ahead a node can be: more have not been loaded since the last meeting.
pub(crate) const SERIAL_STEP_MAX: u64 = 1 << 32;
/// How long a node may take to send its routing table before another is asked.
pub(crate) const TABLE_ANSWER_TIME: Duration = Duration::from_secs(10);
/// Jobs that one node splits at the same time; one more is answered `overloaded`. Each has some
/// processes for each node of the cluster.
pub(crate) const JOBS_MAX: usize = 64;
/// Most chunks of a job, whatever size was asked for: each step of a job looks through them.
pub(crate) const CHUNKS_MAX: usize = 1024;
/// Most chunks that one node has of a job at the same time, whatever was asked for.
pub(crate) const CHUNKS_IN_FLIGHT_MAX: usize = 64;
/// Longest time of a job, whatever was asked for: a job that hangs holds the place of another.
pub(crate) const JOB_TIME_MAX: Duration = Duration::from_secs(3600);
/// Most operations in a chunk: some hundred kilobytes, and some milliseconds of work.
pub(crate) const CHUNK_OPERATIONS_MAX: usize = 1000;
/// Failures of a chunk on nodes that live: more would fail the same way.
pub(crate) const CHUNK_FAILURES_MAX: u32 = 3;
/// Starts of a chunk, those on nodes that were lost included: work that ends nodes must not end all.
pub(crate) const CHUNK_STARTS_MAX: u32 = 5;

/// Longest idempotency key: a UUID has 36 bytes, a digest in hex 64.
pub(crate) const KEY_BYTES_MAX: usize = 255;
/// Keys whose answers one node keeps.
pub(crate) const KEPT_KEYS_MAX: usize = 10_000;
/// Encoded bytes of these answers.
pub(crate) const KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Longest answer that is kept: that of a job of some ten thousand operations.
pub(crate) const KEPT_ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long an answer is kept: longer than anyone retries without thinking.
pub(crate) const KEPT_AGE_MAX: Duration = Duration::from_secs(600);
/// Keys for which something is done at the same time.
pub(crate) const KEYS_RUNNING_MAX: usize = 4096;

const _: () = assert!(KEPT_ANSWER_BYTES_MAX <= KEPT_BYTES_MAX);
const _: () = assert!(CHUNK_FAILURES_MAX <= CHUNK_STARTS_MAX);
const _: () = assert!(DIALS_MAX < PEERS_MAX);
const _: () = assert!(DIALS_MAX <= DIALS_BURST_MAX as usize);
const _: () = assert!(HEARTBEAT_DEPTH_MAX < HEARTBEAT_TERMS_MAX);
const _: () = assert!(HEARTBEAT_TERMS_MAX < DATAGRAM_BYTES_MAX);
