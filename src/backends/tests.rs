//! Backends that come and go, asked by a checker that runs.

use tokio::net::TcpListener;

use super::*;
use crate::security::BackendNetworks;
use crate::telemetry::Name;

fn rules(commands: Commands) -> Rules {
    let interval = Duration::from_millis(20);
    Rules { interval, timeout: Duration::from_secs(5), rise: 2, fall: 2, commands }
}

fn checker(plane: &ControlPlane, commands: Commands) -> Checker {
    Checker { rules: rules(commands), ..Checker::of_defaults(plane.clone()) }
}

/// A table of one backend, `local:b`, with this check.
fn table(check: &str) -> String {
    format!(
        "routes:\n  - pattern: {{operation: '*'}}\n    backends:\n      \
         - {{name: b, metadata: {{health_check: {check}}}}}\n"
    )
}

/// Lets a checker run until the backend has this health.
async fn until(plane: &ControlPlane, wanted: Status) {
    let seen = async {
        while plane.health().status("local:b") != wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(60), seen).await.unwrap_or_else(|_| panic!("never {wanted:?}"));
}

#[tokio::test]
async fn a_backend_that_ends_and_comes_back_is_noticed_and_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let plane = ControlPlane::new(true);
    let check = format!("{{type: tcp, port: {}, interval_ms: 500}}", address.port());
    plane.reload(&table(&check)).expect("a table");
    let running = tokio::spawn(checker(&plane, Commands::None).keep_checking());
    assert!(!plane.health().is_usable("local:b"), "strict: nobody has checked it");
    until(&plane, Status::Healthy).await;
    drop(listener);
    until(&plane, Status::Unhealthy).await;
    let _listener = TcpListener::bind(address).await.expect("the port again");
    until(&plane, Status::Healthy).await;
    plane.reload("routes: []\n").expect("a table");
    until(&plane, Status::Unknown).await;
    running.abort();
    let changes = plane.telemetry().recent(&["har", "control_plane", "health"]);
    assert_eq!(changes.len(), 4);
    let total = plane.telemetry().totals().find(|(name, _)| *name == Name::HealthChange);
    assert_eq!(total, Some((Name::HealthChange, 4)));
}

#[tokio::test]
async fn commands_are_run_for_those_whom_the_operator_trusts() {
    let command = Check::of(&command("exit 0")).expect("a check");
    let plane = ControlPlane::new(false);
    for (commands, giver, wanted) in [
        (Commands::None, Giver::Operator, Status::Unknown),
        (Commands::OwnTable, Giver::Peer, Status::Unknown),
        (Commands::OwnTable, Giver::Operator, Status::Healthy),
        (Commands::Any, Giver::Peer, Status::Healthy),
    ] {
        let checker = checker(&plane, commands);
        let found = checker.ask(&command, giver).await;
        assert_eq!(found, wanted, "{commands:?} {giver:?}");
    }
}

fn command(script: &str) -> crate::semantic::Map {
    let words = ["sh", "-c", script].map(crate::semantic::Value::from).to_vec();
    crate::semantic::Map::new().with("type", "command").with("command", words)
}

#[tokio::test]
async fn a_table_that_a_peer_reloads_has_no_commands_run() {
    let dir = tempfile::tempdir().expect("a directory");
    let mark = dir.path().join("mark");
    let check = |word: &str| {
        format!("{{type: command, command: [touch, {}.{word}], interval_ms: 500}}", mark.display())
    };
    let plane = ControlPlane::new(false);
    plane.reload(&table(&check("own"))).expect("the table it starts with");
    let running = tokio::spawn(checker(&plane, Commands::OwnTable).keep_checking());
    until(&plane, Status::Healthy).await;
    assert!(dir.path().join("mark.own").exists());
    plane.reload(&table(&check("peer"))).expect("another table");
    // It was its turn, and it was not asked.
    until(&plane, Status::Unknown).await;
    running.abort();
    assert!(!dir.path().join("mark.peer").exists());
}

#[tokio::test]
async fn who_hangs_is_unhealthy_when_its_time_is_over_and_holds_up_nobody() {
    let plane = ControlPlane::new(false);
    let checker = Checker {
        rules: Rules { timeout: Duration::from_millis(50), ..rules(Commands::Any) },
        ..Checker::of_defaults(plane.clone())
    };
    let hanging = Check::of(&command("sleep 1000")).expect("a check");
    let mut asked = JoinSet::new();
    for _ in 0..2 * CHECKS_AT_A_TIME {
        let (checker, hanging) = (checker.clone(), hanging.clone());
        asked.spawn(async move { checker.ask(&hanging, Giver::Operator).await });
    }
    assert!(asked.join_all().await.iter().all(|status| *status == Status::Unhealthy));
    assert_eq!(checker.in_turn.available_permits(), CHECKS_AT_A_TIME);
}

#[test]
fn a_table_with_a_check_elsewhere_or_of_no_kind_is_refused() {
    let networks = BackendNetworks(vec!["10.0.2.0/24".parse().expect("a network")]);
    let plane = ControlPlane::of_node(crate::semantic::Map::new(), networks, false);
    for (check, said) in [
        ("{type: http, url: 'http://169.254.169.254/latest'}", "is in none of backends.networks"),
        ("{type: tcp, host: 10.0.1.1, port: 22}", "is in none of backends.networks"),
        ("{type: icmp}", "tcp, http or command"),
        ("yes", "must be a mapping"),
    ] {
        let refused = plane.reload(&table(check)).expect_err("refused").to_string();
        assert!(refused.contains("line 4: backend b: ") && refused.contains(said), "{refused}");
    }
    plane.reload(&table("{type: tcp, host: 10.0.2.1, port: 22}")).expect("within");
}
