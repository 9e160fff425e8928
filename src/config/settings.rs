//! The one resolved answer: each setting with its value and where the value came from.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use erlang_interop::node::Network;

use super::cookie::{self, CookieSource, ErlangCookie};
use super::file::read_text;
use super::lists::{List, NodePattern};
use super::place_name::PlaceName;
use super::sources::{NodeList, Sources, value_error};
use super::{
    Balancing, ConfigError, Environment, LogFormat, NameDomain, ProtoDist, RawConfig, Topologies,
    Topology, node_name, schema,
};

mod epmd;
mod health;
mod ops;
mod rows;
mod security;
mod traces;

pub use epmd::EmbeddedEpmd;
pub use health::Health;
pub use ops::Ops;
use security::RawSecurity;
pub use security::Security;
pub use traces::Traces;

/// The port all of Erlang uses for EPMD. spec: erl_dist_protocol, "EPMD Protocol"
const EPMD_PORT: u16 = 4369;
/// As OTP's `net_ticktime`.
const NET_TICKTIME_S: u32 = 60;
/// Less than the 30 seconds that Kubernetes gives a pod.
const DRAIN_S: u32 = 20;
/// The name of a node that was given none.
const ALIVE: &str = "har";

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A command line flag: `--name`.
    Flag(&'static str),
    /// An environment variable.
    Variable(&'static str),
    /// The configuration file.
    File(PathBuf),
    /// Nobody said otherwise.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "flag {flag}"),
            Self::Variable(name) => write!(f, "environment {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value and its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value the program runs by.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

/// What the flags asked for; `None` where a flag was not given.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--name`, `--sname`: the flag, the kind, the name.
    pub name: Option<(&'static str, NameDomain, String)>,
    /// `--cookie`
    pub cookie: Option<String>,
    /// `--cookie-file`
    pub cookie_file: Option<PathBuf>,
    /// `--epmd-port`
    pub epmd_port: Option<u16>,
    /// `--no-epmd`: no embedded daemon.
    pub epmd_embedded: Option<bool>,
    /// `--dist-port`
    pub dist_port: Option<u16>,
    /// `--listen-min`
    pub listen_min: Option<u16>,
    /// `--listen-max`
    pub listen_max: Option<u16>,
    /// `--interface`
    pub interface: Option<IpAddr>,
    /// `--hidden`
    pub hidden: Option<bool>,
    /// `--region`
    pub region: Option<PlaceName>,
    /// `--zone`
    pub zone: Option<PlaceName>,
    /// `--connect`
    pub nodes: Option<Vec<String>>,
    /// `--proto-dist`
    pub proto_dist: Option<ProtoDist>,
    /// `--ssl-dist-optfile`
    pub ssl_dist_optfile: Option<PathBuf>,
    /// `--log`
    pub log_format: Option<LogFormat>,
    /// `--log-level`
    pub log_level: Option<String>,
    /// `--diagnostics`
    pub diagnostics: Option<bool>,
    /// `--allow-nodes`
    pub allow_nodes: Option<List<NodePattern>>,
    /// `--allow-networks`
    pub allow_networks: Option<List<Network>>,
    /// `--deny-nodes`
    pub deny_nodes: Option<List<NodePattern>>,
    /// `--deny-networks`
    pub deny_networks: Option<List<Network>>,
    /// `--audit-file`
    pub audit_file: Option<PathBuf>,
    /// `--ops-port`
    pub ops_port: Option<u16>,
    /// `--ops-interface`
    pub ops_interface: Option<IpAddr>,
}

/// Everything the program runs by.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Full name of the node: `har@127.0.0.1`.
    pub name: Setting<String>,
    /// Long or short names.
    pub names: Setting<NameDomain>,
    /// Whether the node stays out of `nodes()` and the full mesh.
    pub hidden: Setting<bool>,
    /// Region of this node; empty: not known.
    pub region: Setting<PlaceName>,
    /// Zone within the region; empty: not known.
    pub zone: Setting<PlaceName>,
    /// Where the cookie is; `None` when there is no place to look.
    pub cookie: Option<Setting<CookieSource>>,
    /// Address to listen on.
    pub interface: Setting<IpAddr>,
    /// Lowest port to listen on; 0: any free one.
    pub listen_min: Setting<u16>,
    /// Highest port to listen on; at least `listen_min`.
    pub listen_max: Setting<u16>,
    /// Silence after which a peer counts as gone, in seconds.
    pub net_ticktime_s: Setting<u32>,
    /// What carries the distribution.
    pub proto_dist: Setting<ProtoDist>,
    /// File with the TLS options; empty: none.
    pub tls_optfile: Setting<PathBuf>,
    /// Port of the port mapper daemon.
    pub epmd_port: Setting<u16>,
    /// Whether to run the daemon inside this node when none answers.
    pub epmd_embedded: Setting<bool>,
    /// What that daemon runs by, beside its port.
    pub epmd_daemon: EmbeddedEpmd,
    /// The port that every node listens on, so that nobody asks a daemon; 0: the daemon is asked.
    pub dist_port: Setting<u16>,
    /// Nodes to connect to and stay connected to.
    pub nodes: Setting<NodeList>,
    /// Ways to find nodes.
    pub topologies: Setting<Topologies>,
    /// How a node is chosen for an operation.
    pub balancing: Setting<Balancing>,
    /// File with the routing table; empty: the built-in one.
    pub routing_table: Setting<PathBuf>,
    /// Whether a backend whose health nobody checked is left out.
    pub strict_health: Setting<bool>,
    /// How backends are asked whether they work.
    pub health: Health,
    /// Where metrics and probes are.
    pub ops: Ops,
    /// How long a node that leaves finishes what peers have asked for, in seconds.
    pub drain_s: Setting<u32>,
    /// Whether traces are collected, and where.
    pub traces: Traces,
    /// How log lines look.
    pub log_format: Setting<LogFormat>,
    /// What is logged: a level, or levels by module.
    pub log_level: Setting<String>,
    /// Whether `echo` and `sink` are registered.
    pub diagnostics: Setting<bool>,
    /// Whether the system may write the memory of the node into a core file.
    pub core_dumps: Setting<bool>,
    /// Who may come in, and what they may do.
    pub security: Security,
}

impl Settings {
    /// Resolves flags, environment and file (read here) to one answer.
    ///
    /// # Errors
    /// The file cannot be read or is wrong, or a value from anywhere is.
    pub fn resolve(flags: Flags, environment: &Environment) -> Result<Self, ConfigError> {
        let path =
            flags.config.clone().or_else(|| environment.variable("HAR_CONFIG").map(Into::into));
        let text = path.as_deref().map(read).transpose()?;
        let raw = match (&path, &text) {
            (Some(path), Some(text)) => schema::read(path, text)?,
            _ => RawConfig::default(),
        };
        Self::of(flags, environment, path, raw)
            .map_err(|error| error.with_line(text.as_deref().unwrap_or_default()))
    }

    fn of(
        flags: Flags,
        environment: &Environment,
        path: Option<PathBuf>,
        raw: RawConfig,
    ) -> Result<Self, ConfigError> {
        let from = Sources { environment, file: path.unwrap_or_default() };
        let domain = domain(&from, &flags, &raw)?;
        let interface = interface(&from, &flags, &raw)?;
        let name = name(&from, &flags, &raw, domain.value, interface.value)?;
        let cookie = cookie(&from, &flags, &raw)?;
        let nodes = nodes(&from, &flags, raw.cluster.nodes.clone(), domain.value)?;
        let (proto_dist, tls_optfile) = transport(&from, &flags, &raw)?;
        let topologies = topologies(&from, raw.cluster.topologies.clone(), domain.value)?;
        let RawConfig {
            node, distribution: dist, epmd, balancing, routing, log, diagnostics, ..
        } = raw;
        let RawConfig { admission, calls, budgets, audit, backends, shutdown, .. } = raw;
        let security = RawSecurity { admission, calls, budgets, audit, backends };
        let settings = Self {
            health: Health::resolve(&from, raw.health)?,
            traces: Traces::resolve(&from, raw.traces)?,
            ops: Ops::resolve(&from, &flags, raw.ops)?,
            security: Security::resolve(&from, &flags, security)?,
            core_dumps: from.of("node.core_dumps", None, node.core_dumps, || false)?,
            proto_dist,
            tls_optfile,
            name,
            names: domain,
            hidden: from.of("node.hidden", flags.hidden, node.hidden, || false)?,
            region: from.of("node.region", flags.region, node.region, PlaceName::default)?,
            zone: from.of("node.zone", flags.zone, node.zone, PlaceName::default)?,
            cookie,
            interface,
            listen_min: from.of(
                "distribution.listen_min",
                flags.listen_min,
                dist.listen_min,
                || 0,
            )?,
            listen_max: from.of(
                "distribution.listen_max",
                flags.listen_max,
                dist.listen_max,
                || 0,
            )?,
            net_ticktime_s: from.of(
                "distribution.net_ticktime_s",
                None,
                dist.net_ticktime_s,
                || NET_TICKTIME_S,
            )?,
            epmd_port: from.of("epmd.port", flags.epmd_port, epmd.port, || EPMD_PORT)?,
            epmd_embedded: from.of("epmd.embedded", flags.epmd_embedded, epmd.embedded, || true)?,
            epmd_daemon: EmbeddedEpmd::resolve(&from, &epmd)?,
            dist_port: from.of("epmd.dist_port", flags.dist_port, epmd.dist_port, || 0)?,
            nodes,
            topologies,
            // As Elixir nodes have it: nodes of one cluster must agree.
            balancing: from
                .of("balancing.strategy", None, balancing.strategy, || Balancing::HashMod)?,
            routing_table: from.of("routing.table", None, routing.table, PathBuf::new)?,
            strict_health: from
                .of("routing.strict_health", None, routing.strict_health, || false)?,
            drain_s: from.of("shutdown.drain_s", None, shutdown.drain_s, || DRAIN_S)?,
            log_format: from.of("log.format", flags.log_format, log.format, || LogFormat::Text)?,
            log_level: from.of("log.level", flags.log_level, log.level, || "info".into())?,
            diagnostics: from.of(
                "diagnostics.enabled",
                flags.diagnostics,
                diagnostics.enabled,
                || false,
            )?,
        };
        settings.checked()
    }

    /// The cookie, made when its file does not exist and `create` is true.
    ///
    /// # Errors
    /// There is none, or its file is not to be trusted.
    pub fn erlang_cookie(&self, create: bool) -> Result<ErlangCookie, ConfigError> {
        self.cookie.as_ref().ok_or(ConfigError::NoCookiePlace)?.value.cookie(create)
    }

    fn checked(mut self) -> Result<Self, ConfigError> {
        if self.listen_max.value == 0 {
            self.listen_max.value = self.listen_min.value;
        }
        if self.listen_max.value < self.listen_min.value {
            let reason =
                format!("{} is below listen_min {}", self.listen_max.value, self.listen_min.value);
            return Err(value_error("distribution.listen_max", &self.listen_max.origin, reason));
        }
        if self.listen_min.value == 0 && self.listen_max.value != 0 {
            let reason = "give listen_min too, or neither".to_owned();
            return Err(value_error("distribution.listen_max", &self.listen_max.origin, reason));
        }
        if self.proto_dist.value == ProtoDist::InetTls
            && self.tls_optfile.value.as_os_str().is_empty()
        {
            let reason =
                "inet_tls needs --ssl-dist-optfile or tls.optfile; `har certs init` makes one";
            let origin = &self.proto_dist.origin;
            return Err(value_error("distribution.proto_dist", origin, reason.to_owned()));
        }
        let plain = self.proto_dist.value == ProtoDist::InetTcp;
        self.security.check(!plain)?;
        self.health.check()?;
        self.traces.check()?;
        let optfile = &self.tls_optfile;
        // A flag may overrule the file for once. Otherwise nobody means to lose the encryption.
        let overruled = matches!(self.proto_dist.origin, Origin::Flag(_))
            && !matches!(optfile.origin, Origin::Flag(_));
        if plain && !optfile.value.as_os_str().is_empty() && !overruled {
            let reason = "inet_tcp would leave the TLS options unused; remove one of the two";
            let origin = &self.proto_dist.origin;
            return Err(value_error("distribution.proto_dist", origin, reason.to_owned()));
        }
        if self.dist_port.value != 0 {
            self.check_without_epmd()?;
        }
        if self.epmd_port.value == 0 {
            let reason = "0 is no port; the usual one is 4369".to_owned();
            return Err(value_error("epmd.port", &self.epmd_port.origin, reason));
        }
        if self.net_ticktime_s.value == 0 {
            let reason = "0 would drop every peer; the usual value is 60".to_owned();
            return Err(value_error(
                "distribution.net_ticktime_s",
                &self.net_ticktime_s.origin,
                reason,
            ));
        }
        if let Err(error) = self.log_level.value.parse::<tracing_subscriber::filter::Targets>() {
            let reason = format!(
                "`{}`: {error}; write error, warn, info, debug, trace or off",
                self.log_level.value
            );
            return Err(value_error("log.level", &self.log_level.origin, reason));
        }
        Ok(self)
    }

    /// What means nothing without EPMD, or can't be had.
    fn check_without_epmd(&self) -> Result<(), ConfigError> {
        let port = self.dist_port.value;
        let listen = &self.listen_min;
        if listen.value != 0 && (listen.value, self.listen_max.value) != (port, port) {
            let reason = format!("every node listens on epmd.dist_port {port}; leave this one out");
            return Err(value_error("distribution.listen_min", &listen.origin, reason));
        }
        let by_epmd = |topology: &Topology| {
            matches!(topology, Topology::LocalEpmd(_) | Topology::ErlangHosts(_))
        };
        let topologies = &self.topologies;
        if let Some((name, topology)) = topologies.value.0.iter().find(|(_, one)| by_epmd(one)) {
            let reason = format!(
                "{name}: {} asks EPMD, and epmd.dist_port {port} does without; list the nodes by `epmd` \
                 or choose another strategy",
                topology.strategy(),
            );
            return Err(value_error("cluster.topologies", &topologies.origin, reason));
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    read_text(path).map_err(|source| ConfigError::Unreadable { path: path.into(), source })
}

fn domain(
    from: &Sources<'_>,
    flags: &Flags,
    raw: &RawConfig,
) -> Result<Setting<NameDomain>, ConfigError> {
    let flag = flags.name.as_ref().map(|(flag, domain, _)| (*domain, *flag));
    from.of_flag("node.names", flag, raw.node.names, || NameDomain::Long)
}

/// Loopback until told otherwise: without TLS the cookie is all that keeps strangers out.
fn interface(
    from: &Sources<'_>,
    flags: &Flags,
    raw: &RawConfig,
) -> Result<Setting<IpAddr>, ConfigError> {
    let default = || IpAddr::V4(Ipv4Addr::LOCALHOST);
    from.of("distribution.interface", flags.interface, raw.distribution.interface, default)
}

/// What carries the distribution, and the file with the options of TLS.
fn transport(
    from: &Sources<'_>,
    flags: &Flags,
    raw: &RawConfig,
) -> Result<(Setting<ProtoDist>, Setting<PathBuf>), ConfigError> {
    let (flag, file) = (flags.ssl_dist_optfile.clone(), raw.tls.optfile.clone());
    let optfile = from.of("tls.optfile", flag, file, PathBuf::new)?;
    // Whoever names the options of TLS wants it.
    let default = || match optfile.value.as_os_str().is_empty() {
        true => ProtoDist::InetTcp,
        false => ProtoDist::InetTls,
    };
    let file = raw.distribution.proto_dist;
    let proto = from.of("distribution.proto_dist", flags.proto_dist, file, default)?;
    Ok((proto, optfile))
}

fn name(
    from: &Sources<'_>,
    flags: &Flags,
    raw: &RawConfig,
    domain: NameDomain,
    interface: IpAddr,
) -> Result<Setting<String>, ConfigError> {
    let flag = flags.name.as_ref().map(|(flag, _, name)| (name.clone(), *flag));
    let typed = from.of_flag("node.name", flag, raw.node.name.clone(), || ALIVE.to_owned())?;
    let host = || match domain {
        NameDomain::Short => node_name::short_host(),
        NameDomain::Long if interface.is_unspecified() => Ipv4Addr::LOCALHOST.to_string(),
        NameDomain::Long => interface.to_string(),
    };
    let value = node_name::complete(&typed.value, domain, host)
        .map_err(|reason| value_error("node.name", &typed.origin, reason))?;
    Ok(Setting { value, origin: typed.origin })
}

fn cookie(
    from: &Sources<'_>,
    flags: &Flags,
    raw: &RawConfig,
) -> Result<Option<Setting<CookieSource>>, ConfigError> {
    let given = |text: &str, origin: Origin| {
        let cookie = ErlangCookie::new(text, &origin.to_string())?;
        Ok(Some(Setting { value: CookieSource::Given(cookie), origin }))
    };
    if let Some(text) = &flags.cookie {
        return given(text, Origin::Flag("--cookie"));
    }
    if flags.cookie_file.is_none() {
        for name in ["HAR_COOKIE", "RELEASE_COOKIE"] {
            if let Some(text) = from.environment.variable(name) {
                return given(text, Origin::Variable(name));
            }
        }
    }
    let flag = flags.cookie_file.clone();
    let default = || cookie::default_file(from.environment).unwrap_or_default();
    let file = from.of("node.cookie_file", flag, raw.node.cookie_file.clone(), default)?;
    let Setting { value, origin } = file;
    if value.as_os_str().is_empty() {
        return Ok(None);
    }
    Ok(Some(Setting { value: CookieSource::File(value), origin }))
}

fn nodes(
    from: &Sources<'_>,
    flags: &Flags,
    file: Option<Vec<String>>,
    domain: NameDomain,
) -> Result<Setting<NodeList>, ConfigError> {
    let flag = flags.nodes.clone().map(NodeList);
    let list = from.of("cluster.nodes", flag, file.map(NodeList), NodeList::default)?;
    for node in &list.value.0 {
        node_name::check(node, domain)
            .map_err(|reason| value_error("cluster.nodes", &list.origin, reason))?;
    }
    Ok(list)
}

fn topologies(
    from: &Sources<'_>,
    file: Option<Topologies>,
    domain: NameDomain,
) -> Result<Setting<Topologies>, ConfigError> {
    let found = from.of("cluster.topologies", None, file, Topologies::default)?;
    found
        .value
        .check(domain)
        .map_err(|reason| value_error("cluster.topologies", &found.origin, reason))?;
    Ok(found)
}

#[cfg(test)]
mod tests;
