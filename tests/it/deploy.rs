//! The files of `deploy/` say what this program understands: settings, ports, commands.

use std::collections::BTreeMap;

use serde_yaml::{Deserializer, Value};

use crate::command::{Home, Outcome};

const KUBERNETES: &str = include_str!("../../deploy/kubernetes/har.yaml");
const COMPOSE: &str = include_str!("../../deploy/compose/compose.yaml");
const UNIT: &str = include_str!("../../deploy/systemd/har.service");
const CONTAINERFILE: &str = include_str!("../../deploy/container/Containerfile");

fn documents(text: &str) -> Vec<Value> {
    use serde::Deserialize as _;
    Deserializer::from_str(text)
        .map(|document| {
            let mut value = Value::deserialize(document).expect("valid YAML");
            value.apply_merge().expect("merges that fit");
            value
        })
        .collect()
}

fn of_kind(kind: &str) -> Value {
    documents(KUBERNETES).into_iter().find(|object| object["kind"] == kind).expect("is there")
}

/// What `har config show` makes of these variables, with single spaces.
fn shown(variables: &BTreeMap<String, String>) -> String {
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let outcome: Outcome = Home::new().har_with(&variables, &["config", "show"]);
    let lines = outcome.assert_works().lines();
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect()
}

#[track_caller]
fn assert_shows(shown: &str, settings: &[&str]) {
    for setting in settings {
        assert!(
            shown.lines().any(|line| line.starts_with(&format!("{setting} #"))),
            "{setting} is not in\n{shown}"
        );
    }
}

/// Every variable for us is one that the program reads: it names its origin.
#[track_caller]
fn assert_heeded(shown: &str, variables: &BTreeMap<String, String>) {
    for name in variables.keys().filter(|name| name.starts_with("HAR_")) {
        assert!(shown.contains(name.as_str()), "{name} is heeded by nothing in\n{shown}");
    }
}

#[test]
fn the_stateful_set_configures_a_node() {
    let set = of_kind("StatefulSet");
    let container = &set["spec"]["template"]["spec"]["containers"][0];
    let mut variables = BTreeMap::new();
    for entry in container["env"].as_sequence().expect("variables") {
        let name = entry["name"].as_str().expect("a name").to_owned();
        let value = match (entry["value"].as_str(), name.as_str()) {
            (Some(value), _) => {
                value.replace("$(POD_NAME)", "har-0").replace("$(POD_NAMESPACE)", "mesh")
            }
            (None, "POD_NAME") => "har-0".to_owned(),
            (None, "POD_NAMESPACE") => "mesh".to_owned(),
            (None, "POD_IP" | "HAR_OPS_INTERFACE") => "10.1.2.3".to_owned(),
            (None, _) => "FROM_A_SECRET".to_owned(),
        };
        variables.insert(name, value);
    }
    let shown = shown(&variables);
    assert_heeded(&shown, &variables);
    let settings = [
        "node.name har@har-0.har.mesh.svc.cluster.local",
        "distribution.interface 10.1.2.3",
        "distribution.listen_min 9100",
        "distribution.listen_max 9100",
        "epmd.port 4369",
        "ops.port 9568",
        "ops.interface 10.1.2.3",
    ];
    assert_shows(&shown, &settings);
    assert!(shown.contains("kubernetes_dns_srv"), "{shown}");
}

/// The comment that shows how to ask the API is a topology, and the Role lets it.
#[test]
fn the_topology_that_asks_the_api_is_understood_and_allowed() {
    let shown_in = KUBERNETES.split_once("HAR_CLUSTER_TOPOLOGIES: ").expect("a comment").1;
    let comment = shown_in.split_once("\napiVersion").expect("the first object").0;
    let topology = comment.replace("\n#", "");
    let variables = [("HAR_CLUSTER_TOPOLOGIES", &*topology)];
    let outcome = Home::new().har_with(&variables, &["config", "show"]);
    assert!(outcome.assert_works().contains("pods: kubernetes}"), "{outcome:?}");
    let role = of_kind("Role");
    for rule in role["rules"].as_sequence().expect("rules") {
        let verbs = rule["verbs"].as_sequence().expect("verbs");
        assert!(["get", "list", "watch"].iter().all(|verb| verbs.contains(&(*verb).into())));
    }
    let resources: Vec<&str> = role["rules"]
        .as_sequence()
        .expect("rules")
        .iter()
        .flat_map(|rule| rule["resources"].as_sequence().expect("resources"))
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(resources, ["endpoints", "pods", "endpointslices"]);
    let binding = of_kind("RoleBinding");
    assert_eq!(binding["roleRef"]["name"], role["metadata"]["name"]);
    assert_eq!(binding["subjects"][0]["name"], of_kind("ServiceAccount")["metadata"]["name"]);
}

#[test]
fn ports_have_the_same_names_and_numbers_everywhere() {
    let set = of_kind("StatefulSet");
    let service = of_kind("Service");
    let policy = of_kind("NetworkPolicy");
    let wanted = [("epmd", 4369), ("distribution", 9100)];
    let container = &set["spec"]["template"]["spec"]["containers"][0];
    for (at, (name, number)) in wanted.into_iter().enumerate() {
        let inside = &container["ports"][at];
        assert_eq!((&inside["name"], &inside["containerPort"]), (&name.into(), &number.into()));
        let outside = &service["spec"]["ports"][at];
        assert_eq!((&outside["name"], &outside["port"]), (&name.into(), &number.into()));
        assert_eq!(outside["targetPort"], name);
        assert_eq!(policy["spec"]["ingress"][0]["ports"][at]["port"], name);
    }
    // Who asks for metrics or probes asks a pod, not the service.
    assert_eq!(container["ports"][2]["name"], "ops");
    let ops = &container["ports"][2]["containerPort"];
    assert_eq!(policy["spec"]["ingress"][1]["ports"][0]["port"], "ops");
    let annotations = &set["spec"]["template"]["metadata"]["annotations"];
    let scraped = annotations["prometheus.io/port"].as_str().expect("a port");
    assert_eq!(ops.as_u64().expect("a number").to_string(), scraped);
    let variable = |entry: &&Value| entry["name"] == "HAR_OPS_PORT";
    let set_to = container["env"].as_sequence().expect("variables").iter().find(variable);
    assert_eq!(set_to.expect("the port")["value"], scraped);
    for (probe, path) in [("readinessProbe", "/readyz"), ("livenessProbe", "/healthz")] {
        assert_eq!(container[probe]["httpGet"]["port"], "ops");
        assert_eq!(container[probe]["httpGet"]["path"], path);
    }
    assert!(CONTAINERFILE.contains("EXPOSE 4369 9100 9568\n"));
    assert_eq!(service["metadata"]["name"], set["spec"]["serviceName"]);
}

#[test]
fn the_nodes_of_the_compose_file_name_each_other() {
    let compose = documents(COMPOSE).remove(0);
    let services = compose["services"].as_mapping().expect("services");
    let mut names = Vec::new();
    for service in services.values() {
        let variables: BTreeMap<String, String> = service["environment"]
            .as_mapping()
            .expect("variables")
            .iter()
            .map(|(name, value)| (name.as_str().unwrap().into(), value.as_str().unwrap().into()))
            .collect();
        let shown = shown(&variables);
        assert_heeded(&shown, &variables);
        let name = &variables["HAR_NODE_NAME"];
        assert_shows(&shown, &[&format!("node.name {name}")]);
        let host = name.split_once('@').expect("a host").1;
        assert_eq!(service["hostname"], host);
        assert_eq!(service["networks"]["mesh"]["aliases"][0], host);
        assert_eq!(service["image"], "har");
        names.push((name.clone(), variables["HAR_CLUSTER_NODES"].clone()));
    }
    let all: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(all.len(), 3);
    assert!(names.iter().all(|(_, nodes)| *nodes == all.join(",")), "{names:?}");
}

#[test]
fn the_commands_are_commands_of_har() {
    let home = Home::new();
    let set = of_kind("StatefulSet");
    let container = &set["spec"]["template"]["spec"]["containers"][0];
    let mut commands = Vec::new();
    let command = container["startupProbe"]["exec"]["command"].as_sequence().expect("a command");
    commands.push(command[1..].to_vec());
    commands.push(container["args"].as_sequence().expect("arguments").clone());
    let start = UNIT.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/har "));
    commands.push(start.expect("a command").split(' ').map(Value::from).collect());
    for command in commands {
        let mut words: Vec<&str> = command.iter().filter_map(Value::as_str).collect();
        words.push("--help");
        home.har(&words).assert_works();
    }
}
