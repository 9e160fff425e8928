//! The same against a real API server: `test/run --only kubernetes`.

use super::real::KubeApi;
use super::{CONNECTED, LOST, NOTHING, PODS_MODE, topology_of};
use crate::discovery::Mesh;
use crate::running::Running;

/// A mesh with a node `found`, an API server that knows no pod, and a node that asks it.
fn asking(more: &str) -> (Mesh, Running, KubeApi, Running) {
    let (mesh, api) = (Mesh::new(), KubeApi::start());
    let found = mesh.node("found", NOTHING);
    let topology = topology_of(&mesh, api.port, &api.ca, &api.token(), more);
    let finder = mesh.node("finder", &topology);
    (mesh, found, api, finder)
}

#[test]
fn pods_come_and_go_also_while_the_server_crashes() {
    let (_mesh, _found, mut api, finder) = asking(PODS_MODE);
    api.add_pod("har-0", "127.0.0.1");
    finder.stderr.wait_for(CONNECTED);
    api.delete_pod("har-0");
    finder.stderr.wait_for(LOST);
    api.add_pod("har-1", "127.0.0.1");
    finder.stderr.wait_for_times(CONNECTED, 2);
    api.crash();
    let log = finder.stderr.text();
    assert_eq!(log.matches(LOST).count(), 1, "{log}");
    api.delete_pod("har-1");
    finder.stderr.wait_for_times(LOST, 2);
}

#[test]
fn a_role_taken_away_does_not_empty_the_cluster() {
    let (mesh, _found, api, finder) = asking(&format!("{PODS_MODE}, watch: false"));
    api.add_pod("har-0", "127.0.0.1");
    finder.stderr.wait_for(CONNECTED);
    api.forbid();
    finder.stderr.wait_for("cannot query kubernetes (unauthorized): pods is forbidden");
    finder.stderr.wait_for("a Role and a RoleBinding");
    api.allow();
    finder.stderr.wait_for("answers again");
    assert!(!finder.stderr.text().contains("nodedown"), "{}", finder.stderr.text());
    assert!(mesh.elixir("finder", "Node", "list").contains("found@127.0.0.1"));
}

#[test]
fn a_token_that_is_worth_nothing_any_more_is_replaced_by_the_one_in_the_file() {
    let (mesh, _found, api, finder) = asking(&format!("{PODS_MODE}, watch: false"));
    api.add_pod("har-0", "127.0.0.1");
    finder.stderr.wait_for(CONNECTED);
    api.revoke_tokens();
    finder.stderr.wait_for("cannot query kubernetes (401 Unauthorized)");
    mesh.home.file("token", &api.token());
    finder.stderr.wait_for("answers again");
    assert!(!finder.stderr.text().contains("nodedown"), "{}", finder.stderr.text());
}
