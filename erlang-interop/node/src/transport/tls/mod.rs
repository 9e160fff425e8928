//! TLS, as OTP's `inet_tls_dist` does it: the user's own options file, TLS 1.2 and 1.3.
//!
//! Inside TLS everything is as over TCP, but the handshake's messages have four bytes of length.
//!
//! Files are read again when they have changed, which is looked at before each new connection and
//! once in a while. Connections that are up stay so; a file that can't be used changes nothing.

mod ciphers;
mod error;
mod load;
mod optfile;
mod options;
mod pem;
mod text;
mod validity;
mod verify;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rustls::pki_types::ServerName;
use tokio::io::BufReader;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::audit::Direction;
use crate::limits::{TLS_EXPIRY_WARNING, TLS_READ_BYTES, TLS_WARNING_PERIOD};
pub use error::{TlsConfigError, TlsError, TlsSide};
use load::{Fingerprint, Loaded};
use optfile::DistOptions;
use options::ServerNameOption;
pub use validity::CertificateEnd;

/// A TLS connection's bytes.
pub(crate) type TlsIo = TlsStream<BufReader<TcpStream>>;

/// What TLS distribution runs by. Cheap to clone; clones share certificates and sessions.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    path: PathBuf,
    options: DistOptions,
    state: Mutex<State>,
}

struct State {
    loaded: Arc<Loaded>,
    /// The files that were looked at last, used or not.
    seen: Fingerprint,
    warned: SystemTime,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("optfile", &self.0.path).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads an options file, the one of `-ssl_dist_optfile`, and all files it names. What is
    /// honoured in part, and certificates that end soon, are warned about in the log.
    ///
    /// # Errors
    /// A file can't be read, or is not what it should be; an option is not known or can't be
    /// honoured.
    pub fn from_optfile(path: &Path) -> Result<Self, TlsConfigError> {
        let options = optfile::read(path)?;
        let seen = load::fingerprint(&options);
        let loaded = Arc::new(load::load(&options)?);
        for side in options.server.iter().chain([&options.client]) {
            for note in &side.notes {
                tracing::warn!(optfile = %path.display(), note, "TLS option honoured in part");
            }
        }
        let now = SystemTime::now();
        for end in &loaded.ends {
            end.warn(TLS_EXPIRY_WARNING, now);
        }
        let state = Mutex::new(State { loaded, seen, warned: now });
        Ok(Self(Arc::new(Inner { path: path.to_owned(), options, state })))
    }

    /// Our certificates and the CAs we trust, each with its end.
    pub fn certificates(&self) -> Vec<CertificateEnd> {
        self.current().ends.clone()
    }

    /// Whether peers can dial us: there is a certificate in the server options.
    pub fn can_accept(&self) -> bool {
        self.current().server.is_some()
    }

    /// Reads changed files again, and warns of ends that are near, once a day at most.
    pub fn refresh(&self) {
        let loaded = self.current();
        let now = SystemTime::now();
        let mut state = self.lock();
        // A clock that was set back must not silence the warnings.
        let passed = now.duration_since(state.warned).unwrap_or(TLS_WARNING_PERIOD);
        if passed < TLS_WARNING_PERIOD {
            return;
        }
        state.warned = now;
        drop(state);
        for end in &loaded.ends {
            end.warn(TLS_EXPIRY_WARNING, now);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is in force, after a look at the files.
    fn current(&self) -> Arc<Loaded> {
        let seen = load::fingerprint(&self.0.options);
        let mut state = self.lock();
        if state.seen == seen {
            return Arc::clone(&state.loaded);
        }
        // Taken before the files are read: what changes meanwhile is seen next time.
        state.seen = seen;
        match load::load(&self.0.options) {
            Ok(loaded) => {
                tracing::info!(optfile = %self.0.path.display(), "certificates read again");
                state.loaded = Arc::new(loaded);
                state.warned = SystemTime::UNIX_EPOCH;
            }
            Err(error) => {
                tracing::warn!(reason = %error, "changed certificates not used: the old ones stay");
            }
        }
        Arc::clone(&state.loaded)
    }

    /// The handshake with a peer that dialed us.
    pub(crate) async fn accept(&self, stream: TcpStream, limit: Duration) -> Result<TlsIo, Failed> {
        let config = self.current().server.clone().ok_or(TlsError::NoServerOptions)?;
        let accepting = TlsAcceptor::from(config).accept(buffered(stream));
        let accepted = timeout(share(limit), accepting).await.map_err(|_| TlsError::Silent)?;
        Ok(TlsStream::from(accepted?))
    }

    /// The handshake with the node that we dialed on that host.
    pub(crate) async fn connect(
        &self,
        stream: TcpStream,
        host: &str,
        limit: Duration,
    ) -> Result<TlsIo, Failed> {
        let host = match &self.0.options.client.server_name {
            ServerNameOption::Given(name) => name.clone(),
            ServerNameOption::Host | ServerNameOption::Disabled => host.to_owned(),
        };
        let name = ServerName::try_from(host.clone()).map_err(|_| TlsError::HostName { host })?;
        let config = Arc::clone(&self.current().client);
        let connecting = TlsConnector::from(config).connect(name, buffered(stream));
        let connected = timeout(share(limit), connecting).await.map_err(|_| TlsError::Silent)?;
        Ok(TlsStream::from(connected?))
    }
}

impl Tls {
    /// What the peer's certificate is for. Nothing when that side does not verify.
    pub(crate) fn verified_names(&self, io: &TlsIo, direction: Direction) -> Vec<String> {
        let options = &self.0.options;
        let verified = match direction {
            Direction::In => options.server.as_ref().is_some_and(|server| server.verify_peer),
            Direction::Out => options.client.verify_peer,
        };
        let (_, session) = io.get_ref();
        match session.peer_certificates() {
            Some([own, ..]) if verified => validity::names(own),
            _ => Vec::new(),
        }
    }
}

/// The part of a set-up's time that TLS may take, so that its failure is told from one later on.
fn share(limit: Duration) -> Duration {
    limit / 10 * 9
}

fn buffered(stream: TcpStream) -> BufReader<TcpStream> {
    BufReader::with_capacity(TLS_READ_BYTES, stream)
}

/// A handshake that came to nothing.
pub(crate) enum Failed {
    Tls(TlsError),
    Io(io::Error),
}

impl From<TlsError> for Failed {
    fn from(error: TlsError) -> Self {
        Self::Tls(error)
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        TlsError::in_handshake(&error).map_or(Self::Io(error), Self::Tls)
    }
}

#[cfg(test)]
mod tests;
