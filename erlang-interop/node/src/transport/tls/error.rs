//! What can go wrong with TLS: in its settings, and in a handshake. Each is one line that says
//! which, and where there is one, the cure.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::{AlertDescription, CertificateError, InvalidMessage, PeerIncompatible};
use thiserror::Error;

/// Whose options: `server` for peers that dial us, `client` for peers we dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsSide {
    /// We are dialed.
    Server,
    /// We dial.
    Client,
}

impl fmt::Display for TlsSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "server",
            Self::Client => "client",
        })
    }
}

/// Settings for TLS that cannot be used.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// A file is larger than any certificate or options file.
    #[error("{} has more than {max} bytes: it is no file of certificates, keys or options", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        max: u64,
    },
    /// The options file is no Erlang term, or not of the form that OTP reads.
    #[error("{}: {reason}", path.display())]
    OptFile {
        /// The file.
        path: PathBuf,
        /// Line and column, or what was expected.
        reason: String,
    },
    /// An option that we don't know or can't honour, or whose value is wrong.
    #[error("{side} option {name}: {reason}")]
    Option {
        /// In which of the two lists.
        side: TlsSide,
        /// Its name, as in the file.
        name: String,
        /// What is wrong, and the cure.
        reason: String,
    },
    /// A file of certificates, keys or revocations has not in it what it should.
    #[error("{side} {name} {}: {reason}", path.display())]
    File {
        /// In which of the two lists.
        side: TlsSide,
        /// The option that names the file.
        name: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong, and the cure.
        reason: String,
    },
}

/// Why there is no TLS connection.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsError {
    /// The peer sent something else than TLS.
    #[error("the peer does not speak TLS: does it run without -proto_dist inet_tls?")]
    NotTls,
    /// The peer closed in the middle of the handshake.
    #[error("the peer closed in the TLS handshake: does it run with -proto_dist inet_tls?")]
    Closed,
    /// The peer said nothing, or too slowly.
    #[error(
        "the peer did not finish the TLS handshake in time: does it run with -proto_dist inet_tls?"
    )]
    Silent,
    /// The peer's certificate comes from nobody that we trust.
    #[error(
        "the peer's certificate is not signed by a CA of our cacertfile (or by more CAs than depth allows)"
    )]
    UnknownCa,
    /// As [`TlsError::UnknownCa`], but one of ours has the CA's name.
    #[error(
        "the peer's certificate is not signed by a CA of our cacertfile: one there has the right \
         name and another key"
    )]
    OtherCaOfThatName,
    /// The peer's certificate is no longer valid.
    #[error("the peer's certificate has expired")]
    Expired,
    /// The peer's certificate is not valid yet.
    #[error("the peer's certificate is not valid yet: are the clocks right?")]
    NotYetValid,
    /// The certificate is for other hosts.
    #[error("the peer's certificate is not for host {host}, but for {}", listed(presented))]
    WrongHost {
        /// The host of the dialed name.
        host: String,
        /// The names in the certificate.
        presented: Vec<String>,
    },
    /// The peer's certificate has been revoked.
    #[error("the peer's certificate has been revoked")]
    Revoked,
    /// The revocation list that should say so has ended.
    #[error("the revocation list for the peer's certificate has expired: fetch a new one")]
    StaleRevocations,
    /// The peer showed no certificate where we demand one.
    #[error("the peer showed no certificate, and fail_if_no_peer_cert demands one")]
    NoPeerCertificate,
    /// Another fault of the peer's certificate.
    #[error("the peer's certificate is refused: {0}")]
    Certificate(String),
    /// No version of TLS, cipher or key exchange in common.
    #[error("nothing in common with the peer ({0}): compare versions and ciphers")]
    Incompatible(String),
    /// The peer refused us, with an alert.
    #[error("the peer refused us: {0}")]
    Refused(&'static str),
    /// Our name for the peer can't be in a certificate.
    #[error("host {host} can't be checked against a certificate: it is no DNS name or IP address")]
    HostName {
        /// The host.
        host: String,
    },
    /// There are no options for this side.
    #[error("there is no certificate for peers that dial us: give certfile in the server options")]
    NoServerOptions,
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "no host at all".to_owned() } else { names.join(", ") }
}

impl TlsError {
    /// The reason in an I/O error of a TLS stream, if it is one of TLS.
    pub(crate) fn from_io(error: &io::Error) -> Option<Self> {
        let inner = error.get_ref()?.downcast_ref::<rustls::Error>()?;
        Some(Self::from(inner))
    }

    /// As [`TlsError::from_io`], while the handshake runs.
    pub(crate) fn in_handshake(error: &io::Error) -> Option<Self> {
        match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe => Some(Self::Closed),
            _ => Self::from_io(error),
        }
    }
}

impl From<&rustls::Error> for TlsError {
    fn from(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(error) => from_certificate(error),
            rustls::Error::NoCertificatesPresented => Self::NoPeerCertificate,
            rustls::Error::AlertReceived(alert) => Self::Refused(alert_text(*alert)),
            rustls::Error::PeerIncompatible(what) => Self::Incompatible(incompatible(what)),
            // What no TLS record begins with.
            rustls::Error::InvalidMessage(
                InvalidMessage::InvalidContentType
                | InvalidMessage::UnknownProtocolVersion
                | InvalidMessage::MessageTooLarge
                | InvalidMessage::InvalidEmptyPayload,
            ) => Self::NotTls,
            other => Self::Other(other.to_string()),
        }
    }
}

fn from_certificate(error: &CertificateError) -> TlsError {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsError::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            TlsError::NotYetValid
        }
        CertificateError::UnknownIssuer => TlsError::UnknownCa,
        CertificateError::BadSignature => TlsError::OtherCaOfThatName,
        CertificateError::Revoked => TlsError::Revoked,
        CertificateError::ExpiredRevocationList
        | CertificateError::ExpiredRevocationListContext { .. } => TlsError::StaleRevocations,
        CertificateError::NotValidForNameContext { expected, presented } => TlsError::WrongHost {
            host: expected.to_str().into_owned(),
            presented: presented.clone(),
        },
        other => TlsError::Certificate(other.to_string()),
    }
}

fn incompatible(what: &PeerIncompatible) -> String {
    format!("{what:?}")
}

/// What an alert means between two nodes.
fn alert_text(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::UnknownCA => "it does not trust the CA of our certificate (unknown_ca)",
        AlertDescription::CertificateExpired => {
            "our certificate has expired or is not valid yet (certificate_expired)"
        }
        AlertDescription::CertificateRequired => {
            "it demands a certificate of us: give certfile in the client options \
             (certificate_required)"
        }
        AlertDescription::CertificateRevoked => "our certificate is revoked (certificate_revoked)",
        AlertDescription::BadCertificate => {
            "it takes our certificate for bad: another CA, or not our host? (bad_certificate)"
        }
        AlertDescription::UnsupportedCertificate => {
            "it can't use our certificate (unsupported_certificate)"
        }
        AlertDescription::CertificateUnknown => {
            "something about our certificate is not acceptable (certificate_unknown)"
        }
        AlertDescription::ProtocolVersion => {
            "no TLS version in common; a BEAM speaks 1.2 only unless versions says otherwise \
             (protocol_version)"
        }
        AlertDescription::HandshakeFailure => {
            "handshake_failure: it demands a certificate that we have not, does not find our host \
             in it, or shares no cipher with us"
        }
        AlertDescription::DecryptError => {
            "it does not trust the CA of our certificate: one of its own has the name and another \
             key (decrypt_error)"
        }
        AlertDescription::AccessDenied => "it denies us access (access_denied)",
        AlertDescription::DecodeError | AlertDescription::UnexpectedMessage => {
            "it did not understand us: does it run with -proto_dist inet_tls?"
        }
        _ => "with an alert",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_says_which_in_one_line() {
        let certificate = |error| TlsError::from(&rustls::Error::InvalidCertificate(error));
        let expected = rustls::pki_types::ServerName::try_from("a.example").expect("a name");
        let presented = vec!["DnsName(\"b\")".to_owned()];
        let wrong = CertificateError::NotValidForNameContext { expected, presented };
        for (error, word) in [
            (certificate(CertificateError::Expired), "expired"),
            (certificate(CertificateError::NotValidYet), "not valid yet"),
            (certificate(CertificateError::UnknownIssuer), "cacertfile"),
            (certificate(CertificateError::BadSignature), "another key"),
            (certificate(CertificateError::Revoked), "revoked"),
            (certificate(wrong), "not for host a.example"),
            (TlsError::from(&rustls::Error::NoCertificatesPresented), "no certificate"),
            (
                TlsError::from(&rustls::Error::AlertReceived(AlertDescription::UnknownCA)),
                "unknown_ca",
            ),
            (
                TlsError::from(&rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)),
                "does not speak TLS",
            ),
        ] {
            let text = error.to_string();
            assert!(text.contains(word), "{text}");
            assert!(!text.contains('\n'), "{text}");
        }
    }

    #[test]
    fn only_errors_of_tls_are_taken_for_such() {
        assert_eq!(TlsError::from_io(&io::ErrorKind::TimedOut.into()), None);
        let inner = rustls::Error::NoCertificatesPresented;
        let error = io::Error::new(io::ErrorKind::InvalidData, inner);
        assert_eq!(TlsError::from_io(&error), Some(TlsError::NoPeerCertificate));
        let closed = io::ErrorKind::UnexpectedEof.into();
        assert_eq!(TlsError::in_handshake(&closed), Some(TlsError::Closed));
    }
}
