//! The task of one connection: socket on one side, queue and processes on the other, the protocol
//! machine in between.
//!
//! It always reads, whatever waits to be written, so two nodes that flood each other don't block
//! each other. What is queued is encoded in batches and leaves in one vectored write a wake-up.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use erlang_dist::{Connection, ConnectionError, Event, Now};
use erlang_term::Atom;
use tokio::io::{AsyncReadExt, AsyncWrite as _, AsyncWriteExt};
use tokio::time::Sleep;

use super::dispatch::{dispatch, dispatch_oversized};
use super::intake::{Share, Stock};
use super::pace::Pace;
use super::peer::{Backlog, Outgoing, Peer};
use crate::audit::AuditEvent;
use crate::error::DownReason;
use crate::limits::{CLOSE_FLUSH, WRITE_BATCH_BYTES, WRITE_SLICES_MAX};
use crate::node::Node;
use crate::transport::{Reader, Writer};

/// Pauses in reading that fit into the time after which a silent peer is down.
const PAUSES_A_TICK: u32 = 8;

/// What the task of a connection owns.
pub(super) struct Driver {
    pub(super) node: Node,
    pub(super) peer: Arc<Peer>,
    pub(super) machine: Connection,
    pub(super) share: Share,
    pub(super) reader: Reader,
    pub(super) writer: Writer,
    bytes: Pace,
    new_atoms: Pace,
    /// Whether the writer was served last.
    wrote: bool,
    progress: Progress,
}

/// How far the peer has read, and since when it has read no more of what waits for it.
struct Progress {
    bytes_out: u64,
    since: Now,
}

/// Encoded bytes on their way into the socket.
#[derive(Default)]
struct Output {
    chunks: VecDeque<Bytes>,
    bytes: usize,
}

/// One timer for the whole life: it is set anew only when a tick has passed.
struct Timer {
    sleep: Pin<Box<Sleep>>,
    at: Option<Now>,
}

enum Woken {
    Read(io::Result<usize>),
    Wrote(io::Result<usize>),
    Ready,
    Timer,
    /// Others need what this connection keeps.
    Crowded,
}

impl Driver {
    pub(super) fn new(
        node: Node,
        peer: Arc<Peer>,
        (machine, share): (Connection, Share),
        reader: Reader,
        writer: Writer,
    ) -> Self {
        let now = node.now();
        let bytes = Pace::new(node.config().peer_bytes_per_second, now);
        let new_atoms = Pace::new(node.config().peer_new_atoms_per_second, now);
        let progress = Progress { bytes_out: 0, since: now };
        Self {
            node,
            peer,
            machine,
            share,
            reader,
            writer,
            bytes,
            new_atoms,
            wrote: false,
            progress,
        }
    }

    /// Serves the connection until it ends, and says why.
    pub(super) async fn run(mut self) -> DownReason {
        let mut taken = Backlog::default();
        let mut output = Output::default();
        let mut timer = Timer::new();
        loop {
            if let Err(error) = self.handle_events() {
                return down_reason(error);
            }
            if let Err(error) = self.take_stock() {
                return down_reason(error);
            }
            let ordered = self.peer.take(&mut taken);
            self.encode(&mut taken, &mut output);
            self.peer.set_encoded(self.machine.queued_bytes() + output.bytes, &taken);
            if let Some(reason) = ordered {
                self.leave(taken, output).await;
                return reason;
            }
            let more = !taken.is_empty();
            match self.wait(&output, &mut timer, more).await {
                Woken::Read(Ok(0)) => return DownReason::ConnectionClosed,
                Woken::Read(Ok(bytes)) => {
                    self.peer.counters().received(bytes);
                    let now = self.node.now();
                    self.machine.input_filled(now);
                    if self.bytes.spend(bytes as u64, now) {
                        self.tell_paced("bytes a second", self.bytes.per_second());
                    }
                }
                Woken::Wrote(Ok(bytes)) => {
                    self.peer.counters().written(bytes);
                    output.advance(bytes);
                }
                Woken::Read(Err(error)) | Woken::Wrote(Err(error)) => return io_reason(error),
                Woken::Ready => {}
                Woken::Crowded => self.release_spare(),
                Woken::Timer => {
                    let now = self.node.now();
                    // It may also be the end of a pause.
                    if self.machine.poll_timeout().is_some_and(|at| at <= now)
                        && let Err(reason) = self.handle_tick(&output, now)
                    {
                        return reason;
                    }
                }
            }
        }
    }

    /// A part of the tick time has passed.
    fn handle_tick(&mut self, output: &Output, now: Now) -> Result<(), DownReason> {
        self.machine.handle_timeout(now).map_err(down_reason)?;
        let bytes_out = self.peer.counters().snapshot(0).bytes_out;
        let waits = !output.is_empty() || self.writer.is_unflushed();
        if !waits || bytes_out != self.progress.bytes_out {
            self.progress = Progress { bytes_out, since: now };
        } else if now.saturating_sub(self.progress.since) >= self.node.config().net_tick_time {
            // Its ticks say that it lives, but those who wait to send would wait for ever.
            return Err(DownReason::SlowPeer { queued: self.peer.queued_bytes() });
        }
        Ok(())
    }

    /// Counts what the machine holds with what all others hold.
    fn take_stock(&mut self) -> Result<(), ConnectionError> {
        let held = self.machine.held_bytes();
        match self.share.set(held, self.machine.spare_bytes()) {
            Stock::Fits => Ok(()),
            Stock::Crowded => {
                self.release_spare();
                Ok(())
            }
            Stock::Exceeded => Err(self.share.exceeded()),
        }
    }

    /// Lets go what is kept for later messages.
    fn release_spare(&mut self) {
        self.machine.release_spare();
        self.share.set(self.machine.held_bytes(), 0);
    }

    fn handle_events(&mut self) -> Result<(), ConnectionError> {
        let before = Atom::made_by_thread();
        let handled = self.dispatch_events();
        let made = Atom::made_by_thread() - before;
        if made > 0 && self.new_atoms.spend(made, self.node.now()) {
            self.tell_paced("new atoms a second", self.new_atoms.per_second());
        }
        handled
    }

    /// Says, once in a row, that the peer is read more slowly than it sends.
    fn tell_paced(&self, what: &'static str, max: u64) {
        let by = self.peer.node();
        tracing::warn!(peer = %by, what, max, "a peer is over its budget and read more slowly");
        self.node.audit(&AuditEvent::OverBudget { by, what, max });
    }

    /// When reading may go on. Never so late that the peer would seem silent.
    fn paused_until(&mut self) -> Option<Now> {
        let now = self.node.now();
        let until = self.bytes.resume_at(now).max(self.new_atoms.resume_at(now))?;
        Some(until.min(now + self.node.config().net_tick_time / PAUSES_A_TICK))
    }

    fn dispatch_events(&mut self) -> Result<(), ConnectionError> {
        while let Some(event) = self.machine.poll_event()? {
            self.peer.counters().message_in();
            match event {
                Event::Message { control, payload } => {
                    dispatch(&self.node, &self.peer, control, payload);
                }
                Event::Oversized { control, error } => {
                    dispatch_oversized(&self.node, &self.peer, control, error);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Encodes a batch at most, so that the socket gets its turn.
    fn encode(&mut self, taken: &mut Backlog, output: &mut Output) {
        let before = self.machine.queued_bytes();
        let mut sent = 0;
        while self.machine.queued_bytes() < before + WRITE_BATCH_BYTES {
            let Some(outgoing) = taken.pop() else { break };
            let Outgoing { sender, control, payload, .. } = outgoing;
            let result = match &sender {
                Some(sender) => self.machine.send_from(sender, control, payload),
                None => self.machine.send(control, payload),
            };
            match result {
                Ok(()) => sent += 1,
                Err(error) => {
                    tracing::warn!(peer = %self.peer.node(), reason = %error, "message not sent");
                }
            }
        }
        self.peer.counters().messages_out(sent);
        output.fill(&mut self.machine);
    }

    async fn wait(&mut self, output: &Output, timer: &mut Timer, more: bool) -> Woken {
        let paused = self.paused_until();
        let ticks = self.machine.poll_timeout();
        let timeout = [ticks, paused].into_iter().flatten().min();
        timer.set(timeout, &self.node);
        let reading = paused.is_none();
        // Of a long message no more is read than goes where its parts are joined.
        let wanted = self.machine.input_wanted().min(self.bytes.read_bytes_max());
        let mut space = self.machine.input_space().limit(wanted);
        let pending = !output.is_empty() || self.writer.is_unflushed();
        let read = std::pin::pin!(self.reader.read_buf(&mut space));
        let write = std::pin::pin!(output.push(&mut self.writer));
        let socket = either((read, reading), (write, pending), !self.wrote);
        let woken = tokio::select! {
            biased;
            () = timer.sleep.as_mut(), if timeout.is_some() => Woken::Timer,
            woken = socket => woken,
            () = self.peer.wait_ready(), if !more => Woken::Ready,
            () = self.share.needed() => Woken::Crowded,
            () = std::future::ready(()), if more && output.is_empty() => Woken::Ready,
        };
        self.wrote = matches!(woken, Woken::Wrote(_));
        woken
    }

    /// Writes what is queued, if the peer takes it soon, and says good-bye.
    async fn leave(mut self, mut taken: Backlog, mut output: Output) {
        let flush = async {
            loop {
                self.encode(&mut taken, &mut output);
                if output.is_empty() {
                    break;
                }
                match output.write(&mut self.writer).await {
                    Ok(bytes) => output.advance(bytes),
                    Err(_) => break,
                }
            }
            // Over TLS it writes, so it may wait for the peer as well.
            let _ = self.writer.shutdown().await;
        };
        // Whether it got through changes nothing: the connection ends here.
        let _ = tokio::time::timeout(CLOSE_FLUSH, flush).await;
    }
}

/// A side of the socket, and whether it is wanted.
type Half<'a, F> = (Pin<&'a mut F>, bool);

/// Whichever is ready of reading and writing. The one that was not served last is asked first, so
/// that neither starves; without chance, so that a simulation can be replayed.
async fn either<R, W>(read: Half<'_, R>, write: Half<'_, W>, write_first: bool) -> Woken
where
    R: Future<Output = io::Result<usize>>,
    W: Future<Output = io::Result<usize>>,
{
    let ((mut read, reading), (mut write, writing)) = (read, write);
    poll_fn(move |task| {
        for writes in [write_first, !write_first] {
            if writes && writing {
                if let Poll::Ready(result) = write.as_mut().poll(task) {
                    return Poll::Ready(Woken::Wrote(result));
                }
            } else if !writes
                && reading
                && let Poll::Ready(result) = read.as_mut().poll(task)
            {
                return Poll::Ready(Woken::Read(result));
            }
        }
        Poll::Pending
    })
    .await
}

impl Timer {
    fn new() -> Self {
        Self { sleep: Box::pin(tokio::time::sleep(Duration::ZERO)), at: None }
    }

    fn set(&mut self, at: Option<Now>, node: &Node) {
        if self.at != at {
            self.at = at;
            if let Some(at) = at {
                self.sleep.as_mut().reset(node.instant(at));
            }
        }
    }
}

impl Output {
    fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    fn fill(&mut self, machine: &mut Connection) {
        let mut fresh = Vec::new();
        while self.bytes < WRITE_BATCH_BYTES {
            let bytes = machine.poll_output(&mut fresh);
            if bytes == 0 {
                break;
            }
            self.bytes += bytes;
        }
        self.chunks.extend(fresh.into_iter().filter(|chunk| !chunk.is_empty()));
    }

    /// Writes some, or when nothing is left to write pushes on what was written. Gives the bytes
    /// written.
    async fn push(&self, writer: &mut Writer) -> io::Result<usize> {
        if self.is_empty() {
            return writer.flush().await.map(|()| 0);
        }
        self.write(writer).await
    }

    async fn write(&self, writer: &mut Writer) -> io::Result<usize> {
        let written = poll_fn(|task| {
            let mut slices = [IoSlice::new(&[]); WRITE_SLICES_MAX];
            let mut count = 0;
            for (slice, chunk) in slices.iter_mut().zip(&self.chunks) {
                *slice = IoSlice::new(chunk);
                count += 1;
            }
            Pin::new(&mut *writer).poll_write_vectored(task, &slices[..count])
        });
        match written.await? {
            0 => Err(io::ErrorKind::WriteZero.into()),
            bytes => Ok(bytes),
        }
    }

    fn advance(&mut self, mut written: usize) {
        self.bytes -= written;
        while let Some(first) = self.chunks.front_mut() {
            if written < first.len() {
                first.advance(written);
                return;
            }
            written -= first.len();
            self.chunks.pop_front();
        }
    }
}

/// Serves a connection until its end, which a panic is too: else its slot would be taken for ever.
pub(super) async fn to_the_end(run: impl Future<Output = DownReason>) -> DownReason {
    let mut run = Box::pin(run);
    poll_fn(move |task| {
        match catch_unwind(AssertUnwindSafe(|| run.as_mut().poll(task))) {
            Ok(polled) => polled,
            // What it was about to say has been said by the panic hook. It is not polled again.
            Err(_) => Poll::Ready(DownReason::Crashed),
        }
    })
    .await
}

fn down_reason(error: ConnectionError) -> DownReason {
    match error {
        ConnectionError::TickTimeout { .. } => DownReason::NetTickTimeout,
        other => DownReason::Protocol(other),
    }
}

fn io_reason(error: io::Error) -> DownReason {
    match error.kind() {
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::UnexpectedEof => DownReason::ConnectionClosed,
        _ => DownReason::Io(Arc::new(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_of_the_task_is_an_end_like_others() {
        let crash = async {
            tokio::task::yield_now().await;
            panic!("a fault of ours");
        };
        assert!(matches!(to_the_end(crash).await, DownReason::Crashed));
        let end = to_the_end(async { DownReason::Disconnected }).await;
        assert!(matches!(end, DownReason::Disconnected));
    }
}
