//! Which operations a route is for.

use std::net::Ipv6Addr;

use crate::semantic::{Operation, Value};

/// The pattern of a route.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pattern {
    /// A glob over the operation's type; none matches all.
    pub operation: Option<String>,
    /// Fields of the operation's target that must match: name and value, `*` for any.
    pub target: Vec<(String, String)>,
}

impl Pattern {
    /// Whether an operation whose target is overlaid by `target` is meant.
    pub fn matches(&self, operation: &Operation) -> bool {
        let kind = operation.kind.name();
        let by_type = match self.operation.as_deref() {
            None | Some("*") => true,
            Some(glob) => glob_matches(glob, kind),
        };
        by_type && self.target.iter().all(|(field, want)| field_matches(operation, field, want))
    }

    /// How narrow the pattern is, to order routes whose backends have equal priorities.
    pub fn specificity(&self) -> (usize, usize) {
        let fields = self.target.iter().filter(|(_, value)| value != "*").count();
        let letters =
            self.operation.as_deref().map_or(0, |glob| glob.chars().filter(|c| *c != '*').count());
        (fields, letters)
    }
}

fn field_matches(operation: &Operation, field: &str, want: &str) -> bool {
    if want == "*" {
        return true;
    }
    let value = operation.target.present(field).and_then(Value::to_text);
    if field == "ipv6_prefix" {
        let address = operation.target.present("ipv6").and_then(Value::to_text);
        let inside = |text: &String| in_prefix(text, want);
        return value.as_ref().is_some_and(inside) || address.as_ref().is_some_and(inside);
    }
    value.is_some_and(|value| glob_matches(want, &value))
}

/// Whether `*` in a pattern can stand for parts of a text so that both are equal.
///
/// Linear in the text for each `*`: on a mismatch only the last `*` is widened.
pub(super) fn glob_matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at_pattern, mut at_text) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while at_text < text.len() {
        if pattern.get(at_pattern) == Some(&b'*') {
            star = Some((at_pattern, at_text));
            at_pattern += 1;
        } else if pattern.get(at_pattern) == Some(&text[at_text]) {
            at_pattern += 1;
            at_text += 1;
        } else if let Some((star_pattern, star_text)) = star {
            star = Some((star_pattern, star_text + 1));
            at_pattern = star_pattern + 1;
            at_text = star_text + 1;
        } else {
            return false;
        }
    }
    pattern[at_pattern..].iter().all(|byte| *byte == b'*')
}

/// Whether an address, or the network of a narrower prefix, lies within a prefix such as
/// `2001:db8:1::/48`.
pub(super) fn in_prefix(address: &str, prefix: &str) -> bool {
    let parse = |text: &str| -> Option<(u128, u32)> {
        let (address, length) = text.split_once('/').unwrap_or((text, "128"));
        let length: u32 = length.parse().ok().filter(|length| *length <= 128)?;
        // A zone (`fe80::1%eth0`) says where an address is used, not what it is.
        let address = address.split('%').next().unwrap_or(address);
        Some((u128::from(address.parse::<Ipv6Addr>().ok()?), length))
    };
    let (Some((inner, inner_length)), Some((outer, length))) = (parse(address), parse(prefix))
    else {
        return false;
    };
    let mask = if length == 0 { 0 } else { u128::MAX << (128 - length) };
    inner_length >= length && inner & mask == outer & mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantic::{Key, Kind, Map};

    #[test]
    fn globs() {
        for (pattern, text, want) in [
            ("service_*", "service_start", true),
            ("service_*", "xservice_start", false),
            ("*", "", true),
            ("a*b*c", "a1b2b3c", true),
            ("a*b*c", "a1b2b3", false),
            ("a.c", "abc", false),
            ("", "a", false),
        ] {
            assert_eq!(glob_matches(pattern, text), want, "{pattern} {text}");
        }
    }

    #[test]
    fn prefixes_contain_by_bits_not_by_text() {
        for (address, prefix, want) in [
            ("2001:db8:1:ffff::1", "2001:db8:1::/48", true),
            ("2001:0db8:0001::1", "2001:db8:1::/48", true),
            ("2001:db8:10::1", "2001:db8:1::/48", false),
            ("2001:db8:1:2::/64", "2001:db8:1::/48", true),
            ("2001:db8::/32", "2001:db8:1::/48", false),
            ("fe80::1%eth0", "fe80::/10", true),
            ("::1", "::/0", true),
            ("10.0.0.1", "::/0", false),
            ("::1", "::/129", false),
        ] {
            assert_eq!(in_prefix(address, prefix), want, "{address} {prefix}");
        }
    }

    #[test]
    fn fields_match_by_either_kind_of_key() {
        let pattern = Pattern {
            operation: Some("package_*".into()),
            target: vec![("os".into(), "debian".into())],
        };
        for key in [Key::atom("os"), Key::text("os")] {
            for value in [Value::atom("debian"), "debian".into()] {
                let mut operation = Operation::new("a", Kind::PackageInstall, Map::new());
                operation.target = Map::from_entries(vec![(key.clone(), value)]);
                assert!(pattern.matches(&operation));
            }
        }
        assert!(!pattern.matches(&Operation::new("a", Kind::PackageInstall, Map::new())));
    }
}
