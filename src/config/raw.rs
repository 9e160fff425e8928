//! The configuration file as written: every key optional, nothing looked up or checked yet.
//!
//! The field names are the file's keys. [`super::schema`] takes them from here, so a new setting
//! is a field here, a line in [`super::settings`] and a line in `config/har.example.yaml`.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize};

use erlang_interop::node::{NamePattern, Network};

use super::http_url::HttpUrl;
use super::lists::{Entries, List, NodePattern, PeerCalls, PeerCookie};
use super::place_name::PlaceName;
use super::{Balancing, Topologies};
use crate::security::{AuditedCalls, CallPattern};

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawConfig {
    /// Who this node is.
    #[serde(deserialize_with = "section")]
    pub node: RawNode,
    /// How other nodes reach it.
    #[serde(deserialize_with = "section")]
    pub distribution: RawDistribution,
    /// The port mapper daemon.
    #[serde(deserialize_with = "section")]
    pub epmd: RawEpmd,
    /// How connections are encrypted.
    #[serde(deserialize_with = "section")]
    pub tls: RawTls,
    /// Who may connect.
    #[serde(deserialize_with = "section")]
    pub admission: RawAdmission,
    /// What peers may call.
    #[serde(deserialize_with = "section")]
    pub calls: RawCalls,
    /// What peers may use.
    #[serde(deserialize_with = "section")]
    pub budgets: RawBudgets,
    /// Who joined, who was refused, who called what.
    #[serde(deserialize_with = "section")]
    pub audit: RawAudit,
    /// Where backends may be.
    #[serde(deserialize_with = "section")]
    pub backends: RawBackends,
    /// Whom it joins.
    #[serde(deserialize_with = "section")]
    pub cluster: RawCluster,
    /// Which node takes an operation.
    #[serde(deserialize_with = "section")]
    pub balancing: RawBalancing,
    /// Which backend takes an operation.
    #[serde(deserialize_with = "section")]
    pub routing: RawRouting,
    /// How backends are asked whether they work.
    #[serde(deserialize_with = "section")]
    pub health: RawHealth,
    /// Where metrics and probes are.
    #[serde(deserialize_with = "section")]
    pub ops: RawOps,
    /// How it ends.
    #[serde(deserialize_with = "section")]
    pub shutdown: RawShutdown,
    /// Which work led to which, on which nodes.
    #[serde(deserialize_with = "section")]
    pub traces: RawTraces,
    /// What it writes about itself.
    #[serde(deserialize_with = "section")]
    pub log: RawLog,
    /// Processes for tests and benchmarks.
    #[serde(deserialize_with = "section")]
    pub diagnostics: RawDiagnostics,
}

/// Section `node`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawNode {
    /// `alive` or `alive@host`.
    pub name: Option<String>,
    /// Long or short names.
    pub names: Option<NameDomain>,
    /// Whether the node stays out of `nodes()` and the full mesh.
    pub hidden: Option<bool>,
    /// Region of this node: `eu`.
    pub region: Option<PlaceName>,
    /// Zone within the region: `eu-west-1a`.
    pub zone: Option<PlaceName>,
    /// File that holds the cookie. The cookie itself has no key: files like this one get copied.
    pub cookie_file: Option<PathBuf>,
    /// Whether the system may write the memory of the node into a core file.
    pub core_dumps: Option<bool>,
}

/// Section `distribution`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawDistribution {
    /// Address to listen on.
    pub interface: Option<IpAddr>,
    /// Lowest port to listen on; 0: any free one.
    pub listen_min: Option<u16>,
    /// Highest port to listen on.
    pub listen_max: Option<u16>,
    /// Silence after which a peer counts as gone, in seconds.
    pub net_ticktime_s: Option<u32>,
    /// What carries the distribution.
    pub proto_dist: Option<ProtoDist>,
}

/// Section `tls`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawTls {
    /// File with the TLS options, as for `erl -ssl_dist_optfile`.
    pub optfile: Option<PathBuf>,
}

/// Section `epmd`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawEpmd {
    /// Port of the port mapper daemon, the same on all hosts of a cluster.
    pub port: Option<u16>,
    /// Whether to run the daemon inside this node when none answers.
    pub embedded: Option<bool>,
    /// Addresses that this daemon listens on, beside loopback.
    pub address: Option<List<IpAddr>>,
    /// Whether it ends while names are registered when told to, and drops names.
    pub relaxed_command_check: Option<bool>,
    /// The port of every node, which makes the daemon needless.
    pub dist_port: Option<u16>,
}

/// Section `admission`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawAdmission {
    /// Names that may connect.
    pub allow_nodes: Option<List<NodePattern>>,
    /// Names that a certificate must be for.
    pub allow_certificates: Option<List<NamePattern>>,
    /// Networks to connect from.
    pub allow_networks: Option<List<Network>>,
    /// Names that may not connect.
    pub deny_nodes: Option<List<NodePattern>>,
    /// Names that no certificate may be for.
    pub deny_certificates: Option<List<NamePattern>>,
    /// Networks not to connect from.
    pub deny_networks: Option<List<Network>>,
    /// Cookies of some peers.
    pub cookies: Option<Entries<PeerCookie>>,
    /// Failed handshakes that an address is forgiven at once.
    pub failed_handshakes: Option<u32>,
    /// And each second.
    pub failed_handshakes_per_s: Option<u32>,
}

/// Section `calls`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawCalls {
    /// What peers may call.
    pub allow: Option<List<CallPattern>>,
    /// What they may not.
    pub deny: Option<List<CallPattern>>,
    /// What some may.
    pub peers: Option<Entries<PeerCalls>>,
}

/// Section `budgets`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawBudgets {
    /// Connections at a time.
    pub connections: Option<NonZeroU32>,
    /// Connections with one address.
    pub connections_per_address: Option<NonZeroU32>,
    /// Calls in flight of one peer.
    pub calls: Option<NonZeroU32>,
    /// Processes that live for one peer.
    pub processes: Option<NonZeroU32>,
    /// Links and monitors of one peer.
    pub relations: Option<NonZeroU32>,
    /// Bytes read from one peer each second.
    pub bytes_per_s: Option<u32>,
    /// New atoms of one peer each second.
    pub new_atoms_per_s: Option<u32>,
}

/// Section `audit`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawAudit {
    /// The file to append to.
    pub file: Option<PathBuf>,
    /// Which calls it has.
    pub calls: Option<AuditedCalls>,
}

/// Section `backends`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawBackends {
    /// Networks that backends are in.
    pub networks: Option<List<Network>>,
}

/// Section `cluster`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawCluster {
    /// Nodes to connect to and stay connected to.
    pub nodes: Option<Vec<String>>,
    /// Ways to find nodes, by name, as libcluster has them.
    pub topologies: Option<Topologies>,
}

/// Section `balancing`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawBalancing {
    /// How a node is chosen for an operation.
    pub strategy: Option<Balancing>,
}

/// Section `routing`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawRouting {
    /// File with the routing table; the built-in one when left out.
    pub table: Option<PathBuf>,
    /// Whether a backend whose health nobody checked is left out.
    pub strict_health: Option<bool>,
}

/// Section `health`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawHealth {
    /// Time between two checks of a backend.
    pub interval_ms: Option<NonZeroU32>,
    /// Longest time of one.
    pub timeout_ms: Option<NonZeroU32>,
    /// Good answers in a row that make an unhealthy backend healthy.
    pub rise: Option<NonZeroU32>,
    /// Bad answers in a row that make a healthy one unhealthy.
    pub fall: Option<NonZeroU32>,
    /// Whose commands are run.
    pub commands: Option<Commands>,
}

/// Section `ops`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawOps {
    /// Port of metrics and probes; 0: none.
    pub port: Option<u16>,
    /// Address it is on.
    pub interface: Option<IpAddr>,
}

/// Section `shutdown`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawShutdown {
    /// How long what peers have asked for may still take, in seconds.
    pub drain_s: Option<u32>,
}

/// Section `traces`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawTraces {
    /// Where spans are sent.
    pub endpoint: Option<HttpUrl>,
    /// How many of a hundred traces that begin here are collected.
    pub sample_percent: Option<u32>,
}

/// Section `log`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawLog {
    /// How a line looks.
    pub format: Option<LogFormat>,
    /// Lowest level written, also by module: `info,erlang_dist=debug`.
    pub level: Option<String>,
}

/// Section `diagnostics`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawDiagnostics {
    /// Whether `echo` and `sink` are registered.
    pub enabled: Option<bool>,
}

/// Long names have a dotted host, short ones a plain one; nodes of the two kinds do not mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum NameDomain {
    /// As `erl -name`.
    Long,
    /// As `erl -sname`.
    Short,
}

/// What carries the distribution, in OTP's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum ProtoDist {
    /// TCP as it is.
    InetTcp,
    /// TLS.
    InetTls,
}

/// Which tables may have commands run that check backends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Commands {
    /// None.
    None,
    /// The one this node was started with, as long as it is in force.
    OwnTable,
    /// Also one that a peer has put in place, and whoever calls `check_now/1`.
    Any,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people: time, level, place, message, fields.
    Text,
    /// For people at a narrow terminal: no time, no place.
    Compact,
    /// For machines: one JSON object a line.
    Json,
}

/// A section whose keys are all commented out reads as null; that is an empty section.
fn section<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
