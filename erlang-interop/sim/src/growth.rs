//! How a mesh grows: what a node more costs, in messages and bytes, for meshes larger than one
//! machine has room for.
//!
//! The network is at once and loses nothing; only the services talk. So the figures are those of the
//! protocols, and the same in every run but for the order of what happens at the same time.

use std::time::{Duration, Instant};

use erlang_node::transport::Transport;
use erlang_node::transport::memory::MemoryNet;
use erlang_node::{Cookie, Node, NodeConfig, NodeFilter, NodeName};
use erlang_otp::{Functions, Standard, StandardOptions, standard};
use erlang_term::Atom;

/// Between two looks at a mesh that is not whole yet, in virtual time.
const LOOK: Duration = Duration::from_millis(10);
/// After which a mesh that is not whole will not become so, in virtual time.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long a mesh idles while what it says then is counted, in virtual time.
const IDLE: Duration = Duration::from_secs(60);

/// What a mesh came to.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Growth {
    /// Nodes in it.
    pub nodes: usize,
    /// Messages until it was whole, all nodes together.
    pub messages: u64,
    /// Bytes of them and of the handshakes.
    pub bytes: u64,
    /// Messages that one node more caused, all nodes together.
    pub join_messages: u64,
    /// Bytes that one node more caused.
    pub join_bytes: u64,
    /// Messages of all nodes in an idle minute.
    pub idle_messages: u64,
    /// Real time for the mesh, on the one core that simulates all nodes.
    pub time: Duration,
}

/// Simulates a mesh that forms around its first node, and one node more.
///
/// # Errors
/// What went wrong, in words.
///
/// # Panics
/// When no runtime can be made.
pub fn grow(nodes: usize) -> Result<Growth, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O needs nothing of the system");
    let outcome = runtime.block_on(async { Mesh::new().grow(nodes).await });
    runtime.shutdown_background();
    outcome
}

struct Mesh {
    net: MemoryNet,
    members: Vec<(Node, Standard)>,
}

impl Mesh {
    fn new() -> Self {
        Self { net: MemoryNet::new(), members: Vec::new() }
    }

    async fn grow(mut self, nodes: usize) -> Result<Growth, String> {
        let started = Instant::now();
        for _ in 0..nodes {
            self.add().await?;
        }
        self.whole().await?;
        let time = started.elapsed();
        let (messages, bytes) = self.said();
        tokio::time::sleep(IDLE).await;
        let (idle, before_join) = self.said();
        self.add().await?;
        self.whole().await?;
        let (joined, bytes_joined) = self.said();
        Ok(Growth {
            nodes,
            messages,
            bytes,
            join_messages: joined - idle,
            join_bytes: bytes_joined - before_join,
            idle_messages: idle - messages,
            time,
        })
    }

    /// One node more, which dials the first.
    async fn add(&mut self) -> Result<(), String> {
        let name = format!("n{}@sim.test", self.members.len());
        let failed = |why: &dyn std::fmt::Display| format!("{name}: {why}");
        let cookie = Cookie::new("simulated").map_err(|why| failed(&why))?;
        let name_of_node = NodeName::new(&name).map_err(|why| failed(&why))?;
        let mut config = NodeConfig::new(name_of_node, cookie);
        config.transport = Transport::Memory(self.net.clone());
        let node = Node::new(config).map_err(|why| failed(&why))?;
        let services = standard(&node, Functions::builder().build(), StandardOptions::default());
        let services = services.map_err(|why| failed(&why))?;
        node.listen().await.map_err(|why| failed(&why))?;
        if let Some((first, _)) = self.members.first() {
            let first: Atom = first.name().clone();
            node.connect(&first).await.map_err(|why| failed(&why))?;
        }
        self.members.push((node, services));
        Ok(())
    }

    /// Waits until each is connected to each, and their `global`s agree.
    async fn whole(&self) -> Result<(), String> {
        let others = self.members.len() - 1;
        let is_whole = || {
            self.members.iter().all(|(node, services)| {
                let known = services.global.as_ref().map_or(0, |global| global.known().len());
                node.nodes(NodeFilter::Visible).len() == others && known == others
            })
        };
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !is_whole() {
            if tokio::time::Instant::now() > deadline {
                return Err(format!("a mesh of {} did not become whole", others + 1));
            }
            tokio::time::sleep(LOOK).await;
        }
        // What was said last has still to be read.
        tokio::time::sleep(LOOK).await;
        Ok(())
    }

    /// Messages and bytes that all nodes have sent.
    fn said(&self) -> (u64, u64) {
        let (mut messages, mut bytes) = (0, 0);
        for (node, _) in &self.members {
            for peer in node.nodes(NodeFilter::Connected) {
                if let Some(info) = node.node_info(&peer) {
                    messages += info.stats.messages_out;
                    bytes += info.stats.bytes_out;
                }
            }
        }
        (messages, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mesh_grows_and_the_next_node_costs_each_a_little() {
        let (small, large) = (grow(4).expect("a mesh"), grow(8).expect("a mesh"));
        assert!(small.messages > 0 && large.messages > small.messages);
        assert!(large.join_messages > small.join_messages);
        // The next one talks to each of the others, not each to each anew.
        assert!(large.join_messages < large.messages);
        assert!(large.bytes > small.bytes && large.join_bytes > 0);
    }
}
