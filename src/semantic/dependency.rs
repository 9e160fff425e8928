//! An edge of the graph: one operation that has to do with another.

use super::{Map, Value};

/// What an edge means. Its type plays no role in ordering: `from` always comes before `to`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DependencyType {
    /// `to` comes after `from` in the source.
    Sequential,
    /// `to` needs `from`.
    Requires,
    /// `to` needs `from` (Terraform, Compose).
    DependsOn,
    /// `to` reacts to changes made by `from`.
    Watches,
    /// `from` tells `to` about its changes.
    Notifies,
    /// `from` must come before `to`.
    Before,
    /// Stated by the source without a kind (Pulumi).
    Explicit,
    /// Any other type atom that a caller sent.
    Other(String),
}

impl DependencyType {
    /// The atom's text.
    pub fn name(&self) -> &str {
        match self {
            Self::Sequential => "sequential",
            Self::Requires => "requires",
            Self::DependsOn => "depends_on",
            Self::Watches => "watches",
            Self::Notifies => "notifies",
            Self::Before => "before",
            Self::Explicit => "explicit",
            Self::Other(name) => name,
        }
    }

    /// The type for an atom's text; `watch` is an alias of `watches`.
    pub fn from_name(name: &str) -> Self {
        match name {
            "sequential" => Self::Sequential,
            "requires" => Self::Requires,
            "depends_on" => Self::DependsOn,
            "watches" => Self::Watches,
            "notifies" => Self::Notifies,
            "before" => Self::Before,
            "explicit" => Self::Explicit,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Whether `to` is to react when `from` changed something.
    pub fn reacts_to_changes(&self) -> bool {
        matches!(self, Self::Watches | Self::Notifies) || self.name() == "watch"
    }
}

/// An edge from one operation to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Dependency {
    /// Id of the operation that comes first.
    pub from: String,
    /// Id of the operation that comes after it.
    pub to: String,
    /// What the edge means.
    pub kind: DependencyType,
    /// Where the edge comes from; `reason` by convention.
    pub metadata: Map,
}

impl Dependency {
    /// An edge with a reason.
    pub fn new(from: &str, to: &str, kind: DependencyType, reason: &str) -> Self {
        Self {
            from: from.to_owned(),
            to: to.to_owned(),
            kind,
            metadata: Map::new().with("reason", Value::from(reason)),
        }
    }

    /// Whether the edge joins two different operations.
    pub fn is_valid(&self) -> bool {
        self.from != self.to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for name in [
            "sequential",
            "requires",
            "depends_on",
            "watches",
            "notifies",
            "before",
            "explicit",
            "onfail",
        ] {
            assert_eq!(DependencyType::from_name(name).name(), name);
        }
    }

    #[test]
    fn an_edge_to_itself_is_not_valid() {
        assert!(Dependency::new("a", "b", DependencyType::Requires, "test").is_valid());
        assert!(!Dependency::new("a", "a", DependencyType::Requires, "test").is_valid());
    }
}
