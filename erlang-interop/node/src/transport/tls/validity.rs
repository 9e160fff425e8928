//! What certificates say: whom they are for, and when ours end.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::der::asn1::{Ia5StringRef, PrintableStringRef, Utf8StringRef};
use x509_cert::der::oid::db::rfc4519::COMMON_NAME;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// Whom a certificate is for: its DNS names and addresses, then its common name.
pub(super) fn names(der: &CertificateDer<'_>) -> Vec<String> {
    let Ok(certificate) = Certificate::from_der(der) else { return Vec::new() };
    let tbs = certificate.tbs_certificate();
    let mut names: Vec<String> = match tbs.get_extension::<SubjectAltName>() {
        Ok(Some((_, alternatives))) => alternatives.0.iter().filter_map(alternative).collect(),
        _ => Vec::new(),
    };
    for attribute in tbs.subject().iter() {
        if attribute.oid == COMMON_NAME {
            let value = &attribute.value;
            let text = Utf8StringRef::try_from(value).map(|text| text.as_str().to_owned());
            let text = text.or_else(|_| PrintableStringRef::try_from(value).map(|t| t.to_string()));
            names.extend(text.or_else(|_| Ia5StringRef::try_from(value).map(|t| t.to_string())));
        }
    }
    names.dedup();
    names
}

fn alternative(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_ascii_lowercase()),
        GeneralName::IpAddress(bytes) => match bytes.as_bytes() {
            four if four.len() == 4 => {
                <[u8; 4]>::try_from(four).ok().map(|ip| IpAddr::from(ip).to_string())
            }
            more => <[u8; 16]>::try_from(more).ok().map(|ip| IpAddr::from(ip).to_string()),
        },
        _ => None,
    }
}

/// A certificate of ours and the end of its life.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateEnd {
    /// The file it is in.
    pub path: PathBuf,
    /// Whom it is for, as far as it says so.
    pub subject: String,
    /// When it becomes valid.
    pub not_before: SystemTime,
    /// When it ends.
    pub not_after: SystemTime,
}

impl CertificateEnd {
    /// `None`: the certificate can't be read.
    pub(super) fn of(path: PathBuf, der: &CertificateDer<'_>) -> Option<Self> {
        let certificate = Certificate::from_der(der).ok()?;
        let tbs = certificate.tbs_certificate();
        Some(Self {
            path,
            subject: tbs.subject().to_string(),
            not_before: SystemTime::UNIX_EPOCH + tbs.validity().not_before.to_unix_duration(),
            not_after: SystemTime::UNIX_EPOCH + tbs.validity().not_after.to_unix_duration(),
        })
    }

    /// Whether it has ended, or ends within `ahead` of `now`.
    pub fn ends_within(&self, ahead: Duration, now: SystemTime) -> bool {
        self.not_after <= now + ahead
    }

    /// Says in the log what is wrong with it at `now`, if anything is.
    pub(super) fn warn(&self, ahead: Duration, now: SystemTime) {
        let (file, subject) = (self.path.display(), &self.subject);
        if now < self.not_before {
            tracing::warn!(%file, subject, "certificate is not valid yet");
        }
        match self.not_after.duration_since(now) {
            Err(_) => tracing::warn!(%file, subject, "certificate has expired: peers refuse it"),
            Ok(left) if left <= ahead => {
                let days_left = left.as_secs() / (24 * 3600);
                tracing::warn!(%file, subject, days_left, "certificate expires soon: renew it");
            }
            Ok(_) => {}
        }
    }
}
