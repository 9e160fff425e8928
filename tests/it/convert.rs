//! `har convert` and `har parse`.

use std::io::Write as _;
use std::process::Stdio;

use crate::command::{Home, Outcome};

const PLAYBOOK: &str = "\
- hosts: web
  tasks:
    - name: install nginx
      apt: {name: nginx, state: present}
    - name: clean up
      command: rm -rf /tmp/x
      delegate_to: other
";

/// Runs the binary with something on its standard input.
fn har_reading(input: &[u8], arguments: &[&str]) -> Outcome {
    let home = Home::new();
    let mut command = home.command();
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    child.stdin.take().expect("piped").write_all(input).expect("it reads");
    Outcome::of(child.wait_with_output().expect("it ends"))
}

#[test]
fn the_result_is_on_stdout_and_the_report_on_stderr() {
    let home = Home::new();
    let file = home.file("site.yml", PLAYBOOK);
    let outcome = home.har(&["convert", "--from", "ansible", "--to", "salt", &file]);
    let salt: serde_yaml::Value = serde_yaml::from_str(outcome.assert_works()).expect("YAML");
    assert!(outcome.stdout.contains("pkg.installed:"), "{salt:?}");
    assert!(outcome.stderr.contains("delegate_to"), "{outcome:?}");
    assert!(outcome.stderr.lines().last().expect("a count").contains(" lost"), "{outcome:?}");
}

#[test]
fn the_report_can_be_json_or_none() {
    let convert = |how| {
        let arguments = ["convert", "--from", "ansible", "--to", "salt", "--report", how, "-"];
        har_reading(PLAYBOOK.as_bytes(), &arguments)
    };
    let json = convert("json");
    json.assert_works();
    let report: serde_json::Value = serde_json::from_str(&json.stderr).expect("JSON");
    assert!(report["summary"]["lost"].as_u64() > Some(0), "{report}");
    assert_eq!(convert("none").stderr, "");
    assert_eq!(convert("none").stdout, json.stdout);
}

#[test]
fn roles_beside_the_playbook_are_inlined() {
    let home = Home::new();
    std::fs::create_dir_all(home.path().join("roles/web/tasks")).expect("made");
    home.file("roles/web/tasks/main.yml", "- apt: {name: haproxy}\n");
    let file = home.file("site.yml", "- hosts: web\n  roles: [web]\n");
    let outcome = home.har(&["convert", "--from", "ansible", "--to", "salt", &file]);
    assert!(outcome.assert_works().contains("haproxy"), "{outcome:?}");
}

#[test]
fn a_graph_is_printed_in_three_ways() {
    let home = Home::new();
    let file = home.file("site.yml", PLAYBOOK);
    let parse = |how| home.har(&["parse", "--from", "ansible", "--output", how, &file]);
    let json: serde_json::Value = serde_json::from_str(parse("json").assert_works()).expect("JSON");
    assert_eq!(json["vertices"][0]["type"], "package_install");
    assert!(json["metadata"]["parsed_at"].as_str().expect("a moment").ends_with('Z'));
    assert!(parse("elixir").assert_works().starts_with("%HAR.Semantic.Graph{"));
    assert!(parse("erlang").assert_works().contains("'__struct__' => 'Elixir.HAR.Semantic.Graph'"));
}

#[test]
fn a_source_that_is_none_is_named_with_its_line() {
    let home = Home::new();
    let file = home.file("site.yml", "- hosts: web\n  tasks: [\n");
    home.har(&["convert", "--from", "ansible", "--to", "salt", &file])
        .assert_fails(65, &["site.yml", "Ansible", "line 2", "--from"]);
    har_reading(b"\xff\xfe", &["parse", "--from", "ansible", "-"])
        .assert_fails(65, &["standard input", "UTF-8"]);
}

#[test]
fn a_source_that_is_absent_is_named() {
    Home::new()
        .har(&["parse", "--from", "ansible", "absent.yml"])
        .assert_fails(66, &["absent.yml", "No such file"]);
}

#[test]
fn unknown_formats_are_refused_with_the_known_ones() {
    let outcome = Home::new().har(&["parse", "--from", "cobol", "x"]);
    assert_eq!(outcome.code, Some(64), "{outcome:?}");
    assert!(outcome.stderr.contains("ansible") && outcome.stderr.contains("salt"), "{outcome:?}");
}
