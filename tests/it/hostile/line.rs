//! The bytes of a hostile peer: plain TCP or TLS, as the side that dials or the one that is dialed.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};

use super::case::Wire;
use crate::running::PATIENCE;

/// A stream that reads and writes blocking, with a deadline.
pub(crate) enum Line {
    Tcp(TcpStream),
    Dialed(Box<StreamOwned<ClientConnection, TcpStream>>),
    Served(Box<StreamOwned<ServerConnection, TcpStream>>),
}

/// The keys of a hostile peer that has a certificate of the cluster.
#[derive(Clone)]
pub(crate) struct Keys {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

impl Keys {
    /// Those that `har certs init` made for a node.
    pub(crate) fn read(directory: &Path, node: &str) -> Self {
        let read = |name: String| std::fs::read(directory.join(name)).expect("made before");
        let (ca, cert) = (read("ca.pem".to_owned()), read(format!("{node}.pem")));
        let key = read(format!("{node}.key"));
        let chain = || vec![CertificateDer::from_pem_slice(&cert).expect("a certificate")];
        let key = || PrivateKeyDer::from_pem_slice(&key).expect("a key");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&ca).expect("a CA")).expect("a good CA");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_client_auth_cert(chain(), key())
            .expect("our certificate");
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain(), key())
            .expect("our certificate");
        Self { client: Arc::new(client), server: Arc::new(server) }
    }
}

/// A bare connection to a port of this host.
pub(crate) fn dial(port: u16) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the node listens");
    tuned(stream)
}

fn tuned(stream: TcpStream) -> TcpStream {
    stream.set_nodelay(true).expect("set");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    stream.set_write_timeout(Some(PATIENCE)).expect("set");
    stream
}

impl Line {
    /// Dials a node. Over TLS the handshake is done.
    pub(crate) fn dial(port: u16, wire: Wire, keys: Option<&Keys>) -> Self {
        let stream = dial(port);
        match (wire, keys) {
            (Wire::Tcp, _) => Self::Tcp(stream),
            (Wire::Tls, None) => Self::Tcp(stream),
            (Wire::Tls, Some(keys)) => {
                let name = ServerName::try_from("127.0.0.1").expect("an address");
                let tls = ClientConnection::new(Arc::clone(&keys.client), name).expect("a client");
                let mut stream = StreamOwned::new(tls, stream);
                stream.flush().expect("the TLS handshake");
                Self::Dialed(Box::new(stream))
            }
        }
    }

    /// Takes a connection of the node. Over TLS the handshake is done as bytes are read.
    pub(crate) fn serve(stream: TcpStream, wire: Wire, keys: Option<&Keys>) -> Self {
        let stream = tuned(stream);
        match (wire, keys) {
            (Wire::Tls, Some(keys)) => {
                let tls = ServerConnection::new(Arc::clone(&keys.server)).expect("a server");
                Self::Served(Box::new(StreamOwned::new(tls, stream)))
            }
            _ => Self::Tcp(stream),
        }
    }

    /// The socket below.
    pub(crate) fn socket(&self) -> &TcpStream {
        match self {
            Self::Tcp(stream) => stream,
            Self::Dialed(stream) => &stream.sock,
            Self::Served(stream) => &stream.sock,
        }
    }

    /// Ends our half of the connection; without a word of TLS.
    pub(crate) fn hang_up(&self) {
        // It may be gone already.
        let _ = self.socket().shutdown(Shutdown::Write);
    }

    /// Reads until the other side closes. Whether it did, in time.
    pub(crate) fn is_cut(&mut self, within: Duration) -> bool {
        self.socket().set_read_timeout(Some(within)).expect("set");
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.read(&mut buffer) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => {
                    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
                    if error.kind() != Interrupted {
                        return !matches!(error.kind(), TimedOut | WouldBlock);
                    }
                }
            }
        }
    }
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Dialed(stream) => stream.read(buffer),
            Self::Served(stream) => stream.read(buffer),
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Dialed(stream) => stream.write(bytes),
            Self::Served(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.flush(),
            Self::Dialed(stream) => stream.flush(),
            Self::Served(stream) => stream.flush(),
        }
    }
}
