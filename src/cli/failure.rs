//! How a command fails: one line for people, one number for scripts.

use std::fmt;
use std::io;

use erlang_interop::node::StartError;
use erlang_interop::node::transport::tls::TlsConfigError;

use crate::config::{ConfigError, Origin};
use crate::node::StartFailure;

/// Exit codes, as BSD's sysexits names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// The command worked and the answer is no (a raised error, a node that does not answer).
    Negative = 1,
    /// Wrong use of the command line.
    Usage = 64,
    /// Malformed input data.
    DataErr = 65,
    /// An input file that cannot be read.
    NoInput = 66,
    /// An unknown host.
    NoHost = 68,
    /// A service that is not there.
    Unavailable = 69,
    /// A bug of ours.
    Software = 70,
    /// The operating system refused something basic.
    OsErr = 71,
    /// An output file that cannot be made.
    CantCreat = 73,
    /// Reading or writing broke off.
    IoErr = 74,
    /// Somebody does not let us.
    NoPerm = 77,
    /// Something is configured wrongly.
    Config = 78,
}

/// A command that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The number.
    pub exit: Exit,
    message: String,
    verbatim: bool,
}

impl Failure {
    /// A failure with its line: what failed, why, what to do.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), verbatim: false }
    }

    /// An answer of "no" in the words of somebody else, which may be several lines.
    pub fn verbatim(exit: Exit, lines: impl Into<String>) -> Self {
        Self { exit, message: lines.into(), verbatim: true }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.verbatim {
            return f.write_str(&self.message);
        }
        f.write_str("har: ")?;
        // Messages of the system and of libraries may have line ends in them.
        let mut words = self.message.split_whitespace();
        f.write_str(words.next().unwrap_or_default())?;
        words.try_for_each(|word| write!(f, " {word}"))
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let exit = match &error {
            ConfigError::Unreadable { .. } => Exit::NoInput,
            ConfigError::CookieUnreadable { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied => Exit::NoPerm,
                _ => Exit::NoInput,
            },
            ConfigError::CookieExposed { .. } => Exit::NoPerm,
            ConfigError::CookieNotCreated { .. } => Exit::CantCreat,
            ConfigError::Value { origin: Origin::Flag(_), .. } => Exit::Usage,
            _ => Exit::Config,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<StartFailure> for Failure {
    fn from(failure: StartFailure) -> Self {
        match failure {
            StartFailure::Config(error) => error.into(),
            StartFailure::Name { .. } | StartFailure::RoutingTable { .. } => {
                Self::new(Exit::Config, failure.to_string())
            }
            StartFailure::Tls(TlsConfigError::Unreadable { .. }) => {
                Self::new(Exit::NoInput, failure.to_string())
            }
            StartFailure::Tls(_) => Self::new(Exit::Config, failure.to_string()),
            StartFailure::PortMapper(_) | StartFailure::DistPortBusy { .. } => {
                Self::new(Exit::Unavailable, failure.to_string())
            }
            StartFailure::OpsPort { ref source, .. } => {
                let exit = match source.kind() {
                    io::ErrorKind::PermissionDenied => Exit::NoPerm,
                    _ => Exit::Unavailable,
                };
                Self::new(exit, failure.to_string())
            }
            StartFailure::Audit { .. } => Self::new(Exit::CantCreat, failure.to_string()),
            StartFailure::Services(_) => Self::new(Exit::Software, failure.to_string()),
            StartFailure::Node(error) => error.into(),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let (exit, cure) = match &error {
            StartError::NameTaken { .. } => {
                (Exit::Unavailable, "; stop it or choose another with --name")
            }
            StartError::PortsBusy { .. } => {
                (Exit::Unavailable, " by --listen-min and --listen-max")
            }
            StartError::Listen { source, .. }
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                (Exit::NoPerm, "; ports below 1024 are for root, choose others by --listen-min")
            }
            StartError::Listen { .. } => {
                (Exit::Unavailable, "; is --interface an address of this host?")
            }
            StartError::Tls(_) => (Exit::Config, "; `har certs init` makes one"),
            StartError::Epmd { .. } => (Exit::Unavailable, " (see `har names`)"),
            _ => (Exit::Software, "; please report this"),
        };
        Self::new(exit, format!("cannot start the node: {error}{cure}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line() {
        let failure = Failure::new(Exit::IoErr, "disk\nfull:  buy\tanother");
        assert_eq!(failure.to_string(), "har: disk full: buy another");
        let failure = Failure::verbatim(Exit::Negative, "** one\n  two");
        assert_eq!(failure.to_string(), "** one\n  two");
    }
}
