//! How a command fails: one line for people, one number for scripts.

use std::fmt;
use std::io;

use crate::config::ConfigError;

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
    /// One line: what failed, why, what to do.
    pub message: String,
}

impl Failure {
    /// A failure with its line.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
            _ => Exit::Config,
        };
        Self::new(exit, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line() {
        let failure = Failure::new(Exit::IoErr, "disk\nfull:  buy\tanother");
        assert_eq!(failure.to_string(), "disk full: buy another");
    }
}
