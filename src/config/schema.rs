//! Which keys a configuration file may have, and finding the line of one it may not.
//!
//! The schema is not written down twice: it is the empty [`RawConfig`], serialised.

use std::cell::RefCell;
use std::fmt;
use std::path::Path;

use serde::de::{
    self, Deserialize as _, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor,
};
use serde_yaml::Value;

use super::{ConfigError, RawConfig};

/// All keys, dotted (`node.name`), in the order of [`RawConfig`].
#[must_use]
pub fn keys() -> Vec<String> {
    let mut found = Vec::new();
    for (name, section) in entries(&schema()) {
        for (key, _) in entries(section) {
            found.push(format!("{name}.{key}"));
        }
    }
    found
}

/// Reads `text` (the contents of `path`), refusing keys that are not in the schema.
pub(super) fn read(path: &Path, text: &str) -> Result<RawConfig, ConfigError> {
    let schema = schema();
    let unknown = RefCell::new(None);
    let seed = Section { schema: &schema, prefix: String::new(), unknown: &unknown, wanted: None };
    if let Err(error) = seed.deserialize(serde_yaml::Deserializer::from_str(text)) {
        let Some(key) = unknown.take() else { return Err(malformed(path, &error)) };
        // A bracket left open takes the next lines for keys of its own: then that is the fault.
        if let Err(fault) = whole(text) {
            return Err(malformed(path, &fault));
        }
        let nearest = nearest(&key);
        return Err(ConfigError::UnknownKey {
            path: path.into(),
            line: line(&error),
            key,
            nearest,
        });
    }
    let config: Option<RawConfig> =
        serde_yaml::from_str(text).map_err(|error| malformed(path, &error))?;
    Ok(config.unwrap_or_default())
}

/// The line of a key in a text that [`read`] has taken.
pub(super) fn line_of(text: &str, key: &str) -> Option<usize> {
    let (schema, unknown) = (schema(), RefCell::new(None));
    let seed =
        Section { schema: &schema, prefix: String::new(), unknown: &unknown, wanted: Some(key) };
    let error = seed.deserialize(serde_yaml::Deserializer::from_str(text)).err()?;
    Some(line(&error))
}

/// Whether it is YAML at all, whatever its keys.
fn whole(text: &str) -> Result<(), serde_yaml::Error> {
    IgnoredAny::deserialize(serde_yaml::Deserializer::from_str(text)).map(drop)
}

fn malformed(path: &Path, error: &serde_yaml::Error) -> ConfigError {
    let message = error.to_string().replace('\n', " ");
    ConfigError::Malformed { path: path.into(), line: line(error), message }
}

fn line(error: &serde_yaml::Error) -> usize {
    error.location().map_or(0, |location| location.line())
}

fn schema() -> Value {
    serde_yaml::to_value(RawConfig::default()).expect("plain structs of options serialise")
}

fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value
        .as_mapping()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| key.as_str().map(|key| (key, value)))
}

/// Walks one mapping beside its schema and fails at the first key that is not there, so that the
/// YAML reader's own position says which line it was.
struct Section<'s> {
    schema: &'s Value,
    prefix: String,
    unknown: &'s RefCell<Option<String>>,
    /// A key to fail at all the same.
    wanted: Option<&'s str>,
}

impl<'de> DeserializeSeed<'de> for Section<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Section<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix.is_empty() {
            f.write_str("sections such as `node:` and `epmd:`")
        } else {
            write!(f, "keys below `{}:`", self.prefix.trim_end_matches('.'))
        }
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_none<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(Key(&self))? {
            match self.schema.get(&key) {
                Some(inner) if inner.is_mapping() => map.next_value_seed(Section {
                    schema: inner,
                    prefix: format!("{}{key}.", self.prefix),
                    unknown: self.unknown,
                    wanted: self.wanted,
                })?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

struct Key<'a, 's>(&'a Section<'s>);

impl<'de> DeserializeSeed<'de> for Key<'_, '_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_, '_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<String, E> {
        let full = format!("{}{key}", self.0.prefix);
        if self.0.schema.get(key).is_some() && self.0.wanted != Some(full.as_str()) {
            return Ok(key.to_owned());
        }
        *self.0.unknown.borrow_mut() = Some(full);
        Err(E::custom("unknown key"))
    }
}

/// The valid key that looks most like `wrong`, when one looks like it at all.
fn nearest(wrong: &str) -> Option<String> {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let sections = entries(&schema()).map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    let candidates = if wrong.contains('.') { keys() } else { [sections, keys()].concat() };
    candidates
        .into_iter()
        .map(|key| {
            // A right key in the wrong section counts as a near miss.
            let misplaced = usize::from(last(&key) != key) + distance(&last(wrong), &last(&key));
            (distance(wrong, &key).min(misplaced), key)
        })
        .min_by_key(|(steps, _)| *steps)
        .filter(|(steps, _)| *steps <= 1 + wrong.len() / 4)
        .map(|(_, key)| key)
}

/// Edits (insert, delete, replace) that turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replace = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        read(Path::new("har.yaml"), text).expect_err("must be refused").to_string()
    }

    #[test]
    fn names_the_line_and_the_nearest_key() {
        assert_eq!(
            refused("node:\n  name: a@b.c\n  hiden: true\n"),
            "har.yaml:3: unknown key `node.hiden`; did you mean `node.hidden`?"
        );
        assert_eq!(
            refused("\nnodes:\n  name: a@b.c\n"),
            "har.yaml:2: unknown key `nodes`; did you mean `node`?"
        );
    }

    #[test]
    fn a_key_in_the_wrong_section_is_found() {
        assert_eq!(
            refused("cookie_file: /x\n"),
            "har.yaml:1: unknown key `cookie_file`; did you mean `node.cookie_file`?"
        );
        assert!(refused("epmd: {listen_min: 1}\n").contains("`distribution.listen_min`"));
    }

    #[test]
    fn an_absurd_key_gets_no_absurd_suggestion() {
        let message = refused("epmd:\n  port: 1\n  quux_frobnicate: 1\n");
        assert_eq!(
            message,
            "har.yaml:3: unknown key `epmd.quux_frobnicate`; `har config show` lists the valid keys"
        );
    }

    #[test]
    fn wrong_types_and_broken_yaml_name_their_line() {
        assert!(refused("epmd:\n  port: many\n").starts_with("har.yaml:2: "));
        assert!(refused("epmd:\n  port: 70000\n").starts_with("har.yaml:2: "));
        assert!(refused("node: [a\n").starts_with("har.yaml:"));
        assert!(refused("node: 5\n").starts_with("har.yaml:1: "));
        assert!(refused("- node\n").starts_with("har.yaml:1: "));
    }

    #[test]
    fn a_bracket_left_open_is_the_fault_and_not_the_keys_after_it() {
        for text in [
            "node:\n  name: a@b.c\nepmd: {port: 4369\nlog:\n  level: info\n",
            "admission:\n  allow_networks: [10.0.0.0/8\nlog:\n  level: info\n",
            "node: {name: a@b.c\nhiden: true\n",
        ] {
            let message = refused(text);
            assert!(!message.contains("unknown key"), "{message}");
            assert!(message.contains("line ") && message.contains("column "), "{message}");
        }
    }

    #[test]
    fn empty_files_and_empty_sections_are_fine() {
        for text in ["", "# nothing\n", "node:\n", "node:\nepmd:\n  # port: 1\n"] {
            assert_eq!(read(Path::new("har.yaml"), text).expect(text), RawConfig::default());
        }
    }

    #[test]
    fn distances() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
