//! Nodes that come, crash and come again under the same name.

use std::sync::Arc;
use std::time::Duration;

use erlang_node::transport::Transport;
use erlang_node::transport::memory::MemoryNet;
use erlang_node::{Cookie, Creation, Node, NodeChange, NodeConfig, NodeFilter, NodeName};
use erlang_otp::{Functions, StandardOptions, standard};
use erlang_term::{Atom, atom};

use crate::invariants::asked_for;
use crate::network::{End, Network};
use crate::world::{Home, World};

/// A silent peer is down after this long.
const NET_TICK_TIME: Duration = Duration::from_secs(8);
/// A handshake takes this long at most.
const NET_SETUP_TIME: Duration = Duration::from_secs(3);
/// The least creation a node chooses itself.
const FIRST_CREATION: u32 = 1 << 16;

/// The nodes of a run.
pub(crate) struct Cluster {
    world: World,
    network: Network,
    net: MemoryNet,
    lives: Vec<u32>,
    homes: Vec<Option<Home>>,
}

/// The name of a node.
fn name_of(node: usize) -> String {
    let letter = char::from(b'a' + u8::try_from(node).unwrap_or_default());
    format!("{letter}@sim.test")
}

/// The names of so many nodes.
pub(crate) fn names(nodes: usize) -> Vec<String> {
    (0..nodes).map(name_of).collect()
}

impl Cluster {
    pub(crate) fn new(world: World, network: Network, nodes: usize) -> Self {
        let homes = (0..nodes).map(|_| None).collect();
        Self { world, network, net: MemoryNet::new(), lives: vec![0; nodes], homes }
    }

    /// The nodes that run.
    pub(crate) fn homes(&self) -> impl Iterator<Item = &Home> {
        self.homes.iter().flatten()
    }

    pub(crate) fn home(&self, node: usize) -> Option<&Home> {
        self.homes[node].as_ref()
    }

    /// Starts a node that is down.
    pub(crate) async fn start(&mut self, node: usize) {
        if self.homes[node].is_some() {
            return;
        }
        let life = (node, self.lives[node]);
        self.lives[node] += 1;
        match self.boot(life).await {
            Ok(home) => {
                self.world.set_life(node, Some(life));
                self.world.journal.note(&format!("start {life:?}"));
                tokio::spawn(watch(self.world.clone(), home.clone()));
                self.homes[node] = Some(home);
            }
            Err(why) => self.world.journal.fault(format!("{life:?} does not start: {why}")),
        }
    }

    async fn boot(&self, life: (usize, u32)) -> Result<Home, Box<dyn std::error::Error>> {
        let cookie = Cookie::new("simulated")?;
        let mut config = NodeConfig::new(NodeName::new(&name_of(life.0))?, cookie);
        config.creation = Some(Creation(FIRST_CREATION + life.1));
        config.net_tick_time = NET_TICK_TIME;
        config.net_setup_time = NET_SETUP_TIME;
        let plug = Arc::new(self.network.plug(life));
        config.transport = Transport::Memory(self.net.over(plug));
        let node = Node::new(config)?;
        let services = standard(&node, functions(), StandardOptions::default())?;
        node.listen().await?;
        let global = services.global.clone().ok_or("no global")?;
        let pg = services.scope(&atom!("pg")).cloned().ok_or("no pg")?;
        // Each service has done what it does first.
        tokio::time::sleep(Duration::from_millis(1)).await;
        // A peer that was quick has asked for a process already.
        let processes = node.processes();
        let infos = processes.iter().filter_map(|pid| node.process_info(pid));
        let services = infos.filter(|info| !asked_for(info)).count();
        Ok(Home { node, global, pg, life, services })
    }

    /// Ends a node without a good-bye. What is left of it is wound up where nobody sees it.
    pub(crate) fn crash(&mut self, node: usize, end: End) {
        let Some(home) = self.homes[node].take() else { return };
        self.world.journal.note(&format!("crash {:?} {end:?}", home.life));
        self.world.end_life(home.life);
        self.network.end(home.life, end);
        self.net.remove(&name_of(node));
        tokio::spawn(async move { home.node.shutdown().await });
    }

    /// Ends a node as an operator does.
    pub(crate) async fn stop(&mut self, node: usize) {
        let Some(home) = self.homes[node].take() else { return };
        self.world.journal.note(&format!("stop {:?}", home.life));
        self.world.end_life(home.life);
        home.node.shutdown().await;
        self.network.end(home.life, End::Killed);
    }

    /// Whether each node is connected to each, and their `global`s agree.
    pub(crate) fn is_whole(&self) -> bool {
        let count = self.homes().count();
        self.homes().all(|home| {
            home.node.nodes(NodeFilter::Visible).len() + 1 == count
                && home.global.known().len() + 1 == count
        })
    }

    /// Connects each to each, where there is no connection.
    pub(crate) async fn mesh(&self) {
        for one in self.homes() {
            for other in self.homes() {
                if one.life < other.life {
                    // It may fail now; whoever wants the mesh whole tries again.
                    let _ = one.node.connect(other.node.name()).await;
                }
            }
        }
    }
}

fn functions() -> Functions {
    Functions::builder()
        .function("sim", "echo", 1, |call| async move { Ok(call.arguments[0].clone()) })
        .function("sim", "wait", 0, |_| std::future::pending())
        .build()
}

/// Notes the nodes that a node loses and finds.
async fn watch(world: World, home: Home) {
    let mut events = home.node.subscribe();
    while let Ok(event) = events.recv().await {
        if !world.lives(home.life) {
            return;
        }
        let other: &Atom = &event.node;
        match event.change {
            NodeChange::Up => {
                world.journal.note(&format!("{:?} up {other}", home.life));
                // What was sent while no dial got through is lost as well.
                world.journal.broke(home.life.0, world.index_of(other));
            }
            NodeChange::Down(reason) => {
                world.journal.note(&format!("{:?} down {other}: {reason}", home.life));
                world.journal.broke(home.life.0, world.index_of(other));
            }
            _ => {}
        }
    }
}
