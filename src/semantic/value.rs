//! The values that parameters, targets and metadata hold.
//!
//! They map one to one to Erlang terms (see [`super::terms`]) and to YAML. Maps keep the order
//! in which the source names their keys.

use std::collections::HashSet;

use erlang_interop::term::Term;

/// Above this many entries a map checks for repeated keys with a set instead of by looking at each.
const LINEAR_SEARCH_MAX: usize = 32;

/// A value of a parameter.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// YAML null, Elixir `nil`.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Integer(i64),
    /// A float.
    Float(f64),
    /// An Elixir atom other than `nil`, `true`, `false`.
    Atom(String),
    /// Text: an Elixir binary.
    String(String),
    /// A list.
    List(Vec<Value>),
    /// A map, in source order.
    Map(Map),
    /// A term from a caller that has no counterpart here (a tuple, a pid, …); handed back unchanged.
    Opaque(Term),
}

/// The key of a map entry. Elixir tells `%{name: 1}` from `%{"name" => 1}`; so does this.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Key {
    /// An atom key.
    Atom(String),
    /// A binary key.
    Text(String),
    /// Any other key (a number, a list, …).
    Other(Box<Value>),
}

/// An ordered map.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map {
    entries: Vec<(Key, Value)>,
}

impl Value {
    /// An atom value.
    pub fn atom(name: &str) -> Self {
        Self::Atom(name.to_owned())
    }

    /// The text of a string or of an atom.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::String(text) | Self::Atom(text) => Some(text),
            _ => None,
        }
    }

    /// The items, when this is a list.
    pub fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// The map, when this is one.
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Whether this is [`Value::Null`].
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// A boolean in any of the spellings that YAML 1.1 and Ansible know (`yes`, `on`, `True`, `1`).
    pub fn as_flag(&self) -> Option<bool> {
        match self {
            Self::Bool(flag) => Some(*flag),
            Self::Integer(1) => Some(true),
            Self::Integer(0) => Some(false),
            Self::String(text) | Self::Atom(text) => match text.to_ascii_lowercase().as_str() {
                "yes" | "true" | "on" | "y" | "t" | "1" => Some(true),
                "no" | "false" | "off" | "n" | "f" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// Scalars as plain text (`true`, `12`, `abc`); `None` for null, lists, maps and opaque terms.
    pub fn to_text(&self) -> Option<String> {
        match self {
            Self::Bool(flag) => Some(flag.to_string()),
            Self::Integer(number) => Some(number.to_string()),
            Self::Float(number) => Some(number.to_string()),
            Self::String(text) | Self::Atom(text) => Some(text.clone()),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Self::List(items)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl Key {
    /// An atom key.
    pub fn atom(name: &str) -> Self {
        Self::Atom(name.to_owned())
    }

    /// A binary key.
    pub fn text(name: &str) -> Self {
        Self::Text(name.to_owned())
    }

    /// The name, of either kind of key.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Atom(name) | Self::Text(name) => Some(name),
            Self::Other(_) => None,
        }
    }

    /// The key as people read it.
    pub fn label(&self) -> String {
        match self {
            Self::Atom(name) | Self::Text(name) => name.clone(),
            Self::Other(value) => value.to_text().unwrap_or_else(|| "?".to_owned()),
        }
    }
}

impl Map {
    /// An empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// A map of these entries; of repeated keys the last one wins, at the place of the first.
    pub fn from_entries(entries: Vec<(Key, Value)>) -> Self {
        if entries.len() <= LINEAR_SEARCH_MAX {
            let mut map = Self::new();
            for (key, value) in entries {
                map.insert(key, value);
            }
            return map;
        }
        let mut seen = HashSet::new();
        let mut kept: Vec<(Key, Value)> = Vec::with_capacity(entries.len());
        for (key, value) in entries.into_iter().rev() {
            if seen.insert(format!("{key:?}")) {
                kept.push((key, value));
            }
        }
        kept.reverse();
        Self { entries: kept }
    }

    /// Adds an entry under an atom key and returns the map: for building maps in one expression.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.set(name, value);
        self
    }

    /// Puts a value under an atom key.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.insert(Key::atom(name), value.into());
    }

    /// Puts a value under a key, in place of an equal one.
    pub fn insert(&mut self, key: Key, value: Value) {
        match self.entries.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = value,
            None => self.entries.push((key, value)),
        }
    }

    /// The value under a name, whichever kind of key it has.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.entries.iter().find(|(key, _)| key.name() == Some(name)).map(|(_, value)| value)
    }

    /// As [`Map::get`], where a null counts as absent.
    pub fn present(&self, name: &str) -> Option<&Value> {
        self.get(name).filter(|value| !value.is_null())
    }

    /// The text under a name, when it is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_text)
    }

    /// Whether a name is there, with any value.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Takes the entry of a name out.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self.entries.iter().position(|(key, _)| key.name() == Some(name))?;
        Some(self.entries.remove(at).1)
    }

    /// The entries, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Key, &Value)> + ExactSizeIterator {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl IntoIterator for Map {
    type Item = (Key, Value);
    type IntoIter = std::vec::IntoIter<(Key, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl Extend<(Key, Value)> for Map {
    fn extend<I: IntoIterator<Item = (Key, Value)>>(&mut self, entries: I) {
        let known = std::mem::take(&mut self.entries);
        *self = Self::from_entries(known.into_iter().chain(entries).collect());
    }
}

impl FromIterator<(Key, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (Key, Value)>>(entries: I) -> Self {
        Self::from_entries(entries.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_kind_of_key_is_found_by_its_name() {
        let map = Map::from_entries(vec![
            (Key::text("os"), "debian".into()),
            (Key::atom("env"), Value::atom("dev")),
        ]);
        assert_eq!(map.text("os"), Some("debian"));
        assert_eq!(map.text("env"), Some("dev"));
        assert_eq!(map.text("region"), None);
    }

    #[test]
    fn a_repeated_key_keeps_its_place_and_takes_the_last_value() {
        let map = Map::new().with("a", 1).with("b", 2).with("a", 3);
        let names: Vec<_> = map.iter().map(|(key, value)| (key.label(), value.clone())).collect();
        assert_eq!(
            names,
            [("a".to_owned(), Value::Integer(3)), ("b".to_owned(), Value::Integer(2))]
        );
    }

    #[test]
    fn large_maps_drop_repeated_keys_too() {
        let entries = (0..100_i64).map(|n| (Key::text(&(n % 50).to_string()), Value::Integer(n)));
        let map = Map::from_entries(entries.collect());
        assert_eq!(map.len(), 50);
        assert_eq!(map.get("7"), Some(&Value::Integer(57)));
    }

    #[test]
    fn flags_know_the_yaml_1_1_spellings() {
        for (text, flag) in [("yes", Some(true)), ("Off", Some(false)), ("maybe", None)] {
            assert_eq!(Value::from(text).as_flag(), flag, "{text}");
        }
        assert_eq!(Value::Integer(1).as_flag(), Some(true));
    }
}
