//! Drives a handshake machine over a stream.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use erlang_dist::handshake::{
    Acceptor, AcceptorEvent, Decision, HandshakeOutcome, Identity, Initiator, InitiatorEvent,
};
use erlang_dist::{Cookie, HandshakeError, Now};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::error::ConnectError;
use crate::limits::READ_CHUNK_BYTES;
use crate::node::Node;
use crate::transport::tls::TlsError;
use crate::transport::{Reader, Remote, Writer};

/// The two halves of a stream while its handshake runs.
pub(super) struct Halves {
    pub(super) reader: Reader,
    pub(super) writer: Writer,
    pub(super) remote: Remote,
}

/// Answers what an acceptor has to ask the node.
pub(super) trait Doorkeeper {
    /// Whether that peer may come in, and the cookie for it.
    async fn decide(&mut self, identity: &Identity) -> (Decision, Cookie);
    /// The peer has shown that it knows the cookie. `replace`: it knows of no connection, so the
    /// old one must go. Returns whether the way is free.
    async fn proven(&mut self, replace: bool) -> bool;
}

impl Halves {
    fn io(&self, error: std::io::Error) -> ConnectError {
        if error.kind() == std::io::ErrorKind::UnexpectedEof {
            // How TLS calls an end without a good-bye.
            return ConnectError::ClosedInHandshake;
        }
        let address = self.remote.address.clone();
        // With TLS 1.3 a dialer learns here that its certificate was refused.
        match TlsError::from_io(&error) {
            Some(source) => ConnectError::Tls { address, source },
            None => ConnectError::Io { address, source: Arc::new(error) },
        }
    }

    async fn write(&mut self, bytes: Vec<u8>) -> Result<(), ConnectError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let written = match self.writer.write_all(&bytes).await {
            Ok(()) => self.writer.flush().await,
            Err(error) => Err(error),
        };
        written.map_err(|error| self.io(error))
    }

    /// Reads some bytes. `Ok(None)`: the machine's step has taken too long.
    async fn read(
        &mut self,
        buffer: &mut BytesMut,
        wait: Duration,
    ) -> Result<Option<()>, ConnectError> {
        buffer.clear();
        buffer.reserve(READ_CHUNK_BYTES);
        match tokio::time::timeout(wait, self.reader.read_buf(buffer)).await {
            Err(_) => Ok(None),
            Ok(Ok(0)) => Err(ConnectError::ClosedInHandshake),
            Ok(Ok(_)) => Ok(Some(())),
            Ok(Err(error)) => Err(self.io(error)),
        }
    }
}

/// What the handshake's failure means. A TLS record's beginning looks like a length that no message
/// of ours has.
fn broken(error: HandshakeError) -> ConnectError {
    /// Alert or handshake, version 3.
    const TLS_RECORDS: [u64; 2] = [0x1503, 0x1603];
    match error {
        // An alert is short enough to be waited for, but not to be a message.
        HandshakeError::Limit { got, .. } if TLS_RECORDS.contains(&got) => {
            ConnectError::PeerSpeaksTls
        }
        other => ConnectError::Handshake(other),
    }
}

fn until(deadline: Option<Now>, now: Now) -> Duration {
    deadline.map_or(Duration::MAX, |at| at.saturating_sub(now))
}

/// Runs the dialing side to its end.
pub(super) async fn initiate(
    node: &Node,
    halves: &mut Halves,
    mut machine: Initiator,
) -> Result<HandshakeOutcome, ConnectError> {
    let mut buffer = BytesMut::new();
    loop {
        let event = machine.poll_event(node.now());
        let answered = match &event {
            // We dial only where we know of no connection.
            Ok(Some(InitiatorEvent::Alive)) => machine.answer_alive(true, node.now()),
            _ => Ok(()),
        };
        if machine.peer_challenge().is_some_and(|theirs| node.kernel().challenges.has(theirs)) {
            return Err(ConnectError::Handshake(HandshakeError::Misbehaved {
                expected: "a challenge of its own",
                got: "one that this node has asked".to_owned(),
            }));
        }
        halves.write(machine.take_output()).await?;
        answered.map_err(broken)?;
        match event.map_err(broken)? {
            Some(InitiatorEvent::Done(outcome)) => return Ok(*outcome),
            Some(_) => continue,
            None => {}
        }
        let wait = until(machine.poll_timeout(), node.now());
        let result = match halves.read(&mut buffer, wait).await? {
            Some(()) => machine.handle_input(&buffer),
            None => machine.handle_timeout(node.now()),
        };
        result.map_err(broken)?;
    }
}

/// Runs the dialed side to its end.
pub(super) async fn accept(
    node: &Node,
    halves: &mut Halves,
    mut machine: Acceptor,
    door: &mut impl Doorkeeper,
) -> Result<HandshakeOutcome, ConnectError> {
    let mut buffer = BytesMut::new();
    let mut replace = false;
    loop {
        let event = machine.poll_event(node.now());
        let mut decided = Ok(());
        if let Ok(Some(AcceptorEvent::Identify(identity))) = &event {
            let (decision, cookie) = door.decide(identity).await;
            decided = machine.decide(decision, cookie, node.now());
        }
        halves.write(machine.take_output()).await?;
        decided.map_err(broken)?;
        match event.map_err(broken)? {
            Some(AcceptorEvent::Done(outcome)) if door.proven(replace).await => {
                return Ok(*outcome);
            }
            Some(AcceptorEvent::Done(_)) => {
                let status = erlang_dist::handshake::Status::Nok;
                let by = erlang_dist::error::Side::Local;
                return Err(ConnectError::Handshake(HandshakeError::Refused { by, status }));
            }
            // Anybody can claim that; it counts only once the digest is right.
            Some(AcceptorEvent::ReplaceOld) => {
                replace = true;
                continue;
            }
            Some(_) => continue,
            None => {}
        }
        let wait = until(machine.poll_timeout(), node.now());
        let result = match halves.read(&mut buffer, wait).await? {
            Some(()) => machine.handle_input(&buffer),
            None => machine.handle_timeout(node.now()),
        };
        result.map_err(broken)?;
    }
}
