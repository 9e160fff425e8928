//! Who is let in, who is not, what a peer may use, and what an auditor hears of it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex};

use erlang_node::audit::{AuditEvent, Auditor};
use erlang_node::{
    Context, Cookie, ExitReason, NamePattern, Node, NodeConfig, NodeFilter, SpawnOptions,
};
use erlang_term::{Term, atom};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use crate::beam_node::Beam;
use crate::certificates::{Authority, Days, Side, directory, optfile};
use crate::harness::{self, TestFunctions, echo, soon, until, within};
use crate::tls::{tls_config, tls_node};

/// Keeps what it hears as text.
#[derive(Clone, Debug, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Auditor for Heard {
    fn record(&self, event: &AuditEvent<'_>) {
        let line = match event {
            AuditEvent::Joined(party) => format!("joined {}", party.direction.as_str()),
            AuditEvent::Refused(party, error) => {
                format!("refused {}: {error}", party.node.is_some())
            }
            AuditEvent::CutOff { .. } => "cut off".to_owned(),
            AuditEvent::Left { reason, .. } => format!("left: {reason}"),
            AuditEvent::OverBudget { what, max, .. } => format!("over {max} {what}"),
            other => format!("{other:?}"),
        };
        self.0.lock().expect("not poisoned").push(line);
    }
}

impl Heard {
    fn count(&self, text: &str) -> usize {
        self.0.lock().expect("not poisoned").iter().filter(|line| line.contains(text)).count()
    }

    async fn until(&self, text: &str) {
        until(text, || self.count(text) > 0).await;
    }
}

async fn start(config: NodeConfig) -> (Node, Heard) {
    let heard = Heard::default();
    let mut config = config;
    config.auditor = Some(Arc::new(heard.clone()));
    let node = Node::start(config).await.expect("the node starts");
    node.set_spawner(Arc::new(TestFunctions));
    (node, heard)
}

fn connect(node: &Node) -> String {
    format!("net_kernel:connect_node('{}')", node.name().as_str())
}

#[tokio::test]
async fn a_beam_that_a_rule_denies_is_not_allowed_and_others_are() {
    let mut config = harness::config("ad");
    config.admission.deny.nodes = vec!["bad*@*".parse().expect("a pattern")];
    config.admission.allow.networks = vec!["127.0.0.0/8".parse().expect("a network")];
    let (node, heard) = start(config).await;
    let (mut bad, mut good) = (Beam::start("bad").await, Beam::start("good").await);
    // What a BEAM is told, it prints with the reason.
    assert_eq!(bad.eval(&connect(&node)).await, "false");
    heard.until("refused true: not_allowed: deny_nodes has bad*@*").await;
    assert_eq!(good.eval(&connect(&node)).await, "true");
    heard.until("joined in").await;
    assert_eq!(node.nodes(NodeFilter::Connected), [good.name.clone()]);
    // Nor do we dial it.
    let error = node.connect(&bad.name).await.expect_err("denied").to_string();
    assert_eq!(error, "not_allowed: deny_nodes has bad*@*");
}

#[tokio::test]
async fn a_denied_dialer_reads_the_status_that_a_beam_sends() {
    let mut config = harness::config("as");
    config.admission.deny.networks = vec!["127.0.0.1".parse().expect("a network")];
    let (node, heard) = start(config).await;
    let to = node.listen_address().expect("it listens");
    let mut stream = soon(tokio::net::TcpStream::connect(to)).await.expect("connected");
    let mut name = vec![b'N'];
    name.extend(0x0000_000d_07df_7fbd_u64.to_be_bytes());
    name.extend(1_u32.to_be_bytes());
    name.extend(5_u16.to_be_bytes());
    name.extend(b"x@y.z");
    let length = u16::try_from(name.len()).expect("short").to_be_bytes();
    stream.write_all(&[&length[..], &name].concat()).await.expect("written");
    let mut answer = Vec::new();
    soon(stream.read_to_end(&mut answer)).await.expect("closed");
    assert_eq!(answer, b"\x00\x0csnot_allowed");
    heard.until("not_allowed: deny_networks has 127.0.0.1/32").await;
}

#[tokio::test]
async fn a_certificate_is_let_in_or_denied_by_a_name_that_it_is_for() {
    const HOST: &str = "127.0.0.1";
    let dir = directory();
    let ca = Authority::new("ca");
    let trusted = ca.write(dir.path(), "ca.pem");
    let options = |name: &str| {
        let pair = ca.issue(dir.path(), name, &[HOST], Days::GOOD);
        let side = Side::new().pair(&pair).trusting(&trusted);
        optfile(dir.path(), &format!("{name}.conf"), &side.clone().demanding(), &side)
    };
    let (server, guest, member) = (options("server"), options("guest"), options("member"));
    let of = |name: &str| vec![name.parse::<NamePattern>().expect("a pattern")];
    for (denied, allowed, reason) in [
        (of("guest"), Vec::new(), "deny_certificates has guest"),
        (Vec::new(), of("mem*"), "no pattern of allow_certificates is for"),
    ] {
        let mut config = tls_config("as", HOST, &server);
        config.admission.deny.certificates = denied;
        config.admission.allow.certificates = allowed;
        let (node, heard) = start(config).await;
        let (guest, member) =
            (tls_node("ag", HOST, &guest).await, tls_node("am", HOST, &member).await);
        assert!(guest.connect(node.name()).await.is_err());
        heard.until(reason).await;
        member.connect(node.name()).await.expect("its certificate is let in");
        // We dial by the same rules.
        assert!(node.connect(guest.name()).await.is_err());
    }
}

#[tokio::test]
async fn after_net_kernel_allow_only_the_named_come_in() {
    let (node, heard) = start(harness::config("al")).await;
    let (mut friend, mut other) = (Beam::start("friend").await, Beam::start("other").await);
    assert_eq!(node.allowed(), None);
    node.allow(std::slice::from_ref(&friend.name));
    assert_eq!(other.eval(&connect(&node)).await, "false");
    heard.until("net_kernel:allow/1 was not called with this name").await;
    assert_eq!(friend.eval(&connect(&node)).await, "true");
    assert!(node.connect(&other.name).await.is_err());
    node.allow(std::slice::from_ref(&other.name));
    assert_eq!(other.eval(&connect(&node)).await, "true");
}

#[tokio::test]
async fn a_pattern_of_names_has_a_cookie_of_its_own() {
    let mut config = harness::config("ac");
    config.cookie = Cookie::new("for_the_others").expect("a cookie");
    let own = Cookie::new(harness::COOKIE).expect("a cookie");
    config.admission.cookies = vec![("kin*@*".parse().expect("a pattern"), own)];
    let (node, heard) = start(config).await;
    let (mut kin, mut other) = (Beam::start("kin").await, Beam::start("stray").await);
    assert_eq!(kin.eval(&connect(&node)).await, "true");
    assert_eq!(other.eval(&connect(&node)).await, "false");
    heard.until("refused true: handshake failed").await;
    // The other way, too.
    kin.part_from(&node).await;
    node.connect(&kin.name).await.expect("connected");
}

/// A dial from another address of this machine, that says nonsense.
async fn nonsense(from: [u8; 4], to: SocketAddr) -> std::io::Result<Vec<u8>> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::from(from)), 0))?;
    let mut stream = socket.connect(to).await?;
    stream.write_all(&[0, 3, b'x', b'y', b'z']).await?;
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await?;
    Ok(rest)
}

#[tokio::test]
async fn failing_dials_are_cut_off_by_address_and_honest_peers_come_in() {
    let mut config = harness::config("af");
    config.failed_handshakes_burst = 5;
    config.failed_handshakes_per_second = 0;
    let (node, heard) = start(config).await;
    let to = node.listen_address().expect("it listens");
    for _ in 0..20 {
        // Cut off or refused, whatever the system makes of it.
        let _ = soon(nonsense([127, 0, 0, 9], to)).await;
    }
    heard.until("cut off").await;
    assert_eq!(heard.count("cut off"), 1, "once in a row");
    assert_eq!(heard.count("refused"), 5);
    // 127.0.0.1 is everybody's address: it is slowed down, never shut out.
    for _ in 0..20 {
        let _ = soon(nonsense([127, 0, 0, 1], to)).await;
    }
    until("all were refused", || heard.count("refused") == 25).await;
    let mut honest = Beam::start("honest").await;
    assert_eq!(honest.eval(&connect(&node)).await, "true");
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_no_more() {
    let mut config = harness::config("an");
    config.address_connections_max = 1;
    let (node, heard) = start(config).await;
    let (mut first, mut second) = (Beam::start("af").await, Beam::start("as").await);
    assert_eq!(first.eval(&connect(&node)).await, "true");
    assert_eq!(second.eval(&connect(&node)).await, "false");
    heard.until("there are 1 connections with this address already").await;
}

#[tokio::test]
async fn a_peer_has_so_many_processes_and_gets_system_limit_beyond() {
    let mut config = harness::config("ap");
    config.peer_processes_max = 3;
    let (node, heard) = start(config).await;
    let mut beam = Beam::start("bp").await;
    let name = node.name().as_str();
    let spawn = format!(
        "F = fun() -> R = erlang:spawn_request('{name}', test, wait, []), \
         receive {{spawn_reply, R, Ok, What}} -> {{Ok, is_pid(What) orelse What}} end end, \
         [F() || _ <- lists:seq(1, 5)]"
    );
    let limit = "{error,system_limit}";
    assert_eq!(
        beam.eval(&spawn).await,
        format!("[{{ok,true}},{{ok,true}},{{ok,true}},{limit},{limit}]")
    );
    assert_eq!(heard.count("over 3 processes"), 1);
    // The node's own are not the peer's.
    echo(&node, SpawnOptions::new());
    // What a peer left behind is still its own.
    beam.part_from(&node).await;
    assert_eq!(beam.eval("F()").await, limit);
}

#[tokio::test]
async fn a_peer_over_its_bytes_and_atoms_is_read_more_slowly_and_loses_nothing() {
    let mut config = harness::config("ab");
    config.peer_bytes_per_second = NonZeroU64::new(256 * 1024);
    config.peer_new_atoms_per_second = NonZeroU64::new(100);
    let (node, heard) = start(config).await;
    echo(&node, SpawnOptions::new().name(atom!("our_echo")));
    let mut beam = Beam::start("bb").await;
    let name = node.name().as_str();
    let send = format!(
        "{{our_echo, '{name}'}} ! {{self(), binary:copy(<<7>>, 300000)}}, \
         receive {{_, B}} -> byte_size(B) end"
    );
    assert_eq!(beam.eval(&send).await, "300000");
    heard.until("over 262144 bytes a second").await;
    let send = format!(
        "{{our_echo, '{name}'}} ! \
         {{self(), [list_to_atom(\"paced_\" ++ integer_to_list(N)) || N <- lists:seq(1, 150)]}}, \
         receive {{_, L}} -> length(L) end"
    );
    assert_eq!(beam.eval(&send).await, "150");
    heard.until("over 100 new atoms a second").await;
    assert_eq!(node.nodes(NodeFilter::Connected), [beam.name.clone()]);
}

#[tokio::test]
async fn a_process_knows_whom_it_works_for_by_connection_and_not_by_what_messages_say() {
    let (a, b) = (harness::node("wa").await, harness::node("wb").await);
    let (tell_first, first) = tokio::sync::oneshot::channel();
    let (tell_second, second) = tokio::sync::oneshot::channel();
    let listener = b.spawn(SpawnOptions::new(), move |mut context: Context| async move {
        let mut told = Vec::new();
        told.push(context.asker());
        context.receive().await;
        told.push(context.asker());
        let _ = tell_first.send(());
        context.receive().await;
        told.push(context.asker());
        let _ = tell_second.send(told);
        ExitReason::Normal
    });
    let listener = listener.expect("spawned");
    let (to, claimed) = (listener.clone(), b.unused_pid());
    within(&a, |context: Context| async move {
        // A claim of being somebody else, which counts for nothing.
        context.send(&to, Term::tuple([Term::Pid(claimed)])).await;
    })
    .await;
    soon(first).await.expect("received");
    b.send(&listener, atom!("local")).await;
    let told = soon(second).await.expect("told");
    let names: Vec<_> = told.iter().map(|origin| origin.as_ref().map(|o| o.node())).collect();
    assert_eq!(names, [None, Some(a.name()), None]);
}
