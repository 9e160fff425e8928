//! In which networks backends may be reached.

use std::net::{IpAddr, SocketAddr};

use erlang_interop::node::Network;
use thiserror::Error;

/// The networks that backends are in; none given: all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackendNetworks(pub Vec<Network>);

/// A backend is elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{address} is in none of backends.networks ({networks})")]
pub struct BackendElsewhere {
    /// Where it is.
    address: IpAddr,
    /// Where it may be.
    networks: String,
}

impl BackendNetworks {
    /// Whether an address may be dialed. Ask about the address that is dialed, after a name was
    /// resolved: a name can be made to stand for any address.
    ///
    /// # Errors
    /// [`BackendElsewhere`].
    pub fn check(&self, address: IpAddr) -> Result<(), BackendElsewhere> {
        if self.0.is_empty() || self.0.iter().any(|network| network.contains(address)) {
            return Ok(());
        }
        let networks: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        Err(BackendElsewhere { address, networks: networks.join(", ") })
    }

    /// The same for an address as a configuration writes it: `10.0.2.7`, `10.0.2.7:22`,
    /// `[fd00::7]:22`, `ssh://10.0.2.7/`. Names are let through, since only the dial knows what they
    /// stand for.
    ///
    /// # Errors
    /// [`BackendElsewhere`].
    pub fn check_written(&self, text: &str) -> Result<(), BackendElsewhere> {
        written_address(text).map_or(Ok(()), |address| self.check(address))
    }
}

fn written_address(text: &str) -> Option<IpAddr> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some(address);
    }
    if let Ok(address) = host.parse::<SocketAddr>() {
        return Some(address.ip());
    }
    host.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(list: &[&str]) -> BackendNetworks {
        BackendNetworks(list.iter().map(|text| text.parse().expect("a network")).collect())
    }

    #[test]
    fn backends_are_in_their_networks() {
        let rules = networks(&["10.0.2.0/24", "fd00:2::/64"]);
        for inside in [
            "10.0.2.7",
            "10.0.2.7:22",
            "ssh://admin@10.0.2.7:22/path",
            "https://[fd00:2::7]:8000/",
            "[fd00:2::7]",
            // What it stands for is asked at the dial.
            "salt.example.org",
        ] {
            assert_eq!(rules.check_written(inside), Ok(()), "{inside}");
        }
        for outside in ["10.0.1.7", "http://10.0.1.7", "::1", "[fd00:3::7]:1", "x@10.0.3.1"] {
            assert!(rules.check_written(outside).is_err(), "{outside}");
        }
        let refused = rules.check_written("http://10.0.1.7/x").expect_err("elsewhere").to_string();
        assert_eq!(refused, "10.0.1.7 is in none of backends.networks (10.0.2.0/24, fd00:2::/64)");
        // The address behind a name, and one that hides in IPv6.
        assert!(rules.check("::ffff:10.0.2.9".parse().expect("one")).is_ok());
        assert!(rules.check("169.254.169.254".parse().expect("one")).is_err());
    }

    #[test]
    fn without_networks_all_may_be_reached() {
        assert_eq!(networks(&[]).check_written("203.0.113.1"), Ok(()));
    }
}
