//! Any bytes as the other side of a handshake. The first byte chooses our side, the length of the
//! prefix, the decision and the pieces. Nobody gets in without the cookie.

use std::time::Duration;

use erlang_dist::handshake::{
    Acceptor, AcceptorEvent, Decision, HandshakeConfig, Initiator, InitiatorEvent, LengthPrefix,
};
use erlang_dist::{Cookie, Creation, NodeName};

const NOW: Duration = Duration::ZERO;

/// Runs one input.
pub fn run(data: &[u8]) {
    let Some((choice, rest)) = data.split_first() else { return };
    let name = |text| NodeName::new(text).expect("a name");
    let cookie = Cookie::new("secret").expect("a cookie");
    let mut config = HandshakeConfig::new(name("b@127.0.0.1"), Creation(7));
    if choice & 1 != 0 {
        config.prefix = LengthPrefix::Four;
    }
    let pieces = rest.chunks(usize::from(choice >> 4) * 5 + 1);
    if choice & 2 != 0 {
        let mut machine = Initiator::new(config, name("a@127.0.0.1"), cookie, 99, NOW);
        for piece in pieces {
            if machine.handle_input(piece).is_err() {
                return;
            }
            loop {
                match machine.poll_event(NOW) {
                    Ok(Some(InitiatorEvent::Done(_))) => panic!("in without the cookie"),
                    Ok(Some(InitiatorEvent::Alive)) => {
                        let _ = machine.answer_alive(choice & 4 != 0, NOW);
                    }
                    Ok(Some(_)) => {}
                    _ => break,
                }
            }
            machine.take_output();
        }
        return;
    }
    let mut machine = Acceptor::new(config, 4711, NOW).expect("has a name");
    for piece in pieces {
        if machine.handle_input(piece).is_err() {
            return;
        }
        loop {
            match machine.poll_event(NOW) {
                Ok(Some(AcceptorEvent::Done(_))) => panic!("in without the cookie"),
                Ok(Some(AcceptorEvent::Identify(_))) => {
                    let named = || Decision::Named { name: name("x@h"), creation: Creation(9) };
                    let decision = match choice >> 2 & 3 {
                        0 => Decision::Ok,
                        1 => Decision::Alive,
                        2 => named(),
                        _ => Decision::OkSimultaneous,
                    };
                    if machine.decide(decision, cookie.clone(), NOW).is_err() {
                        return;
                    }
                }
                Ok(Some(_)) => {}
                _ => break,
            }
        }
        machine.take_output();
    }
}
