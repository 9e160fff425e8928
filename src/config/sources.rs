//! Where a setting's value can come from, in which order, and reading it from text.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;
use serde::Deserialize;

use super::http_url::HttpUrl;
use super::lists::{Entries, List};
use super::place_name::PlaceName;
use super::raw::Commands;
use super::settings::{Origin, Setting};
use super::{Balancing, ConfigError, Environment, LogFormat, NameDomain, ProtoDist, Topologies};
use crate::security::AuditedCalls;

/// Node names, comma separated in the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeList(pub Vec<String>);

impl FromStr for NodeList {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let names = text.split([',', ' ']).map(str::trim).filter(|name| !name.is_empty());
        Ok(Self(names.map(str::to_owned).collect()))
    }
}

/// Values that can come from the environment, with what to say when they do not parse.
pub(super) trait FromText: Sized {
    fn from_text(text: &str) -> Result<Self, String>;
}

macro_rules! from_text {
    ($($type:ty => $wanted:literal),* $(,)?) => { $(
        impl FromText for $type {
            fn from_text(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_| format!(concat!("`{}` is not ", $wanted), text))
            }
        }
    )* };
}

impl<T: FromStr<Err: fmt::Display>> FromText for List<T> {
    fn from_text(text: &str) -> Result<Self, String> {
        text.parse()
    }
}

impl<T: for<'de> Deserialize<'de>> FromText for Entries<T> {
    fn from_text(text: &str) -> Result<Self, String> {
        text.parse()
    }
}

impl FromText for AuditedCalls {
    fn from_text(text: &str) -> Result<Self, String> {
        from_choice(text)
    }
}

from_text! {
    NonZeroU32 => "a whole number above 0",
    u16 => "a port (0 to 65535)",
    u32 => "a whole number",
    bool => "true or false",
    IpAddr => "an IP address",
    String => "text",
    PathBuf => "a path",
    NodeList => "a list of nodes",
}

impl FromText for LogFormat {
    fn from_text(text: &str) -> Result<Self, String> {
        from_choice(text)
    }
}

impl FromText for Commands {
    fn from_text(text: &str) -> Result<Self, String> {
        from_choice(text)
    }
}

impl FromText for Option<HttpUrl> {
    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map(Some)
    }
}

impl FromText for Balancing {
    fn from_text(text: &str) -> Result<Self, String> {
        from_choice(text)
    }
}

impl FromText for Topologies {
    fn from_text(text: &str) -> Result<Self, String> {
        // The text is not repeated: it may hold a secret.
        text.parse().map_err(|reason| format!("not topologies: {reason}"))
    }
}

impl FromText for PlaceName {
    fn from_text(text: &str) -> Result<Self, String> {
        text.parse()
    }
}

impl FromText for ProtoDist {
    fn from_text(text: &str) -> Result<Self, String> {
        from_choice(text)
    }
}

impl FromText for NameDomain {
    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            // RELEASE_DISTRIBUTION speaks of flags.
            "name" => Ok(Self::Long),
            "sname" => Ok(Self::Short),
            "none" => {
                Err("`none` would leave the node without distribution; use name or sname".into())
            }
            _ => from_choice(text),
        }
    }
}

fn from_choice<T: ValueEnum>(text: &str) -> Result<T, String> {
    T::from_str(text, true).map_err(|_| {
        let choices: Vec<String> = T::value_variants().iter().copied_choices().collect();
        format!("`{text}` is not one of {}", choices.join(", "))
    })
}

pub(super) fn choice<T: ValueEnum>(value: T) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

trait Choices {
    fn copied_choices(self) -> impl Iterator<Item = String>;
}

impl<'a, T: ValueEnum + 'a, I: Iterator<Item = &'a T>> Choices for I {
    fn copied_choices(self) -> impl Iterator<Item = String> {
        self.map(|value| choice(value.clone()))
    }
}

/// The environment variables of a setting, first match wins. The first is always ours: `HAR_` and
/// the key. Then the names a BEAM's user knows.
pub(super) fn variables(key: &str) -> &'static [&'static str] {
    match key {
        "node.name" => &["HAR_NODE_NAME", "RELEASE_NODE"],
        "node.names" => &["HAR_NODE_NAMES", "RELEASE_DISTRIBUTION"],
        "node.hidden" => &["HAR_NODE_HIDDEN"],
        "node.region" => &["HAR_NODE_REGION"],
        "node.zone" => &["HAR_NODE_ZONE"],
        "node.cookie_file" => &["HAR_NODE_COOKIE_FILE"],
        "node.core_dumps" => &["HAR_NODE_CORE_DUMPS"],
        "distribution.interface" => &["HAR_DISTRIBUTION_INTERFACE", "POD_IP"],
        "distribution.listen_min" => &["HAR_DISTRIBUTION_LISTEN_MIN"],
        "distribution.listen_max" => &["HAR_DISTRIBUTION_LISTEN_MAX"],
        "distribution.net_ticktime_s" => &["HAR_DISTRIBUTION_NET_TICKTIME_S"],
        "distribution.proto_dist" => &["HAR_DISTRIBUTION_PROTO_DIST"],
        "tls.optfile" => &["HAR_TLS_OPTFILE"],
        "epmd.port" => &["HAR_EPMD_PORT", "ERL_EPMD_PORT"],
        "epmd.embedded" => &["HAR_EPMD_EMBEDDED"],
        "epmd.address" => &["HAR_EPMD_ADDRESS", "ERL_EPMD_ADDRESS"],
        // That of Erlang's daemon is not read as true or false.
        "epmd.relaxed_command_check" => &["HAR_EPMD_RELAXED_COMMAND_CHECK"],
        "epmd.dist_port" => &["HAR_EPMD_DIST_PORT", "ERL_DIST_PORT"],
        "admission.allow_nodes" => &["HAR_ADMISSION_ALLOW_NODES"],
        "admission.allow_certificates" => &["HAR_ADMISSION_ALLOW_CERTIFICATES"],
        "admission.allow_networks" => &["HAR_ADMISSION_ALLOW_NETWORKS"],
        "admission.deny_nodes" => &["HAR_ADMISSION_DENY_NODES"],
        "admission.deny_certificates" => &["HAR_ADMISSION_DENY_CERTIFICATES"],
        "admission.deny_networks" => &["HAR_ADMISSION_DENY_NETWORKS"],
        "admission.cookies" => &["HAR_ADMISSION_COOKIES"],
        "admission.failed_handshakes" => &["HAR_ADMISSION_FAILED_HANDSHAKES"],
        "admission.failed_handshakes_per_s" => &["HAR_ADMISSION_FAILED_HANDSHAKES_PER_S"],
        "calls.allow" => &["HAR_CALLS_ALLOW"],
        "calls.deny" => &["HAR_CALLS_DENY"],
        "calls.peers" => &["HAR_CALLS_PEERS"],
        "budgets.connections" => &["HAR_BUDGETS_CONNECTIONS"],
        "budgets.connections_per_address" => &["HAR_BUDGETS_CONNECTIONS_PER_ADDRESS"],
        "budgets.calls" => &["HAR_BUDGETS_CALLS"],
        "budgets.processes" => &["HAR_BUDGETS_PROCESSES"],
        "budgets.relations" => &["HAR_BUDGETS_RELATIONS"],
        "budgets.bytes_per_s" => &["HAR_BUDGETS_BYTES_PER_S"],
        "budgets.new_atoms_per_s" => &["HAR_BUDGETS_NEW_ATOMS_PER_S"],
        "audit.file" => &["HAR_AUDIT_FILE"],
        "audit.calls" => &["HAR_AUDIT_CALLS"],
        "backends.networks" => &["HAR_BACKENDS_NETWORKS"],
        "cluster.nodes" => &["HAR_CLUSTER_NODES"],
        "cluster.topologies" => &["HAR_CLUSTER_TOPOLOGIES"],
        "balancing.strategy" => &["HAR_BALANCING_STRATEGY"],
        "routing.table" => &["HAR_ROUTING_TABLE"],
        "routing.strict_health" => &["HAR_ROUTING_STRICT_HEALTH"],
        "health.interval_ms" => &["HAR_HEALTH_INTERVAL_MS"],
        "health.timeout_ms" => &["HAR_HEALTH_TIMEOUT_MS"],
        "health.rise" => &["HAR_HEALTH_RISE"],
        "health.fall" => &["HAR_HEALTH_FALL"],
        "health.commands" => &["HAR_HEALTH_COMMANDS"],
        "ops.port" => &["HAR_OPS_PORT"],
        "ops.interface" => &["HAR_OPS_INTERFACE"],
        "shutdown.drain_s" => &["HAR_SHUTDOWN_DRAIN_S"],
        "traces.endpoint" => &["HAR_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"],
        "traces.sample_percent" => &["HAR_TRACES_SAMPLE_PERCENT"],
        "log.format" => &["HAR_LOG_FORMAT"],
        "log.level" => &["HAR_LOG_LEVEL"],
        "diagnostics.enabled" => &["HAR_DIAGNOSTICS_ENABLED"],
        _ => &[],
    }
}

/// The flag of a setting, as `config show` names it.
fn flag_of(key: &str) -> &'static str {
    match key {
        "node.hidden" => "--hidden",
        "node.cookie_file" => "--cookie-file",
        "distribution.interface" => "--interface",
        "distribution.listen_min" => "--listen-min",
        "distribution.listen_max" => "--listen-max",
        "distribution.proto_dist" => "--proto-dist",
        "tls.optfile" => "--ssl-dist-optfile",
        "epmd.port" => "--epmd-port",
        "epmd.embedded" => "--no-epmd",
        "epmd.dist_port" => "--dist-port",
        "admission.allow_nodes" => "--allow-nodes",
        "admission.allow_networks" => "--allow-networks",
        "admission.deny_nodes" => "--deny-nodes",
        "admission.deny_networks" => "--deny-networks",
        "audit.file" => "--audit-file",
        "cluster.nodes" => "--connect",
        "ops.port" => "--ops-port",
        "ops.interface" => "--ops-interface",
        "log.format" => "--log",
        "log.level" => "--log-level",
        "diagnostics.enabled" => "--diagnostics",
        _ => "of the command line",
    }
}

pub(super) struct Sources<'e> {
    pub(super) environment: &'e Environment,
    pub(super) file: PathBuf,
}

impl Sources<'_> {
    /// The value of `key`: flag, else environment, else file, else default.
    pub(super) fn of<T: FromText>(
        &self,
        key: &'static str,
        flag: Option<T>,
        file: Option<T>,
        default: impl FnOnce() -> T,
    ) -> Result<Setting<T>, ConfigError> {
        self.of_flag(key, flag.map(|value| (value, flag_of(key))), file, default)
    }

    /// As [`Sources::of`], for a setting that has more than one flag.
    pub(super) fn of_flag<T: FromText>(
        &self,
        key: &'static str,
        flag: Option<(T, &'static str)>,
        file: Option<T>,
        default: impl FnOnce() -> T,
    ) -> Result<Setting<T>, ConfigError> {
        if let Some((value, flag)) = flag {
            return Ok(Setting { value, origin: Origin::Flag(flag) });
        }
        for name in variables(key) {
            let Some(text) = self.environment.variable(name) else { continue };
            let origin = Origin::Variable(name);
            let value = T::from_text(text).map_err(|reason| value_error(key, &origin, reason))?;
            return Ok(Setting { value, origin });
        }
        Ok(match file {
            Some(value) => Setting { value, origin: Origin::File(self.file.clone()) },
            None => Setting { value: default(), origin: Origin::Default },
        })
    }
}

pub(super) fn value_error(key: &str, origin: &Origin, reason: String) -> ConfigError {
    ConfigError::Value { key: key.into(), origin: origin.clone(), line: None, reason }
}
