//! Certificates, keys and revocation lists from PEM files.

use std::path::{Path, PathBuf};

use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer, PrivatePkcs8KeyDer,
};

use super::error::{TlsConfigError, TlsSide};
use super::optfile::read_file;
use super::options::Password;
use crate::limits::TLS_CRL_FILES_MAX;

/// A file that an option names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named<'a> {
    pub(super) side: TlsSide,
    pub(super) name: &'static str,
    pub(super) path: &'a Path,
}

impl Named<'_> {
    pub(super) fn fault(&self, reason: impl Into<String>) -> TlsConfigError {
        TlsConfigError::File {
            side: self.side,
            name: self.name,
            path: self.path.to_owned(),
            reason: reason.into(),
        }
    }
}

/// All certificates of a file, at least one.
pub(super) fn certificates(
    file: Named<'_>,
) -> Result<Vec<CertificateDer<'static>>, TlsConfigError> {
    let bytes = read_file(file.path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|error| file.fault(format!("it is no PEM file: {error}")))?;
    if found.is_empty() {
        return Err(file.fault("there is no certificate in it (-----BEGIN CERTIFICATE-----)"));
    }
    Ok(found)
}

/// The first key of a file.
pub(super) fn private_key(
    file: Named<'_>,
    password: Option<&Password>,
) -> Result<PrivateKeyDer<'static>, TlsConfigError> {
    const BEGIN: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
    const END: &str = "-----END ENCRYPTED PRIVATE KEY-----";
    let bytes = read_file(file.path)?;
    let text = String::from_utf8_lossy(&bytes);
    if text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(file.fault(
            "its encryption is of an old kind; convert it once with \
             `openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW`",
        ));
    }
    if let Some(section) = section(&text, BEGIN, END) {
        let password =
            password.ok_or_else(|| file.fault("it is encrypted; give its password too"))?;
        return decrypt(section, password).map_err(|reason| file.fault(reason));
    }
    PrivateKeyDer::from_pem_slice(&bytes)
        .map_err(|error| file.fault(format!("there is no private key in it: {error}")))
}

fn section<'t>(text: &'t str, begin: &str, end: &str) -> Option<&'t str> {
    let from = text.find(begin)?;
    let length = text[from..].find(end)? + end.len();
    Some(&text[from..from + length])
}

fn decrypt(section: &str, password: &Password) -> Result<PrivateKeyDer<'static>, String> {
    let broken = |error: &dyn std::fmt::Display| format!("it is no encrypted key: {error}");
    let (_, document) = SecretDocument::from_pem(section).map_err(|error| broken(&error))?;
    let encrypted = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes())
        .map_err(|error| broken(&error))?;
    let key = encrypted.decrypt(password.reveal()).map_err(|_| {
        "the password does not open it, or it is encrypted in a way we have not (PBES2 with AES \
         is what `openssl pkcs8 -topk8` makes)"
            .to_owned()
    })?;
    Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into())
}

/// The files of a directory that are revocation lists by their name: `HASH.rN`.
pub(super) fn crl_files(directory: Named<'_>) -> Result<Vec<PathBuf>, TlsConfigError> {
    let fault = |error: std::io::Error| directory.fault(error.to_string());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory.path).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        let number = path.extension().and_then(|end| end.to_str()?.strip_prefix('r'));
        if number.is_some_and(|digits| digits.parse::<u32>().is_ok()) {
            files.push(path);
        }
        if files.len() > TLS_CRL_FILES_MAX {
            return Err(directory.fault(format!("more than {TLS_CRL_FILES_MAX} lists in it")));
        }
    }
    files.sort();
    Ok(files)
}

/// The revocation lists of a directory.
pub(super) fn revocations(
    directory: Named<'_>,
) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsConfigError> {
    let mut lists = Vec::new();
    for path in crl_files(directory)? {
        let file = Named { path: &path, ..directory };
        let bytes = read_file(&path)?;
        for list in CertificateRevocationListDer::pem_slice_iter(&bytes) {
            lists.push(list.map_err(|error| file.fault(format!("no revocation list: {error}")))?);
        }
    }
    if lists.is_empty() {
        return Err(directory.fault("there is no revocation list in it (HASH.rN in PEM)"));
    }
    Ok(lists)
}
