//! `-daemon`: serve in the background, without `fork`.
//!
//! Forking a process is unsafe in Rust. So the program is started a second time, with the same
//! arguments and a mark in its environment, no standard input and error, and `/` as its folder. The
//! second process makes itself the leader of a new session (it has no terminal then, and a
//! hang-up doesn't reach it) and says on its standard output when it listens; after that nothing
//! is written there. The first process waits for this, so that whoever starts a node next finds
//! the daemon ready, which the original doesn't promise.

use std::env;
use std::io::{self, Read as _, Write as _};
use std::process::{Command, ExitCode, Stdio};

use super::{FAILURE, fail};

/// The mark of the second process.
const MARK: &str = "HAR_EPMD_DETACHED";

const READY: &[u8] = b"ready\n";

pub(super) fn is_detached() -> bool {
    env::var_os(MARK).is_some()
}

/// Starts the second process and waits until it listens or has ended.
pub(super) fn start_again() -> ExitCode {
    match start() {
        Ok(code) => ExitCode::from(code),
        Err(error) => fail(&format!("cannot start the daemon: {error}")),
    }
}

fn start() -> io::Result<u8> {
    let mut child = Command::new(env::current_exe()?)
        .args(env::args_os().skip(1))
        .env(MARK, "1")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut said = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        // It is bounded, and ends when the child ends.
        let expected = READY.len() as u64;
        stdout.take(expected).read_to_end(&mut said)?;
    }
    if said == READY {
        return Ok(0);
    }
    // 0 when the port is taken, as the original has it.
    let code = child.wait()?.code();
    Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(FAILURE))
}

/// In the second process: leave the session of whoever started it.
pub(super) fn leave_session() {
    // Fails only for the leader of a process group, which a child of the first process is not
    // unless a shell put it there; then it is on its own already.
    let _ = rustix::process::setsid();
}

/// In the second process: tell the first one that the daemon listens.
pub(super) fn say_ready() {
    // The first process may be gone; the daemon serves all the same.
    let _ = io::stdout().write_all(READY).and_then(|()| io::stdout().flush());
}
