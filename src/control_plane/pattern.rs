//! Which operations a route is for.

use super::text_match::{Prefix, Wanted};
use super::value_match::text_of;
use crate::semantic::Operation;

/// The field of a pattern's target that holds a network, not a text.
pub(super) const PREFIX_FIELD: &str = "ipv6_prefix";

/// The pattern of a route.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pattern {
    /// A glob over the operation's type; none matches all.
    operation: Option<Wanted>,
    /// Fields of the operation's target that must match.
    target: Vec<Field>,
}

#[derive(Clone, Debug, PartialEq)]
struct Field {
    name: String,
    value: Wanted,
    prefix: Option<Prefix>,
}

impl Pattern {
    /// A pattern of a glob over the type, and of fields of the target: name and value, `*` for any.
    /// `ipv6_prefix` holds a network such as `2001:db8:1::/48`.
    pub fn new(operation: Option<&str>, target: &[(&str, &str)]) -> Self {
        let field = |(name, value): &(&str, &str)| Field {
            name: (*name).to_owned(),
            prefix: (*name == PREFIX_FIELD).then(|| Prefix::parse(value)).flatten(),
            value: Wanted::new(*value),
        };
        Self { operation: operation.map(Wanted::new), target: target.iter().map(field).collect() }
    }

    /// The glob over the type, as it was given.
    pub fn operation(&self) -> Option<&str> {
        self.operation.as_ref().map(Wanted::text)
    }

    /// The fields of the target, as they were given.
    pub fn target(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.target.iter().map(|field| (field.name.as_str(), field.value.text()))
    }

    /// Whether an operation is meant.
    pub fn matches(&self, operation: &Operation) -> bool {
        self.type_matches(operation.kind.name()) && self.target_matches(operation)
    }

    pub(super) fn type_matches(&self, kind: &str) -> bool {
        self.operation.as_ref().is_none_or(|wanted| wanted.matches(kind))
    }

    pub(super) fn target_matches(&self, operation: &Operation) -> bool {
        self.target.iter().all(|field| field.matches(operation))
    }

    /// How narrow the pattern is, to order routes whose backends have equal priorities.
    pub fn specificity(&self) -> (usize, usize) {
        let fields = self.target.iter().filter(|field| !field.value.is_any()).count();
        let letters = |glob: &str| glob.chars().filter(|c| *c != '*').count();
        (fields, self.operation().map_or(0, letters))
    }
}

impl Field {
    fn matches(&self, operation: &Operation) -> bool {
        if self.value.is_any() {
            return true;
        }
        let text = |name| operation.target.present(name).and_then(text_of);
        if self.name == PREFIX_FIELD {
            // Where the operation itself says which network it is for, or which address.
            let inside = |name| {
                let have = text(name);
                have.is_some_and(|have| self.prefix.is_some_and(|prefix| prefix.contains(&have)))
            };
            return inside(PREFIX_FIELD) || inside("ipv6");
        }
        text(&self.name).is_some_and(|have| self.value.matches(&have))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantic::{Key, Kind, Map, Value};

    fn operation(target: Map) -> Operation {
        Operation { target, ..Operation::new("a", Kind::PackageInstall, Map::new()) }
    }

    #[test]
    fn fields_match_by_either_kind_of_key() {
        let pattern = Pattern::new(Some("package_*"), &[("os", "debian")]);
        for key in [Key::atom("os"), Key::text("os")] {
            for value in [Value::atom("debian"), "debian".into()] {
                let meant = operation(Map::from_entries(vec![(key.clone(), value)]));
                assert!(pattern.matches(&meant));
            }
        }
        assert!(!pattern.matches(&operation(Map::new())));
    }

    #[test]
    fn each_field_of_a_target_really_matches() {
        for (field, wanted, have, other) in [
            ("os", "debian", "debian", "redhat"),
            ("device", "sensor-*", "sensor-7", "valve-7"),
            ("device_type", "iot", "iot", "industrial"),
            ("environment", "prod", "prod", "dev"),
            ("region", "eu-*", "eu-west", "us-east"),
            ("ipv6_prefix", "2001:db8:1::/48", "2001:db8:1:2::/64", "2001:db8:2::/64"),
        ] {
            let pattern = Pattern::new(None, &[(field, wanted)]);
            assert!(pattern.matches(&operation(Map::new().with(field, have))), "{field}");
            assert!(!pattern.matches(&operation(Map::new().with(field, other))), "{field}");
            assert!(!pattern.matches(&operation(Map::new())), "{field} is absent");
            let any = Pattern::new(None, &[(field, "*")]);
            assert!(any.matches(&operation(Map::new())), "{field}: *");
        }
    }

    #[test]
    fn an_address_lies_in_a_prefix() {
        let pattern = Pattern::new(None, &[("ipv6_prefix", "2001:db8:1::/48")]);
        let at = |address: &str| operation(Map::new().with("ipv6", address));
        assert!(pattern.matches(&at("2001:0db8:1:ffff::9")));
        assert!(!pattern.matches(&at("2001:db8:10::9")));
    }

    #[test]
    fn narrow_patterns_are_more_specific() {
        let pattern =
            |operation, target: &[(&str, &str)]| Pattern::new(operation, target).specificity();
        let any = pattern(None, &[]);
        let globbed = pattern(Some("service_*"), &[("os", "*")]);
        let exact = pattern(Some("service_start"), &[]);
        let targeted = pattern(Some("*"), &[("os", "debian")]);
        assert!(any < globbed && globbed < exact && exact < targeted);
    }
}
