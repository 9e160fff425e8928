//! Peers that dial us.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use erlang_dist::error::Side;
use erlang_dist::handshake::{Acceptor, Decision, Identity, PeerName, Status};
use erlang_dist::{Cookie, Creation, HandshakeError, NodeName};
use erlang_term::Atom;

use super::handshake::{Doorkeeper, Halves, accept};
use super::party;
use super::peer::Peer;
use super::pending::Place;
use super::slots::{Arrival, Claim, Standing};
use crate::admission::Permit;
use crate::audit::{AuditEvent, Direction};
use crate::error::{ConnectError, DownReason};
use crate::limits::NARROW_HANDSHAKES_MAX;
use crate::node::Node;
use crate::transport::{Listener, Remote, Stream};

/// Pause after the system refused to give us a peer's socket, such as for want of descriptors:
/// trying again at once would spin.
const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// Characters of a name given to a peer that asks for one, as a BEAM gives them.
const GIVEN_NAME_CHARACTERS: usize = 13;

/// Accepts peers until the node stops.
pub(crate) async fn serve(node: Node, mut listener: Listener) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = node.stopping() => return,
            accepted = listener.accept(node.config()) => accepted,
        };
        match accepted {
            Ok((stream, from)) => {
                let Some(place) = admit(&node, &from) else { continue };
                node.runtime().spawn(welcome(node.clone(), stream, from, place));
            }
            Err(error) => {
                tracing::warn!(reason = %error, "accepting a connection failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// A place for the handshake of a dialer, unless too many from its address have failed.
fn admit(node: &Node, from: &Remote) -> Option<Place> {
    let kernel = node.kernel();
    let permit = from.ip.map_or(Permit::Granted, |ip| {
        // Everybody on this machine has that address: one who fails must not lock the others out.
        let shared = || ip == Ipv4Addr::LOCALHOST || ip == Ipv6Addr::LOCALHOST;
        let trusted = || shared() || kernel.slots.count_at(ip) > 0;
        kernel.attempts.permit(ip, trusted, node.now())
    });
    let address = &from.address;
    match permit {
        Permit::Granted => Some(kernel.handshakes.enter(address, usize::MAX)),
        Permit::Narrow => Some(kernel.handshakes.enter(address, NARROW_HANDSHAKES_MAX)),
        Permit::Cut { first } => {
            if first {
                tracing::warn!(
                    from = %address,
                    "too many handshakes from this address have failed: its dials are cut off",
                );
                node.audit(&AuditEvent::CutOff { address });
            }
            None
        }
    }
}

async fn welcome(node: Node, stream: Stream, mut from: Remote, mut place: Place) {
    let mut door =
        Door { node: &node, from: &mut from, name: None, claim: None, old: None, rule: None };
    let result = tokio::select! {
        biased;
        result = run(&node, stream, &mut door) => result,
        () = tokio::time::sleep(node.config().net_setup_time) => Err(ConnectError::SetupTimeout),
        () = place.lost() => {
            let max = node.config().pending_handshakes_max;
            Err(ConnectError::TooManyHandshakes { max })
        }
    };
    drop(place);
    let Err(error) = result else { return };
    let Door { name, claim, rule, .. } = door;
    // The rule says more than the status that the peer was sent.
    let error = rule.unwrap_or(error);
    if let Some(ip) = from.ip
        && is_failure(&error)
    {
        node.kernel().attempts.failed(ip, node.now());
    }
    let peer = name.as_ref().map_or("unknown", |name| name.as_str());
    tracing::info!(%peer, from = %from.address, direction = "in", reason = %error, "connection refused");
    node.audit(&AuditEvent::Refused(party(name.as_ref(), &from, Direction::In), &error));
    if let (Some(name), Some(claim)) = (&name, &claim) {
        node.kernel().slots.fail(name, claim.id, error);
    }
}

/// Two honest nodes that dial each other at the same time end one of the two handshakes.
fn is_failure(error: &ConnectError) -> bool {
    let nok = HandshakeError::Refused { by: Side::Local, status: Status::Nok };
    !matches!(error, ConnectError::Handshake(refused) if *refused == nok)
}

async fn run(node: &Node, stream: Stream, door: &mut Door<'_>) -> Result<(), ConnectError> {
    let stream = stream.secure_accepted(node.config(), &door.from.address).await?;
    door.from.certificates = stream.certificate_names(node.config(), Direction::In);
    let (reader, writer) = stream.split();
    let mut halves = Halves { reader, writer, remote: door.from.clone() };
    let asked = node.kernel().challenges.draw()?;
    let machine = Acceptor::new(node.handshake_config(), asked.challenge(), node.now())
        .map_err(ConnectError::Handshake)?;
    let outcome = accept(node, &mut halves, machine, door).await?;
    // A claim that is taken over at the last moment fills nothing: the slot has another owner.
    if let Some(claim) = &door.claim {
        node.bring_up(claim.id, halves, &outcome, Direction::In);
    }
    Ok(())
}

/// Decides for the node about one dialer.
struct Door<'a> {
    node: &'a Node,
    from: &'a mut Remote,
    name: Option<Atom>,
    claim: Option<Claim>,
    old: Option<Arc<Peer>>,
    /// What kept it out, if a rule of ours did.
    rule: Option<ConnectError>,
}

impl Door<'_> {
    /// Whether the slot is still this dialer's.
    fn holds_claim(&mut self) -> bool {
        use tokio::sync::oneshot::error::TryRecvError::Empty;
        self.claim.as_mut().is_some_and(|claim| claim.taken_over.try_recv() == Err(Empty))
    }

    async fn arrive(&mut self, name: &NodeName) -> Decision {
        let atom = name.as_atom();
        self.name = Some(atom.clone());
        if atom == *self.node.name() {
            tracing::warn!(peer = %name, "a peer has our own name");
            return Decision::Nok;
        }
        if let Err(rule) = self.node.may_connect(&atom, self.from) {
            self.rule = Some(rule);
            return Decision::NotAllowed;
        }
        loop {
            let id = self.node.kernel().new_id();
            let standing = Standing::Named { wins: name.as_str() > self.node.name().as_str() };
            let claim = match self.node.kernel().slots.arrive(&atom, id, standing) {
                Ok(Arrival::Claimed(claim)) => claim,
                Ok(Arrival::Simultaneous) => return Decision::OkSimultaneous,
                // Ours goes on. Told so before ours has reached it, the peer might wait for what never
                // comes; and if ours fails, the peer's is welcome.
                Ok(Arrival::Refused(ours)) => match ours.wait().await {
                    Ok(_) => return Decision::Nok,
                    Err(_) => continue,
                },
                Ok(Arrival::Closing(peer)) => {
                    peer.wait_gone().await;
                    continue;
                }
                Ok(Arrival::Connected(peer)) => {
                    self.old = Some(peer);
                    return Decision::Alive;
                }
                Err(error) => {
                    self.rule = Some(error);
                    return Decision::NotAllowed;
                }
            };
            self.claim = Some(claim);
            return Decision::Ok;
        }
    }

    /// A name for a peer that has only a host: `NAME_ME`.
    async fn give_name(&mut self, host: &str) -> Decision {
        let Some((name, creation)) = made_up_name(host) else { return Decision::NotAllowed };
        match self.arrive(&name).await {
            Decision::Ok => Decision::Named { name, creation },
            other => other,
        }
    }
}

impl Doorkeeper for Door<'_> {
    async fn decide(&mut self, identity: &Identity) -> (Decision, Cookie) {
        let decision = match &identity.name {
            PeerName::Static(name) => self.arrive(name).await,
            PeerName::Dynamic { host } => self.give_name(host).await,
        };
        let kernel = self.node.kernel();
        let cookie = match &self.name {
            Some(name) => kernel.cookie_for(name, &self.node.config().admission),
            None => self.node.cookie(),
        };
        (decision, cookie)
    }

    async fn proven(&mut self, replace: bool) -> bool {
        if self.holds_claim() {
            return true;
        }
        let Some(name) = self.name.clone() else { return false };
        if replace && let Some(old) = self.old.take() {
            old.close(DownReason::Replaced);
            old.wait_gone().await;
        }
        // Whoever has the slot now, if it is not yet connected, has proven nothing: a stranger that
        // came meanwhile under this name must not keep its owner out.
        loop {
            let id = self.node.kernel().new_id();
            match self.node.kernel().slots.arrive(&name, id, Standing::Proven) {
                Ok(Arrival::Claimed(claim)) => {
                    self.claim = Some(claim);
                    return true;
                }
                Ok(Arrival::Closing(peer)) => peer.wait_gone().await,
                Ok(_) | Err(_) => return false,
            }
        }
    }
}

fn made_up_name(host: &str) -> Option<(NodeName, Creation)> {
    let mut bits = getrandom::u64().ok()?;
    let creation = Creation::from_random(getrandom::u32().ok()?);
    let mut alive = String::with_capacity(GIVEN_NAME_CHARACTERS);
    for _ in 0..GIVEN_NAME_CHARACTERS {
        let digit = u32::try_from(bits % 36).ok()?;
        alive.push(char::from_digit(digit, 36)?.to_ascii_uppercase());
        bits /= 36;
    }
    Some((NodeName::new(&format!("{alive}@{host}")).ok()?, creation))
}
