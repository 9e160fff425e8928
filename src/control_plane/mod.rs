//! The control plane: which backend takes an operation.
//!
//! ```text
//! Operation ─RoutingTable→ backends that match ─HealthChecker→ usable ─PolicyEngine→ allowed → decision
//! ```
//! Pure logic over data; [`ControlPlane`] is the shared state that services act on.

mod backend;
mod health;
mod pattern;
mod policy;
mod router;
mod routing_table;

use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

pub use backend::Backend;
pub use health::{HealthChecker, Status, backend_id};
pub use pattern::Pattern;
pub use policy::{Effect, Policy, PolicyEngine, PolicyStats, Verdict};
pub use router::{RouteError, RoutingDecision, RoutingPlan};
pub use routing_table::{BUILT_IN, Route, RoutingTable, TableError};

use crate::security::BackendNetworks;
use crate::telemetry::{Event, Telemetry};

/// Routing table, health and policies of a node. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct ControlPlane {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    table: RwLock<Arc<RoutingTable>>,
    health: RwLock<HealthChecker>,
    policies: RwLock<PolicyEngine>,
    networks: BackendNetworks,
    telemetry: OnceLock<Telemetry>,
}

impl ControlPlane {
    /// A control plane with the built-in table and policies. With `strict_health` a backend that
    /// nobody checked is not used, as the Elixir HAR has it.
    pub fn new(strict_health: bool) -> Self {
        Self::within(BackendNetworks::default(), strict_health)
    }

    /// The same, where backends may be in these networks only.
    pub fn within(networks: BackendNetworks, strict_health: bool) -> Self {
        let plane = Self { state: Arc::new(State { networks, ..State::default() }) };
        write(&plane.state.health).strict = strict_health;
        plane
    }

    /// The routing table as it stands now; a later reload does not change what is held.
    pub fn table(&self) -> Arc<RoutingTable> {
        Arc::clone(&read(&self.state.table))
    }

    /// Puts another table in place. Readers see the old one or the new one, never a mixture.
    pub fn replace_table(&self, table: RoutingTable) {
        *write(&self.state.table) = Arc::new(table);
    }

    /// Reads a table from YAML text and puts it in place; on an error the old one stays.
    ///
    /// # Errors
    /// As [`RoutingTable::from_yaml_within`].
    pub fn reload(&self, source: &str) -> Result<(), TableError> {
        let table = RoutingTable::from_yaml_within(source, &self.state.networks);
        let routes = table.as_ref().ok().map(|table| table.routes().len() as u64);
        // The table that a node starts with is none that was put in the place of another.
        if let Some(telemetry) = self.state.telemetry.get() {
            telemetry.execute(&Event::TableReload { routes });
        }
        self.replace_table(table?);
        Ok(())
    }

    /// Has events go to `telemetry`. Only the first counts.
    pub fn tell(&self, telemetry: Telemetry) {
        // Set by the one who starts the node, before anything happens.
        let _ = self.state.telemetry.set(telemetry);
    }

    /// Where events go.
    pub fn telemetry(&self) -> &Telemetry {
        self.state.telemetry.get_or_init(Telemetry::default)
    }

    /// What is known of the backends' health.
    pub fn health(&self) -> RwLockReadGuard<'_, HealthChecker> {
        read(&self.state.health)
    }

    /// As [`ControlPlane::health`], to change it.
    pub fn health_mut(&self) -> RwLockWriteGuard<'_, HealthChecker> {
        write(&self.state.health)
    }

    /// The policies.
    pub fn policies(&self) -> RwLockReadGuard<'_, PolicyEngine> {
        read(&self.state.policies)
    }

    /// As [`ControlPlane::policies`], to change them.
    pub fn policies_mut(&self) -> RwLockWriteGuard<'_, PolicyEngine> {
        write(&self.state.policies)
    }
}

// A panic while a lock was held leaves data that is still whole: each change is one assignment.
fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
