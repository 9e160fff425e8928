//! What the binary says about itself: version, manual, completions.

use crate::command::Home;

#[test]
fn the_version_is_the_package_s() {
    let expected = format!("har {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(Home::new().har(&["version"]).assert_works(), expected);
    assert_eq!(Home::new().har(&["--version"]).assert_works(), expected);
}

#[test]
fn completions_exist_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let outcome = Home::new().har(&["completions", shell]);
        assert!(outcome.assert_works().contains("epmd-port"), "{shell}");
    }
}

#[test]
fn the_manual_has_a_page_a_command() {
    let home = Home::new();
    assert!(home.har(&["man"]).assert_works().starts_with(".ie"));
    home.har(&["man", "--output", "pages"]).assert_works();
    let page = |name: &str| std::fs::read_to_string(home.path().join("pages").join(name));
    assert!(page("har.1").expect("har.1").contains("har\\-config"));
    assert!(page("har-version.1").is_ok());
}

#[test]
fn a_manual_that_cannot_be_written_is_named() {
    let home = Home::new();
    home.file("taken", "");
    home.har(&["man", "--output", "taken"]).assert_fails(73, &["taken", "--output"]);
}
