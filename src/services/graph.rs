//! `HAR.Semantic.*`: graphs, operations, dependencies.

use erlang_interop::otp::{Call, Exception, FunctionsBuilder, Outcome};
use erlang_interop::term::{Term, term};

use super::errors::{error, graph_reason, ok, operation_reason};
use super::shapes;
use crate::semantic::{
    Dependency, DependencyType, Graph, Key, Map, Operation, OperationType, Value, terms, uuid4,
};

const GRAPH: &str = terms::GRAPH;
const OPERATION: &str = terms::OPERATION;
const DEPENDENCY: &str = terms::DEPENDENCY;

pub(super) fn register(functions: &mut FunctionsBuilder) {
    functions.pure(GRAPH, "new", 0, |_| Ok(Graph::default().to_term()));
    functions.pure(GRAPH, "new", 1, |args| new_graph(&args[0]));
    functions.pure(GRAPH, "add_operation", 2, |args| prepend(&args[0], "vertices", &args[1]));
    functions.pure(GRAPH, "add_dependency", 2, |args| prepend(&args[0], "edges", &args[1]));
    functions.pure(GRAPH, "find_operation", 2, |args| {
        let graph = shapes::graph(&args[0])?;
        let found = args[1].as_str().and_then(|id| graph.find_operation(id));
        Ok(found.map_or_else(|| term!(nil), Operation::to_term))
    });
    functions.pure(GRAPH, "operations_by_type", 2, |args| {
        let graph = shapes::graph(&args[0])?;
        let wanted =
            graph.vertices.iter().filter(|operation| args[1].is_atom(operation.kind.name()));
        Ok(Term::list(wanted.map(Operation::to_term)))
    });
    functions.pure(GRAPH, "dependencies_for", 2, |args| edges(&args[0], &args[1], |edge| &edge.to));
    functions.pure(GRAPH, "dependents_of", 2, |args| edges(&args[0], &args[1], |edge| &edge.from));
    functions.pure(GRAPH, "validate", 1, |args| {
        Ok(match shapes::graph(&args[0])?.validate() {
            Ok(()) => term!(ok),
            Err(fault) => error(graph_reason(&fault)),
        })
    });
    functions.pure(GRAPH, "topological_sort", 1, |args| {
        let graph = shapes::graph(&args[0])?;
        Ok(match graph.topological_order() {
            Ok(order) => ok(Term::list(order.iter().map(|&at| graph.vertices[at].to_term()))),
            Err(fault) => error(graph_reason(&fault)),
        })
    });
    functions.function(GRAPH, "partition_by", 2, partition_by);
    functions.pure(GRAPH, "merge", 1, |args| {
        let graphs =
            shapes::list(&args[0])?.iter().map(shapes::graph).collect::<Result<Vec<_>, _>>()?;
        Ok(Graph::merge(&graphs).to_term())
    });
    functions
        .pure(GRAPH, "operation_count", 1, |args| count(shapes::graph(&args[0])?.vertices.len()));
    functions
        .pure(GRAPH, "dependency_count", 1, |args| count(shapes::graph(&args[0])?.edges.len()));
    functions.pure(GRAPH, "empty?", 1, |args| {
        Ok(Term::from(shapes::graph(&args[0])?.vertices.is_empty()))
    });
    functions.pure(OPERATION, "new", 2, |args| new_operation(&args[0], &args[1], &Term::Nil));
    functions.pure(OPERATION, "new", 3, |args| new_operation(&args[0], &args[1], &args[2]));
    functions.pure(OPERATION, "validate", 1, |args| {
        Ok(match shapes::operation(&args[0])?.validate() {
            Ok(()) => term!(ok),
            Err(fault) => error(operation_reason(&fault)),
        })
    });
    functions.pure(OPERATION, "to_string", 1, |args| {
        let operation = shapes::operation(&args[0])?;
        let params = terms::map_term(&operation.params);
        Ok(Term::from(format!("{}({})", operation.kind.name(), params.to_elixir())))
    });
    functions
        .pure("Elixir.HAR.Semantic.Operation.UUID", "uuid4", 0, |_| random_id().map(Term::from));
    functions.pure(DEPENDENCY, "new", 3, |args| new_dependency(args, &Term::Nil));
    functions.pure(DEPENDENCY, "new", 4, |args| new_dependency(args, &args[3]));
    functions.pure(DEPENDENCY, "valid?", 1, |args| {
        if !terms::is_struct(&args[0], DEPENDENCY) {
            return Err(Exception::function_clause());
        }
        Ok(Term::from(Dependency::from_term(&args[0]).is_some_and(|edge| edge.is_valid())))
    });
}

fn count(number: usize) -> Outcome {
    Ok(Term::from(i64::try_from(number).unwrap_or(i64::MAX)))
}

fn new_graph(options: &Term) -> Outcome {
    let fields = options_terms(options)?;
    let part = |name: &str, empty: Term| {
        fields.iter().find(|(key, _)| key == name).map_or(empty, |(_, value)| value.clone())
    };
    Ok(terms::structure(
        GRAPH,
        [
            ("vertices", part("vertices", Term::Nil)),
            ("edges", part("edges", Term::Nil)),
            ("metadata", part("metadata", terms::map_term(&Map::new()))),
        ],
    ))
}

/// The entries of a keyword list as they came.
fn options_terms(options: &Term) -> Result<Vec<(String, Term)>, Exception> {
    let pair = |item: Term| match item.as_tuple() {
        Some([key, value]) => Some((key.as_atom()?.as_str().to_owned(), value.clone())),
        _ => None,
    };
    shapes::list(options)?
        .into_iter()
        .map(|item| pair(item).ok_or_else(Exception::function_clause))
        .collect()
}

/// The struct with an item in front of one of its lists; the rest stays as the caller gave it.
fn prepend(graph: &Term, field: &'static str, item: &Term) -> Outcome {
    let fields = graph
        .as_map()
        .filter(|_| terms::is_struct(graph, GRAPH))
        .ok_or_else(Exception::function_clause)?;
    let list = shapes::list(fields.get_atom(field).ok_or_else(Exception::function_clause)?)?;
    let longer = Term::list(std::iter::once(item.clone()).chain(list));
    Ok(Term::from(fields.insert(Term::atom(field), longer)))
}

fn edges(graph: &Term, id: &Term, end: fn(&Dependency) -> &String) -> Outcome {
    let graph = shapes::graph(graph)?;
    let wanted = graph.edges.iter().filter(|edge| id.as_str() == Some(end(edge)));
    Ok(Term::list(wanted.map(Dependency::to_term)))
}

fn random_id() -> Result<String, Exception> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| Exception::system_limit())?;
    Ok(uuid4(bytes))
}

fn new_operation(kind: &Term, params: &Term, options: &Term) -> Outcome {
    let kind = kind.as_atom().ok_or_else(Exception::function_clause)?;
    let options = options_terms(options)?;
    let option = |name: &str| options.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    let id = match option("id").filter(|id| !id.is_atom("nil")) {
        Some(id) => shapes::text(id)?.to_owned(),
        None => random_id()?,
    };
    let map = |name: &str| option(name).map_or_else(|| Ok(Map::new()), shapes::map);
    let mut operation =
        Operation::new(id, OperationType::from_name(kind.as_str()), shapes::map(params)?);
    operation.target = map("target")?;
    operation.metadata = map("metadata")?;
    Ok(operation.to_term())
}

fn new_dependency(args: &[Term], options: &Term) -> Outcome {
    let (from, to) = (shapes::text(&args[0])?, shapes::text(&args[1])?);
    let kind = args[2].as_atom().ok_or_else(Exception::function_clause)?;
    let options = shapes::options(options)?;
    let metadata = match options.get("metadata") {
        Some(Value::Map(map)) => map.clone(),
        _ => Map::new(),
    };
    let kind = DependencyType::from_name(kind.as_str());
    Ok(Dependency { from: from.to_owned(), to: to.to_owned(), kind, metadata }.to_term())
}

/// Groups by what a fun gives for each operation. The keys come in term order.
async fn partition_by(call: Call) -> Outcome {
    let graph = shapes::graph(&call.arguments[0])?;
    let mut keys = Vec::with_capacity(graph.vertices.len());
    for operation in &graph.vertices {
        keys.push(call.apply_fun(&call.arguments[1], vec![operation.to_term()]).await?);
    }
    let place: std::collections::HashMap<&str, usize> = graph
        .vertices
        .iter()
        .enumerate()
        .map(|(at, operation)| (operation.id.as_str(), at))
        .collect();
    let mut groups = graph.partition_by(|operation| keys[place[operation.id.as_str()]].clone());
    groups.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(Term::list(groups.into_iter().map(|(key, mut group)| {
        group.metadata =
            Map::from_entries(vec![(Key::atom("partition_key"), Value::Opaque(key.clone()))]);
        Term::from((key, group.to_term()))
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_grows_at_its_head() {
        let operation =
            new_operation(&term!(command_run), &term!(#{}), &term!([{id, "a"}])).unwrap();
        let graph = prepend(&Graph::default().to_term(), "vertices", &operation).unwrap();
        assert_eq!(shapes::graph(&graph).unwrap().vertices[0].id, "a");
        assert!(prepend(&term!(#{}), "vertices", &operation).is_err());
    }

    #[test]
    fn ids_are_made_when_none_is_given() {
        let made = new_operation(&term!(x), &term!(#{}), &Term::Nil).unwrap();
        let id = Operation::from_term(&made).unwrap().id;
        assert_eq!((id.len(), id.as_bytes()[14]), (36, b'4'));
    }
}
