//! Programs that stay: started, watched by what they print, ended at the end of the test.

use std::io::{BufRead as _, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// Long enough for a busy machine: it is only ever waited out by a test that fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// Tries until `attempt` gives something.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, attempt: impl FnMut() -> Option<T>) -> T {
    poll(attempt).unwrap_or_else(|| panic!("in vain: {what}"))
}

/// The same; `None` when it was in vain.
pub(crate) fn poll<T>(mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = attempt() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A program that runs until the value is dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) stdout: Printed,
    pub(crate) stderr: Printed,
}

impl Running {
    /// Starts `command`.
    #[track_caller]
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("{:?} does not run: {error}; `apt-get install erlang`?", command.get_program())
        });
        let stdout = Printed::of(child.stdout.take().expect("piped"));
        let stderr = Printed::of(child.stderr.take().expect("piped"));
        Self { child, stdout, stderr }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the program has said that it is `ready`.
    #[track_caller]
    pub(crate) fn wait_for(&self, ready: &str) {
        let seen = self.stdout.seen(ready, 1);
        assert!(
            seen,
            "{ready:?} was not printed; this was:\n{}\n{}",
            self.stdout.text(),
            self.stderr.text()
        );
    }

    /// Sends a signal: `TERM`, `INT`, `KILL`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// Waits for the end.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let child = &mut self.child;
        eventually("the end of a program", || child.try_wait().expect("a child of ours"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a program has printed so far.
#[derive(Clone, Default)]
pub(crate) struct Printed(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    text: String,
    ended: bool,
}

impl Printed {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let printed = Self::default();
        let writer = printed.clone();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(stream);
            let mut line = Vec::new();
            while matches!(lines.read_until(b'\n', &mut line), Ok(count) if count > 0) {
                writer.change(|state| state.text += &String::from_utf8_lossy(&line));
                line.clear();
            }
            writer.change(|state| state.ended = true);
        });
        printed
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.0.lock().expect("not poisoned"));
        self.0.1.notify_all();
    }

    /// Everything up to now.
    pub(crate) fn text(&self) -> String {
        self.0.0.lock().expect("not poisoned").text.clone()
    }

    fn seen(&self, text: &str, times: usize) -> bool {
        let (state, changed) = &*self.0;
        let seen = |state: &State| state.text.matches(text).count() >= times;
        let guard = state.lock().expect("not poisoned");
        let waiting = |state: &mut State| !seen(state) && !state.ended;
        let (state, _) =
            changed.wait_timeout_while(guard, PATIENCE, waiting).expect("not poisoned");
        seen(&state)
    }

    /// Waits until `text` was printed `times` times.
    #[track_caller]
    pub(crate) fn wait_for_times(&self, text: &str, times: usize) {
        let seen = self.seen(text, times);
        assert!(seen, "{text:?} was not printed {times} times; this was:\n{}", self.text());
    }

    /// Waits until `text` was printed.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) {
        self.wait_for_times(text, 1);
    }
}
