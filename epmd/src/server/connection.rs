//! One connection, from accept to close.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::shared::{Seat, Shared};
use crate::answer::{Answer, Asker};
use crate::codec::{Request, RequestReader};
use crate::limits::{ACCEPT_PAUSE, PACKET_TIMEOUT_GRACE, PACKET_TIMEOUTS_TOTAL_MAX};
use crate::registry::Holder;

/// Accepts until cancelled.
pub(super) async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        let accepted = listener.accept().await;
        if !shared.config.delay_accept.is_zero() {
            sleep(shared.config.delay_accept).await;
        }
        match accepted {
            Ok((stream, peer)) => {
                let open = shared.admit(|seat| {
                    let connection = Connection { stream, peer, shared: Arc::clone(&shared), seat };
                    tokio::spawn(connection.serve()).abort_handle()
                });
                if !open {
                    return;
                }
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "error in accept");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The client went away before we came to it: nothing is wrong with the daemon.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

/// Fields in this order: the socket closes before the seat frees the name and says so.
struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    shared: Arc<Shared>,
    seat: Seat,
}

impl Connection {
    async fn serve(mut self) {
        let answer = match self.read_request().await {
            Ok(Some(answer)) => answer,
            Ok(None) => return,
            Err(error) => {
                tracing::info!(peer = %self.peer, %error, "error in read");
                return;
            }
        };
        if let Err(error) = self.carry_out(answer).await {
            tracing::info!(peer = %self.peer, %error, "failed to send the answer");
        }
    }

    /// Reads one request and has it answered. `None`: close without an answer.
    async fn read_request(&mut self) -> io::Result<Option<Answer>> {
        let idle = self.patience();
        let deadline = Instant::now() + idle * PACKET_TIMEOUTS_TOTAL_MAX;
        let mut reader = RequestReader::default();
        loop {
            let until = deadline.min(Instant::now() + idle);
            let Ok(read) = timeout_at(until, self.stream.read(reader.space())).await else {
                tracing::info!(peer = %self.peer, "closing because timed out on receive");
                return Ok(None);
            };
            let count = read?;
            if count == 0 {
                tracing::info!(peer = %self.peer, got = reader.received(), "got partial packet only");
                return Ok(None);
            }
            let request = match reader.advance(count) {
                Ok(None) => continue,
                Ok(Some(body)) => Request::decode(body),
                Err(error) => Err(error),
            };
            return Ok(match request {
                Ok(request) => {
                    tracing::debug!(peer = %self.peer, ?request, "got request");
                    let asker = self.asker()?;
                    Some(self.seat.answer(&request, asker))
                }
                Err(error) => {
                    tracing::warn!(peer = %self.peer, %error, "got no request");
                    None
                }
            });
        }
    }

    async fn carry_out(&mut self, answer: Answer) -> io::Result<()> {
        match answer {
            Answer::Close => Ok(()),
            Answer::Send { bytes, writes } => self.send(&bytes, writes).await,
            Answer::Stop { bytes, .. } => self.send(bytes, 1).await,
            Answer::Kill { bytes } => {
                let sent = self.send(bytes, 1).await;
                // Whatever became of the answer; and only now, since it cuts this task.
                tracing::warn!("got KILL_REQ - terminates normal");
                self.shared.kill();
                sent
            }
            Answer::Keep { bytes, .. } => {
                self.send(&bytes, 1).await?;
                self.wait_for_end().await;
                Ok(())
            }
            Answer::Linger { bytes } => {
                self.send(&bytes, 1).await?;
                // The original keeps it for ever; here it has the time of a pending one.
                let _ = timeout(self.patience(), self.wait_for_end()).await;
                Ok(())
            }
        }
    }

    async fn send(&mut self, bytes: &[u8], writes: u32) -> io::Result<()> {
        let config = &self.shared.config;
        if !config.delay_write.is_zero() {
            sleep(config.delay_write * writes).await;
        }
        let patience = self.patience() * PACKET_TIMEOUTS_TOTAL_MAX;
        match timeout(patience, self.stream.write_all(bytes)).await {
            Ok(sent) => sent,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// A registration ends with its connection, and also with any byte sent on it.
    async fn wait_for_end(&mut self) {
        match self.stream.read(&mut [0; 16]).await {
            Ok(0) => {}
            Ok(_) => tracing::info!(peer = %self.peer, "got more than expected on ALIVE socket"),
            Err(error) => tracing::info!(peer = %self.peer, %error, "error on ALIVE socket"),
        }
    }

    /// How long a client without a registration may be silent.
    fn patience(&self) -> Duration {
        self.shared.config.packet_timeout + PACKET_TIMEOUT_GRACE
    }

    fn asker(&self) -> io::Result<Asker> {
        // Nearly all are from loopback: the system is asked for our side only for the others.
        let local = is_loopback(self.peer) || is_own_address(self.peer, self.stream.local_addr()?);
        let holder = Holder { connection: self.seat.id, descriptor: descriptor(&self.stream) };
        Ok(Asker { local, holder })
    }
}

fn is_loopback(peer: SocketAddr) -> bool {
    peer.ip().to_canonical().is_loopback()
}

/// From the very address it came to, that is from this host.
fn is_own_address(peer: SocketAddr, own: SocketAddr) -> bool {
    peer.ip().to_canonical() == own.ip().to_canonical()
}

#[cfg(unix)]
fn descriptor(stream: &TcpStream) -> i32 {
    use std::os::fd::AsRawFd as _;
    stream.as_raw_fd()
}

#[cfg(not(unix))]
fn descriptor(_: &TcpStream) -> i32 {
    -1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(peer: &str, own: &str) -> bool {
        let peer = peer.parse().unwrap();
        is_loopback(peer) || is_own_address(peer, own.parse().unwrap())
    }

    #[test]
    fn who_is_local() {
        assert!(local("127.0.0.1:5", "127.0.0.1:4369"));
        assert!(local("127.8.9.10:5", "127.0.0.1:4369"));
        assert!(local("[::1]:5", "[::1]:4369"));
        assert!(local("[::ffff:127.0.0.1]:5", "[::ffff:127.0.0.1]:4369"));
        assert!(local("192.0.2.1:5", "192.0.2.1:4369"));
        assert!(local("[::ffff:192.0.2.1]:5", "192.0.2.1:4369"));
        assert!(!local("192.0.2.2:5", "192.0.2.1:4369"));
        assert!(!local("[2001:db8::1]:5", "[2001:db8::2]:4369"));
    }
}
