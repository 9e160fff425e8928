//! A live registration.

use std::io;

use tokio::net::TcpStream;

/// A node's registration. It lasts as long as this value: dropping it releases the name.
#[derive(Debug)]
pub struct Registered {
    stream: TcpStream,
    name: String,
    creation: u32,
}

impl Registered {
    pub(super) fn new(stream: TcpStream, name: String, creation: u32) -> Self {
        Self { stream, name, creation }
    }

    /// The alive name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the daemon gave this incarnation of the name; never 0 from a sound daemon.
    ///
    /// A node keeps its first creation: one that registers again, because the daemon restarted,
    /// goes on with the creation its pids already carry.
    #[must_use]
    pub fn creation(&self) -> u32 {
        self.creation
    }

    /// Completes when the daemon ends the registration (it stopped, restarted, or was told to drop
    /// the name). The node should then register again, after a moment. Safe to cancel and repeat.
    pub async fn lost(&self) {
        loop {
            if self.stream.readable().await.is_err() {
                return;
            }
            // The daemon has nothing more to say; what comes all the same is passed over.
            match self.stream.try_read(&mut [0; 64]) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }
}
