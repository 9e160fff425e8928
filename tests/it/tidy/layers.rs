//! Imports go one way: term → dist → (epmd) → node → otp → har, and inside `har` likewise.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use super::code::Code;
use super::sources::Source;
use super::{assert_none, sources};

/// Which of our crates each crate may depend on. Nothing else of ours.
const MAY_DEPEND_ON: &[(&str, &[&str])] = &[
    ("erlang-term", &[]),
    ("erlang-dist", &["erlang-term"]),
    ("epmd", &[]),
    ("erlang-node", &["erlang-term", "erlang-dist", "epmd"]),
    ("erlang-otp", &["erlang-term", "erlang-dist", "erlang-node"]),
    ("erlang-interop", &["erlang-term", "erlang-dist", "erlang-node", "erlang-otp"]),
    ("har-allocator", &[]),
    ("har", &["erlang-interop", "epmd", "har-allocator"]),
    // Only tests run it.
    ("erlang-sim", &["erlang-term", "erlang-node", "erlang-otp"]),
    // The benchmark harness measures layers, so it may use any.
    ("vs-beam", &["erlang-term", "erlang-dist", "erlang-node", "erlang-otp", "erlang-interop"]),
];

/// Crates that are a protocol and nothing else: time and randomness come in as values.
const PURE: &[&str] = &["erlang-term", "erlang-dist"];
/// What a pure crate may not depend on.
const NOT_IN_PURE: &[&str] =
    &["tokio", "smol", "async-std", "socket2", "libc", "rustix", "getrandom"];
/// Folders and files of pure code, and what may not stand in them.
const PURE_FOLDERS: &[&str] =
    &["erlang-interop/term/src/", "erlang-interop/dist/src/", "epmd/src/codec"];
const NOT_IN_PURE_CODE: &[&str] = &[
    "tokio",
    "std::net",
    "std::thread",
    "std::fs",
    "std::process",
    "Instant",
    "SystemTime",
    "println!",
    "eprintln!",
    "getrandom",
];

/// Folders of `src/` and which of each other they may use.
const ROOMS: &[(&str, &[&str])] = &[
    ("semantic", &[]),
    ("data_plane", &["semantic"]),
    ("security", &[]),
    ("control_plane", &["semantic", "data_plane", "security", "telemetry", "config"]),
    ("telemetry", &["config"]),
    ("config", &["telemetry", "security"]),
    ("backends", &["control_plane", "security", "config"]),
    (
        "services",
        &["semantic", "data_plane", "control_plane", "backends", "cluster", "telemetry", "config"],
    ),
    ("cluster", &["config", "telemetry"]),
    ("ops", &["telemetry"]),
    (
        "node",
        &[
            "services",
            "control_plane",
            "cluster",
            "config",
            "telemetry",
            "security",
            "ops",
            "backends",
        ],
    ),
];

/// `cargo metadata` of this workspace; with `all` also of every crate it is built from.
pub(super) fn metadata(all: bool) -> Value {
    let mut command = Command::new(env!("CARGO"));
    command.args(["metadata", "--format-version", "1", "--offline", "--locked"]);
    if all {
        command.args(["--filter-platform", &host()]);
    } else {
        command.arg("--no-deps");
    }
    let output = command.current_dir(sources::root()).output().expect("cargo runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata: {errors}");
    serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON")
}

/// This machine as Rust names it: crates for others need not have been downloaded.
fn host() -> String {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let output = Command::new(rustc).arg("-vV").output().expect("rustc runs");
    let text = String::from_utf8(output.stdout).expect("rustc speaks UTF-8");
    let line = text.lines().find_map(|line| line.strip_prefix("host: "));
    line.expect("rustc names its host").to_owned()
}

/// Name and the names of the real (not dev, not build) dependencies of each of our crates.
fn crates() -> BTreeMap<String, Vec<String>> {
    let metadata = metadata(false);
    let packages = metadata["packages"].as_array().expect("packages");
    let real = |dependency: &&Value| dependency["kind"].is_null();
    let text = |value: &Value| value["name"].as_str().expect("a name").to_owned();
    let one = |package: &Value| {
        let dependencies = package["dependencies"].as_array().expect("dependencies");
        (text(package), dependencies.iter().filter(real).map(text).collect())
    };
    packages.iter().map(one).collect()
}

#[test]
fn crates_depend_downwards_only() {
    let crates = crates();
    let mut faults = Vec::new();
    for (name, dependencies) in &crates {
        let Some((_, allowed)) = MAY_DEPEND_ON.iter().find(|(known, _)| known == name) else {
            faults.push(format!("{name} is not in MAY_DEPEND_ON: say where it stands"));
            continue;
        };
        for dependency in dependencies.iter().filter(|found| crates.contains_key(*found)) {
            if !allowed.contains(&dependency.as_str()) {
                faults.push(format!("{name} depends on {dependency}"));
            }
        }
    }
    assert_none("a crate depends on lower layers only", &faults);
}

#[test]
fn protocol_crates_have_no_runtime() {
    let mut faults = Vec::new();
    for (name, dependencies) in crates() {
        for dependency in dependencies {
            if PURE.contains(&name.as_str()) && NOT_IN_PURE.contains(&dependency.as_str()) {
                faults.push(format!("{name} depends on {dependency}"));
            }
        }
    }
    assert_none("protocol crates take time, sockets and randomness from above", &faults);
}

#[test]
fn protocol_code_has_no_clock_and_no_sockets() {
    let mut faults = Vec::new();
    for file in sources::tracked(&["rs"]) {
        if !PURE_FOLDERS.iter().any(|folder| file.path.starts_with(folder)) {
            continue;
        }
        for (number, line) in Code::of(&file.text).without_tests().lines() {
            let words = NOT_IN_PURE_CODE.iter().filter(|word| line.contains(**word));
            faults.extend(words.map(|word| format!("{}:{number}: {word}", file.path)));
        }
    }
    assert_none("protocol code is fed bytes and time", &faults);
}

#[test]
fn rooms_of_har_use_lower_rooms_only() {
    let mut faults = Vec::new();
    let files = sources::tracked(&["rs"]);
    let tests = test_modules(&files);
    for file in files.iter().filter(|file| !tests.contains(&file.path)) {
        let Some(path) = file.path.strip_prefix("src/") else { continue };
        let room = path.split(['/', '.']).next().unwrap_or_default();
        let Some((_, allowed)) = ROOMS.iter().find(|(known, _)| *known == room) else { continue };
        for (number, line) in Code::of(&file.text).without_tests().lines() {
            for used in line.split("crate::").skip(1) {
                let used = used.split(|c: char| !c.is_alphanumeric() && c != '_').next();
                let known = used.filter(|used| ROOMS.iter().any(|(room, _)| room == used));
                let above = used.filter(|used| ["cli"].contains(used));
                if let Some(used) = known.or(above)
                    && used != room
                    && !allowed.contains(&used)
                {
                    faults.push(format!("{}:{number}: {room} uses {used}", file.path));
                }
            }
        }
    }
    assert_none("a room uses lower rooms only", &faults);
}

/// Paths of the files that are modules under `#[cfg(test)]`: a test may look upwards.
fn test_modules(files: &[Source]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in files {
        let own = file.path.trim_end_matches(".rs").trim_end_matches("/mod");
        for after in Code::of(&file.text).text().split("#[cfg(test)]").skip(1) {
            let module = after.trim_start().strip_prefix("mod ").and_then(|m| m.split_once(';'));
            if let Some((name, _)) = module.filter(|(name, _)| !name.contains('{')) {
                found.insert(format!("{own}/{name}.rs"));
                found.insert(format!("{own}/{name}/mod.rs"));
            }
        }
    }
    found
}
