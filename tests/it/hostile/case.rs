//! What a case of the tables is.

use super::stranger::Stranger;

/// What carries the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    Tcp,
    Tls,
}

/// How far a stranger has come when its attack begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// A TCP connection, whatever the wire; not a byte has been sent.
    Bare,
    /// TLS, where the wire has it, is up.
    Open,
    /// A good name was sent, and the node has answered with its challenge.
    Named,
    /// As `Named`, with the old message, which a complement has to follow.
    OldNamed,
    /// The handshake is done, with the right cookie.
    Connected,
    /// The node dialed us, and nothing was said.
    Dialed,
    /// The node dialed us, told its name, and was told that it may go on.
    Welcomed,
    /// The node dialed us, and has answered our challenge.
    Answered,
    /// A connection to the port mapper inside the node.
    Mapper,
}

/// What must become of the stranger's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The node closes it, at once.
    Cut,
    /// The node closes it once the time for it is over. Waited for beside the other cases.
    CutLate,
    /// It goes on: the stranger's own calls are still answered.
    Stays,
    /// The stranger leaves; what it saw, the attack has judged itself.
    Leaves,
}

/// One attack. Each runs over each wire of its table.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) phase: Phase,
    /// Whether the stranger knows the cookie.
    pub(crate) cookie: bool,
    pub(crate) attack: fn(&mut Stranger),
    pub(crate) end: End,
}

/// A case of a stranger that does not know the cookie.
pub(crate) const fn outside(
    name: &'static str,
    phase: Phase,
    end: End,
    attack: fn(&mut Stranger),
) -> Case {
    Case { name, phase, cookie: false, attack, end }
}

/// A case of one that does.
pub(crate) const fn inside(
    name: &'static str,
    phase: Phase,
    end: End,
    attack: fn(&mut Stranger),
) -> Case {
    Case { name, phase, cookie: true, attack, end }
}
