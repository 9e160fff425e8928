//! The process `HAR.Cluster` of each node: what `har` nodes tell each other.
//!
//! - `leaving`, by a node of itself; see [`super::departure`].
//! - `{keep, Key, Fingerprint, Answer}`, by the owner of an idempotency key; see [`super::keys`].

use erlang_interop::node::{
    Context, ExitReason, MonitorNodesOptions, Node, NodeType, SpawnError, SpawnOptions,
};
use erlang_interop::otp::gen_server::{self, GenServer, Next};
use erlang_interop::term::{Atom, Term, atom};

use super::{Departures, Keys, Members};

/// The name of the process.
pub(super) fn name() -> Atom {
    atom!("Elixir.HAR.Cluster")
}

/// Hears what other nodes say.
pub(super) struct Server {
    pub(super) departures: Departures,
    pub(super) members: Members,
    pub(super) keys: Keys,
}

impl Server {
    /// # Errors
    /// When the name is taken, there are too many processes, or the node stops.
    pub(super) fn start(self, node: &Node) -> Result<(), SpawnError> {
        // As other services: links of peers must not end it.
        let options = SpawnOptions::new().name(name()).trap_exit();
        gen_server::start(node, options, self).map(drop)
    }
}

impl GenServer for Server {
    fn module(&self) -> Atom {
        name()
    }

    fn state(&self) -> Term {
        Term::list(self.departures.others())
    }

    async fn init(&mut self, context: &mut Context) -> Result<(), ExitReason> {
        let all = MonitorNodesOptions { node_type: NodeType::All, info: false };
        context.node().monitor_nodes(context.pid(), all);
        Ok(())
    }

    async fn handle_cast(&mut self, context: &mut Context, message: Term) -> Next {
        // Each speaks for itself only.
        let Some(peer) = context.asker().map(|asker| asker.node().clone()) else {
            return Next::Continue;
        };
        if message.is_atom("leaving") && context.node().node_info(&peer).is_some() {
            self.departures.heard(&peer);
        } else if let Some([Term::Binary(key), Term::Binary(fingerprint), answer]) =
            message.as_tagged("keep")
            && self.members.has(&peer)
        {
            self.keys.keep_copy(key, fingerprint, answer);
        }
        Next::Continue
    }

    async fn handle_info(&mut self, _: &mut Context, message: Term) -> Next {
        if let Some([Term::Atom(peer)]) = message.as_tagged("nodedown") {
            self.departures.gone(peer);
        }
        Next::Continue
    }
}
