//! Where metrics and probes are.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::super::raw::RawOps;
use super::super::sources::Sources;
use super::{ConfigError, Flags, Setting};

/// The ops port.
#[derive(Debug, Clone)]
pub struct Ops {
    /// Its number; 0: there is none.
    pub port: Setting<u16>,
    /// Address it is on.
    pub interface: Setting<IpAddr>,
}

impl Ops {
    /// None until told otherwise: several nodes of a machine could not have the same one, and who
    /// needs no metrics spends nothing on them.
    pub(super) fn resolve(
        from: &Sources<'_>,
        flags: &Flags,
        raw: RawOps,
    ) -> Result<Self, ConfigError> {
        let loopback = || IpAddr::V4(Ipv4Addr::LOCALHOST);
        Ok(Self {
            port: from.of("ops.port", flags.ops_port, raw.port, || 0)?,
            interface: from.of("ops.interface", flags.ops_interface, raw.interface, loopback)?,
        })
    }

    /// Where to listen, if anywhere.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        let port = self.port.value;
        (port != 0).then(|| SocketAddr::new(self.interface.value, port))
    }

    /// The rows of `har config show`.
    pub(super) fn rows(&self) -> [(&'static str, String, String); 2] {
        let Self { port, interface } = self;
        [
            ("ops.port", port.value.to_string(), port.origin.to_string()),
            ("ops.interface", interface.value.to_string(), interface.origin.to_string()),
        ]
    }
}
