//! The Gossip strategy: says "I am here" by UDP every few seconds and dials whom it hears.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use erlang_interop::node::Node;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep, sleep_until};

use super::Running;
use super::dialer::Dialer;
use super::heartbeat::{Heartbeat, IV_BYTES, Refused};
use crate::cluster::back_off::BackOff;
use crate::cluster::limits::DATAGRAM_BYTES_MAX;
use crate::config::{Gossip, Secret, read_text};

/// The longest pause between two heartbeats; each is a random part of it, as in libcluster.
const PAUSE_MS_MAX: u64 = 5000;

/// Gossips for a topology. A socket that cannot be opened, or breaks, is tried again. Never returns.
pub(super) async fn run(running: Arc<Running>, node: Node, config: Gossip) {
    let mut dialer = Dialer::new(running, node);
    let mut back_off = BackOff::new();
    let mut failing = false;
    loop {
        let fault = match open(&config) {
            Ok((socket, heartbeat)) => {
                let topology = dialer.topology();
                tracing::info!(
                    topology,
                    encrypted = heartbeat.is_encrypted(),
                    "{}",
                    place(&config)
                );
                failing = false;
                back_off.reset();
                let to = SocketAddrV4::new(config.multicast_addr, config.port);
                Exchange { socket, heartbeat, to, mute: false, foreign: false }
                    .run(&mut dialer)
                    .await
                    .to_string()
            }
            Err(fault) => fault,
        };
        let topology = dialer.topology();
        if failing {
            tracing::debug!(topology, fault, "still no gossip");
        } else {
            tracing::warn!(topology, fault, "no gossip, trying on");
            failing = true;
        }
        sleep(back_off.wait(random())).await;
    }
}

fn place(config: &Gossip) -> String {
    let Gossip { multicast_addr, port, if_addr, .. } = config;
    let kind = if config.broadcast_only { "broadcast" } else { "multicast" };
    format!("gossip by {kind} on {multicast_addr}:{port} from {if_addr}")
}

/// Opens the socket and reads the secret; an error names the key to change.
fn open(config: &Gossip) -> Result<(UdpSocket, Heartbeat), String> {
    let secret = match &config.secret_file {
        None => config.secret.clone(),
        Some(path) => {
            let text = read_text(path)
                .map_err(|error| format!("secret_file {}: {error}", path.display()))?;
            Some(Secret::from(text.trim_end()))
        }
    };
    let heartbeat = Heartbeat::new(secret.as_ref().map(Secret::reveal));
    Ok((socket(config)?, heartbeat))
}

fn socket(config: &Gossip) -> Result<UdpSocket, String> {
    fn with<T>(key: &str, value: impl ToString, outcome: io::Result<T>) -> Result<T, String> {
        outcome.map_err(|error| format!("{key} {}: {error}", value.to_string()))
    }
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP));
    let socket = with("UDP", "socket", socket)?;
    // Several nodes of a host share the port; a BEAM's socket has this option and no other.
    with("port", config.port, socket.set_reuse_address(true))?;
    with("UDP", "broadcast", socket.set_broadcast(true))?;
    let address = SocketAddrV4::new(config.if_addr, config.port);
    with("if_addr and port", address, socket.bind(&address.into()))?;
    if !config.broadcast_only {
        let interface = config.multicast_if.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let group = config.multicast_addr;
        with("multicast_ttl", config.multicast_ttl, {
            socket.set_multicast_ttl_v4(config.multicast_ttl.into())
        })?;
        with("multicast_addr", group, socket.set_multicast_loop_v4(true))?;
        if config.multicast_if.is_some() {
            with("multicast_if", interface, socket.set_multicast_if_v4(&interface))?;
        }
        let joined = socket.join_multicast_v4(&group, &interface);
        with("multicast_addr and multicast_if", format!("{group} {interface}"), joined)?;
    }
    with("UDP", "socket", socket.set_nonblocking(true))?;
    with("UDP", "socket", UdpSocket::from_std(socket.into()))
}

/// One socket's life.
struct Exchange {
    socket: UdpSocket,
    heartbeat: Heartbeat,
    to: SocketAddrV4,
    mute: bool,
    foreign: bool,
}

impl Exchange {
    /// Sends and hears until the socket breaks.
    async fn run(mut self, dialer: &mut Dialer) -> io::Error {
        let mut datagram = [0; DATAGRAM_BYTES_MAX + 1];
        let mut next = Instant::now();
        loop {
            tokio::select! {
                () = sleep_until(next) => {
                    self.beat(dialer).await;
                    next = Instant::now() + pause(random());
                }
                received = self.socket.recv(&mut datagram) => match received {
                    Ok(length) => self.heard(dialer, &datagram[..length]),
                    Err(error) => return error,
                },
                () = dialer.progress() => {}
            }
        }
    }

    async fn beat(&mut self, dialer: &Dialer) {
        let mut iv = [0; IV_BYTES];
        let topology = dialer.topology();
        if getrandom::fill(&mut iv).is_err() {
            return;
        }
        let datagram = self.heartbeat.write(dialer.node().name(), iv);
        match self.socket.send_to(&datagram, self.to).await {
            Ok(_) => {
                tracing::trace!(topology, "heartbeat");
                self.mute = false;
            }
            Err(error) if self.mute => tracing::debug!(topology, %error, "still no heartbeat"),
            Err(error) => {
                tracing::warn!(topology, %error, to = %self.to, "no heartbeat goes out");
                self.mute = true;
            }
        }
    }

    fn heard(&mut self, dialer: &mut Dialer, datagram: &[u8]) {
        match self.heartbeat.read(datagram) {
            Ok(node) => dialer.found(&[node]),
            Err(refused) => {
                let topology = dialer.topology();
                // Anyone can send anything: told once, so that another secret is noticed.
                if refused == Refused::Foreign && !self.foreign {
                    self.foreign = true;
                    tracing::warn!(
                        topology,
                        "a datagram was ignored: {refused}; is the secret the same on all nodes?"
                    );
                } else {
                    tracing::trace!(topology, "a datagram was ignored: {refused}");
                }
            }
        }
    }
}

/// Uniform between 1 ms and the longest.
fn pause(random: u32) -> Duration {
    Duration::from_millis(1 + u64::from(random) % PAUSE_MS_MAX)
}

fn random() -> u32 {
    getrandom::u32().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_those_of_libcluster() {
        assert_eq!(pause(0), Duration::from_millis(1));
        assert_eq!(pause(4999), Duration::from_secs(5));
        assert_eq!(pause(5000), Duration::from_millis(1));
    }

    #[tokio::test]
    async fn what_cannot_be_opened_names_its_key() {
        let elsewhere = Ipv4Addr::new(192, 0, 2, 1);
        let reason =
            open(&Gossip { if_addr: elsewhere, ..Gossip::default() }).expect_err("not ours");
        assert!(reason.starts_with("if_addr and port 192.0.2.1:45892: "), "{reason}");
        let absent = Gossip { secret_file: Some("/nowhere/secret".into()), ..Gossip::default() };
        let reason = open(&absent).expect_err("absent");
        assert!(reason.starts_with("secret_file /nowhere/secret: "), "{reason}");
    }

    #[tokio::test]
    async fn two_sockets_share_the_port_and_hear_a_datagram() {
        let lo = Ipv4Addr::LOCALHOST;
        let config = Gossip {
            port: 45_931,
            multicast_addr: Ipv4Addr::new(239, 192, 7, 1),
            multicast_if: Some(lo),
            ..Gossip::default()
        };
        let (a, b) = (socket(&config).expect("first"), socket(&config).expect("second"));
        let to = SocketAddrV4::new(config.multicast_addr, config.port);
        a.send_to(b"hello", to).await.expect("sent");
        let mut buffer = [0; 8];
        for socket in [&a, &b] {
            let heard = tokio::time::timeout(Duration::from_secs(30), socket.recv(&mut buffer));
            assert_eq!(heard.await.expect("in time").expect("heard"), 5);
        }
    }
}
