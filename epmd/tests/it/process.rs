//! Other processes: `har-epmd` itself, the original `epmd`, BEAMs. Each ends with its test.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::support::{PATIENCE, address};

/// Path of the program under test.
pub(crate) const HAR_EPMD: &str = env!("CARGO_BIN_EXE_har-epmd");

/// A port nobody listens on. Below the range that outgoing connections get theirs from: other
/// tests open thousands, and one of them could take the port before the daemon does.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Test processes that run side by side begin at different places.
    let start = std::process::id().wrapping_mul(37);
    let candidates = (0..10_000).map(|_| {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        u16::try_from(20_000 + start.wrapping_add(step) % 12_000).unwrap()
    });
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    candidates.into_iter().find(free).unwrap()
}

/// A process that is killed and reaped when the test ends.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Waits for its end, and gives the exit code.
    pub(crate) fn code(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "the process doesn't end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A daemon process on loopback, ours or the original.
pub(crate) struct DaemonProcess {
    pub(crate) port: u16,
    pub(crate) process: Process,
}

impl DaemonProcess {
    /// Ends it; what it said on standard error.
    pub(crate) fn end(&mut self) -> String {
        self.process.0.kill().unwrap();
        let mut said = String::new();
        self.process.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        said
    }
}

/// Starts `program` as a daemon with these flags and waits until it listens.
pub(crate) fn start_daemon(program: &str, flags: &[&str]) -> DaemonProcess {
    daemon(program, flags, Stdio::null())
}

/// The same; what it says on standard error is kept for [`DaemonProcess::end`]: little, please.
pub(crate) fn start_daemon_logging(program: &str, flags: &[&str]) -> DaemonProcess {
    daemon(program, flags, Stdio::piped())
}

fn daemon(program: &str, flags: &[&str], stderr: Stdio) -> DaemonProcess {
    let port = free_port();
    let child = clean(Command::new(program))
        .args(["-port", &port.to_string(), "-address", "127.0.0.1"])
        .args(flags)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr)
        .spawn()
        .unwrap();
    let process = Process(child);
    let deadline = Instant::now() + PATIENCE;
    while std::net::TcpStream::connect(address(port)).is_err() {
        assert!(Instant::now() < deadline, "{program} doesn't listen on {port}");
        std::thread::sleep(Duration::from_millis(5));
    }
    DaemonProcess { port, process }
}

/// Without the environment that would change what a daemon or a client does.
pub(crate) fn clean(mut command: Command) -> Command {
    for name in
        ["ERL_EPMD_PORT", "ERL_EPMD_ADDRESS", "ERL_EPMD_RELAXED_COMMAND_CHECK", "NOTIFY_SOCKET"]
    {
        command.env_remove(name);
    }
    command
}

/// Runs a program to its end.
pub(crate) fn output(program: &str, arguments: &[&str]) -> Output {
    clean(Command::new(program)).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// A BEAM that is told what to do line by line and says what came of it.
pub(crate) struct Beam {
    stdin: ChildStdin,
    stdout: BufReader<std::process::ChildStdout>,
    _process: Process,
}

impl Beam {
    /// Starts `erl` with these flags and the daemon on `port`.
    pub(crate) fn start(port: u16, flags: &[&str]) -> Self {
        // Reads terms from stdin, evaluates them and prints the result on a line of its own.
        let read = "F = fun F() -> case io:get_line(\"\") of eof -> halt(); L -> \
            {ok, T, _} = erl_scan:string(L), {ok, E} = erl_parse:parse_exprs(T), \
            {value, V, _} = erl_eval:exprs(E, []), io:format(\"~0p~n\", [V]), F() end end, F().";
        let mut child = clean(Command::new("erl"))
            .args(["-noshell", "-start_epmd", "false", "-setcookie", "epmd_test"])
            .args(flags)
            .env("ERL_EPMD_PORT", port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .args(["-eval", read])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { stdin, stdout, _process: Process(child) }
    }

    /// Evaluates Erlang expressions, with the final full stop, and gives the value as text.
    pub(crate) fn evaluate(&mut self, expressions: &str) -> String {
        self.evaluate_or_end(expressions).unwrap()
    }

    /// The same; `None` when the BEAM has ended.
    pub(crate) fn evaluate_or_end(&mut self, expressions: &str) -> Option<String> {
        // A BEAM that ends doesn't read it.
        let _ = writeln!(self.stdin, "{expressions}");
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.ends_with('\n').then(|| line.trim_end().to_owned())
    }
}
