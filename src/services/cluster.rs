//! `HAR.Cluster.LoadBalancer`: which node an operation belongs to.

use erlang_interop::node::{Node, NodeFilter};
use erlang_interop::otp::{Call, Exception, FunctionsBuilder, Outcome};
use erlang_interop::term::{Atom, Term};

use super::shapes;
use crate::semantic::terms;

const LOAD_BALANCER: &str = "Elixir.HAR.Cluster.LoadBalancer";

pub(super) fn register(functions: &mut FunctionsBuilder) {
    functions.function(LOAD_BALANCER, "route_to_node", 1, |call: Call| async move {
        route_to_node(call.node(), &call.arguments[0])
    });
}

/// `Enum.at(sorted nodes, rem(:erlang.phash2(operation.id), n))`, as the Elixir nodes have it.
fn route_to_node(node: &Node, operation: &Term) -> Outcome {
    let fields = operation.as_map().filter(|_| terms::is_struct(operation, terms::OPERATION));
    let id =
        fields.and_then(|fields| fields.get_atom("id")).ok_or_else(Exception::function_clause)?;
    shapes::operation(operation)?;
    let mut nodes: Vec<Term> =
        node.nodes(NodeFilter::Visible).into_iter().map(Term::Atom).collect();
    nodes.push(Term::Atom(Atom::clone(node.name())));
    Ok(choose(id, nodes))
}

fn choose(id: &Term, mut nodes: Vec<Term>) -> Term {
    nodes.sort();
    let count = u32::try_from(nodes.len()).expect("a node has fewer than 2^32 peers");
    let at = id.phash2() % count;
    nodes.swap_remove(usize::try_from(at).expect("an index of the list"))
}

#[cfg(test)]
mod tests {
    use erlang_interop::term::term;

    use super::*;

    #[test]
    fn the_choice_is_that_of_the_hash_over_sorted_nodes() {
        // :erlang.phash2("ansible_p0_t4_5", 9999) is 2764 in the contract; the full hash decides here.
        let id = Term::from("ansible_p0_t4_5");
        let nodes = vec![term!(@"c@h"), term!(@"a@h"), term!(@"b@h")];
        let sorted = [term!(@"a@h"), term!(@"b@h"), term!(@"c@h")];
        let want = sorted[usize::try_from(id.phash2() % 3).unwrap()].clone();
        assert_eq!(choose(&id, nodes), want);
        assert_eq!(id.phash2_range(9999), 2764);
    }
}
