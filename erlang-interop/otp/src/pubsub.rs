//! `Phoenix.PubSub` over its `pg` adapter: subscribe and broadcast among nodes, ours and Elixir's.
//!
//! The scope of `pg` is `Elixir.Phoenix.PubSub`. For an adapter name `A` and a pool of `n`, the
//! groups are `A`, `A_2`, … `A_n`; each has one worker a node, registered under the group's name.
//! A broadcast goes to the workers of other nodes as
//! `{forward_to_local, Topic, Message, Dispatcher}`, in the group that `phash2` of the sender picks.

use erlang_node::{Context, Node, SpawnError, SpawnOptions};
use erlang_term::{Atom, AtomTooLong, Pid, Term, atom, term};

use crate::gen_server::{self, CallError, GenServer, Next};
use crate::pg::Pg;
use crate::registry::{Keys, Registry, RegistryError};

/// Why a PubSub was not started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PubSubError {
    /// A process was not started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// The name with its number is too long for an atom.
    #[error(transparent)]
    Name(#[from] AtomTooLong),
    /// The scope of `pg` did not answer.
    #[error(transparent)]
    Pg(#[from] CallError),
}

/// A PubSub, running on this node.
#[derive(Clone, Debug)]
pub struct PubSub {
    node: Node,
    groups: Vec<Atom>,
    pg: Pg,
    subscribers: Registry,
    dispatcher: Atom,
}

impl PubSub {
    /// Starts one in a running scope (`Elixir.Phoenix.PubSub`).
    ///
    /// `name` is the PubSub's name, for instance `Elixir.MyApp.PubSub`; the adapter is that with
    /// `.Adapter`. The pool sizes of all nodes must agree, as in Elixir.
    ///
    /// # Errors
    /// See [`PubSubError`].
    pub async fn start(
        node: &Node,
        pg: Pg,
        name: &Atom,
        pool_size: u32,
    ) -> Result<Self, PubSubError> {
        let subscribers = Registry::start(node, SpawnOptions::new(), Keys::Duplicate)?;
        let mut groups = Vec::new();
        for number in 1..=pool_size.max(1) {
            let group = match number {
                1 => format!("{}.Adapter", name.as_str()),
                more => format!("{}.Adapter_{more}", name.as_str()),
            };
            let group = Atom::new(&group)?;
            let worker = Worker { subscribers: subscribers.clone() };
            let options = SpawnOptions::new().name(group.clone());
            let worker = gen_server::start(node, options, worker)?;
            pg.join(&group, &[worker]).await?;
            groups.push(group);
        }
        let dispatcher = atom!("Elixir.Phoenix.PubSub");
        Ok(Self { node: node.clone(), groups, pg, subscribers, dispatcher })
    }

    /// A process of this node gets what is broadcast on a topic, until it ends.
    ///
    /// # Errors
    /// When it doesn't live on this node.
    pub async fn subscribe(&self, topic: &str, pid: &Pid) -> Result<(), RegistryError> {
        self.subscribers.register(topic, pid, Term::Nil).await
    }

    /// It no longer does.
    pub fn unsubscribe(&self, topic: &str, pid: &Pid) {
        self.subscribers.unregister(&Term::from(topic), pid);
    }

    /// To all subscribers on all nodes; `from` chooses the worker that carries it, which keeps what
    /// one process broadcasts in order.
    pub async fn broadcast(&self, from: &Pid, topic: &str, message: impl Into<Term>) {
        let message = message.into();
        let shards = u64::try_from(self.groups.len()).unwrap_or(1);
        let shard = Term::from(from).phash2_range(shards) as usize;
        let forward = term!({forward_to_local, (topic), (message.clone()), (&self.dispatcher)});
        for worker in self.pg.members(&self.groups[shard]) {
            if worker.node() != self.node.name() {
                self.node.send(&worker, forward.clone()).await;
            }
        }
        self.local_broadcast(topic, message).await;
    }

    /// To all subscribers on this node.
    pub async fn local_broadcast(&self, topic: &str, message: impl Into<Term>) {
        self.subscribers.dispatch(&Term::from(topic), message).await;
    }

    /// To all subscribers on another node.
    pub async fn direct_broadcast(&self, node: &Atom, topic: &str, message: impl Into<Term>) {
        let forward = term!({forward_to_local, (topic), (message.into()), (&self.dispatcher)});
        self.node.send((self.groups[0].clone(), node.clone()), forward).await;
    }
}

/// Takes broadcasts of other nodes.
struct Worker {
    subscribers: Registry,
}

impl GenServer for Worker {
    fn module(&self) -> Atom {
        atom!("Elixir.Phoenix.PubSub.PG2Worker")
    }

    async fn handle_info(&mut self, _: &mut Context, message: Term) -> Next {
        if let Some([topic, message, _dispatcher]) = message.as_tagged("forward_to_local") {
            self.subscribers.dispatch(topic, message.clone()).await;
        }
        Next::Continue
    }
}
