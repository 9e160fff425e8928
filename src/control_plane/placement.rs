//! Which nodes may have an operation: what policies require of a node, before it is sent anywhere.

use super::policy::applying;
use super::{ControlPlane, Policy};
use crate::semantic::{Map, Operation};

/// Operations that the same policies confine, and those policies.
#[derive(Clone, Debug)]
pub struct Confined {
    /// Places of the operations in what was given, in order.
    pub operations: Vec<usize>,
    policies: Vec<Policy>,
}

impl Confined {
    /// Whether a node with these facts (`name`, `region`, `zone`) may have them.
    pub fn allows(&self, facts: &Map) -> bool {
        self.policies.iter().all(|policy| policy.allows_node(facts))
    }
}

impl ControlPlane {
    /// Sorts operations by the nodes that may have them. `only` names policies as for
    /// [`ControlPlane::route_batch`].
    pub fn confine(&self, operations: &[Operation], only: Option<&[String]>) -> Vec<Confined> {
        let (table, policies) = (self.table(), self.policies());
        let confining: Vec<&Policy> = table
            .policies()
            .iter()
            .chain(policies.policies())
            .filter(|policy| policy.confines())
            .collect();
        let mut groups: Vec<(Vec<&Policy>, Vec<usize>)> = Vec::new();
        let mut found = Vec::new();
        for (place, operation) in operations.iter().enumerate() {
            applying(confining.iter().copied(), operation, only, &mut found);
            let same = |known: &[&Policy]| {
                known.len() == found.len()
                    && known.iter().zip(&found).all(|(a, b)| std::ptr::eq(*a, *b))
            };
            match groups.iter_mut().find(|(known, _)| same(known)) {
                Some((_, places)) => places.push(place),
                None => groups.push((found.clone(), vec![place])),
            }
        }
        let confined = |(policies, operations): (Vec<&Policy>, Vec<usize>)| Confined {
            operations,
            policies: policies.into_iter().cloned().collect(),
        };
        groups.into_iter().map(confined).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantic::{Kind, Value};

    #[test]
    fn operations_are_sorted_by_the_nodes_that_may_have_them() {
        let plane = ControlPlane::new(false);
        for region in ["eu", "us"] {
            let require = Map::new().with("node", Map::new().with("region", region));
            let policy = Map::new()
                .with("name", region)
                .with("match", Map::new().with("data_region", region))
                // Whatever backend it will be: the node sees the operation before.
                .with("condition", Map::new().with("data_region", region))
                .with("require", require)
                .with("action", Value::atom("enforce"));
            plane.policies_mut().add(Policy::from_map(&policy)).unwrap();
        }
        let operation = |region: Option<&str>| {
            let operation = Operation::new("a", Kind::FileCopy, Map::new());
            Operation { metadata: Map::new().with("data_region", region), ..operation }
        };
        let given = [Some("eu"), None, Some("us"), Some("eu"), None].map(operation);
        // Naming policies does not help.
        let groups = plane.confine(&given, Some(&[]));
        let places: Vec<_> = groups.iter().map(|group| group.operations.clone()).collect();
        assert_eq!(places, [vec![0, 3], vec![1, 4], vec![2]]);
        let at = |region: Option<&str>| Map::new().with("region", region);
        let allowed =
            |region| groups.iter().map(|group| group.allows(&at(region))).collect::<Vec<_>>();
        assert_eq!(allowed(Some("eu")), [true, true, false]);
        assert_eq!(allowed(Some("us")), [false, true, true]);
        assert_eq!(allowed(None), [false, true, false]);
        assert_eq!(plane.confine(&[], None).len(), 0);
    }
}
