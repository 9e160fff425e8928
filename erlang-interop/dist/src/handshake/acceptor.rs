//! The side that was dialed.

use crate::Now;
use crate::cookie::Cookie;
use crate::error::{HandshakeError, Side};
use crate::flags::DistributionFlags;
use crate::name::{Creation, NodeName};

use super::machine::{self, Machine, Need};
use super::messages::{
    Challenge, ChallengeAck, ChallengeReply, Complement, SendName, Status, read_alive_answer, show,
};
use super::transport::Transport;
use super::{HandshakeConfig, HandshakeOutcome, LocalName};

/// How a dialer calls itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerName {
    /// By a name of its own.
    Static(NodeName),
    /// By its host only: it asks for a name, to be given with [`Decision::Named`].
    Dynamic {
        /// The part after the `@`.
        host: String,
    },
}

/// Who wants to connect. Not proven yet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// The dialer's name.
    pub name: PeerName,
    /// What it offers; only the low word if it began with the old message.
    pub flags: DistributionFlags,
    /// Its creation, unless it began with the old message.
    pub creation: Option<Creation>,
}

/// What the node makes of an [`Identity`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Welcome.
    Ok,
    /// Welcome; we were dialing it too, its name is the greater one, and we give up ours.
    OkSimultaneous,
    /// We are dialing it too, and our name is the greater one: ours goes on.
    Nok,
    /// Not welcome.
    NotAllowed,
    /// We have a connection to a node of that name; let it say what that is worth.
    Alive,
    /// Welcome under this name. The connection will be hidden.
    Named {
        /// Name to use; its host should be the dialer's.
        name: NodeName,
        /// Creation to use.
        creation: Creation,
    },
}

impl Decision {
    /// The rule for two nodes that dial each other at once: the greater name wins.
    // spec: erl_dist_protocol, "Distribution Handshake", ok_simultaneous
    pub fn simultaneous(local: &NodeName, dialer: &NodeName) -> Self {
        if dialer.as_str() > local.as_str() { Self::OkSimultaneous } else { Self::Nok }
    }
}

/// What the accepting side tells its driver.
#[derive(Debug)]
#[non_exhaustive]
pub enum AcceptorEvent {
    /// Somebody wants in: answer with [`Acceptor::decide`].
    Identify(Identity),
    /// After [`Decision::Alive`], the dialer says that it knows of no connection, so the old one is
    /// to be dropped. Anybody can say so: drop it when [`AcceptorEvent::Done`] has come, which is
    /// after the digest was checked. The handshake goes on by itself.
    ReplaceOld,
    /// The connection stands.
    Done(Box<HandshakeOutcome>),
}

/// The accepting machine.
#[derive(Debug)]
pub struct Acceptor {
    transport: Transport,
    config: HandshakeConfig,
    local: NodeName,
    challenge: u32,
    state: State,
}

/// What is known of the dialer once it may go on.
#[derive(Debug, Clone)]
struct Dialer {
    name: NodeName,
    flags: DistributionFlags,
    creation: Option<Creation>,
    cookie: Cookie,
}

#[derive(Debug)]
enum State {
    Name,
    Decision(Identity),
    AliveAnswer(Dialer),
    Complement(Dialer),
    Reply(Dialer),
    Done,
    Failed(HandshakeError),
}

impl Acceptor {
    /// Waits for a dialer. `challenge` must come from the system's random source, fresh each time.
    ///
    /// # Errors
    /// If the configuration has no name of its own: a node that was dialed has one.
    pub fn new(config: HandshakeConfig, challenge: u32, now: Now) -> Result<Self, HandshakeError> {
        let LocalName::Static(local) = config.name.clone() else {
            return Err(HandshakeError::Decision { reason: "an acceptor has a name" });
        };
        let transport = Transport::new(config.prefix, config.step_time, now);
        Ok(Self { transport, config, local, challenge, state: State::Name })
    }

    /// Takes bytes of the peer, in pieces of any size. Call [`Acceptor::poll_event`] then.
    ///
    /// # Errors
    /// If the peer is far ahead of the handshake.
    pub fn handle_input(&mut self, bytes: &[u8]) -> Result<(), HandshakeError> {
        self.transport.feed(bytes)
    }

    /// Goes on as far as the input allows. Returns `None` when more input or a decision is needed.
    ///
    /// # Errors
    /// Whatever ends the handshake; the same error again if called again.
    pub fn poll_event(&mut self, now: Now) -> Result<Option<AcceptorEvent>, HandshakeError> {
        machine::poll_event(self, now)
    }

    fn identify(&mut self, message: &[u8]) -> Result<AcceptorEvent, HandshakeError> {
        let sent = SendName::read(message)?;
        let misbehaved =
            |expected| HandshakeError::Misbehaved { expected, got: show(message).into_owned() };
        let name = if sent.flags.contains(DistributionFlags::NAME_ME) {
            let host = sent.name;
            // A host is good if it makes a good name.
            if NodeName::new(&format!("n@{host}")).is_err() {
                return Err(misbehaved("a host in place of the name"));
            }
            PeerName::Dynamic { host }
        } else {
            let name = NodeName::new(&sent.name).map_err(|_| misbehaved("a node name"))?;
            PeerName::Static(name)
        };
        // The old message has only the low word; the rest is checked with its complement.
        let low = DistributionFlags::from_bits(0xffff_ffff);
        let required = self.config.required;
        let now = if sent.creation.is_some() { required } else { required & low };
        let missing = sent.flags.missing(now);
        if !missing.is_empty() {
            self.transport.put(|to| Status::NotAllowed.write(to));
            return Err(HandshakeError::Incompatible { missing });
        }
        if matches!(&name, PeerName::Static(name) if *name == self.local) {
            self.transport.put(|to| Status::Nok.write(to));
            return Err(HandshakeError::Refused { by: Side::Local, status: Status::Nok });
        }
        let identity = Identity { name, flags: sent.flags, creation: sent.creation };
        self.state = State::Decision(identity.clone());
        Ok(AcceptorEvent::Identify(identity))
    }

    /// Answers [`AcceptorEvent::Identify`]. `cookie` is the one for this peer.
    ///
    /// After a refusal, write what [`Acceptor::take_output`] gives and close.
    ///
    /// # Errors
    /// If the decision doesn't fit the kind of name, or there's nothing to decide.
    pub fn decide(
        &mut self,
        decision: Decision,
        cookie: Cookie,
        now: Now,
    ) -> Result<(), HandshakeError> {
        let State::Decision(identity) = &self.state else {
            return Err(HandshakeError::Decision { reason: "no peer awaits one" });
        };
        let identity = identity.clone();
        let status = match &decision {
            Decision::Ok => Status::Ok,
            Decision::OkSimultaneous => Status::OkSimultaneous,
            Decision::Nok => Status::Nok,
            Decision::NotAllowed => Status::NotAllowed,
            Decision::Alive => Status::Alive,
            Decision::Named { name, creation } => {
                Status::Named { name: name.to_string(), creation: *creation }
            }
        };
        self.transport.restart(now);
        if matches!(decision, Decision::Nok | Decision::NotAllowed) {
            self.transport.put(|to| status.write(to));
            let error = HandshakeError::Refused { by: Side::Local, status };
            self.state = State::Failed(error);
            return Ok(());
        }
        let (name, creation) = match (identity.name, decision) {
            (PeerName::Dynamic { .. }, Decision::Named { name, creation }) => {
                // As a BEAM does: a node with a given name is hidden, and keeps its name only if
                // NAME_ME is common in the end.
                self.config.flags =
                    (self.config.flags - DistributionFlags::PUBLISHED) | DistributionFlags::NAME_ME;
                (name, Some(creation))
            }
            (PeerName::Static(_), Decision::Named { .. }) => {
                return Err(HandshakeError::Decision { reason: "the peer has a name of its own" });
            }
            (PeerName::Static(name), _) => (name, identity.creation),
            (PeerName::Dynamic { .. }, _) => {
                return Err(HandshakeError::Decision { reason: "the peer asks for a name" });
            }
        };
        self.transport.put(|to| status.write(to));
        let dialer = Dialer { name, flags: identity.flags, creation, cookie };
        if status == Status::Alive {
            self.state = State::AliveAnswer(dialer);
        } else {
            self.put_challenge(dialer);
        }
        Ok(())
    }

    fn put_challenge(&mut self, dialer: Dialer) {
        let (flags, creation) = (self.config.flags, self.config.creation);
        let name = self.local.to_string();
        let ours = Challenge { flags, challenge: self.challenge, creation, name };
        self.transport.put(|to| ours.write(to));
        self.state = match dialer.creation {
            Some(_) => State::Reply(dialer),
            None => State::Complement(dialer),
        };
    }

    fn complement(&mut self, message: &[u8], mut dialer: Dialer) -> Result<(), HandshakeError> {
        let complement = Complement::read(message)?;
        let high = u64::from(complement.flags_high) << 32;
        dialer.flags |= DistributionFlags::from_bits(high);
        dialer.creation = Some(complement.creation);
        let missing = dialer.flags.missing(self.config.required);
        if !missing.is_empty() {
            return Err(HandshakeError::Incompatible { missing });
        }
        self.state = State::Reply(dialer);
        Ok(())
    }

    fn finish(&mut self, message: &[u8], dialer: Dialer) -> Result<AcceptorEvent, HandshakeError> {
        let reply = ChallengeReply::read(message)?;
        if reply.digest != dialer.cookie.digest(self.challenge) {
            return Err(HandshakeError::Auth);
        }
        let ack = ChallengeAck { digest: dialer.cookie.digest(reply.challenge) };
        self.transport.put(|to| ack.write(to));
        Ok(AcceptorEvent::Done(Box::new(HandshakeOutcome {
            local: self.local.clone(),
            local_creation: self.config.creation,
            peer: dialer.name,
            peer_creation: dialer.creation.expect("the complement brought what send_name had not"),
            peer_flags: dialer.flags,
            flags: self.config.flags.expanded() & dialer.flags.expanded(),
            leftover: self.transport.take_leftover(),
        })))
    }

    /// Takes the bytes to write now; empty if there are none.
    pub fn take_output(&mut self) -> Vec<u8> {
        self.transport.take_output()
    }

    /// When [`Acceptor::handle_timeout`] wants to be called; `None` once the handshake is over.
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

impl Machine for Acceptor {
    type Event = AcceptorEvent;

    fn transport(&mut self) -> &mut Transport {
        &mut self.transport
    }

    fn need(&self) -> Need<'_> {
        match &self.state {
            State::Name => Need::Message("the name"),
            State::Decision(_) => Need::Decision("our own decision"),
            State::AliveAnswer(_) => Need::Message("the answer to alive"),
            State::Complement(_) => Need::Message("the complement"),
            State::Reply(_) => Need::Message("the challenge reply"),
            State::Done => Need::Nothing,
            State::Failed(error) => Need::Failed(error),
        }
    }

    fn step(&mut self, message: &[u8]) -> Result<Option<AcceptorEvent>, HandshakeError> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Name => self.identify(message).map(Some),
            State::AliveAnswer(dialer) => {
                if !read_alive_answer(message)? {
                    let status = Status::Alive;
                    return Err(HandshakeError::Refused { by: Side::Peer, status });
                }
                self.put_challenge(dialer);
                Ok(Some(AcceptorEvent::ReplaceOld))
            }
            State::Complement(dialer) => self.complement(message, dialer).map(|()| None),
            State::Reply(dialer) => self.finish(message, dialer).map(Some),
            State::Decision(_) | State::Done | State::Failed(_) => Ok(None),
        }
    }

    fn fail(&mut self, error: HandshakeError) {
        self.state = State::Failed(error);
    }
}
