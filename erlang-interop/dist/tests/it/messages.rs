//! The messages whose cost is measured: in time by the benches, in allocations and instructions by
//! tests.

use erlang_dist::Control;
use erlang_term::{Atom, Pid, Reference, Term};

/// Two processes of one node.
pub(crate) fn processes() -> [Pid; 2] {
    [1, 2].map(|id| Pid::new(atom("bench@127.0.0.1"), id, 0, 77))
}

/// Small messages, each with its name.
pub(crate) fn messages() -> [(&'static str, Control, Option<Term>); 3] {
    let [from, to] = processes();
    let counted = Term::tuple([Term::from(atom("count")), Term::from(123_456)]);
    let reference = Term::from(Reference::new(atom("bench@127.0.0.1"), 77, &[1, 2, 3]));
    let tag = Term::tuple([Term::from(from.clone()), reference]);
    let request = Term::tuple([Term::from(atom("get")), Term::from("some/key")]);
    let call = Term::tuple([Term::from(atom("$gen_call")), tag, request]);
    [
        ("link", Control::Link { from: from.clone(), to: to.clone() }, None),
        ("send_tuple", Control::SendSender { from: from.clone(), to, token: None }, Some(counted)),
        ("gen_call", Control::RegSend { from, name: atom("server"), token: None }, Some(call)),
    ]
}

fn atom(text: &str) -> Atom {
    Atom::new(text).expect("short")
}
