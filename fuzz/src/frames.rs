//! Any bytes as what a peer sends on a connection. The first byte chooses the flags and how the rest
//! is cut into pieces. No panic, and no more held than was sent.

use std::time::Duration;

use bytes::Bytes;
use erlang_dist::{Connection, ConnectionConfig, DistributionFlags};

/// Runs one input.
pub fn run(data: &[u8]) {
    let Some((choice, rest)) = data.split_first() else { return };
    let mut flags = DistributionFlags::DEFAULT | DistributionFlags::ALTACT_SIG;
    for (bit, flag) in [
        (1, DistributionFlags::DIST_HDR_ATOM_CACHE),
        (2, DistributionFlags::FRAGMENTS),
        (4, DistributionFlags::UNLINK_ID),
    ] {
        if choice & bit != 0 {
            flags = flags - flag;
        }
    }
    let piece = usize::from(choice >> 3) * 7 + 1;
    let mut connection = Connection::with_flags(ConnectionConfig::default(), flags, Duration::ZERO);
    for piece in rest.chunks(piece) {
        if choice & 8 != 0 {
            connection.input_space().extend_from_slice(piece);
            connection.input_filled(Duration::ZERO);
        } else {
            connection.handle_input(Duration::ZERO, Bytes::copy_from_slice(piece));
        }
        while let Ok(Some(_)) = connection.poll_event() {}
        assert!(connection.held_bytes() <= rest.len());
    }
}
