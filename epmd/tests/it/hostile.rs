//! Clients that mean harm or break, and many of them.

use std::time::{Duration, Instant};

use epmd::{Registration, ServerConfig};
use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{PATIENCE, address, config, eventually, start};

const SHORT: Duration = Duration::from_millis(50);

async fn ends(stream: &mut TcpStream) -> bool {
    let ended = async {
        let mut buffer = [0; 4096];
        while matches!(stream.read(&mut buffer).await, Ok(1..)) {}
    };
    tokio::time::timeout(PATIENCE, ended).await.is_ok()
}

#[tokio::test]
async fn silent_and_half_sent_requests_are_cut() {
    let (_server, client) = start(&ServerConfig { packet_timeout: SHORT, ..config() });
    for sent in [&b""[..], b"\0", b"\0\x03", b"\0\x64only a few bytes"] {
        let mut stream = TcpStream::connect(client.address()).await.unwrap();
        stream.write_all(sent).await.unwrap();
        assert!(ends(&mut stream).await, "{sent:?}");
    }
    // A registered one is silent all its life.
    let registered = client.register(&Registration::new("a", 1)).await.unwrap();
    let mut idle = TcpStream::connect(client.address()).await.unwrap();
    assert!(ends(&mut idle).await);
    assert!(client.port_of("a").await.unwrap().is_some());
    drop(registered);
}

#[tokio::test]
async fn a_trickle_of_bytes_is_cut_in_the_end() {
    let (_server, client) = start(&ServerConfig { packet_timeout: SHORT, ..config() });
    let mut stream = TcpStream::connect(client.address()).await.unwrap();
    stream.write_all(&3000_u16.to_be_bytes()).await.unwrap();
    let started = Instant::now();
    while stream.write_all(b"z").await.is_ok() {
        assert!(started.elapsed() < PATIENCE, "it is never cut");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_refused_registration_does_not_hold_its_connection_for_ever() {
    let (_server, client) = start(&ServerConfig { packet_timeout: SHORT, ..config() });
    let _kept = client.register(&Registration::new("a", 1)).await.unwrap();
    let mut stream = TcpStream::connect(client.address()).await.unwrap();
    stream.write_all(b"\0\x0ex\0\x01M\0\0\x06\0\x06\0\x01a\0\0").await.unwrap();
    let mut answer = [0; 6];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, [118, 1, 0, 0, 0, 99]);
    assert!(ends(&mut stream).await);
}

#[tokio::test]
async fn a_flood_of_silent_connections_leaves_room_for_honest_ones() {
    let (_server, client) = start(&ServerConfig { pending_connections_max: 16, ..config() });
    let mut silent = Vec::new();
    for number in 0..200 {
        silent.push(TcpStream::connect(client.address()).await.unwrap());
        if number % 20 == 0 {
            assert!(client.names().await.is_ok());
        }
    }
    let registered = client.register(&Registration::new("a", 1)).await.unwrap();
    assert!(client.port_of("a").await.unwrap().is_some());
    // The oldest ones were cut, and nobody who is registered.
    assert!(ends(&mut silent[0]).await);
    for _ in 0..50 {
        silent.push(TcpStream::connect(client.address()).await.unwrap());
    }
    assert!(client.port_of("a").await.unwrap().is_some());
    drop(registered);
}

#[tokio::test]
async fn registrations_are_limited() {
    let mut limited = config();
    limited.registry_limits.registrations_max = 3;
    let (_server, client) = start(&limited);
    let mut kept = Vec::new();
    for name in ["a", "b", "c"] {
        kept.push(client.register(&Registration::new(name, 1)).await.unwrap());
    }
    assert!(client.register(&Registration::new("d", 1)).await.is_err());
    kept.pop();
    let free = || async { client.names().await.unwrap().nodes.len() == 2 };
    eventually("a place is free", free).await;
    assert!(client.register(&Registration::new("d", 1)).await.is_ok());
}

/// The pause before the answer is where the reset has to come: the daemon finds out when it sends.
#[tokio::test]
async fn a_reset_before_the_answer_leaves_no_zombie() {
    let delayed = ServerConfig { delay_write: Duration::from_millis(200), ..config() };
    let (_server, client) = start(&delayed);
    let mut stream = TcpStream::connect(client.address()).await.unwrap();
    stream.write_all(b"\0\x0ex\0\x01M\0\0\x06\0\x06\0\x01a\0\0").await.unwrap();
    let there = || async { client.port_of("a").await.unwrap().is_some() };
    eventually("the name is registered", there).await;
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
    let gone = || async { client.names().await.unwrap().nodes.is_empty() };
    eventually("no zombie is left", gone).await;
}

#[tokio::test]
async fn a_thousand_registrations_released_and_redone_ten_times() {
    let (_server, client) = start(&config());
    let mut last_creations = vec![0; 1000];
    for round in 0..10 {
        let mut kept = Vec::with_capacity(1000);
        for (number, last) in last_creations.iter_mut().enumerate() {
            let node = Registration::new(format!("foo{number}"), 1000);
            let registered = client.register(&node).await.unwrap();
            assert!(registered.creation() > *last, "round {round}, foo{number}");
            *last = registered.creation();
            kept.push(registered);
        }
        assert_eq!(client.names().await.unwrap().nodes.len(), 1000);
        if round % 2 == 1 {
            kept.reverse();
        }
        kept.into_iter().for_each(drop);
        let empty = || async { client.names().await.unwrap().nodes.is_empty() };
        eventually("all are released", empty).await;
    }
}

/// Two descriptors a registration, both in this process: as many as the system grants, at most
/// the 10,000 that the daemon is meant for (`limits.rs` asserts the rest).
#[tokio::test]
async fn ten_thousand_registrations() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).unwrap();
    let descriptors = limit.maximum.unwrap_or(u64::MAX);
    let count = usize::try_from(descriptors / 2 - 500).unwrap().min(10_000);

    let (_server, client) = start(&config());
    let mut kept = Vec::with_capacity(count);
    for number in 0..count {
        let node = Registration::new(format!("node{number}"), 1000);
        kept.push(client.register(&node).await.unwrap());
    }
    let names = client.names().await.unwrap().nodes;
    assert_eq!(names.len(), count);
    assert_eq!(names[0].0, format!("node{}", count - 1));
    assert!(client.port_of("node0").await.unwrap().is_some());
    drop(kept);
    let empty = || async { client.names().await.unwrap().nodes.is_empty() };
    eventually("all are released", empty).await;
}

/// Many ask for a long list and don't read it: they share one copy, and others are served.
#[tokio::test]
async fn slow_readers_of_a_long_list() {
    let (_server, client) = start(&config());
    let mut kept = Vec::new();
    for number in 0..300 {
        let name = format!("{number:\u{1F600}>200}");
        kept.push(client.register(&Registration::new(name, 1)).await.unwrap());
    }
    let mut slow = Vec::new();
    for _ in 0..100 {
        let mut stream = TcpStream::connect(client.address()).await.unwrap();
        SockRef::from(&stream).set_recv_buffer_size(4096).unwrap();
        stream.write_all(b"\0\x01n").await.unwrap();
        slow.push(stream);
    }
    assert_eq!(client.names().await.unwrap().nodes.len(), 300);
    assert!(ends(&mut slow[99]).await);
}

#[tokio::test]
async fn our_client_bounds_what_a_false_daemon_does() {
    let listener = tokio::net::TcpListener::bind(address(0)).await.unwrap();
    let client = epmd::Client::new(listener.local_addr().unwrap()).with_timeout(SHORT);
    // It never answers: the system's queue takes the connection.
    assert!(matches!(client.names().await, Err(epmd::ClientError::Timeout { .. })));
    let node = Registration::new("a", 1);
    assert!(matches!(client.register(&node).await, Err(epmd::ClientError::Timeout { .. })));

    let endless = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move { while stream.write_all(&[119; 4096]).await.is_ok() {} });
        }
    });
    let client = client.with_timeout(PATIENCE);
    assert!(matches!(client.port_of("a").await, Err(epmd::ClientError::TooLong { .. })));
    assert!(matches!(client.register(&node).await, Err(epmd::ClientError::Answer { .. })));
    endless.abort();
}
