//! Operations and the order between them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};

use super::operation::InvalidOperation;
use super::{Dependency, DependencyType, Map, Operation, Value};

/// A set of operations with their dependencies.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// The operations, in source order.
    pub vertices: Vec<Operation>,
    /// The edges.
    pub edges: Vec<Dependency>,
    /// What is known of the whole: `source`, `parsed_at`, …
    pub metadata: Map,
}

/// Why a graph cannot be used. spec: HAR.Semantic.Graph.validate/1
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// Edges name operations that are not there.
    #[error("{} dependencies name an operation that is not in the graph", .0.len())]
    InvalidReferences(Vec<Dependency>),
    /// The edges form a cycle.
    #[error("the dependencies form a cycle")]
    CircularDependency,
    /// Operations lack what they need.
    #[error("{} operations lack a parameter", .0.len())]
    InvalidOperations(Vec<(Operation, InvalidOperation)>),
}

impl Graph {
    /// The place of each operation by its id; of equal ids the first.
    pub fn positions(&self) -> HashMap<&str, usize> {
        let mut positions = HashMap::with_capacity(self.vertices.len());
        for (at, operation) in self.vertices.iter().enumerate() {
            positions.entry(operation.id.as_str()).or_insert(at);
        }
        positions
    }

    /// Checks references, then cycles, then operations.
    ///
    /// # Errors
    /// The first of the three that fails.
    pub fn validate(&self) -> Result<(), GraphError> {
        let positions = self.positions();
        let dangling = |edge: &&Dependency| {
            !positions.contains_key(edge.from.as_str()) || !positions.contains_key(edge.to.as_str())
        };
        let invalid: Vec<_> = self.edges.iter().filter(dangling).cloned().collect();
        if !invalid.is_empty() {
            return Err(GraphError::InvalidReferences(invalid));
        }
        self.topological_order()?;
        let invalid = self
            .vertices
            .iter()
            .filter_map(|op| op.validate().err().map(|error| (op.clone(), error)));
        let invalid: Vec<_> = invalid.collect();
        if invalid.is_empty() { Ok(()) } else { Err(GraphError::InvalidOperations(invalid)) }
    }

    /// Successors of each vertex, the newest edge first, and how many edges enter each.
    fn adjacency(&self) -> (Vec<Vec<usize>>, Vec<usize>) {
        let positions = self.positions();
        let mut successors = vec![Vec::new(); self.vertices.len()];
        let mut entering = vec![0_usize; self.vertices.len()];
        for edge in &self.edges {
            let ends = (positions.get(edge.from.as_str()), positions.get(edge.to.as_str()));
            if let (Some(&from), Some(&to)) = ends {
                successors[from].push(to);
                entering[to] += 1;
            }
        }
        for list in &mut successors {
            list.reverse();
        }
        (successors, entering)
    }

    /// Places in an order that respects the edges, exactly as the Elixir HAR sorts: first in, first
    /// out, neighbours by the newest edge first. Edges to unknown ids are left aside.
    ///
    /// # Errors
    /// [`GraphError::CircularDependency`].
    pub fn topological_order(&self) -> Result<Vec<usize>, GraphError> {
        let (successors, mut entering) = self.adjacency();
        let mut queue: VecDeque<usize> =
            (0..self.vertices.len()).filter(|&at| entering[at] == 0).collect();
        let mut order = Vec::with_capacity(self.vertices.len());
        while let Some(at) = queue.pop_front() {
            order.push(at);
            for &next in &successors[at] {
                entering[next] -= 1;
                if entering[next] == 0 {
                    queue.push_back(next);
                }
            }
        }
        if order.len() == self.vertices.len() {
            Ok(order)
        } else {
            Err(GraphError::CircularDependency)
        }
    }

    /// Places in the order of the source, departing from it only where an edge demands.
    ///
    /// # Errors
    /// [`GraphError::CircularDependency`].
    pub fn source_order(&self) -> Result<Vec<usize>, GraphError> {
        let (successors, mut entering) = self.adjacency();
        let free = (0..self.vertices.len()).filter(|&at| entering[at] == 0).map(Reverse);
        let mut ready: BinaryHeap<Reverse<usize>> = free.collect();
        let mut order = Vec::with_capacity(self.vertices.len());
        while let Some(Reverse(at)) = ready.pop() {
            order.push(at);
            for &next in &successors[at] {
                entering[next] -= 1;
                if entering[next] == 0 {
                    ready.push(Reverse(next));
                }
            }
        }
        if order.len() == self.vertices.len() {
            Ok(order)
        } else {
            Err(GraphError::CircularDependency)
        }
    }

    /// One graph for each key, in order of the first operation that has it; edges within a group only.
    pub fn partition_by<K: PartialEq>(&self, key: impl Fn(&Operation) -> K) -> Vec<(K, Self)> {
        let mut groups: Vec<(K, Self)> = Vec::new();
        for operation in &self.vertices {
            let of = key(operation);
            match groups.iter_mut().find(|(known, _)| *known == of) {
                Some((_, group)) => group.vertices.push(operation.clone()),
                None => {
                    groups
                        .push((of, Self { vertices: vec![operation.clone()], ..Self::default() }));
                }
            }
        }
        for (_, group) in &mut groups {
            let positions = group.positions();
            let inside = |edge: &&Dependency| {
                positions.contains_key(edge.from.as_str())
                    && positions.contains_key(edge.to.as_str())
            };
            let edges = self.edges.iter().filter(inside).cloned().collect();
            group.edges = edges;
        }
        groups
    }

    /// All graphs as one: the first of equal ids, the first of equal edges.
    pub fn merge(graphs: &[Self]) -> Self {
        let mut merged = Self::default();
        let mut seen_ids = HashSet::new();
        let mut seen_edges = HashSet::new();
        for graph in graphs {
            for operation in &graph.vertices {
                if seen_ids.insert(operation.id.clone()) {
                    merged.vertices.push(operation.clone());
                }
            }
            for edge in &graph.edges {
                let identity = (
                    edge.from.clone(),
                    edge.to.clone(),
                    edge.kind.clone(),
                    format!("{:?}", edge.metadata),
                );
                if seen_edges.insert(identity) {
                    merged.edges.push(edge.clone());
                }
            }
        }
        let from =
            graphs.iter().map(|graph| Value::Map(graph.metadata.clone())).collect::<Vec<_>>();
        merged.metadata.set("merged_from", from);
        merged
    }

    /// The operation with an id.
    pub fn find_operation(&self, id: &str) -> Option<&Operation> {
        self.vertices.iter().find(|operation| operation.id == id)
    }

    /// Joins each operation to the next by a sequential edge.
    pub fn chain(&mut self, order: &[usize], reason: &str) {
        for pair in order.windows(2) {
            let (from, to) = (&self.vertices[pair[0]].id, &self.vertices[pair[1]].id);
            self.edges.push(Dependency::new(from, to, DependencyType::Sequential, reason));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;

    fn graph(ids: &[&str], edges: &[(&str, &str)]) -> Graph {
        let vertex = |id: &&str| Operation::new(*id, Kind::CommandRun, Map::new());
        let edge =
            |(from, to): &(&str, &str)| Dependency::new(from, to, DependencyType::Requires, "test");
        Graph {
            vertices: ids.iter().map(vertex).collect(),
            edges: edges.iter().map(edge).collect(),
            metadata: Map::new(),
        }
    }

    fn names(graph: &Graph, order: &[usize]) -> Vec<String> {
        order.iter().map(|&at| graph.vertices[at].id.clone()).collect()
    }

    #[test]
    fn neighbours_are_visited_newest_edge_first_as_in_elixir() {
        let graph = graph(&["a", "b", "c", "d"], &[("a", "b"), ("a", "c"), ("b", "d")]);
        assert_eq!(names(&graph, &graph.topological_order().unwrap()), ["a", "c", "b", "d"]);
    }

    #[test]
    fn source_order_moves_only_what_must_move() {
        let graph = graph(&["d", "a", "b", "c"], &[("c", "d")]);
        assert_eq!(names(&graph, &graph.source_order().unwrap()), ["a", "b", "c", "d"]);
    }

    #[test]
    fn cycles_and_dangling_edges_are_found() {
        let cyclic = graph(&["a", "b"], &[("a", "b"), ("b", "a")]);
        assert_eq!(cyclic.validate(), Err(GraphError::CircularDependency));
        assert_eq!(cyclic.source_order(), Err(GraphError::CircularDependency));
        let dangling = graph(&["a"], &[("a", "x")]);
        assert!(
            matches!(dangling.validate(), Err(GraphError::InvalidReferences(edges)) if edges.len() == 1)
        );
    }

    #[test]
    fn duplicate_edges_do_no_harm() {
        let graph = graph(&["a", "b"], &[("a", "b"), ("a", "b")]);
        assert_eq!(graph.topological_order().unwrap(), [0, 1]);
    }

    #[test]
    fn partitions_keep_inner_edges_and_merging_drops_doubles() {
        let graph = graph(&["a1", "a2", "b1"], &[("a1", "a2"), ("a2", "b1")]);
        let parts = graph.partition_by(|operation| operation.id.chars().next());
        assert_eq!(parts.len(), 2);
        assert_eq!((parts[0].1.edges.len(), parts[1].1.edges.len()), (1, 0));
        let merged = Graph::merge(&[graph.clone(), graph.clone()]);
        assert_eq!((merged.vertices.len(), merged.edges.len()), (3, 2));
    }
}
