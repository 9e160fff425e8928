//! Readiness for systemd: one datagram to the socket that `NOTIFY_SOCKET` names.
//!
//! spec: sd_notify(3)

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Says that the daemon is ready; without `NOTIFY_SOCKET` it does nothing.
pub(super) fn ready() -> io::Result<()> {
    match env::var_os("NOTIFY_SOCKET") {
        Some(name) => send(&name),
        None => Ok(()),
    }
}

fn send(name: &OsStr) -> io::Result<()> {
    let message = format!(
        "READY=1\nSTATUS=Processing port mapping requests...\nMAINPID={}",
        std::process::id()
    );
    let socket = UnixDatagram::unbound()?;
    socket.send_to_addr(message.as_bytes(), &address(name)?)?;
    Ok(())
}

fn address(name: &OsStr) -> io::Result<SocketAddr> {
    #[cfg(target_os = "linux")]
    if let Some(name) = name.as_encoded_bytes().strip_prefix(b"@") {
        use std::os::linux::net::SocketAddrExt as _;
        return SocketAddr::from_abstract_name(name);
    }
    SocketAddr::from_pathname(name)
}
