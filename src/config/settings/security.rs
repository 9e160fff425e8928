//! Who may come in, what they may do and use, and who hears of it.

use std::num::NonZeroU32;
use std::path::PathBuf;

use erlang_interop::node::{NamePattern, Network, limits};

use super::super::cookie::{CookieSource, ErlangCookie};
use super::super::lists::{Entries, List, NodePattern, PeerCalls, PeerCookie};
use super::super::raw::{RawAdmission, RawAudit, RawBackends, RawBudgets, RawCalls};
use super::super::sources::{Sources, choice, value_error};
use super::{ConfigError, Flags, Setting};
use crate::security::{ALLOWED_BY_DEFAULT, AuditedCalls, CallPattern};

/// The least pace a peer can be given, in bytes a second. Below, the pauses would look like silence.
const BYTES_PER_S_MIN: u32 = 65_536;

/// Who may come in, what they may do and use, and who hears of it.
#[derive(Debug, Clone)]
pub struct Security {
    /// Who may connect.
    pub admission: Admission,
    /// What peers may call.
    pub allow_calls: Setting<List<CallPattern>>,
    /// What peers may not call.
    pub deny_calls: Setting<List<CallPattern>>,
    /// What some peers may call.
    pub peer_calls: Setting<Entries<PeerCalls>>,
    /// What may be used.
    pub budgets: Budgets,
    /// File of the audit log; empty: none.
    pub audit_file: Setting<PathBuf>,
    /// Calls that the audit hears of.
    pub audit_calls: Setting<AuditedCalls>,
    /// Networks that backends are in; empty: all.
    pub backend_networks: Setting<List<Network>>,
}

/// Who may connect.
#[derive(Debug, Clone)]
pub struct Admission {
    /// Names that may connect; empty: all.
    pub allow_nodes: Setting<List<NodePattern>>,
    /// Names that a certificate must be for; empty: any certificate, or none.
    pub allow_certificates: Setting<List<NamePattern>>,
    /// Networks to connect from; empty: all.
    pub allow_networks: Setting<List<Network>>,
    /// Names that may not connect.
    pub deny_nodes: Setting<List<NodePattern>>,
    /// Names that no certificate may be for.
    pub deny_certificates: Setting<List<NamePattern>>,
    /// Networks not to connect from.
    pub deny_networks: Setting<List<Network>>,
    /// Cookies of some peers.
    pub cookies: Setting<Entries<PeerCookie>>,
    /// Failed handshakes that an address is forgiven at once; 0: all.
    pub failed_handshakes: Setting<u32>,
    /// Failed handshakes that an address is forgiven each second.
    pub failed_handshakes_per_s: Setting<u32>,
}

/// What may be used, in all or by one peer.
#[derive(Debug, Clone)]
pub struct Budgets {
    /// Connections at a time.
    pub connections: Setting<NonZeroU32>,
    /// Connections with one address.
    pub connections_per_address: Setting<NonZeroU32>,
    /// Calls in flight of one peer.
    pub calls: Setting<NonZeroU32>,
    /// Processes that live for one peer.
    pub processes: Setting<NonZeroU32>,
    /// Links and monitors of one peer.
    pub relations: Setting<NonZeroU32>,
    /// Bytes read from one peer each second; 0: as they come.
    pub bytes_per_s: Setting<u32>,
    /// New atoms of one peer each second; 0: as they come.
    pub new_atoms_per_s: Setting<u32>,
}

/// The sections of the file that this is made of.
pub(super) struct RawSecurity {
    pub(super) admission: RawAdmission,
    pub(super) calls: RawCalls,
    pub(super) budgets: RawBudgets,
    pub(super) audit: RawAudit,
    pub(super) backends: RawBackends,
}

fn limit(value: usize) -> NonZeroU32 {
    let value = u32::try_from(value).unwrap_or(u32::MAX);
    NonZeroU32::new(value).unwrap_or(NonZeroU32::MIN)
}

impl Admission {
    fn resolve(from: &Sources<'_>, flags: &Flags, raw: RawAdmission) -> Result<Self, ConfigError> {
        Ok(Self {
            allow_nodes: from.of(
                "admission.allow_nodes",
                flags.allow_nodes.clone(),
                raw.allow_nodes,
                List::default,
            )?,
            allow_certificates: from.of(
                "admission.allow_certificates",
                None,
                raw.allow_certificates,
                List::default,
            )?,
            allow_networks: from.of(
                "admission.allow_networks",
                flags.allow_networks.clone(),
                raw.allow_networks,
                List::default,
            )?,
            deny_nodes: from.of(
                "admission.deny_nodes",
                flags.deny_nodes.clone(),
                raw.deny_nodes,
                List::default,
            )?,
            deny_certificates: from.of(
                "admission.deny_certificates",
                None,
                raw.deny_certificates,
                List::default,
            )?,
            deny_networks: from.of(
                "admission.deny_networks",
                flags.deny_networks.clone(),
                raw.deny_networks,
                List::default,
            )?,
            cookies: from.of("admission.cookies", None, raw.cookies, Entries::default)?,
            failed_handshakes: from.of(
                "admission.failed_handshakes",
                None,
                raw.failed_handshakes,
                || limits::FAILED_HANDSHAKES_BURST,
            )?,
            failed_handshakes_per_s: from.of(
                "admission.failed_handshakes_per_s",
                None,
                raw.failed_handshakes_per_s,
                || limits::FAILED_HANDSHAKES_PER_SECOND,
            )?,
        })
    }
}

impl Budgets {
    fn resolve(from: &Sources<'_>, raw: RawBudgets) -> Result<Self, ConfigError> {
        let new_atoms = || u32::try_from(limits::PEER_NEW_ATOMS_PER_SECOND).unwrap_or(u32::MAX);
        Ok(Self {
            connections: from.of("budgets.connections", None, raw.connections, || {
                limit(limits::CONNECTIONS_MAX)
            })?,
            connections_per_address: from.of(
                "budgets.connections_per_address",
                None,
                raw.connections_per_address,
                || limit(limits::ADDRESS_CONNECTIONS_MAX),
            )?,
            calls: from.of("budgets.calls", None, raw.calls, || limit(limits::PEER_CALLS_MAX))?,
            processes: from.of("budgets.processes", None, raw.processes, || {
                limit(limits::PEER_PROCESSES_MAX)
            })?,
            relations: from.of("budgets.relations", None, raw.relations, || {
                limit(limits::PEER_RELATIONS_MAX)
            })?,
            bytes_per_s: from.of("budgets.bytes_per_s", None, raw.bytes_per_s, || 0)?,
            new_atoms_per_s: from.of(
                "budgets.new_atoms_per_s",
                None,
                raw.new_atoms_per_s,
                new_atoms,
            )?,
        })
    }
}

impl Security {
    pub(super) fn resolve(
        from: &Sources<'_>,
        flags: &Flags,
        raw: RawSecurity,
    ) -> Result<Self, ConfigError> {
        let RawSecurity { admission, calls, budgets, audit, backends } = raw;
        let allowed = || List(crate::security::patterns(ALLOWED_BY_DEFAULT));
        Ok(Self {
            admission: Admission::resolve(from, flags, admission)?,
            allow_calls: from.of("calls.allow", None, calls.allow, allowed)?,
            deny_calls: from.of("calls.deny", None, calls.deny, List::default)?,
            peer_calls: from.of("calls.peers", None, calls.peers, Entries::default)?,
            budgets: Budgets::resolve(from, budgets)?,
            audit_file: from.of(
                "audit.file",
                flags.audit_file.clone(),
                audit.file,
                PathBuf::new,
            )?,
            audit_calls: from.of("audit.calls", None, audit.calls, || AuditedCalls::Privileged)?,
            backend_networks: from.of(
                "backends.networks",
                None,
                backends.networks,
                List::default,
            )?,
        })
    }

    /// What is wrong with it as a whole. `tls`: whether peers have certificates.
    pub(super) fn check(&self, tls: bool) -> Result<(), ConfigError> {
        for (key, list) in [
            ("admission.allow_certificates", &self.admission.allow_certificates),
            ("admission.deny_certificates", &self.admission.deny_certificates),
        ] {
            if !tls && !list.value.0.is_empty() {
                let reason = "without TLS peers have no certificates: give tls.optfile".to_owned();
                return Err(value_error(key, &list.origin, reason));
            }
        }
        if (1..BYTES_PER_S_MIN).contains(&self.budgets.bytes_per_s.value) {
            let reason = format!("at least {BYTES_PER_S_MIN}, or 0 for no limit");
            return Err(value_error(
                "budgets.bytes_per_s",
                &self.budgets.bytes_per_s.origin,
                reason,
            ));
        }
        if self.admission.failed_handshakes.value > 0
            && self.admission.failed_handshakes_per_s.value == 0
        {
            let reason = "0 would cut off an address for ever; 5 is usual".to_owned();
            let origin = &self.admission.failed_handshakes_per_s.origin;
            return Err(value_error("admission.failed_handshakes_per_s", origin, reason));
        }
        Ok(())
    }

    /// The cookies of some peers, each with its pattern.
    ///
    /// # Errors
    /// A file is not there, or not to be trusted.
    pub fn peer_cookies(&self) -> Result<Vec<(NamePattern, ErlangCookie)>, ConfigError> {
        let mut cookies = Vec::new();
        for entry in &self.admission.cookies.value.0 {
            let cookie = CookieSource::File(entry.file.clone()).cookie(false)?;
            cookies.extend(entry.nodes.0.iter().map(|node| (node.0.clone(), cookie.clone())));
        }
        Ok(cookies)
    }

    /// The rows of `har config show`.
    pub(super) fn rows(&self) -> Vec<(&'static str, String, String)> {
        fn row<T: ToString>(
            key: &'static str,
            setting: &Setting<T>,
        ) -> (&'static str, String, String) {
            (key, setting.value.to_string(), setting.origin.to_string())
        }
        let file = match self.audit_file.value.as_os_str() {
            empty if empty.is_empty() => "(none)".to_owned(),
            path => path.display().to_string(),
        };
        vec![
            row("admission.allow_nodes", &self.admission.allow_nodes),
            row("admission.allow_certificates", &self.admission.allow_certificates),
            row("admission.allow_networks", &self.admission.allow_networks),
            row("admission.deny_nodes", &self.admission.deny_nodes),
            row("admission.deny_certificates", &self.admission.deny_certificates),
            row("admission.deny_networks", &self.admission.deny_networks),
            row("admission.cookies", &self.admission.cookies),
            row("admission.failed_handshakes", &self.admission.failed_handshakes),
            row("admission.failed_handshakes_per_s", &self.admission.failed_handshakes_per_s),
            row("calls.allow", &self.allow_calls),
            row("calls.deny", &self.deny_calls),
            row("calls.peers", &self.peer_calls),
            row("budgets.connections", &self.budgets.connections),
            row("budgets.connections_per_address", &self.budgets.connections_per_address),
            row("budgets.calls", &self.budgets.calls),
            row("budgets.processes", &self.budgets.processes),
            row("budgets.relations", &self.budgets.relations),
            row("budgets.bytes_per_s", &self.budgets.bytes_per_s),
            row("budgets.new_atoms_per_s", &self.budgets.new_atoms_per_s),
            ("audit.file", file, self.audit_file.origin.to_string()),
            ("audit.calls", choice(self.audit_calls.value), self.audit_calls.origin.to_string()),
            row("backends.networks", &self.backend_networks),
        ]
    }
}
