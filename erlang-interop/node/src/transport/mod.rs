//! What carries the bytes of a connection.
//!
//! The rest of the crate sees a `Stream` that splits into halves, and a `Listener`. Another
//! transport (TLS) is one file more and a variant in each enum.

pub mod memory;
mod tcp;

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use erlang_dist::handshake::LengthPrefix;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, ReadHalf, WriteHalf};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::config::NodeConfig;
use crate::error::StartError;
use memory::MemoryNet;

pub(crate) use tcp::connect as connect_tcp;

/// Which transport a node uses.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Transport {
    /// TCP.
    #[default]
    Tcp,
    /// Pipes in memory between nodes of one program: for tests and simulations. Neither sockets nor
    /// EPMD are used.
    Memory(MemoryNet),
}

impl Transport {
    pub(crate) fn prefix(&self) -> LengthPrefix {
        match self {
            Self::Tcp | Self::Memory(_) => LengthPrefix::Two,
        }
    }
}

/// A connection's bytes.
pub(crate) enum Stream {
    Tcp(TcpStream),
    Memory(DuplexStream),
}

/// The receiving half.
pub(crate) enum Reader {
    Tcp(OwnedReadHalf),
    Memory(ReadHalf<DuplexStream>),
}

/// The sending half. Dropping it says to the peer that no more comes.
pub(crate) enum Writer {
    Tcp(OwnedWriteHalf),
    Memory(WriteHalf<DuplexStream>),
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

    /// The next peer.
    pub(crate) async fn accept(&mut self, config: &NodeConfig) -> io::Result<(Stream, String)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, from) = listener.accept().await?;
                tcp::tune(&stream, config)?;
                Ok((Stream::Tcp(stream), from.to_string()))
            }
            Self::Memory(listener) => {
                let stream = listener.accept().await;
                Ok((Stream::Memory(stream), "memory".to_owned()))
            }
        }
    }
}

impl Stream {
    pub(crate) fn split(self) -> (Reader, Writer) {
        match self {
            Self::Tcp(stream) => {
                let (reader, writer) = stream.into_split();
                (Reader::Tcp(reader), Writer::Tcp(writer))
            }
            Self::Memory(stream) => {
                let (reader, writer) = tokio::io::split(stream);
                (Reader::Memory(reader), Writer::Memory(writer))
            }
        }
    }
}

impl AsyncRead for Reader {
    fn poll_read(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(half) => Pin::new(half).poll_read(task, buffer),
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
            Self::Memory(half) => Pin::new(half).poll_write_vectored(task, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(half) => half.is_write_vectored(),
            Self::Memory(half) => half.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(half) => Pin::new(half).poll_flush(task),
            Self::Memory(half) => Pin::new(half).poll_flush(task),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(half) => Pin::new(half).poll_shutdown(task),
            Self::Memory(half) => Pin::new(half).poll_shutdown(task),
        }
    }
}
