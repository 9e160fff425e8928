//! Judging a peer's certificate.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

/// The methods that are the same for whoever judges certificates: signatures are always checked, so
/// that a peer has the key of what it shows.
macro_rules! signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls12_signature(message, cert, dss, &self.algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls13_signature(message, cert, dss, &self.algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.algorithms.supported_schemes()
        }
    };
}

/// `verify_none`: the connection is encrypted, but with whom is not known from the certificate. The
/// cookie still has to be right. A dialer's default up to OTP 25.
#[derive(Debug)]
pub(super) struct VerifyNone {
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for VerifyNone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    signatures!();
}

/// Bounds the CAs between the peer's certificate and ours.
///
/// A chain comes in order, so with all beyond the first `depth` left out, a longer one leads
/// nowhere. CAs of ours that the peer sends along don't count. spec: ssl, "depth"
#[derive(Debug)]
struct Depth {
    max: usize,
    trusted: Vec<CertificateDer<'static>>,
}

impl Depth {
    fn cut<'c>(&self, chain: &[CertificateDer<'c>]) -> Vec<CertificateDer<'c>> {
        let foreign = |cert: &&CertificateDer<'c>| !self.trusted.iter().any(|ca| ca == *cert);
        chain.iter().filter(foreign).take(self.max).cloned().collect()
    }
}

/// `verify_peer` of a dialer: the CA, and the host of the dialed name.
#[derive(Debug)]
pub(super) struct VerifyServer {
    inner: Arc<WebPkiServerVerifier>,
    algorithms: WebPkiSupportedAlgorithms,
    depth: Depth,
    /// Whether the certificate must be for the host: not with `server_name_indication` disabled.
    check_host: bool,
}

impl VerifyServer {
    pub(super) fn new(
        inner: Arc<WebPkiServerVerifier>,
        algorithms: WebPkiSupportedAlgorithms,
        trusted: Vec<CertificateDer<'static>>,
        max: usize,
        check_host: bool,
    ) -> Self {
        Self { inner, algorithms, depth: Depth { max, trusted }, check_host }
    }
}

impl ServerCertVerifier for VerifyServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = self.depth.cut(intermediates);
        let verified =
            self.inner.verify_server_cert(end_entity, &chain, server_name, ocsp_response, now);
        match verified {
            // The name is the last that is looked at: all else was right.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.check_host => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    signatures!();
}

/// `verify_peer` of the dialed side: the CA. Whom the certificate is for is not asked, as in OTP.
#[derive(Debug)]
pub(super) struct VerifyClient {
    inner: Arc<dyn ClientCertVerifier>,
    algorithms: WebPkiSupportedAlgorithms,
    depth: Depth,
}

impl VerifyClient {
    pub(super) fn new(
        inner: Arc<dyn ClientCertVerifier>,
        algorithms: WebPkiSupportedAlgorithms,
        trusted: Vec<CertificateDer<'static>>,
        max: usize,
    ) -> Self {
        Self { inner, algorithms, depth: Depth { max, trusted } }
    }
}

impl ClientCertVerifier for VerifyClient {
    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.inner.verify_client_cert(end_entity, &self.depth.cut(intermediates), now)
    }

    signatures!();
}
