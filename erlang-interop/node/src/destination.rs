//! Where a message goes.

use erlang_term::{Atom, Pid, Reference, Term};

/// Where a message goes: the left side of Erlang's `!`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Destination {
    /// A process, here or elsewhere.
    Pid(Pid),
    /// A name registered on this node.
    Name(Atom),
    /// A name registered on a node: `(name, node)`.
    NameNode(Atom, Atom),
    /// A process alias.
    Alias(Reference),
}

impl Destination {
    /// Reads what `!` accepts: a pid, an atom, `{Name, Node}` or an alias.
    pub fn from_term(term: &Term) -> Option<Self> {
        match term {
            Term::Pid(pid) => Some(Self::Pid(pid.clone())),
            Term::Atom(name) => Some(Self::Name(name.clone())),
            Term::Reference(alias) => Some(Self::Alias(alias.clone())),
            Term::Tuple(elements) => match &elements[..] {
                [Term::Atom(name), Term::Atom(node)] => {
                    Some(Self::NameNode(name.clone(), node.clone()))
                }
                _ => None,
            },
            _ => None,
        }
    }
}

impl From<Pid> for Destination {
    fn from(pid: Pid) -> Self {
        Self::Pid(pid)
    }
}

impl From<&Pid> for Destination {
    fn from(pid: &Pid) -> Self {
        Self::Pid(pid.clone())
    }
}

impl From<Atom> for Destination {
    fn from(name: Atom) -> Self {
        Self::Name(name)
    }
}

impl From<&Atom> for Destination {
    fn from(name: &Atom) -> Self {
        Self::Name(name.clone())
    }
}

impl From<(Atom, Atom)> for Destination {
    fn from((name, node): (Atom, Atom)) -> Self {
        Self::NameNode(name, node)
    }
}

impl From<Reference> for Destination {
    fn from(alias: Reference) -> Self {
        Self::Alias(alias)
    }
}

impl From<&Reference> for Destination {
    fn from(alias: &Reference) -> Self {
        Self::Alias(alias.clone())
    }
}
