//! Preventing overlapping partitions: when two nodes lose each other, everybody takes a side.
//!
//! The protocol leaves a gap, here as on a BEAM: who hears of a loss before the `new_nodes` that makes
//! the lost node known to it keeps that node, while those it agrees with have parted from it. A name
//! that is changed on either side is then not told to the other (seed 5241 of the simulator).

use erlang_term::{Atom, Term, atom};

use super::output::Output;
use super::state::{OVERLAP_VERSION, State};
use crate::limits::GLOBAL_LOST_CONNECTIONS_MAX;

impl State {
    fn potentially_known(&self, node: &Atom) -> bool {
        self.known.contains_key(node)
            || self.sessions.get(node).is_some_and(|session| session.pending)
    }

    /// Tells the others that we lost a node.
    pub(super) fn inform_connection_loss(&mut self, node: &Atom, outputs: &mut Vec<Output>) {
        if !self.potentially_known(node) {
            return;
        }
        let operation = self.next_loss;
        self.next_loss += 1;
        let creation = i64::from(self.creation);
        let message = Term::from((atom!("lost_connection"), &self.node, creation, operation, node));
        self.multicast(&message, node, outputs);
    }

    /// To all nodes that understand it, but not to `except`.
    fn multicast(&self, message: &Term, except: &Atom, outputs: &mut Vec<Output>) {
        for (node, version) in &self.known {
            if *version >= OVERLAP_VERSION && node != except {
                outputs.push(Output::Send(node.clone(), message.clone()));
            }
        }
    }

    /// `{lost_connection, By, Creation, Operation, Lost}`: passed on once, then `lost` is asked to
    /// part from us and forgotten.
    pub(super) fn lost_connection(
        &mut self,
        message: &Term,
        by: &Atom,
        creation: &Term,
        operation: i64,
        lost: &Atom,
        outputs: &mut Vec<Output>,
    ) {
        let key = (by.clone(), lost.clone());
        if let Some((seen_creation, seen)) = self.lost.get(&key)
            && seen_creation == creation
            && operation <= *seen
        {
            return;
        }
        if self.lost.len() >= GLOBAL_LOST_CONNECTIONS_MAX {
            self.lost.clear();
        }
        self.lost.insert(key, (creation.clone(), operation));
        self.multicast(message, by, outputs);
        // Everybody else removes us if we are the lost one; then it is `by` who must go.
        let removed = if *lost == self.node { by.clone() } else { lost.clone() };
        if !self.potentially_known(&removed) {
            return;
        }
        let request = Term::from((atom!("remove_connection"), &self.node));
        outputs.push(Output::Send(removed.clone(), request));
        tracing::warn!(
            node = %removed, lost_by = %by,
            "global: asked a node to disconnect, to prevent overlapping partitions",
        );
        self.forget(&removed, outputs);
        // If it does not know us it stays, and has asked to begin, or will.
        if self.early.contains_key(&removed) {
            self.open_session(&removed, outputs);
        }
    }

    /// `{remove_connection, Node}`: that node wants to part from us.
    pub(super) fn remove_connection(&mut self, node: &Atom, outputs: &mut Vec<Output>) {
        // Neither known nor beginning, and connected: we have asked it for the same.
        let parting = self.connections.contains_key(node) && !self.sessions.contains_key(node);
        if !self.potentially_known(node) && !parting {
            return;
        }
        tracing::warn!(%node, "global: disconnected a node, to prevent overlapping partitions");
        self.forget(node, outputs);
        outputs.push(Output::Disconnect(node.clone()));
    }
}
