//! Lists of patterns, whose faults are found while the file is read, so that the line is known.

use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::str::FromStr;

use erlang_interop::node::NamePattern;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::security::CallPattern;

/// A list; separated by commas or spaces where it comes from a variable or a flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T>(pub Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> FromStr for List<T>
where
    T: FromStr<Err: fmt::Display>,
{
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split([',', ' ']).map(str::trim).filter(|part| !part.is_empty());
        let parsed: Result<Vec<T>, _> = parts.map(str::parse).collect();
        let parsed = parsed.map_err(|error: T::Err| error.to_string())?;
        // An empty list often means everybody, which nobody says by two variables that are unset.
        if parsed.is_empty() && !text.trim().is_empty() {
            return Err("it names nothing; leave it empty for an empty list".to_owned());
        }
        Ok(Self(parsed))
    }
}

impl<T: fmt::Display> fmt::Display for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        write!(f, "[{}]", texts.join(", "))
    }
}

impl<T: fmt::Display> Serialize for List<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(ToString::to_string))
    }
}

/// One element, read from its text while the reader still stands at it, so that a fault has its line.
struct Element<T>(T);

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Element<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text<T>(PhantomData<T>);

        impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Text<T> {
            type Value = Element<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Element<T>, E> {
                text.parse().map(Element).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text(PhantomData))
    }
}

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements<T>(PhantomData<T>);

        impl<'de, T: FromStr<Err: fmt::Display>> Visitor<'de> for Elements<T> {
            type Value = List<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<T>, A::Error> {
                let mut list = Vec::new();
                while let Some(Element(element)) = seq.next_element()? {
                    list.push(element);
                }
                Ok(List(list))
            }
        }
        deserializer.deserialize_seq(Elements(PhantomData))
    }
}

/// A pattern for the names of nodes, with an `@`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodePattern(pub NamePattern);

impl FromStr for NodePattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.matches('@').count() != 1 {
            return Err(format!("`{text}` fits no node: write NAME@HOST, `*@*` for every node"));
        }
        text.parse()
            .map(Self)
            .map_err(|error: erlang_interop::node::admission::NamePatternError| error.to_string())
    }
}

impl fmt::Display for NodePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A cookie for some peers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerCookie {
    /// For whom.
    pub nodes: List<NodePattern>,
    /// The file it is in.
    pub file: PathBuf,
}

/// What some peers may call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerCalls {
    /// Who.
    pub nodes: List<NodePattern>,
    /// What, instead of what others may.
    pub allow: List<CallPattern>,
    /// What not, beside what others may not.
    #[serde(default)]
    pub deny: List<CallPattern>,
}

/// Entries that are more than a text; on one line of YAML where they come from a variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Entries<T>(pub Vec<T>);

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: for<'de> Deserialize<'de>> FromStr for Entries<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_yaml::from_str(text).map_err(|error| error.to_string().replace('\n', " "))
    }
}

impl<T: Serialize> fmt::Display for Entries<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // JSON is YAML on one line.
        f.write_str(&serde_json::to_string(&self.0).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use erlang_interop::node::Network;

    use super::*;

    #[test]
    fn lists_are_read_from_one_line() {
        let list: List<Network> = "10.0.0.0/8, ::1".parse().expect("networks");
        assert_eq!(list.to_string(), "[10.0.0.0/8, ::1/128]");
        assert!("10.0.0.0/8,x".parse::<List<Network>>().expect_err("x").contains("`x`"));
        assert_eq!("".parse::<List<Network>>(), Ok(List::default()));
    }

    #[test]
    fn patterns_for_nodes_have_an_at() {
        assert!("a*@*".parse::<NodePattern>().is_ok());
        for text in ["a*", "a@b@c", ""] {
            assert!(text.parse::<NodePattern>().expect_err(text).contains("NAME@HOST"));
        }
    }

    #[test]
    fn entries_are_read_from_one_line_and_shown_as_one() {
        let text = r#"[{"nodes":["a@*"],"allow":["HAR.*"],"deny":[]}]"#;
        let entries: Entries<PeerCalls> = text.parse().expect("entries");
        assert_eq!(entries.to_string(), text);
        let wrong = "[{nodes: [x], allow: []}]".parse::<Entries<PeerCalls>>();
        assert!(wrong.expect_err("x").contains("NAME@HOST"));
    }

    #[test]
    fn a_list_that_names_nothing_is_no_empty_list() {
        let list = |text: &str| text.parse::<List<NodePattern>>();
        assert_eq!(list(""), Ok(List::default()));
        assert_eq!(list("a@*, b@*").map(|list| list.0.len()), Ok(2));
        for nothing in [",", " , ,"] {
            assert!(list(nothing).expect_err("names nothing").contains("names nothing"));
        }
    }
}
