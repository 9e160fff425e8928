//! Joining other nodes and staying joined; choosing among them.

mod back_off;
mod departure;
mod discovery;
mod exchange;
mod keep_connected;
mod keys;
mod limits;
mod load_balancer;
mod members;
mod place;
mod server;
mod work;

use erlang_interop::node::{Node, SpawnError};
use erlang_interop::otp::client::{cast_connected, in_process};
use erlang_interop::term::{Atom, Term};
use tokio::task::JoinHandle;

use crate::config::Settings;

pub use departure::Departures;
pub use discovery::{Discovery, Found, Report};
pub use exchange::{Peers, SharedTable, TableMark, Told, tell_change};
pub(crate) use keep_connected::keep_connected;
pub use keys::{Begun, Fingerprint, Keys, Phase, Running};
pub use load_balancer::LoadBalancer;
use load_balancer::keep_measuring;
pub use members::Members;
pub use place::Place;
use server::Server;
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
    /// Which of them are `har` nodes.
    pub members: Members,
    /// What was done for whoever may ask again.
    pub keys: Keys,
}

impl Cluster {
    /// A cluster of nobody yet.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let peers = Peers::new(Place::of(settings));
        let departures = Departures::default();
        let members = Members::new(&peers, &departures);
        Self {
            discovery: Discovery::new(&settings.topologies.value, &departures),
            balancer: LoadBalancer::new(settings.balancing.value, peers.clone()),
            peers,
            distributor: Distributor::new(&departures),
            departures,
            members,
            keys: Keys::default(),
        }
    }

    /// Starts the process that other `har` nodes talk to.
    ///
    /// # Errors
    /// When its name is taken, there are too many processes, or the node stops.
    pub(crate) fn serve(&self, node: &Node) -> Result<(), SpawnError> {
        let (departures, members) = (self.departures.clone(), self.members.clone());
        Server { departures, members, keys: self.keys.clone() }.start(node)
    }

    /// Casts to the process `HAR.Cluster` of a node that is connected.
    pub(crate) async fn tell(&self, node: &Node, to: Atom, message: Term) {
        let told = in_process(node, |context| async move {
            cast_connected(&context, (server::name(), to), message).await;
        });
        if let Err(reason) = told.await {
            tracing::warn!(reason, "a node was not told");
        }
    }

    /// Starts finding and measuring; each task runs until it is aborted.
    pub(crate) fn start(&self, node: &Node, epmd_port: u16) -> Vec<JoinHandle<()>> {
        let mut tasks = self.discovery.start(node, epmd_port);
        tasks.push(tokio::spawn(keep_measuring(self.balancer.clone(), node.clone())));
        tasks
    }
}
