//! When which backend is asked. Pure: time and randomness are arguments.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::limits::{CHECKS_MAX, JITTER};
use crate::control_plane::Check;

/// See the [module](self).
#[derive(Default)]
pub(super) struct Schedule {
    checks: HashMap<String, Row>,
    due: BinaryHeap<Reverse<(Instant, String)>>,
    default_interval: Duration,
}

struct Row {
    check: Check,
    running: bool,
}

impl Schedule {
    /// Takes these checks in the place of the others. New ones are spread over their interval; those
    /// that were there keep their turn. Gives those that are not asked any more.
    pub(super) fn replace(
        &mut self,
        checks: impl Iterator<Item = (String, Check)>,
        default_interval: Duration,
        now: Instant,
        random: impl Fn() -> f64,
    ) -> Vec<String> {
        self.default_interval = default_interval;
        let mut before = std::mem::take(&mut self.checks);
        for (id, check) in checks {
            if self.checks.contains_key(&id) || self.checks.len() >= CHECKS_MAX {
                continue;
            }
            match before.remove(&id) {
                Some(row) if row.check == check => {
                    self.checks.insert(id, row);
                }
                // The answer to the old question is on its way, and sets the next turn.
                Some(row) if row.running => {
                    self.checks.insert(id, Row { check, running: true });
                }
                _ => {
                    let wait = self.interval(&check).mul_f64(random());
                    self.due.push(Reverse((now + wait, id.clone())));
                    self.checks.insert(id, Row { check, running: false });
                }
            }
        }
        before.into_keys().collect()
    }

    fn interval(&self, check: &Check) -> Duration {
        check.interval.unwrap_or(self.default_interval)
    }

    /// A check whose time has come; it is not given again before it is [done](Self::done).
    pub(super) fn due(&mut self, now: Instant) -> Option<(String, Check)> {
        loop {
            let Reverse((at, _)) = self.due.peek()?;
            if *at > now {
                return None;
            }
            let Reverse((_, id)) = self.due.pop()?;
            // One that is no longer wanted, or has another turn.
            let Some(row) = self.checks.get_mut(&id).filter(|row| !row.running) else { continue };
            row.running = true;
            return Some((id, row.check.clone()));
        }
    }

    /// A check has ended: it comes again in its interval, a little earlier or later. Whether its
    /// answer counts still.
    pub(super) fn done(&mut self, id: &str, now: Instant, random: impl Fn() -> f64) -> bool {
        let default = self.default_interval;
        let Some(row) = self.checks.get_mut(id) else { return false };
        row.running = false;
        let interval = row.check.interval.unwrap_or(default);
        let wait = interval.mul_f64(1.0 - JITTER + 2.0 * JITTER * random());
        self.due.push(Reverse((now + wait, id.to_owned())));
        true
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due.peek().map(|Reverse((at, _))| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_plane::Probe;

    const INTERVAL: Duration = Duration::from_secs(10);

    fn check(port: u16) -> Check {
        let probe = Probe::Tcp { host: "h".into(), port };
        Check { probe, interval: None, timeout: None, rise: None, fall: None }
    }

    fn table(ids: &[(&str, u16)]) -> Vec<(String, Check)> {
        ids.iter().map(|(id, port)| ((*id).to_owned(), check(*port))).collect()
    }

    fn all_due(schedule: &mut Schedule, now: Instant) -> Vec<String> {
        let mut found: Vec<String> =
            std::iter::from_fn(|| schedule.due(now)).map(|(id, _)| id).collect();
        found.sort();
        found
    }

    #[test]
    fn each_is_asked_once_an_interval_and_never_twice_at_a_time() {
        let (mut schedule, now) = (Schedule::default(), Instant::now());
        schedule.replace(table(&[("a", 1), ("b", 2), ("a", 3)]).into_iter(), INTERVAL, now, || 0.5);
        assert!(all_due(&mut schedule, now).is_empty());
        let later = now + INTERVAL / 2;
        assert_eq!(schedule.next(), Some(later));
        assert_eq!(all_due(&mut schedule, later), ["a", "b"]);
        assert!(all_due(&mut schedule, later + 10 * INTERVAL).is_empty(), "they run");
        assert!(schedule.done("a", later, || 0.5));
        assert!(all_due(&mut schedule, later + INTERVAL / 2).is_empty());
        assert_eq!(all_due(&mut schedule, later + INTERVAL), ["a"]);
    }

    #[test]
    fn turns_are_spread_by_a_tenth() {
        let (mut schedule, now) = (Schedule::default(), Instant::now());
        schedule.replace(table(&[("a", 1)]).into_iter(), INTERVAL, now, || 0.0);
        for (random, wait) in [(0.0, 0.9), (1.0, 1.1)] {
            assert_eq!(all_due(&mut schedule, now), ["a"]);
            schedule.done("a", now, || random);
            let next = schedule.next().expect("a turn");
            assert_eq!(next, now + INTERVAL.mul_f64(wait));
            schedule.due.clear();
            schedule.due.push(Reverse((now, "a".into())));
        }
    }

    #[test]
    fn another_table_forgets_what_it_has_not() {
        let (mut schedule, now) = (Schedule::default(), Instant::now());
        schedule.replace(table(&[("a", 1), ("b", 2)]).into_iter(), INTERVAL, now, || 0.0);
        assert_eq!(all_due(&mut schedule, now), ["a", "b"]);
        let other = table(&[("b", 9), ("c", 3)]).into_iter();
        assert_eq!(schedule.replace(other, INTERVAL, now, || 0.0), ["a"]);
        assert_eq!(all_due(&mut schedule, now), ["c"], "b still runs");
        assert!(!schedule.done("a", now, || 0.0), "nobody wants to know any more");
        assert!(schedule.done("b", now, || 0.0));
        let (id, asked) = schedule.due(now + INTERVAL).expect("b");
        assert_eq!((id.as_str(), asked), ("b", check(9)));
        schedule.replace(std::iter::empty(), INTERVAL, now, || 0.0);
        assert!(all_due(&mut schedule, now + 100 * INTERVAL).is_empty());
    }

    #[test]
    fn a_table_cannot_have_too_many() {
        let (mut schedule, now) = (Schedule::default(), Instant::now());
        let many = (0..2 * CHECKS_MAX).map(|number| (number.to_string(), check(1)));
        schedule.replace(many, INTERVAL, now, || 0.0);
        assert_eq!(all_due(&mut schedule, now).len(), CHECKS_MAX);
    }
}
