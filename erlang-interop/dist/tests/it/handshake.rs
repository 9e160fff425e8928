//! Captured handshakes, replayed byte for byte against both machines, cut at every place.

use std::time::Duration;

use erlang_dist::handshake::messages::{Challenge, ChallengeReply, SendName};
use erlang_dist::handshake::{
    Acceptor, AcceptorEvent, Decision, HandshakeConfig, HandshakeOutcome, Initiator,
    InitiatorEvent, PeerName,
};
use erlang_dist::{Cookie, Creation, DistributionFlags, NodeName};

use crate::capture::{self, Line};

const NOW: Duration = Duration::ZERO;

struct Transcript {
    dialer: Vec<u8>,
    acceptor: Vec<u8>,
    /// The frames that the acceptor sent after its ack.
    frames: Vec<u8>,
    send_name: SendName,
    challenge: Challenge,
    reply: ChallengeReply,
}

impl Transcript {
    fn read(name: &str) -> Self {
        let lines = capture::read(&format!("{name}.handshake"), 2);
        let (handshake, frames): (Vec<Line>, Vec<Line>) =
            lines.into_iter().partition(|line| line.fields[0] == "hs");
        let message = |dialer: bool, tag: u8| {
            let found =
                handshake.iter().find(|line| line.from_dialer == dialer && line.bytes[2] == tag);
            found.expect("in every handshake").bytes[2..].to_vec()
        };
        Self {
            dialer: capture::side(&handshake, true),
            acceptor: capture::side(&handshake, false),
            frames: capture::side(&frames, false),
            send_name: SendName::read(&message(true, b'N')).expect("send_name"),
            challenge: Challenge::read(&message(false, b'N')).expect("challenge"),
            reply: ChallengeReply::read(&message(true, b'r')).expect("reply"),
        }
    }
}

fn name(text: &str) -> NodeName {
    NodeName::new(text).expect("a name")
}

fn cookie() -> Cookie {
    Cookie::new("tapcookie").expect("a cookie")
}

fn dial(transcript: &Transcript, pieces: &[&[u8]]) -> (Vec<u8>, Option<HandshakeOutcome>) {
    let creation = transcript.send_name.creation.expect("the new form");
    let mut config = HandshakeConfig::new(name(&transcript.send_name.name), creation);
    config.flags = transcript.send_name.flags;
    let peer = name(&transcript.challenge.name);
    let mut machine = Initiator::new(config, peer, cookie(), transcript.reply.challenge, NOW);
    let mut written = machine.take_output();
    let mut outcome = None;
    for piece in pieces {
        if let Some(HandshakeOutcome { leftover, .. }) = &mut outcome {
            *leftover = [&leftover[..], piece].concat().into();
            continue;
        }
        machine.handle_input(piece).expect("bounded");
        while let Some(event) = machine.poll_event(NOW).expect("a good handshake") {
            match event {
                InitiatorEvent::Done(done) => outcome = Some(*done),
                other => panic!("{other:?}"),
            }
        }
        written.extend(machine.take_output());
    }
    (written, outcome)
}

fn accept(transcript: &Transcript, pieces: &[&[u8]]) -> (Vec<u8>, Option<HandshakeOutcome>) {
    let creation = transcript.challenge.creation;
    let mut config = HandshakeConfig::new(name(&transcript.challenge.name), creation);
    config.flags = transcript.challenge.flags;
    let mut machine =
        Acceptor::new(config, transcript.challenge.challenge, NOW).expect("a name of its own");
    let (mut written, mut outcome) = (Vec::new(), None);
    for piece in pieces {
        machine.handle_input(piece).expect("bounded");
        while let Some(event) = machine.poll_event(NOW).expect("a good handshake") {
            match event {
                AcceptorEvent::Identify(identity) => {
                    let dialer = name(&transcript.send_name.name);
                    assert_eq!(identity.name, PeerName::Static(dialer));
                    machine.decide(Decision::Ok, cookie(), NOW).expect("fits");
                }
                AcceptorEvent::Done(done) => outcome = Some(*done),
                other => panic!("{other:?}"),
            }
        }
        written.extend(machine.take_output());
    }
    (written, outcome)
}

fn check(outcome: &HandshakeOutcome, peer: &str, creation: Creation) {
    assert_eq!(outcome.peer.as_str(), peer);
    assert_eq!(outcome.peer_creation, creation);
    assert_eq!(outcome.flags, DistributionFlags::DEFAULT);
    assert!(!outcome.is_hidden());
}

#[test]
fn initiator_writes_what_a_beam_wrote() {
    for file in capture::HANDSHAKES {
        let transcript = Transcript::read(file);
        let input = [&transcript.acceptor[..], &transcript.frames].concat();
        let end = transcript.acceptor.len() + 40;
        for split in 0..=end {
            let (written, outcome) = dial(&transcript, &[&input[..split], &input[split..]]);
            assert_eq!(written, transcript.dialer, "{file} split at {split}");
            let outcome = outcome.expect("done");
            check(&outcome, &transcript.challenge.name, transcript.challenge.creation);
            assert_eq!(outcome.leftover, transcript.frames, "{file} split at {split}");
        }
        let bytes: Vec<&[u8]> = input.chunks(1).collect();
        let (written, outcome) = dial(&transcript, &bytes);
        assert_eq!(written, transcript.dialer, "{file} byte by byte");
        assert_eq!(outcome.expect("done").leftover, transcript.frames);
    }
}

#[test]
fn acceptor_writes_what_a_beam_wrote() {
    for file in capture::HANDSHAKES {
        let transcript = Transcript::read(file);
        let input = &transcript.dialer;
        let creation = transcript.send_name.creation.expect("the new form");
        for split in 0..=input.len() {
            let (written, outcome) = accept(&transcript, &[&input[..split], &input[split..]]);
            assert_eq!(written, transcript.acceptor, "{file} split at {split}");
            check(&outcome.expect("done"), &transcript.send_name.name, creation);
        }
        let bytes: Vec<&[u8]> = input.chunks(1).collect();
        let (written, outcome) = accept(&transcript, &bytes);
        assert_eq!(written, transcript.acceptor, "{file} byte by byte");
        check(&outcome.expect("done"), &transcript.send_name.name, creation);
    }
}
