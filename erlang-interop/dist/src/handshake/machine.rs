//! How both sides go on: from message to message, until an event, an error or the deadline.

use crate::Now;
use crate::error::HandshakeError;

use super::transport::Transport;

/// What a side's state asks for next.
pub(super) enum Need<'a> {
    /// A message of the peer, named for the error of the deadline.
    Message(&'static str),
    /// A decision of the node, named likewise.
    Decision(&'static str),
    /// Nothing: the handshake is over.
    Nothing,
    /// Nothing: it has failed.
    Failed(&'a HandshakeError),
}

/// One side of a handshake.
pub(super) trait Machine {
    /// What the side tells its driver.
    type Event;

    fn transport(&mut self) -> &mut Transport;

    fn need(&self) -> Need<'_>;

    /// Takes one message that was needed.
    fn step(&mut self, message: &[u8]) -> Result<Option<Self::Event>, HandshakeError>;

    /// Ends the handshake.
    fn fail(&mut self, error: HandshakeError);
}

/// Goes on as far as the input allows.
pub(super) fn poll_event<M: Machine>(
    machine: &mut M,
    now: Now,
) -> Result<Option<M::Event>, HandshakeError> {
    loop {
        match machine.need() {
            Need::Failed(error) => return Err(error.clone()),
            Need::Decision(_) | Need::Nothing => return Ok(None),
            Need::Message(_) => {}
        }
        let step = match machine.transport().next(now) {
            Ok(None) => return Ok(None),
            Ok(Some(message)) => machine.step(&message),
            Err(error) => Err(error),
        };
        match step {
            Ok(None) => {}
            Ok(event) => return Ok(event),
            Err(error) => {
                machine.fail(error.clone());
                return Err(error);
            }
        }
    }
}

/// When the deadline of the step is; `None` once the handshake is over.
pub(super) fn poll_timeout(need: Need<'_>, transport: &Transport) -> Option<Now> {
    match need {
        Need::Message(_) | Need::Decision(_) => Some(transport.deadline()),
        Need::Nothing | Need::Failed(_) => None,
    }
}

/// Ends the handshake if the deadline of the step has passed.
pub(super) fn handle_timeout(machine: &mut impl Machine, now: Now) -> Result<(), HandshakeError> {
    let (Need::Message(awaited) | Need::Decision(awaited)) = machine.need() else {
        return Ok(());
    };
    if now < machine.transport().deadline() {
        return Ok(());
    }
    let error = HandshakeError::Timeout { awaited };
    machine.fail(error.clone());
    Err(error)
}
