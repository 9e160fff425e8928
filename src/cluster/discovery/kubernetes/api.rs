//! The API server: one HTTP/1.1 connection over TLS, with the token of the service account.
// spec: Kubernetes, "Accessing the Kubernetes API from a Pod"

use std::fs::File;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{ACCEPT, AUTHORIZATION, HOST, HeaderValue};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use super::error::ApiError;
use super::objects::Object;
use crate::cluster::limits::{
    ACCOUNT_FILE_BYTES_MAX, HEADERS_MAX, REFUSAL_CHARS_MAX, RESPONSE_BYTES_MAX,
};

/// The usual port; libcluster knows no other.
const PORT: u16 = 443;

/// A connection on which one question at a time is asked.
pub(super) type Connection = SendRequest<Empty<Bytes>>;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Api {
    host: String,
    port: u16,
    account: PathBuf,
    resource: &'static str,
    idle: Option<Connection>,
}

impl Api {
    /// Of the server `master`; `domain` is that of the cluster.
    pub(super) fn new(
        master: &str,
        domain: &str,
        account: PathBuf,
        resource: &'static str,
    ) -> Self {
        let (host, port) = host_and_port(master);
        let whole = host.ends_with('.') || host.ends_with(domain) || host.parse::<IpAddr>().is_ok();
        let host = if whole { host.to_owned() } else { format!("{host}.{domain}") };
        Self { host, port, account, resource, idle: None }
    }

    /// Host and port, as the log tells them.
    pub(super) fn authority(&self) -> String {
        if self.host.contains(':') {
            return format!("[{}]:{}", self.host, self.port);
        }
        format!("{}:{}", self.host.trim_end_matches('.'), self.port)
    }

    /// The namespace of the service account.
    pub(super) fn namespace(&self) -> Result<String, ApiError> {
        let path = self.account.join("namespace");
        let namespace = read(&path)?;
        let namespace = namespace.trim();
        if crate::config::is_kubernetes_label(namespace) {
            return Ok(namespace.to_owned());
        }
        Err(ApiError::Account { path, reason: "it has no name of a namespace".to_owned() })
    }

    /// The whole answer to a question.
    pub(super) async fn whole(&mut self, path: &str) -> Result<Vec<u8>, ApiError> {
        let (answer, connection) = self.get(path).await?;
        let bytes = body(answer.into_body(), RESPONSE_BYTES_MAX).await?;
        self.idle = Some(connection);
        Ok(bytes)
    }

    /// An answer that has begun, on a connection that is taken by it.
    pub(super) async fn get(
        &mut self,
        path: &str,
    ) -> Result<(Response<Incoming>, Connection), ApiError> {
        let token = self.token();
        let mut answer = self.send(path, &token).await?;
        if answer.0.status() == StatusCode::UNAUTHORIZED {
            // It may have been replaced since it was read.
            let fresh = self.token();
            if fresh != token {
                answer = self.send(path, &fresh).await?;
            }
        }
        if answer.0.status().is_success() {
            return Ok(answer);
        }
        Err(self.refusal(answer.0).await)
    }

    /// Read for each question: it is replaced about hourly. Without one the server says what an
    /// anonymous caller may do.
    fn token(&self) -> Zeroizing<String> {
        let text = read(&self.account.join("token")).unwrap_or_default();
        Zeroizing::new(text.trim().to_owned())
    }

    async fn send(
        &mut self,
        path: &str,
        token: &str,
    ) -> Result<(Response<Incoming>, Connection), ApiError> {
        if let Some(mut idle) = self.idle.take()
            && idle.ready().await.is_ok()
            && let Ok(answer) = idle.send_request(self.request(path, token)?).await
        {
            return Ok((answer, idle));
        }
        // The server may have closed an idle connection in this very moment; a new one tells.
        let mut connection = self.connect().await?;
        let answer = connection.send_request(self.request(path, token)?).await;
        Ok((answer.map_err(|error| failed(&error))?, connection))
    }

    fn request(&self, path: &str, token: &str) -> Result<Request<Empty<Bytes>>, ApiError> {
        let mut request = Request::get(path).header(HOST, self.authority());
        request = request.header(ACCEPT, "application/json");
        if !token.is_empty() {
            let bearer = Zeroizing::new(format!("Bearer {token}"));
            let mut value = HeaderValue::from_str(&bearer).map_err(|_| ApiError::Account {
                path: self.account.join("token"),
                reason: "it is no token".to_owned(),
            })?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        request.body(Empty::new()).map_err(|error| failed(&error))
    }

    async fn connect(&self) -> Result<Connection, ApiError> {
        let name = ServerName::try_from(self.host.trim_end_matches('.').to_owned());
        let name = name.map_err(|error| failed(&error))?;
        let tls = TlsConnector::from(Arc::new(self.tls()?));
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await;
        let stream = stream.map_err(|error| failed(&error))?;
        let stream = tls.connect(name, stream).await.map_err(|error| failed(&error))?;
        let mut http = http1::Builder::new();
        http.max_headers(HEADERS_MAX);
        let (sender, connection) =
            http.handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
        // It ends when the sender and the answer are dropped; how, the sender tells.
        tokio::spawn(async move { connection.await.ok() });
        Ok(sender)
    }

    /// Trusts the CA of the service account alone, as it is now. Without it nothing: libcluster
    /// would tell its token to anyone.
    fn tls(&self) -> Result<ClientConfig, ApiError> {
        let path = self.account.join("ca.crt");
        let pem = read(&path)?;
        let wrong = |reason: String| ApiError::Account { path: path.clone(), reason };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
            roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(wrong("it has no certificate".to_owned()));
        }
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(&error))?;
        Ok(config.with_root_certificates(roots).with_no_client_auth())
    }

    async fn refusal(&self, answer: Response<Incoming>) -> ApiError {
        let status = answer.status();
        let said = body(answer.into_body(), RESPONSE_BYTES_MAX).await.unwrap_or_default();
        let object: Object = serde_json::from_slice(&said).unwrap_or_default();
        let message = object.message.unwrap_or_default();
        let message = message.chars().filter(|c| !c.is_control()).take(REFUSAL_CHARS_MAX).collect();
        match status {
            StatusCode::UNAUTHORIZED => {
                ApiError::Token { message, path: self.account.join("token") }
            }
            StatusCode::FORBIDDEN => ApiError::Forbidden { message, resource: self.resource },
            StatusCode::GONE => ApiError::Gone,
            _ => ApiError::Status { status: status.to_string(), message },
        }
    }
}

fn failed(error: &dyn std::error::Error) -> ApiError {
    let mut reason = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !reason.contains(&more) {
            reason = format!("{reason}: {more}");
        }
        cause = error.source();
    }
    ApiError::Request(reason)
}

fn host_and_port(master: &str) -> (&str, u16) {
    let bare = master.strip_prefix("https://").unwrap_or(master);
    if bare.parse::<IpAddr>().is_ok() {
        return (bare, PORT);
    }
    let split = bare.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = split.unwrap_or((bare, PORT));
    (host.trim_start_matches('[').trim_end_matches(']'), port)
}

/// A file of the service account, as far as its bound.
fn read(path: &Path) -> Result<String, ApiError> {
    let wrong = |error: std::io::Error| ApiError::Account {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let mut text = String::new();
    let file = File::open(path).map_err(wrong)?;
    file.take(ACCOUNT_FILE_BYTES_MAX).read_to_string(&mut text).map_err(wrong)?;
    Ok(text)
}

async fn body(mut body: Incoming, bytes_max: usize) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| failed(&error))?.into_data() else { continue };
        if bytes.len() + data.len() > bytes_max {
            return Err(ApiError::TooLong("8 MiB at once"));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_named_as_of_libcluster_with_a_port_where_it_has_one() {
        for (master, authority) in [
            ("kubernetes.default.svc", "kubernetes.default.svc.cluster.local:443"),
            ("kubernetes.default.svc.cluster.local", "kubernetes.default.svc.cluster.local:443"),
            ("api.example.org.", "api.example.org:443"),
            ("https://api.example.org.:6443", "api.example.org:6443"),
            ("10.0.0.1", "10.0.0.1:443"),
            ("10.0.0.1:6443", "10.0.0.1:6443"),
            ("fd00::1", "[fd00::1]:443"),
            ("[fd00::1]:6443", "[fd00::1]:6443"),
        ] {
            let api = Api::new(master, "cluster.local", "/nowhere".into(), "pods");
            assert_eq!(api.authority(), authority, "{master}");
        }
    }

    #[test]
    fn a_folder_without_files_is_named_with_the_cure() {
        let api = Api::new("10.0.0.1", "cluster.local", "/nowhere".into(), "pods");
        for error in [api.tls().expect_err("none"), api.namespace().expect_err("none")] {
            let text = error.to_string();
            assert!(text.contains("/nowhere/") && text.contains("mounted?"), "{text}");
        }
        assert_eq!(api.token().as_str(), "");
    }

    #[test]
    fn a_file_that_is_no_certificate_or_token_is_named() {
        let account = tempfile::tempdir().expect("a folder");
        std::fs::write(account.path().join("ca.crt"), "hello").expect("written");
        std::fs::write(account.path().join("namespace"), "a/../b").expect("written");
        let api = Api::new("10.0.0.1", "cluster.local", account.path().into(), "pods");
        assert!(api.tls().expect_err("no CA").to_string().contains("no certificate"));
        assert!(api.namespace().expect_err("no name").to_string().contains("no name of"));
        assert!(api.request("/", "a\nb").expect_err("no token").to_string().contains("no token"));
    }
}
