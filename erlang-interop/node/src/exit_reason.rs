//! Why a process ended.

use std::fmt;

use erlang_term::{Atom, Term, atom};

use crate::weight::{HELD_BYTES_MAX, held};

/// Why a process ended, or what an exit signal carries.
///
/// The reasons that the run-time system itself knows are variants; each converts from and to
/// the atom a BEAM uses, so `Other` never holds one of them when built by `From<Term>`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExitReason {
    /// `normal`: the process did its work.
    Normal,
    /// `kill`: as an exit signal by `exit/2`, it can't be trapped.
    Kill,
    /// `killed`: what the links of a killed process see.
    Killed,
    /// `noproc`: there is no such process.
    Noproc,
    /// `noconnection`: the node of the process can't be reached.
    Noconnection,
    /// `shutdown`: ordered by a supervisor, or the node stops.
    Shutdown,
    /// Anything else.
    Other(Term),
}

impl ExitReason {
    /// The reason as the term that travels.
    pub fn to_term(&self) -> Term {
        let atom: Atom = match self {
            Self::Normal => atom!("normal"),
            Self::Kill => atom!("kill"),
            Self::Killed => atom!("killed"),
            Self::Noproc => atom!("noproc"),
            Self::Noconnection => atom!("noconnection"),
            Self::Shutdown => atom!("shutdown"),
            Self::Other(term) => return term.clone(),
        };
        Term::Atom(atom)
    }

    /// Whether a supervisor would call this an orderly end: `normal`, `shutdown` or
    /// `{shutdown, _}`.
    pub fn is_orderly(&self) -> bool {
        match self {
            Self::Normal | Self::Shutdown => true,
            Self::Other(term) => term
                .as_tuple()
                .is_some_and(|elements| elements.len() == 2 && elements[0].is_atom("shutdown")),
            _ => false,
        }
    }
}

/// An exit reason that arrives at a process.
#[derive(Clone, Debug)]
pub(crate) struct Arriving {
    pub(crate) reason: ExitReason,
    /// About what it holds, if a peer has sent it.
    pub(crate) bytes: usize,
}

impl Arriving {
    /// The reason that a peer gave.
    pub(crate) fn from_peer(reason: Term) -> Self {
        let bytes = held(&reason, HELD_BYTES_MAX);
        Self { reason: reason.into(), bytes }
    }
}

impl From<ExitReason> for Arriving {
    fn from(reason: ExitReason) -> Self {
        Self { reason, bytes: 0 }
    }
}

impl From<Term> for ExitReason {
    fn from(term: Term) -> Self {
        match term.as_atom().map(Atom::as_str) {
            Some("normal") => Self::Normal,
            Some("kill") => Self::Kill,
            Some("killed") => Self::Killed,
            Some("noproc") => Self::Noproc,
            Some("noconnection") => Self::Noconnection,
            Some("shutdown") => Self::Shutdown,
            _ => Self::Other(term),
        }
    }
}

impl From<ExitReason> for Term {
    fn from(reason: ExitReason) -> Self {
        match reason {
            ExitReason::Other(term) => term,
            known => known.to_term(),
        }
    }
}

/// A process whose function returns nothing ends with `normal`.
impl From<()> for ExitReason {
    fn from((): ()) -> Self {
        Self::Normal
    }
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_term())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_reasons_survive_the_way_through_a_term() {
        for reason in [
            ExitReason::Normal,
            ExitReason::Kill,
            ExitReason::Killed,
            ExitReason::Noproc,
            ExitReason::Noconnection,
            ExitReason::Shutdown,
            ExitReason::Other(Term::from(3)),
        ] {
            assert_eq!(ExitReason::from(reason.to_term()), reason);
        }
    }

    #[test]
    fn only_normal_and_shutdown_are_orderly() {
        let tagged = Term::tuple([Term::Atom(atom!("shutdown")), Term::from(1)]);
        assert!(ExitReason::Normal.is_orderly());
        assert!(ExitReason::Other(tagged).is_orderly());
        assert!(!ExitReason::Killed.is_orderly());
        assert!(!ExitReason::Other(Term::from(1)).is_orderly());
    }
}
