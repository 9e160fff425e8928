//! One established connection: joins the receiving half, the sending half and the ticks.

use bytes::Bytes;
use erlang_term::{DecodeError, DecodeLimits, Pid, Term};

use crate::Now;
use crate::control::Control;
use crate::error::{ConnectionError, SendError};
use crate::flags::DistributionFlags;
use crate::handshake::HandshakeOutcome;
use crate::limits;
use crate::receive::inbox::Inbox;
use crate::send::outbox::Outbox;
use crate::tick::{TickConfig, Ticker};

/// Bounds of one connection. The defaults are those of [`crate::limits`].
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// Longest frame in bytes.
    pub frame_bytes_max: usize,
    /// Longest message in bytes, in either direction.
    pub message_bytes_max: usize,
    /// Bytes of all unfinished fragmented messages of the peer together.
    pub fragments_bytes_max: usize,
    /// Unfinished fragmented messages of the peer.
    pub fragmented_messages_max: usize,
    /// Highest first fragment id.
    pub fragment_id_max: u64,
    /// Bounds of each term.
    pub terms: DecodeLimits,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            frame_bytes_max: limits::FRAME_BYTES_MAX,
            message_bytes_max: limits::MESSAGE_BYTES_MAX,
            fragments_bytes_max: limits::FRAGMENTS_BYTES_MAX,
            fragmented_messages_max: limits::FRAGMENTED_MESSAGES_MAX,
            fragment_id_max: limits::FRAGMENT_ID_MAX,
            terms: DecodeLimits::default(),
        }
    }
}

/// What a connection can be told.
#[derive(Debug, Clone, Copy, Default)]
pub struct ConnectionConfig {
    /// Ticks.
    pub tick: TickConfig,
    /// Bounds.
    pub limits: ConnectionLimits,
}

/// What a connection tells its driver.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The peer sent a message.
    Message {
        /// What it asks.
        control: Control,
        /// The payload, if the operation has one.
        payload: Option<Term>,
    },
    /// The peer sent a message with a payload over the limits of a term, such as one nested too
    /// deep. The payload is lost; the connection goes on.
    Oversized {
        /// What it asks.
        control: Control,
        /// Which limit.
        error: DecodeError,
    },
}

/// The protocol machine of one established connection.
///
/// Its driver reads bytes into [`Connection::input_space`] (or hands them to
/// [`Connection::handle_input`]), polls events until there are none, writes what
/// [`Connection::poll_output`] hands out, and calls [`Connection::handle_timeout`] when
/// [`Connection::poll_timeout`] says so. After an error it closes.
pub struct Connection {
    flags: DistributionFlags,
    inbox: Inbox,
    outbox: Outbox,
    ticker: Ticker,
    failed: Option<ConnectionError>,
}

impl Connection {
    /// The connection that a handshake has agreed on, beginning with the handshake's leftover bytes.
    pub fn new(config: ConnectionConfig, outcome: &HandshakeOutcome, now: Now) -> Self {
        let hidden = !outcome.peer_flags.contains(DistributionFlags::PUBLISHED);
        let mut connection = Self::with_peer(config, outcome.flags, hidden, now);
        if !outcome.leftover.is_empty() {
            connection.handle_input(now, outcome.leftover.clone());
        }
        connection
    }

    /// A connection with these common flags, of which the peer's are the same.
    pub fn with_flags(config: ConnectionConfig, flags: DistributionFlags, now: Now) -> Self {
        Self::with_peer(config, flags, !flags.contains(DistributionFlags::PUBLISHED), now)
    }

    fn with_peer(
        config: ConnectionConfig,
        flags: DistributionFlags,
        hidden: bool,
        now: Now,
    ) -> Self {
        Self {
            flags,
            inbox: Inbox::new(flags, config.limits),
            outbox: Outbox::new(flags, config.limits.message_bytes_max),
            ticker: Ticker::new(config.tick, hidden, now),
            failed: None,
        }
    }

    /// What both sides can do.
    pub fn flags(&self) -> DistributionFlags {
        self.flags
    }

    /// Takes bytes that were read. Poll events until there are none before handing in more: frames
    /// that lie whole in `bytes` are then never copied.
    pub fn handle_input(&mut self, now: Now, bytes: Bytes) {
        if !bytes.is_empty() && self.failed.is_none() {
            self.ticker.received(now);
            self.inbox.push(bytes);
        }
    }

    /// Room to read into, with some spare capacity; append to it and call
    /// [`Connection::input_filled`]. The cheapest way in for long frames.
    pub fn input_space(&mut self) -> &mut Vec<u8> {
        self.inbox.space()
    }

    /// How many bytes are best read at once into [`Connection::input_space`]. More are taken too,
    /// but have to be copied.
    pub fn input_wanted(&self) -> usize {
        self.inbox.wanted()
    }

    /// Says that bytes were appended to [`Connection::input_space`].
    pub fn input_filled(&mut self, now: Now) {
        self.ticker.received(now);
    }

    /// The next message of the peer, or `None` until more input comes.
    ///
    /// # Errors
    /// Whatever ends the connection; the same error again if called again.
    pub fn poll_event(&mut self) -> Result<Option<Event>, ConnectionError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        match self.inbox.next() {
            Ok(event) => Ok(event),
            Err(error) => {
                self.failed = Some(error.clone());
                Err(error)
            }
        }
    }

    /// Queues a message.
    ///
    /// Operations that the peer doesn't know yet are sent in their older form (`SEND` for
    /// `SEND_SENDER`, `EXIT` for `PAYLOAD_EXIT` and so on, `UNLINK` for `UNLINK_ID`).
    ///
    /// Messages between the same two processes keep their order. A message that names no sender by
    /// pid (`SEND`, `SPAWN_REPLY`, an exit of a process monitored by name) waits for unfinished
    /// fragmented messages that might come from it; say who sends with [`Connection::send_from`].
    ///
    /// # Errors
    /// If the peer can't do it in any form, the payload doesn't fit the operation, the message is
    /// over the limit or can't be encoded. Nothing is queued then, and the connection goes on.
    pub fn send(&mut self, control: Control, payload: Option<Term>) -> Result<(), SendError> {
        let sender = control.sender().cloned();
        self.queue(sender.as_ref(), control, payload)
    }

    /// Queues a message of a process that the control message doesn't name.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub fn send_from(
        &mut self,
        sender: &Pid,
        control: Control,
        payload: Option<Term>,
    ) -> Result<(), SendError> {
        self.queue(Some(sender), control, payload)
    }

    fn queue(
        &mut self,
        sender: Option<&Pid>,
        control: Control,
        payload: Option<Term>,
    ) -> Result<(), SendError> {
        if self.failed.is_some() {
            return Err(SendError::Closed);
        }
        let operation = control.operation();
        if operation.has_payload() != payload.is_some() {
            let (operation, expected) = (operation.name(), operation.has_payload());
            return Err(SendError::Payload { operation, expected });
        }
        let Some((control, payload)) = control.adapted(payload, self.flags) else {
            return Ok(());
        };
        let operation = control.operation();
        let flag = operation.flag();
        if !self.flags.contains(flag) {
            return Err(SendError::NotNegotiated { operation: operation.name(), flag });
        }
        self.outbox.send(sender, &control, payload.as_ref())
    }

    /// Bytes that wait for [`Connection::poll_output`]; compare with the busy limit.
    pub fn queued_bytes(&self) -> usize {
        self.outbox.queued_bytes()
    }

    /// Bytes held of the peer: unread input and messages of which fragments are missing.
    pub fn held_bytes(&self) -> usize {
        self.inbox.held_bytes()
    }

    /// Bytes kept for later messages of the peer, beside those held.
    pub fn spare_bytes(&self) -> usize {
        self.inbox.spare_bytes()
    }

    /// Lets go what is kept for later messages, when memory is short.
    pub fn release_spare(&mut self) {
        self.inbox.release_spare();
    }

    /// Messages of the peer of which fragments are missing.
    pub fn unfinished_messages(&self) -> usize {
        self.inbox.unfinished_messages()
    }

    /// Appends what is to be written next, in order, and returns how many bytes that is.
    ///
    /// A call hands out the frames that are ready and at most one fragment of a long message, so what
    /// becomes ready later waits for no more than that. Call again until it returns 0.
    pub fn poll_output(&mut self, to: &mut Vec<Bytes>) -> usize {
        let ticks = self.outbox.take_tick_bytes();
        let bytes = self.outbox.poll(to);
        if bytes > ticks {
            self.ticker.sent();
        }
        bytes
    }

    /// When [`Connection::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Now> {
        self.ticker.deadline()
    }

    /// Queues a tick if one is due. Towards a hidden peer that may be behind messages that are ready;
    /// a fragment of a long one is not among these.
    ///
    /// # Errors
    /// If the peer was silent for too long, or only ticked with messages unfinished.
    pub fn handle_timeout(&mut self, now: Now) -> Result<(), ConnectionError> {
        match self.tick_or_error(now) {
            Ok(due) => {
                if due {
                    self.outbox.tick();
                }
                Ok(())
            }
            Err(error) => {
                self.failed = Some(error.clone());
                Err(error)
            }
        }
    }

    /// Whether a tick is due.
    fn tick_or_error(&mut self, now: Now) -> Result<bool, ConnectionError> {
        if self.ticker.deadline().is_some_and(|deadline| deadline <= now) {
            self.inbox.age(self.ticker.intensity())?;
        }
        self.ticker.handle_timeout(now, self.outbox.queued_bytes() > 0)
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("flags", &self.flags)
            .field("queued_bytes", &self.queued_bytes())
            .field("held_bytes", &self.held_bytes())
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}
