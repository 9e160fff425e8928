//! Every control message, through two connections and through every set of flags.

use std::time::Duration;

use bytes::Bytes;
use erlang_dist::control::{Mfa, Operation};
use erlang_dist::error::SendError;
use erlang_dist::{Connection, ConnectionConfig, Control, DistributionFlags, Event};
use erlang_term::{DecodeErrorKind, Pid, Term};

use crate::pair::Pair;
use crate::sample::{all_flags, atom, every_control, payload, pid, reference};

#[test]
fn every_control_message_arrives_as_it_was_sent() {
    let header = DistributionFlags::DIST_HDR_ATOM_CACHE | DistributionFlags::FRAGMENTS;
    let term = Term::tuple([Term::from(atom("tag")), Term::from(reference(3)), Term::from("text")]);
    let optional = DistributionFlags::SEND_SENDER | DistributionFlags::UNLINK_ID;
    for flags in
        [all_flags(), all_flags() - DistributionFlags::DIST_HDR_ATOM_CACHE, all_flags() - header]
    {
        let mut pair = Pair::new(flags | optional);
        let mut expected = Vec::new();
        // Twice, so that the second round finds its atoms in the cache.
        for control in every_control().into_iter().chain(every_control()) {
            let payload = payload(&control, &term);
            pair.ends[0].send(control.clone(), payload.clone()).expect("all is negotiated");
            expected.push((control, payload));
        }
        pair.settle().expect("good");
        assert_eq!(pair.inbox[1], expected, "{flags}");
    }
}

#[test]
fn every_operation_is_among_the_samples() {
    let sampled: Vec<Operation> = every_control().iter().map(Control::operation).collect();
    for operation in Operation::all() {
        // UNLINK is illegal where UNLINK_ID is known; its test is below.
        assert!(sampled.contains(&operation) || operation == Operation::UNLINK, "{operation:?}");
    }
}

#[test]
fn older_peers_get_older_forms() {
    let flags = DistributionFlags::MANDATORY_25;
    let (from, to) = (pid(1), pid(2));
    let reason = Term::from(atom("normal"));
    let token = None;
    let cases = [
        (
            Control::SendSender { from: from.clone(), to: to.clone(), token: None },
            Some((Control::Send { to: to.clone(), token: None }, Some(reason.clone()))),
        ),
        (
            Control::PayloadExit { from: from.clone(), to: to.clone(), token: None },
            Some((
                Control::Exit {
                    from: from.clone(),
                    to: to.clone(),
                    reason: reason.clone(),
                    token: None,
                },
                None,
            )),
        ),
        (
            Control::PayloadExit2 { from: from.clone(), to: to.clone(), token: None },
            Some((
                Control::Exit2 {
                    from: from.clone(),
                    to: to.clone(),
                    reason: reason.clone(),
                    token,
                },
                None,
            )),
        ),
        (
            Control::PayloadMonitorPExit {
                from: from.clone().into(),
                to: to.clone(),
                reference: reference(1),
            },
            Some((
                Control::MonitorPExit {
                    from: from.clone().into(),
                    to: to.clone(),
                    reference: reference(1),
                    reason: reason.clone(),
                },
                None,
            )),
        ),
        (
            Control::UnlinkId { id: 4, from: from.clone(), to: to.clone() },
            Some((Control::Unlink { from: from.clone(), to: to.clone() }, None)),
        ),
        (Control::UnlinkIdAck { id: 4, from, to }, None),
    ];
    for (control, expected) in cases {
        let mut pair = Pair::new(flags);
        pair.ends[0].send(control.clone(), payload(&control, &reason)).expect("has an old form");
        pair.settle().expect("good");
        assert_eq!(pair.inbox[1].pop(), expected);
    }
}

/// Where the reason is a part of the control term, only what is behind that can be cut.
#[test]
fn a_long_control_term_is_not_cut_into_fragments() {
    let flags = all_flags() - DistributionFlags::EXIT_PAYLOAD;
    let (from, to) = (pid(1), pid(2));
    let reason = Term::binary(vec![7; 100_000]);
    let exit = |from: &Pid, to: &Pid| {
        let (from, to) = (from.clone(), to.clone());
        let sent = Control::PayloadExit { from: from.clone(), to: to.clone(), token: None };
        (sent, Control::Exit { from, to, reason: reason.clone(), token: None })
    };
    let mut pair = Pair::new(flags);
    let mut expected = Vec::new();
    let (control, arrives) = exit(&from, &to);
    pair.ends[0].send(control, Some(reason.clone())).expect("has an old form");
    expected.push((arrives, None));
    // Behind a message that is being cut.
    let bulk = Control::SendSender { from: from.clone(), to: to.clone(), token: None };
    for _ in 0..2 {
        pair.ends[0].send(bulk.clone(), Some(Term::binary(vec![8; 300_000]))).expect("fits");
        expected.push((bulk.clone(), Some(Term::binary(vec![8; 300_000]))));
        let (control, arrives) = exit(&from, &to);
        pair.ends[0].send(control, Some(reason.clone())).expect("has an old form");
        expected.push((arrives, None));
    }
    pair.settle().expect("good");
    assert_eq!(pair.inbox[1], expected);

    // Its payload is short, or long as well.
    for bytes in [0, 1000, 1030, 200_000] {
        let mut pair = Pair::new(all_flags());
        let control = Control::SpawnRequest {
            reference: reference(1),
            from: from.clone(),
            group_leader: from.clone(),
            mfa: Mfa { module: atom("m"), function: atom("f"), arity: 1 },
            options: Term::list([Term::binary(vec![7; 64_500])]),
            token: None,
        };
        let payload = Some(Term::list([Term::binary(vec![9; bytes])]));
        pair.ends[0].send(control.clone(), payload.clone()).expect("fits");
        pair.settle().expect("good");
        assert_eq!(pair.inbox[1], [(control, payload)], "{bytes}");
        assert_eq!(pair.ends[0].queued_bytes(), 0);
    }
}

#[test]
fn what_a_peer_cannot_do_is_not_sent() {
    for control in every_control() {
        let operation = control.operation();
        let without = all_flags() - operation.flag();
        let mut pair = Pair::new(without);
        let result = pair.ends[0].send(control.clone(), payload(&control, &Term::Nil));
        let only = [
            Operation::SPAWN_REQUEST,
            Operation::SPAWN_REQUEST_TT,
            Operation::SPAWN_REPLY,
            Operation::SPAWN_REPLY_TT,
            Operation::ALIAS_SEND,
            Operation::ALIAS_SEND_TT,
            Operation::ALTACT_SIG_SEND,
        ];
        if only.contains(&operation) {
            let (operation, flag) = (operation.name(), operation.flag());
            assert_eq!(result, Err(SendError::NotNegotiated { operation, flag }));
            assert_eq!(pair.ends[0].queued_bytes(), 0);
        } else {
            assert_eq!(result, Ok(()), "{}", operation.name());
            pair.settle().expect("good");
        }
    }
}

#[test]
fn a_payload_goes_only_where_it_belongs() {
    let mut pair = Pair::new(all_flags());
    for control in every_control() {
        let expected = control.operation().has_payload();
        let wrong = (!expected).then_some(Term::Nil);
        let operation = control.operation().name();
        let error = pair.ends[0].send(control, wrong).expect_err("refused");
        assert_eq!(error, SendError::Payload { operation, expected });
    }
    assert_eq!(pair.ends[0].queued_bytes(), 0);
}

#[test]
fn a_term_that_cannot_be_encoded_leaves_the_connection_as_it_was() {
    let mut pair = Pair::new(all_flags());
    let control = Control::RegSend { from: pid(1), name: atom("never_seen_before"), token: None };
    let bad = Term::list([Term::from(atom("nor_this")), Term::Float(f64::NAN)]);
    let result = pair.ends[0].send(control.clone(), Some(bad));
    assert!(matches!(result, Err(SendError::Encode(_))), "{result:?}");
    assert_eq!(pair.ends[0].queued_bytes(), 0);
    let good = Some(Term::from(atom("nor_this")));
    pair.ends[0].send(control.clone(), good.clone()).expect("good");
    pair.settle().expect("the atoms of the failed message are not taken as known");
    assert_eq!(pair.inbox[1], [(control, good)]);
}

#[test]
fn a_received_binary_is_a_slice_of_the_input() {
    let mut sender =
        Connection::with_flags(ConnectionConfig::default(), all_flags(), Duration::ZERO);
    let control = Control::SendSender { from: pid(1), to: pid(2), token: None };
    sender.send(control, Some(Term::binary(vec![9; 60_000]))).expect("fits");
    let mut chunks = Vec::new();
    sender.poll_output(&mut chunks);
    let input = Bytes::from(chunks.concat());
    let range = input.as_ptr_range();
    let mut receiver =
        Connection::with_flags(ConnectionConfig::default(), all_flags(), Duration::ZERO);
    receiver.handle_input(Duration::ZERO, input.clone());
    let Some(Event::Message { payload: Some(payload), .. }) = receiver.poll_event().expect("good")
    else {
        panic!("no message");
    };
    let binary = payload.as_binary().expect("a binary");
    assert_eq!(binary.len(), 60_000);
    assert!(range.contains(&binary.as_ptr()));
}

#[test]
fn a_payload_over_a_limit_costs_its_message_only() {
    let mut sender =
        Connection::with_flags(ConnectionConfig::default(), all_flags(), Duration::ZERO);
    let mut config = ConnectionConfig::default();
    config.limits.terms.depth = 8;
    let mut receiver = Connection::with_flags(config, all_flags(), Duration::ZERO);
    let control = || Control::SendSender { from: pid(1), to: pid(2), token: None };
    let deep = |bottom| (0..20).fold(bottom, |term, _| Term::list([term, Term::atom("new")]));
    let payloads =
        [Term::Nil, deep(Term::Nil), deep(Term::binary(vec![7; 300_000])), Term::atom("new")];
    for payload in payloads {
        sender.send(control(), Some(payload)).expect("fits");
    }
    let mut chunks = Vec::new();
    while sender.poll_output(&mut chunks) > 0 {}
    receiver.handle_input(Duration::ZERO, Bytes::from(chunks.concat()));
    let mut events = Vec::new();
    while let Some(event) = receiver.poll_event().expect("the connection goes on") {
        events.push(event);
    }
    let message = |payload| Event::Message { control: control(), payload: Some(payload) };
    assert_eq!(events[0], message(Term::Nil));
    assert_eq!(events[3], message(Term::atom("new")), "its atoms have been taken in");
    for event in &events[1..3] {
        let Event::Oversized { control: lost, error } = event else { panic!("{event:?}") };
        assert_eq!(*lost, control());
        assert!(matches!(error.kind, DecodeErrorKind::Limit { max: 8, .. }), "{error}");
    }
    assert_eq!(receiver.held_bytes(), 0);
}
