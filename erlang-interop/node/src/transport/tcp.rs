//! TCP sockets.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::config::NodeConfig;
use crate::error::StartError;

/// Connections the system completes for us before we accept them.
const BACKLOG: i32 = 128;

/// Listens on the first free port of the range.
pub(super) fn bind(config: &NodeConfig) -> Result<TcpListener, StartError> {
    for port in config.listen_ports.clone() {
        let address = SocketAddr::new(config.interface, port);
        match listen(address) {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(source) => return Err(StartError::Listen { address, source }),
        }
    }
    Err(StartError::PortsBusy {
        interface: config.interface,
        first: *config.listen_ports.start(),
        last: *config.listen_ports.end(),
    })
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A node that restarts on its fixed port must not wait for old connections to time out.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Dials.
pub(crate) async fn connect(address: SocketAddr, config: &NodeConfig) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    tune(&stream, config)?;
    Ok(stream)
}

/// Options of a connected socket.
pub(super) fn tune(stream: &TcpStream, config: &NodeConfig) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    // Finds a peer's host that vanished while nothing is sent, as `inet_dist` sockets do.
    socket.set_keepalive(true)?;
    if let Some(bytes) = config.send_buffer_bytes {
        socket.set_send_buffer_size(bytes)?;
    }
    if let Some(bytes) = config.receive_buffer_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    Ok(())
}
