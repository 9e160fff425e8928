//! What the Elixir HAR answers, where it is right: graphs, orders and routes equal; outputs equal in
//! meaning. Texts cannot be equal byte for byte: the Elixir HAR sorts states by id, and names
//! requisites `state:`, which Salt does not know.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use erlang_interop::term::decode;
use serde_json::Value as Json;

use crate::control_plane::{ControlPlane, Status};
use crate::data_plane::format::{Options, find};
use crate::data_plane::yaml::{Node, NodeKind, read};
use crate::semantic::{Graph, Key, Map, Value};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("src/data_plane/formats/testdata/vectors")
        .join(name)
}

fn vector(name: &str) -> Json {
    serde_json::from_str(&fs::read_to_string(path(&format!("{name}.json"))).unwrap()).unwrap()
}

/// The graph that a vector's input is parsed into, with ids counted from 1.
fn parsed(vector: &Json) -> Graph {
    let options = Options { first_id: Some(1), ..Options::default() };
    let format = find(vector["from"].as_str().unwrap()).unwrap();
    format.parse(vector["input"].as_str().unwrap(), &options).unwrap().graph
}

/// Maps without their order, for comparing.
#[derive(Debug, PartialEq)]
enum Plain {
    Scalar(String),
    List(Vec<Plain>),
    Map(BTreeMap<String, Plain>),
}

fn plain(value: &Value) -> Plain {
    match value {
        Value::List(items) => Plain::List(items.iter().map(plain).collect()),
        Value::Map(map) => {
            Plain::Map(map.iter().map(|(key, value)| (key_text(key), plain(value))).collect())
        }
        Value::Atom(name) => Plain::Scalar(format!(":{name}")),
        scalar => Plain::Scalar(format!("{scalar:?}")),
    }
}

fn key_text(key: &Key) -> String {
    match key {
        Key::Atom(name) => format!(":{name}"),
        other => other.label(),
    }
}

/// A value in the notation of the vectors.
fn from_json(json: &Json) -> Plain {
    match json {
        Json::Object(map) if map.contains_key("$atom") => {
            Plain::Scalar(format!(":{}", map["$atom"].as_str().unwrap()))
        }
        Json::Object(map) => {
            Plain::Map(map.iter().map(|(key, value)| (key.clone(), from_json(value))).collect())
        }
        Json::Array(items) => Plain::List(items.iter().map(from_json).collect()),
        Json::Null => plain(&Value::Null),
        Json::Bool(flag) => plain(&Value::Bool(*flag)),
        Json::Number(number) => plain(&Value::Integer(number.as_i64().unwrap())),
        Json::String(text) => plain(&Value::from(text.as_str())),
    }
}

fn operations(graph: &Graph) -> Plain {
    let operation = |operation: &crate::semantic::Operation| {
        plain(&Value::Map(
            Map::new()
                .with("id", operation.id.clone())
                .with("type", Value::atom(operation.kind.name()))
                .with("params", operation.params.clone())
                .with("target", operation.target.clone())
                .with("metadata", operation.metadata.clone()),
        ))
    };
    Plain::List(graph.vertices.iter().map(operation).collect())
}

fn dependencies(graph: &Graph) -> Plain {
    let edge = |edge: &crate::semantic::Dependency| {
        plain(&Value::Map(
            Map::new()
                .with("from", edge.from.clone())
                .with("to", edge.to.clone())
                .with("type", Value::atom(edge.kind.name()))
                .with("metadata", edge.metadata.clone()),
        ))
    };
    Plain::List(graph.edges.iter().map(edge).collect())
}

#[test]
fn graphs_orders_and_routes_are_those_of_the_elixir_har() {
    for name in ["clean_ansible_to_salt", "empty_playbook", "ansible_opts"] {
        let vector = vector(name);
        let graph = parsed(&vector);
        assert_eq!(operations(&graph), from_json(&vector["operations"]), "{name}");
        assert_eq!(dependencies(&graph), from_json(&vector["dependencies"]), "{name}");
        assert_eq!(order(&graph), vector["topological_order"], "{name}");
        assert_eq!(routes(&graph), vector["route_all_healthy"]["backends"], "{name}");
    }
}

fn order(graph: &Graph) -> Json {
    graph.topological_order().unwrap().into_iter().map(|at| graph.vertices[at].id.clone()).collect()
}

fn routes(graph: &Graph) -> Json {
    let plane = ControlPlane::new(true);
    for route in plane.table().routes() {
        for backend in &route.backends {
            plane.health_mut().set(&backend.id(), Status::Healthy);
        }
    }
    let plan = plane.route(graph, Value::Null, None).unwrap();
    let names = plan.decisions.iter().map(|decision| {
        let all = std::iter::once(&decision.backend).chain(&decision.alternatives);
        all.map(|backend| Json::from(backend.name.as_str())).collect::<Json>()
    });
    names.collect()
}

/// Edges and types of Salt files; the order of the states is the source's here, sorted there.
#[test]
fn salt_requisites_are_those_of_the_elixir_har() {
    let vector = vector("clean_salt_to_salt_requisites");
    let graph = parsed(&vector);
    let strip = |id: &str| id.rsplit_once('_').unwrap().0.to_owned();
    let mut got: Vec<_> = graph
        .edges
        .iter()
        .map(|edge| (strip(&edge.from), strip(&edge.to), edge.kind.name().to_owned()))
        .collect();
    let mut want: Vec<_> = vector["dependencies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| {
            let id = |end: &str| strip(edge[end].as_str().unwrap());
            (id(":from"), id(":to"), edge[":type"]["$atom"].as_str().unwrap().to_owned())
        })
        .collect();
    got.sort();
    want.sort();
    assert_eq!(got, want);
}

#[test]
fn a_cycle_is_an_error() {
    let graph = parsed(&vector("salt_watch_cycle"));
    assert!(find("salt").unwrap().transform(&graph, &Options::default()).is_err());
}

/// States by function and arguments, and tasks by module and arguments; names of ids aside.
fn states(sls: &str) -> Vec<Plain> {
    let document = read(sls).unwrap().pop().unwrap();
    let mut found: Vec<(String, Plain)> = Vec::new();
    for (_, body) in document.entries().unwrap() {
        let (function, args) = &body.entries().unwrap()[0];
        let mut map = BTreeMap::new();
        for arg in args.items().unwrap_or_default() {
            let (name, value) = &arg.entries().unwrap()[0];
            map.insert(name.text().unwrap().to_owned(), requisite(value));
        }
        found.push((function.text().unwrap().to_owned(), Plain::Map(map)));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
        .into_iter()
        .map(|(function, args)| Plain::Map(BTreeMap::from([(function, args)])))
        .collect()
}

/// Requisites by id: the Elixir HAR writes `state:` where Salt wants the module.
fn requisite(value: &Node) -> Plain {
    match &value.kind {
        NodeKind::Sequence(items) if items.iter().all(|item| item.entries().is_some()) => {
            let ids =
                items.iter().map(|item| item.entries().unwrap()[0].1.text().unwrap().to_owned());
            Plain::List(ids.map(Plain::Scalar).collect())
        }
        _ => plain(&value.value()),
    }
}

#[test]
fn foreign_graphs_become_the_same_states() {
    let vector = vector("clean_chef_to_salt");
    let etf = bytes::Bytes::from(fs::read(path("clean_chef_to_salt.etf")).unwrap());
    let graph = Graph::from_term(&decode(&etf).unwrap()).unwrap();
    let done = find("salt").unwrap().transform(&graph, &Options::default()).unwrap();
    assert_eq!(states(&done.text), states(vector["output"].as_str().unwrap()));
}

#[test]
fn playbooks_mean_the_same() {
    for name in ["ansible_opts", "clean_salt_services"] {
        let vector = vector(name);
        let mut options = Options::default();
        for (key, value) in vector["opts"].as_object().unwrap() {
            let value = value
                .as_bool()
                .map_or_else(|| Value::from(value.as_str().unwrap_or_default()), Value::Bool);
            options.values.set(key, value);
        }
        let done = find("ansible").unwrap().transform(&parsed(&vector), &options).unwrap();
        let value = |text: &str| plain(&read(text).unwrap().pop().unwrap().value());
        assert_eq!(
            value(&done.text),
            value(vector["output"].as_str().unwrap()),
            "{name}\n{}",
            done.text
        );
    }
    let vector = vector("clean_puppet_to_ansible");
    let etf = bytes::Bytes::from(fs::read(path("clean_puppet_to_ansible.etf")).unwrap());
    let graph = Graph::from_term(&decode(&etf).unwrap()).unwrap();
    let done = find("ansible").unwrap().transform(&graph, &Options::default()).unwrap();
    let modules = |text: &str| -> Vec<String> {
        let document = read(text).unwrap().pop().unwrap();
        let tasks = document.items().unwrap()[0].get("tasks").unwrap().clone();
        let names = tasks.items().unwrap().iter().flat_map(|task| {
            task.entries().unwrap().iter().map(|(key, _)| key.text().unwrap().to_owned())
        });
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    };
    assert_eq!(modules(&done.text), modules(vector["output"].as_str().unwrap()));
}
