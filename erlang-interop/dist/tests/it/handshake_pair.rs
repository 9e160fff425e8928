//! Both handshake machines joined in memory, with virtual time: every kind of handshake, and every
//! way to fail.

use std::time::Duration;

use erlang_dist::error::Side;
use erlang_dist::handshake::messages::{Challenge, ChallengeReply, Complement, SendName, Status};
use erlang_dist::handshake::{
    Acceptor, AcceptorEvent, Decision, HandshakeConfig, HandshakeOutcome, Initiator,
    InitiatorEvent, LengthPrefix, LocalName, PeerName,
};
use erlang_dist::{Cookie, Creation, DistributionFlags, HandshakeError, NodeName};

const NOW: Duration = Duration::ZERO;

fn name(text: &str) -> NodeName {
    NodeName::new(text).expect("a name")
}

fn cookie(text: &str) -> Cookie {
    Cookie::new(text).expect("a cookie")
}

/// How one handshake is set up; each test changes what it's about.
struct Scene {
    dialer: HandshakeConfig,
    acceptor: HandshakeConfig,
    dialed: NodeName,
    cookies: (Cookie, Cookie),
    decision: Decision,
    alive_answer: bool,
    chunk: usize,
}

type Ended = Result<Box<HandshakeOutcome>, HandshakeError>;

impl Scene {
    fn new() -> Self {
        Self {
            dialer: HandshakeConfig::new(name("a@h"), Creation(11)),
            acceptor: HandshakeConfig::new(name("b@h"), Creation(22)),
            dialed: name("b@h"),
            cookies: (cookie("x"), cookie("x")),
            decision: Decision::Ok,
            alive_answer: true,
            chunk: usize::MAX,
        }
    }

    /// Passes bytes both ways until nothing moves. `None`: that side still waits.
    fn play(self) -> (Option<Ended>, Option<Ended>) {
        let (ours, theirs) = self.cookies;
        let mut dialer = Initiator::new(self.dialer, self.dialed, ours, 1111, NOW);
        let mut acceptor = Acceptor::new(self.acceptor, 2222, NOW).expect("has a name");
        let (mut dialed, mut accepted): (Option<Ended>, Option<Ended>) = (None, None);
        loop {
            let (to_acceptor, to_dialer) = (dialer.take_output(), acceptor.take_output());
            if to_acceptor.is_empty() && to_dialer.is_empty() {
                return (dialed, accepted);
            }
            for piece in to_acceptor.chunks(self.chunk) {
                acceptor.handle_input(piece).expect("bounded");
                loop {
                    match acceptor.poll_event(NOW) {
                        Ok(Some(AcceptorEvent::Identify(_))) => {
                            let decision = self.decision.clone();
                            let decided = acceptor.decide(decision, theirs.clone(), NOW);
                            if let Err(error) = decided {
                                accepted.get_or_insert(Err(error));
                                break;
                            }
                        }
                        Ok(Some(AcceptorEvent::Done(outcome))) => {
                            accepted.get_or_insert(Ok(outcome));
                        }
                        Ok(Some(_)) => {}
                        Ok(None) => break,
                        Err(error) => {
                            accepted.get_or_insert(Err(error));
                            break;
                        }
                    }
                }
            }
            for piece in to_dialer.chunks(self.chunk) {
                dialer.handle_input(piece).expect("bounded");
                loop {
                    match dialer.poll_event(NOW) {
                        Ok(Some(InitiatorEvent::Alive)) => {
                            if let Err(error) = dialer.answer_alive(self.alive_answer, NOW) {
                                dialed.get_or_insert(Err(error));
                                break;
                            }
                        }
                        Ok(Some(InitiatorEvent::Done(outcome))) => {
                            dialed.get_or_insert(Ok(outcome));
                        }
                        Ok(Some(_)) => {}
                        Ok(None) => break,
                        Err(error) => {
                            dialed.get_or_insert(Err(error));
                            break;
                        }
                    }
                }
            }
        }
    }

    fn connects(self) -> (HandshakeOutcome, HandshakeOutcome) {
        match self.play() {
            (Some(Ok(dialed)), Some(Ok(accepted))) => (*dialed, *accepted),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn both_sides_learn_the_same() {
    for chunk in [1, 3, usize::MAX] {
        for prefix in [LengthPrefix::Two, LengthPrefix::Four] {
            let mut scene = Scene { chunk, ..Scene::new() };
            (scene.dialer.prefix, scene.acceptor.prefix) = (prefix, prefix);
            let (dialed, accepted) = scene.connects();
            assert_eq!((&dialed.local, &dialed.peer), (&accepted.peer, &accepted.local));
            assert_eq!(dialed.peer_creation, Creation(22));
            assert_eq!(accepted.peer_creation, Creation(11));
            assert_eq!(dialed.flags, accepted.flags);
        }
    }
}

#[test]
fn common_flags_are_the_intersection() {
    let mut scene = Scene::new();
    scene.dialer.flags = DistributionFlags::DEFAULT_HIDDEN | DistributionFlags::ALTACT_SIG;
    scene.acceptor.flags = DistributionFlags::DEFAULT - DistributionFlags::FRAGMENTS;
    let (dialed, accepted) = scene.connects();
    assert!(dialed.is_hidden() && accepted.is_hidden());
    let expected = DistributionFlags::DEFAULT_HIDDEN - DistributionFlags::FRAGMENTS;
    assert_eq!((dialed.flags, accepted.flags), (expected, expected));
}

#[test]
fn a_wrong_cookie_ends_at_the_reply() {
    let scene = Scene { cookies: (cookie("x"), cookie("y")), ..Scene::new() };
    let (dialed, accepted) = scene.play();
    assert!(dialed.is_none(), "the dialer only sees the connection close");
    assert_eq!(accepted.expect("ended").expect_err("auth"), HandshakeError::Auth);
}

#[test]
fn missing_flags_get_not_allowed() {
    let mut scene = Scene::new();
    scene.dialer.flags = DistributionFlags::from_bits(0x500_0000);
    let (dialed, accepted) = scene.play();
    let missing = DistributionFlags::V4_NC | DistributionFlags::UNLINK_ID;
    let expected = HandshakeError::Incompatible { missing };
    assert_eq!(accepted.expect("ended").expect_err("flags"), expected);
    let refused = HandshakeError::Refused { by: Side::Peer, status: Status::NotAllowed };
    assert_eq!(dialed.expect("ended").expect_err("refused"), refused);

    let mut scene = Scene::new();
    scene.acceptor.flags = DistributionFlags::DEFAULT - DistributionFlags::V4_NC;
    let expected = HandshakeError::Incompatible { missing: DistributionFlags::V4_NC };
    assert_eq!(scene.play().0.expect("ended").expect_err("flags"), expected);
}

#[test]
fn the_digest_flag_is_enough_where_25_is() {
    let mut scene = Scene::new();
    let short = DistributionFlags::from_bits(0x500_0000);
    scene.dialer.flags = short;
    scene.acceptor.required = DistributionFlags::MANDATORY_25;
    let (dialed, accepted) = scene.connects();
    assert_eq!(dialed.flags, short | DistributionFlags::MANDATORY_25);
    assert_eq!(accepted.flags, dialed.flags);
}

#[test]
fn refusals_reach_the_dialer() {
    for (decision, status) in
        [(Decision::Nok, Status::Nok), (Decision::NotAllowed, Status::NotAllowed)]
    {
        let (dialed, accepted) = Scene { decision, ..Scene::new() }.play();
        let by_peer = HandshakeError::Refused { by: Side::Peer, status: status.clone() };
        assert_eq!(dialed.expect("ended").expect_err("refused"), by_peer);
        let by_us = HandshakeError::Refused { by: Side::Local, status };
        assert_eq!(accepted.expect("ended").expect_err("refused"), by_us);
    }
}

#[test]
fn our_own_name_gets_nok() {
    let mut scene = Scene::new();
    scene.dialer.name = LocalName::Static(name("b@h"));
    let (dialed, accepted) = scene.play();
    let status = Status::Nok;
    let expected = HandshakeError::Refused { by: Side::Peer, status: status.clone() };
    assert_eq!(dialed.expect("ended").expect_err("nok"), expected);
    let expected = HandshakeError::Refused { by: Side::Local, status };
    assert_eq!(accepted.expect("ended").expect_err("nok"), expected);
}

#[test]
fn simultaneous_dials_leave_exactly_one() {
    let (a, b) = (name("a@h"), name("b@h"));
    assert_eq!(Decision::simultaneous(&a, &b), Decision::OkSimultaneous);
    assert_eq!(Decision::simultaneous(&b, &a), Decision::Nok);
    Scene { decision: Decision::OkSimultaneous, ..Scene::new() }.connects();
}

#[test]
fn alive_asks_the_dialer() {
    Scene { decision: Decision::Alive, ..Scene::new() }.connects();
    let scene = Scene { decision: Decision::Alive, alive_answer: false, ..Scene::new() };
    let (dialed, accepted) = scene.play();
    let status = Status::Alive;
    let by_us = HandshakeError::Refused { by: Side::Local, status: status.clone() };
    assert_eq!(dialed.expect("ended").expect_err("kept"), by_us);
    let by_peer = HandshakeError::Refused { by: Side::Peer, status };
    assert_eq!(accepted.expect("ended").expect_err("kept"), by_peer);
}

#[test]
fn a_dynamic_name_is_given_and_hides_the_node() {
    let decision = Decision::Named { name: name("2K5Z@h"), creation: Creation(77) };
    let mut scene = Scene { decision: decision.clone(), ..Scene::new() };
    scene.dialer.name = LocalName::Dynamic { host: "h".into() };
    let (dialed, accepted) = scene.connects();
    assert_eq!((dialed.local.as_str(), dialed.local_creation), ("2K5Z@h", Creation(77)));
    assert_eq!((accepted.peer.as_str(), accepted.peer_creation), ("2K5Z@h", Creation(77)));
    assert!(dialed.is_hidden() && accepted.is_hidden());

    let accepted = Scene { decision, ..Scene::new() }.play().1.expect("ended");
    assert!(matches!(accepted, Err(HandshakeError::Decision { .. })));
    let mut scene = Scene::new();
    scene.dialer.name = LocalName::Dynamic { host: "h".into() };
    assert!(matches!(scene.play().1, Some(Err(HandshakeError::Decision { .. }))));
}

#[test]
fn another_node_on_that_port_is_noticed() {
    let scene = Scene { dialed: name("c@h"), ..Scene::new() };
    let error = scene.play().0.expect("ended").expect_err("wrong node");
    assert_eq!(error, HandshakeError::WrongName { expected: "c@h".into(), got: "b@h".into() });
}

fn message(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut body = Vec::new();
    write(&mut body);
    [&(body.len() as u16).to_be_bytes()[..], &body].concat()
}

/// Plays an old dialer (OTP 23 without a look-up) by hand.
fn old_dialer(high: u32) -> Result<HandshakeOutcome, HandshakeError> {
    let config = HandshakeConfig::new(name("b@h"), Creation(22));
    let mut acceptor = Acceptor::new(config, 2222, NOW).expect("has a name");
    let flags = DistributionFlags::from_bits(DistributionFlags::DEFAULT.bits() & 0xffff_ffff);
    let old = SendName { flags, creation: None, name: "a@h".into() };
    acceptor.handle_input(&message(|to| old.write(to))).expect("bounded");
    let event = acceptor.poll_event(NOW)?;
    let Some(AcceptorEvent::Identify(identity)) = event else { panic!("{event:?}") };
    assert_eq!((identity.name, identity.creation), (PeerName::Static(name("a@h")), None));
    acceptor.decide(Decision::Ok, cookie("x"), NOW)?;
    let answer = acceptor.take_output();
    let challenge = Challenge::read(&answer[2 + 3 + 2..])?;
    let complement = Complement { flags_high: high, creation: Creation(11) };
    let digest = cookie("x").digest(challenge.challenge);
    let mut bytes = message(|to| complement.write(to));
    bytes.extend(message(|to| ChallengeReply { challenge: 1, digest }.write(to)));
    acceptor.handle_input(&bytes).expect("bounded");
    match acceptor.poll_event(NOW)? {
        Some(AcceptorEvent::Done(outcome)) => Ok(*outcome),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_old_form_is_complemented() {
    let outcome = old_dialer(0xd).expect("connects");
    assert_eq!(outcome.peer_flags, DistributionFlags::DEFAULT);
    assert_eq!(outcome.peer_creation, Creation(11));
    let missing = DistributionFlags::V4_NC;
    assert_eq!(old_dialer(0).expect_err("flags"), HandshakeError::Incompatible { missing });
}

#[test]
fn each_step_has_its_own_deadline() {
    let config = HandshakeConfig::new(name("b@h"), Creation(22));
    let step = config.step_time;
    let mut acceptor = Acceptor::new(config.clone(), 1, NOW).expect("has a name");
    assert_eq!(acceptor.poll_timeout(), Some(step));
    assert_eq!(acceptor.handle_timeout(step - Duration::from_millis(1)), Ok(()));
    let mut dialer = Initiator::new(
        HandshakeConfig::new(name("a@h"), Creation(1)),
        name("b@h"),
        cookie("x"),
        2,
        NOW,
    );
    let first = dialer.take_output();
    // Half a message is no progress.
    acceptor.handle_input(&first[..9]).expect("bounded");
    assert!(acceptor.poll_event(step / 2).expect("waits").is_none());
    assert_eq!(acceptor.poll_timeout(), Some(step));
    acceptor.handle_input(&first[9..]).expect("bounded");
    assert!(acceptor.poll_event(step / 2).expect("identifies").is_some());
    assert_eq!(acceptor.poll_timeout(), Some(step / 2 + step));
    acceptor.decide(Decision::Ok, cookie("x"), step).expect("fits");
    assert_eq!(acceptor.poll_timeout(), Some(2 * step));
    let error = acceptor.handle_timeout(2 * step).expect_err("late");
    assert_eq!(error, HandshakeError::Timeout { awaited: "the challenge reply" });
    assert_eq!(acceptor.poll_event(2 * step).expect_err("stays so"), error);
    assert_eq!(acceptor.poll_timeout(), None);
    let error = dialer.handle_timeout(step).expect_err("late");
    assert_eq!(error, HandshakeError::Timeout { awaited: "the status" });
}

/// Feeds one message to a fresh acceptor.
fn refused(bytes: &[u8]) -> HandshakeError {
    let config = HandshakeConfig::new(name("b@h"), Creation(22));
    let mut acceptor = Acceptor::new(config, 1, NOW).expect("has a name");
    if let Err(error) = acceptor.handle_input(bytes) {
        return error;
    }
    match acceptor.poll_event(NOW) {
        Err(error) => {
            assert_eq!(acceptor.poll_event(NOW).expect_err("stays so"), error);
            error
        }
        Ok(event) => panic!("{event:?}"),
    }
}

#[test]
fn hostile_dialers_get_typed_errors() {
    assert!(matches!(refused(&[0xff, 0xff, b'N']), HandshakeError::Limit { got: 65535, .. }));
    assert!(matches!(refused(&[0, 0]), HandshakeError::Misbehaved { .. }));
    assert!(matches!(refused(b"\x00\x04GET "), HandshakeError::Misbehaved { .. }));
    assert!(matches!(refused(&vec![0; 17 << 20]), HandshakeError::Limit { .. }));
    let long = format!("{}@h", "n".repeat(300));
    for bad in ["", "noat", "@h", "a@", "a@b@c", &long] {
        let flags = DistributionFlags::DEFAULT;
        let sent = SendName { flags, creation: Some(Creation(1)), name: bad.into() };
        let bytes = message(|to| sent.write(to));
        assert!(matches!(refused(&bytes), HandshakeError::Misbehaved { .. }), "{bad}");
        let asks = SendName { flags: flags | DistributionFlags::NAME_ME, ..sent };
        if bad != "noat" && bad != long {
            let bytes = message(|to| asks.write(to));
            assert!(matches!(refused(&bytes), HandshakeError::Misbehaved { .. }), "{bad}");
        }
    }
    // A name length that points behind the message.
    let mut bytes = message(|to| {
        let flags = DistributionFlags::DEFAULT;
        SendName { flags, creation: Some(Creation(1)), name: "a@h".into() }.write(to);
    });
    bytes[15..17].copy_from_slice(&[0xff, 0xff]);
    assert!(matches!(refused(&bytes), HandshakeError::Misbehaved { .. }));
}
