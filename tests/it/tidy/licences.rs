//! Every crate that we build from has a licence of `deny.toml`: also where cargo-deny is missing.

use super::{assert_none, layers, sources};

/// The `allow = [...]` list of `deny.toml`.
fn allowed() -> Vec<String> {
    let text = std::fs::read_to_string(sources::root().join("deny.toml")).expect("deny.toml");
    let list = text.split("allow = [").nth(1).and_then(|rest| rest.split(']').next());
    let entries = list.expect("deny.toml has an allow list").split(',');
    entries.map(|entry| entry.trim().trim_matches('"').to_owned()).collect()
}

/// Is the SPDX `expression` satisfied? `OR` binds weaker than `AND`; parentheses only group.
fn satisfied(expression: &str, allowed: &[String]) -> bool {
    let expression = expression.replace('/', " OR ");
    if let Some((before, rest)) = expression.split_once('(')
        && let Some((inside, after)) = rest.split_once(')')
    {
        let inside = if satisfied(inside, allowed) { "yes" } else { "no" };
        return satisfied(&[before, inside, after].concat(), allowed);
    }
    expression.split(" OR ").any(|all| {
        all.split(" AND ")
            .map(str::trim)
            .all(|one| one == "yes" || allowed.iter().any(|a| a == one))
    })
}

#[test]
fn every_licence_is_allowed() {
    let allowed = allowed();
    let metadata = layers::metadata(true);
    let mut faults = Vec::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let licence = package["license"].as_str().unwrap_or("none given");
        if !satisfied(licence, &allowed) {
            faults.push(format!("{} {}: {licence}", package["name"], package["version"]));
        }
    }
    assert_none("a dependency has a licence of deny.toml's list", &faults);
}

#[test]
fn every_dependency_comes_from_the_registry() {
    let metadata = layers::metadata(true);
    let mut faults = Vec::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let source = package["source"].as_str();
        if source.is_some_and(|source| !source.starts_with("registry+")) {
            faults.push(format!("{}: {source:?}", package["name"]));
        }
    }
    assert_none("no dependency from git", &faults);
}

#[test]
fn expressions_are_understood() {
    let allowed = ["MIT".to_owned(), "ISC".to_owned()];
    for good in ["MIT", "GPL-3.0 OR MIT", "MIT/Apache-2.0", "(MIT OR GPL-3.0) AND ISC"] {
        assert!(satisfied(good, &allowed), "{good}");
    }
    for bad in ["GPL-3.0", "MIT AND GPL-3.0", "(GPL-3.0 OR LGPL-3.0) AND MIT", ""] {
        assert!(!satisfied(bad, &allowed), "{bad}");
    }
}
