//! What a mailbox holds, and typed views of the messages that the run-time system makes.

use std::ops::Deref;

use erlang_term::{Pid, Reference, Term, atom};

use crate::ExitReason;
use crate::origin::ConnectionNumber;

/// One message as it lies in a mailbox: exactly the term a BEAM process would receive.
///
/// It dereferences to its [`Term`]. Exits of linked processes (while exits are trapped) and ends
/// of monitored ones arrive as the tuples `{'EXIT', …}` and `{'DOWN', …}`; [`Message::as_exit`]
/// and [`Message::as_down`] read them.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    term: Term,
    bytes: u32,
    connection: ConnectionNumber,
}

/// `{'DOWN', Reference, process, Process, Reason}` taken apart.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Down {
    /// The monitor that fired.
    pub reference: Reference,
    /// What was monitored: a pid, or `{Name, Node}`.
    pub process: Term,
    /// Why it ended.
    pub reason: ExitReason,
}

/// `{'EXIT', From, Reason}` taken apart.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Exit {
    /// The linked process that ended, or the one that called `exit/2`.
    pub from: Pid,
    /// Why.
    pub reason: ExitReason,
}

impl Message {
    /// A message made on this node.
    pub fn new(term: Term) -> Self {
        Self { term, bytes: 0, connection: 0 }
    }

    /// A message that came over a connection, or was sent here on behalf of the peer behind it; it
    /// holds about so many bytes.
    pub(crate) fn of_peer(term: Term, bytes: usize, connection: ConnectionNumber) -> Self {
        Self { connection, ..Self::of_signal(term, bytes) }
    }

    /// A message made on this node of a signal that may have come from a peer, which holds about so
    /// many bytes.
    pub(crate) fn of_signal(term: Term, bytes: usize) -> Self {
        Self { term, bytes: u32::try_from(bytes).unwrap_or(u32::MAX), connection: 0 }
    }

    /// The connection of the peer that it is from; zero: it is this node's own.
    pub(crate) fn connection(&self) -> ConnectionNumber {
        self.connection
    }

    /// Whether this node made it, or one of its processes sent it for no peer. One from elsewhere may
    /// look like a signal of here.
    pub fn is_from_here(&self) -> bool {
        self.connection == 0
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes as usize
    }

    /// The term.
    pub fn term(&self) -> &Term {
        &self.term
    }

    /// The term, by value.
    pub fn into_term(self) -> Term {
        self.term
    }

    /// This message as the end of a monitored process.
    pub fn as_down(&self) -> Option<Down> {
        match self.term.as_tuple()? {
            [tag, Term::Reference(reference), kind, process, reason]
                if tag.is_atom("DOWN") && kind.is_atom("process") =>
            {
                Some(Down {
                    reference: reference.clone(),
                    process: process.clone(),
                    reason: ExitReason::from(reason.clone()),
                })
            }
            _ => None,
        }
    }

    /// Whether this is the `'DOWN'` of that monitor, without taking it apart.
    pub fn is_down_of(&self, monitor: &Reference) -> bool {
        match self.term.as_tuple() {
            Some([tag, Term::Reference(reference), _, _, _]) => {
                reference == monitor && tag.is_atom("DOWN")
            }
            _ => false,
        }
    }

    /// This message as a trapped exit signal.
    pub fn as_exit(&self) -> Option<Exit> {
        match self.term.as_tuple()? {
            [tag, Term::Pid(from), reason] if tag.is_atom("EXIT") => {
                Some(Exit { from: from.clone(), reason: ExitReason::from(reason.clone()) })
            }
            _ => None,
        }
    }
}

impl Deref for Message {
    type Target = Term;

    fn deref(&self) -> &Term {
        &self.term
    }
}

impl From<Message> for Term {
    fn from(message: Message) -> Self {
        message.term
    }
}

impl From<Term> for Message {
    fn from(term: Term) -> Self {
        Self::new(term)
    }
}

/// `{'DOWN', Reference, process, Process, Reason}`.
pub(crate) fn down_term(reference: Reference, process: Term, reason: &ExitReason) -> Term {
    Term::tuple([
        Term::Atom(atom!("DOWN")),
        Term::Reference(reference),
        Term::Atom(atom!("process")),
        process,
        reason.to_term(),
    ])
}

/// `{'EXIT', From, Reason}`.
pub(crate) fn exit_term(from: Pid, reason: &ExitReason) -> Term {
    Term::tuple([Term::Atom(atom!("EXIT")), Term::Pid(from), reason.to_term()])
}

#[cfg(test)]
mod tests {
    use erlang_term::Atom;

    use super::*;

    fn node() -> Atom {
        Atom::new("a@h").expect("a short name")
    }

    #[test]
    fn a_down_is_read_back() {
        let reference = Reference::new(node(), 4, &[1, 2, 3]);
        let term = down_term(reference.clone(), Term::from(7), &ExitReason::Noproc);
        let message = Message::new(term);
        let down = message.as_down().expect("it is a DOWN");
        assert_eq!(down.reference, reference);
        assert_eq!(down.reason, ExitReason::Noproc);
        assert!(message.is_down_of(&reference));
        assert!(message.as_exit().is_none());
    }

    #[test]
    fn an_exit_is_read_back() {
        let pid = Pid::new(node(), 1, 0, 4);
        let message = Message::new(exit_term(pid.clone(), &ExitReason::Killed));
        let exit = message.as_exit().expect("it is an EXIT");
        assert_eq!((exit.from, exit.reason), (pid, ExitReason::Killed));
        assert!(message.as_down().is_none());
    }
}
