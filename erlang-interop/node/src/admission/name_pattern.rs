//! Names with wildcards: `har*@10.0.0.?`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::limits::NAME_PATTERN_BYTES_MAX;

/// A name in which `*` stands for any characters and `?` for one. Neither stands for `@`, so that a
/// pattern for the name of a node can't reach into its host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NamePattern(String);

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NamePatternError {
    /// Nothing at all.
    #[error("an empty pattern")]
    Empty,
    /// It has more than [`NAME_PATTERN_BYTES_MAX`] bytes.
    #[error("a pattern of {bytes} bytes; at most {NAME_PATTERN_BYTES_MAX} are allowed")]
    TooLong {
        /// Its bytes.
        bytes: usize,
    },
}

impl NamePattern {
    /// Whether that name fits.
    pub fn matches(&self, name: &str) -> bool {
        fits(self.0.as_bytes(), name.as_bytes())
    }

    /// As [`NamePattern::matches`], whatever letters are capital: for names of hosts.
    pub fn matches_in_any_case(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.to_ascii_lowercase(), name.to_ascii_lowercase());
        fits(pattern.as_bytes(), name.as_bytes())
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Takes time in proportion to both lengths: after a mismatch only the last `*` is tried anew.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    // Where the last `*` stands, and up to where it reaches.
    let mut star: Option<(usize, usize)> = None;
    while from < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
                continue;
            }
            Some(b'?') if name[from] != b'@' => {
                at += 1;
                // A character may have several bytes; those after the first begin with 10.
                from += 1 + name[from + 1..].iter().take_while(|byte| **byte >> 6 == 0b10).count();
                continue;
            }
            Some(byte) if *byte == name[from] => {
                (at, from) = (at + 1, from + 1);
                continue;
            }
            _ => {}
        }
        match &mut star {
            Some((place, reach)) if name[*reach] != b'@' => {
                *reach += 1;
                (at, from) = (*place + 1, *reach);
            }
            _ => return false,
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

impl FromStr for NamePattern {
    type Err = NamePatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.len() {
            0 => Err(NamePatternError::Empty),
            bytes if bytes > NAME_PATTERN_BYTES_MAX => Err(NamePatternError::TooLong { bytes }),
            _ => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_fits(pattern: &str, fitting: &[&str], other: &[&str]) {
        let pattern: NamePattern = pattern.parse().expect("a pattern");
        for name in fitting {
            assert!(pattern.matches(name), "{pattern} fits {name}");
        }
        for name in other {
            assert!(!pattern.matches(name), "{pattern} does not fit {name}");
        }
    }

    #[test]
    fn wildcards_stand_for_characters_but_not_for_the_at() {
        assert_fits("*@*", &["a@h", "abc@1.2.3.4", "@"], &["a", "", "a@b@c"]);
        assert_fits("har*@10.0.0.*", &["har@10.0.0.1", "har12@10.0.0.12"], &["xhar@10.0.0.1"]);
        assert_fits("har*", &["har", "harbour"], &["har@10.0.0.1"]);
        assert_fits("a?c@h", &["abc@h", "aéc@h"], &["ac@h", "abbc@h", "a@c@h"]);
        assert_fits("a@h", &["a@h"], &["a@h2", "ba@h", "a@", ""]);
        assert_fits("*.mesh.example", &["n1.mesh.example", "a.b.mesh.example"], &["mesh.example"]);
        assert_fits("*ab*ab", &["abab", "xabyab", "abaabab"], &["ab", "abb"]);
    }

    #[test]
    fn a_pattern_made_to_be_slow_is_not() {
        let pattern: NamePattern = ("*a".repeat(100) + "b").parse().expect("a pattern");
        assert!(!pattern.matches(&"a".repeat(255)));
        assert!(pattern.matches(&("a".repeat(254) + "b")));
    }

    #[test]
    fn patterns_are_bounded() {
        assert_eq!("".parse::<NamePattern>(), Err(NamePatternError::Empty));
        let long = "x".repeat(NAME_PATTERN_BYTES_MAX + 1);
        assert!(matches!(long.parse::<NamePattern>(), Err(NamePatternError::TooLong { .. })));
    }
}
