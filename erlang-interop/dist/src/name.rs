//! Names and incarnations of nodes.

use std::fmt;

use erlang_term::Atom;
use thiserror::Error;

use crate::limits::NODE_NAME_CHARACTERS_MAX;

/// A node's full name, `alive@host`, parsed once.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeName {
    text: String,
    at: usize,
}

/// Why a text is no node name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NodeNameError {
    /// Not exactly one `@`, with something on both sides.
    #[error("node name {name:?} is not of the form name@host")]
    Form {
        /// The text as given.
        name: String,
    },
    /// More characters than an atom can have.
    #[error(
        "node name has {characters} characters, at most {NODE_NAME_CHARACTERS_MAX} are allowed"
    )]
    TooLong {
        /// Characters of the text.
        characters: usize,
    },
    /// A character that OTP doesn't accept in that place.
    #[error("node name {name:?} has the character {character:?}, which is not allowed there")]
    Character {
        /// The text as given.
        name: String,
        /// The first character at fault.
        character: char,
    },
}

impl NodeName {
    /// Parses `alive@host`.
    ///
    /// # Errors
    /// If the text has not exactly one `@`, an empty side, more than 255 characters, or a character
    /// that cannot stand in a name (control characters and blanks, slashes).
    pub fn new(name: &str) -> Result<Self, NodeNameError> {
        let characters = name.chars().count();
        if characters > NODE_NAME_CHARACTERS_MAX {
            return Err(NodeNameError::TooLong { characters });
        }
        let at = match name.split_once('@') {
            Some((alive, host)) if !alive.is_empty() && !host.is_empty() && !host.contains('@') => {
                alive.len()
            }
            _ => return Err(NodeNameError::Form { name: name.into() }),
        };
        let bad = |c: char| c.is_control() || c.is_whitespace() || c == '/';
        match name.chars().find(|c| bad(*c)) {
            Some(character) => Err(NodeNameError::Character { name: name.into(), character }),
            None => Ok(Self { text: name.into(), at }),
        }
    }

    /// The part before the `@`, which is what EPMD knows.
    pub fn alive(&self) -> &str {
        &self.text[..self.at]
    }

    /// The part after the `@`.
    pub fn host(&self) -> &str {
        &self.text[self.at + 1..]
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the host is fully qualified, as `-name` demands and `-sname` forbids.
    pub fn is_long(&self) -> bool {
        self.host().contains(['.', ':'])
    }

    /// The name as an atom, as `node()` gives it.
    pub fn as_atom(&self) -> Atom {
        Atom::new(&self.text).expect("a node name has at most 255 characters")
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeName({:?})", self.text)
    }
}

impl std::str::FromStr for NodeName {
    type Err = NodeNameError;
    fn from_str(name: &str) -> Result<Self, NodeNameError> {
        Self::new(name)
    }
}

/// Which incarnation of a node of this name: a new number each time it starts.
///
/// Unique only together with the name. 0 is legal on the wire, but a pid that carries it equals no
/// other; a node of ours uses at least [`Creation::OWN_MIN`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Creation(pub u32);

impl Creation {
    /// Lowest creation that a node gives itself; below it are the numbers of the old protocol.
    pub const OWN_MIN: u32 = 4;

    /// A creation made of a random word, never below [`Creation::OWN_MIN`].
    #[must_use]
    pub const fn from_random(word: u32) -> Self {
        Self(if word < Self::OWN_MIN { word + Self::OWN_MIN } else { word })
    }
}

impl From<u32> for Creation {
    fn from(value: u32) -> Self {
        Self(value)
    }
}

impl From<Creation> for u32 {
    fn from(value: Creation) -> Self {
        value.0
    }
}

impl fmt::Display for Creation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_has_two_sides() {
        let name = NodeName::new("har1@host.example").expect("a name");
        assert_eq!((name.alive(), name.host()), ("har1", "host.example"));
        assert!(name.is_long());
        assert!(!NodeName::new("a@b").expect("a name").is_long());
        for bad in ["", "a", "@", "a@", "@b", "a@b@c"] {
            assert_eq!(NodeName::new(bad), Err(NodeNameError::Form { name: bad.into() }));
        }
    }

    #[test]
    fn name_is_bounded_in_characters() {
        let long = format!("{}@b", "é".repeat(253));
        assert_eq!(NodeName::new(&long).expect("255 characters").as_str(), long);
        let longer = format!("{}@b", "é".repeat(254));
        assert_eq!(NodeName::new(&longer), Err(NodeNameError::TooLong { characters: 256 }));
        assert!(matches!(NodeName::new("a\n@b"), Err(NodeNameError::Character { .. })));
    }

    #[test]
    fn own_creation_is_never_an_old_one() {
        assert_eq!(Creation::from_random(0), Creation(4));
        assert_eq!(Creation::from_random(u32::MAX), Creation(u32::MAX));
    }
}
