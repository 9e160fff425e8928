//! Whether a value of an operation, a backend or a node is what a policy wants.

use std::borrow::Cow;

use super::text_match::{Prefix, Wanted};
use crate::semantic::{Map, Value};

/// A wanted value, read once.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Want {
    /// nil: nothing is there.
    Absent,
    /// One of these.
    Any(Vec<Want>),
    /// A text: equal, by glob, or an address in a network.
    Text(Wanted, Option<Prefix>),
    /// A map with these fields.
    Fields(Vec<(String, Want)>),
    /// Something that no value can be compared with.
    Unreadable,
}

/// Scalars as text; `None` for null, lists, maps and opaque terms.
pub(super) fn text_of(value: &Value) -> Option<Cow<'_, str>> {
    value.as_text().map(Cow::Borrowed).or_else(|| value.to_text().map(Cow::Owned))
}

impl Want {
    pub(super) fn read(value: &Value) -> Self {
        match value {
            Value::Null => Self::Absent,
            Value::List(any) => Self::Any(any.iter().map(Self::read).collect()),
            Value::Map(map) => Self::read_fields(map).map_or(Self::Unreadable, Self::Fields),
            value => value.to_text().map_or(Self::Unreadable, |text| {
                let prefix = text.contains('/').then(|| Prefix::parse(&text)).flatten();
                Self::Text(Wanted::new(text), prefix)
            }),
        }
    }

    /// The fields of a map; `None` when a key is no name.
    pub(super) fn read_fields(map: &Map) -> Option<Vec<(String, Self)>> {
        map.iter().map(|(key, want)| Some((key.name()?.to_owned(), Self::read(want)))).collect()
    }

    /// Whether some part cannot be compared with anything.
    pub(super) fn is_unreadable(&self) -> bool {
        match self {
            Self::Unreadable => true,
            Self::Any(any) => any.iter().any(Self::is_unreadable),
            Self::Fields(fields) => fields.iter().any(|(_, want)| want.is_unreadable()),
            Self::Absent | Self::Text(..) => false,
        }
    }

    /// Whether a value is meant. Of a list one item is enough.
    pub(super) fn met_by(&self, have: Option<&Value>) -> bool {
        let have = have.filter(|have| !have.is_null());
        match (self, have) {
            (Self::Absent, have) => have.is_none(),
            (Self::Any(any), have) => any.iter().any(|want| want.met_by(have)),
            (_, Some(Value::List(items))) => items.iter().any(|item| self.met_by(Some(item))),
            (Self::Text(..), Some(have)) => {
                text_of(have).is_some_and(|have| self.met_by_text(Some(&have)))
            }
            (Self::Fields(fields), Some(Value::Map(map))) => met_fields(fields, map),
            _ => false,
        }
    }

    /// The same of a text.
    pub(super) fn met_by_text(&self, have: Option<&str>) -> bool {
        match (self, have) {
            (Self::Absent, have) => have.is_none(),
            (Self::Any(any), have) => any.iter().any(|want| want.met_by_text(have)),
            (Self::Text(wanted, prefix), Some(have)) => {
                wanted.matches(have) || prefix.is_some_and(|prefix| prefix.contains(have))
            }
            _ => false,
        }
    }
}

/// Whether a map has all that is wanted.
pub(super) fn met_fields(fields: &[(String, Want)], map: &Map) -> bool {
    fields.iter().all(|(name, want)| want.met_by(map.get(name)))
}

#[cfg(test)]
mod tests {
    use erlang_interop::term::term;

    use super::*;

    #[test]
    fn values_are_compared_by_their_text_by_either_side_of_a_list_and_by_fields() {
        let list = |items: &[&str]| Value::List(items.iter().map(|item| (*item).into()).collect());
        let eu = Value::Map(Map::new().with("region", "eu"));
        for (want, have, met) in [
            ("eu".into(), Value::atom("eu"), true),
            ("eu-*".into(), "eu-west".into(), true),
            ("eu".into(), "us".into(), false),
            (Value::Integer(7), "7".into(), true),
            (Value::Null, Value::Null, true),
            (Value::Null, "eu".into(), false),
            ("eu".into(), Value::Null, false),
            (list(&["eu", "ch"]), "ch".into(), true),
            ("eu".into(), list(&["us", "eu"]), true),
            ("eu".into(), list(&["us"]), false),
            (eu.clone(), Value::Map(Map::new().with("region", "eu").with("x", 1)), true),
            (eu.clone(), Value::Map(Map::new().with("region", "us")), false),
            (eu, "eu".into(), false),
            ("2001:db8::/32".into(), "2001:db8:1::1".into(), true),
        ] {
            assert_eq!(Want::read(&want).met_by(Some(&have)), met, "{want:?} {have:?}");
        }
    }

    #[test]
    fn what_cannot_be_compared_is_told() {
        let tuple = Value::Opaque(term!({a, b}));
        assert!(Want::read(&tuple).is_unreadable());
        assert!(Want::read(&Value::List(vec!["a".into(), tuple.clone()])).is_unreadable());
        assert!(Want::read(&Map::new().with("x", tuple.clone()).into()).is_unreadable());
        assert!(!Want::read(&tuple).met_by(Some(&tuple)));
        assert!(!Want::read(&"a".into()).is_unreadable());
    }
}
