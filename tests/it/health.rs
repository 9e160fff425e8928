//! Backends that are asked by a node that runs: those that do not work get no work.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use crate::command::Home;
use crate::running::{Running, eventually, free_port};

/// A backend that answers GET with the status it is told to.
fn backend() -> (u16, Arc<AtomicU16>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let status = Arc::new(AtomicU16::new(200));
    let says = Arc::clone(&status);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 1024];
            let _ = stream.read(&mut request);
            let status = says.load(Ordering::Relaxed);
            let _ = stream.write_all(format!("HTTP/1.1 {status} Said\r\n\r\n").as_bytes());
        }
    });
    (port, status)
}

struct Routed {
    home: Home,
    epmd: String,
    _node: Running,
}

impl Routed {
    fn start(table: &str, config: &str) -> Self {
        let (home, epmd) = (Home::new(), free_port().to_string());
        home.file("table.yaml", table);
        let config = home.file("har.yaml", config);
        let mut command = home.command();
        command.env("HAR_COOKIE", "C").args(["start", "--epmd-port", &epmd, "--config", &config]);
        let node = Running::start(command);
        node.wait_for("Ctrl-C stops it.");
        Self { home, epmd, _node: node }
    }

    fn call(&self, module: &str, function: &str, arguments: &str) -> String {
        let call = ["rpc", "har@127.0.0.1", module, function, arguments];
        let variables = [("HAR_COOKIE", "C"), ("ERL_EPMD_PORT", &*self.epmd)];
        self.home.har_with(&variables, &call).assert_works().trim().to_owned()
    }

    fn health(&self) -> String {
        self.call("Elixir.HAR.ControlPlane.HealthChecker", "all_health", "[]")
    }

    /// Names of the backends that an operation went to, and could go to.
    fn route(&self) -> Vec<String> {
        let operation = "#{'__struct__' => 'Elixir.HAR.Semantic.Operation', id => <<\"a\">>,
            type => service_start, params => #{service => <<\"x\">>}, target => #{},
            metadata => #{}}";
        let arguments = format!("[[{operation}]]");
        let routed = self.call("Elixir.HAR.ControlPlane.Router", "route_batch", &arguments);
        let names = routed.split("name => <<\"").skip(1);
        names.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect()
    }
}

#[test]
fn a_backend_that_says_it_cannot_gets_no_work_until_it_can() {
    let (port, status) = backend();
    let table = format!(
        "routes:\n  - pattern: {{operation: '*'}}\n    backends:\n      \
         - {{name: web, type: remote, priority: 100, metadata: {{health_check:\n          \
             {{type: http, url: 'http://127.0.0.1:{port}/health', interval_ms: 500, fall: 1, rise: 1}}}}}}\n      \
         - {{name: spare, priority: 1}}\n"
    );
    let node = Routed::start(&table, "routing: {table: table.yaml}\n");
    let until = |health: &str| {
        let wanted = format!("#{{<<\"remote:web\">> => {health}}}");
        eventually(&wanted, || (node.health() == wanted).then_some(()));
    };
    until("healthy");
    assert!(node.route().contains(&"web".to_owned()));
    status.store(503, Ordering::Relaxed);
    until("unhealthy");
    assert!(!node.route().contains(&"web".to_owned()));
    status.store(404, Ordering::Relaxed);
    until("degraded");
    assert!(node.route().contains(&"web".to_owned()));
    let events = node.call("Elixir.HAR.Telemetry", "events", "[[har, control_plane, health]]");
    assert!(events.contains("from => healthy") && events.contains("to => degraded"), "{events}");
}

#[test]
fn strictly_a_backend_is_used_once_it_was_asked() {
    let (port, _status) = backend();
    let table = format!(
        "routes:\n  - pattern: {{operation: '*'}}\n    backends:\n      \
         - {{name: web, metadata: {{health_check: {{type: tcp, port: {port}, interval_ms: 500}}}}}}\n      \
         - {{name: never_asked}}\n"
    );
    let node = Routed::start(&table, "routing: {table: table.yaml, strict_health: true}\n");
    let routed = eventually("that it was asked", || Some(node.route()).filter(|to| !to.is_empty()));
    assert_eq!(routed, ["web"]);
}

#[test]
fn a_check_that_makes_no_sense_is_named_with_its_line() {
    let home = Home::new();
    home.file(
        "table.yaml",
        "routes:\n  - pattern: {operation: x}\n    backends:\n      \
         - {name: b, metadata: {health_check: {type: http, url: 'https://x/'}}}\n",
    );
    let file = home.file("har.yaml", "routing: {table: table.yaml}\n");
    home.har(&["config", "check", "--config", &file])
        .assert_fails(78, &["line 4: backend b: `https://x/` is not http://HOST"]);
    let file = home.file("har.yaml", "health:\n  interval_ms: 10\n");
    home.har(&["config", "check", "--config", &file]).assert_fails(78, &["line 2", "at least 500"]);
}
