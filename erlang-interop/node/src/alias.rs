//! Process aliases: references that receive messages for a process until they are taken back.
//!
//! An alias carries the numbers of its process in its words, so that a message finds the process
//! without a table of aliases; whether the alias is active, only the process knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use erlang_term::{Atom, Pid, Reference};

use crate::message::Message;
use crate::node::Node;
use crate::process::Process;

/// How an alias ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AliasMode {
    /// Only by [`crate::Context::unalias`]: `explicit_unalias`.
    ExplicitUnalias,
    /// By unalias, or with the monitor that it belongs to: `demonitor`. Without a monitor this is
    /// the same as [`AliasMode::ExplicitUnalias`].
    Demonitor,
    /// As [`AliasMode::Demonitor`], and with the first message, which also takes the monitor back:
    /// `reply_demonitor`. Without a monitor this is Erlang's `alias([reply])`.
    ReplyDemonitor,
}

impl AliasMode {
    pub(crate) fn ends_with_monitor(self) -> bool {
        !matches!(self, Self::ExplicitUnalias)
    }

    fn ends_with_message(self) -> bool {
        matches!(self, Self::ReplyDemonitor)
    }
}

/// Makes references that this node has not made before.
pub(crate) struct References {
    node: Atom,
    creation: u32,
    next: AtomicU64,
}

/// The first word of a reference has 18 significant bits in old releases, and is what `phash2`
/// hashes.
const FIRST_WORD_BITS: u32 = 18;

impl References {
    pub(crate) fn new(node: Atom, creation: u32) -> Self {
        Self { node, creation, next: AtomicU64::new(1) }
    }

    fn words(&self) -> [u32; 3] {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let part = |shift: u32, bits: u32| {
            u32::try_from(number >> shift & ((1 << bits) - 1)).expect("at most 32 bits are kept")
        };
        [part(0, FIRST_WORD_BITS), part(FIRST_WORD_BITS, 32), part(FIRST_WORD_BITS + 32, 14)]
    }

    /// A reference that stands for nothing: `make_ref()`.
    pub(crate) fn fresh(&self) -> Reference {
        Reference::new(self.node.clone(), self.creation, &self.words())
    }

    /// A reference that may become an alias of the process.
    pub(crate) fn of_process(&self, pid: &Pid) -> Reference {
        let [low, middle, high] = self.words();
        let words = [low, middle, high, pid.id(), pid.serial()];
        Reference::new(self.node.clone(), self.creation, &words)
    }
}

impl Node {
    pub(crate) fn alias(&self, process: &Process, mode: AliasMode) -> Reference {
        let reference = self.references().of_process(process.pid());
        process.lock().relate().aliases.insert(reference.clone(), mode);
        reference
    }

    pub(crate) fn unalias(&self, process: &Process, alias: &Reference) -> bool {
        let mut state = process.lock();
        state.relations_mut().is_some_and(|relations| relations.aliases.remove(alias).is_some())
    }

    /// The process that an alias of this node belongs to, if it lives.
    pub(crate) fn alias_owner(&self, alias: &Reference) -> Option<Arc<Process>> {
        let ours = self.is_own_name(alias.node()) && alias.creation() == self.creation();
        match alias.words() {
            [_, _, _, id, serial] if ours => self.table().find_number(*id, *serial),
            _ => None,
        }
    }

    /// Delivers a message to an alias of this node; dropped when that is not active.
    pub(crate) fn deliver_to_alias(&self, alias: &Reference, message: Message) {
        let Some(process) = self.alias_owner(alias) else { return };
        let mut state = process.lock();
        let Some(relations) = state.relations_mut() else { return };
        let Some(mode) = relations.aliases.get(alias).copied() else { return };
        let mut undone = None;
        if mode.ends_with_message() {
            relations.aliases.remove(alias);
            undone = self.demonitor_locked(&process, &mut state, alias);
        }
        process.deliver_locked(&mut state, message);
        drop(state);
        self.stop_watching(undone, alias);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_differ_and_keep_the_first_word_small() {
        let references = References::new(Atom::new("a@h").expect("short"), 5);
        references.next.store((1 << FIRST_WORD_BITS) - 1, Ordering::Relaxed);
        let last = references.fresh();
        let carried = references.fresh();
        assert_eq!(last.words(), &[(1 << FIRST_WORD_BITS) - 1, 0, 0]);
        assert_eq!(carried.words(), &[0, 1, 0]);
    }
}
