//! The project's own files, as they lie in the tree.

use std::fs;
use std::path::Path;

/// A text file of the project.
pub(super) struct Source {
    /// Path from the project's root, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

/// The project's root.
pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All text files with one of these extensions; with no extension given, all text files.
pub(super) fn tracked(extensions: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    walk(root(), extensions, &mut found);
    assert!(!found.is_empty(), "no {extensions:?} in {}", root().display());
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn walk(folder: &Path, extensions: &[&str], found: &mut Vec<Source>) {
    // Made by tools, not by us; none of these is tracked.
    let made = ["target", ".git", "_build", "corpus", "artifacts", "node_modules"];
    for entry in fs::read_dir(folder).expect("a folder of the project can be read") {
        let path = entry.expect("an entry of a folder of the project").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if made.contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            walk(&path, extensions, found);
        } else if extensions.is_empty() || has_extension(&path, extensions) {
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let path = path.strip_prefix(root()).expect("walked from the root");
            found.push(Source { path: path.to_string_lossy().into_owned(), text });
        }
    }
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension().is_some_and(|found| extensions.iter().any(|extension| found == *extension))
}
