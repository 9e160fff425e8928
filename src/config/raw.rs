//! The configuration file as written: every key optional, nothing looked up or checked yet.
//!
//! The field names are the file's keys. [`super::schema`] takes them from here, so a new setting
//! is a field here, a line in [`super::settings`] and a line in `config/har.example.yaml`.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize};

use super::{Balancing, Topologies};

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
    /// Whom it joins.
    #[serde(deserialize_with = "section")]
    pub cluster: RawCluster,
    /// Which node takes an operation.
    #[serde(deserialize_with = "section")]
    pub balancing: RawBalancing,
    /// Which backend takes an operation.
    #[serde(deserialize_with = "section")]
    pub routing: RawRouting,
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
    /// File that holds the cookie. The cookie itself has no key: files like this one get copied.
    pub cookie_file: Option<PathBuf>,
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
