//! Who can be asked which nodes there are.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use epmd::Client;
use erlang_interop::term::Atom;
use tokio::net::lookup_host;

use super::hosts_file;
use super::kubernetes::Cluster;
use super::srv::SrvResolver;
use crate::cluster::limits::PEERS_MAX;

/// An EPMD answers within this or counts as absent; several hosts are asked one after the other.
const EPMD_TIME: Duration = Duration::from_secs(2);

/// See the [module](self).
#[derive(Debug)]
pub(super) enum Source {
    /// The configuration.
    List {
        /// Names of nodes.
        nodes: Vec<String>,
    },
    /// The EPMD of this host.
    LocalEpmd {
        /// Its port.
        port: u16,
    },
    /// The EPMDs of the hosts in a file.
    Hosts {
        /// The file; the usual places when absent.
        file: Option<PathBuf>,
        /// Port of each EPMD.
        port: u16,
    },
    /// The addresses of a DNS name.
    Dns {
        /// The name.
        query: String,
        /// The part of the nodes' names before the @.
        base: String,
    },
    /// The hosts of a service.
    Srv {
        /// The name of its SRV records.
        query: String,
        /// The part of the nodes' names before the @.
        base: String,
        /// Who is asked.
        resolver: SrvResolver,
    },
    /// The API of Kubernetes.
    Kubernetes(Box<Cluster>),
}

impl Source {
    /// Whether a node that is no longer listed has left. The others are never sure: a node keeps
    /// its connection until one of the two ends it.
    pub(super) fn tells_who_left(&self) -> bool {
        matches!(self, Self::Dns { .. } | Self::Srv { .. } | Self::Kubernetes(_))
    }

    /// The nodes there are, without `own`.
    pub(super) async fn list(&mut self, own: &Atom) -> Result<Vec<Atom>, String> {
        let mut names = match self {
            Self::List { nodes } => nodes.iter().cloned().collect(),
            Self::LocalEpmd { port } => local(own, *port).await?,
            Self::Hosts { file, port } => {
                let mut names = BTreeSet::new();
                for host in hosts_file::hosts(file.as_deref())? {
                    names.extend(at_host(&host, *port).await);
                }
                names
            }
            Self::Dns { query, base } => by_address(query, base).await?,
            Self::Srv { query, base, resolver } => {
                let hosts = resolver.targets(query).await?;
                hosts.iter().map(|host| format!("{base}@{host}")).collect()
            }
            Self::Kubernetes(cluster) => cluster.list().await?,
        };
        names.remove(own.as_str());
        // What is too long for an atom is no name of a node.
        Ok(names.iter().take(PEERS_MAX).filter_map(|name| Atom::new(name).ok()).collect())
    }

    /// Waits until the list is known to be another one; for ever where nobody tells. Can be given
    /// up at any time.
    pub(super) async fn changed(&mut self) {
        match self {
            Self::Kubernetes(cluster) => cluster.changed().await,
            _ => std::future::pending().await,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List { .. } => f.write_str("the list of nodes"),
            Self::LocalEpmd { port } => write!(f, "the EPMD of this host (port {port})"),
            Self::Hosts { file: Some(path), .. } => write!(f, "{}", path.display()),
            Self::Hosts { file: None, .. } => f.write_str(hosts_file::NAME),
            Self::Dns { query, .. } | Self::Srv { query, .. } => write!(f, "DNS for '{query}'"),
            Self::Kubernetes(cluster) => write!(f, "{cluster}"),
        }
    }
}

async fn local(own: &Atom, port: u16) -> Result<BTreeSet<String>, String> {
    let host = own.as_str().split_once('@').map_or("", |(_, host)| host);
    at((Ipv4Addr::LOCALHOST, port).into(), host).await
}

/// The nodes registered at a host; none when it does not answer.
async fn at_host(host: &str, port: u16) -> BTreeSet<String> {
    let Ok(addresses) = lookup_host((host, port)).await else { return BTreeSet::new() };
    for address in addresses {
        if let Ok(names) = at(address, host).await {
            return names;
        }
    }
    BTreeSet::new()
}

async fn at(address: SocketAddr, host: &str) -> Result<BTreeSet<String>, String> {
    let names = Client::new(address).with_timeout(EPMD_TIME).names().await;
    let names = names.map_err(|error| error.to_string())?;
    Ok(names.nodes.into_iter().map(|(name, _)| format!("{name}@{host}")).collect())
}

async fn by_address(query: &str, base: &str) -> Result<BTreeSet<String>, String> {
    // The port is not used; the resolver wants one.
    let addresses = lookup_host((query, 0)).await.map_err(|error| error.to_string())?;
    Ok(addresses.map(|address| named(base, address.ip())).collect())
}

fn named(base: &str, address: IpAddr) -> String {
    format!("{base}@{address}")
}

#[cfg(test)]
mod tests {
    use epmd::{Registration, Server, ServerConfig};

    use super::*;

    async fn listed(source: &mut Source, own: &str) -> Vec<String> {
        let own = Atom::new(own).expect("short");
        let nodes = source.list(&own).await.expect("an answer");
        nodes.iter().map(|node| node.as_str().to_owned()).collect()
    }

    #[tokio::test]
    async fn addresses_become_names() {
        let mut dns = Source::Dns { query: "localhost".into(), base: "har".into() };
        let names = listed(&mut dns, "other@10.0.0.1").await;
        assert!(names.contains(&"har@127.0.0.1".to_owned()), "{names:?}");
        assert!(listed(&mut dns, "har@127.0.0.1").await.iter().all(|name| name != "har@127.0.0.1"));
        assert_eq!(named("har", "fd00::1".parse().expect("v6")), "har@fd00::1");
        assert!(dns.tells_who_left());
    }

    #[tokio::test]
    async fn a_name_that_does_not_resolve_is_a_failure_not_an_empty_list() {
        let mut dns = Source::Dns { query: "nowhere.invalid".into(), base: "har".into() };
        assert!(dns.list(&Atom::new("a@h").expect("short")).await.is_err());
    }

    #[tokio::test]
    async fn an_epmd_gives_its_names_with_the_host_asked() {
        let config = ServerConfig {
            port: 0,
            addresses: vec![Ipv4Addr::LOCALHOST.into()],
            ..ServerConfig::default()
        };
        let server = Server::bind(&config).expect("a free port").spawn();
        let port = server.port();
        let client = Client::new((Ipv4Addr::LOCALHOST, port).into());
        let _a = client.register(&Registration::new("a", 1)).await.expect("registered");
        let _b = client.register(&Registration::new("b", 2)).await.expect("registered");
        let mut local = Source::LocalEpmd { port };
        assert_eq!(listed(&mut local, "a@127.0.0.1").await, ["b@127.0.0.1"]);
        let dir = tempfile::tempdir().expect("temp dir");
        let file = dir.path().join(".hosts.erlang");
        std::fs::write(&file, "'127.0.0.1'.\n").expect("written");
        let mut hosts = Source::Hosts { file: Some(file), port };
        assert_eq!(listed(&mut hosts, "x@y").await, ["a@127.0.0.1", "b@127.0.0.1"]);
        server.shutdown().await;
        assert!(local.list(&Atom::new("a@h").expect("short")).await.is_err());
        // One host of many may be down.
        assert_eq!(listed(&mut hosts, "x@y").await, Vec::<String>::new());
    }
}
