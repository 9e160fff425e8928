//! Flags. The original's, with one dash; two are taken as well.

use std::net::IpAddr;
use std::time::Duration;

use crate::environment::{AddressError, parse_addresses};
use crate::registry::RegistryLimits;
use crate::{Environment, ServerConfig, limits};

/// The help text.
pub(super) const USAGE: &str = "\
usage: epmd [-d] [-address LIST] [-port N] [-daemon] [-relaxed_command_check]
            [-packet_timeout S] [-delay_accept S] [-delay_write S] [-systemd]
       epmd [-d] [-port N] -names | -dump | -started | -kill | -stop NAME

Serve (the default):
  -address LIST           listen on these IP addresses (commas between) and on loopback only;
                          environment: ERL_EPMD_ADDRESS; default: all addresses
  -port N                 listen on this port, or talk to the daemon there;
                          environment: ERL_EPMD_PORT; default: 4369
  -daemon                 serve in the background
  -relaxed_command_check  allow -kill while names are registered, and -stop;
                          environment: ERL_EPMD_RELAXED_COMMAND_CHECK
  -systemd                serve on the sockets that systemd hands over
  -d, -debug              log to stderr; more of them, more log; remember 5 released names only
  -packet_timeout S       cut a connection that is silent for S seconds (default 60)
  -delay_accept S         play a busy daemon: wait before each accept
  -delay_write S          play a busy daemon: wait before each answer

Ask the daemon that runs:
  -names                  list the registered names
  -dump                   list all it knows, released names too
  -started                exit code 0 if it runs, 1 if not; no output
  -kill                   end it (only when no name is registered, or with relaxed check)
  -stop NAME              drop a name (only with relaxed check)
";

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    Serve,
    Names,
    Dump,
    Started,
    Kill,
    Stop { name: String },
    Help,
}

/// The command line, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) action: Action,
    pub(super) port: u16,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) daemon: bool,
    pub(super) systemd: bool,
    pub(super) relaxed_command_check: bool,
    /// How often `-d` was given.
    pub(super) debug: usize,
    packet_timeout: Duration,
    delay_accept: Duration,
    delay_write: Duration,
}

/// What is wrong with the command line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum UsageError {
    #[error("unknown option {0}")]
    Unknown(String),
    #[error("{0} needs a value")]
    Missing(String),
    #[error("{option} {value}: a number above 0 expected")]
    Number { option: String, value: String },
    #[error("{0} has to be the last option")]
    NotLast(String),
    #[error(transparent)]
    Address(#[from] AddressError),
}

impl Options {
    pub(super) fn parse(
        arguments: impl IntoIterator<Item = String>,
        environment: Environment,
    ) -> Result<Self, UsageError> {
        let mut options = Self {
            action: Action::Serve,
            port: environment.port,
            addresses: environment.addresses,
            daemon: false,
            systemd: false,
            relaxed_command_check: environment.relaxed_command_check,
            debug: 0,
            packet_timeout: limits::PACKET_TIMEOUT_DEFAULT,
            delay_accept: Duration::ZERO,
            delay_write: Duration::ZERO,
        };
        let mut words = arguments.into_iter();
        while let Some(word) = words.next() {
            options.option(&word, &mut words)?;
            if options.action != Action::Serve {
                // As in the original, nothing may follow.
                return words.next().map_or(Ok(options), |_| Err(UsageError::NotLast(word)));
            }
        }
        Ok(options)
    }

    fn option(
        &mut self,
        word: &str,
        words: &mut impl Iterator<Item = String>,
    ) -> Result<(), UsageError> {
        let mut value = || words.next().ok_or_else(|| UsageError::Missing(word.to_owned()));
        let name = word.strip_prefix("--").or_else(|| word.strip_prefix('-')).unwrap_or_default();
        match name {
            "d" | "debug" => self.debug += 1,
            "port" => self.port = number(word, value()?)?,
            "address" => self.addresses = parse_addresses(&value()?)?,
            "packet_timeout" => self.packet_timeout = seconds(word, value()?)?,
            "delay_accept" => self.delay_accept = seconds(word, value()?)?,
            "delay_write" => self.delay_write = seconds(word, value()?)?,
            "daemon" => self.daemon = true,
            "systemd" => self.systemd = true,
            "relaxed_command_check" => self.relaxed_command_check = true,
            "names" => self.action = Action::Names,
            "dump" => self.action = Action::Dump,
            "started" => self.action = Action::Started,
            "kill" => self.action = Action::Kill,
            "stop" => self.action = Action::Stop { name: value()? },
            "help" | "h" => self.action = Action::Help,
            _ => return Err(UsageError::Unknown(word.to_owned())),
        }
        Ok(())
    }

    /// Settings for the daemon.
    pub(super) fn server_config(&self) -> ServerConfig {
        let old_names_max =
            if self.debug > 0 { limits::OLD_NAMES_DEBUG_MAX } else { limits::OLD_NAMES_MAX };
        ServerConfig {
            port: self.port,
            addresses: self.addresses.clone(),
            relaxed_command_check: self.relaxed_command_check,
            packet_timeout: self.packet_timeout,
            delay_accept: self.delay_accept,
            delay_write: self.delay_write,
            registry_limits: RegistryLimits { old_names_max, ..RegistryLimits::default() },
            ..ServerConfig::default()
        }
    }
}

fn number(option: &str, value: String) -> Result<u16, UsageError> {
    match value.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(UsageError::Number { option: option.to_owned(), value }),
    }
}

/// Up to 65535 seconds, which keeps every deadline in range.
fn seconds(option: &str, value: String) -> Result<Duration, UsageError> {
    number(option, value).map(|seconds| Duration::from_secs(seconds.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Options, UsageError> {
        Options::parse(words.iter().map(|&word| word.to_owned()), Environment::default())
    }

    #[test]
    fn every_flag_of_the_original() {
        let options = parse(&[
            "-d",
            "-debug",
            "-port",
            "14403",
            "-address",
            "127.0.0.1,::1",
            "-packet_timeout",
            "3",
            "-delay_accept",
            "1",
            "-delay_write",
            "2",
            "-daemon",
            "-systemd",
            "-relaxed_command_check",
        ]);
        let options = options.unwrap();
        assert_eq!((options.debug, options.port, options.addresses.len()), (2, 14403, 2));
        assert!(options.daemon && options.systemd && options.relaxed_command_check);
        let config = options.server_config();
        assert_eq!(config.packet_timeout, Duration::from_secs(3));
        assert_eq!(config.delay_accept, Duration::from_secs(1));
        assert_eq!(config.delay_write, Duration::from_secs(2));
        assert_eq!(config.registry_limits.old_names_max, limits::OLD_NAMES_DEBUG_MAX);
    }

    #[test]
    fn actions_come_last() {
        assert_eq!(parse(&["-port", "5", "-names"]).unwrap().action, Action::Names);
        assert_eq!(parse(&["--kill"]).unwrap().action, Action::Kill);
        let stop = Action::Stop { name: "-names".into() };
        assert_eq!(parse(&["-stop", "-names"]).unwrap().action, stop);
        assert_eq!(parse(&["-names", "-port", "5"]), Err(UsageError::NotLast("-names".into())));
    }

    #[test]
    fn nonsense_is_told() {
        for words in [&["-port"][..], &["-port", "abc"], &["-port", "0"], &["-stop"], &["names"]] {
            assert!(parse(words).is_err(), "{words:?}");
        }
        let address = parse(&["-address", "foo"]).unwrap_err();
        assert_eq!(address.to_string(), "cannot parse IP address \"foo\"");
    }

    #[test]
    fn usage_names_every_option() {
        let names = "address port daemon relaxed_command_check systemd debug packet_timeout \
            delay_accept delay_write names dump started kill stop";
        for name in names.split_whitespace() {
            assert!(USAGE.contains(&format!("-{name}")), "{name}");
        }
    }
}
