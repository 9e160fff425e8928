//! For tests: a node that looks for every other one at the same port.

use erlang_node::{Cookie, Epmd, Node, NodeConfig, NodeName};

/// `a@127.0.0.1`, which dials that port of 127.0.0.1 whoever is meant.
pub(crate) async fn node_that_dials(peer_port: u16) -> Node {
    let name = NodeName::new("a@127.0.0.1").unwrap();
    let mut config = NodeConfig::new(name, Cookie::new("monster").unwrap());
    config.epmd = Epmd::FixedPort { peer_port };
    let node = Node::new(config).unwrap();
    // One that does not listen dials nobody.
    node.listen().await.unwrap();
    node
}
