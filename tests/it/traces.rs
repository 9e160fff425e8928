//! What several nodes do for one call is one trace, as a collector sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::beam::Beam;
use crate::running::{Running, eventually, free_port};

/// A span, as it was sent.
#[derive(Clone, Debug)]
struct Span {
    node: String,
    name: String,
    kind: u64,
    trace: String,
    id: String,
    parent: String,
    attributes: BTreeMap<String, String>,
}

/// A collector that keeps what it is sent, and answers with this.
struct Collector {
    port: u16,
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Collector {
    fn start(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let spans = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&spans);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let found = spans_of(&read_request(&stream));
                kept.lock().expect("whole").extend(found);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { port, spans }
    }

    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}/v1/traces", self.port)
    }

    fn named(&self, name: &str) -> Vec<Span> {
        let spans = self.spans.lock().expect("whole");
        spans.iter().filter(|span| span.name == name).cloned().collect()
    }
}

const TAKEN: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

/// The body of a request that is as the protocol wants it.
fn read_request(stream: &TcpStream) -> Value {
    let mut reader = BufReader::new(stream);
    let (mut line, mut head) = (String::new(), Vec::new());
    while reader.read_line(&mut line).expect("a line") > 2 {
        head.push(std::mem::take(&mut line).trim().to_ascii_lowercase());
    }
    assert_eq!(head[0], "post /v1/traces http/1.1");
    assert!(head.contains(&"content-type: application/json".to_owned()), "{head:?}");
    let length = head.iter().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.expect("a length").parse().expect("a number")];
    reader.read_exact(&mut body).expect("a body");
    serde_json::from_slice(&body).expect("JSON")
}

fn spans_of(request: &Value) -> Vec<Span> {
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let attributes = |of: &Value| -> BTreeMap<String, String> {
        let pair = |pair: Value| {
            let value = &pair["value"];
            let value = value["stringValue"].as_str().or(value["intValue"].as_str());
            (text(&pair["key"]), value.expect("a value").to_owned())
        };
        list(&of["attributes"]).into_iter().map(pair).collect()
    };
    let mut found = Vec::new();
    for resource in list(&request["resourceSpans"]) {
        let of = attributes(&resource["resource"]);
        assert_eq!(of["service.name"], "har");
        for span in list(&resource["scopeSpans"][0]["spans"]) {
            let time = |name: &str| span[name].as_str().expect("a text").parse::<u64>();
            assert!(time("startTimeUnixNano").expect("ns") <= time("endTimeUnixNano").expect("ns"));
            found.push(Span {
                node: of["service.instance.id"].clone(),
                name: text(&span["name"]),
                kind: span["kind"].as_u64().expect("a number"),
                trace: text(&span["traceId"]),
                id: text(&span["spanId"]),
                parent: text(&span["parentSpanId"]),
                attributes: attributes(&span),
            });
        }
    }
    found
}

fn node(beam: &Beam, name: &str, endpoint: &str) -> Running {
    let mut command = beam.command();
    command.env("HAR_COOKIE", "C").env("HAR_TRACES_ENDPOINT", endpoint);
    command.args(["start", "--name", &format!("{name}@127.0.0.1")]);
    command.args(["--connect", "beam@127.0.0.1"]);
    let running = Running::start(command);
    running.wait_for("Ctrl-C stops it.");
    running
}

const OPERATIONS: &str = "Op = fun(N) -> #{'__struct__' => 'Elixir.HAR.Semantic.Operation',
    id => integer_to_binary(N), type => service_start, params => #{service => <<\"x\">>},
    target => #{}, metadata => #{}} end,
    Ops = [Op(N) || N <- lists:seq(1, 3000)],
    Har = 'one@127.0.0.1', pong = net_adm:ping(Har)";

#[test]
fn what_three_nodes_do_for_one_call_is_one_trace() {
    let (beam, collector) = (Beam::start(), Collector::start(TAKEN));
    let endpoint = collector.endpoint();
    let names = ["one", "two", "three"];
    let _nodes = names.map(|name| node(&beam, name, &endpoint));
    eventually("a full mesh", || {
        let seen = beam.har("C", &["rpc", "one@127.0.0.1", "erlang", "nodes", "[]"]);
        let seen = seen.assert_works().to_owned();
        names.iter().skip(1).all(|name| seen.contains(name)).then_some(())
    });
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let code = format!(
        "{OPERATIONS}, Call = fun(Parent) -> {{ok, R}} = rpc:call(Har, 'Elixir.HAR', route_all,
             [Ops, [{{traceparent, Parent}}]]), 3000 = length([D || {{ok, D}} <- R]) end,
         Call(<<\"00-0000000000000000000000000000000f-00f067aa0ba902b7-00\">>),
         Call(<<\"00-{trace}-00f067aa0ba902b7-01\">>), io:format(\"routed\")"
    );
    assert_eq!(beam.eval("C", &code), "routed");
    let root = eventually("the span of the call", || collector.named("HAR.route_all").pop());
    assert_eq!((root.node.as_str(), root.kind), ("one@127.0.0.1", 2));
    assert_eq!((root.trace.as_str(), root.parent.as_str()), (trace, "00f067aa0ba902b7"));
    let count: usize = root.attributes["har.chunks"].parse().expect("a number");
    let batch = "HAR.ControlPlane.Router.route_batch";
    let batches = eventually("the spans of all chunks", || {
        Some(collector.named(batch)).filter(|spans| spans.len() == count)
    });
    // The BEAM was asked, too, and has no such supervisor.
    let chunks = collector.named("HAR.route_all chunk");
    assert!(chunks.len() >= count, "{chunks:?}");
    assert!(chunks.iter().all(|chunk| chunk.parent == root.id && chunk.kind == 3));
    for span in &batches {
        let asked = chunks.iter().find(|chunk| chunk.id == span.parent).expect("a chunk");
        assert_eq!(asked.attributes["har.node"], span.node, "it ran where it was sent");
        assert_eq!(asked.attributes["har.operations"], span.attributes["har.operations"]);
    }
    let nodes: BTreeSet<&str> = batches.iter().map(|span| span.node.as_str()).collect();
    assert_eq!(nodes.len(), 3, "{nodes:?}");
    // Nothing of the trace that nobody wanted, and nothing of a trace of its own.
    let spans = collector.spans.lock().expect("whole");
    assert!(spans.iter().all(|span| span.trace == trace), "{spans:?}");
}

#[test]
fn a_call_begins_a_trace_of_its_own() {
    let (beam, collector) = (Beam::start(), Collector::start(TAKEN));
    let _node = node(&beam, "one", &collector.endpoint());
    let code = "Har = 'one@127.0.0.1', pong = net_adm:ping(Har),
        Yaml = <<\"- hosts: all\\n  tasks:\\n    - apt: name=nginx\\n\">>,
        {ok, _} = rpc:call(Har, 'Elixir.HAR', convert, [ansible, Yaml, [{to, salt}]]),
        {ok, _} = rpc:call(Har, 'Elixir.HAR', convert, [ansible, Yaml,
            [{to, salt}, {traceparent, <<\"nonsense\">>}]]), io:format(\"converted\")";
    assert_eq!(beam.eval("C", code), "converted");
    let spans = eventually("both spans", || {
        Some(collector.named("HAR.convert")).filter(|spans| spans.len() == 2)
    });
    assert!(spans.iter().all(|span| span.parent.is_empty()));
    assert_ne!(spans[0].trace, spans[1].trace);
    assert_eq!(spans[0].attributes["har.operations"], "1");
}

#[test]
fn a_collector_that_takes_nothing_costs_spans_and_nothing_else() {
    let refusing = Collector::start("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    let babbling = Collector::start("what?\r\n\r\n");
    let absent = format!("http://127.0.0.1:{}/v1/traces", free_port());
    for endpoint in [refusing.endpoint(), babbling.endpoint(), absent] {
        let beam = Beam::start();
        let node = node(&beam, "one", &endpoint);
        let code = "Har = 'one@127.0.0.1', pong = net_adm:ping(Har),
            [{error, _} = rpc:call(Har, 'Elixir.HAR', convert, [ansible, <<\"- hosts: [\">>,
                [{to, salt}]]) || _ <- lists:seq(1, 10)],
            #{metrics := #{<<\"har_trace_spans_dropped_total\">> := #{samples := [#{value := D}]}}} =
                rpc:call(Har, 'Elixir.HAR.Telemetry', metrics, []),
            io:format(\"~w\", [D >= 10])";
        eventually("that spans are counted as dropped", || {
            (beam.eval("C", code) == "true").then_some(())
        });
        node.stderr.wait_for("traces are not collected");
    }
}
