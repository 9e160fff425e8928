//! What the unfinished messages of all peers may hold together.
//!
//! A message that has come in part holds memory until the rest is there, which may be never. Each
//! connection has bounds of its own; many connections together have this one. When it is reached,
//! whoever holds more than a little is given up as it asks for more, so that small messages of
//! honest peers always get through.
//!
//! What connections keep for their next long messages counts too, but is no reason to refuse
//! anything: when it gets tight, all let go of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use erlang_dist::ConnectionError;
use tokio::sync::Notify;

use crate::limits::INTAKE_BYTES_FREE;

/// The bytes held for all peers.
pub(super) struct Intake {
    max: usize,
    /// By unfinished messages.
    held: AtomicUsize,
    /// For later ones.
    spare: AtomicUsize,
    crowded: Notify,
}

/// The part of one connection; given back when dropped.
pub(super) struct Share {
    intake: Arc<Intake>,
    held: usize,
    spare: usize,
}

/// Whether what a connection holds is within what all may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stock {
    /// It is.
    Fits,
    /// It is if nothing is kept for later.
    Crowded,
    /// It is not.
    Exceeded,
}

impl Intake {
    pub(super) fn new(max: usize) -> Arc<Self> {
        let (held, spare) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { max, held, spare, crowded: Notify::new() })
    }

    pub(super) fn share(self: &Arc<Self>) -> Share {
        Share { intake: Arc::clone(self), held: 0, spare: 0 }
    }
}

impl Share {
    /// Says how many bytes the connection holds now, and how many it keeps for later.
    pub(super) fn set(&mut self, held: usize, spare: usize) -> Stock {
        let all = change(&self.intake.held, self.held, held);
        let kept = change(&self.intake.spare, self.spare, spare);
        (self.held, self.spare) = (held, spare);
        if all > self.intake.max && held > INTAKE_BYTES_FREE {
            Stock::Exceeded
        } else if kept > 0 && all.saturating_add(kept) > self.intake.max {
            self.intake.crowded.notify_waiters();
            Stock::Crowded
        } else {
            Stock::Fits
        }
    }

    /// Waits until what this connection keeps is needed by others; for ever if it keeps nothing.
    pub(super) async fn needed(&self) {
        if self.spare == 0 {
            std::future::pending::<()>().await;
        }
        self.intake.crowded.notified().await;
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

/// Changes a part of a sum; gives the sum.
fn change(sum: &AtomicUsize, before: usize, now: usize) -> usize {
    match now.cmp(&before) {
        std::cmp::Ordering::Equal => sum.load(Ordering::Relaxed),
        std::cmp::Ordering::Greater => {
            let more = now - before;
            sum.fetch_add(more, Ordering::Relaxed) + more
        }
        std::cmp::Ordering::Less => {
            let less = before - now;
            sum.fetch_sub(less, Ordering::Relaxed) - less
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0, 0);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn who_holds_much_gives_way_and_who_holds_little_does_not() {
        let intake = Intake::new(10 * MIB);
        let (mut large, mut other, mut small) = (intake.share(), intake.share(), intake.share());
        assert_eq!(large.set(8 * MIB, 0), Stock::Fits);
        assert_eq!(other.set(2 * MIB, 0), Stock::Fits);
        assert_eq!(small.set(MIB, 0), Stock::Fits, "its messages get through");
        assert_eq!(other.set(3 * MIB, 0), Stock::Exceeded);
        assert_eq!(other.set(3 * MIB, 0), Stock::Exceeded, "nor when it says so again");
        assert!(matches!(other.exceeded(), ConnectionError::Limit { got, .. } if got == 12 << 20));
        drop(other);
        assert_eq!(large.set(9 * MIB, 0), Stock::Fits, "there is room again");
        assert_eq!(large.set(10 * MIB, 0), Stock::Exceeded);
        assert_eq!(large.set(0, 0), Stock::Fits);
        drop((large, small));
        assert_eq!(intake.held.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn what_is_kept_for_later_gives_way_to_what_is_there() {
        let intake = Intake::new(10 * MIB);
        let (mut rich, mut other) = (intake.share(), intake.share());
        assert_eq!(rich.set(0, 8 * MIB), Stock::Fits);
        let mut needed = std::pin::pin!(async {
            rich.needed().await;
            rich.set(0, 0)
        });
        assert_eq!(needed.as_mut().now_or_never(), None);
        assert_eq!(other.set(9 * MIB, 0), Stock::Crowded, "and not refused");
        assert_eq!(needed.await, Stock::Fits);
        assert_eq!(other.set(9 * MIB, 0), Stock::Fits);
        assert_eq!(other.set(9 * MIB, 2 * MIB), Stock::Crowded);
        assert_eq!(other.set(11 * MIB, 0), Stock::Exceeded);
        drop(other);
        assert_eq!(intake.share().needed().now_or_never(), None);
        assert_eq!(intake.spare.load(Ordering::Relaxed), 0);
    }
}
