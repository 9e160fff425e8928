//! One slot a node name: free, claimed by a handshake, or connected.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use erlang_term::Atom;
use foldhash::fast::RandomState;
use tokio::sync::{Notify, oneshot};

use super::peer::Peer;
use crate::error::ConnectError;

/// How a set-up ended.
pub(super) type SetupResult = Result<Arc<Peer>, ConnectError>;
/// Where those wait who want the connection. They go on in the order in which they came, so that
/// signals which waited for it leave in that order.
pub(super) type SetupWaiter = Arc<Outcome>;

/// How a set-up ended, once it has.
#[derive(Default)]
pub(super) struct Outcome {
    result: OnceLock<SetupResult>,
    known: Notify,
}

/// Who owes the outcome to those who wait.
#[derive(Default)]
struct Promise(Arc<Outcome>);

impl Outcome {
    pub(super) async fn wait(&self) -> SetupResult {
        loop {
            let known = self.known.notified();
            tokio::pin!(known);
            known.as_mut().enable();
            if let Some(result) = self.result.get() {
                return result.clone();
            }
            known.await;
        }
    }

    /// The first result counts.
    fn set(&self, result: SetupResult) {
        if self.result.set(result).is_ok() {
            self.known.notify_waiters();
        }
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.0.set(Err(ConnectError::NotAlive));
    }
}

/// A right to fill a slot. The receiver resolves when another handshake has taken the slot over.
pub(super) struct Claim {
    pub(super) id: u64,
    pub(super) taken_over: oneshot::Receiver<()>,
}

struct Setup {
    owner: u64,
    /// Whether we dial. Else somebody claims to be that node, and may have to prove it still.
    dialing: bool,
    done: Promise,
    /// Dropped when another owner takes the slot over.
    _owner_alive: oneshot::Sender<()>,
}

enum Slot {
    Setup(Setup),
    /// Connected, or closing and not yet cleaned up.
    Up(Arc<Peer>, Option<Promise>),
}

#[derive(Default)]
struct Table {
    slots: HashMap<Atom, Slot, RandomState>,
    shut: bool,
}

/// All slots of a node.
pub(super) struct Slots {
    max: usize,
    table: RwLock<Table>,
}

/// What a dialer finds.
pub(super) enum Found {
    Connected(Arc<Peer>),
    /// A connection that is being taken down.
    Closing(Arc<Peer>),
    /// We dial already.
    Wait(SetupWaiter),
    /// Somebody of that name is coming in, and may be who it says: worth a short wait.
    Arriving(SetupWaiter),
    Claimed(Claim, SetupWaiter),
}

/// What an acceptor finds.
pub(super) enum Arrival {
    Claimed(Claim),
    /// We dial it, too, and give way once it has proven to be who it says.
    Simultaneous,
    /// Our own attempt goes on; this is where its end is told.
    Refused(SetupWaiter),
    Connected(Arc<Peer>),
    Closing(Arc<Peer>),
}

/// How sure it is that an arriving peer is who it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has said a name. `wins`: whether that is greater than ours, which decides when both dial.
    Named { wins: bool },
    /// It knows the cookie.
    Proven,
}

fn setup(owner: u64, dialing: bool) -> (Setup, Claim, SetupWaiter) {
    let done = Promise::default();
    let waiter = Arc::clone(&done.0);
    let (alive, taken_over) = oneshot::channel();
    let setup = Setup { owner, dialing, done, _owner_alive: alive };
    (setup, Claim { id: owner, taken_over }, waiter)
}

impl Setup {
    /// Gives it to another owner; the one before learns of it.
    fn hand_over(&mut self, owner: u64, dialing: bool) -> Claim {
        let (alive, taken_over) = oneshot::channel();
        self.owner = owner;
        self.dialing = dialing;
        self._owner_alive = alive;
        Claim { id: owner, taken_over }
    }
}

impl Slots {
    pub(super) fn new(max: usize) -> Self {
        Self { max, table: RwLock::default() }
    }

    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn peer(&self, node: &Atom) -> Option<Arc<Peer>> {
        match self.read().slots.get(node) {
            Some(Slot::Up(peer, _)) => Some(Arc::clone(peer)),
            _ => None,
        }
    }

    /// Open connections.
    pub(super) fn peers(&self) -> Vec<Arc<Peer>> {
        let table = self.read();
        let open = table.slots.values().filter_map(|slot| match slot {
            Slot::Up(peer, _) if !peer.is_closed() => Some(Arc::clone(peer)),
            _ => None,
        });
        open.collect()
    }

    /// Connections with that address that are up or closing.
    pub(super) fn count_at(&self, address: IpAddr) -> usize {
        let at =
            |slot: &&Slot| matches!(slot, Slot::Up(peer, _) if peer.address() == Some(address));
        self.read().slots.values().filter(at).count()
    }

    /// For a dialer: the connection, or the wait for it, or the right to set it up.
    pub(super) fn dial(&self, node: &Atom, id: u64) -> Result<Found, ConnectError> {
        let mut table = self.write();
        if table.shut {
            return Err(ConnectError::NotAlive);
        }
        match table.slots.get(node) {
            Some(Slot::Up(peer, _)) if peer.is_closed() => Ok(Found::Closing(Arc::clone(peer))),
            Some(Slot::Up(peer, _)) => Ok(Found::Connected(Arc::clone(peer))),
            Some(Slot::Setup(setup)) if setup.dialing => Ok(Found::Wait(Arc::clone(&setup.done.0))),
            Some(Slot::Setup(setup)) => Ok(Found::Arriving(Arc::clone(&setup.done.0))),
            None if self.is_full(&table) => Err(ConnectError::TooMany { max: self.max }),
            None => {
                let (setup, claim, waiter) = setup(id, true);
                table.slots.insert(node.clone(), Slot::Setup(setup));
                Ok(Found::Claimed(claim, waiter))
            }
        }
    }

    /// For a dialer that has waited long enough for who is coming in: the right to dial, unless the
    /// slot has changed meanwhile. Who comes in can take it back with a proof.
    pub(super) fn dial_anyway(&self, node: &Atom, id: u64) -> Option<(Claim, SetupWaiter)> {
        let mut table = self.write();
        match table.slots.get_mut(node) {
            Some(Slot::Setup(setup)) if !setup.dialing => {
                Some((setup.hand_over(id, true), Arc::clone(&setup.done.0)))
            }
            _ => None,
        }
    }

    /// Whether there are as many connections as may be. Who has proven nothing yet is no connection,
    /// and how many of those there are is bounded where they are accepted.
    fn is_full(&self, table: &Table) -> bool {
        let counts =
            |slot: &&Slot| matches!(slot, Slot::Up(..) | Slot::Setup(Setup { dialing: true, .. }));
        table.slots.len() >= self.max && table.slots.values().filter(counts).count() >= self.max
    }

    /// For an acceptor.
    pub(super) fn arrive(
        &self,
        node: &Atom,
        id: u64,
        standing: Standing,
    ) -> Result<Arrival, ConnectError> {
        let mut table = self.write();
        if table.shut {
            return Err(ConnectError::NotAlive);
        }
        let full = self.is_full(&table);
        match table.slots.get_mut(node) {
            Some(Slot::Up(peer, _)) if peer.is_closed() => Ok(Arrival::Closing(Arc::clone(peer))),
            Some(Slot::Up(peer, _)) => Ok(Arrival::Connected(Arc::clone(peer))),
            Some(Slot::Setup(setup)) if !setup.dialing || standing == Standing::Proven => {
                Ok(Arrival::Claimed(setup.hand_over(id, false)))
            }
            // A name alone ends no attempt of ours: anybody can say it.
            Some(Slot::Setup(_)) if standing == (Standing::Named { wins: true }) => {
                Ok(Arrival::Simultaneous)
            }
            Some(Slot::Setup(setup)) => Ok(Arrival::Refused(Arc::clone(&setup.done.0))),
            None if full => Err(ConnectError::TooMany { max: self.max }),
            None => {
                let (setup, claim, _) = setup(id, false);
                table.slots.insert(node.clone(), Slot::Setup(setup));
                Ok(Arrival::Claimed(claim))
            }
        }
    }

    /// Fills a slot, if it still belongs to that owner.
    pub(super) fn fill(&self, node: &Atom, owner: u64, peer: Arc<Peer>) -> bool {
        let mut table = self.write();
        if table.shut {
            return false;
        }
        // Others may have come up since this one said its name. Ours was counted when it began.
        let full = self.is_full(&table);
        match table.slots.remove(node) {
            Some(Slot::Setup(setup)) if setup.owner == owner && full && !setup.dialing => {
                setup.done.0.set(Err(ConnectError::TooMany { max: self.max }));
                false
            }
            Some(Slot::Setup(setup)) if setup.owner == owner => {
                table.slots.insert(node.clone(), Slot::Up(peer, Some(setup.done)));
                true
            }
            Some(other) => {
                table.slots.insert(node.clone(), other);
                false
            }
            None => false,
        }
    }

    /// Tells those who wait that the connection is up.
    pub(super) fn tell_up(&self, node: &Atom, owner: u64, peer: &Arc<Peer>) {
        let mut table = self.write();
        if let Some(Slot::Up(up, done)) = table.slots.get_mut(node)
            && up.id() == owner
            && let Some(done) = done.take()
        {
            done.0.set(Ok(Arc::clone(peer)));
        }
    }

    /// Gives a claim up, and tells those who wait why.
    pub(super) fn fail(&self, node: &Atom, owner: u64, error: ConnectError) {
        let mut table = self.write();
        match table.slots.remove(node) {
            Some(Slot::Setup(setup)) if setup.owner == owner => {
                setup.done.0.set(Err(error));
            }
            Some(other) => {
                table.slots.insert(node.clone(), other);
            }
            None => {}
        }
    }

    /// Frees the slot of a connection that has ended.
    pub(super) fn free(&self, peer: &Arc<Peer>) {
        let mut table = self.write();
        if let Some(Slot::Up(up, _)) = table.slots.get(peer.node())
            && up.id() == peer.id()
        {
            table.slots.remove(peer.node());
        }
    }

    /// Lets nothing new in; returns the connections that are up, the oldest first, so that a simulation
    /// can be replayed. Set-ups under way fail.
    pub(super) fn shut(&self) -> Vec<Arc<Peer>> {
        let mut table = self.write();
        table.shut = true;
        let mut peers = Vec::new();
        table.slots.retain(|_, slot| match slot {
            Slot::Up(peer, _) => {
                peers.push(Arc::clone(peer));
                true
            }
            Slot::Setup(setup) => {
                setup.done.0.set(Err(ConnectError::NotAlive));
                false
            }
        });
        peers.sort_unstable_by_key(|peer| peer.id());
        peers
    }
}

#[cfg(test)]
mod tests {
    use erlang_term::atom;
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_name_alone_ends_no_dial_and_a_proof_does() {
        let (slots, node) = (Slots::new(10), atom!("z@h"));
        let Ok(Found::Claimed(mut ours, _)) = slots.dial(&node, 1) else { panic!("free") };
        let said = slots.arrive(&node, 2, Standing::Named { wins: true });
        assert!(matches!(said, Ok(Arrival::Simultaneous)));
        let said = slots.arrive(&node, 3, Standing::Named { wins: false });
        assert!(matches!(said, Ok(Arrival::Refused(_))));
        assert!((&mut ours.taken_over).now_or_never().is_none());
        let Ok(Arrival::Claimed(_)) = slots.arrive(&node, 4, Standing::Proven) else {
            panic!("it is who it says")
        };
        assert!((&mut ours.taken_over).now_or_never().is_some());
    }

    #[test]
    fn a_dial_waits_for_who_comes_in_and_then_no_longer() {
        let (slots, node) = (Slots::new(1), atom!("z@h"));
        assert!(slots.dial_anyway(&node, 1).is_none());
        let Ok(Arrival::Claimed(mut early)) =
            slots.arrive(&node, 2, Standing::Named { wins: false })
        else {
            panic!("free")
        };
        assert!(matches!(slots.dial(&node, 3), Ok(Found::Arriving(_))));
        assert!(slots.dial_anyway(&node, 3).is_some());
        assert!((&mut early.taken_over).now_or_never().is_some());
        assert!(matches!(slots.dial(&node, 4), Ok(Found::Wait(_))));
        // Now it is one that is meant to be a connection, and there may be one.
        assert!(slots.dial(&atom!("y@h"), 5).is_err());
    }
}
