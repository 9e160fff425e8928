//! Processes of the operating system: started here, ended here by their pid.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

/// Longest wait for a node to come up.
const START_TIME_MAX: Duration = Duration::from_secs(60);

/// Pids of what runs, for the end by a signal, when nothing is dropped.
static RUNNING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// A process that is killed when this goes away.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    /// Starts `command` with nothing on standard input and its output thrown away.
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        Self::start_piped(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()))
    }

    /// Starts `command` as it is.
    pub(crate) fn start_piped(command: &mut Command) -> io::Result<Self> {
        let child = command.spawn()?;
        running().insert(child.id());
        Ok(Self(child))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        running().remove(&self.0.id());
        // Both fail only when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn running() -> MutexGuard<'static, BTreeSet<u32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on, Ctrl-C and SIGTERM end what was started, then this program.
pub(crate) fn end_all_on_signal() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut terminate = {
        let _inside = runtime.enter();
        signal(SignalKind::terminate())?
    };
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        });
        for pid in running().iter() {
            // One that has just ended is no failure.
            let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
        }
        std::process::exit(130);
    });
    Ok(())
}

/// The private cluster of one run: an EPMD of its own, a cookie, a folder for files.
pub(crate) struct Cluster {
    pub(crate) epmd_port: u16,
    pub(crate) cookie: String,
    pub(crate) folder: PathBuf,
    /// The options file of every node, if they speak TLS.
    pub(crate) optfile: Option<PathBuf>,
    _epmd: Running,
}

impl Cluster {
    /// Starts Erlang's own EPMD on a free port.
    pub(crate) fn start() -> io::Result<Self> {
        let epmd_port = free_port()?;
        let epmd = Running::start(Command::new("epmd").args([
            "-port",
            &epmd_port.to_string(),
            "-address",
            "127.0.0.1",
        ]))?;
        let folder = std::env::temp_dir().join(format!("vs-beam-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let cookie = format!("vs_beam_{epmd_port}");
        let cluster = Self { epmd_port, cookie, folder, optfile: None, _epmd: epmd };
        cluster.until("EPMD answers", || cluster.ports().is_ok())?;
        Ok(cluster)
    }

    /// From now on its nodes speak TLS, with mutual authentication, by certificates of `har`.
    pub(crate) fn encrypt(&mut self, har: &Path) -> io::Result<()> {
        let certificates = self.folder.join("certs");
        let mut command = Command::new(har);
        command.args(["certs", "init", "127.0.0.1", "--dir"]).arg(&certificates);
        let status = command.stdout(Stdio::null()).status()?;
        if !status.success() {
            return Err(io::Error::other("har certs init failed"));
        }
        self.optfile = Some(certificates.join("127.0.0.1.conf"));
        Ok(())
    }

    /// `erl` with this cluster's settings and no shell.
    pub(crate) fn erl(&self, name: &str) -> Command {
        let mut command = Command::new("erl");
        command.env("ERL_EPMD_PORT", self.epmd_port.to_string()).env("HOME", &self.folder);
        command.args(["-name", &full(name), "-setcookie", &self.cookie]);
        command.args(["-start_epmd", "false", "-kernel", "logger_level", "none"]);
        command.arg("-pa").arg(&self.folder);
        if let Some(optfile) = &self.optfile {
            command.args(["-proto_dist", "inet_tls", "-ssl_dist_optfile"]).arg(optfile);
        }
        command
    }

    /// `har start` with this cluster's settings.
    pub(crate) fn har(&self, binary: &Path, name: &str) -> Command {
        let mut command = Command::new(binary);
        command.env_clear().env("HOME", &self.folder).env("HAR_COOKIE", &self.cookie);
        command.args(["start", "--diagnostics", "--name", &full(name)]);
        command.args(["--epmd-port", &self.epmd_port.to_string()]);
        if let Some(optfile) = &self.optfile {
            command.arg("--ssl-dist-optfile").arg(optfile);
        }
        command
    }

    /// Waits until `name` is registered and its port takes connections.
    pub(crate) fn await_reachable(&self, name: &str) -> io::Result<()> {
        let prefix = format!("name {name} at port ");
        self.until(name, || {
            let names = self.ports().unwrap_or_default();
            let port = names.lines().find_map(|line| line.strip_prefix(&prefix)?.parse().ok());
            port.is_some_and(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok())
        })
    }

    /// Waits until `name` is registered no more.
    pub(crate) fn await_gone(&self, name: &str) -> io::Result<()> {
        let prefix = format!("name {name} at port ");
        self.until(name, || !self.ports().unwrap_or_default().contains(&prefix))
    }

    /// Asks again and again, with short pauses, since the answer is part of what is measured.
    fn until(&self, what: &str, done: impl Fn() -> bool) -> io::Result<()> {
        let start = Instant::now();
        while !done() {
            if start.elapsed() > START_TIME_MAX {
                return Err(io::Error::other(format!("waited in vain for {what}")));
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    }

    /// What EPMD answers to a NAMES request, without its first four bytes.
    fn ports(&self) -> io::Result<String> {
        let mut socket =
            TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, self.epmd_port)))?;
        socket.write_all(&[0, 1, b'n'])?;
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(answer.get(4..).unwrap_or_default()).into_owned())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // What is left in the temporary folder does no harm.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The full name of a node of this machine.
pub(crate) fn full(name: &str) -> String {
    format!("{name}@127.0.0.1")
}

/// A port of the range for private EPMDs on which nothing listens.
fn free_port() -> io::Result<u16> {
    let start = 14_408 + u16::try_from(std::process::id() % 90).unwrap_or_default();
    let ports = (start..14_500).chain(14_408..start);
    let mut free = ports.filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
    free.next().ok_or_else(|| io::Error::other("no free port among 14408-14499"))
}

/// Resident and proportional memory of a process, in KiB.
pub(crate) fn memory_kib(pid: u32) -> io::Result<(f64, f64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    };
    let missing = || io::Error::other("smaps_rollup has no Rss or Pss");
    Ok((field("Rss:").ok_or_else(missing)?, field("Pss:").ok_or_else(missing)?))
}

/// Threads of a process.
pub(crate) fn threads(pid: u32) -> io::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/task"))?.count())
}

/// Seconds of processor time that all threads of these processes have taken. Threads that ended are
/// missing, so measure where none end.
pub(crate) fn cpu_seconds(pids: [u32; 2]) -> io::Result<f64> {
    let mut nanoseconds = 0;
    for pid in pids {
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            // A thread that ends while we look has no time to tell of.
            let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            let first = text.split_whitespace().next().and_then(|field| field.parse().ok());
            nanoseconds += first.unwrap_or(0_u64);
        }
    }
    Ok(Duration::from_nanos(nanoseconds).as_secs_f64())
}
