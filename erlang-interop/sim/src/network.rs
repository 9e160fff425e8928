//! The network between the nodes: it delays, holds back, cuts and loses what a seed says.
//!
//! A connection is two pipes with a pump in each direction. How long bytes take follows from the
//! seed, the connection and the time, not from a sequence of random numbers: so it doesn't matter
//! in how many pieces a node writes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use erlang_node::transport::memory::Wire;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::random::mix;

/// Bytes a pipe holds, as a socket's buffer does.
const PIPE_BYTES: usize = 256 * 1024;
/// Bytes that travel together.
const CHUNK_BYTES: usize = 64 * 1024;
/// Usual delays are below this.
const DELAY_MS: u64 = 15;
/// The delays of a slow time.
const SLOW_DELAY_MS: u64 = 1500;
/// How long a direction of a connection stays slow or quick.
const MOOD_MS: u64 = 400;

/// One life of a node: its index, and how many lives it had before.
pub(crate) type Life = (usize, u32);

/// How a life ended, as others see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The process is gone; its system closes the sockets.
    Killed,
    /// The machine is gone; nothing is heard of it any more.
    Vanished,
}

#[derive(Default)]
struct State {
    /// Pairs of nodes between which nothing passes, the lower index first.
    apart: BTreeSet<(usize, usize)>,
    current: Vec<Life>,
    ended: BTreeMap<Life, End>,
    connections: u64,
    slow_percent: u64,
}

struct Inner {
    seed: u64,
    started: Instant,
    names: Vec<String>,
    state: Mutex<State>,
    changed: Notify,
}

/// The network. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Network(Arc<Inner>);

/// Where a life of a node is plugged in.
pub(crate) struct Plug {
    network: Network,
    life: Life,
}

/// What one direction of a connection does now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Passage {
    Open,
    Held,
    /// Nothing more comes from the sender; its end is seen.
    Closed,
    /// Nothing more comes, and nobody is told.
    Silent,
}

impl Network {
    pub(crate) fn new(seed: u64, names: Vec<String>) -> Self {
        let current = (0..names.len()).map(|node| (node, 0)).collect();
        let state = Mutex::new(State { current, slow_percent: 5, ..State::default() });
        let changed = Notify::new();
        Self(Arc::new(Inner { seed, started: Instant::now(), names, state, changed }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn plug(&self, life: Life) -> Plug {
        self.lock().current[life.0] = life;
        Plug { network: self.clone(), life }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.0.changed.notify_waiters();
    }

    /// Separates two nodes, or brings them together again.
    pub(crate) fn part(&self, one: usize, other: usize, apart: bool) {
        let pair = (one.min(other), one.max(other));
        self.change(|state| {
            if apart {
                state.apart.insert(pair);
            } else {
                state.apart.remove(&pair);
            }
        });
    }

    pub(crate) fn heal(&self) {
        self.change(|state| {
            state.apart.clear();
            state.slow_percent = 0;
        });
    }

    /// How many in a hundred moments are slow.
    pub(crate) fn set_slow_percent(&self, percent: u64) {
        self.change(|state| state.slow_percent = percent);
    }

    /// Ends a life without a good-bye.
    pub(crate) fn end(&self, life: Life, end: End) {
        self.change(|state| {
            state.ended.insert(life, end);
        });
    }

    fn passage(&self, from: Life, to: Life) -> Passage {
        let state = self.lock();
        if state.ended.contains_key(&to) || state.ended.get(&from) == Some(&End::Vanished) {
            return Passage::Silent;
        }
        if state.apart.contains(&(from.0.min(to.0), from.0.max(to.0))) {
            return Passage::Held;
        }
        if state.ended.contains_key(&from) { Passage::Closed } else { Passage::Open }
    }

    /// Resolves when what passes may have changed since `look` was made.
    async fn wait_for(&self, from: Life, to: Life, wanted: impl Fn(Passage) -> bool) -> Passage {
        loop {
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let passage = self.passage(from, to);
            if wanted(passage) {
                return passage;
            }
            changed.await;
        }
    }

    /// How long what is written now takes.
    fn delay(&self, connection: u64, direction: u64) -> Duration {
        let now = u64::try_from(self.0.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let line = mix(self.0.seed ^ mix(connection << 1 | direction));
        let mood = mix(line ^ (now / MOOD_MS));
        let slow = mood % 100 < self.lock().slow_percent;
        let bound = if slow { SLOW_DELAY_MS } else { DELAY_MS };
        Duration::from_millis(mix(line.wrapping_add(mix(now))) % bound)
    }
}

impl Wire for Plug {
    fn connect(&self, _from: &str, to: &str) -> Option<(DuplexStream, DuplexStream)> {
        let network = &self.network;
        let to = network.0.names.iter().position(|name| name == to)?;
        let (number, to) = {
            let mut state = network.lock();
            if state.ended.contains_key(&self.life) {
                return None;
            }
            state.connections += 1;
            (state.connections, state.current[to])
        };
        let (dialer, near) = tokio::io::duplex(PIPE_BYTES);
        let (acceptor, far) = tokio::io::duplex(PIPE_BYTES);
        let (near_reader, near_writer) = tokio::io::split(near);
        let (far_reader, far_writer) = tokio::io::split(far);
        let line =
            |from, to, direction| Line { network: network.clone(), number, direction, from, to };
        tokio::spawn(line(self.life, to, 0).pump(near_reader, far_writer));
        tokio::spawn(line(to, self.life, 1).pump(far_reader, near_writer));
        Some((dialer, acceptor))
    }
}

/// One direction of a connection.
struct Line {
    network: Network,
    number: u64,
    direction: u64,
    from: Life,
    to: Life,
}

impl Line {
    async fn pump(self, mut reader: ReadHalf<DuplexStream>, mut writer: WriteHalf<DuplexStream>) {
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut due = Instant::now();
        let over = |passage| matches!(passage, Passage::Closed | Passage::Silent);
        loop {
            let read = tokio::select! {
                biased;
                passage = self.network.wait_for(self.from, self.to, over) => {
                    return self.over(passage, reader, writer).await;
                }
                read = reader.read(&mut chunk) => read.unwrap_or(0),
            };
            due = due.max(Instant::now() + self.network.delay(self.number, self.direction));
            tokio::time::sleep_until(due).await;
            let open = |passage| passage != Passage::Held;
            let passage = self.network.wait_for(self.from, self.to, open).await;
            if passage != Passage::Open {
                return self.over(passage, reader, writer).await;
            }
            if read == 0 || writer.write_all(&chunk[..read]).await.is_err() {
                // The receiver is told by the end of the stream, or has gone itself.
                let _ = writer.shutdown().await;
                return;
            }
        }
    }

    /// The sender or the receiver is gone.
    async fn over(
        self,
        passage: Passage,
        reader: ReadHalf<DuplexStream>,
        mut writer: WriteHalf<DuplexStream>,
    ) {
        if passage == Passage::Closed {
            let _ = writer.shutdown().await;
            return;
        }
        // Held open for ever: whoever waits at the other end hears nothing.
        let _held = (reader, writer);
        std::future::pending::<()>().await;
    }
}
