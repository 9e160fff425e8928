//! A peer that speaks the protocol by hand, so that it can speak it wrongly.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use bytes::Bytes;
use erlang_interop::dist::handshake::messages::{
    Challenge, ChallengeAck, ChallengeReply, SendName, Status,
};
use erlang_interop::dist::{
    Connection, ConnectionConfig, Control, Cookie, Creation, DistributionFlags, Event,
};
use erlang_interop::term::{Atom, Pid, Reference, Term, encode, term};

use super::case::{Phase, Wire};
use super::line::{Keys, Line, dial};
use crate::running::eventually;

/// The creation that strangers claim.
pub(crate) const CREATION: u32 = 77;
/// What a stranger asks of the node in its own challenge.
pub(crate) const OUR_CHALLENGE: u32 = 0x5eed;

/// What strangers know of the node that they attack.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) wire: Wire,
    pub(crate) node: Atom,
    pub(crate) port: u16,
    pub(crate) epmd_port: u16,
    /// A node that is connected to it.
    pub(crate) honest: Atom,
    /// Processes of the node by name.
    pub(crate) processes: Vec<(&'static str, Pid)>,
    /// Those of the cluster, for who has them.
    pub(crate) keys: Option<Keys>,
    /// The right one.
    pub(crate) cookie: Cookie,
}

/// A hostile peer.
pub(crate) struct Stranger {
    pub(crate) target: Target,
    pub(crate) line: Line,
    pub(crate) name: String,
    pub(crate) cookie: Cookie,
    pub(crate) flags: DistributionFlags,
    /// What the node asked of us.
    pub(crate) challenge: u32,
    connection: Connection,
    probes: u32,
}

impl Stranger {
    /// Comes as far as `phase`.
    pub(crate) fn dial(target: &Target, name: &str, knows_cookie: bool, phase: Phase) -> Self {
        let line = match phase {
            Phase::Bare => Line::Tcp(dial(target.port)),
            Phase::Mapper => Line::Tcp(dial(target.epmd_port)),
            _ => Line::dial(target.port, target.wire, target.keys.as_ref()),
        };
        let mut stranger = Self::on(target, line, name, knows_cookie);
        match phase {
            Phase::Named => stranger.introduce(),
            Phase::OldNamed => stranger.introduce_as_of_old(),
            Phase::Connected => stranger.connect(),
            _ => {}
        }
        stranger
    }

    /// Takes the connection that the node makes to us, as far as `phase`.
    pub(crate) fn serve(
        target: &Target,
        stream: TcpStream,
        name: &str,
        knows_cookie: bool,
        phase: Phase,
    ) -> Self {
        let line = Line::serve(stream, target.wire, target.keys.as_ref());
        let mut stranger = Self::on(target, line, name, knows_cookie);
        if phase == Phase::Dialed {
            return stranger;
        }
        assert_eq!(stranger.hear().first(), Some(&b'N'), "the node tells its name");
        stranger.tell(|to| Status::Ok.write(to));
        if phase == Phase::Answered {
            stranger.ask();
            let reply = ChallengeReply::read(&stranger.hear()).expect("a reply");
            stranger.challenge = reply.challenge;
        }
        stranger
    }

    fn on(target: &Target, line: Line, name: &str, knows_cookie: bool) -> Self {
        let cookie = match knows_cookie {
            true => target.cookie.clone(),
            false => Cookie::new("a_wrong_cookie").expect("a cookie"),
        };
        let flags = DistributionFlags::DEFAULT_HIDDEN;
        let connection =
            Connection::with_flags(ConnectionConfig::default(), flags, Default::default());
        let (target, name) = (target.clone(), name.to_owned());
        Self { target, line, name, cookie, flags, challenge: 0, connection, probes: 0 }
    }

    /// Another stranger, beside this one.
    pub(crate) fn another(&self, name: &str, phase: Phase) -> Self {
        let knows = self.cookie == self.target.cookie;
        Self::dial(&self.target, &format!("{name}@127.0.0.1"), knows, phase)
    }

    /// Writes bytes as they are. The node may have closed already, which is for the case to judge.
    pub(crate) fn say(&mut self, bytes: &[u8]) {
        let _ = self.line.write_all(bytes).and_then(|()| self.line.flush());
    }

    /// Writes them one by one.
    pub(crate) fn trickle(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.say(&[*byte]));
    }

    /// A message of the handshake as it goes over this wire.
    pub(crate) fn message(&self, body: &[u8]) -> Vec<u8> {
        let length = body.len();
        let mut message = match self.target.wire {
            Wire::Tcp => u16::try_from(length).expect("short").to_be_bytes().to_vec(),
            Wire::Tls => u32::try_from(length).expect("short").to_be_bytes().to_vec(),
        };
        message.extend_from_slice(body);
        message
    }

    /// Sends a message of the handshake.
    pub(crate) fn send(&mut self, body: &[u8]) {
        self.say(&self.message(body));
    }

    pub(crate) fn tell(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut body = Vec::new();
        write(&mut body);
        self.send(&body);
    }

    /// The next message of the handshake; empty when the node has closed.
    pub(crate) fn hear(&mut self) -> Vec<u8> {
        let mut length = [0; 4];
        let prefix = match self.target.wire {
            Wire::Tcp => &mut length[2..],
            Wire::Tls => &mut length[..],
        };
        if self.line.read_exact(prefix).is_err() {
            return Vec::new();
        }
        let length = u32::from_be_bytes(length);
        let mut body = vec![0; usize::try_from(length).expect("fits")];
        match self.line.read_exact(&mut body) {
            Ok(()) => body,
            Err(_) => Vec::new(),
        }
    }

    /// The name that the stranger would send.
    pub(crate) fn send_name(&self) -> SendName {
        let creation = Some(Creation(CREATION));
        SendName { flags: self.flags, creation, name: self.name.clone() }
    }

    fn introduce(&mut self) {
        let name = self.send_name();
        self.tell(|to| name.write(to));
        self.hear_challenge();
    }

    fn introduce_as_of_old(&mut self) {
        let name = SendName { creation: None, ..self.send_name() };
        self.tell(|to| name.write(to));
        self.hear_challenge();
    }

    pub(crate) fn hear_challenge(&mut self) {
        let mut status = self.hear();
        if status == b"salive" {
            // An earlier connection of this name is not quite gone.
            self.send(b"strue");
            status = b"sok".to_vec();
        }
        assert!(status.starts_with(b"sok"), "{status:?}");
        self.challenge = Challenge::read(&self.hear()).expect("a challenge").challenge;
    }

    /// The bytes of an answer to the node's challenge, right with the right cookie.
    pub(crate) fn reply(&self) -> Vec<u8> {
        let digest = self.cookie.digest(self.challenge);
        let mut body = Vec::new();
        ChallengeReply { challenge: OUR_CHALLENGE, digest }.write(&mut body);
        body
    }

    /// Our challenge, as one that is dialed.
    pub(crate) fn ask(&mut self) {
        let (flags, name) = (self.flags, self.name.clone());
        let creation = Creation(CREATION);
        self.tell(|to| Challenge { flags, challenge: OUR_CHALLENGE, creation, name }.write(to));
    }

    /// The bytes of our answer to the dialer's challenge.
    pub(crate) fn ack(&self) -> Vec<u8> {
        let mut body = Vec::new();
        ChallengeAck { digest: self.cookie.digest(self.challenge) }.write(&mut body);
        body
    }

    fn connect(&mut self) {
        self.introduce();
        self.prove();
    }

    /// The rest of the handshake.
    pub(crate) fn prove(&mut self) {
        let reply = self.reply();
        self.send(&reply);
        assert_eq!(self.hear().first(), Some(&b'a'), "the cookie is right");
    }

    /// A pid of ours.
    pub(crate) fn pid(&self, number: u32) -> Pid {
        Pid::new(self.atom(), number, 0, CREATION)
    }

    /// A reference of ours.
    pub(crate) fn reference(&self, number: u32) -> Reference {
        Reference::new(self.atom(), CREATION, &[number, 1, 2])
    }

    pub(crate) fn atom(&self) -> Atom {
        Atom::new(&self.name).expect("a name")
    }

    /// A process of the node.
    pub(crate) fn victim(&self, name: &str) -> Pid {
        let found = self.target.processes.iter().find(|(known, _)| *known == name);
        found.expect("one of those looked up").1.clone()
    }

    /// Sends a frame with this content.
    pub(crate) fn frame(&mut self, body: &[u8]) {
        let bytes = framed(body);
        self.say(&bytes);
    }

    /// Sends a control message, without the atom cache.
    pub(crate) fn control(&mut self, control: &Term, payload: Option<&Term>) {
        let bytes = controlled(control, payload);
        self.say(&bytes);
    }

    /// Sends to a registered process of the node.
    pub(crate) fn send_to(&mut self, name: &str, message: &Term) {
        let name = Atom::new(name).expect("short");
        let control = term!({6, (self.pid(1)), @"", (name)});
        self.control(&control, Some(message));
    }

    /// Asks the node to run a function in a process, by `erpc`; nobody waits for the answer.
    pub(crate) fn call(&mut self, number: u32, module: &str, function: &str, arguments: Term) {
        let control = self.spawn_request(number, term!([monitor]));
        let atom = |text| Atom::new(text).expect("short");
        let reference = self.reference(number);
        let call = term!([(reference), (atom(module)), (atom(function)), (arguments)]);
        self.control(&control, Some(&call));
    }

    /// The request that [`Self::call`] sends.
    pub(crate) fn spawn_request(&self, number: u32, options: Term) -> Term {
        let (reference, from) = (self.reference(number), self.pid(1));
        term!({29, (reference), (&from), (from), {erpc, execute_call, 4}, (options)})
    }

    /// Asks whether the node still answers us, and waits for the answer.
    pub(crate) fn is_answered(&mut self) -> bool {
        self.probes += 1;
        let tag = self.reference(1_000_000 + self.probes);
        let asker = self.pid(9);
        let own = self.atom();
        let question = term!({@"$gen_call", {(&asker), (&tag)}, {is_auth, (own)}});
        self.send_to("net_kernel", &question);
        let tag = Term::Reference(tag);
        let is_answer = |payload: &Term| match payload.as_tuple() {
            Some([heard, yes]) => *heard == tag && yes.is_atom("yes"),
            _ => false,
        };
        self.heard(|_, payload| payload.is_some_and(is_answer))
    }

    /// Reads what the node sends until one message is the one that is waited for.
    pub(crate) fn heard(
        &mut self,
        mut wanted: impl FnMut(&Control, Option<&Term>) -> bool,
    ) -> bool {
        let mut buffer = [0; 64 * 1024];
        loop {
            while let Some(event) =
                self.connection.poll_event().expect("the node sends good frames")
            {
                if let Event::Message { control, payload } = &event
                    && wanted(control, payload.as_ref())
                {
                    return true;
                }
            }
            match self.line.read(&mut buffer) {
                Ok(0) | Err(_) => return false,
                Ok(count) => {
                    let bytes = Bytes::copy_from_slice(&buffer[..count]);
                    self.connection.handle_input(Default::default(), bytes);
                }
            }
        }
    }
}

/// A frame.
pub(crate) fn framed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a frame's length");
    [&length.to_be_bytes()[..], body].concat()
}

/// The frame of a control message that has its atoms written out.
pub(crate) fn controlled(control: &Term, payload: Option<&Term>) -> Vec<u8> {
    let mut body = vec![131, 68, 0];
    body.extend_from_slice(&encode(control)[1..]);
    if let Some(payload) = payload {
        body.extend_from_slice(&encode(payload)[1..]);
    }
    framed(&body)
}

/// Listens, and has a name registered at the node's own port mapper for as long as it lives.
pub(crate) struct Trap {
    pub(crate) listener: TcpListener,
    pub(crate) name: String,
    _registered: TcpStream,
}

impl Trap {
    pub(crate) fn set(target: &Target, alive: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let mut mapper = dial(target.epmd_port);
        let mut body = vec![120];
        body.extend_from_slice(&port.to_be_bytes());
        body.extend_from_slice(&[77, 0, 0, 6, 0, 5]);
        body.extend_from_slice(&u16::try_from(alive.len()).expect("short").to_be_bytes());
        body.extend_from_slice(alive.as_bytes());
        body.extend_from_slice(&[0, 0]);
        let length = u16::try_from(body.len()).expect("short").to_be_bytes();
        mapper.write_all(&[&length[..], &body].concat()).expect("asked");
        let mut answer = [0; 6];
        mapper.read_exact(&mut answer).expect("answered");
        assert_eq!(answer[..2], [118, 0], "registered");
        Self { listener, name: format!("{alive}@127.0.0.1"), _registered: mapper }
    }

    /// The next connection.
    #[track_caller]
    pub(crate) fn take(&self) -> TcpStream {
        self.listener.set_nonblocking(true).expect("set");
        let stream = eventually("the node dials", || self.listener.accept().ok()).0;
        stream.set_nonblocking(false).expect("set");
        stream
    }
}
