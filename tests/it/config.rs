//! `har config check` and `har config show`, and what is wrong with a configuration.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;

use crate::command::Home;

const EXAMPLE: &str = include_str!("../../config/har.example.yaml");

#[test]
fn the_example_has_exactly_the_keys_there_are() {
    let example: serde_yaml::Value = serde_yaml::from_str(EXAMPLE).expect("valid YAML");
    let mut keys = Vec::new();
    for (section, inner) in example.as_mapping().expect("sections") {
        for (key, _) in inner.as_mapping().expect("keys") {
            keys.push(format!("{}.{}", section.as_str().unwrap(), key.as_str().unwrap()));
        }
    }
    assert_eq!(keys, har::config::keys());
}

#[test]
fn the_example_says_what_the_defaults_are() {
    let home = Home::new();
    let file = home.file("har.yaml", EXAMPLE);
    let shown = |arguments: &[&str]| -> BTreeSet<String> {
        let outcome = home.har(arguments);
        let lines = outcome.assert_works().lines();
        let settings = lines.map(|line| line.split(" # ").next().unwrap_or_default().trim().into());
        settings.filter(|line: &String| !line.starts_with("node.cookie_file")).collect()
    };
    assert_eq!(shown(&["config", "show", "--config", &file]), shown(&["config", "show"]));
}

#[test]
fn show_names_the_origin_and_masks_the_cookie() {
    let home = Home::new();
    let file = home.file("har.yaml", "log:\n  level: warn\n");
    let variables = [("HAR_CONFIG", file.as_str()), ("RELEASE_COOKIE", "SECRET")];
    let outcome = home.har_with(&variables, &["config", "show", "--epmd-port", "14407"]);
    let shown = outcome.assert_works();
    let line = |key: &str| shown.lines().find(|line| line.starts_with(key)).expect(key).to_owned();
    assert!(line("epmd.port").ends_with("# flag --epmd-port"), "{shown}");
    assert!(line("log.level").ends_with(&format!("# file {file}")), "{shown}");
    assert!(line("node.cookie_file").ends_with("# environment RELEASE_COOKIE"), "{shown}");
    assert!(line("node.hidden").ends_with("# default"), "{shown}");
    assert!(!shown.contains("SECRET") && !outcome.stderr.contains("SECRET"));
}

#[test]
fn the_cookie_of_the_command_line_is_masked_too() {
    let home = Home::new();
    let outcome = home.har(&["config", "show", "--cookie", "SECRET"]);
    let shown = outcome.assert_works();
    assert!(shown.contains("# flag --cookie"), "{shown}");
    assert!(!shown.contains("SECRET") && !outcome.stderr.contains("SECRET"));
}

#[test]
fn check_accepts_the_example_and_creates_nothing() {
    let home = Home::new();
    home.har(&["config", "check"]).assert_works();
    assert_eq!(std::fs::read_dir(home.path()).expect("readable").count(), 0);
    let file = home.file("har.yaml", EXAMPLE);
    home.har(&["config", "check", "--config", &file]).assert_works();
}

#[test]
fn the_flags_of_erl_work() {
    let home = Home::new();
    let arguments = ["config", "show", "-name", "a@h.example", "-setcookie", "C", "-hidden"];
    let outcome = home.har(&arguments);
    let shown = outcome.assert_works();
    assert!(shown.contains("a@h.example"), "{shown}");
    assert!(shown.contains("# flag --hidden"), "{shown}");
}

#[test]
fn an_unknown_key_is_named_with_line_and_nearest_key() {
    let home = Home::new();
    let file = home.file("har.yaml", "node:\n  name: a@h.example\n  hiden: true\n");
    let expected = format!("{file}:3: unknown key `node.hiden`; did you mean `node.hidden`?");
    home.har(&["config", "check", "--config", &file]).assert_fails(78, &[&expected]);
}

#[test]
fn a_wrong_value_is_named_with_its_source() {
    let home = Home::new();
    home.har_with(&[("ERL_EPMD_PORT", "many")], &["config", "check"])
        .assert_fails(78, &["epmd.port", "ERL_EPMD_PORT", "`many`"]);
    home.har(&["config", "check", "--name", "har@box"])
        .assert_fails(64, &["--name", "--sname har"]);
    let file = home.file("har.yaml", "epmd:\n  port: 70000\n");
    home.har(&["config", "check", "--config", &file]).assert_fails(78, &[":2: ", "port"]);
}

#[test]
fn an_absent_config_file_is_named() {
    let home = Home::new();
    home.har(&["config", "check", "--config", "absent.yaml"])
        .assert_fails(66, &["absent.yaml", "No such file", "--config"]);
}

#[test]
fn an_unreadable_config_file_is_named() {
    let home = Home::new();
    std::fs::create_dir(home.path().join("directory.yaml")).expect("made");
    home.har(&["config", "check", "--config", "directory.yaml"])
        .assert_fails(66, &["directory.yaml", "--config"]);
    let file = home.file("secret.yaml", "");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o000)).expect("chmod");
    // Root reads everything; then the file is simply empty, which is fine.
    if std::fs::read(&file).is_err() {
        home.har(&["config", "check", "--config", &file]).assert_fails(66, &["secret.yaml"]);
    }
}

#[test]
fn wrong_use_of_the_command_line_is_64() {
    let home = Home::new();
    for arguments in [&[][..], &["dance"], &["config", "check", "--epmd-port", "x"]] {
        let outcome = home.har(arguments);
        assert_eq!(outcome.code, Some(64), "{outcome:?}");
        assert!(
            outcome.stderr.contains("--help") || outcome.stderr.contains("Usage"),
            "{outcome:?}"
        );
    }
}

#[test]
fn help_is_no_failure() {
    let outcome = Home::new().har(&["--help"]);
    assert!(outcome.assert_works().contains("completions"));
}

#[test]
fn an_endless_file_is_refused_and_each_cause_has_its_cure() {
    let home = Home::new();
    home.har(&["config", "check", "--config", "/dev/zero"])
        .assert_fails(66, &["/dev/zero", "not a regular file"]);
    home.har(&["config", "check", "--listen-min", "9200", "--listen-max", "9100"])
        .assert_fails(64, &["listen_max"]);
    home.har(&["ping", "nobody@127.0.0.1"]).assert_fails(66, &["cookie", "`har start` makes it"]);
}

#[test]
fn a_wrong_rule_is_named_with_its_line() {
    let home = Home::new();
    let cookie = home.file("edge.cookie", "SECRET");
    for (text, line, wanted) in [
        ("admission:\n  allow_nodes:\n    - a*@*\n    - har*\n", 4, "NAME@HOST"),
        ("admission:\n  deny_networks:\n    - 10.1.2.3/8\n", 3, "the network is 10.0.0.0/8"),
        ("calls:\n  allow: [HAR.*]\n  deny:\n    - 'erlang:'\n", 4, "MODULE:FUNCTION"),
        ("calls:\n  peers:\n    - nodes: ['a@*']\n      alow: []\n", 4, "alow"),
        ("budgets:\n  calls: 0\n", 2, "nonzero"),
        ("audit:\n  calls: some\n", 2, "privileged"),
        ("backends:\n  networks:\n    - here\n", 3, "`here` is no network"),
    ] {
        let file = home.file("har.yaml", text);
        let place = format!("{file}:{line}: ");
        home.har(&["config", "check", "--config", &file]).assert_fails(78, &[&place, wanted]);
    }
    // What is right by itself, and wrong beside the rest.
    for (text, line, wanted) in [
        ("log: {level: info}\nbudgets:\n  bytes_per_s: 100\n", 3, "at least 65536"),
        ("admission:\n  allow_certificates: [a]\n", 2, "tls.optfile"),
        ("admission:\n  failed_handshakes_per_s: 0\n", 2, "for ever"),
    ] {
        let file = home.file("har.yaml", text);
        let place = format!("(from file {file}, line {line})");
        home.har(&["config", "check", "--config", &file]).assert_fails(78, &[&place, wanted]);
    }
    let text = format!("admission: {{cookies: [{{nodes: ['e*@*'], file: '{cookie}'}}]}}\n");
    let file = home.file("har.yaml", &text);
    home.har(&["config", "check", "--config", &file]).assert_fails(77, &["chmod 400", &cookie]);
    let file =
        home.file("har.yaml", "backends: {networks: [10.0.2.0/24]}\nrouting: {table: t.yaml}\n");
    let far = "routes:\n  - pattern: {operation: x}\n    backends:\n      \
               - {name: far, metadata: {address: 10.0.1.7}}\n";
    home.file("t.yaml", far);
    home.har(&["config", "check", "--config", &file])
        .assert_fails(78, &["t.yaml", "line 4", "backend far: 10.0.1.7 is in none of"]);
}

#[test]
fn rules_come_from_flags_and_variables_too() {
    let home = Home::new();
    let peers = r#"[{nodes: ["g@*"], allow: [HAR.version/0]}]"#;
    let variables = [("HAR_CALLS_PEERS", peers), ("HAR_ADMISSION_DENY_NODES", "x@*, y@*")];
    let arguments =
        ["config", "show", "--allow-nodes", "a*@*,b@c", "--allow-networks", "10.0.0.0/8"];
    let outcome = home.har_with(&variables, &arguments);
    let shown = outcome.assert_works();
    let line = |key: &str| shown.lines().find(|line| line.starts_with(key)).expect(key).to_owned();
    let has = |key: &str, value: &str| {
        let line = line(key);
        assert!(line.contains(value), "{line}");
    };
    has("admission.allow_nodes", "[a*@*, b@c]");
    has("admission.allow_nodes", "# flag --allow-nodes");
    has("admission.allow_networks", "[10.0.0.0/8]");
    has("admission.deny_nodes", "[x@*, y@*]");
    has("calls.peers", r#"[{"nodes":["g@*"],"allow":["HAR.version/0"],"deny":[]}]"#);
    let wrong = home.har(&["config", "check", "--allow-networks", "10.0.0.1/8"]);
    assert_eq!(wrong.code, Some(64));
    assert!(wrong.stderr.contains("the network is 10.0.0.0/8"), "{}", wrong.stderr);
}
