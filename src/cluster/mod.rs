//! Joining other nodes and staying joined; choosing among them.

mod back_off;
mod departure;
mod discovery;
mod exchange;
mod keep_connected;
mod limits;
mod load_balancer;
mod place;
mod work;

use erlang_interop::node::{Node, SpawnError};
use tokio::task::JoinHandle;

use crate::config::Settings;

pub use departure::Departures;
pub use discovery::{Discovery, Found, Report};
pub use exchange::{Peers, SharedTable, TableMark, Told, tell_change};
pub(crate) use keep_connected::keep_connected;
pub use load_balancer::LoadBalancer;
use load_balancer::keep_measuring;
pub use place::Place;
pub use work::{ChunkReport, Distributor, JobOptions, Refused, Share};

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
    /// Who leaves.
    pub departures: Departures,
}

impl Cluster {
    /// A cluster of nobody yet.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let peers = Peers::new(Place::of(settings));
        let departures = Departures::default();
        Self {
            discovery: Discovery::new(&settings.topologies.value, &departures),
            balancer: LoadBalancer::new(settings.balancing.value, peers.clone()),
            peers,
            distributor: Distributor::new(&departures),
            departures,
        }
    }

    /// Starts the processes that other nodes talk to.
    ///
    /// # Errors
    /// When a name is taken, there are too many processes, or the node stops.
    pub(crate) fn serve(&self, node: &Node) -> Result<(), SpawnError> {
        self.departures.start(node)
    }

    /// Starts finding and measuring; each task runs until it is aborted.
    pub(crate) fn start(&self, node: &Node, epmd_port: u16) -> Vec<JoinHandle<()>> {
        let mut tasks = self.discovery.start(node, epmd_port);
        tasks.push(tokio::spawn(keep_measuring(self.balancer.clone(), node.clone())));
        tasks
    }
}
