//! Networks in CIDR notation.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;

/// A network: `10.1.0.0/16`, `fd00::/8`, or one address. An IPv4 address that comes as an IPv6 one
/// (`::ffff:10.1.2.3`, as sockets for both give it) counts as what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    prefix_bits: u8,
}

/// Why a text is no network.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// The part before the slash is no address.
    #[error("`{text}` is no network: write 10.1.0.0/16, fd00::/8 or an address")]
    NoAddress {
        /// What was given.
        text: String,
    },
    /// The part behind the slash is no number that fits.
    #[error("`{text}`: the prefix has 0 to {max} bits")]
    Prefix {
        /// What was given.
        text: String,
        /// Bits of an address of that family.
        max: u8,
    },
    /// Bits behind the prefix are set: one of the two is a slip.
    #[error("`{text}` has bits behind its prefix; the network is {network}")]
    HostBits {
        /// What was given.
        text: String,
        /// The network it is in.
        network: Network,
    },
}

impl Network {
    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(other)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix_bits)).unwrap_or(0);
                (u32::from(ours) ^ u32::from(other)) & mask == 0
            }
            (IpAddr::V6(ours), IpAddr::V6(other)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix_bits)).unwrap_or(0);
                (u128::from(ours) ^ u128::from(other)) & mask == 0
            }
            _ => false,
        }
    }

    /// The network of so many bits that an address is in.
    fn around(address: IpAddr, prefix_bits: u8) -> Self {
        let address = match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix_bits)).unwrap_or(0);
                IpAddr::V4((u32::from(address) & mask).into())
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix_bits)).unwrap_or(0);
                IpAddr::V6((u128::from(address) & mask).into())
            }
        };
        Self { address, prefix_bits }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let Ok(address) = address.parse::<IpAddr>() else {
            return Err(NetworkError::NoAddress { text: text.to_owned() });
        };
        let max = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match prefix.map(str::parse::<u8>) {
            None => max,
            Some(Ok(bits)) if bits <= max => bits,
            Some(_) => return Err(NetworkError::Prefix { text: text.to_owned(), max }),
        };
        let network = Self::around(address, prefix_bits);
        if network.address != address {
            return Err(NetworkError::HostBits { text: text.to_owned(), network });
        }
        Ok(network)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_holds(network: &str, inside: &[&str], outside: &[&str]) {
        let network: Network = network.parse().expect("a network");
        let holds = |text: &&str| network.contains(text.parse().expect("an address"));
        assert!(inside.iter().all(holds), "{network}: {inside:?}");
        assert!(!outside.iter().any(holds), "{network}: {outside:?}");
    }

    #[test]
    fn addresses_are_in_their_networks_only() {
        assert_holds("10.1.0.0/16", &["10.1.255.255", "::ffff:10.1.2.3"], &["10.2.0.0", "fd00::1"]);
        assert_holds("0.0.0.0/0", &["1.2.3.4", "255.255.255.255"], &["::1"]);
        assert_holds("::/0", &["::1", "fd00::1"], &["1.2.3.4"]);
        assert_holds("fd00:0:0:1::/64", &["fd00:0:0:1:ffff::"], &["fd00:0:0:2::"]);
        assert_holds("127.0.0.1", &["127.0.0.1"], &["127.0.0.2"]);
        assert_holds("::1", &["::1"], &["::2", "127.0.0.1"]);
    }

    #[test]
    fn slips_are_named() {
        let refused = |text: &str| text.parse::<Network>().expect_err("no network").to_string();
        assert!(refused("10.1.0/16").contains("no network"));
        assert!(refused("10.1.0.0/33").contains("0 to 32 bits"));
        assert!(refused("fd00::/x").contains("0 to 128 bits"));
        assert_eq!(
            refused("10.1.2.3/16"),
            "`10.1.2.3/16` has bits behind its prefix; the network is 10.1.0.0/16"
        );
        assert_eq!("10.1.0.0/16".parse::<Network>().expect("one").to_string(), "10.1.0.0/16");
    }
}
