//! The settings as a table, for who asks what is in force and why.

use super::super::cookie::CookieSource;
use super::super::sources::choice;
use super::{Origin, Setting, Settings};

impl Settings {
    /// All settings by key, as `har config show` prints them: key, value, origin. The cookie is
    /// never among them, only where it comes from.
    #[must_use]
    pub fn rows(&self) -> Vec<(&'static str, String, String)> {
        fn row<T>(
            key: &'static str,
            setting: &Setting<T>,
            value: String,
        ) -> (&'static str, String, String) {
            (key, value, setting.origin.to_string())
        }
        let cookie = match &self.cookie {
            None => {
                ("node.cookie_file", "(none: HOME is not set)".into(), Origin::Default.to_string())
            }
            Some(setting) => match &setting.value {
                CookieSource::Given(_) => {
                    row("node.cookie_file", setting, "(not used: cookie ******** was given)".into())
                }
                CookieSource::File(path) => {
                    row("node.cookie_file", setting, path.display().to_string())
                }
            },
        };
        let table = match self.routing_table.value.as_os_str() {
            empty if empty.is_empty() => "(built in)".to_owned(),
            path => path.display().to_string(),
        };
        let optfile = match self.tls_optfile.value.as_os_str() {
            empty if empty.is_empty() => "(none)".to_owned(),
            path => path.display().to_string(),
        };
        let daemon = &self.epmd_daemon;
        let mut rows = vec![
            row("node.name", &self.name, self.name.value.clone()),
            row("node.names", &self.names, choice(self.names.value)),
            row("node.hidden", &self.hidden, self.hidden.value.to_string()),
            row("node.region", &self.region, self.region.value.shown()),
            row("node.zone", &self.zone, self.zone.value.shown()),
            cookie,
            row("node.core_dumps", &self.core_dumps, self.core_dumps.value.to_string()),
            row("distribution.interface", &self.interface, self.interface.value.to_string()),
            row("distribution.listen_min", &self.listen_min, self.listen_min.value.to_string()),
            row("distribution.listen_max", &self.listen_max, self.listen_max.value.to_string()),
            row(
                "distribution.net_ticktime_s",
                &self.net_ticktime_s,
                self.net_ticktime_s.value.to_string(),
            ),
            row("distribution.proto_dist", &self.proto_dist, choice(self.proto_dist.value)),
            row("epmd.port", &self.epmd_port, self.epmd_port.value.to_string()),
            row("epmd.embedded", &self.epmd_embedded, self.epmd_embedded.value.to_string()),
            row("epmd.address", &daemon.address, daemon.address.value.to_string()),
            row(
                "epmd.relaxed_command_check",
                &daemon.relaxed_command_check,
                daemon.relaxed_command_check.value.to_string(),
            ),
            row("epmd.dist_port", &self.dist_port, self.dist_port.value.to_string()),
            row("tls.optfile", &self.tls_optfile, optfile),
        ];
        rows.extend(self.security.rows());
        rows.extend([
            row("cluster.nodes", &self.nodes, format!("[{}]", self.nodes.value.0.join(", "))),
            row("cluster.topologies", &self.topologies, self.topologies.value.to_string()),
            row("balancing.strategy", &self.balancing, self.balancing.value.as_str().to_owned()),
            row("routing.table", &self.routing_table, table),
            row("routing.strict_health", &self.strict_health, self.strict_health.value.to_string()),
        ]);
        rows.extend(self.health.rows());
        rows.extend(self.ops.rows());
        rows.push(row("shutdown.drain_s", &self.drain_s, self.drain_s.value.to_string()));
        rows.extend(self.traces.rows());
        rows.extend([
            row("log.format", &self.log_format, choice(self.log_format.value)),
            row("log.level", &self.log_level, self.log_level.value.clone()),
            row("diagnostics.enabled", &self.diagnostics, self.diagnostics.value.to_string()),
        ]);
        rows
    }
}
