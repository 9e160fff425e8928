//! The client: what a node or a command asks a daemon.

mod registered;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub use registered::Registered;

use crate::codec::{
    self, Alive2, Alive2Answer, AnswerError, DISTRIBUTION_VERSION, Dump, NODE_TYPE_HIDDEN,
    NODE_TYPE_NORMAL, Names, NodeInfo, PROTOCOL_TCP, PortAnswer, Request, RequestError,
};
use crate::limits::{CLIENT_TIMEOUT_DEFAULT, LIST_ANSWER_BYTES_MAX, PORT_ANSWER_BYTES_MAX};

/// A client of the daemon at one address. Cheap; each request opens a connection of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    address: SocketAddr,
    timeout: Duration,
}

/// What a node registers itself with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Alive part of the node's name: 1 to 255 characters.
    pub name: String,
    /// Port the node accepts distribution connections on.
    pub port: u16,
    /// Whether the node calls itself hidden. It is listed all the same.
    pub hidden: bool,
    /// Highest distribution version: 6.
    pub highest_version: u16,
    /// Lowest distribution version: 6, as OTP 25 and later say.
    pub lowest_version: u16,
    /// Opaque bytes for whoever looks the node up; empty from BEAMs.
    pub extra: Vec<u8>,
}

impl Registration {
    /// A visible node as a current OTP registers it.
    #[must_use]
    pub fn new(name: impl Into<String>, port: u16) -> Self {
        Self {
            name: name.into(),
            port,
            hidden: false,
            highest_version: DISTRIBUTION_VERSION,
            lowest_version: DISTRIBUTION_VERSION,
            extra: Vec::new(),
        }
    }

    /// The same as a hidden node.
    #[must_use]
    pub fn hidden(self) -> Self {
        Self { hidden: true, ..self }
    }
}

/// Why a daemon gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nothing answers at the address.
    #[error("cannot connect to epmd at {address}: {source}")]
    Connect {
        /// The daemon's address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The connection broke.
    #[error("connection to epmd at {address} broke: {source}")]
    Io {
        /// The daemon's address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// No (whole) answer in time.
    #[error("epmd at {address} did not answer within {after:?}")]
    Timeout {
        /// The daemon's address.
        address: SocketAddr,
        /// How long we waited.
        after: Duration,
    },
    /// Closed before the answer was whole: the request is not allowed, or it is no EPMD.
    #[error("epmd at {address} closed after {bytes} bytes of an answer")]
    Closed {
        /// The daemon's address.
        address: SocketAddr,
        /// What came before.
        bytes: usize,
    },
    /// The answer is not one.
    #[error("epmd at {address} gave a wrong answer: {source}")]
    Answer {
        /// The daemon's address.
        address: SocketAddr,
        /// What is wrong.
        source: AnswerError,
    },
    /// The answer is longer than any daemon's.
    #[error("epmd at {address} sent more than {max} bytes")]
    TooLong {
        /// The daemon's address.
        address: SocketAddr,
        /// The limit.
        max: usize,
    },
    /// The daemon refuses the name: most likely a live node has it.
    #[error(
        "epmd at {address} refused the name \"{name}\" (result {result}): is a node of that name running?"
    )]
    Refused {
        /// The daemon's address.
        address: SocketAddr,
        /// The name.
        name: String,
        /// The result byte.
        result: u8,
    },
    /// The request itself is wrong; nothing was sent.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// Answer to KILL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillAnswer {
    /// `OK`: the daemon ends.
    Killed,
    /// `NO`: nodes are registered.
    LivingNodes,
}

/// Answer to STOP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopAnswer {
    /// `STOPPED`: the name is released.
    Stopped,
    /// `NOEXIST`: there is no such name.
    NoExist,
}

impl Client {
    /// A client for the daemon at `address`, with the default timeout.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self { address, timeout: CLIENT_TIMEOUT_DEFAULT }
    }

    /// The same with another timeout, for connecting and for each whole answer.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The daemon's address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Registers a node. It stays registered until the result is dropped.
    ///
    /// # Errors
    /// [`ClientError::Refused`] when the name is taken; [`ClientError::Closed`] when the daemon is
    /// on another host (it answers local nodes only); else any [`ClientError`].
    pub async fn register(&self, node: &Registration) -> Result<Registered, ClientError> {
        let alive = Alive2 {
            port: node.port,
            node_type: if node.hidden { NODE_TYPE_HIDDEN } else { NODE_TYPE_NORMAL },
            protocol: PROTOCOL_TCP,
            highest_version: node.highest_version,
            lowest_version: node.lowest_version,
            name: node.name.as_bytes(),
            extra: &node.extra,
        };
        let request = Request::Alive2(alive).encode()?;
        let (stream, answer) = self.within(self.ask_alive2(&request)).await?;
        match answer {
            Alive2Answer::Ok { creation } => {
                Ok(Registered::new(stream, node.name.clone(), creation))
            }
            Alive2Answer::Refused { result } => {
                let name = node.name.clone();
                Err(ClientError::Refused { address: self.address, name, result })
            }
        }
    }

    /// Looks a node up by the alive part of its name. `None`: not registered.
    ///
    /// # Errors
    /// Any [`ClientError`] but `Refused`.
    pub async fn port_of(&self, name: &str) -> Result<Option<NodeInfo>, ClientError> {
        let request = Request::PortPlease2 { name }.encode()?;
        let answer = self.ask(&request, PORT_ANSWER_BYTES_MAX).await?;
        match codec::decode_port(&answer).map_err(|source| self.wrong(source))? {
            Some(PortAnswer::Found(node)) => Ok(Some(node)),
            Some(PortAnswer::NotFound { .. }) => Ok(None),
            None => Err(self.closed(answer.len())),
        }
    }

    /// Lists the registered nodes.
    ///
    /// # Errors
    /// Any [`ClientError`] but `Refused`.
    pub async fn names(&self) -> Result<Names, ClientError> {
        let answer = self.ask(&Request::Names.encode()?, LIST_ANSWER_BYTES_MAX).await?;
        codec::decode_names(&answer).map_err(|source| self.wrong(source))
    }

    /// All the daemon knows, as text for people. Local daemons only.
    ///
    /// # Errors
    /// Any [`ClientError`] but `Refused`.
    pub async fn dump(&self) -> Result<Dump, ClientError> {
        let answer = self.ask(&Request::Dump.encode()?, LIST_ANSWER_BYTES_MAX).await?;
        codec::decode_dump(&answer).map_err(|source| self.wrong(source))
    }

    /// Asks the daemon to end. Local daemons only.
    ///
    /// # Errors
    /// Any [`ClientError`] but `Refused`.
    pub async fn kill(&self) -> Result<KillAnswer, ClientError> {
        match &*self.ask(&Request::Kill.encode()?, 16).await? {
            b"OK" => Ok(KillAnswer::Killed),
            b"NO" => Ok(KillAnswer::LivingNodes),
            other => Err(self.closed(other.len())),
        }
    }

    /// Asks the daemon to drop a name. Local daemons with relaxed command check only; others
    /// close ([`ClientError::Closed`] with 0 bytes).
    ///
    /// # Errors
    /// Any [`ClientError`] but `Refused`.
    pub async fn stop(&self, name: &str) -> Result<StopAnswer, ClientError> {
        let answer = self.ask(&Request::Stop { name: name.as_bytes() }.encode()?, 16).await?;
        // The original says "NOEXISTSTOPPED" for an unknown name.
        if answer.starts_with(b"STOPPED") {
            Ok(StopAnswer::Stopped)
        } else if answer.starts_with(b"NOEXIST") {
            Ok(StopAnswer::NoExist)
        } else {
            Err(self.closed(answer.len()))
        }
    }

    async fn ask_alive2(&self, request: &[u8]) -> Result<(TcpStream, Alive2Answer), ClientError> {
        let mut stream = self.connect().await?;
        stream.write_all(request).await.map_err(|source| self.broken(source))?;
        let mut answer = Vec::with_capacity(8);
        loop {
            let decoded = codec::decode_alive2(&answer).map_err(|source| self.wrong(source))?;
            if let Some(decoded) = decoded {
                return Ok((stream, decoded));
            }
            // One byte at a time past the known part would be needed only if the daemon sent
            // something after its answer, which none does.
            let mut bytes = [0; 8];
            let count = stream.read(&mut bytes).await.map_err(|source| self.broken(source))?;
            if count == 0 {
                return Err(self.closed(answer.len()));
            }
            answer.extend_from_slice(&bytes[..count]);
        }
    }

    /// Sends a request and reads the answer until the daemon closes.
    async fn ask(&self, request: &[u8], max: usize) -> Result<Vec<u8>, ClientError> {
        let exchange = async {
            let mut stream = self.connect().await?;
            stream.write_all(request).await.map_err(|source| self.broken(source))?;
            let mut answer = Vec::new();
            let mut limited = stream.take(max as u64 + 1);
            limited.read_to_end(&mut answer).await.map_err(|source| self.broken(source))?;
            if answer.len() > max {
                return Err(ClientError::TooLong { address: self.address, max });
            }
            Ok(answer)
        };
        self.within(exchange).await
    }

    async fn connect(&self) -> Result<TcpStream, ClientError> {
        let address = self.address;
        let connected = TcpStream::connect(address).await;
        connected.map_err(|source| ClientError::Connect { address, source })
    }

    async fn within<T>(
        &self,
        exchange: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        match timeout(self.timeout, exchange).await {
            Ok(result) => result,
            Err(_) => Err(ClientError::Timeout { address: self.address, after: self.timeout }),
        }
    }

    fn broken(&self, source: io::Error) -> ClientError {
        ClientError::Io { address: self.address, source }
    }

    fn wrong(&self, source: AnswerError) -> ClientError {
        ClientError::Answer { address: self.address, source }
    }

    fn closed(&self, bytes: usize) -> ClientError {
        ClientError::Closed { address: self.address, bytes }
    }
}
