//! `echo` and `sink`: two processes for interoperability tests and benchmarks, off by default.
//!
//! - `echo`: on `{From, Term}` with a pid it sends `{EchoPid, Term}` back, in order.
//! - `sink`: swallows anything. On `{From, sync}` it sends `{sink, Count, Bytes}`: how many other
//!   messages came since the last sync, and the size in bytes of those that were binaries.

use erlang_node::{Context, Node, SpawnError, SpawnOptions};
use erlang_term::{Pid, Term, atom, term};

/// Starts both.
///
/// # Errors
/// When a name is taken, there are too many processes, or the node stops.
pub fn start(node: &Node) -> Result<(), SpawnError> {
    node.spawn(SpawnOptions::new().name(atom!("echo")), echo)?;
    node.spawn(SpawnOptions::new().name(atom!("sink")), sink)?;
    Ok(())
}

async fn echo(mut context: Context) {
    let own = context.pid().clone();
    loop {
        let message = context.receive().await;
        if let Some([Term::Pid(from), what]) = message.as_tuple() {
            context.send(from, (own.clone(), what)).await;
        }
    }
}

async fn sink(mut context: Context) {
    let mut tally = Tally::default();
    loop {
        let message = context.receive().await;
        if let Some(from) = tally.take(message.term()) {
            let report = tally.report();
            context.send(&from, report).await;
        }
    }
}

/// What `sink` counts between two syncs.
#[derive(Debug, Default)]
struct Tally {
    messages: i64,
    bytes: i64,
}

impl Tally {
    /// Counts a message. Gives who asked, if it was a sync.
    fn take(&mut self, message: &Term) -> Option<Pid> {
        if let Some([Term::Pid(from), sync]) = message.as_tuple()
            && sync.is_atom("sync")
        {
            return Some(from.clone());
        }
        self.messages += 1;
        if let Some(bytes) = message.as_binary() {
            self.bytes += i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        }
        None
    }

    /// `{sink, Count, Bytes}`; counting starts again.
    fn report(&mut self) -> Term {
        let Self { messages, bytes } = std::mem::take(self);
        term!({sink, (messages), (bytes)})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sink_counts_messages_and_bytes_of_binaries() {
        let mut tally = Tally::default();
        let pid = Pid::new(atom!("a@h"), 1, 0, 3);
        assert_eq!(tally.take(&Term::from("12345")), None);
        assert_eq!(tally.take(&term!([1, 2])), None);
        assert_eq!(tally.take(&term!({1, sync})), None);
        assert_eq!(tally.take(&term!({(&pid), sync})), Some(pid));
        assert_eq!(tally.report().to_string(), "{sink,3,5}");
        assert_eq!(tally.report().to_string(), "{sink,0,0}");
    }
}
