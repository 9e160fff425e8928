//! The control plane: which backend takes an operation.
//!
//! ```text
//! Operation ─RoutingTable→ backends that match ─HealthChecker→ usable ─PolicyEngine→ allowed → decision
//! ```
//! Pure logic over data; [`ControlPlane`] is the shared state that services act on.

mod backend;
mod health;
mod index;
mod pattern;
mod placement;
mod policy;
mod router;
mod routing_table;
mod table_file;
mod text_match;
mod value_match;

use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

pub use backend::Backend;
pub use health::check::{Check, HEALTH_CHECK, Probe};
pub use health::{CircuitState, HealthChange, HealthChecker, Status, backend_id};
pub use pattern::Pattern;
pub use placement::Confined;
pub use policy::{Effect, Policy, PolicyEngine, PolicyStats, TooManyPolicies, Verdict};
pub use router::{RouteError, RoutingDecision, RoutingPlan};
pub use routing_table::{BUILT_IN, Route, RoutingTable, TableVersion};
pub use table_file::TableError;

use crate::security::BackendNetworks;
use crate::semantic::Map;
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
    facts: Map,
    changed: OnceLock<Hook>,
}

/// Told when another table is in force.
struct Hook(Box<dyn Fn() + Send + Sync>);

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

impl ControlPlane {
    /// A control plane with the built-in table and policies, of a node of which nothing is known.
    /// With `strict_health` a backend that nobody checked is not used, as the Elixir HAR has it.
    pub fn new(strict_health: bool) -> Self {
        Self::of_node(Map::new(), BackendNetworks::default(), strict_health)
    }

    /// The same for a node with these facts (`name`, `region`, `zone`), where backends may be in
    /// these networks only.
    pub fn of_node(facts: Map, networks: BackendNetworks, strict_health: bool) -> Self {
        let plane = Self { state: Arc::new(State { networks, facts, ..State::default() }) };
        write(&plane.state.health).strict = strict_health;
        plane
    }

    /// What policies may ask of this node.
    pub fn facts(&self) -> &Map {
        &self.state.facts
    }

    /// The routing table as it stands now; a later reload does not change what is held.
    pub fn table(&self) -> Arc<RoutingTable> {
        Arc::clone(&read(&self.state.table))
    }

    /// Has `told` called, from now on, when another table is in force. Only the first counts.
    pub fn on_table_change(&self, told: impl Fn() + Send + Sync + 'static) {
        // Set by the one who starts the node.
        let _ = self.state.changed.set(Hook(Box::new(told)));
    }

    /// Reads the table that this node starts with.
    ///
    /// # Errors
    /// As [`RoutingTable::from_yaml_within`].
    pub fn begin_with(&self, source: &str) -> Result<(), TableError> {
        let table = RoutingTable::from_yaml_within(source, &self.state.networks)?;
        *write(&self.state.table) = Arc::new(table);
        Ok(())
    }

    /// Reads a table from YAML text and puts it in place, as the newest of the cluster; on an error
    /// the old one stays. Readers see the old one or the new one, never a mixture.
    ///
    /// # Errors
    /// As [`RoutingTable::from_yaml_within`].
    pub fn reload(&self, source: &str) -> Result<(), TableError> {
        let table = self.read_table(source)?;
        {
            let mut current = write(&self.state.table);
            let TableVersion { serial, digest } = current.version();
            // The same file again, as all nodes are told one after the other, is nothing new.
            let same = *serial > 0 && *digest == table.version().digest;
            let next = if same { *serial } else { serial.saturating_add(1) };
            *current = Arc::new(table.with_serial(next));
        }
        self.told();
        Ok(())
    }

    /// Puts a peer's table in place if it is newer. `false`: it is not.
    ///
    /// # Errors
    /// As [`RoutingTable::from_yaml_within`]; the old one stays.
    pub fn follow(&self, serial: u64, source: &str) -> Result<bool, TableError> {
        if serial < self.table().version().serial {
            return Ok(false);
        }
        let table = self.read_table(source)?.with_serial(serial);
        {
            let mut current = write(&self.state.table);
            if table.version() <= current.version() {
                return Ok(false);
            }
            *current = Arc::new(table);
        }
        self.told();
        Ok(true)
    }

    fn read_table(&self, source: &str) -> Result<RoutingTable, TableError> {
        let table = RoutingTable::from_yaml_within(source, &self.state.networks);
        let routes = table.as_ref().ok().map(|table| table.routes().len() as u64);
        self.telemetry().execute(&Event::TableReload { routes });
        table
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

    fn told(&self) {
        if let Some(Hook(told)) = self.state.changed.get() {
            told();
        }
    }

    /// What is known of the backends' health.
    pub fn health(&self) -> RwLockReadGuard<'_, HealthChecker> {
        read(&self.state.health)
    }

    /// As [`ControlPlane::health`], to change it.
    pub fn health_mut(&self) -> RwLockWriteGuard<'_, HealthChecker> {
        write(&self.state.health)
    }

    /// Sets the health of a backend.
    pub fn set_health(&self, id: &str, status: Status) {
        let change = self.health_mut().set(id, status);
        self.health_changed(id, change);
    }

    /// Takes the result of a check of a backend; see [`HealthChecker::checked`].
    pub fn take_check(&self, id: &str, found: &Status, rise: u32, fall: u32) {
        let change = self.health_mut().checked(id, found, rise, fall);
        if let Some(HealthChange { from, to }) = &change {
            tracing::info!(
                backend = id,
                from = from.name(),
                to = to.name(),
                "a backend was checked"
            );
        }
        self.health_changed(id, change);
    }

    /// Takes what somebody who used a backend says of it.
    pub fn report(&self, id: &str, went_well: bool) {
        let change = self.health_mut().reported(id, went_well);
        self.health_changed(id, change);
    }

    fn health_changed(&self, backend: &str, change: Option<HealthChange>) {
        let Some(HealthChange { from, to }) = change else { return };
        let (from, to) = (from.name(), to.name());
        self.telemetry().execute(&Event::HealthChange { backend, from, to });
    }

    /// Where backends may be.
    pub fn networks(&self) -> &BackendNetworks {
        &self.state.networks
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const ONE: &str = "routes:\n  - pattern: {operation: '*'}\n    backends: [{name: one}]\n";
    const TWO: &str = "routes:\n  - pattern: {operation: '*'}\n    backends: [{name: two}]\n";

    fn serial(plane: &ControlPlane) -> u64 {
        plane.table().version().serial
    }

    #[test]
    fn a_refused_table_leaves_the_old_one() {
        let plane = ControlPlane::new(false);
        let before = plane.table();
        assert!(plane.reload("routes: 1").is_err());
        assert!(plane.follow(9, "routes: 1").is_err());
        assert!(Arc::ptr_eq(&plane.table(), &before));
        plane.reload(ONE).unwrap();
        assert_eq!(plane.table().routes().len(), 1);
    }

    #[test]
    fn nodes_that_reload_the_same_file_have_the_same_version() {
        let (a, b) = (ControlPlane::new(false), ControlPlane::new(false));
        b.begin_with(ONE).unwrap();
        assert_eq!(serial(&b), 0);
        for source in [ONE, ONE, TWO] {
            a.reload(source).unwrap();
            b.reload(source).unwrap();
            assert_eq!(a.table().version(), b.table().version());
        }
        assert_eq!(serial(&a), 2);
    }

    #[test]
    fn a_newer_table_is_followed_and_an_older_one_is_not() {
        let (new, old) = (ControlPlane::new(false), ControlPlane::new(false));
        let told = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&told);
        old.on_table_change(move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
        new.reload(ONE).unwrap();
        assert_eq!(old.follow(serial(&new), ONE), Ok(true));
        assert_eq!(old.table().version(), new.table().version());
        assert_eq!(old.follow(serial(&new), ONE), Ok(false));
        assert_eq!(old.follow(0, TWO), Ok(false));
        assert_eq!(told.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn nodes_that_reloaded_different_files_at_once_agree_on_one() {
        let (a, b) = (ControlPlane::new(false), ControlPlane::new(false));
        a.reload(ONE).unwrap();
        b.reload(TWO).unwrap();
        let followed = [a.follow(1, TWO).unwrap(), b.follow(1, ONE).unwrap()];
        assert_eq!(followed.iter().filter(|followed| **followed).count(), 1);
        assert_eq!(a.table().version(), b.table().version());
    }
}
