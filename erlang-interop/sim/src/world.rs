//! What all parts of one run share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use erlang_node::Node;
use erlang_otp::global::Global;
use erlang_otp::pg::Pg;
use erlang_term::{Atom, Pid, Reference};

use crate::actor::Deed;
use crate::book::Book;
use crate::journal::Journal;
use crate::network::Life;

/// A node of ours, in one life.
#[derive(Clone)]
pub(crate) struct Home {
    pub(crate) node: Node,
    pub(crate) global: Global,
    pub(crate) pg: Pg,
    pub(crate) life: Life,
    /// Processes that the node needs for itself.
    pub(crate) services: usize,
}

#[derive(Default)]
struct Tables {
    deeds: Vec<Deed>,
    books: BTreeMap<Pid, Book>,
    aliases: Vec<Reference>,
    /// The present life of each node; `None`: it is down.
    lives: Vec<Option<Life>>,
    /// Names whose change was under way on a node that ended.
    half_told: BTreeSet<u64>,
}

/// What all parts of one run share. Clones are the same one.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) journal: Journal,
    names: Arc<[Atom]>,
    tables: Arc<Mutex<Tables>>,
}

impl World {
    pub(crate) fn new(journal: Journal, names: Vec<Atom>) -> Self {
        let tables = Tables { lives: vec![None; names.len()], ..Tables::default() };
        Self { journal, names: names.into(), tables: Arc::new(Mutex::new(tables)) }
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn name(&self, node: usize) -> &Atom {
        &self.names[node]
    }

    /// The index of a node of ours; that of none is the number of nodes.
    pub(crate) fn index_of(&self, name: &Atom) -> usize {
        self.names.iter().position(|one| one == name).unwrap_or(self.names.len())
    }

    pub(crate) fn set_life(&self, node: usize, life: Option<Life>) {
        self.lock().lives[node] = life;
    }

    /// A node ends. What it was telling others of names may have reached some of them only.
    pub(crate) fn end_life(&self, life: Life) {
        let mut tables = self.lock();
        tables.lives[life.0] = None;
        let changing = |book: &Book| book.lock().changing.filter(|_| book.life == life);
        let names: Vec<u64> = tables.books.values().filter_map(changing).collect();
        tables.half_told.extend(names);
    }

    /// The names of which some nodes may have been told what others were not.
    pub(crate) fn half_told(&self) -> BTreeSet<u64> {
        self.lock().half_told.clone()
    }

    /// Whether this is how the node lives now.
    pub(crate) fn lives(&self, life: Life) -> bool {
        self.lock().lives[life.0] == Some(life)
    }

    /// Keeps a deed until its process comes to it.
    pub(crate) fn plan(&self, deed: Deed) -> i64 {
        let mut tables = self.lock();
        tables.deeds.push(deed);
        i64::try_from(tables.deeds.len() - 1).unwrap_or(i64::MAX)
    }

    pub(crate) fn deed(&self, number: i64) -> Option<Deed> {
        self.lock().deeds.get(usize::try_from(number).ok()?).cloned()
    }

    /// Enters a process, unless it is known. Gives its one book.
    pub(crate) fn enter(&self, book: Book) -> Book {
        self.lock().books.entry(book.pid.clone()).or_insert(book).clone()
    }

    /// All processes that ever were, by pid.
    pub(crate) fn books(&self) -> Vec<Book> {
        self.lock().books.values().cloned().collect()
    }

    /// Those that live.
    pub(crate) fn living(&self) -> Vec<Book> {
        let tables = self.lock();
        let lives =
            |book: &&Book| tables.lives[book.life.0] == Some(book.life) && !book.lock().ended;
        tables.books.values().filter(lives).cloned().collect()
    }

    /// Lets others send to an alias.
    pub(crate) fn publish(&self, alias: Reference) {
        self.lock().aliases.push(alias);
    }

    pub(crate) fn aliases(&self) -> Vec<Reference> {
        self.lock().aliases.clone()
    }
}
