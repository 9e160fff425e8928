//! The receiver's side of a mailbox: messages taken over from the inbox, searched without a lock.

use std::collections::VecDeque;
use std::task::{Context as TaskContext, Waker};

use super::Process;
use crate::message::Message;

/// Messages that the process has taken over from its inbox but not received yet, oldest first.
#[derive(Default)]
pub(crate) struct Mailbox {
    saved: VecDeque<Message>,
}

/// How far a selective receive has looked.
#[derive(Clone, Copy, Default)]
pub(crate) struct Scan {
    next: usize,
}

impl Mailbox {
    /// The first message at or after the scan's place that `choose` accepts.
    ///
    /// What was looked at once is not looked at again by the same scan.
    pub(crate) fn search<T>(
        &mut self,
        process: &Process,
        scan: &mut Scan,
        choose: &mut dyn FnMut(&Message) -> Option<T>,
    ) -> Option<(Message, T)> {
        loop {
            while let Some(message) = self.saved.get(scan.next) {
                if let Some(value) = choose(message) {
                    let message = self.saved.remove(scan.next)?;
                    self.give_back();
                    process.taken(&message);
                    return Some((message, value));
                }
                scan.next += 1;
            }
            if !self.refill(process, None) {
                return None;
            }
        }
    }

    /// Takes over the inbox. When it is empty, `waiting` is woken by the next message.
    /// Returns whether something came.
    pub(crate) fn refill(&mut self, process: &Process, waiting: Option<&TaskContext<'_>>) -> bool {
        let mut state = process.lock();
        if state.inbox.is_empty() {
            if let Some(context) = waiting {
                remember(&mut state.receiver, context.waker());
            }
            return false;
        }
        let came = std::mem::take(&mut state.inbox);
        drop(state);
        self.saved.extend(came);
        true
    }

    /// Removes each message that `unwanted` names, also from the inbox.
    pub(crate) fn remove(&mut self, process: &Process, unwanted: impl Fn(&Message) -> bool) {
        self.refill(process, None);
        self.saved.retain(|message| {
            let keep = !unwanted(message);
            if !keep {
                process.taken(message);
            }
            keep
        });
    }

    /// A burst must not pin its memory for the rest of the process's life.
    fn give_back(&mut self) {
        const KEPT: usize = 64;
        if self.saved.is_empty() && self.saved.capacity() > KEPT {
            self.saved = VecDeque::new();
        }
    }
}

/// Stores a waker unless the stored one wakes the same task.
pub(super) fn remember(slot: &mut Option<Waker>, waker: &Waker) {
    match slot {
        Some(known) if known.will_wake(waker) => {}
        _ => *slot = Some(waker.clone()),
    }
}
