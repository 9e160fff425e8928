//! What the unfinished messages of all peers may hold together.
//!
//! A message that has come in part holds memory until the rest is there, which may be never. Each
//! connection has bounds of its own; many connections together have this one. When it is reached,
//! whoever holds more than a little is given up as it asks for more, so that small messages of
//! honest peers always get through.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use erlang_dist::ConnectionError;

use crate::limits::INTAKE_BYTES_FREE;

/// The bytes held for all peers.
pub(super) struct Intake {
    max: usize,
    held: AtomicUsize,
}

/// The part of one connection; given back when dropped.
pub(super) struct Share {
    intake: Arc<Intake>,
    bytes: usize,
}

impl Intake {
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, held: AtomicUsize::new(0) })
    }

    pub(super) fn share(self: &Arc<Self>) -> Share {
        Share { intake: Arc::clone(self), bytes: 0 }
    }
}

impl Share {
    /// Says how many bytes the connection holds now. Whether that is within what all may hold.
    pub(super) fn set(&mut self, bytes: usize) -> bool {
        let held = &self.intake.held;
        let all = if bytes == self.bytes {
            held.load(Ordering::Relaxed)
        } else if bytes > self.bytes {
            let more = bytes - self.bytes;
            held.fetch_add(more, Ordering::Relaxed) + more
        } else {
            let less = self.bytes - bytes;
            held.fetch_sub(less, Ordering::Relaxed) - less
        };
        self.bytes = bytes;
        all <= self.intake.max || bytes <= INTAKE_BYTES_FREE
    }

    /// The error of a connection that held too much.
    pub(super) fn exceeded(&self) -> ConnectionError {
        ConnectionError::Limit {
            what: "bytes of the unfinished messages of all peers",
            max: self.intake.max as u64,
            got: self.intake.held.load(Ordering::Relaxed) as u64,
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.intake.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn who_holds_much_gives_way_and_who_holds_little_does_not() {
        let intake = Intake::new(10 * MIB);
        let (mut large, mut other, mut small) = (intake.share(), intake.share(), intake.share());
        assert!(large.set(8 * MIB) && other.set(2 * MIB));
        assert!(small.set(MIB), "its messages get through");
        assert!(!other.set(3 * MIB));
        assert!(!other.set(3 * MIB), "nor when it says so again");
        assert!(matches!(other.exceeded(), ConnectionError::Limit { got, .. } if got == 12 << 20));
        drop(other);
        assert!(large.set(9 * MIB), "there is room again");
        assert!(!large.set(10 * MIB));
        assert!(large.set(0));
        drop((large, small));
        assert_eq!(intake.held.load(Ordering::Relaxed), 0);
    }
}
