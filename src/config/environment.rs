//! The process environment as a value, so that resolving settings needs no global state.

use std::collections::BTreeMap;

/// A snapshot of the environment variables that are valid UTF-8.
///
/// Empty variables count as unset: a container manifest often passes `VAR=`.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

impl Environment {
    /// Takes a snapshot of this process's environment.
    #[must_use]
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The value of `name`, unless it is unset or empty.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self { variables: pairs.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_counts_as_unset() {
        let environment: Environment =
            [("A".to_owned(), "x".to_owned()), ("B".to_owned(), String::new())]
                .into_iter()
                .collect();
        assert_eq!(environment.variable("A"), Some("x"));
        assert_eq!(environment.variable("B"), None);
        assert_eq!(environment.variable("C"), None);
    }
}
