//! What those who do not know the cookie can do to a node, or know it and cheat: nothing that others
//! notice.

use std::net::SocketAddr;
use std::time::Duration;

use erlang_dist::handshake::{HandshakeConfig, Initiator, InitiatorEvent};
use erlang_dist::{Connection, ConnectionConfig, Control, Creation};
use erlang_node::{Context, Cookie, Node, NodeFilter, NodeName};
use erlang_term::{Pid, Term};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{self, ask, node, soon, within};

fn address(node: &Node) -> SocketAddr {
    node.listen_address().expect("it listens")
}

fn named(node: &Node) -> NodeName {
    NodeName::new(node.name().as_str()).expect("a name")
}

/// A dialer that calls itself `name` and has a cookie of its own.
struct Dialer {
    stream: TcpStream,
    machine: Initiator,
}

impl Dialer {
    async fn dial(to: &Node, name: NodeName, cookie: &str) -> Self {
        let stream = TcpStream::connect(address(to)).await.expect("connected");
        let config = HandshakeConfig::new(name, Creation(77));
        let cookie = Cookie::new(cookie).expect("a cookie");
        let machine = Initiator::new(config, named(to), cookie, 5, Duration::ZERO);
        Self { stream, machine }
    }

    /// Goes on until the status has been answered, so that the node has decided on the name.
    async fn until_welcome(&mut self) {
        self.write().await;
        let mut status = [0; 2];
        self.stream.read_exact(&mut status).await.expect("a length");
        let mut rest = vec![0; usize::from(u16::from_be_bytes(status))];
        self.stream.read_exact(&mut rest).await.expect("a status");
        self.machine.handle_input(&status).expect("read");
        self.machine.handle_input(&rest).expect("read");
    }

    async fn write(&mut self) {
        let bytes = self.machine.take_output();
        self.stream.write_all(&bytes).await.expect("written");
    }

    /// Runs the handshake to a connection.
    async fn connected(mut self) -> (TcpStream, Connection) {
        loop {
            let event =
                self.machine.poll_event(Duration::ZERO).expect("the node plays by the rules");
            self.write().await;
            if let Some(InitiatorEvent::Done(outcome)) = event {
                let config = ConnectionConfig::default();
                return (self.stream, Connection::new(config, &outcome, Duration::ZERO));
            }
            let mut bytes = [0; 1024];
            let length = self.stream.read(&mut bytes).await.expect("read");
            assert_ne!(length, 0, "closed");
            self.machine.handle_input(&bytes[..length]).expect("read");
        }
    }

    /// Runs the handshake until the node closes. Returns whether it was asked if it is alive.
    async fn until_closed(mut self) -> bool {
        let mut asked = false;
        loop {
            let event = self.machine.poll_event(Duration::ZERO);
            if let Ok(Some(InitiatorEvent::Alive)) = &event {
                asked = true;
                self.machine.answer_alive(true, Duration::ZERO).expect("asked");
            }
            self.write().await;
            match event.expect("the node plays by the rules") {
                Some(InitiatorEvent::Done(_)) => panic!("it was let in"),
                Some(_) => continue,
                None => {}
            }
            let mut bytes = [0; 1024];
            match self.stream.read(&mut bytes).await {
                Ok(0) | Err(_) => return asked,
                Ok(length) => self.machine.handle_input(&bytes[..length]).expect("read"),
            }
        }
    }
}

async fn write_all(stream: &mut TcpStream, connection: &mut Connection) {
    let mut frames = Vec::new();
    while connection.poll_output(&mut frames) > 0 {}
    for frame in frames {
        stream.write_all(&frame).await.expect("written");
    }
}

#[tokio::test]
async fn a_stranger_cannot_replace_a_connection() {
    let (a, b) = (node("sa").await, node("sb").await);
    a.connect(b.name()).await.expect("connected");
    harness::until("both know", || b.node_info(a.name()).is_some()).await;
    let id = b.node_info(a.name()).expect("connected").connection_id;
    let stranger = Dialer::dial(&b, named(&a), "a_wrong_cookie").await;
    assert!(soon(stranger.until_closed()).await, "there was nothing to replace");
    assert_eq!(b.node_info(a.name()).expect("still connected").connection_id, id);
    assert_eq!(a.nodes(NodeFilter::Connected), [b.name().clone()]);
    let remote = harness::echo(&b, Default::default());
    within(&a, |mut context: Context| async move {
        ask(&mut context, &remote, Term::from(1)).await;
    })
    .await;
}

#[tokio::test]
async fn a_stranger_under_a_name_does_not_keep_us_from_dialing_its_owner() {
    let (a, b) = (node("da").await, node("db").await);
    let mut early = Dialer::dial(&b, named(&a), "a_wrong_cookie").await;
    soon(early.until_welcome()).await;
    b.connect(a.name()).await.expect("connected, though a stranger said that name first");
    assert!(!soon(early.until_closed()).await);
    assert_eq!(b.nodes(NodeFilter::Connected), [a.name().clone()]);
}

#[tokio::test]
async fn strangers_who_only_say_names_use_up_no_connections() {
    let mut config = harness::config("few");
    config.connections_max = 2;
    let b = Node::start(config).await.expect("started");
    let mut silent = Vec::new();
    for number in 0..3 {
        let name = NodeName::new(&format!("silent{number}@127.0.0.1")).expect("a name");
        let mut stranger = Dialer::dial(&b, name, "a_wrong_cookie").await;
        soon(stranger.until_welcome()).await;
        silent.push(stranger);
    }
    let (one, two, three) = (node("fa").await, node("fb").await, node("fc").await);
    one.connect(b.name()).await.expect("a connection is free");
    b.connect(two.name()).await.expect("another one, too");
    three.connect(b.name()).await.expect_err("now there are two");
}

#[tokio::test]
async fn a_stranger_under_a_name_does_not_keep_its_owner_out() {
    let (a, b) = (node("oa").await, node("ob").await);
    let mut early = Dialer::dial(&b, named(&a), "a_wrong_cookie").await;
    soon(early.until_welcome()).await;
    a.connect(b.name()).await.expect("connected");
    assert!(!soon(early.until_closed()).await);
    assert_eq!(a.nodes(NodeFilter::Connected), [b.name().clone()]);
}

#[tokio::test]
async fn a_stranger_that_takes_a_name_over_does_not_keep_its_owner_out() {
    let b = node("tb").await;
    let owner = harness::config("ta").name;
    let mut first = Dialer::dial(&b, owner.clone(), harness::COOKIE).await;
    soon(first.until_welcome()).await;
    let mut late = Dialer::dial(&b, owner.clone(), "a_wrong_cookie").await;
    soon(late.until_welcome()).await;
    // The owner, who knows the cookie, goes on.
    let _connected = soon(first.connected()).await;
    let name = owner.as_atom();
    harness::until("it is let in", || b.node_info(&name).is_some()).await;
    assert!(!soon(late.until_closed()).await);
    assert!(b.node_info(&name).is_some());
}

#[tokio::test]
async fn a_crowd_of_idle_dialers_locks_nobody_out() {
    let mut config = harness::config("cb");
    config.pending_handshakes_max = 8;
    // They would hold their places for ever.
    config.net_setup_time = Duration::from_secs(3600);
    let b = Node::start(config).await.expect("started");
    let mut crowd = Vec::new();
    for _ in 0..20 {
        crowd.push(TcpStream::connect(address(&b)).await.expect("connected"));
    }
    let a = node("ca").await;
    soon(a.connect(b.name())).await.expect("connected");
    // The oldest were given up; how many are left is bounded.
    for stream in &mut crowd[..12] {
        let mut rest = Vec::new();
        soon(stream.read_to_end(&mut rest)).await.expect("closed");
        assert!(rest.is_empty());
    }
}

#[tokio::test]
async fn exits_of_links_that_never_were_do_not_make_room_for_more_links() {
    let mut config = harness::config("lb");
    config.peer_relations_max = 10;
    let b = Node::start(config).await.expect("started");
    let target = harness::echo(&b, Default::default());
    let name = harness::config("la").name;
    let dialer = Dialer::dial(&b, name.clone(), harness::COOKIE).await;
    let (mut stream, mut connection) = soon(dialer.connected()).await;
    let pid = |number| Pid::new(name.as_atom(), number, 0, 77);
    for number in 0..11 {
        let link = Control::Link { from: pid(number), to: target.clone() };
        connection.send(link, None).expect("queued");
        let never = Control::PayloadExit { from: pid(1000), to: target.clone(), token: None };
        connection.send(never, Some(Term::atom("reason"))).expect("queued");
    }
    write_all(&mut stream, &mut connection).await;
    // One link too many: the node closes.
    let mut rest = Vec::new();
    soon(stream.read_to_end(&mut rest)).await.ok();
    harness::until("it is cut off", || b.nodes(NodeFilter::Connected).is_empty()).await;
}

#[tokio::test]
async fn terms_nested_too_deep_cost_their_message_only() {
    let b = node("db").await;
    let target = harness::echo(&b, Default::default());
    let name = harness::config("da").name;
    let dialer = Dialer::dial(&b, name.clone(), harness::COOKIE).await;
    let (mut stream, mut connection) = soon(dialer.connected()).await;
    let ours = Pid::new(name.as_atom(), 1, 0, 77);
    let levels = erlang_term::limits::DEPTH_MAX + 10;
    let deep = || (0..levels).fold(Term::Nil, |term, _| Term::list([term]));
    let link = Control::Link { from: ours.clone(), to: target.clone() };
    connection.send(link, None).expect("queued");
    let send = Control::SendSender { from: ours.clone(), to: target.clone(), token: None };
    connection.send(send, Some(deep())).expect("queued");
    write_all(&mut stream, &mut connection).await;
    harness::until("the link has arrived", || {
        b.process_info(&target).is_some_and(|info| info.links == [ours.clone()])
    })
    .await;
    // What the peer has ended has ended here too, though not with that reason.
    let exit = Control::PayloadExit { from: ours, to: target.clone(), token: None };
    connection.send(exit, Some(deep())).expect("queued");
    write_all(&mut stream, &mut connection).await;
    harness::until("the exit has arrived", || !b.is_process_alive(&target)).await;
    assert_eq!(b.nodes(NodeFilter::Connected), [name.as_atom()]);
}
