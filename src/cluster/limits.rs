//! Bounds of what discovery believes. Anyone on the network can send a heartbeat, and a DNS answer
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
/// Longest time for finding out which nodes there are; then the last answer stands.
pub(crate) const LIST_TIME_MAX: Duration = Duration::from_secs(15);
/// Longest file of host names that is read: some thousands of hosts.
pub(crate) const HOSTS_FILE_BYTES_MAX: u64 = 256 * 1024;

const _: () = assert!(DIALS_MAX < PEERS_MAX);
const _: () = assert!(HEARTBEAT_DEPTH_MAX < HEARTBEAT_TERMS_MAX);
const _: () = assert!(HEARTBEAT_TERMS_MAX < DATAGRAM_BYTES_MAX);
