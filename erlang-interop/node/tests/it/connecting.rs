//! Connections: set up, refused, simultaneous, hidden, replaced, lost, and again.

use std::time::Duration;

use erlang_node::{
    ConnectError, Context, Cookie, DownReason, Epmd, MonitorNodesOptions, Node, NodeChange,
    NodeConfig, NodeFilter, NodeName, NodeType, StartError,
};
use erlang_term::Term;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{self, atom, node, soon, until, within};

#[tokio::test]
async fn both_sides_list_each_other_and_both_see_the_end() {
    let (a, b) = (node("a").await, node("b").await);
    let mut events = b.subscribe();
    a.connect(b.name()).await.expect("connected");
    a.connect(b.name()).await.expect("once more changes nothing");
    assert_eq!(a.nodes(NodeFilter::Visible), [b.name().clone()]);
    let up = soon(events.recv()).await.expect("an event");
    assert!(matches!(up.change, NodeChange::Up) && up.node == *a.name() && !up.hidden);
    assert_eq!(b.nodes(NodeFilter::Visible), [a.name().clone()]);
    soon(a.shutdown()).await;
    let down = soon(events.recv()).await.expect("an event");
    assert!(matches!(down.change, NodeChange::Down(DownReason::ConnectionClosed)), "{down:?}");
    assert!(b.nodes(NodeFilter::Connected).is_empty());
    assert_eq!(b.nodes(NodeFilter::Known), [a.name().clone()]);
    let again = b.connect(a.name()).await;
    assert!(matches!(again, Err(ConnectError::NotRegistered { .. })), "{again:?}");
}

#[tokio::test]
async fn a_hidden_node_stays_out_of_the_visible_list() {
    let mut config = harness::config("hid");
    config.hidden = true;
    let hidden = Node::start(config).await.expect("started");
    let b = node("vis").await;
    hidden.connect(b.name()).await.expect("connected");
    until("it is listed", || b.nodes(NodeFilter::Hidden) == [hidden.name().clone()]).await;
    assert!(b.nodes(NodeFilter::Visible).is_empty());
    assert!(hidden.nodes(NodeFilter::Visible).is_empty());
    assert_eq!(hidden.nodes(NodeFilter::Hidden), [b.name().clone()]);
}

#[tokio::test]
async fn a_wrong_cookie_is_refused_and_a_cookie_per_peer_helps() {
    let a = node("cka").await;
    let mut config = harness::config("ckb");
    config.cookie = Cookie::new("another").expect("a cookie");
    let b = Node::start(config).await.expect("started");
    let refused = a.connect(b.name()).await;
    assert!(matches!(refused, Err(ConnectError::ClosedInHandshake)), "{refused:?}");
    assert!(b.nodes(NodeFilter::Connected).is_empty());
    a.set_cookie(Some(b.name()), Cookie::new("another").expect("a cookie"));
    a.connect(b.name()).await.expect("connected");
}

#[tokio::test]
async fn who_is_not_allowed_stays_out() {
    let a = node("nal").await;
    let mut config = harness::config("door");
    config.allow = Some(vec![atom("friend@127.0.0.1")]);
    let b = Node::start(config).await.expect("started");
    let refused = a.connect(b.name()).await;
    let text = refused.expect_err("it is not on the list").to_string();
    assert!(text.contains("not_allowed"), "{text}");
}

#[tokio::test]
async fn names_that_cannot_be_dialed() {
    let a = node("dial").await;
    for (name, expected) in [
        (a.name().as_str(), "is this node itself"),
        ("nonsense", "should look like"),
        ("a@short", "fully qualified"),
    ] {
        let error = a.connect(&atom(name)).await.expect_err(name).to_string();
        assert!(error.contains(expected), "{error}");
    }
    let unknown = a.connect(&atom("a@no-such-host.invalid")).await;
    assert!(matches!(unknown, Err(ConnectError::UnknownHost { .. })), "{unknown:?}");
}

#[tokio::test]
async fn simultaneous_connects_end_in_one_connection() {
    for _ in 0..10 {
        let (a, b) = (node("sima").await, node("simb").await);
        let (one, two) = tokio::join!(a.connect(b.name()), b.connect(a.name()));
        one.expect("connected");
        two.expect("connected");
        let id = |of: &Node, to: &Node| of.node_info(to.name()).map(|info| info.connection_id);
        until("both are up", || id(&a, &b).is_some() && id(&b, &a).is_some()).await;
        // The connection carries signals both ways.
        let remote = harness::echo(&b, Default::default());
        let back = harness::echo(&a, Default::default());
        within(&a, |mut context: Context| async move {
            harness::ask(&mut context, &remote, Term::from(1)).await;
        })
        .await;
        within(&b, |mut context: Context| async move {
            harness::ask(&mut context, &back, Term::from(1)).await;
        })
        .await;
        a.shutdown().await;
        b.shutdown().await;
    }
}

#[tokio::test]
async fn twenty_connects_and_disconnects_in_a_row() {
    let (a, b) = (node("twa").await, node("twb").await);
    for _ in 0..20 {
        a.connect(b.name()).await.expect("connected");
        assert!(a.disconnect(b.name()).await);
        assert!(a.nodes(NodeFilter::Connected).is_empty());
    }
    assert!(!a.disconnect(b.name()).await);
}

#[tokio::test]
async fn a_restarted_peer_replaces_its_old_connection() {
    // Without EPMD, so that both incarnations can have the one name at once.
    let b = {
        let mut config = harness::config("rb");
        config.epmd = Epmd::FixedPort { peer_port: 1 };
        Node::start(config).await.expect("started")
    };
    let port = b.listen_address().expect("it listens").port();
    let mut config = harness::config("ra");
    config.epmd = Epmd::FixedPort { peer_port: port };
    let first = Node::start(config.clone()).await.expect("started");
    first.connect(b.name()).await.expect("connected");
    let mut events = b.subscribe();
    let second = Node::start(config).await.expect("started");
    second.connect(b.name()).await.expect("connected");
    let down = soon(events.recv()).await.expect("an event");
    assert!(matches!(down.change, NodeChange::Down(DownReason::Replaced)), "{down:?}");
    until("the new one is up", || {
        b.node_info(second.name()).is_some_and(|info| info.creation == second.creation())
    })
    .await;
    until("the old one is down", || first.nodes(NodeFilter::Connected).is_empty()).await;
}

#[tokio::test]
async fn a_dialer_that_stalls_is_cut_off() {
    let mut config = harness::config("stall");
    config.net_setup_time = Duration::from_millis(300);
    let node = Node::start(config).await.expect("started");
    let address = node.listen_address().expect("it listens");
    let mut stalling = tokio::net::TcpStream::connect(address).await.expect("connected");
    stalling.write_all(&[0]).await.expect("written");
    let mut rest = Vec::new();
    soon(stalling.read_to_end(&mut rest)).await.expect("closed");
    assert!(rest.is_empty());
}

#[tokio::test]
async fn what_a_peer_may_hold_here_is_bounded() {
    let a = node("many").await;
    let mut config = harness::config("few");
    config.peer_relations_max = 10;
    config.connections_max = 1;
    let b = Node::start(config).await.expect("started");
    let mut events = b.subscribe();
    let target = harness::echo(&b, Default::default());
    within(&a, move |mut context: Context| async move {
        for _ in 0..10 {
            context.monitor(&target).await;
        }
        harness::ask(&mut context, &target, Term::from(1)).await;
        let third = node("third").await.connect(target.node()).await;
        assert!(third.is_err(), "{third:?}");
        context.monitor(&target).await;
        let down = soon(context.receive()).await.as_down().expect("a DOWN");
        assert_eq!(down.reason, erlang_node::ExitReason::Noconnection);
    })
    .await;
    assert!(matches!(soon(events.recv()).await.expect("an event").change, NodeChange::Up));
    let down = soon(events.recv()).await.expect("an event").change;
    assert!(matches!(down, NodeChange::Down(DownReason::Protocol(_))), "{down:?}");
}

#[tokio::test]
async fn garbage_is_cut_off() {
    let node = node("garbage").await;
    let address = node.listen_address().expect("it listens");
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0, 0], &[0xff; 64], &[0, 3, b'N', 0, 0]] {
        let mut stream = tokio::net::TcpStream::connect(address).await.expect("connected");
        stream.write_all(garbage).await.expect("written");
        stream.shutdown().await.expect("shut down");
        let mut rest = Vec::new();
        soon(stream.read_to_end(&mut rest)).await.ok();
        assert!(rest.is_empty());
    }
}

#[tokio::test]
async fn what_keeps_a_node_from_starting_is_typed() {
    let config = harness::config("taken");
    let first = Node::start(config.clone()).await.expect("started");
    let taken = Node::start(config.clone()).await;
    assert!(matches!(taken, Err(StartError::NameTaken { .. })), "{taken:?}");
    assert!(matches!(first.listen().await, Err(StartError::AlreadyAlive { .. })));
    let port = first.listen_address().expect("it listens").port();
    let mut busy: NodeConfig = harness::config("busy");
    busy.listen_ports = port..=port;
    let refused = Node::start(busy.clone()).await;
    assert!(matches!(refused, Err(StartError::PortsBusy { .. })), "{refused:?}");
    busy.listen_ports = port..=port.saturating_add(20);
    let next = Node::start(busy).await.expect("a range has free ports");
    assert_ne!(next.listen_address().map(|address| address.port()), Some(port));
    let mut lonely = harness::config("lonely");
    lonely.epmd = Epmd::Daemon { address: std::net::Ipv4Addr::LOCALHOST.into(), port: 1 };
    let refused = Node::start(lonely).await;
    assert!(matches!(refused, Err(StartError::Epmd { .. })), "{refused:?}");
    soon(first.shutdown()).await;
    Node::start(config).await.expect("the name is free again");
}

#[tokio::test]
async fn a_node_registers_again_when_epmd_comes_back() {
    let addresses = vec![std::net::Ipv4Addr::LOCALHOST.into()];
    let mut server_config = epmd::ServerConfig { port: 0, addresses, ..Default::default() };
    let server = epmd::Server::bind(&server_config).expect("a free port");
    server_config.port = server.port();
    let handle = server.spawn();
    let mut config = harness::config("again");
    let port = server_config.port;
    config.epmd = Epmd::Daemon { address: std::net::Ipv4Addr::LOCALHOST.into(), port };
    let node = Node::start(config).await.expect("started");
    handle.shutdown().await;
    let _server = epmd::Server::bind(&server_config).expect("the port again").spawn();
    let name = NodeName::new(node.name().as_str()).expect("a name");
    let client = epmd::Client::new((std::net::Ipv4Addr::LOCALHOST, port).into());
    soon(async {
        while !matches!(client.port_of(name.alive()).await, Ok(Some(_))) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    soon(node.shutdown()).await;
    assert!(matches!(client.port_of(name.alive()).await, Ok(None)));
}

#[tokio::test]
async fn processes_are_told_of_nodes() {
    let (a, b) = (node("mna").await, node("mnb").await);
    within(&a, move |mut context: Context| async move {
        let options = MonitorNodesOptions { node_type: NodeType::All, info: true };
        context.node().monitor_nodes(context.pid(), options);
        context.node().connect(b.name()).await.expect("connected");
        let up = soon(context.receive()).await.into_term().to_string();
        assert_eq!(up, format!("{{nodeup,'{}',[{{node_type,visible}}]}}", b.name().as_str()));
        context.node().disconnect(b.name()).await;
        let down = soon(context.receive()).await.into_term().to_string();
        assert!(down.contains("{nodedown_reason,disconnect}"), "{down}");
        let nobody = atom("nobody@127.0.0.1");
        context.monitor_node(&nobody, true).await;
        let down = Term::tuple([Term::atom("nodedown"), Term::Atom(nobody)]);
        soon(context.receive_matching(|message| **message == down)).await;
    })
    .await;
}
