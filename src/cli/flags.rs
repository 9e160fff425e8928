//! The flags that several commands share, defined once.

use std::net::IpAddr;
use std::path::PathBuf;

use erlang_interop::node::Network;

use crate::config::{
    Environment, Flags, List, LogFormat, NameDomain, NodePattern, PlaceName, ProtoDist, Settings,
};

use super::Failure;

/// Flags of every command that is a node, even for a moment.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct IdentityFlags {
    /// Read settings from this YAML file [env: HAR_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Long node name: NAME@HOST with a dotted host [env: HAR_NODE_NAME, RELEASE_NODE]
    #[arg(long, value_name = "NAME", conflicts_with = "sname")]
    name: Option<String>,
    /// Short node name: NAME or NAME@HOST with a plain host
    #[arg(long, value_name = "NAME")]
    sname: Option<String>,
    /// The cookie itself; a file is safer [env: HAR_COOKIE, RELEASE_COOKIE]
    #[arg(long, value_name = "COOKIE", env = super::arguments::COOKIE_VARIABLE, hide_env = true)]
    cookie: Option<String>,
    /// File with the cookie, made when absent [default: ~/.erlang.cookie]
    #[arg(long, value_name = "FILE")]
    cookie_file: Option<PathBuf>,
    /// Port of EPMD, the same on all hosts [env: ERL_EPMD_PORT] [default: 4369]
    #[arg(long, value_name = "PORT")]
    epmd_port: Option<u16>,
    /// Ask no EPMD: every node listens on this port, as by erl -erl_epmd_port [env: ERL_DIST_PORT]
    #[arg(long, value_name = "PORT")]
    dist_port: Option<u16>,
    /// What carries the distribution: plain TCP or TLS [default: inet_tls with an options file]
    #[arg(long, value_name = "PROTOCOL")]
    proto_dist: Option<ProtoDist>,
    /// TLS by this options file, as a BEAM reads it; `har certs init` makes one
    #[arg(long, value_name = "FILE")]
    ssl_dist_optfile: Option<PathBuf>,
    /// Format of log lines [default: text]
    #[arg(long, value_name = "FORMAT")]
    log: Option<LogFormat>,
    /// Lowest level logged, also by module: info,erlang_dist=debug [default: info]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
}

impl IdentityFlags {
    /// Resolves these with the environment and the file.
    pub(super) fn settings(&self) -> Result<Settings, Failure> {
        Ok(Settings::resolve(self.flags(), &Environment::of_process())?)
    }

    fn flags(&self) -> Flags {
        let long = self.name.clone().map(|name| ("--name", NameDomain::Long, name));
        let short = self.sname.clone().map(|name| ("--sname", NameDomain::Short, name));
        Flags {
            config: self.config.clone(),
            name: long.or(short),
            cookie: self.cookie.clone(),
            cookie_file: self.cookie_file.clone(),
            epmd_port: self.epmd_port,
            dist_port: self.dist_port,
            proto_dist: self.proto_dist,
            ssl_dist_optfile: self.ssl_dist_optfile.clone(),
            log_format: self.log,
            log_level: self.log_level.clone(),
            ..Flags::default()
        }
    }
}

/// Flags of commands about a node that stays.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct NodeFlags {
    #[command(flatten)]
    identity: IdentityFlags,
    /// Fail when no EPMD answers, instead of running one inside this node
    #[arg(long)]
    no_epmd: bool,
    /// Lowest port to listen on [default: any free port]
    #[arg(long, value_name = "PORT")]
    listen_min: Option<u16>,
    /// Highest port to listen on
    #[arg(long, value_name = "PORT")]
    listen_max: Option<u16>,
    /// Address to listen on [env: POD_IP] [default: 127.0.0.1]
    #[arg(long, value_name = "IP")]
    interface: Option<IpAddr>,
    /// Stay out of `nodes()` and of the full mesh
    #[arg(long)]
    hidden: bool,
    /// Region of this node, as `eu`: policies may ask for it
    #[arg(long, value_name = "NAME")]
    region: Option<PlaceName>,
    /// Zone within the region, as `eu-west-1a`
    #[arg(long, value_name = "NAME")]
    zone: Option<PlaceName>,
    /// Connect to these nodes and stay connected [env: HAR_CLUSTER_NODES]
    #[arg(long, value_name = "NODE", num_args = 1.., value_delimiter = ',')]
    connect: Option<Vec<String>>,
    /// Register `echo` and `sink`, for interop tests and benchmarks
    #[arg(long)]
    diagnostics: bool,
    /// Only nodes of these names may connect, as `web*@10.0.0.*`, comma separated
    #[arg(long, value_name = "PATTERNS")]
    allow_nodes: Option<List<NodePattern>>,
    /// Nodes of these names may not connect
    #[arg(long, value_name = "PATTERNS")]
    deny_nodes: Option<List<NodePattern>>,
    /// Only nodes in these networks may connect, as 10.0.0.0/8, comma separated
    #[arg(long, value_name = "NETWORKS")]
    allow_networks: Option<List<Network>>,
    /// Nodes in these networks may not connect
    #[arg(long, value_name = "NETWORKS")]
    deny_networks: Option<List<Network>>,
    /// Append who joined, who was refused and who called what to this file, as JSON lines
    #[arg(long, value_name = "FILE")]
    audit_file: Option<PathBuf>,
    /// Serve /metrics, /healthz and /readyz on this port [default: none]
    #[arg(long, value_name = "PORT")]
    ops_port: Option<u16>,
    /// Address that port is on [default: 127.0.0.1]
    #[arg(long, value_name = "IP")]
    ops_interface: Option<IpAddr>,
}

impl NodeFlags {
    /// Resolves these with the environment and the file.
    pub(super) fn settings(&self) -> Result<Settings, Failure> {
        let flags = Flags {
            epmd_embedded: self.no_epmd.then_some(false),
            listen_min: self.listen_min,
            listen_max: self.listen_max,
            interface: self.interface,
            hidden: self.hidden.then_some(true),
            region: self.region.clone(),
            zone: self.zone.clone(),
            nodes: self.connect.clone(),
            diagnostics: self.diagnostics.then_some(true),
            allow_nodes: self.allow_nodes.clone(),
            deny_nodes: self.deny_nodes.clone(),
            allow_networks: self.allow_networks.clone(),
            deny_networks: self.deny_networks.clone(),
            audit_file: self.audit_file.clone(),
            ops_port: self.ops_port,
            ops_interface: self.ops_interface,
            ..self.identity.flags()
        };
        Ok(Settings::resolve(flags, &Environment::of_process())?)
    }
}
