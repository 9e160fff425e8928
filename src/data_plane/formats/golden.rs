//! Whole files through whole conversions, against outputs that people and Salt itself have checked.
//!
//! `HAR_WRITE_GOLDEN=1 cargo test -p har golden` writes the outputs anew; read the difference.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use crate::data_plane::format::{Options, find, transform};
use crate::data_plane::report::Report;
use crate::data_plane::yaml::{Node, read};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/data_plane/formats/testdata").join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap()
}

fn converted(from: &str, to: &str, source: &str) -> (String, Report) {
    let options = Options { first_id: Some(1), ..Options::default() };
    let parsed = find(from).unwrap().parse(source, &options).unwrap();
    let done = transform(&parsed.graph, parsed.report, find(to).unwrap(), &options).unwrap();
    (done.text, done.report)
}

fn same_as_file(name: &str, got: &str) {
    if std::env::var_os("HAR_WRITE_GOLDEN").is_some() {
        fs::write(path(name), got).unwrap();
    }
    assert_eq!(got, text(name), "{name} differs; see the head of this file");
}

#[test]
fn a_site_of_three_plays_becomes_salt_states() {
    let (sls, report) = converted("ansible", "salt", &text("site.yml"));
    same_as_file("site.sls", &sls);
    same_as_file("site.report", &format!("{report}\n"));
}

#[test]
fn every_known_module_becomes_a_state() {
    let (sls, report) = converted("ansible", "salt", &text("modules.yml"));
    same_as_file("modules.sls", &sls);
    same_as_file("modules.report", &format!("{report}\n"));
    let unknown = report.entries.iter().find(|entry| entry.detail.contains("Salt has no state"));
    assert_eq!(unknown, None);
}

/// Every key of every task, and of its module, is in the report: nothing is dropped silently.
#[test]
fn all_keys_of_all_tasks_are_accounted_for() {
    for name in ["site.yml", "modules.yml"] {
        all_keys_accounted_for(&text(name));
    }
}

fn all_keys_accounted_for(source: &str) {
    let (_, report) = converted("ansible", "salt", source);
    let told: HashSet<(u32, &str)> =
        report.entries.iter().map(|entry| (entry.line, entry.key.as_str())).collect();
    let mut missing = Vec::new();
    for document in read(source).unwrap() {
        for play in document.items().unwrap() {
            for section in ["pre_tasks", "tasks", "post_tasks", "handlers"] {
                let tasks = play.get(section).and_then(Node::items).unwrap_or_default();
                tasks.iter().for_each(|task| check(task, &told, &mut missing));
            }
        }
    }
    assert!(missing.is_empty(), "not in the report: {missing:?}");
}

fn check(task: &Node, told: &HashSet<(u32, &str)>, missing: &mut Vec<(u32, String)>) {
    for (key, value) in task.entries().unwrap() {
        let name = key.text().unwrap();
        if matches!(name, "block" | "always") {
            value.items().unwrap().iter().for_each(|inner| check(inner, told, missing));
        }
        let module = value.entries().is_some()
            && !matches!(name, "loop_control" | "environment" | "with_dict" | "args");
        if module {
            let args = value.entries().unwrap_or_default();
            let untold =
                args.iter().filter(|(arg, _)| !told.contains(&(arg.line, arg.text().unwrap())));
            missing.extend(untold.map(|(arg, _)| (arg.line, arg.text().unwrap().to_owned())));
        }
        // A module is accounted for by its arguments, or by itself when it has none.
        let by_arguments = value.entries().is_some_and(|args| !args.is_empty())
            || value.text().is_some_and(|text| {
                told.iter().any(|(line, _)| *line == key.line) && !text.is_empty()
            });
        if !told.contains(&(key.line, name)) && !by_arguments {
            missing.push((key.line, name.to_owned()));
        }
    }
}
