//! `har demo` tells its story, and leaves nothing behind.

use std::path::Path;

use crate::command::{Home, Outcome};
use crate::running::{Running, eventually};

fn demo(home: &Home, operations: &str) -> std::process::Command {
    let temporary = home.path().join("tmp");
    std::fs::create_dir(&temporary).expect("a directory");
    let mut command = home.command();
    // What the user has set is not for the demo's nodes.
    command.env("TMPDIR", temporary).env("HAR_NODE_NAME", "wrong").env("HAR_COOKIE", "UNUSED");
    command.args(["demo", "--operations", operations]);
    command
}

/// The numbers between brackets in the first line.
fn pids(printed: &str) -> Vec<String> {
    let line = printed.lines().next().expect("a line");
    let (_, list) = line.split_once("(pids ").expect("pids");
    let list = list.split_once(')').expect("a bracket").0;
    list.split(", ").map(str::to_owned).collect()
}

#[track_caller]
fn assert_nothing_is_left(home: &Home, printed: &str) {
    let pids = pids(printed);
    assert_eq!(pids.len(), 3);
    for pid in pids {
        assert!(!Path::new("/proc").join(&pid).exists(), "{pid} runs:\n{printed}");
    }
    let left = std::fs::read_dir(home.path().join("tmp")).expect("readable").count();
    assert_eq!(left, 0, "files in its directory");
    assert!(!home.path().join(".erlang.cookie").exists());
}

/// The numbers of the row that begins with `what`.
fn row(printed: &str, what: &str) -> Vec<usize> {
    let line = printed.lines().find_map(|line| line.strip_prefix(what)).expect(what);
    line.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn one_of_three_nodes_is_killed_and_nothing_is_lost() {
    let home = Home::new();
    let outcome = Outcome::of(demo(&home, "5000").output().expect("it runs"));
    let printed = outcome.assert_works();
    assert!(printed.contains("pkg.installed"), "{printed}");
    for (what, again) in [("all three live", false), ("demo3 killed half-way", true)] {
        let [one, two, three, repeated, lost, _ms] = row(printed, what)[..] else {
            panic!("six figures in {what}:\n{printed}")
        };
        assert_eq!((one + two + three, lost), (5000, 0), "{printed}");
        assert_eq!(repeated > 0, again, "{printed}");
    }
    assert_nothing_is_left(&home, printed);
}

#[test]
fn nodes_are_killed_again_and_again_and_nothing_is_lost() {
    let home = Home::new();
    let mut command = demo(&home, "5000");
    let outcome = Outcome::of(command.args(["--kill-for", "17"]).output().expect("it runs"));
    let printed = outcome.assert_works();
    let kills = printed.lines().find(|line| line.contains(" kills of a random node"));
    let kills = kills.and_then(|line| line.split(' ').next()).and_then(|kills| kills.parse().ok());
    assert!(kills.is_some_and(|kills: u32| kills > 0), "{printed}");
    assert!(printed.contains(" 0 operations lost"), "{printed}");
    assert_nothing_is_left(&home, printed);
}

#[test]
fn interrupted_it_ends_what_it_started() {
    let home = Home::new();
    let mut running = Running::start(demo(&home, "100000"));
    running.wait_for("pkg.installed");
    running.signal("INT");
    assert_eq!(running.ended().code(), Some(1));
    running.stderr.wait_for("the demo was ended; so are its nodes");
    eventually("the end of its nodes", || {
        let alive = |pid: &String| Path::new("/proc").join(pid).exists();
        (!pids(&running.stdout.text()).iter().any(alive)).then_some(())
    });
    assert_nothing_is_left(&home, &running.stdout.text());
}
