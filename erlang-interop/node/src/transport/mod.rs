//! What carries the bytes of a connection.
//!
//! The rest of the crate sees a `Stream` that splits into halves, and a `Listener`. Another
//! transport is one file more and a variant in each enum.

pub mod memory;
mod tcp;
pub mod tls;

use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use erlang_dist::handshake::LengthPrefix;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, ReadHalf, WriteHalf};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::audit::Direction;
use crate::config::NodeConfig;
use crate::error::{ConnectError, StartError};
use memory::MemoryNet;
use tls::{Failed, Tls, TlsError, TlsIo};

pub(crate) use tcp::connect as connect_tcp;

/// Which transport a node uses.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Transport {
    /// TCP.
    #[default]
    Tcp,
    /// TLS over TCP, as `-proto_dist inet_tls`.
    Tls(Tls),
    /// Pipes in memory between nodes of one program: for tests and simulations. Neither sockets nor
    /// EPMD are used.
    Memory(MemoryNet),
}

impl Transport {
    pub(crate) fn prefix(&self) -> LengthPrefix {
        match self {
            Self::Tcp | Self::Memory(_) => LengthPrefix::Two,
            // spec: inet_tls_dist; over TLS the handshake has the frames' length
            Self::Tls(_) => LengthPrefix::Four,
        }
    }
}

/// A connection's bytes.
pub(crate) enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsIo>),
    Memory(DuplexStream),
}

/// The receiving half.
pub(crate) enum Reader {
    Tcp(OwnedReadHalf),
    Tls(ReadHalf<TlsIo>),
    Memory(ReadHalf<DuplexStream>),
}

/// The sending half. Dropping it says to the peer that no more comes.
pub(crate) enum Writer {
    Tcp(OwnedWriteHalf),
    Tls {
        half: WriteHalf<TlsIo>,
        /// Whether encrypted bytes may wait for the socket.
        unflushed: bool,
    },
    Memory(WriteHalf<DuplexStream>),
}

/// The far end of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    /// Its address with the port, for people.
    pub(crate) address: String,
    /// Its address; none in memory.
    pub(crate) ip: Option<IpAddr>,
    /// What its verified certificate is for.
    pub(crate) certificates: Vec<String>,
}

impl Remote {
    pub(crate) fn at(address: SocketAddr) -> Self {
        let ip = Some(address.ip().to_canonical());
        Self { address: address.to_string(), ip, certificates: Vec::new() }
    }

    pub(crate) fn in_memory(name: &str) -> Self {
        Self { address: name.to_owned(), ip: None, certificates: Vec::new() }
    }
}

/// Where peers come in.
pub(crate) enum Listener {
    Tcp(TcpListener),
    Memory(memory::MemoryListener),
}

impl Listener {
    /// Listens as the configuration says.
    pub(crate) fn bind(config: &NodeConfig) -> Result<Self, StartError> {
        match &config.transport {
            Transport::Tcp => tcp::bind(config).map(Self::Tcp),
            Transport::Tls(tls) if !tls.can_accept() => {
                Err(StartError::Tls(TlsError::NoServerOptions))
            }
            Transport::Tls(_) => tcp::bind(config).map(Self::Tcp),
            Transport::Memory(net) => net
                .listen(config.name.as_str())
                .map(Self::Memory)
                .ok_or_else(|| StartError::NameTaken { name: config.name.alive().to_owned() }),
        }
    }

    /// The address peers dial; none in memory.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Memory(_) => None,
        }
    }

    /// The next peer. Its bytes are not to be used before [`Stream::secure_accepted`].
    pub(crate) async fn accept(&mut self, config: &NodeConfig) -> io::Result<(Stream, Remote)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, from) = listener.accept().await?;
                tcp::tune(&stream, config)?;
                Ok((Stream::Tcp(stream), Remote::at(from)))
            }
            Self::Memory(listener) => {
                let stream = listener.accept().await;
                Ok((Stream::Memory(stream), Remote::in_memory("memory")))
            }
        }
    }
}

impl Stream {
    /// The TLS handshake with a peer that dialed us, where the node has TLS.
    pub(crate) async fn secure_accepted(
        self,
        config: &NodeConfig,
        from: &str,
    ) -> Result<Self, ConnectError> {
        match (&config.transport, self) {
            (Transport::Tls(tls), Self::Tcp(stream)) => {
                let secured = tls.accept(stream, config.net_setup_time).await;
                secured.map(|io| Self::Tls(Box::new(io))).map_err(|error| failed(from, error))
            }
            (_, stream) => Ok(stream),
        }
    }

    /// The TLS handshake with a node that we dialed, where we have TLS.
    pub(crate) async fn secure_dialed(
        self,
        config: &NodeConfig,
        host: &str,
        address: SocketAddr,
    ) -> Result<Self, ConnectError> {
        match (&config.transport, self) {
            (Transport::Tls(tls), Self::Tcp(stream)) => {
                let secured = tls.connect(stream, host, config.net_setup_time).await;
                let address = address.to_string();
                secured.map(|io| Self::Tls(Box::new(io))).map_err(|error| failed(&address, error))
            }
            (_, stream) => Ok(stream),
        }
    }

    /// What the peer's certificate is for, if it has shown one and we verified it.
    pub(crate) fn certificate_names(
        &self,
        config: &NodeConfig,
        direction: Direction,
    ) -> Vec<String> {
        match (self, &config.transport) {
            (Self::Tls(io), Transport::Tls(tls)) => tls.verified_names(io, direction),
            _ => Vec::new(),
        }
    }

    pub(crate) fn split(self) -> (Reader, Writer) {
        match self {
            Self::Tcp(stream) => {
                let (reader, writer) = stream.into_split();
                (Reader::Tcp(reader), Writer::Tcp(writer))
            }
            Self::Tls(stream) => {
                let (reader, half) = tokio::io::split(*stream);
                (Reader::Tls(reader), Writer::Tls { half, unflushed: false })
            }
            Self::Memory(stream) => {
                let (reader, writer) = tokio::io::split(stream);
                (Reader::Memory(reader), Writer::Memory(writer))
            }
        }
    }
}

fn failed(address: &str, error: Failed) -> ConnectError {
    let address = address.to_owned();
    match error {
        Failed::Tls(source) => ConnectError::Tls { address, source },
        Failed::Io(source) => ConnectError::Io { address, source: Arc::new(source) },
    }
}

impl Writer {
    /// Whether bytes that were written may still wait here, and a flush would push them on.
    pub(crate) fn is_unflushed(&self) -> bool {
        matches!(self, Self::Tls { unflushed: true, .. })
    }
}

/// Notes that bytes were taken which may still wait here.
fn taken(unflushed: &mut bool, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
    if let Poll::Ready(Ok(1..)) = written {
        *unflushed = true;
    }
    written
}

impl AsyncRead for Reader {
    fn poll_read(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(half) => Pin::new(half).poll_read(task, buffer),
            Self::Tls(half) => Pin::new(half).poll_read(task, buffer),
            Self::Memory(half) => Pin::new(half).poll_read(task, buffer),
        }
    }
}

impl AsyncWrite for Writer {
    fn poll_write(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(half) => Pin::new(half).poll_write(task, bytes),
            Self::Tls { half, unflushed } => {
                taken(unflushed, Pin::new(half).poll_write(task, bytes))
            }
            Self::Memory(half) => Pin::new(half).poll_write(task, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(half) => Pin::new(half).poll_write_vectored(task, slices),
            Self::Tls { half, unflushed } => {
                taken(unflushed, Pin::new(half).poll_write_vectored(task, slices))
            }
            Self::Memory(half) => Pin::new(half).poll_write_vectored(task, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(half) => half.is_write_vectored(),
            Self::Tls { half, .. } => half.is_write_vectored(),
            Self::Memory(half) => half.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(half) => Pin::new(half).poll_flush(task),
            Self::Tls { half, unflushed } => {
                let flushed = Pin::new(half).poll_flush(task);
                if let Poll::Ready(Ok(())) = flushed {
                    *unflushed = false;
                }
                flushed
            }
            Self::Memory(half) => Pin::new(half).poll_flush(task),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(half) => Pin::new(half).poll_shutdown(task),
            Self::Tls { half, .. } => Pin::new(half).poll_shutdown(task),
            Self::Memory(half) => Pin::new(half).poll_shutdown(task),
        }
    }
}
