//! The audit log: one JSON object a line, by a thread of its own.
//!
//! Who joined or left, who was refused and why, which calls were made or refused, which budgets were
//! used up. Never arguments, never a secret. The same goes to the log under `har::audit` at debug.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use erlang_interop::node::audit::{AuditEvent, Auditor, Party};
use serde_json::{Map, Value, json};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};

/// Lines that may wait for the disk. What does not fit is counted, and the count is written.
const LINES_QUEUED_MAX: usize = 4096;
/// Bytes of one text in a line. Peers choose some of them, such as the names in a certificate.
const TEXT_BYTES_MAX: usize = 512;
/// Names of a certificate in a line.
const CERTIFICATE_NAMES_MAX: usize = 4;

/// What the writer is told beside the lines, and tells.
#[derive(Debug, Default)]
struct Shared {
    /// Lines that no disk has taken.
    lost: AtomicU64,
    /// The file was moved away. Not a line of the queue, which may be full.
    reopen: AtomicBool,
}

/// Takes the events of a node down.
pub struct AuditLog {
    path: PathBuf,
    lines: Mutex<Option<SyncSender<String>>>,
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl AuditLog {
    /// Appends to the file at `path`, made with mode 0600 when absent.
    ///
    /// # Errors
    /// It cannot be opened, or is no regular file.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = append_to(path)?;
        let (lines, received) = sync_channel(LINES_QUEUED_MAX);
        let shared = Arc::new(Shared::default());
        let (place, told) = (path.to_owned(), Arc::clone(&shared));
        let writer = std::thread::Builder::new()
            .name("audit".into())
            .spawn(move || write(&place, file, &received, &told))?;
        Ok(Self {
            path: path.to_owned(),
            lines: Mutex::new(Some(lines)),
            shared,
            writer: Mutex::new(Some(writer)),
        })
    }

    /// Goes on in a new file of the same name: the old one was moved away.
    pub fn reopen(&self) {
        // In its place among the lines, or, when the queue is full, with the next one.
        if !self.send(String::new()) {
            self.shared.reopen.store(true, Ordering::Release);
        }
    }

    /// Writes what waits, and ends.
    pub fn close(&self) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).take();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // It panics at nothing; if it did, the panic was logged.
            let _ = writer.join();
        }
    }

    fn send(&self, line: String) -> bool {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.as_ref().is_some_and(|lines| lines.try_send(line).is_ok())
    }

    fn line(&self, fields: Value) {
        if !self.send(stamped(fields)) {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Auditor for AuditLog {
    fn record(&self, event: &AuditEvent<'_>) {
        let Some(fields) = fields(event) else { return };
        tracing::debug!(target: "har::audit", event = %fields);
        self.line(fields);
    }
}

impl std::fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AuditLog({})", self.path.display())
    }
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        self.close();
    }
}

/// For a node without an audit file: the log alone.
#[derive(Clone, Copy, Debug)]
pub struct AuditToLog;

impl Auditor for AuditToLog {
    fn record(&self, event: &AuditEvent<'_>) {
        if tracing::enabled!(target: "har::audit", tracing::Level::DEBUG)
            && let Some(fields) = fields(event)
        {
            tracing::debug!(target: "har::audit", event = %fields);
        }
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    // Asked before it is opened: opening a pipe waits for its reader.
    match path.symlink_metadata() {
        Ok(metadata) if !metadata.is_file() => return Err(io::Error::other("not a regular file")),
        Ok(metadata) if metadata.permissions().mode() & 0o022 != 0 => {
            return Err(io::Error::other("others may write to it: chmod 600"));
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// The file, and what became of the last line.
struct Writing {
    file: File,
    /// The file ends with a part of a line.
    torn: bool,
    failing: bool,
}

/// Writes lines until nobody has more. Those that the disk does not take are counted, and the count is
/// written in front of the next one that it does. An empty line means that the file was moved away.
fn write(path: &Path, file: File, lines: &Receiver<String>, shared: &Shared) {
    let mut writing = Writing { file, torn: false, failing: false };
    while let Ok(line) = lines.recv() {
        if line.is_empty() || shared.reopen.swap(false, Ordering::Acquire) {
            let opened = append_to(path).map(|file| {
                (writing.file, writing.torn) = (file, false);
            });
            if opened.is_err() {
                // The moved file is written on, and it is tried again.
                shared.reopen.store(true, Ordering::Release);
            }
            writing.told(path, opened);
        }
        if !line.is_empty() {
            writing.line(path, &line, shared);
        }
    }
    if shared.lost.load(Ordering::Relaxed) > 0 {
        writing.line(path, "", shared);
    }
}

impl Writing {
    /// A line, with what was lost before it in front.
    fn line(&mut self, path: &Path, line: &str, shared: &Shared) {
        let lost = shared.lost.swap(0, Ordering::Relaxed);
        let end = if self.torn { "\n" } else { "" };
        let told = (lost > 0).then(|| stamped(json!({"event": "lost", "lines": lost})));
        let done = self.put(&format!("{end}{}{line}", told.unwrap_or_default()));
        if done.is_err() {
            shared.lost.fetch_add(lost + u64::from(!line.is_empty()), Ordering::Relaxed);
        }
        self.told(path, done);
    }

    fn put(&mut self, text: &str) -> io::Result<()> {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    rest = &rest[written..];
                    self.torn = !rest.is_empty();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Says what went wrong once in a row: it must not fill the log as well.
    fn told(&mut self, path: &Path, done: io::Result<()>) {
        match done {
            Ok(()) => self.failing = false,
            Err(error) if !std::mem::replace(&mut self.failing, true) => {
                tracing::error!(file = %path.display(), reason = %error, "audit log not written");
            }
            Err(_) => {}
        }
    }
}

/// The line of an event, with the time first.
fn stamped(fields: Value) -> String {
    let mut time = String::new();
    // Writing into a text does not fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut time));
    let mut line = Map::new();
    line.insert("time".into(), time.into());
    if let Value::Object(fields) = fields {
        line.extend(fields);
    }
    format!("{}\n", Value::Object(line))
}

fn bounded(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES_MAX)]
}

fn fields(event: &AuditEvent<'_>) -> Option<Value> {
    Some(match event {
        AuditEvent::Joined(party) => of_party("joined", party),
        AuditEvent::Refused(party, error) => {
            let mut fields = of_party("refused", party);
            fields["reason"] = bounded(&error.to_string()).into();
            fields
        }
        AuditEvent::CutOff { address } => json!({
            "event": "cut_off", "address": bounded(address),
            "reason": "too many handshakes from there have failed",
        }),
        AuditEvent::Left { node, reason } => json!({
            "event": "left", "node": bounded(node.as_str()),
            "reason": bounded(&reason.to_string()),
        }),
        AuditEvent::Called { by, module, function, arity, allowed } => {
            let call = format!("{module}:{function}/{arity}");
            json!({
                "event": if *allowed { "called" } else { "call_refused" },
                "node": bounded(by.as_str()),
                "call": bounded(&call),
            })
        }
        AuditEvent::OverBudget { by, what, max } => json!({
            "event": "over_budget", "node": bounded(by.as_str()), "what": what, "max": max,
        }),
        // A kind that this version does not know.
        _ => return None,
    })
}

fn of_party(event: &str, party: &Party<'_>) -> Value {
    let certificates: Vec<&str> =
        party.certificates.iter().take(CERTIFICATE_NAMES_MAX).map(|name| bounded(name)).collect();
    json!({
        "event": event,
        "node": party.node.map(|node| bounded(node.as_str())),
        "address": bounded(party.address),
        "direction": party.direction.as_str(),
        "certificate": certificates,
    })
}

#[cfg(test)]
mod tests {
    use erlang_interop::term::atom;

    use super::*;

    fn called(log: &AuditLog, arity: usize) {
        let (by, module, function) = (atom!("a@h"), atom!("Elixir.HAR"), atom!("version"));
        let event = AuditEvent::Called {
            by: &by,
            module: &module,
            function: &function,
            arity,
            allowed: arity == 0,
        };
        log.record(&event);
    }

    fn lines(path: &Path) -> Vec<Value> {
        let text = std::fs::read_to_string(path).expect("written");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    #[test]
    fn events_are_lines_and_a_moved_file_is_left() {
        let dir = tempfile::tempdir().expect("a directory");
        let (path, moved) = (dir.path().join("audit.jsonl"), dir.path().join("audit.1"));
        let log = AuditLog::open(&path).expect("opened");
        called(&log, 0);
        std::fs::rename(&path, &moved).expect("moved");
        called(&log, 1);
        log.reopen();
        called(&log, 2);
        log.close();
        let (old, new) = (lines(&moved), lines(&path));
        assert_eq!(old.len(), 2);
        assert_eq!(old[0]["event"], "called");
        assert_eq!(old[0]["call"], "'Elixir.HAR':version/0");
        assert_eq!(old[1]["event"], "call_refused");
        assert!(old[0]["time"].as_str().is_some_and(|time| time.ends_with('Z')));
        assert_eq!(new.len(), 1);
        let mode = std::fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_no_disk_can_take_is_counted() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("audit.jsonl");
        let log = AuditLog {
            path: path.clone(),
            lines: Mutex::new(None),
            shared: Arc::default(),
            writer: Mutex::new(None),
        };
        called(&log, 0);
        called(&log, 0);
        let (lines_to, received) = sync_channel(10);
        *log.lines.lock().expect("not poisoned") = Some(lines_to);
        called(&log, 0);
        // A file that takes nothing, until it is opened anew.
        let good = append_to(&path).expect("made");
        let bad = File::open(&path).expect("there");
        let mut writing = Writing { file: bad, torn: false, failing: false };
        writing.line(&path, &received.recv().expect("a line"), &log.shared);
        assert_eq!(log.shared.lost.load(Ordering::Relaxed), 3);
        writing.file = good;
        writing.line(&path, "{}\n", &log.shared);
        let written = lines(&path);
        assert_eq!((&written[0]["event"], &written[0]["lines"]), (&"lost".into(), &3.into()));
        assert_eq!(written.len(), 2);
        // What was written in part is ended first.
        writing.put("{}").expect("written");
        writing.torn = true;
        writing.line(&path, "{}\n", &log.shared);
        assert_eq!(lines(&path).len(), 4);
    }

    #[test]
    fn a_file_that_others_may_write_to_or_that_is_a_link_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let (path, link) = (dir.path().join("audit.jsonl"), dir.path().join("link"));
        std::fs::write(&path, "").expect("written");
        std::os::unix::fs::symlink(&path, &link).expect("linked");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o660)).expect("chmod");
        AuditLog::open(&path).expect_err("others may write to it");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("chmod");
        AuditLog::open(&path).expect("readers are no harm");
        AuditLog::open(&link).expect_err("it may lead anywhere");
    }

    #[test]
    fn lines_are_bounded_whatever_a_peer_calls_itself() {
        let name = erlang_interop::term::Atom::new(&format!("{}@h", "é".repeat(250))).expect("ok");
        let names = vec!["x".repeat(100_000); 100];
        let reason = erlang_interop::node::ConnectError::SetupTimeout;
        let log = AuditEvent::OverBudget { by: &name, what: "calls in flight", max: 1 };
        assert!(fields(&log).expect("known").to_string().len() < 1000);
        assert!(bounded(&names[0]).len() == TEXT_BYTES_MAX);
        assert!(bounded(&reason.to_string()).len() < TEXT_BYTES_MAX);
    }

    #[test]
    fn what_is_no_file_is_refused() {
        assert!(AuditLog::open(Path::new("/dev/null")).is_err());
        assert!(AuditLog::open(Path::new("/nowhere/audit")).is_err());
    }
}
