//! What can be wrong with a configuration, each with its cure.

use std::io;
use std::path::PathBuf;

use super::Origin;

/// A configuration that cannot be used. `Display` is one line: what failed, why, what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file named by `--config` or `HAR_CONFIG` could not be read.
    #[error("cannot read config file {}: {source}; {}", path.display(), reading_cure(source, "--config or HAR_CONFIG"))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A key that no version of this program knows.
    #[error("{}:{line}: unknown key `{key}`{}", path.display(), suggestion(nearest.as_deref()))]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// Line of the key, from 1.
        line: usize,
        /// The key with its section: `node.hiden`.
        key: String,
        /// The valid key that looks most like it.
        nearest: Option<String>,
    },
    /// Not YAML, or a value of the wrong type.
    #[error("{}:{line}: {message}; correct it and run `har config check`", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Line, from 1 (0: not known).
        line: usize,
        /// What the YAML reader says.
        message: String,
    },
    /// A value that cannot stand for what it is given as.
    #[error("{key} (from {origin}{}): {reason}", line.map(|line| format!(", line {line}")).unwrap_or_default())]
    Value {
        /// The setting: `epmd.port`.
        key: String,
        /// Where the value came from.
        origin: Origin,
        /// Line in the file it came from, if it did.
        line: Option<usize>,
        /// What is wrong with it, and what would be right.
        reason: String,
    },
    /// No place to look for the cookie.
    #[error("no cookie: HOME is not set; pass --cookie-file FILE or set RELEASE_COOKIE")]
    NoCookiePlace,
    /// The cookie file exists and cannot be read.
    #[error("cannot read cookie file {}: {source}; {}", path.display(), cookie_cure(source))]
    CookieUnreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others than its owner may read or write the cookie file.
    #[error(
        "cookie file {0} is accessible by others (mode {mode:04o}); run `chmod 400 {0}`",
        path.display()
    )]
    CookieExposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The cookie file did not exist and could not be made.
    #[error("cannot create cookie file {}: {source}; pass --cookie-file for another place", path.display())]
    CookieNotCreated {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A cookie that no BEAM would take.
    #[error("cookie from {origin} is not usable: {reason}")]
    CookieMalformed {
        /// Where it came from.
        origin: String,
        /// What is wrong with it (never the cookie itself).
        reason: &'static str,
    },
}

impl ConfigError {
    /// With the line of a wrong value that came from the file of this text.
    pub(super) fn with_line(mut self, text: &str) -> Self {
        if let Self::Value { key, origin: Origin::File(_), line, .. } = &mut self {
            *line = super::schema::line_of(text, key);
        }
        self
    }
}

fn reading_cure(source: &io::Error, given_by: &str) -> String {
    match source.kind() {
        io::ErrorKind::PermissionDenied => "make it readable for this user".to_owned(),
        _ => format!("check the path given by {given_by}"),
    }
}

fn cookie_cure(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::NotFound => {
            "`har start` makes it, or pass the cluster's with --cookie-file".to_owned()
        }
        _ => reading_cure(source, "--cookie-file"),
    }
}

fn suggestion(nearest: Option<&str>) -> String {
    match nearest {
        Some(key) => format!("; did you mean `{key}`?"),
        None => "; `har config show` lists the valid keys".to_owned(),
    }
}
