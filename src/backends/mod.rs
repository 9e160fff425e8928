//! Asking backends whether they work: each one as its metadata in the routing table says, again and
//! again, a few at a time.

mod limits;
mod probe;
mod schedule;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::config::{Commands, Health};
use crate::control_plane::{Check, ControlPlane, Probe, RoutingTable, Status};
use limits::{CHECKS_AT_A_TIME, LOOK, LOOKUPS_AT_A_TIME};
use schedule::Schedule;

/// Asks backends. Clones share the number of checks at a time.
#[derive(Clone, Debug)]
pub struct Checker {
    plane: ControlPlane,
    rules: Rules,
    /// The table that the operator has given this node.
    own: Arc<RoutingTable>,
    /// Turns of those whose time has come.
    in_turn: Arc<Semaphore>,
    /// Turns of those that callers want now: many of them must not hold up the others.
    wanted: Arc<Semaphore>,
    /// Names that are looked up.
    lookups: Arc<Semaphore>,
}

/// What the settings say of all checks.
#[derive(Clone, Copy, Debug)]
struct Rules {
    interval: Duration,
    timeout: Duration,
    rise: u32,
    fall: u32,
    commands: Commands,
}

/// Who gave the check: that decides whether a command is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Giver {
    /// The table this node was started with.
    Operator,
    /// A table that came later, or the caller of `check_now/1`.
    Peer,
}

impl Checker {
    /// For a control plane whose table is the one it starts with.
    #[must_use]
    pub fn new(plane: ControlPlane, settings: &Health) -> Self {
        let rules = Rules {
            interval: settings.interval(),
            timeout: settings.timeout(),
            rise: settings.rise.value.get(),
            fall: settings.fall.value.get(),
            commands: settings.commands.value,
        };
        let own = plane.table();
        let turns = || Arc::new(Semaphore::new(CHECKS_AT_A_TIME));
        let lookups = Arc::new(Semaphore::new(LOOKUPS_AT_A_TIME));
        Self { plane, rules, own, in_turn: turns(), wanted: turns(), lookups }
    }

    /// With the settings that nobody has changed.
    #[cfg(test)]
    pub(crate) fn of_defaults(plane: ControlPlane) -> Self {
        use crate::config::{Environment, Flags, Settings};
        let settings = Settings::resolve(Flags::default(), &Environment::default());
        Self::new(plane, &settings.expect("defaults").health)
    }

    /// Asks a backend now, and takes the answer for its health. `check`: `None` when nothing says
    /// how to ask it, and then it is taken for healthy. spec: contract 5.3
    pub async fn check_now(&self, id: &str, check: Option<&Check>) -> Status {
        let longest = self.rules.timeout;
        let status = match check {
            None => Status::Healthy,
            // A caller waits no longer for its turn, nor has others wait for it, than the settings say.
            Some(check) => match timeout(longest, self.wanted.acquire()).await {
                Ok(Ok(_turn)) => self.question(check, Giver::Peer, longest).await,
                // Nothing was found out.
                _ => return Status::Unknown,
            },
        };
        self.plane.set_health(id, status.clone());
        status
    }

    /// What is known of a backend whose check makes no sense: nothing.
    #[must_use]
    pub fn cannot_check(&self, id: &str) -> Status {
        self.plane.set_health(id, Status::Unknown);
        Status::Unknown
    }

    /// Time between two checks of a backend.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.rules.interval
    }

    /// Longest time of a check.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.rules.timeout
    }

    /// Asks all backends of the table in force, again and again. Never returns.
    pub(crate) async fn keep_checking(self) {
        let mut table: Option<Arc<RoutingTable>> = None;
        let mut schedule = Schedule::default();
        let mut running = JoinSet::new();
        loop {
            let now = Instant::now();
            let in_force = self.plane.table();
            if table.as_ref().is_none_or(|table| !Arc::ptr_eq(table, &in_force)) {
                let checks = checks_of(&in_force);
                for id in schedule.replace(checks, self.rules.interval, now, random_fraction) {
                    // What was found out once would stand for ever.
                    self.plane.take_check(&id, &Status::Unknown, 1, 1);
                }
                table = Some(in_force);
            }
            let giver = match &table {
                Some(table) if Arc::ptr_eq(table, &self.own) => Giver::Operator,
                _ => Giver::Peer,
            };
            while let Some((id, check)) = schedule.due(now) {
                let checker = self.clone();
                running.spawn(async move {
                    let status = checker.ask(&check, giver).await;
                    (id, check, status)
                });
            }
            tokio::select! {
                Some(done) = running.join_next() => match done {
                    Ok((id, check, status)) => {
                        if schedule.done(&id, Instant::now(), random_fraction) {
                            self.take(&id, &check, &status);
                        }
                    }
                    Err(error) => tracing::error!(%error, "a check ended without a word"),
                },
                () = sleep_until(schedule.next().unwrap_or(now + LOOK).min(now + LOOK)) => {}
            }
        }
    }

    fn take(&self, id: &str, check: &Check, status: &Status) {
        let rise = check.rise.unwrap_or(self.rules.rise);
        let fall = check.fall.unwrap_or(self.rules.fall);
        self.plane.take_check(id, status, rise, fall);
    }

    /// One question in its turn, within its time. Waiting for the turn does not count.
    async fn ask(&self, check: &Check, giver: Giver) -> Status {
        let Ok(_turn) = self.in_turn.acquire().await else { return Status::Unknown };
        self.question(check, giver, Duration::MAX).await
    }

    /// One question, within its time and within `longest`.
    async fn question(&self, check: &Check, giver: Giver, longest: Duration) -> Status {
        if matches!(check.probe, Probe::Command { .. }) && !self.may_run(giver) {
            tracing::debug!("a command is not run: health.commands does not allow it");
            return Status::Unknown;
        }
        let time = check.timeout.unwrap_or(self.rules.timeout).min(longest);
        let asked = probe::ask(&check.probe, self.plane.networks(), &self.lookups);
        timeout(time, asked).await.unwrap_or(Status::Unhealthy)
    }

    fn may_run(&self, giver: Giver) -> bool {
        match self.rules.commands {
            Commands::None => false,
            Commands::OwnTable => giver == Giver::Operator,
            Commands::Any => true,
        }
    }
}

/// The checks of a table by the id of their backend; of several for one backend the first counts.
fn checks_of(table: &RoutingTable) -> impl Iterator<Item = (String, Check)> {
    let backends = table.routes().iter().flat_map(|route| &route.backends);
    backends.filter_map(|backend| {
        // What is wrong was refused with its table.
        let check = Check::of_metadata(&backend.metadata).ok().flatten()?;
        Some((backend.id(), check))
    })
}

/// A number below one.
fn random_fraction() -> f64 {
    getrandom::u32().map_or(0.5, |random| f64::from(random) / (f64::from(u32::MAX) + 1.0))
}

#[cfg(test)]
mod tests;
