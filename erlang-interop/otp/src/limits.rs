//! Every bound of this layer, with its reason. Units come last in the names.

use std::time::Duration;

/// How long a client waits for an answer unless told otherwise: the 5 s of `gen_server:call/2`.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Nested `erlang:apply` in one call. A peer can send `apply(apply, [apply, …])`; each level costs
/// a boxed future, and nobody needs more than a few.
pub const APPLY_DEPTH_MAX: usize = 32;

/// Remote calls that `rex` runs at the same time. A modern BEAM doesn't use `rex` for calls, so
/// this bounds what old or hostile callers can start; further calls get `system_limit`.
pub const REX_CALLS_MAX: usize = 10_000;

/// Children of one `Task.Supervisor` unless its options say otherwise.
pub const TASK_CHILDREN_MAX: usize = 100_000;

/// Names in `global` that we accept. Each is monitored and costs about 300 bytes.
pub const GLOBAL_NAMES_MAX: usize = 262_144;

/// Locks in `global` that may be held at the same time, over all resources.
pub const GLOBAL_LOCKS_MAX: usize = 65_536;

/// Processes that may hold one `global` lock together.
pub const GLOBAL_LOCK_HOLDERS_MAX: usize = 4096;

/// Nodes that a peer may name as known in one `global` message.
pub const GLOBAL_KNOWN_MAX: usize = 4096;

/// Losses of connections between other nodes that are remembered, so that each is passed on once.
pub const GLOBAL_LOST_CONNECTIONS_MAX: usize = 4096;

/// Memberships that one peer scope of `pg` may hold at us.
pub const PG_MEMBERSHIPS_MAX: usize = 1_000_000;

/// Peers of one `pg` scope.
pub const PG_PEERS_MAX: usize = 4096;

/// Processes that watch the groups of one `pg` scope: each change is a message to each of them.
pub const PG_WATCHERS_MAX: usize = 4096;

/// Bytes of one logged event from a peer that reach our log; the rest is cut.
pub const LOG_TEXT_BYTES_MAX: usize = 16 * 1024;

/// Elements that a call may ask us to build (`lists:seq/2`, `lists:duplicate/2`).
pub const BUILT_ELEMENTS_MAX: i64 = 1_000_000;

/// Bits of an integer that arithmetic on behalf of a peer may give.
pub const INTEGER_BITS_MAX: u64 = 65_536;

const _: () = assert!(GLOBAL_LOCK_HOLDERS_MAX <= GLOBAL_LOCKS_MAX, "one lock fits into all locks");

/// Least time between two messages of `observer_backend:fetch_stats/2`: a peer chooses the period,
/// and each message reads the system's counters.
pub(crate) const STATS_PERIOD_MIN: Duration = Duration::from_millis(100);
