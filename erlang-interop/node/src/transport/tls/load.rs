//! Options and the files they name become what rustls runs by.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::client::{ClientConfig, Resumption, WebPkiServerVerifier};
use rustls::crypto::ring::default_provider;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::CertificateDer;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    NoServerSessionStorage, ServerConfig, ServerSessionMemoryCache, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ProtocolVersion, RootCertStore, SupportedProtocolVersion};

use super::error::{TlsConfigError, TlsSide};
use super::optfile::DistOptions;
use super::options::{CrlCheck, ServerNameOption, SideOptions};
use super::pem::{self, Named};
use super::validity::CertificateEnd;
use super::verify::{VerifyClient, VerifyNone, VerifyServer};
use crate::limits::TLS_SESSIONS_KEPT;

/// What the options and the present content of their files amount to.
pub(super) struct Loaded {
    /// `None`: no certificate for peers that dial us.
    pub(super) server: Option<Arc<ServerConfig>>,
    pub(super) client: Arc<ClientConfig>,
    /// Our certificates, and the CAs we trust.
    pub(super) ends: Vec<CertificateEnd>,
}

/// Reads all files.
pub(super) fn load(options: &DistOptions) -> Result<Loaded, TlsConfigError> {
    let mut ends = Vec::new();
    let server = match &options.server {
        Some(server) => Side::new(TlsSide::Server, server).server(&mut ends)?.map(Arc::new),
        None => None,
    };
    let client = Arc::new(Side::new(TlsSide::Client, &options.client).client(&mut ends)?);
    ends.sort_by(|a, b| (&a.path, &a.subject).cmp(&(&b.path, &b.subject)));
    ends.dedup();
    Ok(Loaded { server, client, ends })
}

/// Tells whether a file has changed, without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint(Vec<(PathBuf, Option<State>)>);

/// When it was written, its length, and when and which inode was changed.
type State = (SystemTime, u64, (i64, i64, u64));

/// The state of all files that the options name.
pub(super) fn fingerprint(options: &DistOptions) -> Fingerprint {
    let mut paths = Vec::new();
    for side in options.server.iter().chain([&options.client]) {
        let files = [&side.certfile, &side.keyfile, &side.cacertfile];
        paths.extend(files.into_iter().flatten().cloned());
        if let Some(directory) = &side.crl_dir {
            let named = Named { side: TlsSide::Server, name: "crl_cache", path: directory };
            // A directory that is gone is a change too.
            paths.extend(pem::crl_files(named).unwrap_or_default());
            paths.push(directory.clone());
        }
    }
    let state = |path: &Path| {
        let metadata = fs::metadata(path).ok()?;
        // With the time of change and the place, so that another mode, owner or file is a change, too:
        // it may be readable only now.
        let changed = (metadata.ctime(), metadata.ctime_nsec(), metadata.ino());
        Some((metadata.modified().ok()?, metadata.len(), changed))
    };
    Fingerprint(paths.into_iter().map(|path| (path.clone(), state(&path))).collect())
}

/// One side, with what it offers.
struct Side<'o> {
    side: TlsSide,
    options: &'o SideOptions,
    provider: Arc<CryptoProvider>,
}

impl<'o> Side<'o> {
    fn new(side: TlsSide, options: &'o SideOptions) -> Self {
        let mut provider = default_provider();
        if let Some(suites) = &options.ciphers {
            provider.cipher_suites.clone_from(suites);
        }
        Self { side, options, provider: Arc::new(provider) }
    }

    fn named(&self, name: &'static str, path: &'o Path) -> Named<'o> {
        Named { side: self.side, name, path }
    }

    /// The fault of the options as a whole.
    fn fault(&self, name: &str, reason: impl ToString) -> TlsConfigError {
        TlsConfigError::Option {
            side: self.side,
            name: name.to_owned(),
            reason: reason.to_string(),
        }
    }

    fn algorithms(&self) -> WebPkiSupportedAlgorithms {
        self.provider.signature_verification_algorithms
    }

    fn versions(&self) -> Vec<&'static SupportedProtocolVersion> {
        let offered = &self.options.versions;
        let all = [(ProtocolVersion::TLSv1_3, &TLS13), (ProtocolVersion::TLSv1_2, &TLS12)];
        all.into_iter().filter(|(version, _)| offered.contains(version)).map(|(_, v)| v).collect()
    }

    /// Our certificate and its key. `None`: there is no `certfile`.
    fn own(&self, ends: &mut Vec<CertificateEnd>) -> Result<Option<CertifiedKey>, TlsConfigError> {
        let Some(certfile) = &self.options.certfile else { return Ok(None) };
        let certfile = self.named("certfile", certfile);
        let chain = pem::certificates(certfile)?;
        ends.extend(chain.iter().filter_map(|der| CertificateEnd::of(certfile.path.into(), der)));
        let keyfile = match &self.options.keyfile {
            Some(path) => self.named("keyfile", path),
            // As in OTP: both may be in one file.
            None => certfile,
        };
        let key = pem::private_key(keyfile, self.options.password.as_ref())?;
        let own = CertifiedKey::from_der(chain, key, &self.provider).map_err(|error| {
            keyfile
                .fault(format!("it does not fit the certificate, or is no key we can use: {error}"))
        })?;
        Ok(Some(own))
    }

    /// The CAs we trust.
    fn trusted(
        &self,
        ends: &mut Vec<CertificateEnd>,
    ) -> Result<(Arc<RootCertStore>, Vec<CertificateDer<'static>>), TlsConfigError> {
        let mut roots = RootCertStore::empty();
        let Some(cacertfile) = &self.options.cacertfile else {
            return Err(self.fault("cacertfile", "verify_peer needs it"));
        };
        let file = self.named("cacertfile", cacertfile);
        let certificates = pem::certificates(file)?;
        for certificate in &certificates {
            let added = roots.add(certificate.clone());
            added.map_err(|error| file.fault(format!("no CA that we can use: {error}")))?;
        }
        let end = |der| CertificateEnd::of(file.path.into(), der);
        ends.extend(certificates.iter().filter_map(end));
        Ok((Arc::new(roots), certificates))
    }

    fn server(
        &self,
        ends: &mut Vec<CertificateEnd>,
    ) -> Result<Option<ServerConfig>, TlsConfigError> {
        let Some(own) = self.own(ends)? else { return Ok(None) };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&self.versions())
            .map_err(|error| self.fault("versions", error))?;
        let builder = match self.options.verify_peer {
            true => builder.with_client_cert_verifier(self.client_verifier(ends)?),
            false => builder.with_no_client_auth(),
        };
        let own = Arc::new(rustls::sign::SingleCertAndKey::from(own));
        let mut config = builder.with_cert_resolver(own);
        config.session_storage = match self.options.reuse_sessions {
            true => ServerSessionMemoryCache::new(TLS_SESSIONS_KEPT),
            false => Arc::new(NoServerSessionStorage {}),
        };
        Ok(Some(config))
    }

    fn client(&self, ends: &mut Vec<CertificateEnd>) -> Result<ClientConfig, TlsConfigError> {
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&self.versions())
            .map_err(|error| self.fault("versions", error))?
            .dangerous();
        let builder = match self.options.verify_peer {
            true => builder.with_custom_certificate_verifier(self.server_verifier(ends)?),
            false => {
                let none = VerifyNone { algorithms: self.algorithms() };
                builder.with_custom_certificate_verifier(Arc::new(none))
            }
        };
        let mut config = match self.own(ends)? {
            Some(own) => {
                let own = Arc::new(rustls::sign::SingleCertAndKey::from(own));
                builder.with_client_cert_resolver(own)
            }
            None => builder.with_no_client_auth(),
        };
        config.enable_sni = self.options.server_name != ServerNameOption::Disabled;
        config.resumption = match self.options.reuse_sessions {
            true => Resumption::in_memory_sessions(TLS_SESSIONS_KEPT),
            false => Resumption::disabled(),
        };
        Ok(config)
    }

    fn server_verifier(
        &self,
        ends: &mut Vec<CertificateEnd>,
    ) -> Result<Arc<VerifyServer>, TlsConfigError> {
        let (roots, trusted) = self.trusted(ends)?;
        let provider = Arc::clone(&self.provider);
        let mut builder = WebPkiServerVerifier::builder_with_provider(roots, provider);
        if let Some(directory) = self.crls() {
            builder = builder.with_crls(pem::revocations(directory)?);
        }
        if self.options.crl_check == CrlCheck::Peer {
            builder = builder.only_check_end_entity_revocation();
        }
        if self.options.crl_check == CrlCheck::BestEffort {
            builder = builder.allow_unknown_revocation_status();
        } else {
            // As in OTP: a list that should have been renewed says nothing of who was revoked since.
            builder = builder.enforce_revocation_expiration();
        }
        let inner = builder.build().map_err(|error| self.fault("cacertfile", error))?;
        let check_host = self.options.server_name != ServerNameOption::Disabled;
        let (algorithms, depth) = (self.algorithms(), self.options.depth);
        Ok(Arc::new(VerifyServer::new(inner, algorithms, trusted, depth, check_host)))
    }

    fn client_verifier(
        &self,
        ends: &mut Vec<CertificateEnd>,
    ) -> Result<Arc<dyn ClientCertVerifier>, TlsConfigError> {
        let (roots, trusted) = self.trusted(ends)?;
        let provider = Arc::clone(&self.provider);
        let mut builder = WebPkiClientVerifier::builder_with_provider(roots, provider);
        if !self.options.fail_if_no_peer_cert {
            builder = builder.allow_unauthenticated();
        }
        if let Some(directory) = self.crls() {
            builder = builder.with_crls(pem::revocations(directory)?);
        }
        if self.options.crl_check == CrlCheck::Peer {
            builder = builder.only_check_end_entity_revocation();
        }
        if self.options.crl_check == CrlCheck::BestEffort {
            builder = builder.allow_unknown_revocation_status();
        } else {
            // As in OTP: a list that should have been renewed says nothing of who was revoked since.
            builder = builder.enforce_revocation_expiration();
        }
        let inner = builder.build().map_err(|error| self.fault("cacertfile", error))?;
        Ok(Arc::new(VerifyClient::new(inner, self.algorithms(), trusted, self.options.depth)))
    }

    /// Where the revocation lists are, if they are to be looked at.
    fn crls(&self) -> Option<Named<'o>> {
        let wanted = self.options.crl_check != CrlCheck::No;
        let directory = self.options.crl_dir.as_deref().filter(|_| wanted)?;
        Some(self.named("crl_cache", directory))
    }
}
