//! TLS between nodes of ours: what carries over, sessions, files that change, ends that come near.

use std::path::Path;
use std::time::{Duration, SystemTime};

use erlang_node::transport::Transport;
use erlang_node::transport::tls::Tls;
use erlang_node::{Context, Node, NodeConfig, NodeFilter, NodeName, SpawnOptions};
use erlang_term::Term;

use crate::certificates::{Authority, Days, Side, directory, optfile};
use crate::harness::{self, TestFunctions, ask, echo, until, within};
use crate::tls_refusals::Log;

/// A configuration with TLS on a host.
pub(crate) fn tls_config(prefix: &str, host: &str, optfile: &Path) -> NodeConfig {
    let mut config = harness::config(prefix);
    config.name = NodeName::new(&harness::unique_on(prefix, host)).expect("a name");
    config.transport = Transport::Tls(Tls::from_optfile(optfile).expect("good options"));
    config
}

pub(crate) async fn tls_node(prefix: &str, host: &str, optfile: &Path) -> Node {
    let node = Node::start(tls_config(prefix, host, optfile)).await.expect("the node starts");
    node.set_spawner(std::sync::Arc::new(TestFunctions));
    node
}

/// Sends bodies of many sizes to an echo process and compares what comes back.
pub(crate) async fn echoes_all_sizes(from: &Node, to: &Node) {
    let remote = echo(to, SpawnOptions::new());
    within(from, move |mut context: Context| async move {
        for size in [0, 1, 100, 16 * 1024, 70_000, 5 << 20] {
            let body = Term::binary(vec![7; size]);
            ask(&mut context, &remote, body).await;
        }
    })
    .await;
}

#[tokio::test]
async fn two_nodes_talk_over_tls_with_either_version() {
    let dir = directory();
    let ca = Authority::new("ca");
    let trusted = ca.write(dir.path(), "ca.pem");
    let pair = ca.issue(dir.path(), "node", &["127.0.0.1"], Days::GOOD);
    for version in ["1.2", "1.3"] {
        let side = Side::new().pair(&pair).trusting(&trusted).version(version);
        let file = optfile(dir.path(), version, &side.clone().demanding(), &side);
        let (a, b) =
            (tls_node("ta", "127.0.0.1", &file).await, tls_node("tb", "127.0.0.1", &file).await);
        a.connect(b.name()).await.expect("connected");
        echoes_all_sizes(&a, &b).await;
        echoes_all_sizes(&b, &a).await;
        assert!(a.disconnect(b.name()).await);
        // Now with the session of before.
        until("b sees the end", || b.nodes(NodeFilter::Connected).is_empty()).await;
        a.connect(b.name()).await.expect("connected again");
        echoes_all_sizes(&a, &b).await;
        b.shutdown().await;
        until("a sees the end", || a.nodes(NodeFilter::Connected).is_empty()).await;
    }
}

#[tokio::test]
async fn an_rsa_certificate_with_an_encrypted_key_is_used() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls");
    let file = |name: &str| format!("{:?}", data.join(name).display().to_string());
    let server = Side::new()
        .option(&format!("{{certfile, {}}}", file("node.pem")))
        .option(&format!("{{keyfile, {}}}", file("node.pkcs8.key")))
        .option("{password, \"secret\"}")
        .option("{ciphers, [\"ECDHE-RSA-AES256-GCM-SHA384\"]}");
    let dir = directory();
    let client = Side::new().trusting(&data.join("ca.pem"));
    let optfile = optfile(dir.path(), "rsa.conf", &server, &client);
    let (a, b) =
        (tls_node("ra", "127.0.0.1", &optfile).await, tls_node("rb", "127.0.0.1", &optfile).await);
    a.connect(b.name()).await.expect("connected");
    echoes_all_sizes(&a, &b).await;
}

#[tokio::test]
async fn changed_files_are_used_for_new_connections_and_old_ones_stay() {
    let dir = directory();
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let trusted = old.write(dir.path(), "ca.pem");
    let pair = old.issue(dir.path(), "node", &["127.0.0.1"], Days::GOOD);
    let side = Side::new().pair(&pair).trusting(&trusted);
    let file = optfile(dir.path(), "ssl.conf", &side.clone().demanding(), &side);
    let (a, b) =
        (tls_node("ca", "127.0.0.1", &file).await, tls_node("cb", "127.0.0.1", &file).await);
    a.connect(b.name()).await.expect("connected");
    // Only half of the change: not used, and nothing breaks.
    std::fs::write(&pair.cert, "not yet whole").expect("written");
    let c = {
        let side = Side::new().pair(&old.issue(dir.path(), "c", &["127.0.0.1"], Days::GOOD));
        let side = side.trusting(&trusted);
        tls_node("cc", "127.0.0.1", &optfile(dir.path(), "c.conf", &side, &side)).await
    };
    c.connect(b.name()).await.expect("b still has its certificate");
    assert!(c.disconnect(b.name()).await);
    // The cluster moves to another CA.
    new.write(dir.path(), "ca.pem");
    new.issue(dir.path(), "node", &["127.0.0.1"], Days::GOOD);
    new.issue(dir.path(), "c", &["127.0.0.1"], Days::GOOD);
    c.connect(b.name()).await.expect("all three files are new on both sides");
    echoes_all_sizes(&a, &b).await;
    assert_eq!(a.nodes(NodeFilter::Connected), [b.name().clone()], "never lost");
    // Whoever still has the old files stays out.
    let side = Side::new()
        .pair(&old.issue(dir.path(), "late", &["127.0.0.1"], Days::GOOD))
        .trusting(&old.write(dir.path(), "late-ca.pem"));
    let late = tls_node("cl", "127.0.0.1", &optfile(dir.path(), "l.conf", &side, &side)).await;
    let error = late.connect(b.name()).await.expect_err("the wrong CA").to_string();
    assert!(error.contains("not signed by a CA"), "{error}");
}

#[tokio::test]
async fn ends_that_come_near_are_known() {
    let dir = directory();
    let ca = Authority::new("ca");
    let trusted = ca.write(dir.path(), "ca.pem");
    let soon = ca.issue(dir.path(), "soon", &["h"], Days { from: -1, to: 20 });
    let side = Side::new().pair(&soon).trusting(&trusted);
    let tls = Tls::from_optfile(&optfile(dir.path(), "s", &side, &side)).expect("good options");
    let now = SystemTime::now();
    let days = |days: u64| Duration::from_secs(days * 24 * 3600);
    let near: Vec<_> =
        tls.certificates().into_iter().filter(|end| end.ends_within(days(30), now)).collect();
    assert_eq!(near.len(), 1, "{near:?}");
    assert_eq!(near[0].path, soon.cert);
    assert!(!near[0].ends_within(days(10), now));
}

#[tokio::test]
async fn the_log_warns_of_a_certificate_for_thirty_days_before_it_ends() {
    let dir = directory();
    let ca = Authority::new("ca");
    let trusted = ca.write(dir.path(), "ca.pem");
    let lines = |name: &str, to: i64| {
        let pair = ca.issue(dir.path(), name, &["h"], Days { from: -1, to });
        let side = Side::new().pair(&pair).trusting(&trusted);
        let (log, _guard) = Log::capture();
        Tls::from_optfile(&optfile(dir.path(), "s", &side, &side)).expect("good options");
        let name = format!("{name}.pem");
        log.text().lines().filter(|line| line.contains(&name)).map(str::to_owned).collect()
    };
    let near: Vec<String> = lines("near", 30);
    let [line] = &near[..] else { panic!("once, not {near:?}") };
    assert!(line.contains("certificate expires soon") && line.contains("days_left=29"), "{line}");
    assert_eq!(lines("far", 32), Vec::<String>::new());
    let ended: Vec<String> = lines("ended", -1);
    assert!(ended[0].contains("certificate has expired"), "{ended:?}");
}

#[tokio::test]
async fn server_name_indication_says_which_host_the_certificate_must_be_for() {
    let dir = directory();
    let ca = Authority::new("ca");
    let trusted = ca.write(dir.path(), "ca.pem");
    let pair = ca.issue(dir.path(), "elsewhere", &["elsewhere.example"], Days::GOOD);
    let (server, client) = (Side::new().pair(&pair), Side::new().trusting(&trusted));
    let b = tls_node("sb", "127.0.0.1", &optfile(dir.path(), "b", &server, &client)).await;
    for (number, (option, connects)) in [
        ("{server_name_indication, \"elsewhere.example\"}", true),
        ("{server_name_indication, disable}", true),
        ("{server_name_indication, \"other.example\"}", false),
        ("{depth, 1}", false),
    ]
    .into_iter()
    .enumerate()
    {
        let client = client.clone().option(option);
        let file = optfile(dir.path(), &format!("a{number}"), &server, &client);
        let a = tls_node("sa", "127.0.0.1", &file).await;
        match a.connect(b.name()).await {
            Ok(_) => assert!(connects, "{option}"),
            Err(error) => {
                let text = error.to_string();
                assert!(!connects && text.contains("not for host"), "{option}: {text}");
            }
        }
    }
}
