//! Joining other nodes and staying joined; choosing among them.

mod back_off;
mod discovery;
mod exchange;
mod keep_connected;
mod limits;
mod load_balancer;
mod place;
mod work;

use erlang_interop::node::Node;
use tokio::task::JoinHandle;

use crate::config::Settings;

pub use discovery::{Discovery, Found, Report};
pub use exchange::{Peers, SharedTable, TableMark, Told, tell_change};
pub(crate) use keep_connected::keep_connected;
pub use load_balancer::LoadBalancer;
use load_balancer::keep_measuring;
pub use place::Place;
pub use work::{ChunkReport, Distributor, JobOptions, Overloaded, Share};

/// What a node knows of its cluster. Clones share it.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Finds nodes.
    pub discovery: Discovery,
    /// What the HAR nodes among them told.
    pub peers: Peers,
    /// Chooses among them.
    pub balancer: LoadBalancer,
    /// Splits jobs over them.
    pub distributor: Distributor,
}

impl Cluster {
    /// A cluster of nobody yet.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let peers = Peers::new(Place::of(settings));
        Self {
            discovery: Discovery::new(&settings.topologies.value),
            balancer: LoadBalancer::new(settings.balancing.value, peers.clone()),
            peers,
            distributor: Distributor::default(),
        }
    }

    /// Starts finding and measuring; each task runs until it is aborted.
    pub(crate) fn start(&self, node: &Node, epmd_port: u16) -> Vec<JoinHandle<()>> {
        let mut tasks = self.discovery.start(node, epmd_port);
        tasks.push(tokio::spawn(keep_measuring(self.balancer.clone(), node.clone())));
        tasks
    }
}
