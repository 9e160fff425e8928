//! `har start`

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::{CookieSource, NameDomain, ProtoDist, Settings};
use crate::node::HarNode;

use super::{Exit, Failure, NodeFlags, client, print, runtime};

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
        print(&welcome(&settings, &node))?;
        let outcome = tokio::select! {
            () = signals.of_the_end(&node) => Ok(()),
            () = node.node().stopped() => {
                let message = "the node has shut itself down: the log says why; start it again";
                Err(Failure::new(Exit::Software, message))
            }
        };
        tracing::info!("leaving");
        tokio::select! {
            () = node.leave() => outcome,
            () = signals.next() => {
                let message = "told twice to end: left without waiting for connections to close";
                Err(Failure::new(Exit::Negative, message))
            }
        }
    });
    // What still reads or computes on a thread of its own is not waited for any longer.
    runtime.shutdown_timeout(LAST_THREADS_WAIT);
    outcome
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

fn welcome(settings: &Settings, node: &HarNode) -> String {
    let name = node.node().name().as_str();
    let mut text = String::new();
    let tls = settings.proto_dist.value == ProtoDist::InetTls;
    let optfile = settings.tls_optfile.value.display();
    let (tls_iex, tls_har) = match tls {
        true => (
            format!(" --erl \"-proto_dist inet_tls -ssl_dist_optfile {optfile}\""),
            format!(" --ssl-dist-optfile {optfile}"),
        ),
        false => Default::default(),
    };
    let _ = writeln!(text, "{name} is up");
    if let Some(address) = node.listen_address() {
        let _ = writeln!(text, "  distribution  {address}{}", if tls { " (TLS)" } else { "" });
    }
    let port = settings.epmd_port.value;
    let whose = if node.epmd_embedded() { "embedded" } else { "joined" };
    let _ = writeln!(text, "  epmd          port {port} ({whose})");
    let (cookie, for_iex, for_har) = cookie(settings);
    let _ = writeln!(text, "  cookie        {cookie}\n");
    let environment = if port == 4369 { String::new() } else { format!("ERL_EPMD_PORT={port} ") };
    let form = match settings.names.value {
        NameDomain::Long => "--name me@127.0.0.1",
        NameDomain::Short => "--sname me",
    };
    let _ = writeln!(text, "From iex:");
    let _ = writeln!(text, "  {environment}iex {form}{for_iex}{tls_iex}");
    let _ = writeln!(text, "  Node.connect(:\"{name}\")");
    let _ = writeln!(text, "  :rpc.call(:\"{name}\", HAR, :version, [])\n");
    let har = std::env::args().next().unwrap_or_else(|| "har".into());
    let _ = writeln!(text, "From another terminal:");
    let _ = writeln!(text, "  {environment}{har} ping {name}{for_har}{tls_har}");
    let _ = writeln!(
        text,
        "  {environment}{har} rpc {name}{for_har}{tls_har} --elixir HAR version '[]'\n"
    );
    text + "Ctrl-C stops it.\n"
}

/// Where the cookie is, and what `iex` and `har` need to be told to use it.
fn cookie(settings: &Settings) -> (String, String, String) {
    let home = std::env::var_os("HOME").map(std::path::PathBuf::from);
    let Some(setting) = &settings.cookie else { return Default::default() };
    match &setting.value {
        CookieSource::File(path)
            if home.is_some_and(|home| home.join(".erlang.cookie") == *path) =>
        {
            (path.display().to_string(), String::new(), String::new())
        }
        CookieSource::File(path) => {
            let path = path.display().to_string();
            let quoted = quoted(&path);
            let (for_iex, for_har) =
                (format!(" --cookie \"$(cat {quoted})\""), format!(" --cookie-file {quoted}"));
            (path, for_iex, for_har)
        }
        CookieSource::Given(_) => {
            let origin = format!("from {}", setting.origin);
            (origin, " --cookie COOKIE".into(), " --cookie COOKIE".into())
        }
    }
}

/// A path as a shell takes it.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:".contains(c);
    if path.chars().all(plain) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', "'\\''"))
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

    #[test]
    fn paths_are_quoted_where_a_shell_needs_it() {
        assert_eq!(quoted("/etc/har/cookie"), "/etc/har/cookie");
        assert_eq!(quoted("/my file's"), "'/my file'\\''s'");
    }
}
