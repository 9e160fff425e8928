//! Looking into terms: what a term is, or `None`.

use num_bigint::BigInt;

use crate::atom::Atom;
use crate::fun::Fun;
use crate::identifier::{Pid, Port, Reference};
use crate::list::{List, ListIter};
use crate::map::Map;
use crate::term::Term;

impl Term {
    /// The atom.
    #[must_use]
    pub fn as_atom(&self) -> Option<&Atom> {
        match self {
            Self::Atom(atom) => Some(atom),
            _ => None,
        }
    }

    /// Whether this is the atom of that text.
    #[must_use]
    pub fn is_atom(&self, text: &str) -> bool {
        self.as_atom().is_some_and(|atom| atom.as_str() == text)
    }

    /// The atoms `true` and `false`.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self.as_atom()?.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// An integer within 64 bits.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// An integer of any size.
    #[must_use]
    pub fn as_bigint(&self) -> Option<BigInt> {
        match self {
            Self::Integer(value) => Some(BigInt::from(*value)),
            Self::BigInteger(value) => Some(value.to_bigint()),
            _ => None,
        }
    }

    /// A float; integers are none.
    #[must_use]
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// The pid.
    #[must_use]
    pub fn as_pid(&self) -> Option<&Pid> {
        match self {
            Self::Pid(pid) => Some(pid),
            _ => None,
        }
    }

    /// The port.
    #[must_use]
    pub fn as_port(&self) -> Option<&Port> {
        match self {
            Self::Port(port) => Some(port),
            _ => None,
        }
    }

    /// The reference.
    #[must_use]
    pub fn as_reference(&self) -> Option<&Reference> {
        match self {
            Self::Reference(reference) => Some(reference),
            _ => None,
        }
    }

    /// The function.
    #[must_use]
    pub fn as_fun(&self) -> Option<&Fun> {
        match self {
            Self::Fun(fun) => Some(fun),
            _ => None,
        }
    }

    /// The elements of a tuple.
    #[must_use]
    pub fn as_tuple(&self) -> Option<&[Self]> {
        match self {
            Self::Tuple(tuple) => Some(tuple),
            _ => None,
        }
    }

    /// The elements of a tuple whose first is the atom `tag`, without it: `{tag, A, B}` gives `[A, B]`.
    #[must_use]
    pub fn as_tagged(&self, tag: &str) -> Option<&[Self]> {
        match self.as_tuple()? {
            [first, rest @ ..] if first.is_atom(tag) => Some(rest),
            _ => None,
        }
    }

    /// The map.
    #[must_use]
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The bytes of a binary.
    #[must_use]
    pub fn as_binary(&self) -> Option<&[u8]> {
        match self {
            Self::Binary(binary) => Some(binary),
            _ => None,
        }
    }

    /// The text of a binary that is UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Binary(binary) => binary.as_str(),
            _ => None,
        }
    }

    /// A list with at least one element, proper or not.
    #[must_use]
    pub fn as_list(&self) -> Option<&List> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }

    /// Whether this is a list, `[]` included.
    #[must_use]
    pub fn is_list(&self) -> bool {
        matches!(self, Self::Nil | Self::List(_))
    }

    /// The elements of a proper list; none of `[]`. `None` for all else.
    #[must_use]
    pub fn list_iter(&self) -> Option<ListIter<'_>> {
        match self {
            Self::Nil => Some(ListIter::default()),
            Self::List(list) if list.is_proper() => Some(list.iter()),
            _ => None,
        }
    }

    /// The text of a string in any form a caller may use: UTF-8 binary, list of code points, `[]`, or
    /// iodata and chardata of these ([doc: `unicode:chardata()`]).
    ///
    /// Iodata is walked without recursion. `None` for all else.
    #[must_use]
    pub fn to_text(&self) -> Option<String> {
        let mut text = Vec::new();
        let mut left = vec![self.clone()];
        if !matches!(self, Self::Nil | Self::List(_) | Self::Binary(_)) {
            return None;
        }
        while let Some(part) = left.pop() {
            match part {
                Self::Nil => {}
                Self::Binary(binary) => text.extend_from_slice(&binary),
                Self::Integer(point) => {
                    let character = char::from_u32(u32::try_from(point).ok()?)?;
                    text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Self::List(list) => {
                    left.push(list.tail().clone());
                    let at = left.len();
                    left.extend(list.iter());
                    left[at..].reverse();
                }
                _ => return None,
            }
        }
        String::from_utf8(text).ok()
    }

    /// The value of a key of a keyword list: `[{key, value}, ...]` with atoms as keys.
    #[must_use]
    pub fn keyword(&self, key: &str) -> Option<Self> {
        self.list_iter()?.find_map(|pair| match pair.as_tuple()? {
            [found, value] if found.is_atom(key) => Some(value.clone()),
            _ => None,
        })
    }
}
