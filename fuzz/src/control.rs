//! Any bytes as control message and payload in a good frame. What is read is sent by us and read again
//! equal.

use std::time::Duration;

use bytes::Bytes;
use erlang_dist::{Connection, ConnectionConfig, DistributionFlags, Event};

const NOW: Duration = Duration::ZERO;

/// Runs one input.
pub fn run(data: &[u8]) {
    let flags = DistributionFlags::DEFAULT | DistributionFlags::ALTACT_SIG;
    let end = || Connection::with_flags(ConnectionConfig::default(), flags, NOW);
    let length = (data.len() as u32 + 3).to_be_bytes();
    let frame = [&length[..], &[131, 68, 0], data].concat();
    let (mut first, mut second) = (end(), end());
    first.handle_input(NOW, Bytes::from(frame));
    let Ok(Some(event)) = first.poll_event() else { return };
    let Event::Message { control, payload } = event.clone() else { return };
    first.send(control, payload).expect("what came can go");
    let mut chunks = Vec::new();
    while first.poll_output(&mut chunks) > 0 {}
    for chunk in chunks {
        second.handle_input(NOW, chunk);
    }
    assert_eq!(second.poll_event().expect("what we write is good"), Some(event));
}
