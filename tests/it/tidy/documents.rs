//! Documents keep up with the tree: named paths exist, commands and formats are told.

use std::fs;
use std::process::Command;

use super::{assert_none, sources};

fn read(path: &str) -> String {
    fs::read_to_string(sources::root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What stands between backticks and looks like a path of this tree. A part in capitals, as in
/// `src/cli/NAME.rs`, stands for any name.
fn named_paths(text: &str) -> Vec<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    quoted
        .filter(|name| name.contains('/') && name.chars().all(plain))
        .filter(|name| !name.starts_with(['/', '.']) && !name.contains(".."))
        .filter(|name| name.chars().any(|c| c.is_ascii_lowercase()))
        .collect()
}

/// Does `path` exist, with parts in capitals standing for anything?
fn exists(path: &str) -> bool {
    let any = |part: &str| {
        let stem = part.split('.').next().unwrap_or(part);
        stem.len() > 1 && stem.chars().all(|c| c.is_ascii_uppercase() || c == '_')
    };
    let certain = path.split('/').take_while(|part| !any(part)).collect::<Vec<_>>().join("/");
    sources::root().join(certain).exists() || sources::root().join(path).exists()
}

#[test]
fn paths_that_documents_name_exist() {
    let mut faults = Vec::new();
    for document in ["ARCHITECTURE.md", "README.md", "CONTRIBUTING.md", "SECURITY.md"] {
        for path in named_paths(&read(document)).into_iter().filter(|path| !exists(path)) {
            faults.push(format!("{document}: {path}"));
        }
    }
    assert_none("a path in a document exists", &faults);
}

#[test]
fn architecture_fits_in_one_reading() {
    let lines = read("ARCHITECTURE.md").lines().count();
    assert!(lines <= 200, "ARCHITECTURE.md has {lines} lines; at most 200");
}

#[test]
fn every_command_is_told_in_the_readme() {
    let output = Command::new(env!("CARGO_BIN_EXE_har")).arg("--help").output().expect("har runs");
    let help = String::from_utf8(output.stdout).expect("help is UTF-8");
    let listed = help.split("Commands:").nth(1).and_then(|rest| rest.split("Options:").next());
    let listed = listed.expect("help lists commands");
    // A command's line is indented by two; what continues its text is indented further.
    let commands = listed.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let commands = commands.filter_map(|line| line.split_whitespace().next()).collect::<Vec<_>>();
    assert!(commands.len() >= 5, "{commands:?}");
    let readme = read("README.md");
    let untold = commands.iter().filter(|name| !readme.contains(&format!("har {name}")));
    assert_none(
        "README.md tells of each command",
        &untold.map(ToString::to_string).collect::<Vec<_>>(),
    );
}

#[test]
fn every_format_is_told_in_the_readme() {
    let readme = read("README.md").to_lowercase().replace(' ', "_");
    let folder = sources::root().join("src/data_plane/formats");
    let mut untold = Vec::new();
    for entry in fs::read_dir(folder).expect("src/data_plane/formats") {
        let path = entry.expect("an entry of formats").path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        // A format is a folder of code; beside them lie their common tests.
        if path.join("mod.rs").exists() && !readme.contains(&name) {
            untold.push(name);
        }
    }
    assert_none("README.md tells of each format", &untold);
}

#[test]
fn the_documents_that_people_look_for_are_there() {
    let wanted = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"];
    let missing = wanted.iter().filter(|name| !sources::root().join(name).exists());
    assert_none("documents", &missing.map(ToString::to_string).collect::<Vec<_>>());
}

#[test]
fn named_paths_are_found() {
    let text = "see `src/cli/NAME.rs`, `a b/c`, `Term`, `/etc/x` and `erlang-interop/term`";
    assert_eq!(named_paths(text), ["src/cli/NAME.rs", "erlang-interop/term"]);
    assert!(exists("src/NAME.rs"));
    assert!(!exists("src/no_such_file.rs"));
}
