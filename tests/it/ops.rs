//! The ops port: metrics that Prometheus can read, probes that tell the truth, strangers that get
//! nowhere.

pub(crate) mod http;
mod metrics;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::beam::Beam;
use crate::command::Home;
use crate::running::{Running, eventually, free_port};
use http::{Answer, ask, get};
use metrics::Metrics;

/// A node with an ops port, and the EPMD it is registered at.
struct Watched {
    home: Home,
    epmd_port: String,
    epmd: Running,
    node: Running,
    ops: u16,
}

fn epmd(home: &Home, port: &str) -> Running {
    let mut command = home.command();
    command.args(["epmd", "-port", port, "-address", "127.0.0.1"]);
    let epmd = Running::start(command);
    eventually("EPMD answers", || {
        (home.har(&["names", "--epmd-port", port]).code == Some(0)).then_some(())
    });
    epmd
}

impl Watched {
    fn start() -> Self {
        let (home, epmd_port, ops) = (Home::new(), free_port().to_string(), free_port());
        let epmd = epmd(&home, &epmd_port);
        let mut command = home.command();
        command.args(["start", "--no-epmd", "--cookie", "C", "--epmd-port", &epmd_port]);
        command.args(["--ops-port", &ops.to_string()]);
        let node = Running::start(command);
        node.wait_for(&format!("http://127.0.0.1:{ops}/metrics"));
        node.wait_for("Ctrl-C stops it.");
        Self { home, epmd_port, epmd, node, ops }
    }

    fn get(&self, path: &str) -> Answer {
        get(self.ops, path)
    }

    fn metrics(&self) -> Metrics {
        let answer = self.get("/metrics");
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        Metrics::parse(&answer.body)
    }
}

#[test]
fn metrics_are_what_prometheus_reads_and_count_what_was_done() {
    let watched = Watched::start();
    let before = watched.metrics();
    assert_eq!(before.value("har_convert_seconds_count", &[("from", "ansible")]), None);
    assert_eq!(before.value("har_cluster_nodes", &[]), Some(1.0));
    assert!(before.value("process_resident_memory_bytes", &[]) > Some(1_000_000.0));
    let yaml = "<<\"- hosts: all\n  tasks:\n    - apt: name=nginx\n\">>";
    let call = ["rpc", "har@127.0.0.1", "Elixir.HAR", "convert"];
    let arguments = format!("[ansible, {yaml}, [{{to, salt}}]]");
    let variables = [("HAR_COOKIE", "C"), ("ERL_EPMD_PORT", &*watched.epmd_port)];
    let arguments = [&call[..], &[&arguments]].concat();
    watched.home.har_with(&variables, &arguments).assert_works();
    let after = watched.metrics();
    let formats = [("from", "ansible"), ("to", "salt")];
    assert_eq!(after.value("har_convert_seconds_count", &formats), Some(1.0));
    let routed = [("operation_type", "package_install")];
    assert_eq!(after.value("har_routing_decisions_total", &routed), Some(1.0));
    let event = [("event", "har.convert.complete")];
    assert_eq!(after.value("har_events_total", &event), Some(1.0));
}

#[test]
fn a_node_is_ready_while_peers_can_find_it() {
    let mut watched = Watched::start();
    assert_eq!((watched.get("/healthz").status, watched.get("/readyz").status), (200, 200));
    watched.epmd.signal("KILL");
    watched.epmd.ended();
    let answer = eventually("that it is not ready without EPMD", || {
        Some(watched.get("/readyz")).filter(|answer| answer.status == 503)
    });
    assert!(answer.body.contains("EPMD does not know it"), "{}", answer.body);
    assert_eq!(watched.get("/healthz").status, 200, "a new start would not help");
    watched.epmd = epmd(&watched.home, &watched.epmd_port);
    eventually("that it is ready again", || (watched.get("/readyz").status == 200).then_some(()));
    watched.node.signal("TERM");
    assert!(watched.node.ended().success());
    assert!(TcpStream::connect(("127.0.0.1", watched.ops)).is_err());
}

#[test]
fn what_is_not_there_is_not_answered() {
    let watched = Watched::start();
    assert_eq!(watched.get("/").status, 404);
    assert_eq!(watched.get("/metrics/../../etc/passwd").status, 404);
    assert_eq!(watched.get("/metrics?x=1").status, 200);
    let head = ask(watched.ops, b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let post =
        ask(watched.ops, b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
    assert_eq!((post.status, post.header("allow")), (405, "GET, HEAD"));
}

#[test]
fn a_port_that_is_taken_is_named() {
    let watched = Watched::start();
    let port = watched.ops.to_string();
    let arguments = ["start", "--name", "two@127.0.0.1", "--epmd-port", &watched.epmd_port];
    let place = format!("127.0.0.1:{port}");
    let variables = [("HAR_COOKIE", "C"), ("HAR_OPS_PORT", &*port)];
    watched.home.har_with(&variables, &arguments).assert_fails(69, &[&place, "--ops-port"]);
}

/// What a stranger may send first.
fn hostile_heads() -> Vec<(&'static str, Vec<u8>)> {
    let lines = |count: usize| -> Vec<u8> {
        let lines: String = (0..count).map(|line| format!("X-{line}: y\r\n")).collect();
        format!("GET /metrics HTTP/1.1\r\n{lines}\r\n").into_bytes()
    };
    vec![
        ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
        ("zeros", vec![0; 1 << 20]),
        ("a name of the distribution", b"\x00\x13n\x00\x05\x00\x00\x00\x00x@127.0.0.1".to_vec()),
        ("a line without end", vec![b'a'; 1 << 20]),
        ("a long path", format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(1 << 20)).into_bytes()),
        ("many lines", lines(10_000)),
        ("a header without end", [b"GET / HTTP/1.1\r\nX: ".to_vec(), vec![b'x'; 1 << 20]].concat()),
        (
            "two lengths",
            b"GET /metrics HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".to_vec(),
        ),
        (
            "a body that never comes",
            b"POST /metrics HTTP/1.1\r\nContent-Length: 999999999999\r\n\r\n".to_vec(),
        ),
        (
            "a wrong chunk",
            b"POST /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"
                .to_vec(),
        ),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        (
            "an upgrade",
            b"GET /metrics HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n".to_vec(),
        ),
        ("many requests", b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".repeat(10_000)),
    ]
}

#[test]
fn strangers_are_answered_once_or_cut_off_and_others_are_served() {
    let watched = Watched::start();
    for (what, bytes) in hostile_heads() {
        let mut stream = TcpStream::connect(("127.0.0.1", watched.ops)).expect("a connection");
        // It may be cut off in the midst.
        let _ = stream.write_all(&bytes);
        let mut answer = Vec::new();
        // Until the end: that it comes, without the stranger ending anything, is what counts.
        let _ = stream.read_to_end(&mut answer);
        let answers = String::from_utf8_lossy(&answer).matches("HTTP/1.1 ").count();
        assert!(answers <= 1, "{what}: {answers} answers");
        assert_eq!(watched.get("/readyz").status, 200, "after {what}");
    }
}

#[test]
fn who_says_nothing_is_cut_off_and_makes_way() {
    let watched = Watched::start();
    let connect = |_| TcpStream::connect(("127.0.0.1", watched.ops)).expect("a connection");
    // More than are served at a time: the oldest are dropped, and the port answers all the while.
    let mut silent: Vec<TcpStream> = (0..200).map(connect).collect();
    assert_eq!(watched.get("/healthz").status, 200);
    let mut slow = connect(0);
    slow.write_all(b"GET /metrics HTTP/1.1\r\n").expect("sent");
    silent.push(slow);
    for mut stream in silent {
        let mut answer = Vec::new();
        // The node ends it; the test would wait here for ever if it did not.
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 200"));
    }
    assert_eq!(watched.get("/healthz").status, 200);
}

#[test]
fn a_peer_s_name_is_a_label_that_breaks_nothing() {
    let beam = Beam::start();
    let ops = free_port();
    let mut command = beam.command();
    command.env("HAR_COOKIE", "C").env("HAR_OPS_PORT", ops.to_string());
    let node = Running::start({
        command.args(["start", "--connect", "beam@127.0.0.1"]);
        command
    });
    node.stderr.wait_for("nodeup peer='beam@127.0.0.1'");
    let peer = [("peer", "beam@127.0.0.1")];
    let metrics = eventually("that bytes of the peer are counted", || {
        let metrics = Metrics::parse(&get(ops, "/metrics").body);
        (metrics.value("har_connection_received_bytes_total", &peer) > Some(0.0)).then_some(metrics)
    });
    assert_eq!(metrics.value("har_cluster_node_ups_total", &[]), Some(1.0));
}
