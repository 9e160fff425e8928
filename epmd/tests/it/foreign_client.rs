//! erl_dist's EPMD client as an independent witness of our daemon, and of the original beside it.

use erl_dist::epmd::{EpmdClient, NodeEntry};
use smol::net::TcpStream;

use crate::process::{HAR_EPMD, start_daemon};
use crate::support::{PATIENCE, address};

async fn client(port: u16) -> EpmdClient<TcpStream> {
    EpmdClient::new(TcpStream::connect(address(port)).await.unwrap())
}

async fn exercise(port: u16) {
    let node = NodeEntry::new("witness", 4711);
    let (kept, creation) = client(port).await.register(node.clone()).await.unwrap();
    assert!(creation.get() > 0);
    assert!(client(port).await.register(node.clone()).await.is_err());

    let found = client(port).await.get_node("witness").await.unwrap().unwrap();
    assert_eq!((found.name, found.port), (node.name, node.port));
    assert!(client(port).await.get_node("nobody").await.unwrap().is_none());

    let names = client(port).await.get_names().await.unwrap();
    assert_eq!(names, [("witness".to_owned(), 4711)]);
    let dump = client(port).await.dump().await.unwrap();
    assert!(dump.contains("active name     <witness> at port 4711, fd = "), "{dump}");

    drop(kept);
    let deadline = std::time::Instant::now() + PATIENCE;
    while client(port).await.get_node("witness").await.unwrap().is_some() {
        assert!(std::time::Instant::now() < deadline, "the name is not released");
    }
    let (_, again) = client(port).await.register(NodeEntry::new("witness", 1)).await.unwrap();
    assert_eq!(again.get(), creation.get() + 1);
    client(port).await.kill().await.unwrap();
}

#[test]
fn our_daemon() {
    let mut daemon = start_daemon(HAR_EPMD, &["-relaxed_command_check"]);
    smol::block_on(exercise(daemon.port));
    assert_eq!(daemon.process.code(), Some(0));
}

#[test]
fn the_original() {
    let mut daemon = start_daemon("epmd", &["-relaxed_command_check"]);
    smol::block_on(exercise(daemon.port));
    assert_eq!(daemon.process.code(), Some(0));
}
