//! Nodes that find each other: by gossip on loopback, beside a BEAM, by list, EPMD and DNS.

use std::net::UdpSocket;

use crate::beam::Beam;
use crate::command::Home;
use crate::running::{Running, eventually, free_port};

/// What the nodes of a test share: cookie, EPMD, topology.
pub(crate) struct Mesh {
    pub(crate) home: Home,
    epmd_port: String,
    _epmd: Running,
}

impl Mesh {
    #[track_caller]
    pub(crate) fn new() -> Self {
        let (home, epmd_port) = (Home::new(), free_port().to_string());
        let mut command = home.command();
        command.args(["epmd", "-port", &epmd_port, "-address", "127.0.0.1"]);
        let epmd = Running::start(command);
        eventually("EPMD answers", || {
            (home.har(&["names", "--epmd-port", &epmd_port]).code == Some(0)).then_some(())
        });
        Self { home, epmd_port, _epmd: epmd }
    }

    /// Starts `name@127.0.0.1` with a topology `here`.
    #[track_caller]
    pub(crate) fn node(&self, name: &str, topology: &str) -> Running {
        let mut command = self.home.command();
        command.env("HAR_CLUSTER_TOPOLOGIES", format!("{{here: {topology}}}"));
        command.env("ERL_EPMD_PORT", &self.epmd_port).env("HAR_COOKIE", "C");
        command.args(["start", "--name", &format!("{name}@127.0.0.1")]);
        let running = Running::start(command);
        running.wait_for("Ctrl-C stops it.");
        running
    }

    /// Calls a function of `name@127.0.0.1` in Elixir's notation.
    #[track_caller]
    pub(crate) fn elixir(&self, name: &str, module: &str, function: &str) -> String {
        let variables = [("HAR_COOKIE", "C"), ("ERL_EPMD_PORT", &*self.epmd_port)];
        let node = format!("{name}@127.0.0.1");
        let call = ["rpc", "--elixir", &node, module, function];
        self.home.har_with(&variables, &call).assert_works().to_owned()
    }
}

/// Gossip on loopback, on a port of the test's own.
fn gossip(port: u16, more: &str) -> String {
    format!(
        "{{strategy: Cluster.Strategy.Gossip, config: {{port: {port}, \
         multicast_addr: 230.1.1.251, multicast_if: 127.0.0.1{more}}}}}"
    )
}

/// Both have a connection to the other.
#[track_caller]
pub(crate) fn assert_met(a: (&str, &Running), b: (&str, &Running)) {
    a.1.stderr.wait_for(&format!("nodeup peer='{}@127.0.0.1'", b.0));
    b.1.stderr.wait_for(&format!("nodeup peer='{}@127.0.0.1'", a.0));
}

#[test]
fn three_nodes_find_each_other_by_gossip_and_again_after_a_crash() {
    let (mesh, topology) = (Mesh::new(), gossip(free_port(), ""));
    let [a, b, c] = ["a", "b", "c"].map(|name| mesh.node(name, &topology));
    assert_met(("a", &a), ("b", &b));
    assert_met(("b", &b), ("c", &c));
    assert_met(("a", &a), ("c", &c));
    c.signal("KILL");
    a.stderr.wait_for("nodedown peer='c@127.0.0.1'");
    let c = mesh.node("c", &topology);
    a.stderr.wait_for_times("nodeup peer='c@127.0.0.1'", 2);
    c.stderr.wait_for("nodeup peer='b@127.0.0.1'");
    eventually("a knows why b is there", || {
        let known = mesh.elixir("a", "HAR.Cluster.Discovery", "topologies");
        let b = "%{connected: true, failures: 0, node: :\"b@127.0.0.1\", reason: nil}";
        (known.contains("strategy: :gossip") && known.contains(b)).then_some(())
    });
}

#[test]
fn a_secret_keeps_others_out_and_is_in_no_log() {
    let (mesh, port) = (Mesh::new(), free_port());
    let [a, b] = ["a", "b"].map(|name| mesh.node(name, &gossip(port, ", secret: hushhush")));
    assert_met(("a", &a), ("b", &b));
    let file = mesh.home.file("secret", "other\n");
    let stranger = mesh.node("stranger", &gossip(port, &format!(", secret_file: {file}")));
    stranger.stderr.wait_for("is the secret the same on all nodes?");
    let plain = mesh.node("plain", &gossip(port, ""));
    plain.stderr.wait_for("is the secret the same on all nodes?");
    a.stderr.wait_for("is the secret the same on all nodes?");
    for node in [&a, &b, &stranger, &plain] {
        let log = node.stderr.text();
        assert!(!log.contains("hushhush") && !log.contains("peer='stranger"), "{log}");
        assert!(!log.contains("peer='plain"), "{log}");
    }
}

/// Erlang that gossips as libcluster does, by its recipe, and prints whom it has heard.
fn beam_gossip(port: u16, secret: Option<&str>) -> String {
    let (seal, open) = match secret {
        None => ("Plain".to_owned(), "Packet".to_owned()),
        Some(secret) => {
            let key = format!("crypto:hash(sha256, <<\"{secret}\">>)");
            (
                format!(
                    "begin Iv = crypto:strong_rand_bytes(16), Pad = 16 - byte_size(Plain) rem 16,
                     Padded = <<Plain/binary, (binary:copy(<<Pad>>, Pad))/binary>>,
                     <<Iv/binary, (crypto:crypto_one_time(aes_256_cbc, {key}, Iv, Padded,
                        true))/binary>> end"
                ),
                format!(
                    "begin <<Iv:16/binary, Sealed/binary>> = Packet,
                     Padded = crypto:crypto_one_time(aes_256_cbc, {key}, Iv, Sealed, false),
                     binary:part(Padded, 0, byte_size(Padded) - binary:last(Padded)) end"
                ),
            )
        }
    };
    format!(
        "{{ok, _}} = application:ensure_all_started(crypto),
         Group = {{230,1,1,251}}, Lo = {{127,0,0,1}},
         {{ok, S}} = gen_udp:open({port}, [binary, {{reuseaddr, true}}, {{active, false}},
            {{multicast_if, Lo}}, {{multicast_loop, true}}, {{add_membership, {{Group, Lo}}}}]),
         Say = fun() ->
            Plain = <<\"heartbeat::\", (term_to_binary(#{{node => node()}}))/binary>>,
            ok = gen_udp:send(S, Group, {port}, {seal}) end,
         Hear = fun Hear() ->
            Say(),
            {{ok, {{_, _, Packet}}}} = gen_udp:recv(S, 0, 60000),
            <<\"heartbeat::\", Term/binary>> = {open},
            case binary_to_term(Term) of
                #{{node := N}} when N =/= node() -> N;
                _ -> Hear()
            end end,
         Heard = Hear(),
         Met = fun Met() -> case nodes() of [] -> timer:sleep(20), Met(); Nodes -> Nodes end end,
         io:format(\"heard ~p, met by ~p\", [Heard, Met()])"
    )
}

#[test]
fn a_beam_that_gossips_as_libcluster_hears_us_and_is_dialled() {
    for (secret, more) in [(None, ""), (Some("some pass"), ", secret: some pass")] {
        let (beam, port) = (Beam::start(), free_port());
        let mut command = beam.command();
        command.env("HAR_CLUSTER_TOPOLOGIES", format!("{{here: {}}}", gossip(port, more)));
        command.env("HAR_COOKIE", "C").arg("start");
        let har = Running::start(command);
        har.wait_for("Ctrl-C stops it.");
        let said = beam.eval("C", &beam_gossip(port, secret));
        assert_eq!(said, "heard 'har@127.0.0.1', met by ['har@127.0.0.1']");
        har.stderr.wait_for("connected to :\"asker@127.0.0.1\"");
    }
}

#[test]
fn hostile_datagrams_and_dead_names_do_no_harm() {
    let (mesh, port) = (Mesh::new(), free_port());
    let broadcast = format!(
        "{{strategy: gossip, config: {{port: {port}, broadcast_only: true, \
         multicast_addr: 127.255.255.255}}}}"
    );
    let a = mesh.node("a", &broadcast);
    a.stderr.wait_for("gossip by broadcast");
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let send = |datagram: &[u8]| socket.send_to(datagram, ("127.0.0.1", port)).expect("sent");
    let heartbeat = |name: &str| {
        let head = b"heartbeat::\x83\x74\x00\x00\x00\x01\x77\x04node\x77";
        [&head[..], &[u8::try_from(name.len()).unwrap()], name.as_bytes()].concat()
    };
    for datagram in [&b""[..], b"heartbeat::\x83\xff", b"heartbeat::", &[0xff; 9000]] {
        send(datagram);
    }
    for name in ["no node name", "x@h\n2026 INFO forged", "short@name", "a@127.0.0.1", "@", ""] {
        send(&heartbeat(name));
    }
    for number in 0..300 {
        send(&heartbeat(&format!("dead{number}@127.0.0.1")));
    }
    a.stderr.wait_for("unable to connect to :\"dead");
    assert!(!a.stderr.text().contains("\n2026 INFO forged"), "{}", a.stderr.text());
    let b = mesh.node("b", &broadcast);
    assert_met(("a", &a), ("b", &b));
}

#[test]
fn a_list_the_local_epmd_and_dns_find_nodes() {
    let mesh = Mesh::new();
    let found = mesh.node("found", "{strategy: gossip, config: {multicast_if: 192.0.2.1}}");
    found.stderr.wait_for("no gossip, trying on");
    found.stderr.wait_for("multicast_if 192.0.2.1");
    for (name, topology) in [
        ("list", "{strategy: static, config: {hosts: [found@127.0.0.1]}}"),
        ("local", "{strategy: Cluster.Strategy.LocalEpmd}"),
        ("dns", "{strategy: dns_poll, config: {query: localhost, node_basename: found}}"),
    ] {
        let finder = mesh.node(name, topology);
        assert_met(("found", &found), (name, &finder));
        finder.stderr.wait_for("connected to :\"found@127.0.0.1\"");
    }
}

#[test]
fn a_source_that_fails_is_told_once_and_tried_on() {
    let mesh = Mesh::new();
    let topology = "{strategy: erlang_hosts, config: {file: hosts, timeout: 100}}";
    let finder = mesh.node("finder", topology);
    finder.stderr.wait_for("couldn't find .hosts.erlang file");
    mesh.home.file("hosts", "'127.0.0.1'.\n");
    finder.stderr.wait_for("answers again");
    let found = mesh.node("found", "{strategy: gossip, config: {multicast_if: 192.0.2.1}}");
    assert_met(("found", &found), ("finder", &finder));
    assert_eq!(finder.stderr.text().matches("couldn't find").count(), 1);
}

#[test]
fn a_mistake_in_a_topology_is_named() {
    let home = Home::new();
    let file = home.file(
        "har.yaml",
        "cluster:\n  topologies:\n    lan:\n      strategy: gossip\n      config:\n        prt: 1\n",
    );
    home.har(&["config", "check", "--config", &file]).assert_fails(78, &["har.yaml:6", "prt"]);
    let variables = [("HAR_CLUSTER_TOPOLOGIES", "{lan: {strategy: gossip, config: {port: 0}}}")];
    home.har_with(&variables, &["config", "check"])
        .assert_fails(78, &["cluster.topologies", "HAR_CLUSTER_TOPOLOGIES", "lan", "45892"]);
}
