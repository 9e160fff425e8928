//! What the demo starts: a directory, ports and processes of its own, all gone with these values.

use std::fs::{self, DirBuilder};
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal};

use super::super::{Exit, Failure};

/// The last line of what a node prints when it is up.
const UP: &str = "Ctrl-C stops it.";

/// A directory that only its owner can read, and an EPMD's port that was free a moment ago.
pub(super) struct Machine {
    directory: PathBuf,
    pub(super) epmd_port: u16,
}

/// A node that is killed when this goes away.
pub(super) struct NodeProcess(Child);

impl Machine {
    pub(super) fn new() -> Result<Self, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|it| it.local_addr());
        let address = listener.map_err(|error| {
            Failure::new(Exit::Unavailable, format!("no port is free on 127.0.0.1: {error}"))
        })?;
        let random = getrandom::u64().unwrap_or_default();
        let directory = std::env::temp_dir().join(format!("har-demo-{random:016x}"));
        DirBuilder::new().mode(0o700).create(&directory).map_err(|error| {
            let message = format!("cannot make {}: {error}; set TMPDIR", directory.display());
            Failure::new(Exit::CantCreat, message)
        })?;
        Ok(Self { directory, epmd_port: address.port() })
    }

    /// Made by whoever needs it first, with random content.
    pub(super) fn cookie_file(&self) -> PathBuf {
        self.directory.join("cookie")
    }

    /// Starts a node, joined to others, and waits until it is up. It sees nothing of the user's
    /// settings.
    pub(super) fn start(&self, name: &str, join: &[&str]) -> Result<NodeProcess, Failure> {
        let program = std::env::current_exe().map_err(|error| failed(name, &error))?;
        let mut command = Command::new(program);
        command.env_clear().env("HOME", &self.directory).current_dir(&self.directory);
        // A Ctrl-C of the terminal is for us, and we end the nodes.
        command.process_group(0);
        command.args(["start", "--log-level", "error", "--name", name]);
        command.args(["--epmd-port", &self.epmd_port.to_string(), "--cookie-file"]);
        command.arg(self.cookie_file());
        if !join.is_empty() {
            command.arg("--connect").args(join);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| failed(name, &error))?;
        let printed = child.stdout.take();
        let node = NodeProcess(child);
        let mut lines = BufReader::new(printed.ok_or_else(|| not_up(name))?);
        let mut line = String::new();
        while line.trim_end() != UP {
            line.clear();
            if !matches!(lines.read_line(&mut line), Ok(1..)) {
                return Err(not_up(name));
            }
        }
        Ok(node)
    }
}

fn failed(name: &str, error: &std::io::Error) -> Failure {
    Failure::new(Exit::OsErr, format!("cannot start {name}: {error}"))
}

fn not_up(name: &str) -> Failure {
    Failure::new(Exit::Unavailable, format!("{name} did not come up; it says above why"))
}

impl Drop for Machine {
    fn drop(&mut self) {
        // What is left of it harms nobody.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl NodeProcess {
    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }

    /// SIGSTOP.
    pub(super) fn hold(&self) {
        // Fails only when it has ended already.
        let _ = rustix::process::kill_process(Pid::from_child(&self.0), Signal::STOP);
    }

    /// SIGKILL.
    pub(super) fn kill(&mut self) {
        // Fails only when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        self.kill();
    }
}
