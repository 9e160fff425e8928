//! Why the API of Kubernetes does not tell what it is asked.

use std::path::PathBuf;

/// Each says what is wrong and, where it is known, what helps.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    /// No connection, no TLS or no HTTP.
    #[error("request to kubernetes failed!: {0}")]
    Request(String),
    /// A file of the service account.
    #[error("{}: {reason}; is the service account's token mounted?", path.display())]
    Account {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// 401.
    #[error(
        "cannot query kubernetes (401 Unauthorized): {message}; the token in {} is missing, has \
         expired or is of another cluster", path.display()
    )]
    Token {
        /// What the API server says.
        message: String,
        /// Where the token was read.
        path: PathBuf,
    },
    /// 403.
    #[error(
        "cannot query kubernetes (unauthorized): {message}; give the service account get, list \
         and watch on {resource} by a Role and a RoleBinding (deploy/kubernetes/har.yaml has them)"
    )]
    Forbidden {
        /// What the API server says.
        message: String,
        /// What was asked for.
        resource: &'static str,
    },
    /// 410: the history does not reach back to where the watch should start.
    #[error("the watch is too old")]
    Gone,
    /// Any other status; redirects too are not followed.
    #[error("cannot query kubernetes ({status}): {message}")]
    Status {
        /// Code and name.
        status: String,
        /// What the API server says.
        message: String,
    },
    /// An answer out of bounds.
    #[error("kubernetes answers more than {0}; choose a narrower kubernetes_selector")]
    TooLong(&'static str),
    /// Not what the API promises.
    #[error("kubernetes' answer is not understood: {0}")]
    Answer(#[from] serde_json::Error),
    /// `mode: hostname` without host names.
    #[error(
        "none of {0} addresses has a host name; mode: hostname needs pods of a StatefulSet, or \
         with hostname and subdomain"
    )]
    NoHostname(usize),
}
