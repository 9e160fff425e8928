//! From the settings to who may come in, what they may do and use, and who hears of it.

use std::num::NonZeroU64;
use std::sync::Arc;

use erlang_interop::node::{Admission, Cookie, NodeConfig};
use erlang_interop::otp::CallPolicy;

use super::StartFailure;
use crate::config::{ConfigError, ErlangCookie, Security};
use crate::security::{AuditLog, CallGuard, CallRules};

/// A cookie as the handshake takes it.
pub(super) fn cookie(cookie: &ErlangCookie) -> Result<Cookie, ConfigError> {
    Cookie::new(cookie.reveal()).map_err(|_| ConfigError::CookieMalformed {
        origin: "the settings".into(),
        reason: "it is empty or too long",
    })
}

/// Sets lists, budgets and the cookies of some peers.
pub(super) fn apply(config: &mut NodeConfig, settings: &Security) -> Result<(), ConfigError> {
    config.admission = admission(settings)?;
    let count = |value: u32| usize::try_from(value).unwrap_or(usize::MAX);
    config.failed_handshakes_burst = settings.admission.failed_handshakes.value;
    config.failed_handshakes_per_second = settings.admission.failed_handshakes_per_s.value;
    config.connections_max = count(settings.budgets.connections.value.get());
    config.address_connections_max = count(settings.budgets.connections_per_address.value.get());
    config.peer_calls_max = count(settings.budgets.calls.value.get());
    config.peer_processes_max = count(settings.budgets.processes.value.get());
    config.peer_relations_max = count(settings.budgets.relations.value.get());
    config.peer_bytes_per_second = NonZeroU64::new(settings.budgets.bytes_per_s.value.into());
    config.peer_new_atoms_per_second =
        NonZeroU64::new(settings.budgets.new_atoms_per_s.value.into());
    Ok(())
}

fn admission(settings: &Security) -> Result<Admission, ConfigError> {
    let names = |list: &crate::config::List<crate::config::NodePattern>| {
        list.0.iter().map(|node| node.0.clone()).collect::<Vec<_>>()
    };
    let mut admission = Admission::default();
    admission.allow.nodes = names(&settings.admission.allow_nodes.value);
    admission.allow.certificates.clone_from(&settings.admission.allow_certificates.value.0);
    admission.allow.networks.clone_from(&settings.admission.allow_networks.value.0);
    admission.deny.nodes = names(&settings.admission.deny_nodes.value);
    admission.deny.certificates.clone_from(&settings.admission.deny_certificates.value.0);
    admission.deny.networks.clone_from(&settings.admission.deny_networks.value.0);
    for (pattern, own) in settings.peer_cookies()? {
        admission.cookies.push((pattern, cookie(&own)?));
    }
    Ok(admission)
}

/// What peers may call.
pub(super) fn policy(settings: &Security) -> Arc<dyn CallPolicy> {
    let rules = CallRules {
        allow: settings.allow_calls.value.0.clone(),
        deny: settings.deny_calls.value.0.clone(),
    };
    let mut peers = Vec::new();
    for entry in &settings.peer_calls.value.0 {
        for node in &entry.nodes.0 {
            let own = CallRules { allow: entry.allow.0.clone(), deny: entry.deny.0.clone() };
            peers.push((node.0.clone(), own));
        }
    }
    Arc::new(CallGuard::new(rules, peers, settings.audit_calls.value))
}

/// The audit log, if there is a file for it.
pub(super) fn audit(settings: &Security) -> Result<Option<Arc<AuditLog>>, StartFailure> {
    let path = &settings.audit_file.value;
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    let opened = AuditLog::open(path);
    opened
        .map(|log| Some(Arc::new(log)))
        .map_err(|source| StartFailure::Audit { path: path.clone(), source })
}
