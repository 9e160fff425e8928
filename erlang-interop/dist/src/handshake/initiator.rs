//! The side that dials.

use crate::Now;
use crate::cookie::Cookie;
use crate::error::{HandshakeError, Side};
use crate::flags::DistributionFlags;
use crate::name::{Creation, NodeName};

use super::machine::{self, Machine, Need};
use super::messages::{
    Challenge, ChallengeAck, ChallengeReply, SendName, Status, show, write_alive_answer,
};
use super::transport::Transport;
use super::{HandshakeConfig, HandshakeOutcome, LocalName};

/// What the dialing side tells its driver.
#[derive(Debug)]
#[non_exhaustive]
pub enum InitiatorEvent {
    /// The acceptor goes on and gives up its own attempt to dial us. Nothing to do.
    Simultaneous,
    /// The acceptor believes that we are connected already. Answer with
    /// [`Initiator::answer_alive`]: `true` if we know of no such connection.
    Alive,
    /// The connection stands.
    Done(Box<HandshakeOutcome>),
}

/// The dialing machine.
#[derive(Debug)]
pub struct Initiator {
    transport: Transport,
    config: HandshakeConfig,
    peer: NodeName,
    cookie: Cookie,
    challenge: u32,
    local: Option<(NodeName, Creation)>,
    state: State,
}

#[derive(Debug)]
enum State {
    Status,
    AliveAnswer,
    Challenge,
    Ack { theirs: Challenge },
    Done,
    Failed(HandshakeError),
}

impl Initiator {
    /// Begins to dial `peer`; the first message waits in [`Initiator::take_output`].
    ///
    /// `challenge` must come from the system's random source, fresh for each attempt.
    pub fn new(
        mut config: HandshakeConfig,
        peer: NodeName,
        cookie: Cookie,
        challenge: u32,
        now: Now,
    ) -> Self {
        let mut transport = Transport::new(config.prefix, config.step_time, now);
        let (name, local) = match &config.name {
            LocalName::Static(name) => {
                config.flags = config.flags - DistributionFlags::NAME_ME;
                (name.as_str().to_owned(), Some((name.clone(), config.creation)))
            }
            LocalName::Dynamic { host } => {
                config.flags |= DistributionFlags::NAME_ME;
                (host.clone(), None)
            }
        };
        let first = SendName { flags: config.flags, creation: Some(config.creation), name };
        transport.put(|to| first.write(to));
        Self { transport, config, peer, cookie, challenge, local, state: State::Status }
    }

    /// Takes bytes of the peer, in pieces of any size. Call [`Initiator::poll_event`] then.
    ///
    /// # Errors
    /// If the peer is far ahead of the handshake.
    pub fn handle_input(&mut self, bytes: &[u8]) -> Result<(), HandshakeError> {
        self.transport.feed(bytes)
    }

    /// Goes on as far as the input allows. Returns `None` when more input is needed.
    ///
    /// # Errors
    /// Whatever ends the handshake; the same error again if called again.
    pub fn poll_event(&mut self, now: Now) -> Result<Option<InitiatorEvent>, HandshakeError> {
        machine::poll_event(self, now)
    }

    fn status(&mut self, message: &[u8]) -> Result<Option<InitiatorEvent>, HandshakeError> {
        let status = Status::read(message)?;
        let dynamic = matches!(self.config.name, LocalName::Dynamic { .. });
        self.state = State::Challenge;
        match status {
            Status::Ok if !dynamic => Ok(None),
            Status::OkSimultaneous if !dynamic => Ok(Some(InitiatorEvent::Simultaneous)),
            Status::Alive if !dynamic => {
                self.state = State::AliveAnswer;
                Ok(Some(InitiatorEvent::Alive))
            }
            Status::Named { name, creation } if dynamic => {
                let given = NodeName::new(&name).map_err(|error| HandshakeError::Misbehaved {
                    expected: "a node name in named:",
                    got: error.to_string(),
                })?;
                self.local = Some((given, creation));
                Ok(None)
            }
            Status::Nok | Status::NotAllowed => {
                Err(HandshakeError::Refused { by: Side::Peer, status })
            }
            _ => Err(HandshakeError::Misbehaved {
                expected: if dynamic { "status named:" } else { "a status that gives no name" },
                got: show(message).into_owned(),
            }),
        }
    }

    /// Answers [`InitiatorEvent::Alive`]: `true` replaces the connection that the acceptor believes
    /// in, `false` keeps it and ends this attempt.
    ///
    /// # Errors
    /// With `false`, that we refused; with either, that nobody asked.
    pub fn answer_alive(&mut self, answer: bool, now: Now) -> Result<(), HandshakeError> {
        if !matches!(self.state, State::AliveAnswer) {
            return Err(HandshakeError::Decision { reason: "the peer did not say alive" });
        }
        self.transport.put(|to| write_alive_answer(answer, to));
        self.transport.restart(now);
        if answer {
            self.state = State::Challenge;
            return Ok(());
        }
        let error = HandshakeError::Refused { by: Side::Local, status: Status::Alive };
        self.state = State::Failed(error.clone());
        Err(error)
    }

    fn reply(&mut self, message: &[u8]) -> Result<(), HandshakeError> {
        let theirs = Challenge::read(message)?;
        // spec: the name in the challenge must be, byte for byte, the name that was dialed.
        if theirs.name != self.peer.as_str() {
            let expected = self.peer.to_string();
            return Err(HandshakeError::WrongName { expected, got: theirs.name });
        }
        let missing = theirs.flags.missing(self.config.required);
        if !missing.is_empty() {
            return Err(HandshakeError::Incompatible { missing });
        }
        let digest = self.cookie.digest(theirs.challenge);
        let reply = ChallengeReply { challenge: self.challenge, digest };
        self.transport.put(|to| reply.write(to));
        self.state = State::Ack { theirs };
        Ok(())
    }

    fn finish(
        &mut self,
        message: &[u8],
        theirs: Challenge,
    ) -> Result<InitiatorEvent, HandshakeError> {
        let ack = ChallengeAck::read(message)?;
        if ack.digest != self.cookie.digest(self.challenge) {
            return Err(HandshakeError::Auth);
        }
        let (local, local_creation) =
            self.local.clone().expect("a status was accepted only with a name");
        Ok(InitiatorEvent::Done(Box::new(HandshakeOutcome {
            local,
            local_creation,
            peer: self.peer.clone(),
            peer_creation: theirs.creation,
            peer_flags: theirs.flags,
            flags: self.config.flags.expanded() & theirs.flags.expanded(),
            leftover: self.transport.take_leftover(),
        })))
    }

    /// What the peer has asked, between its challenge and its acknowledgement. The answer waits in
    /// [`Initiator::take_output`]: not to be sent if it is a challenge of our own, thrown back.
    pub fn peer_challenge(&self) -> Option<u32> {
        match &self.state {
            State::Ack { theirs } => Some(theirs.challenge),
            _ => None,
        }
    }

    /// Takes the bytes to write now; empty if there are none.
    pub fn take_output(&mut self) -> Vec<u8> {
        self.transport.take_output()
    }

    /// When [`Initiator::handle_timeout`] wants to be called; `None` once the handshake is over.
    pub fn poll_timeout(&self) -> Option<Now> {
        machine::poll_timeout(self.need(), &self.transport)
    }

    /// Checks the deadline of the step.
    ///
    /// # Errors
    /// If it has passed.
    pub fn handle_timeout(&mut self, now: Now) -> Result<(), HandshakeError> {
        machine::handle_timeout(self, now)
    }
}

impl Machine for Initiator {
    type Event = InitiatorEvent;

    fn transport(&mut self) -> &mut Transport {
        &mut self.transport
    }

    fn need(&self) -> Need<'_> {
        match &self.state {
            State::Status => Need::Message("the status"),
            State::AliveAnswer => Need::Decision("our own answer to alive"),
            State::Challenge => Need::Message("the challenge"),
            State::Ack { .. } => Need::Message("the challenge ack"),
            State::Done => Need::Nothing,
            State::Failed(error) => Need::Failed(error),
        }
    }

    fn step(&mut self, message: &[u8]) -> Result<Option<InitiatorEvent>, HandshakeError> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Status => self.status(message),
            State::Challenge => self.reply(message).map(|()| None),
            State::Ack { theirs } => self.finish(message, theirs).map(Some),
            State::AliveAnswer | State::Done | State::Failed(_) => Ok(None),
        }
    }

    fn fail(&mut self, error: HandshakeError) {
        self.state = State::Failed(error);
    }
}
