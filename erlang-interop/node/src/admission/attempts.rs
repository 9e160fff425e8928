//! Failed handshakes by address: who fails too often is cut off at once for a while.
//!
//! One token bucket for each IPv4 address and each IPv6 network of 64 bits, which one customer has
//! whole. The table is bounded: of two generations the older is forgotten when the younger is full.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::limits::ATTEMPT_SOURCES_MAX;

/// What becomes of a dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permit {
    /// It may begin its handshake.
    Granted,
    /// It may, but a few from its address at a time: others from there have failed too often, and
    /// peers from there are known to be honest.
    Narrow,
    /// It is cut off. `first`: and it is the first in a row from there.
    Cut { first: bool },
}

#[derive(Clone, Copy)]
struct Bucket {
    /// Failures that are still free; below zero by those whose handshakes were under way.
    tokens: f64,
    at: Duration,
    /// Dials cut off in a row.
    cut: u64,
}

#[derive(Default)]
struct Generations {
    young: HashMap<IpAddr, Bucket>,
    old: HashMap<IpAddr, Bucket>,
}

/// The buckets of all addresses.
pub(crate) struct Attempts {
    burst: f64,
    per_second: f64,
    table: Mutex<Generations>,
}

impl Attempts {
    /// A burst of zero: nobody is ever cut off.
    pub(crate) fn new(burst: u32, per_second: u32) -> Self {
        let (burst, per_second) = (f64::from(burst), f64::from(per_second));
        Self { burst, per_second, table: Mutex::default() }
    }

    /// A dial from `address`. `trusted` is asked whether peers that have proven themselves are
    /// connected from there.
    pub(crate) fn permit(
        &self,
        address: IpAddr,
        trusted: impl FnOnce() -> bool,
        now: Duration,
    ) -> Permit {
        let source = source(address);
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut bucket) = table.find(source) else { return Permit::Granted };
        self.refill(&mut bucket, now);
        let permit = if bucket.tokens >= 1.0 {
            if bucket.cut > 0 {
                tracing::info!(%source, cut = bucket.cut, "dials from this address are taken again");
            }
            bucket.cut = 0;
            Permit::Granted
        } else if trusted() {
            Permit::Narrow
        } else {
            bucket.cut += 1;
            Permit::Cut { first: bucket.cut == 1 }
        };
        table.put(source, bucket);
        permit
    }

    /// Books a handshake from there that failed.
    pub(crate) fn failed(&self, address: IpAddr, now: Duration) {
        if self.burst == 0.0 {
            return;
        }
        let source = source(address);
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let full = Bucket { tokens: self.burst, at: now, cut: 0 };
        let mut bucket = table.find(source).unwrap_or(full);
        self.refill(&mut bucket, now);
        bucket.tokens = (bucket.tokens - 1.0).max(-self.burst);
        table.put(source, bucket);
    }

    fn refill(&self, bucket: &mut Bucket, now: Duration) {
        let passed = now.saturating_sub(bucket.at).as_secs_f64();
        bucket.tokens = (bucket.tokens + passed * self.per_second).min(self.burst);
        bucket.at = now;
    }
}

impl Generations {
    fn find(&self, source: IpAddr) -> Option<Bucket> {
        self.young.get(&source).or_else(|| self.old.get(&source)).copied()
    }

    fn put(&mut self, source: IpAddr, bucket: Bucket) {
        if self.young.len() >= ATTEMPT_SOURCES_MAX / 2 && !self.young.contains_key(&source) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(source, bucket);
    }
}

/// Whom an address stands for.
pub(crate) fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn who_fails_too_often_is_cut_off_until_time_has_passed() {
        let attempts = Attempts::new(3, 2);
        let (bad, good) = (ip("10.0.0.1"), ip("10.0.0.2"));
        for _ in 0..3 {
            assert_eq!(attempts.permit(bad, || false, NOW), Permit::Granted);
            attempts.failed(bad, NOW);
        }
        assert_eq!(attempts.permit(bad, || false, NOW), Permit::Cut { first: true });
        assert_eq!(attempts.permit(bad, || false, NOW), Permit::Cut { first: false });
        assert_eq!(attempts.permit(bad, || true, NOW), Permit::Narrow);
        assert_eq!(attempts.permit(good, || false, NOW), Permit::Granted);
        let later = NOW + Duration::from_millis(500);
        assert_eq!(attempts.permit(bad, || false, later), Permit::Granted);
        attempts.failed(bad, later);
        // A new episode begins with a new line in the log.
        assert_eq!(attempts.permit(bad, || false, later), Permit::Cut { first: true });
    }

    #[test]
    fn a_network_of_64_bits_is_one_source_and_a_mapped_address_its_own() {
        let attempts = Attempts::new(1, 1);
        attempts.failed(ip("2001:db8:0:1::1"), NOW);
        assert_eq!(
            attempts.permit(ip("2001:db8:0:1:9::"), || false, NOW),
            Permit::Cut { first: true }
        );
        assert_eq!(attempts.permit(ip("2001:db8:0:2::1"), || false, NOW), Permit::Granted);
        attempts.failed(ip("::ffff:10.0.0.1"), NOW);
        assert_eq!(attempts.permit(ip("10.0.0.1"), || false, NOW), Permit::Cut { first: true });
        assert_eq!(attempts.permit(ip("::ffff:10.0.0.2"), || false, NOW), Permit::Granted);
    }

    #[test]
    fn the_table_is_bounded_and_keeps_who_comes_back() {
        let attempts = Attempts::new(1, 1);
        let bad = ip("10.0.0.1");
        for number in 0..u32::try_from(ATTEMPT_SOURCES_MAX).expect("small") * 2 {
            attempts.failed(bad, NOW);
            attempts.failed(IpAddr::V4((0x2000_0000 + number).into()), NOW);
        }
        let table = attempts.table.lock().expect("not poisoned");
        assert!(table.young.len() + table.old.len() <= ATTEMPT_SOURCES_MAX);
        drop(table);
        assert_eq!(attempts.permit(bad, || false, NOW), Permit::Cut { first: true });
    }

    #[test]
    fn without_a_burst_nobody_is_cut_off() {
        let attempts = Attempts::new(0, 0);
        attempts.failed(ip("10.0.0.1"), NOW);
        assert_eq!(attempts.permit(ip("10.0.0.1"), || false, NOW), Permit::Granted);
    }
}
