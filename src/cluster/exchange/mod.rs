//! What HAR nodes tell each other when they meet and when it changes: where they are, and which
//! routing table they have. Whoever has an older table asks for the newer one.
//!
//! A message to a name that nobody has is dropped, so that a BEAM does not notice.

mod message;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use erlang_interop::node::{
    Context, ExitReason, MonitorNodesOptions, Node, NodeFilter, SpawnError,
};
use erlang_interop::otp::gen_server::{GenServer, Next};
use erlang_interop::otp::{Caller, Services};
use erlang_interop::term::{Atom, Term, atom, term};

use super::Place;
use super::limits::{SERIAL_STEP_MAX, TABLE_ANSWER_TIME, TABLE_BYTES_MAX};
use message::Message;
pub use message::{TableMark, Told};

/// The name of the process on each node.
fn name() -> Atom {
    atom!("Elixir.HAR.Cluster.Exchange")
}

/// The routing table of this node, for the exchange.
pub trait SharedTable: fmt::Debug + Send + Sync {
    /// Which table it is.
    fn mark(&self) -> TableMark;
    /// Its file.
    fn source(&self) -> Arc<str>;
    /// Whether the peer that asks may change our table.
    fn may_change(&self, caller: &Caller) -> bool;
    /// Puts a table in place if it is newer, and logs what came of it. It may take a while.
    fn follow(&self, peer: &Atom, serial: u64, source: &str);
}

/// What the other HAR nodes have told. Clones share it.
#[derive(Debug, Clone)]
pub struct Peers {
    own: Place,
    told: Arc<Mutex<HashMap<Atom, Told>>>,
}

impl Peers {
    pub(crate) fn new(own: Place) -> Self {
        Self { own, told: Arc::default() }
    }

    /// Where this node is.
    #[must_use]
    pub fn own(&self) -> &Place {
        &self.own
    }

    /// What a connected node has told; `None`: nothing, as a BEAM.
    #[must_use]
    pub fn told(&self, peer: &Atom) -> Option<Told> {
        self.lock().get(peer).cloned()
    }

    /// Where a node is; of one that has told nothing nothing is known.
    #[must_use]
    pub fn place(&self, node: &Node, peer: &Atom) -> Place {
        if peer == node.name() {
            return self.own.clone();
        }
        self.lock().get(peer).map(|told| told.place.clone()).unwrap_or_default()
    }

    /// The HAR nodes that this node knows, in the order of names.
    #[must_use]
    pub fn names(&self) -> Vec<Atom> {
        let mut names: Vec<Atom> = self.lock().keys().cloned().collect();
        names.sort();
        names
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Atom, Told>> {
        // Each step is one insertion or removal; a panic in between can't tear it.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts telling and listening.
    ///
    /// # Errors
    /// When the name is taken, there are too many processes, or the node stops.
    pub fn start(
        &self,
        services: &mut Services,
        table: Arc<dyn SharedTable>,
    ) -> Result<(), SpawnError> {
        let peers = self.clone();
        let exchange = move |_: &Node| {
            let (peers, table) = (peers.clone(), Arc::clone(&table));
            Exchange { peers, table, asked: None, refused: HashMap::new() }
        };
        services.add(&name(), exchange).map(drop)
    }
}

/// Has this node tell the others that its routing table is another.
pub fn tell_change(node: &Node) {
    if let Some(exchange) = node.whereis(&name()) {
        // A message to a process of this node never waits; a new exchange tells all anyway.
        let _ = node.send_now(&exchange, term!(changed));
    }
}

struct Exchange {
    peers: Peers,
    table: Arc<dyn SharedTable>,
    /// Whom we asked for its table, and when: one at a time.
    asked: Option<(Atom, Instant)>,
    /// Tables that were sent and not taken: asking for them again would not help.
    refused: HashMap<Atom, TableMark>,
}

impl GenServer for Exchange {
    fn module(&self) -> Atom {
        name()
    }

    async fn init(&mut self, context: &mut Context) -> Result<(), ExitReason> {
        let node = context.node().clone();
        node.monitor_nodes(context.pid(), MonitorNodesOptions::default());
        // It may be a new one, which was not told who has left meanwhile.
        let connected = node.nodes(NodeFilter::Visible);
        self.peers.lock().retain(|peer, _| connected.contains(peer));
        self.tell_all(context).await;
        Ok(())
    }

    async fn handle_info(&mut self, context: &mut Context, message: Term) -> Next {
        if let Some(origin) = context.asker() {
            self.hear(context, origin.node().clone(), &message).await;
            return Next::Continue;
        }
        match message.as_tuple() {
            _ if message.is_atom("changed") => self.tell_all(context).await,
            Some([tag, Term::Atom(node)]) if tag.is_atom("nodeup") => {
                self.tell(context, node.clone()).await;
            }
            Some([tag, Term::Atom(node)]) if tag.is_atom("nodedown") => {
                self.peers.lock().remove(node);
                self.refused.remove(node);
                if self.asked.as_ref().is_some_and(|(asked, _)| asked == node) {
                    self.asked = None;
                    self.ask_newest(context).await;
                }
            }
            _ => {}
        }
        Next::Continue
    }
}

impl Exchange {
    fn own(&self) -> Message {
        Message::Node(Told { place: self.peers.own.clone(), table: self.table.mark() })
    }

    async fn tell(&self, context: &Context, peer: Atom) {
        context.send_connected((name(), peer), self.own().to_term()).await;
    }

    async fn tell_all(&self, context: &Context) {
        for peer in context.node().nodes(NodeFilter::Visible) {
            self.tell(context, peer).await;
        }
    }

    async fn hear(&mut self, context: &mut Context, peer: Atom, message: &Term) {
        match Message::read(message) {
            Some(Message::Node(told)) => {
                if context.node().nodes(NodeFilter::Visible).contains(&peer) {
                    tracing::debug!(%peer, region = %told.place.region, zone = %told.place.zone,
                        serial = told.table.serial, "a node told of itself");
                    self.peers.lock().insert(peer, told);
                    self.ask_newest(context).await;
                }
            }
            Some(Message::TableWanted) => {
                let (serial, source) = (self.table.mark().serial, self.table.source());
                if serial > 0 && source.len() <= TABLE_BYTES_MAX {
                    let answer = Message::Table(serial, Term::from(source.as_ref())).to_term();
                    context.send_connected((name(), peer), answer).await;
                }
            }
            Some(Message::Table(serial, source)) => {
                self.take(context, peer, serial, source).await;
            }
            None => tracing::debug!(%peer, "a message that is not understood"),
        }
    }

    /// Asks for the newest table of all, unless it is ours or somebody was asked a moment ago.
    async fn ask_newest(&mut self, context: &Context) {
        let waiting = |(_, at): &(Atom, Instant)| at.elapsed() < TABLE_ANSWER_TIME;
        if self.asked.as_ref().is_some_and(waiting) {
            return;
        }
        let own = self.table.mark();
        let newest = {
            let told = self.peers.lock();
            let newer = told.iter().filter(|(peer, Told { table, .. })| {
                table.serial > 0
                    && *table > own
                    && is_near(own.serial, table.serial)
                    && self.refused.get(peer) != Some(table)
            });
            newer.max_by(|a, b| a.1.table.cmp(&b.1.table)).map(|(peer, _)| peer.clone())
        };
        if let Some(peer) = newest {
            self.asked = Some((peer.clone(), Instant::now()));
            context.send_connected((name(), peer), Message::TableWanted.to_term()).await;
        }
    }

    /// Only what was asked for is taken.
    async fn take(&mut self, context: &mut Context, peer: Atom, serial: u64, source: Term) {
        if self.asked.take_if(|(asked, _)| *asked == peer).is_none() {
            return;
        }
        let fits = source.as_str().is_some_and(|source| source.len() <= TABLE_BYTES_MAX);
        let before = self.table.mark();
        if fits && is_near(before.serial, serial) && self.table.may_change(&Caller::of(context)) {
            let (table, by) = (Arc::clone(&self.table), peer.clone());
            let read = tokio::task::spawn_blocking(move || {
                table.follow(&by, serial, source.as_str().unwrap_or_default());
            });
            if let Err(error) = read.await {
                tracing::error!(%error, "a routing table ended its reader");
            }
        }
        if self.table.mark() == before
            && let Some(told) = self.peers.told(&peer)
        {
            self.refused.insert(peer, told.table);
        }
        // Meanwhile there may be a newer one.
        self.ask_newest(context).await;
    }
}

/// Whether a serial can come from counting: one far away would leave no room for the next.
fn is_near(own: u64, other: u64) -> bool {
    other.saturating_sub(own) <= SERIAL_STEP_MAX
}
