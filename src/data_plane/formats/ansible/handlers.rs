//! Handlers: which tasks notify which.

use std::collections::HashMap;

use super::parse::SECTION;
use crate::data_plane::format::ParseError;
use crate::data_plane::limits::DEPENDENCIES_MAX;
use crate::data_plane::report::{Report, Status};
use crate::semantic::{Dependency, DependencyType, Graph, Operation, Value};

/// Adds an edge from each notifying operation to each handler that it names, within its play.
///
/// # Errors
/// When the tasks and handlers multiply beyond the limit.
pub(super) fn connect(graph: &mut Graph, report: &mut Report) -> Result<(), ParseError> {
    let handlers = topics(graph);
    let mut edges = Vec::new();
    for (at, operation) in graph.vertices.iter().enumerate() {
        if edges.len() > DEPENDENCIES_MAX {
            return Err(ParseError::Limit { what: "notifications", max: DEPENDENCIES_MAX });
        }
        let is_handler = operation.metadata.text(SECTION) == Some("handlers");
        for topic in operation.metadata.get("notify").and_then(Value::as_list).unwrap_or_default() {
            let topic = topic.as_text().unwrap_or_default();
            let found = handlers.get(&(play_of(operation), topic.to_owned()));
            match found {
                Some(places) => {
                    // Handlers run in their own order: one can only wake those after it.
                    let new = places.iter().filter(|place| !is_handler || **place > at);
                    let edge = |place: &usize| {
                        Dependency::new(
                            &operation.id,
                            &graph.vertices[*place].id,
                            DependencyType::Notifies,
                            "ansible_notify",
                        )
                    };
                    edges.extend(new.map(edge));
                }
                None => {
                    report.about(
                        operation,
                        Status::Lost,
                        "notify",
                        format!("no handler is called `{topic}`"),
                    );
                }
            }
        }
    }
    graph.edges.extend(edges);
    Ok(())
}

/// Handlers by play and by the names and topics they answer to.
fn topics(graph: &Graph) -> HashMap<(String, String), Vec<usize>> {
    let mut found: HashMap<(String, String), Vec<usize>> = HashMap::new();
    let is_handler = |operation: &&Operation| operation.metadata.text(SECTION) == Some("handlers");
    for (at, handler) in
        graph.vertices.iter().enumerate().filter(|(_, operation)| is_handler(operation))
    {
        let name = handler.metadata.text("task_name");
        let listens = handler.metadata.get("listen").and_then(Value::as_list).unwrap_or_default();
        for topic in name.into_iter().chain(listens.iter().filter_map(Value::as_text)) {
            found.entry((play_of(handler), topic.to_owned())).or_default().push(at);
        }
    }
    found
}

/// The part of the id that names the play.
fn play_of(operation: &Operation) -> String {
    operation.id.split("_t").next().unwrap_or_default().to_owned()
}
