//! The environment variables of EPMD, read in this one place.
//!
//! spec: epmd, "Environment Variables"

use std::net::IpAddr;

use crate::DEFAULT_PORT;

/// What `ERL_EPMD_PORT`, `ERL_EPMD_ADDRESS` and `ERL_EPMD_RELAXED_COMMAND_CHECK` say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// `ERL_EPMD_PORT`, else [`DEFAULT_PORT`]. For daemon and client.
    pub port: u16,
    /// `ERL_EPMD_ADDRESS`: addresses to listen on, none for all. For the daemon.
    pub addresses: Vec<IpAddr>,
    /// Whether `ERL_EPMD_RELAXED_COMMAND_CHECK` is set, to whatever. For the daemon.
    pub relaxed_command_check: bool,
}

impl Default for Environment {
    fn default() -> Self {
        Self { port: DEFAULT_PORT, addresses: Vec::new(), relaxed_command_check: false }
    }
}

/// A variable that can't be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvironmentError {
    /// `ERL_EPMD_PORT` is not 1 to 65535.
    #[error("ERL_EPMD_PORT is \"{value}\": a port from 1 to 65535 expected")]
    Port {
        /// What it is.
        value: String,
    },
    /// An element of `ERL_EPMD_ADDRESS` is no IP address.
    #[error("ERL_EPMD_ADDRESS: {0}")]
    Address(#[from] AddressError),
}

/// An element of an address list is no IP address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot parse IP address \"{text}\"")]
pub struct AddressError {
    /// The element.
    pub text: String,
}

impl Environment {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// [`EnvironmentError`]: better than listening where nobody asked for.
    pub fn from_process() -> Result<Self, EnvironmentError> {
        Self::from_lookup(|name| std::env::var_os(name).map(|v| v.to_string_lossy().into_owned()))
    }

    /// The same from any source of variables, for tests and for settings kept elsewhere.
    ///
    /// # Errors
    /// As [`from_process`](Self::from_process).
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, EnvironmentError> {
        let port = match lookup("ERL_EPMD_PORT") {
            None => DEFAULT_PORT,
            Some(value) => match value.trim().parse() {
                Ok(port) if port > 0 => port,
                _ => return Err(EnvironmentError::Port { value }),
            },
        };
        let addresses = parse_addresses(&lookup("ERL_EPMD_ADDRESS").unwrap_or_default())?;
        let relaxed_command_check = lookup("ERL_EPMD_RELAXED_COMMAND_CHECK").is_some();
        Ok(Self { port, addresses, relaxed_command_check })
    }
}

/// Reads a list of IP addresses separated by commas or blanks, as `-address` takes it.
///
/// # Errors
/// [`AddressError`] with the first element that is none.
pub fn parse_addresses(list: &str) -> Result<Vec<IpAddr>, AddressError> {
    let elements = list.split([',', ' ']).filter(|element| !element.is_empty());
    elements.map(|text| text.parse().map_err(|_| AddressError { text: text.to_owned() })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn with(variables: &[(&str, &str)]) -> Result<Environment, EnvironmentError> {
        Environment::from_lookup(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn defaults() {
        assert_eq!(with(&[]), Ok(Environment::default()));
    }

    #[test]
    fn all_three() {
        let environment = with(&[
            ("ERL_EPMD_PORT", "14403"),
            ("ERL_EPMD_ADDRESS", "127.0.0.1, ::1,"),
            ("ERL_EPMD_RELAXED_COMMAND_CHECK", "false"),
        ]);
        let addresses = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        let expected = Environment { port: 14403, addresses, relaxed_command_check: true };
        assert_eq!(environment, Ok(expected));
    }

    #[test]
    fn nonsense_is_an_error_with_its_name() {
        for port in ["abc", "0", "70000", ""] {
            let error = with(&[("ERL_EPMD_PORT", port)]).unwrap_err();
            assert!(error.to_string().contains("ERL_EPMD_PORT"));
        }
        let error = with(&[("ERL_EPMD_ADDRESS", "localhost")]).unwrap_err();
        assert!(error.to_string().contains("\"localhost\""));
    }
}
