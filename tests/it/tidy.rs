//! The house rules that no compiler checks, read from the tree: sizes, layers, words, documents.
//!
//! Each failure lists every place at once, with the rule's reason.

mod code;
mod documents;
mod layers;
mod licences;
mod sources;

use std::collections::BTreeSet;

use code::Code;

/// Longest source file, in lines. One subject a file; a longer one has grown a second.
const FILE_LINES_MAX: usize = 500;
/// Longest function, in lines. What does not fit on two screens is not read as a whole.
const FUNCTION_LINES_MAX: usize = 80;

/// Functions that were longer when the rule came: they may shrink, and then leave this list.
const LONG_FUNCTIONS: &[(&str, &str, usize)] = &[];

/// Fails with all of `faults`, one a line, under the rule they break.
fn assert_none(rule: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{rule}:\n  {}", faults.join("\n  "));
}

#[test]
fn files_are_short() {
    let long = sources::tracked(&["rs", "ex", "exs", "erl", "sh"])
        .iter()
        .map(|file| (file, file.text.lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .map(|(file, lines)| format!("{}: {lines} lines", file.path))
        .collect::<Vec<_>>();
    assert_none("a source file has at most 500 lines; split it by subject", &long);
}

#[test]
fn functions_are_short() {
    let mut faults = Vec::new();
    let mut still_long = BTreeSet::new();
    for file in sources::tracked(&["rs"]) {
        for (name, lines) in Code::of(&file.text).functions() {
            let known = LONG_FUNCTIONS
                .iter()
                .find(|(path, function, _)| *path == file.path && *function == name);
            let limit = known.map_or(FUNCTION_LINES_MAX, |(_, _, lines)| *lines);
            if lines > FUNCTION_LINES_MAX {
                still_long.insert((file.path.clone(), name.clone()));
            }
            if lines > limit {
                faults.push(format!("{}: fn {name} has {lines} lines", file.path));
            }
        }
    }
    for (path, function, _) in LONG_FUNCTIONS {
        if !still_long.contains(&((*path).to_owned(), (*function).to_owned())) {
            faults.push(format!("{path}: fn {function} is short now: take it off LONG_FUNCTIONS"));
        }
    }
    assert_none("a function has at most 80 lines", &faults);
}

#[test]
fn nothing_is_left_for_later() {
    let banned = [
        ("todo!", "finish it or leave it out"),
        ("unimplemented!", "finish it or leave it out"),
        ("dbg!", "use tracing"),
        ("#[ignore", "a test that does not run shows nothing"),
        ("allow(dead_code)", "remove what nobody calls"),
        ("allow(unused", "remove what nobody uses"),
        ("#![allow(warnings", "fix the warnings"),
        ("unsafe_code)", "unsafe lives in a crate of its own"),
    ];
    let mut faults = Vec::new();
    for file in sources::tracked(&["rs"]) {
        for (number, line) in Code::of(&file.text).lines() {
            for (word, cure) in banned {
                if line.contains(word) {
                    faults.push(format!("{}:{number}: {word}: {cure}", file.path));
                }
            }
        }
    }
    assert_none("not in this tree", &faults);
}

#[test]
fn names_say_what_a_thing_is() {
    let vague = ["util", "utils", "helper", "helpers", "manager", "common", "misc"];
    let faults = sources::tracked(&["rs", "ex", "exs", "erl"])
        .into_iter()
        .filter(|file| file.path.split(['/', '.']).any(|part| vague.contains(&part)))
        // Cargo's own convention for what examples share.
        .filter(|file| !file.path.contains("/examples/common/"))
        .map(|file| file.path)
        .collect::<Vec<_>>();
    assert_none("a file is named for its subject", &faults);
}

#[test]
fn accessors_have_no_get_prefix() {
    let mut faults = Vec::new();
    for file in sources::tracked(&["rs"]) {
        for (number, line) in Code::of(&file.text).lines() {
            if line.trim_start().starts_with("pub fn get_") && !line.contains("fn get_atom") {
                faults.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    assert_none("an accessor is named for what it returns", &faults);
}

#[test]
fn the_tree_names_no_machine_and_no_registry_host() {
    // Split, so that this file does not contain them.
    let hosts =
        ["deb.debian", "index.crates", "static.crates", "registry.npmjs", "files.pythonhosted"];
    let folders = [["/wo", "rk/"].concat(), ["/ro", "ot/"].concat(), ["/home/", "user/"].concat()];
    let mut faults = Vec::new();
    for file in sources::tracked(&[]).into_iter().filter(|file| file.path != "Cargo.lock") {
        for (number, line) in (1..).zip(file.text.lines()) {
            let host = hosts.iter().any(|host| line.contains(&[host, "."].concat()));
            if host || folders.iter().any(|folder| starts_path(line, folder)) {
                faults.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    assert_none("no path or host of one machine", &faults);
}

/// Is `folder` in `line` as the start of an absolute path, not inside of one?
fn starts_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        !line[..at].ends_with(|before: char| before.is_alphanumeric() || "._-}".contains(before))
    })
}

#[test]
fn limits_are_named_and_explained() {
    let mut faults = Vec::new();
    let mut files = 0;
    for file in sources::tracked(&["rs"]).iter().filter(|file| file.path.ends_with("limits.rs")) {
        files += 1;
        if !file.text.contains("const _: () = assert!") {
            faults.push(format!("{}: no assertion of how the limits relate", file.path));
        }
        let lines = file.text.lines().collect::<Vec<_>>();
        for (at, line) in lines.iter().enumerate() {
            let public = line.trim_start().trim_start_matches("pub(crate) ");
            let public = public.trim_start_matches("pub(super) ").trim_start_matches("pub ");
            if let Some(name) = public.strip_prefix("const ")
                && !name.starts_with('_')
                && !lines[at.saturating_sub(1)].contains("/// See [")
                && words_above(&lines[..at]) < 4
            {
                let name = name.split(':').next().unwrap_or(name);
                faults.push(format!("{}: {name} has no reason", file.path));
            }
        }
    }
    assert!(files > 0, "found no limits.rs");
    assert_none("a limit tells why it is as it is", &faults);
}

/// Words in the documentation comment that ends `lines`.
fn words_above(lines: &[&str]) -> usize {
    let comment = lines.iter().rev().map(|line| line.trim());
    let comment = comment.take_while(|line| line.starts_with("//") || line.starts_with("#["));
    comment.filter(|line| line.starts_with("///")).map(|line| line.split(' ').count() - 1).sum()
}

#[test]
fn every_crate_takes_the_workspace_lints() {
    let faults = sources::tracked(&["toml"])
        .into_iter()
        .filter(|file| file.path.ends_with("Cargo.toml") && !file.path.starts_with("fuzz/"))
        // The unsafe code, in a crate of its own: `forbid` can't be lifted for it.
        .filter(|file| file.path != "src/allocator/Cargo.toml")
        .filter(|file| !file.text.contains("[lints]\nworkspace = true"))
        .map(|file| file.path)
        .collect::<Vec<_>>();
    assert_none("[lints] workspace = true", &faults);
}
