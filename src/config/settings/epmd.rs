//! The port mapper daemon that a node runs when none answers.

use std::net::IpAddr;

use super::super::lists::List;
use super::super::sources::Sources;
use super::super::{ConfigError, raw::RawEpmd};
use super::{Origin, Setting};

const RELAXED: &str = "epmd.relaxed_command_check";
/// Where it is set it counts, whatever it says, as for Erlang's own daemon.
const RELAXED_OF_ERLANG: &str = "ERL_EPMD_RELAXED_COMMAND_CHECK";

/// What it runs by, beside its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddedEpmd {
    /// Addresses to listen on, beside loopback; none: where the node listens.
    pub address: Setting<List<IpAddr>>,
    /// Whether it can be told to end while names are registered, and to drop a name.
    pub relaxed_command_check: Setting<bool>,
}

impl EmbeddedEpmd {
    pub(super) fn resolve(from: &Sources<'_>, raw: &RawEpmd) -> Result<Self, ConfigError> {
        let variable = |name| from.environment.variable(name).is_some();
        let relaxed = from.of(RELAXED, None, raw.relaxed_command_check, || false)?;
        let of_erlang =
            variable(RELAXED_OF_ERLANG) && !matches!(relaxed.origin, Origin::Variable(_));
        Ok(Self {
            address: from.of("epmd.address", None, raw.address.clone(), List::default)?,
            relaxed_command_check: match of_erlang {
                true => Setting { value: true, origin: Origin::Variable(RELAXED_OF_ERLANG) },
                false => relaxed,
            },
        })
    }
}
