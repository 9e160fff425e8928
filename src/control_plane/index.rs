//! The backends of a table in the order of choice, found by the type of an operation.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::routing_table::Route;
use super::{Backend, Pattern};
use crate::semantic::{Kind, Operation, OperationType};

/// A backend of a route.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) backend: Arc<Backend>,
    /// The name under which its health is kept.
    pub(super) health_id: String,
    /// Number of its name: candidates with the same name are the same to a decision.
    name: usize,
    pattern: Arc<Pattern>,
}

/// Made once for a table.
#[derive(Debug)]
pub(super) struct Index {
    /// By priority, then by how narrow the route is, then by place in the table.
    candidates: Vec<Candidate>,
    names: usize,
    /// For each known type, the places in `candidates` of those whose route is for it: found out
    /// when the first such operation comes, since most tables see few of the types.
    by_kind: Vec<OnceLock<Box<[usize]>>>,
}

/// What a search needs to remember; used again for the next, it needs no memory of its own.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// One bit for each name.
    seen: Vec<u64>,
}

impl Scratch {
    fn clear(&mut self, names: usize) {
        self.seen.clear();
        self.seen.resize(names.div_ceil(64), 0);
    }

    /// Whether this is the first time.
    fn is_new(&mut self, name: usize) -> bool {
        let (word, bit) = (&mut self.seen[name / 64], 1 << (name % 64));
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}

/// A backend of a route: by what it is ordered, and for whom it is.
type Found<'a> = ((i64, (usize, usize)), Arc<Pattern>, &'a Arc<Backend>);

impl Index {
    pub(super) fn new(routes: &[Route]) -> Self {
        let mut found: Vec<Found<'_>> = Vec::new();
        for route in routes {
            let pattern = Arc::new(route.pattern.clone());
            let specificity = pattern.specificity();
            for backend in &route.backends {
                found.push(((backend.priority, specificity), Arc::clone(&pattern), backend));
            }
        }
        found.sort_by_key(|(order, _, _)| Reverse(*order));
        let mut names: HashMap<&str, usize> = HashMap::new();
        let candidate = |(_, pattern, backend): Found<'_>| Candidate {
            backend: Arc::clone(backend),
            health_id: backend.id(),
            name: 0,
            pattern,
        };
        let mut numbers = Vec::with_capacity(found.len());
        for (_, _, backend) in &found {
            let next = names.len();
            numbers.push(*names.entry(&backend.name).or_insert(next));
        }
        let names = names.len();
        let mut candidates: Vec<Candidate> = found.into_iter().map(candidate).collect();
        for (candidate, number) in candidates.iter_mut().zip(numbers) {
            candidate.name = number;
        }
        Self { candidates, names, by_kind: Kind::ALL.iter().map(|_| OnceLock::new()).collect() }
    }

    /// Gives `take` the backends for an operation, best first; of equal names the first one.
    pub(super) fn for_each<'a>(
        &'a self,
        operation: &Operation,
        scratch: &mut Scratch,
        mut take: impl FnMut(&'a Candidate),
    ) {
        scratch.clear(self.names);
        let mut look = |candidate: &'a Candidate| {
            if candidate.pattern.target_matches(operation) && scratch.is_new(candidate.name) {
                take(candidate);
            }
        };
        match &operation.kind {
            OperationType::Known(kind) => {
                let places = self.by_kind[*kind as usize].get_or_init(|| self.of_type(kind.name()));
                places.iter().for_each(|place| look(&self.candidates[*place]));
            }
            // Names that others made up are not remembered.
            other => self
                .candidates
                .iter()
                .filter(|candidate| candidate.pattern.type_matches(other.name()))
                .for_each(look),
        }
    }

    fn of_type(&self, name: &str) -> Box<[usize]> {
        let fits = |(_, candidate): &(usize, &Candidate)| candidate.pattern.type_matches(name);
        self.candidates.iter().enumerate().filter(fits).map(|(place, _)| place).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantic::Map;

    #[test]
    fn each_kind_has_its_place() {
        for (place, kind) in Kind::ALL.iter().enumerate() {
            assert_eq!(*kind as usize, place);
        }
    }

    #[test]
    fn known_and_made_up_types_find_the_same_way() {
        let backend = |name: &str, priority| {
            let map = Map::new().with("name", name).with("type", "local");
            Arc::new(Backend::from_map(&map.with("priority", priority)))
        };
        let route =
            |operation, backends| Route { pattern: Pattern::new(Some(operation), &[]), backends };
        let index = Index::new(&[
            route("*", vec![backend("last", 1), backend("twice", 2)]),
            route("file_*", vec![backend("twice", 90)]),
            route("file_odd", vec![backend("odd", 90)]),
        ]);
        let names = |kind: &str| {
            let operation = Operation::new("a", OperationType::from_name(kind), Map::new());
            let mut names = Vec::new();
            index.for_each(&operation, &mut Scratch::default(), |found| {
                names.push((found.backend.name.clone(), found.backend.priority));
            });
            names
        };
        let twice = ("twice".to_owned(), 90);
        let last = ("last".to_owned(), 1);
        assert_eq!(names("file_copy"), [twice.clone(), last.clone()]);
        assert_eq!(names("file_odd"), [("odd".to_owned(), 90), twice, last.clone()]);
        assert_eq!(names("user_create"), [("twice".to_owned(), 2), last]);
    }
}
