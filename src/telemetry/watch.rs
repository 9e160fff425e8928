//! Who joined, who left, who was refused: what the audit hears of, as events.

use std::sync::Arc;

use erlang_interop::node::audit::{AuditEvent, Auditor};

use super::{Event, Telemetry};

/// Stands before the audit of a node and makes events of what it is told.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Where events go.
    pub(crate) telemetry: Telemetry,
    /// The audit.
    pub(crate) audit: Arc<dyn Auditor>,
    /// Whether it writes a log.
    pub(crate) logs: bool,
}

impl Auditor for Watch {
    fn record(&self, event: &AuditEvent<'_>) {
        self.audit.record(event);
        if self.logs
            && let Some(event) = logged(event)
        {
            self.telemetry.execute(&Event::AuditLogged { event });
        }
        match event {
            AuditEvent::Joined(party) => {
                let node = party.node.map_or("", |node| node.as_str());
                self.telemetry.execute(&Event::NodeUp { node });
            }
            AuditEvent::Left { node, reason } => {
                let reason = reason.to_string();
                self.telemetry.execute(&Event::NodeDown { node: node.as_str(), reason: &reason });
            }
            AuditEvent::Refused(party, error) => {
                // A claimed name is no more than that.
                let client = party.node.map_or(party.address, |node| node.as_str());
                self.telemetry.execute(&Event::AuthFailed { client, reason: &error.to_string() });
            }
            AuditEvent::CutOff { address } => {
                let reason = "too many handshakes from there have failed";
                self.telemetry.execute(&Event::AuthFailed { client: address, reason });
            }
            AuditEvent::OverBudget { by, what, max } => {
                let (node, budget) = (by.as_str(), *what);
                self.telemetry.execute(&Event::BudgetExceeded { node, budget, max: *max });
            }
            _ => {}
        }
    }
}

/// The kind of a line in the audit log.
fn logged(event: &AuditEvent<'_>) -> Option<&'static str> {
    Some(match event {
        AuditEvent::Joined(_) => "joined",
        AuditEvent::Refused(..) => "refused",
        AuditEvent::CutOff { .. } => "cut_off",
        AuditEvent::Left { .. } => "left",
        AuditEvent::Called { allowed: true, .. } => "called",
        AuditEvent::Called { allowed: false, .. } => "call_refused",
        AuditEvent::OverBudget { .. } => "over_budget",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use erlang_interop::node::DownReason;
    use erlang_interop::term::atom;

    use super::super::Name;
    use super::*;

    #[derive(Debug)]
    struct Deaf;

    impl Auditor for Deaf {
        fn record(&self, _: &AuditEvent<'_>) {}
    }

    #[test]
    fn what_an_audit_hears_is_an_event() {
        let telemetry = Telemetry::default();
        let watch = |logs| Watch { telemetry: telemetry.clone(), audit: Arc::new(Deaf), logs };
        let node = atom!("a@h");
        watch(true).record(&AuditEvent::Left { node: &node, reason: &DownReason::Disconnected });
        watch(false).record(&AuditEvent::CutOff { address: "10.0.0.1:9" });
        let happened: Vec<Name> =
            telemetry.totals().filter(|(_, total)| *total == 1).map(|(name, _)| name).collect();
        assert_eq!(happened, [Name::NodeDown, Name::AuthFailed, Name::AuditLogged]);
    }
}
