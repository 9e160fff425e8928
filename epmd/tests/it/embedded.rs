//! Our client against our daemon in the same process, as a node embeds it.

use epmd::client::{KillAnswer, StopAnswer};
use epmd::server::Ended;
use epmd::{BindError, Client, ClientError, Registration, Server};

use crate::support::{PATIENCE, address, config, eventually, start};

async fn is_gone(client: &Client, name: &str) {
    let gone = || async { client.port_of(name).await.unwrap().is_none() };
    eventually("the name is released", gone).await;
}

#[tokio::test]
async fn register_look_up_release() {
    let (_server, client) = start(&config());
    let node = Registration { extra: b"more".to_vec(), ..Registration::new("å", 5001).hidden() };
    let registered = client.register(&node).await.unwrap();
    assert!(registered.creation() > 3);

    let found = client.port_of("å").await.unwrap().unwrap();
    assert_eq!((found.port, found.node_type), (5001, epmd::codec::NODE_TYPE_HIDDEN));
    assert_eq!(found.extra, b"more");
    assert_eq!(client.names().await.unwrap().nodes, [("å".to_owned(), 5001)]);
    assert!(
        client.dump().await.unwrap().text.starts_with("active name     <å> at port 5001, fd =")
    );

    let creation = registered.creation();
    drop(registered);
    is_gone(&client, "å").await;
    assert!(client.dump().await.unwrap().text.starts_with("old/unused name <å>, port = 5001"));
    let again = client.register(&node).await.unwrap();
    assert_eq!(again.creation(), creation + 1);
}

#[tokio::test]
async fn a_name_of_255_characters_is_found() {
    let (_server, client) = start(&config());
    let name = "\u{1F600}".repeat(255);
    let _registered = client.register(&Registration::new(&name, 1)).await.unwrap();
    assert_eq!(client.port_of(&name).await.unwrap().unwrap().name, name);
    let longer = client.register(&Registration::new("n".repeat(256), 1)).await;
    assert!(matches!(longer, Err(ClientError::Refused { result: 1, .. })));
}

#[tokio::test]
async fn taken_name_is_refused() {
    let (_server, client) = start(&config());
    let _first = client.register(&Registration::new("a", 1)).await.unwrap();
    let second = client.register(&Registration::new("a", 2)).await;
    assert!(matches!(second, Err(ClientError::Refused { result: 1, .. })));
    assert_eq!(client.port_of("a").await.unwrap().unwrap().port, 1);
}

#[tokio::test]
async fn old_nodes_get_a_small_creation() {
    let (_server, client) = start(&config());
    let node = Registration { highest_version: 5, lowest_version: 5, ..Registration::new("a", 1) };
    let registered = client.register(&node).await.unwrap();
    assert!((1..=3).contains(&registered.creation()));
}

#[tokio::test]
async fn kill_and_stop_without_relaxed_check() {
    let (mut server, client) = start(&config());
    let registered = client.register(&Registration::new("a", 1)).await.unwrap();
    assert_eq!(client.kill().await.unwrap(), KillAnswer::LivingNodes);
    let refused = client.stop("a").await;
    assert!(matches!(refused, Err(ClientError::Closed { bytes: 0, .. })));
    drop(registered);
    is_gone(&client, "a").await;
    assert_eq!(client.kill().await.unwrap(), KillAnswer::Killed);
    assert_eq!(server.ended().await, Ended::Killed);
    assert!(matches!(client.names().await, Err(ClientError::Connect { .. })));
}

#[tokio::test]
async fn stop_with_relaxed_check_cuts_the_node_off() {
    let mut relaxed = config();
    relaxed.relaxed_command_check = true;
    let (_server, client) = start(&relaxed);
    let registered = client.register(&Registration::new("a", 1)).await.unwrap();
    assert_eq!(client.stop("b").await.unwrap(), StopAnswer::NoExist);
    assert_eq!(client.stop("a").await.unwrap(), StopAnswer::Stopped);
    tokio::time::timeout(PATIENCE, registered.lost()).await.unwrap();
    assert_eq!(client.port_of("a").await.unwrap(), None);
}

#[tokio::test]
async fn busy_port_is_told_apart_so_that_a_node_can_join() {
    let (server, client) = start(&config());
    let mut same = config();
    same.port = server.port();
    let second = Server::bind(&same);
    assert!(matches!(second, Err(BindError::AddrInUse { address }) if address.port() == same.port));
    assert_eq!(client.names().await.unwrap().epmd_port, same.port);
}

#[tokio::test]
async fn a_node_learns_of_the_end_and_registers_with_the_successor() {
    let (server, client) = start(&config());
    let port = server.port();
    let registered = client.register(&Registration::new("a", 1)).await.unwrap();
    server.shutdown().await;
    tokio::time::timeout(PATIENCE, registered.lost()).await.unwrap();

    let mut same = config();
    same.port = port;
    let (_successor, _) = start(&same);
    let again = client.register(&Registration::new("a", 1)).await.unwrap();
    assert_eq!(client.port_of("a").await.unwrap().unwrap().port, 1);
    drop(again);
}

#[tokio::test]
async fn dropping_the_handle_frees_the_port() {
    let (server, client) = start(&config());
    assert_eq!(client.address(), address(server.port()));
    drop(server);
    let refused = || async { matches!(client.names().await, Err(ClientError::Connect { .. })) };
    eventually("nobody listens", refused).await;
}

#[tokio::test]
async fn a_dropped_run_cuts_its_connections() {
    let server = Server::bind(&config()).unwrap();
    let client = Client::new(address(server.port())).with_timeout(PATIENCE);
    let serving = server.run(std::future::pending());
    let node = Registration::new("a", 1);
    let registered = tokio::select! {
        _ = serving => panic!("nobody asked it to end"),
        registered = client.register(&node) => registered.unwrap(),
    };
    tokio::time::timeout(PATIENCE, registered.lost()).await.unwrap();
}

#[test]
fn a_runtime_that_shuts_down_does_not_hang() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _registered = runtime.block_on(async {
        let (server, client) = start(&config());
        let registered = client.register(&Registration::new("a", 1)).await.unwrap();
        std::mem::forget(server);
        registered
    });
    runtime.shutdown_timeout(PATIENCE);
}

#[tokio::test]
async fn ipv6_loopback_is_served_too() {
    let (server, client) = start(&config());
    let Ok(stream) = tokio::net::TcpStream::connect(("::1", server.port())).await else {
        // A host without IPv6: the daemon runs without it.
        assert!(client.names().await.is_ok());
        return;
    };
    let six = Client::new(stream.peer_addr().unwrap());
    let _registered = six.register(&Registration::new("six", 6)).await.unwrap();
    assert_eq!(client.port_of("six").await.unwrap().unwrap().port, 6);
}
