//! Sends messages to a connection in memory, for valgrind to count what that takes:
//! `message_costs MESSAGE COUNT [received]`. Without `received` they are written and thrown away.

use std::time::Duration;

use bytes::Bytes;
use erlang_dist::{Connection, ConnectionConfig, Control, DistributionFlags, Event};
use erlang_term::Term;

#[path = "../tests/it/messages.rs"]
mod messages;

/// Messages of one write.
const BATCH: usize = 100;
/// Bytes of the message called `bulk`, of which one is written at a time.
const BULK_BYTES: usize = 1 << 20;

fn end() -> Connection {
    let config = ConnectionConfig::default();
    Connection::with_flags(config, DistributionFlags::DEFAULT, Duration::ZERO)
}

fn message(name: &str) -> Option<(usize, Control, Option<Term>)> {
    if name == "bulk" {
        let [from, to] = messages::processes();
        let payload = Term::binary(vec![7; BULK_BYTES]);
        return Some((1, Control::SendSender { from, to, token: None }, Some(payload)));
    }
    let mut all = messages::messages().into_iter();
    all.find(|message| message.0 == name).map(|(_, control, payload)| (BATCH, control, payload))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (name, count, receives) = match &arguments[..] {
        [name, count] => (name, count, false),
        [name, count, receives] if receives == "received" => (name, count, true),
        _ => return Err("usage: message_costs MESSAGE COUNT [received]".into()),
    };
    let (batch, control, payload) = message(name).ok_or("no such message")?;
    let (mut sender, mut receiver) = (end(), end());
    let mut chunks: Vec<Bytes> = Vec::new();
    let (mut sent, mut received) = (0, 0);
    for _ in 0..count.parse::<usize>()?.div_ceil(batch) {
        for _ in 0..batch {
            sender.send(control.clone(), payload.clone())?;
            sent += 1;
        }
        while sender.poll_output(&mut chunks) > 0 {}
        for chunk in chunks.drain(..).filter(|_| receives) {
            receiver.handle_input(Duration::ZERO, chunk);
            while let Some(Event::Message { .. }) = receiver.poll_event()? {
                received += 1;
            }
        }
    }
    if received == if receives { sent } else { 0 } {
        Ok(())
    } else {
        Err(format!("{sent} were sent and {received} received").into())
    }
}
