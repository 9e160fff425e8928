//! Nodes that the API of Kubernetes tells, asked over TLS. Its answers in `tests/data/kubernetes` were
//! recorded from a real one; `test/run --only kubernetes` asks a real one again.

#[cfg(feature = "__kube_apiserver")]
mod real;
mod server;
#[cfg(feature = "__kube_apiserver")]
mod with_real;

use crate::beam::Beam;
use crate::discovery::{Mesh, assert_met};
use crate::running::{Running, eventually};
use server::{ApiServer, Said};

const PODS: &str = include_str!("../../data/kubernetes/pods.json");
const PODS_NONE: &str = include_str!("../../data/kubernetes/pods_none.json");
const ENDPOINTS: &str = include_str!("../../data/kubernetes/endpoints.json");
const ENDPOINT_SLICES: &str = include_str!("../../data/kubernetes/endpoint_slices.json");
const FORBIDDEN: &str = include_str!("../../data/kubernetes/forbidden.json");
const ADDED: &str = include_str!("../../data/kubernetes/added.json");
const DELETED: &str = include_str!("../../data/kubernetes/deleted.json");
const BOOKMARK: &str = include_str!("../../data/kubernetes/bookmark.json");
const GONE: &str = include_str!("../../data/kubernetes/gone.json");

/// Finds nobody, and is found.
const NOTHING: &str = "{strategy: epmd, config: {hosts: []}}";
const CONNECTED: &str = "nodeup peer='found@127.0.0.1'";
const LOST: &str = "nodedown peer='found@127.0.0.1'";

/// The topology of a pod whose service account lies in `mesh`'s home.
fn topology(mesh: &Mesh, api: &ApiServer, more: &str) -> String {
    let token = api.script().token.clone();
    topology_of(mesh, api.port, &api.ca, &token, more)
}

fn topology_of(mesh: &Mesh, port: u16, ca: &str, token: &str, more: &str) -> String {
    mesh.home.file("ca.crt", ca);
    mesh.home.file("token", &format!("{token}\n"));
    mesh.home.file("namespace", "mesh");
    format!(
        "{{strategy: Cluster.Strategy.Kubernetes, config: {{kubernetes_node_basename: found, \
         kubernetes_selector: app.kubernetes.io/name=har, \
         kubernetes_master: '127.0.0.1:{port}', kubernetes_service_account_path: {}, \
         polling_interval: 100{more}}}}}",
        mesh.home.path().display()
    )
}

/// A mesh with a node `found`, an API server, and a node that finds pods by it.
fn found_by(list: &str, more: &str) -> (Mesh, Running, ApiServer, Running) {
    let (mesh, api) = (Mesh::new(), ApiServer::start("one", list));
    let found = mesh.node("found", NOTHING);
    let topology = topology(&mesh, &api, more);
    let finder = mesh.node("finder", &topology);
    (mesh, found, api, finder)
}

const PODS_MODE: &str = ", kubernetes_ip_lookup_mode: pods";

#[test]
fn each_kind_of_object_tells_a_node() {
    for (list, lookup, path) in [
        (PODS, "pods", "/api/v1/namespaces/mesh/pods?"),
        (ENDPOINTS, "endpoints", "/api/v1/namespaces/mesh/endpoints?"),
        (
            ENDPOINT_SLICES,
            "endpoint_slices",
            "/apis/discovery.k8s.io/v1/namespaces/mesh/endpointslices?",
        ),
    ] {
        let more = format!(", kubernetes_ip_lookup_mode: {lookup}");
        let (_mesh, found, api, finder) = found_by(list, &more);
        assert_met(("found", &found), ("finder", &finder));
        let first = api.script().asked[0].clone();
        assert!(first.starts_with(path), "{first}");
        assert!(first.contains("labelSelector=app.kubernetes.io%2Fname%3Dhar&limit="), "{first}");
        assert!(!finder.stderr.text().contains("127.0.0.9"), "{}", finder.stderr.text());
    }
}

#[test]
fn a_beam_is_found() {
    let (beam, mesh) = (Beam::start(), Mesh::new());
    let api = ApiServer::start("one", PODS);
    let topology = topology(&mesh, &api, PODS_MODE).replace("basename: found", "basename: beam");
    let mut command = beam.command();
    command.env("HAR_CLUSTER_TOPOLOGIES", format!("{{here: {topology}}}"));
    command.env("HAR_COOKIE", "C").arg("start");
    let har = Running::start(command);
    har.stderr.wait_for("nodeup peer='beam@127.0.0.1'");
    eventually("the BEAM sees it", || {
        let nodes = beam.har("C", &["rpc", "beam@127.0.0.1", "erlang", "nodes", "[]"]);
        nodes.stdout.contains("har@127.0.0.1").then_some(())
    });
}

#[test]
fn a_watch_tells_who_comes_and_goes() {
    let (_mesh, _found, api, finder) = found_by(PODS_NONE, PODS_MODE);
    eventually("it watches", || (api.asked("watch=true") == 1).then_some(()));
    api.say(ADDED);
    finder.stderr.wait_for(CONNECTED);
    api.say(DELETED);
    finder.stderr.wait_for(LOST);
    // All that by one list: changes were told, not asked for.
    assert_eq!(api.asked("limit="), 1);
}

#[test]
fn a_watch_goes_on_where_it_was_and_is_begun_anew_when_that_is_gone() {
    let (_mesh, _found, api, finder) = found_by(PODS, PODS_MODE);
    finder.stderr.wait_for(CONNECTED);
    api.say(BOOKMARK);
    api.script().watch.push_back(Said::End);
    eventually("it goes on", || (api.asked("resourceVersion=205") == 1).then_some(()));
    assert_eq!(api.asked("limit="), 1);
    api.say(GONE);
    eventually("a new list", || (api.asked("limit=") == 2).then_some(()));
    eventually("a new watch", || (api.asked("resourceVersion=201") == 2).then_some(()));
    assert!(!finder.stderr.text().contains("nodedown"), "{}", finder.stderr.text());
}

#[test]
fn a_refusal_does_not_empty_the_cluster_and_names_its_cure() {
    let (mesh, _found, api, finder) = found_by(PODS, &format!("{PODS_MODE}, watch: false"));
    finder.stderr.wait_for(CONNECTED);
    for (list, told) in [
        ((403, FORBIDDEN), "cannot query kubernetes (unauthorized): pods is forbidden"),
        ((302, ""), "cannot query kubernetes (302"),
        ((500, "hello"), "cannot query kubernetes (500"),
        ((200, "{"), "kubernetes' answer is not understood"),
    ] {
        let times = finder.stderr.text().matches("answers again").count();
        api.script().list = (list.0, list.1.to_owned());
        finder.stderr.wait_for(told);
        api.script().list = (200, PODS.to_owned());
        finder.stderr.wait_for_times("answers again", times + 1);
    }
    let log = finder.stderr.text();
    assert!(log.contains("a Role and a RoleBinding"), "{log}");
    assert_eq!(log.matches("pods is forbidden").count(), 1, "{log}");
    assert!(!log.contains("nodedown"), "{log}");
    assert!(mesh.elixir("finder", "Node", "list").contains("found@127.0.0.1"));
}

#[test]
fn a_watch_that_is_refused_leaves_asking() {
    let (_mesh, _found, api, finder) = found_by(PODS_NONE, PODS_MODE);
    eventually("it watches", || (api.asked("watch=true") == 1).then_some(()));
    api.script().list = (403, FORBIDDEN.to_owned());
    api.script().watch.push_back(Said::End);
    finder.stderr.wait_for("cannot be used now, trying on");
    api.script().list = (200, PODS.to_owned());
    finder.stderr.wait_for(CONNECTED);
}

#[test]
fn a_token_is_replaced_while_the_node_runs_and_is_in_no_log() {
    let (mesh, _found, api, finder) = found_by(PODS, &format!("{PODS_MODE}, watch: false"));
    finder.stderr.wait_for(CONNECTED);
    api.script().token = "two-hushhush".to_owned();
    finder.stderr.wait_for("cannot query kubernetes (401 Unauthorized)");
    mesh.home.file("token", "two-hushhush");
    finder.stderr.wait_for("answers again");
    assert!(api.script().answered.contains(&401));
    let log = finder.stderr.text();
    assert!(!log.contains("hushhush") && !log.contains("nodedown"), "{log}");
}

#[test]
fn a_server_with_another_ca_is_told_nothing() {
    let (mesh, api) = (Mesh::new(), ApiServer::start("one", PODS));
    let other = ApiServer::start("one", PODS);
    let topology = topology(&mesh, &api, PODS_MODE);
    mesh.home.file("ca.crt", &other.ca);
    let finder = mesh.node("finder", &topology);
    finder.stderr.wait_for("request to kubernetes failed!");
    assert_eq!(api.script().asked, Vec::<String>::new());
}
