//! `har start`

use std::io::IsTerminal as _;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::{NameDomain, Settings};
use crate::node::HarNode;

use super::{Exit, Failure, NodeFlags, client, print, runtime, welcome};

/// How long what runs on threads of its own may go on when the node has left.
const LAST_THREADS_WAIT: Duration = Duration::from_secs(1);

/// What `har start` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    flags: NodeFlags,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let settings = arguments.flags.settings()?;
    crate::telemetry::logging::start(settings.log_format.value, &settings.log_level.value);
    client::warn_of_cookie(&settings);
    if !settings.core_dumps.value {
        keep_memory_private();
    }
    let runtime = runtime::of_a_node()?;
    let outcome = runtime.block_on(async {
        // Before anything can be interrupted halfway.
        let mut signals = Signals::new()?;
        let node = HarNode::start(&settings).await?;
        warn_of_reach(&settings);
        print(&welcome::text(&settings, &node))?;
        let outcome = tokio::select! {
            () = signals.of_the_end(&node) => Ok(()),
            () = node.told_to_leave() => Ok(()),
            () = node.node().stopped() => {
                let message = "the node has shut itself down: the log says why; start it again";
                Err(Failure::new(Exit::Software, message))
            }
        };
        tracing::info!("leaving");
        let drain = Duration::from_secs(settings.drain_s.value.into());
        tokio::select! {
            unfinished = node.leave(drain) => outcome.and_then(|()| finished(unfinished, drain)),
            () = signals.next() => {
                let message = "told twice to end: left without waiting for work or connections";
                Err(Failure::new(Exit::Negative, message))
            }
        }
    });
    // What still reads or computes on a thread of its own is not waited for any longer.
    runtime.shutdown_timeout(LAST_THREADS_WAIT);
    outcome
}

/// Whether each peer has got its answers.
fn finished(unfinished: usize, drain: Duration) -> Result<(), Failure> {
    if unfinished == 0 {
        return Ok(());
    }
    let message = format!(
        "left with {unfinished} processes of peers unfinished after {} s; shutdown.drain_s gives them \
         longer",
        drain.as_secs(),
    );
    Err(Failure::new(Exit::Negative, message))
}

/// No core file with cookie and keys in it; and no other process of this user, unless it is root's,
/// reads memory or environment of this one.
fn keep_memory_private() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "a core file of this node would hold its cookie");
    }
}

/// Ctrl-C, SIGTERM and the end of the terminal.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` under `nohup`: who asked for it to be ignored means the node to outlive the terminal.
    hangup: Option<Signal>,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|error| {
                let message =
                    format!("cannot listen for signals: {error}; check the limits of this user");
                Failure::new(Exit::OsErr, message)
            })
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: if hangup_ignored() { None } else { Some(listen(SignalKind::hangup())?) },
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            () = hung_up(&mut self.hangup) => {}
        }
    }

    /// The next signal that ends the node. Without a terminal, a node with an audit log takes SIGHUP
    /// for the word that the log was moved away, as from logrotate.
    async fn of_the_end(&mut self, node: &HarNode) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                () = hung_up(&mut self.hangup) => {
                    if std::io::stdin().is_terminal() || !node.reopen_audit() {
                        return;
                    }
                    tracing::info!("audit log reopened");
                }
            }
        }
    }
}

async fn hung_up(hangup: &mut Option<Signal>) {
    match hangup {
        // The stream of a signal never ends.
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether SIGHUP was ignored when this process began, which listening for it would undo.
fn hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 != 0)
}

/// A name that others can resolve does not help when the node listens on loopback only.
fn warn_of_reach(settings: &Settings) {
    let host = settings.name.value.split('@').next_back().unwrap_or_default();
    let local_name = host == "localhost"
        || host.starts_with("127.")
        || settings.names.value == NameDomain::Short;
    if settings.interface.value.is_loopback() && !local_name {
        tracing::warn!(interface = %settings.interface.value, "listens on loopback only: other hosts need --interface");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_kept_out_of_core_files() {
        use rustix::process::{DumpableBehavior, dumpable_behavior};
        keep_memory_private();
        assert_eq!(dumpable_behavior().expect("known"), DumpableBehavior::NotDumpable);
    }
}
