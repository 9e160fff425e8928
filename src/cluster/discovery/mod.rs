//! Finding nodes, by several topologies at once.
//!
//! [`heartbeat`] and [`membership`] are pure. Around them: [`gossip`] hears and sends datagrams,
//! [`poll`] asks a [`source`] again and again, and both let a [`dialer`] connect what they found.

mod dialer;
mod gossip;
mod heartbeat;
mod hosts_file;
mod kubernetes;
mod membership;
mod poll;
mod source;
mod srv;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use erlang_interop::node::Node;
use tokio::task::JoinHandle;

use super::Departures;
use crate::config::{Topologies, Topology};
use membership::Membership;
use source::Source;
use srv::SrvResolver;

pub use membership::Found;

/// The topologies of a node and whom they have found. Clones share it.
#[derive(Debug, Clone)]
pub struct Discovery {
    topologies: Arc<[Arc<Running>]>,
}

/// A topology at work.
#[derive(Debug)]
struct Running {
    name: String,
    topology: Topology,
    membership: Mutex<Membership>,
    departures: Departures,
}

impl Running {
    // A panic while the lock was held leaves names and counters that are each still whole.
    fn membership(&self) -> MutexGuard<'_, Membership> {
        self.membership.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a topology has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Its name in the configuration.
    pub name: String,
    /// Its strategy, as it is written there.
    pub strategy: &'static str,
    /// The nodes, by name.
    pub found: Vec<Found>,
}

impl Discovery {
    /// Topologies that have found nobody yet.
    #[must_use]
    pub fn new(topologies: &Topologies, departures: &Departures) -> Self {
        let running = topologies.0.iter().map(|(name, topology)| {
            Arc::new(Running {
                name: name.clone(),
                topology: topology.clone(),
                membership: Mutex::default(),
                departures: departures.clone(),
            })
        });
        Self { topologies: running.collect() }
    }

    /// Starts finding; each task runs until it is aborted.
    pub(crate) fn start(&self, node: &Node, epmd_port: u16) -> Vec<JoinHandle<()>> {
        let start =
            |running: &Arc<Running>| start_one(Arc::clone(running), node.clone(), epmd_port);
        self.topologies.iter().map(start).collect()
    }

    /// Who was found by what, and why a node is not connected.
    #[must_use]
    pub fn report(&self) -> Vec<Report> {
        let report = |running: &Arc<Running>| Report {
            name: running.name.clone(),
            strategy: running.topology.strategy(),
            found: running.membership().report(),
        };
        self.topologies.iter().map(report).collect()
    }
}

fn start_one(running: Arc<Running>, node: Node, epmd_port: u16) -> JoinHandle<()> {
    let (source, interval) = match running.topology.clone() {
        Topology::Gossip(config) => {
            return tokio::spawn(gossip::run(running, node, config.unwrap_or_default()));
        }
        Topology::Epmd(config) => (Source::List { nodes: config.hosts }, config.timeout),
        Topology::LocalEpmd(config) => {
            (Source::LocalEpmd { port: epmd_port }, config.unwrap_or_default().polling_interval)
        }
        Topology::ErlangHosts(config) => {
            let config = config.unwrap_or_default();
            (Source::Hosts { file: config.file, port: epmd_port }, config.timeout)
        }
        Topology::DnsPoll(config) => (
            Source::Dns { query: config.query, base: config.node_basename },
            config.polling_interval,
        ),
        Topology::KubernetesDns(config) => (
            Source::Dns { query: config.service, base: config.application_name },
            config.polling_interval,
        ),
        Topology::DnsSrv(config) => (
            Source::Srv {
                query: config.query,
                base: config.node_basename,
                resolver: SrvResolver::new(config.name_server),
            },
            config.polling_interval,
        ),
        Topology::KubernetesDnsSrv(config) => (
            Source::Srv {
                query: service_name(&config.service, &config.namespace),
                base: config.application_name,
                resolver: SrvResolver::new(config.name_server),
            },
            config.polling_interval,
        ),
        Topology::Kubernetes(config) => {
            let interval = config.polling_interval;
            (Source::Kubernetes(Box::new(kubernetes::Cluster::new(config))), interval)
        }
    };
    tokio::spawn(poll::run(running, node, source, Duration::from_millis(interval)))
}

/// The name of a headless service within its cluster.
fn service_name(service: &str, namespace: &str) -> String {
    format!("{service}.{namespace}.svc.{}.", cluster_domain("cluster.local"))
}

/// The domain of a cluster of Kubernetes.
fn cluster_domain(default: &str) -> String {
    let domain = std::env::var("CLUSTER_DOMAIN").ok().filter(|domain| !domain.is_empty());
    domain.as_deref().unwrap_or(default).trim_end_matches('.').to_owned()
}
