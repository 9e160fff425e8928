//! Discovery as it is configured: topologies by name, in the shape and with the keys of libcluster,
//! so that people can carry theirs over.
// spec: libcluster 3.5, "Configuration" and the strategies' own documentation

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{NameDomain, node_name};

mod kubernetes;

pub(crate) use kubernetes::is_label as is_kubernetes_label;
pub use kubernetes::{Kubernetes, KubernetesLookup, KubernetesMode};

/// Most topologies side by side: each is a socket or a poll.
const TOPOLOGIES_MAX: usize = 16;
/// Shortest time between two polls, in milliseconds: less would be a flood.
const POLL_MS_MIN: u64 = 100;

/// Topologies by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Topologies(pub BTreeMap<String, Topology>);

/// One way to find nodes. Without `config` everything is at its default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "strategy", content = "config", rename_all = "snake_case")]
pub enum Topology {
    /// Heartbeats by UDP multicast or broadcast.
    #[serde(alias = "Cluster.Strategy.Gossip", alias = "Elixir.Cluster.Strategy.Gossip")]
    Gossip(Option<Gossip>),
    /// A list of nodes.
    #[serde(
        alias = "static",
        alias = "Cluster.Strategy.Epmd",
        alias = "Elixir.Cluster.Strategy.Epmd"
    )]
    Epmd(Hosts),
    /// The nodes that are registered at this host's EPMD.
    #[serde(alias = "Cluster.Strategy.LocalEpmd", alias = "Elixir.Cluster.Strategy.LocalEpmd")]
    LocalEpmd(Option<LocalEpmd>),
    /// The nodes that are registered at the EPMDs of the hosts in a `.hosts.erlang`.
    #[serde(alias = "Cluster.Strategy.ErlangHosts", alias = "Elixir.Cluster.Strategy.ErlangHosts")]
    ErlangHosts(Option<ErlangHosts>),
    /// One node at each address of a DNS name.
    #[serde(alias = "Cluster.Strategy.DNSPoll", alias = "Elixir.Cluster.Strategy.DNSPoll")]
    DnsPoll(DnsPoll),
    /// The same for a headless service of Kubernetes.
    #[serde(
        alias = "Cluster.Strategy.Kubernetes.DNS",
        alias = "Elixir.Cluster.Strategy.Kubernetes.DNS"
    )]
    KubernetesDns(KubernetesDns),
    /// One node at each host of a name's SRV records.
    DnsSrv(DnsSrv),
    /// The same for a headless service of Kubernetes, whose pods have names of their own.
    #[serde(
        alias = "Cluster.Strategy.Kubernetes.DNSSRV",
        alias = "Elixir.Cluster.Strategy.Kubernetes.DNSSRV"
    )]
    KubernetesDnsSrv(KubernetesDnsSrv),
    /// The pods or endpoints that the API of Kubernetes knows.
    #[serde(alias = "Cluster.Strategy.Kubernetes", alias = "Elixir.Cluster.Strategy.Kubernetes")]
    Kubernetes(Kubernetes),
}

/// `config` of [`Topology::Gossip`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gossip {
    /// UDP port, bound and sent to.
    pub port: u16,
    /// Address to bind.
    pub if_addr: Ipv4Addr,
    /// Group to send to and hear, or the broadcast address.
    pub multicast_addr: Ipv4Addr,
    /// Address of the interface for multicast; the system's choice when left out.
    pub multicast_if: Option<Ipv4Addr>,
    /// Routers that a heartbeat may pass, plus one.
    pub multicast_ttl: u8,
    /// Whether `multicast_addr` is a broadcast address.
    pub broadcast_only: bool,
    /// Encrypts heartbeats; only nodes with the same one are found.
    pub secret: Option<Secret>,
    /// File that holds the secret, instead of `secret`; trailing white space does not count.
    pub secret_file: Option<PathBuf>,
}

impl Default for Gossip {
    fn default() -> Self {
        Self {
            port: 45892,
            if_addr: Ipv4Addr::UNSPECIFIED,
            // As libcluster since 3.3; it was 230.1.1.251 before.
            multicast_addr: Ipv4Addr::new(233, 252, 1, 32),
            multicast_if: None,
            multicast_ttl: 1,
            broadcast_only: false,
            secret: None,
            secret_file: None,
        }
    }
}

/// `config` of [`Topology::Epmd`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hosts {
    /// The nodes: `name@host`.
    pub hosts: Vec<String>,
    /// Milliseconds between two looks at the list.
    #[serde(default = "poll_ms")]
    pub timeout: u64,
}

/// `config` of [`Topology::LocalEpmd`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LocalEpmd {
    /// Milliseconds between two questions.
    pub polling_interval: u64,
}

impl Default for LocalEpmd {
    fn default() -> Self {
        Self { polling_interval: poll_ms() }
    }
}

/// `config` of [`Topology::ErlangHosts`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ErlangHosts {
    /// The file; when left out `.hosts.erlang` here, then in the home directory.
    pub file: Option<PathBuf>,
    /// Milliseconds between two looks.
    pub timeout: u64,
}

impl Default for ErlangHosts {
    fn default() -> Self {
        Self { file: None, timeout: poll_ms() }
    }
}

/// `config` of [`Topology::DnsPoll`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DnsPoll {
    /// The DNS name; its A and AAAA records count.
    pub query: String,
    /// The part of the nodes' names before the @.
    pub node_basename: String,
    /// Milliseconds between two questions.
    #[serde(default = "poll_ms", alias = "poll_interval")]
    pub polling_interval: u64,
}

/// `config` of [`Topology::KubernetesDns`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KubernetesDns {
    /// The headless service; its A and AAAA records count.
    pub service: String,
    /// The part of the nodes' names before the @.
    pub application_name: String,
    /// Milliseconds between two questions.
    #[serde(default = "poll_ms")]
    pub polling_interval: u64,
}

/// `config` of [`Topology::DnsSrv`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DnsSrv {
    /// The name of the records.
    pub query: String,
    /// The part of the nodes' names before the @.
    pub node_basename: String,
    /// Address and port of the name server to ask; those of the system when left out.
    pub name_server: Option<SocketAddr>,
    /// Milliseconds between two questions.
    #[serde(default = "poll_ms")]
    pub polling_interval: u64,
}

/// `config` of [`Topology::KubernetesDnsSrv`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KubernetesDnsSrv {
    /// The headless service.
    pub service: String,
    /// Its namespace.
    pub namespace: String,
    /// The part of the nodes' names before the @.
    pub application_name: String,
    /// Address and port of the name server to ask; those of the system when left out.
    pub name_server: Option<SocketAddr>,
    /// Milliseconds between two questions.
    #[serde(default = "poll_ms")]
    pub polling_interval: u64,
}

/// As libcluster's polling strategies.
fn poll_ms() -> u64 {
    5000
}

/// A text that is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for the one place that needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}

impl<'de> Deserialize<'de> for Secret {
    /// By hand, since an error of the derived one would show a secret that is a number.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_yaml::Value::deserialize(deserializer)? {
            serde_yaml::Value::String(text) => Ok(Self(text)),
            _ => Err(D::Error::custom("a secret is text; put it in quotes")),
        }
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("********")
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl FromStr for Topologies {
    type Err = String;

    /// Reads the form of the file on one line:
    /// `{local: {strategy: gossip, config: {port: 45892}}}`.
    fn from_str(text: &str) -> Result<Self, String> {
        serde_yaml::from_str(text).map_err(|error| error.to_string())
    }
}

impl Topology {
    /// The strategy, as it is written.
    #[must_use]
    pub fn strategy(&self) -> &'static str {
        match self {
            Self::Gossip(_) => "gossip",
            Self::Epmd(_) => "epmd",
            Self::LocalEpmd(_) => "local_epmd",
            Self::ErlangHosts(_) => "erlang_hosts",
            Self::DnsPoll(_) => "dns_poll",
            Self::KubernetesDns(_) => "kubernetes_dns",
            Self::DnsSrv(_) => "dns_srv",
            Self::KubernetesDnsSrv(_) => "kubernetes_dns_srv",
            Self::Kubernetes(_) => "kubernetes",
        }
    }

    fn check(&self, domain: NameDomain) -> Result<(), String> {
        match self {
            Self::Gossip(gossip) => gossip.clone().unwrap_or_default().check(),
            Self::Epmd(Hosts { hosts, timeout }) => {
                hosts.iter().try_for_each(|node| node_name::check(node, domain))?;
                check_interval("timeout", *timeout)
            }
            Self::LocalEpmd(local) => {
                let interval = local.clone().unwrap_or_default().polling_interval;
                check_interval("polling_interval", interval)
            }
            Self::ErlangHosts(hosts) => {
                check_interval("timeout", hosts.clone().unwrap_or_default().timeout)
            }
            Self::DnsPoll(DnsPoll { query, node_basename, polling_interval }) => {
                check_names("query", query, "node_basename", node_basename, domain)?;
                check_interval("polling_interval", *polling_interval)
            }
            Self::KubernetesDns(KubernetesDns { service, application_name, polling_interval }) => {
                check_names("service", service, "application_name", application_name, domain)?;
                check_interval("polling_interval", *polling_interval)
            }
            Self::DnsSrv(srv) => {
                check_names("query", &srv.query, "node_basename", &srv.node_basename, domain)?;
                check_interval("polling_interval", srv.polling_interval)
            }
            Self::KubernetesDnsSrv(srv) => {
                let base = &srv.application_name;
                check_names("service", &srv.service, "application_name", base, domain)?;
                check_names("namespace", &srv.namespace, "application_name", base, domain)?;
                check_interval("polling_interval", srv.polling_interval)
            }
            Self::Kubernetes(kubernetes) => kubernetes.check(domain),
        }
    }
}

impl Gossip {
    fn check(&self) -> Result<(), String> {
        if self.port == 0 {
            return Err("port 0 is no port; the usual one is 45892".to_owned());
        }
        if !self.broadcast_only && !self.multicast_addr.is_multicast() {
            return Err(format!(
                "multicast_addr {} is no multicast address (224.0.0.0 to 239.255.255.255); \
                 for a broadcast address set broadcast_only: true",
                self.multicast_addr
            ));
        }
        if self.secret.is_some() && self.secret_file.is_some() {
            return Err("give secret or secret_file, not both".to_owned());
        }
        Ok(())
    }
}

fn check_interval(key: &str, milliseconds: u64) -> Result<(), String> {
    if milliseconds < POLL_MS_MIN {
        return Err(format!("{key} {milliseconds} is below {POLL_MS_MIN} milliseconds"));
    }
    Ok(())
}

fn check_names(
    query_key: &str,
    query: &str,
    base_key: &str,
    base: &str,
    domain: NameDomain,
) -> Result<(), String> {
    if query.is_empty() || query.chars().any(|c| !c.is_ascii_graphic()) {
        return Err(format!("{query_key} `{query}` is no DNS name"));
    }
    if domain == NameDomain::Short {
        return Err("nodes found by DNS have an address in their names; use --name".to_owned());
    }
    node_name::check(&format!("{base}@127.0.0.1"), domain)
        .map_err(|reason| format!("{base_key}: {reason}"))
}

impl Topologies {
    /// What is wrong with one of them, by name.
    pub(super) fn check(&self, domain: NameDomain) -> Result<(), String> {
        if self.0.len() > TOPOLOGIES_MAX {
            return Err(format!("there are more than {TOPOLOGIES_MAX}"));
        }
        self.0.iter().try_for_each(|(name, topology)| {
            topology.check(domain).map_err(|reason| format!("{name}: {reason}"))
        })
    }
}

impl fmt::Display for Topologies {
    /// Names and strategies; what is in a `config` may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one =
            |(name, topology): (&String, &Topology)| format!("{name}: {}", topology.strategy());
        write!(f, "{{{}}}", self.0.iter().map(one).collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Topologies {
        text.parse().expect(text)
    }

    fn refused(text: &str) -> String {
        match text.parse::<Topologies>() {
            Ok(topologies) => topologies.check(NameDomain::Long).expect_err("must be refused"),
            Err(reason) => reason,
        }
    }

    #[test]
    fn a_topology_of_libcluster_is_carried_over() {
        let text = "har_cluster:\n  strategy: Cluster.Strategy.Gossip\n  config:\n    port: 45892\n    \
                    multicast_addr: 230.1.1.251\n    multicast_ttl: 1\n    secret: hush\n";
        let topologies = read(text);
        let want = Gossip {
            multicast_addr: Ipv4Addr::new(230, 1, 1, 251),
            secret: Some("hush".into()),
            ..Gossip::default()
        };
        assert_eq!(topologies.0["har_cluster"], Topology::Gossip(Some(want)));
        assert_eq!(topologies.check(NameDomain::Long), Ok(()));
        assert_eq!(topologies.to_string(), "{har_cluster: gossip}");
        assert!(!format!("{topologies:?}").contains("hush"));
    }

    #[test]
    fn everything_has_a_default_but_what_must_be_said() {
        let topologies = read(
            "{a: {strategy: gossip}, b: {strategy: local_epmd}, c: {strategy: erlang_hosts},
              d: {strategy: gossip, config: }, e: {strategy: epmd, config: {hosts: [a@b.c]}},
              g: {strategy: dns_srv, config: {query: _har._tcp.x, node_basename: har}},
              h: {strategy: Cluster.Strategy.Kubernetes.DNSSRV,
                  config: {service: har, namespace: prod, application_name: har}},
              f: {strategy: dns_poll, config: {query: har.local, node_basename: har}}}",
        );
        assert_eq!(topologies.check(NameDomain::Long), Ok(()));
        assert!(refused("{a: {strategy: epmd}}").contains("config"));
        assert!(refused("{a: {strategy: dns_poll, config: {query: x}}}").contains("node_basename"));
    }

    #[test]
    fn mistakes_are_named() {
        for (config, named) in [
            ("strategy: gossip, config: {prt: 1}", "prt"),
            ("strategy: gossip, config: {port: 0}", "45892"),
            ("strategy: gossip, config: {multicast_addr: 10.0.0.1}", "broadcast_only"),
            ("strategy: gossip, config: {secret: a, secret_file: b}", "not both"),
            ("strategy: gossip, config: {secret: 123456}", "put it in quotes"),
            ("strategy: gossips", "gossips"),
            ("strategy: epmd, config: {hosts: [nohost]}", "nohost"),
            ("strategy: epmd, config: {hosts: [], timeout: 1}", "timeout"),
            ("strategy: dns_poll, config: {query: '', node_basename: har}", "query"),
            ("strategy: dns_poll, config: {query: x, node_basename: a@b}", "node_basename"),
        ] {
            let reason = refused(&format!("{{a: {{{config}}}}}"));
            assert!(reason.contains(named), "{config}: {reason}");
            assert!(!reason.contains("123456"), "{reason}");
        }
    }

    #[test]
    fn names_by_address_need_long_names() {
        let dns = read("{a: {strategy: dns_poll, config: {query: x, node_basename: har}}}");
        assert!(dns.check(NameDomain::Short).is_err());
    }
}
