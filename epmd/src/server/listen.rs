//! Listening sockets.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener as StdTcpListener};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use crate::limits::{LISTEN_ADDRESSES_MAX, LISTEN_BACKLOG};

/// Why the daemon can't listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Something listens on the port already.
    #[error("there is already a epmd running at port {} ({address})", address.port())]
    AddrInUse {
        /// The address that is taken.
        address: SocketAddr,
    },
    /// The address can't be had.
    #[error("failed to listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A socket that was handed over can't be used.
    #[error("failed to use a socket that was handed over: {0}")]
    Adopt(#[source] io::Error),
    /// More addresses than allowed.
    #[error("cannot listen on more than {LISTEN_ADDRESSES_MAX} IP addresses")]
    TooMany,
}

/// An address, and whether the daemon runs on without it.
type Wanted = (IpAddr, bool);

fn wanted(addresses: &[IpAddr]) -> Result<Vec<Wanted>, BindError> {
    if addresses.is_empty() {
        return Ok(vec![
            (Ipv4Addr::UNSPECIFIED.into(), false),
            // Not on a host without IPv6.
            (Ipv6Addr::UNSPECIFIED.into(), true),
        ]);
    }
    let mut list: Vec<Wanted> = Vec::new();
    let loopback = [(Ipv4Addr::LOCALHOST.into(), false), (Ipv6Addr::LOCALHOST.into(), true)];
    for (address, optional) in addresses.iter().map(|&ip| (ip, false)).chain(loopback) {
        let covered = list.iter().any(|&(other, _)| {
            other == address || (other.is_unspecified() && other.is_ipv4() == address.is_ipv4())
        });
        if !covered {
            list.push((address, optional));
        }
    }
    if list.len() > LISTEN_ADDRESSES_MAX { Err(BindError::TooMany) } else { Ok(list) }
}

/// Listens on all addresses, with the same port.
pub(super) fn bind(port: u16, addresses: &[IpAddr]) -> Result<Vec<StdTcpListener>, BindError> {
    let mut port = port;
    let mut listeners = Vec::new();
    for (ip, optional) in wanted(addresses)? {
        let address = SocketAddr::new(ip, port);
        match listen(address) {
            Ok(listener) => {
                // Port 0: the first one chooses.
                port = listener.local_addr().map_or(port, |local| local.port());
                listeners.push(listener);
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                return Err(BindError::AddrInUse { address });
            }
            Err(error) if optional => {
                tracing::debug!(%address, %error, "not listening there");
            }
            Err(source) => return Err(BindError::Listen { address, source }),
        }
    }
    Ok(listeners)
}

fn listen(address: SocketAddr) -> io::Result<StdTcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A daemon that ended a moment ago leaves connections in TIME_WAIT. (On Windows the option
    // would let two daemons share the port.)
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(LISTEN_BACKLOG as i32)?;
    Ok(socket.into())
}

pub(super) fn adopt(listener: StdTcpListener) -> Result<TcpListener, BindError> {
    listener.set_nonblocking(true).map_err(BindError::Adopt)?;
    TcpListener::from_std(listener).map_err(BindError::Adopt)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(addresses: &[&str]) -> Vec<IpAddr> {
        addresses.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn chosen(addresses: &[&str]) -> Vec<IpAddr> {
        wanted(&ips(addresses)).unwrap().into_iter().map(|(ip, _)| ip).collect()
    }

    #[test]
    fn loopback_is_always_among_them() {
        assert_eq!(chosen(&[]), ips(&["0.0.0.0", "::"]));
        assert_eq!(chosen(&["192.0.2.1"]), ips(&["192.0.2.1", "127.0.0.1", "::1"]));
        assert_eq!(chosen(&["::1", "127.0.0.1"]), ips(&["::1", "127.0.0.1"]));
        assert_eq!(chosen(&["0.0.0.0"]), ips(&["0.0.0.0", "::1"]));
        assert_eq!(chosen(&["192.0.2.1", "192.0.2.1"]).len(), 3);
    }

    #[test]
    fn too_many_addresses() {
        let many: Vec<IpAddr> = (1..=15).map(|n| Ipv4Addr::new(192, 0, 2, n).into()).collect();
        assert!(matches!(wanted(&many), Err(BindError::TooMany)));
        assert!(wanted(&many[..14]).is_ok());
    }
}
