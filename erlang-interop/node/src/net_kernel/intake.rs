//! What the unfinished messages of all peers may hold together.
//!
//! A message that has come in part holds memory until the rest is there, which may be never. Each
//! connection has bounds of its own; many connections together have this one. When it is passed, the
//! connection that holds most is given up, whoever asked for more: else one that never ends its
//! message would cost all others theirs. Who holds little never is, so that small messages of honest
//! peers always get through.
//!
//! What connections keep for their next long messages counts too, but is no reason to refuse
//! anything: when it gets tight, all let go of it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    holders: Mutex<Vec<Arc<Holder>>>,
}

/// What one connection holds, for others to see.
#[derive(Default)]
struct Holder {
    held: AtomicUsize,
    /// Whether it has to end, so that others have room.
    given_up: AtomicBool,
    called: Notify,
}

/// The part of one connection; given back when dropped.
pub(super) struct Share {
    intake: Arc<Intake>,
    holder: Arc<Holder>,
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
    /// It is not, and this connection has to go.
    Exceeded,
}

impl Intake {
    pub(super) fn new(max: usize) -> Arc<Self> {
        let (held, spare) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let holders = Mutex::default();
        Arc::new(Self { max, held, spare, crowded: Notify::new(), holders })
    }

    pub(super) fn share(self: &Arc<Self>) -> Share {
        let holder = Arc::<Holder>::default();
        self.holders().push(Arc::clone(&holder));
        Share { intake: Arc::clone(self), holder, held: 0, spare: 0 }
    }

    fn holders(&self) -> MutexGuard<'_, Vec<Arc<Holder>>> {
        self.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives up those who hold most, until what the others hold is not too much.
    fn make_room(&self) {
        let holders = self.holders();
        let given_up = |holder: &Holder| holder.given_up.load(Ordering::Relaxed);
        let held = |holder: &Holder| holder.held.load(Ordering::Relaxed);
        loop {
            let staying = || holders.iter().filter(|holder| !given_up(holder));
            if staying().map(|holder| held(holder)).sum::<usize>() <= self.max {
                return;
            }
            let most = staying().max_by_key(|holder| held(holder));
            let Some(most) = most.filter(|holder| held(holder) > INTAKE_BYTES_FREE) else { return };
            most.given_up.store(true, Ordering::Relaxed);
            most.called.notify_one();
        }
    }
}

impl Share {
    /// Says how many bytes the connection holds now, and how many it keeps for later.
    pub(super) fn set(&mut self, held: usize, spare: usize) -> Stock {
        let all = change(&self.intake.held, self.held, held);
        let kept = change(&self.intake.spare, self.spare, spare);
        if held != self.held {
            self.holder.held.store(held, Ordering::Relaxed);
        }
        (self.held, self.spare) = (held, spare);
        if all > self.intake.max {
            self.intake.make_room();
        }
        if self.holder.given_up.load(Ordering::Relaxed) {
            Stock::Exceeded
        } else if kept > 0 && all.saturating_add(kept) > self.intake.max {
            self.intake.crowded.notify_waiters();
            Stock::Crowded
        } else {
            Stock::Fits
        }
    }

    /// Waits until what this connection keeps or holds is needed by others; for ever if that is
    /// nothing.
    pub(super) async fn needed(&self) {
        let (keeps, holds) = (self.spare > 0, self.held > INTAKE_BYTES_FREE);
        tokio::select! {
            biased;
            () = self.holder.called.notified(), if holds => {}
            () = self.intake.crowded.notified(), if keeps => {}
            else => std::future::pending::<()>().await,
        }
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
        self.intake.holders().retain(|holder| !Arc::ptr_eq(holder, &self.holder));
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
        assert!(large.needed().now_or_never().is_some(), "the one with most was called");
        assert_eq!(large.set(8 * MIB, 0), Stock::Exceeded);
        assert_eq!(large.set(8 * MIB, 0), Stock::Exceeded, "also when it says so again");
        assert!(matches!(large.exceeded(), ConnectionError::Limit { got, .. } if got == 11 << 20));
        assert_eq!(other.set(9 * MIB, 0), Stock::Fits, "what is about to go counts no more");
        drop(large);
        assert_eq!(small.set(1, 0), Stock::Fits);
        assert_eq!(other.set(10 * MIB, 0), Stock::Exceeded, "it is now the one with most");
        drop((other, small));
        assert_eq!(intake.held.load(Ordering::Relaxed), 0);
        assert!(intake.holders().is_empty());
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
