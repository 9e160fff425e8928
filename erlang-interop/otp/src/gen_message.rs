//! The message shapes of `gen_server`, `gen_event` and friends, read and built.
//!
//! A call is `{'$gen_call', {Pid, Tag}, Request}` and its answer `{Tag, Reply}`. The tag decides
//! where the answer goes: `[alias|R]` and `[[alias|R]|_]` mean the alias `R`, anything else means
//! the pid. Callers of OTP 25 also use `{R, Node}` and plain references as tags.

use erlang_node::Destination;
use erlang_term::{Pid, Term, atom};

/// Who waits for an answer: the `From` of `handle_call/3`.
#[derive(Clone, Debug, PartialEq)]
pub struct From {
    pid: Pid,
    tag: Term,
}

impl From {
    /// The caller and the tag of its request.
    pub fn new(pid: Pid, tag: Term) -> Self {
        Self { pid, tag }
    }

    /// Reads `{Pid, Tag}`.
    pub fn read(term: &Term) -> Option<Self> {
        match term.as_tuple()? {
            [Term::Pid(pid), tag] => Some(Self::new(pid.clone(), tag.clone())),
            _ => None,
        }
    }

    /// The calling process.
    pub fn pid(&self) -> &Pid {
        &self.pid
    }

    /// `{Pid, Tag}`.
    pub fn to_term(&self) -> Term {
        Term::from((&self.pid, &self.tag))
    }

    /// Where the answer goes.
    pub fn destination(&self) -> Destination {
        alias_of(&self.tag)
            .or_else(|| match &self.tag {
                Term::List(list) => list.iter().next().and_then(|head| alias_of(&head)),
                _ => None,
            })
            .unwrap_or_else(|| Destination::Pid(self.pid.clone()))
    }

    /// The answer as a message: `{Tag, Reply}`.
    pub fn reply(&self, reply: impl Into<Term>) -> Term {
        Term::from((&self.tag, reply.into()))
    }
}

/// `R` of the improper list `[alias|R]`.
fn alias_of(tag: &Term) -> Option<Destination> {
    let list = tag.as_list()?;
    match (list.len(), list.iter().next(), list.tail()) {
        (1, Some(head), Term::Reference(reference)) if head.is_atom("alias") => {
            Some(Destination::Alias(reference.clone()))
        }
        _ => None,
    }
}

/// A message to a generic server, taken apart.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Request {
    /// `{'$gen_call', From, Request}`.
    Call(From, Term),
    /// `{'$gen_cast', Message}`.
    Cast(Term),
    /// `{system, From, Request}`: see [`crate::sys`].
    System(From, Term),
    /// Anything else.
    Info(Term),
}

impl Request {
    /// Sorts a message. What looks like a call but isn't well formed is an `Info`.
    pub fn read(message: Term) -> Self {
        match message.as_tuple() {
            Some([tag, from, request]) if tag.is_atom("$gen_call") => match From::read(from) {
                Some(from) => Self::Call(from, request.clone()),
                None => Self::Info(message),
            },
            Some([tag, from, request]) if tag.is_atom("system") => match From::read(from) {
                Some(from) => Self::System(from, request.clone()),
                None => Self::Info(message),
            },
            Some([tag, request]) if tag.is_atom("$gen_cast") => Self::Cast(request.clone()),
            _ => Self::Info(message),
        }
    }
}

/// `{'$gen_call', From, Request}`.
pub fn call_message(from: &From, request: impl Into<Term>) -> Term {
    Term::from((atom!("$gen_call"), from.to_term(), request.into()))
}

/// `{'$gen_cast', Message}`.
pub fn cast_message(message: impl Into<Term>) -> Term {
    Term::from((atom!("$gen_cast"), message.into()))
}

#[cfg(test)]
mod tests {
    use erlang_term::Reference;

    use super::*;

    fn pid() -> Pid {
        Pid::new(atom!("a@h"), 9, 0, 3)
    }

    fn reference(word: u32) -> Reference {
        Reference::new(atom!("a@h"), 3, &[word, 0, 0])
    }

    fn alias_tag(reference: Reference) -> Term {
        Term::improper_list([atom!("alias")], reference)
    }

    #[test]
    fn the_tag_decides_where_the_answer_goes() {
        let to = |tag: Term| From::new(pid(), tag).destination();
        let alias = Destination::Alias(reference(1));
        assert_eq!(to(alias_tag(reference(1))), alias);
        assert_eq!(to(Term::improper_list([alias_tag(reference(1))], reference(2))), alias);
        let pid = Destination::Pid(pid());
        assert_eq!(to(Term::from((reference(1), atom!("b@h")))), pid);
        assert_eq!(to(Term::from(reference(1))), pid);
        assert_eq!(to(Term::list([Term::from(1)])), pid);
        assert_eq!(to(Term::improper_list([atom!("other")], reference(1))), pid);
    }

    #[test]
    fn the_tag_is_returned_unchanged() {
        let tag = Term::improper_list([alias_tag(reference(1))], reference(2));
        let from = From::new(pid(), tag.clone());
        assert_eq!(from.reply(atom!("ok")), Term::from((tag, atom!("ok"))));
    }

    #[test]
    fn messages_are_sorted() {
        let from = From::new(pid(), Term::from(reference(1)));
        let call = call_message(&from, 1);
        assert_eq!(Request::read(call), Request::Call(from.clone(), Term::from(1)));
        assert_eq!(Request::read(cast_message(2)), Request::Cast(Term::from(2)));
        let system = Term::from((atom!("system"), from.to_term(), atom!("get_state")));
        assert_eq!(Request::read(system), Request::System(from, atom!("get_state").into()));
        let broken = Term::from((atom!("$gen_call"), 1, 2));
        assert_eq!(Request::read(broken.clone()), Request::Info(broken));
    }
}
