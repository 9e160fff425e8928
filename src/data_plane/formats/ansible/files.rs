//! Other files that a playbook names: found among those the caller gave along.

use crate::data_plane::format::Options;
use crate::data_plane::yaml::{Node, read};

/// The path of the given file that a playbook means by `name`, seen from a role or the playbook.
pub(super) fn resolve<'a>(
    options: &'a Options,
    name: &str,
    role: Option<&str>,
    folder: &str,
) -> Option<(&'a str, &'a str)> {
    let mut candidates = Vec::new();
    if let Some(role) = role {
        candidates.push(format!("roles/{role}/{folder}/{name}"));
    }
    candidates.push(name.to_owned());
    candidates.push(format!("{folder}/{name}"));
    candidates
        .iter()
        .find_map(|path| options.files.get_key_value(path))
        .map(|(path, text)| (path.as_str(), text.as_str()))
}

/// A role's own file, `main.yml` or `main.yaml`.
pub(super) fn role_file<'a>(
    options: &'a Options,
    role: &str,
    folder: &str,
) -> Option<(&'a str, &'a str)> {
    ["yml", "yaml"].iter().find_map(|ending| {
        let path = format!("roles/{role}/{folder}/main.{ending}");
        options.files.get_key_value(&path).map(|(path, text)| (path.as_str(), text.as_str()))
    })
}

/// The single document of a file; `None` when it is not YAML.
pub(super) fn document(text: &str) -> Option<Node> {
    read(text).ok()?.into_iter().next()
}
