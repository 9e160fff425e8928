//! What the mailboxes of all processes hold together.
//!
//! Each mailbox has a bound of its own. Many that nobody reads, each within its bound, could still hold
//! more than there is; so there is one bound for all. When it is reached, the process that gets the
//! next message is ended if it holds more than a little: those who read their messages are served on.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::limits::MAILBOX_BYTES_FREE;

/// Bytes of the messages from peers that wait in all mailboxes.
#[derive(Debug)]
pub(crate) struct Mailboxes {
    bytes: AtomicUsize,
    max: usize,
}

impl Mailboxes {
    pub(crate) fn new(max: usize) -> Self {
        Self { bytes: AtomicUsize::new(0), max }
    }

    /// Counts a message for a mailbox that holds `own` bytes with it; whether it may.
    pub(crate) fn add(&self, bytes: usize, own: usize) -> bool {
        let all = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        all <= self.max || own <= MAILBOX_BYTES_FREE
    }

    /// Counts what was taken out, or ended with its process.
    pub(crate) fn remove(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Bytes that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_much_may_hold_no_more_once_all_hold_too_much() {
        let mailboxes = Mailboxes::new(10 * MAILBOX_BYTES_FREE);
        assert!(mailboxes.add(10 * MAILBOX_BYTES_FREE, 10 * MAILBOX_BYTES_FREE));
        assert!(mailboxes.add(MAILBOX_BYTES_FREE, MAILBOX_BYTES_FREE), "it holds little");
        assert!(!mailboxes.add(1, MAILBOX_BYTES_FREE + 1));
        mailboxes.remove(2 * MAILBOX_BYTES_FREE);
        assert!(mailboxes.add(1, MAILBOX_BYTES_FREE + 1), "there is room again");
        assert_eq!(mailboxes.bytes(), 9 * MAILBOX_BYTES_FREE + 2);
    }
}
