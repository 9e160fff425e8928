//! The name of a region or a zone.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest name of a place, in bytes: it goes to every node of the cluster.
pub const PLACE_NAME_BYTES_MAX: usize = 64;

/// The name of a region or zone, such as `eu-west-1a`; empty: not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PlaceName(String);

impl PlaceName {
    /// The name, if it is known.
    #[must_use]
    pub fn known(&self) -> Option<&str> {
        Some(self.0.as_str()).filter(|name| !name.is_empty())
    }

    pub(super) fn shown(&self) -> String {
        self.known().unwrap_or("(not known)").to_owned()
    }
}

impl FromStr for PlaceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/');
        if text.len() <= PLACE_NAME_BYTES_MAX && text.chars().all(plain) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "write up to {PLACE_NAME_BYTES_MAX} letters, digits, hyphens, dots, colons, slashes or underscores"
        ))
    }
}

impl TryFrom<String> for PlaceName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PlaceName> for String {
    fn from(name: PlaceName) -> Self {
        name.0
    }
}

impl fmt::Display for PlaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        assert_eq!("eu-west-1a".parse::<PlaceName>().unwrap().known(), Some("eu-west-1a"));
        assert_eq!("".parse::<PlaceName>().unwrap().known(), None);
        for wrong in ["e u", "eu\n", "é", &"a".repeat(PLACE_NAME_BYTES_MAX + 1)] {
            assert!(wrong.parse::<PlaceName>().is_err(), "{wrong}");
        }
    }
}
