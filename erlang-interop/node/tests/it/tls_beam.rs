//! TLS with real BEAMs, started as their users start them: both directions, both versions, with and
//! without certificates of the dialer, and who is refused.

use std::path::Path;
use std::time::Duration;

use erlang_node::{Context, Node, NodeFilter, SpawnOptions};
use erlang_term::{Term, atom};

use crate::beam_node::Beam;
use crate::certificates::{Authority, Days, Pair, Side, crl_options, directory, optfile};
use crate::harness::{self, echo, net_kernel, soon, until, within};
use crate::tls::{tls_config, tls_node};
use crate::tls_refusals::Log;

/// OTP's check of the host wants a name, not an address.
const HOST: &str = "localhost";

async fn tls_beam(optfile: &Path) -> Beam {
    let file = optfile.display().to_string();
    let name = harness::unique_on("tb", HOST);
    Beam::start_with(&name, &["-proto_dist", "inet_tls", "-ssl_dist_optfile", &file]).await
}

/// Messages of many sizes go through: the BEAM sends, and we do.
async fn messages_both_ways(node: &Node, beam: &mut Beam) {
    let name = node.name().as_str();
    for bytes in [10, 20_000, 3 << 20] {
        let round = format!(
            "(fun(B) -> {{our_echo, '{name}'}} ! {{self(), B}}, \
             receive {{_, B}} -> same; {{_, _}} -> changed after 15000 -> timeout end \
             end)(rand:bytes({bytes}))"
        );
        assert_eq!(beam.eval(&round).await, "same");
    }
    beam.begin("(fun() -> receive {From, Big} -> From ! byte_size(Big) end end)()");
    let to = (atom!("driver"), beam.name.clone());
    within(node, move |mut context: Context| async move {
        let body = Term::binary(vec![9; 5 << 20]);
        context.send(to, Term::tuple([Term::Pid(context.pid().clone()), body])).await;
        assert_eq!(soon(context.receive()).await.into_term(), Term::from(5 << 20));
    })
    .await;
    assert_eq!(beam.result().await, (5 << 20).to_string());
}

/// Both directions with one BEAM.
async fn both_directions(ours: &Path, theirs: &Path) {
    let node = tls_node("tr", HOST, ours).await;
    net_kernel(&node);
    echo(&node, SpawnOptions::new().name(atom!("our_echo")));
    let mut beam = tls_beam(theirs).await;
    let name = node.name().as_str().to_owned();
    assert_eq!(beam.eval(&format!("net_adm:ping('{name}')")).await, "pong");
    messages_both_ways(&node, &mut beam).await;
    assert_eq!(beam.eval(&format!("erlang:disconnect_node('{name}')")).await, "true");
    until("the end is seen", || node.nodes(NodeFilter::Connected).is_empty()).await;
    node.connect(&beam.name).await.expect("we dial");
    assert_eq!(beam.eval(&format!("nodes() =:= ['{name}']")).await, "true");
    messages_both_ways(&node, &mut beam).await;
}

async fn matrix(version: &str, mutual: bool) {
    let dir = directory();
    let ca = Authority::new("ca");
    let trusted = ca.write(dir.path(), "ca.pem");
    let pair = |name| ca.issue(dir.path(), name, &[HOST], Days::GOOD);
    // Ours offers both; the BEAM decides.
    let sides = |pair: &Pair| match mutual {
        true => (
            Side::new().pair(pair).trusting(&trusted).demanding(),
            Side::new().pair(pair).trusting(&trusted),
        ),
        false => (Side::new().pair(pair), Side::new().believing()),
    };
    let (server, client) = sides(&pair("ours"));
    let ours = optfile(dir.path(), "ours.conf", &server, &client);
    let (server, client) = sides(&pair("theirs"));
    let (server, client) = (server.version(version), client.version(version));
    let theirs = optfile(dir.path(), "theirs.conf", &server, &client);
    both_directions(&ours, &theirs).await;
}

#[tokio::test]
async fn tls_1_2_without_certificates_of_dialers() {
    matrix("1.2", false).await;
}

#[tokio::test]
async fn tls_1_2_mutual() {
    matrix("1.2", true).await;
}

#[tokio::test]
async fn tls_1_3_without_certificates_of_dialers() {
    matrix("1.3", false).await;
}

#[tokio::test]
async fn tls_1_3_mutual() {
    matrix("1.3", true).await;
}

#[tokio::test]
async fn one_optfile_serves_both() {
    let dir = directory();
    let pair = Authority::new("ca").issue(dir.path(), "node", &[HOST], Days::GOOD);
    let side = Side::new()
        .pair(&pair)
        .option("{secure_renegotiate, true}, {reuse_sessions, true}, {hibernate_after, 1000}");
    let file = optfile(dir.path(), "ssl.conf", &side, &Side::new().believing());
    both_directions(&file, &file).await;
}

#[tokio::test]
async fn an_encrypted_key_serves_both() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls");
    let file = |name: &str| format!("{:?}", data.join(name).display().to_string());
    let server = Side::new()
        .option(&format!("{{certfile, {}}}", file("node.pem")))
        .option(&format!("{{keyfile, {}}}", file("node.pkcs8.key")))
        .option("{password, \"secret\"}");
    let dir = directory();
    let file = optfile(dir.path(), "ssl.conf", &server, &Side::new().believing());
    both_directions(&file, &file).await;
}

/// A BEAM whose certificate files change under it.
struct Changing {
    beam: Beam,
    theirs: Pair,
}

impl Changing {
    async fn start(dir: &Path, theirs: &Pair, server: &Side, client: &Side) -> Self {
        let beam = tls_beam(&optfile(dir, "theirs.conf", server, client)).await;
        Self { beam, theirs: theirs.clone() }
    }

    async fn takes(&mut self, pair: &Pair) {
        std::fs::copy(&pair.cert, &self.theirs.cert).expect("copied");
        std::fs::copy(&pair.key, &self.theirs.key).expect("copied");
        // As `ssl:clear_pem_cache/0`, which is about other connections.
        let clear =
            "gen_server:call(ssl_pem_cache_dist, {unconditionally_clear_pem_cache, self()})";
        assert_eq!(self.beam.eval(clear).await, "ok");
    }
}

#[tokio::test]
async fn beams_with_bad_certificates_are_refused_on_either_side() {
    let dir = directory();
    let path = dir.path();
    let ca = Authority::new("ca");
    let trusted = ca.write(path, "ca.pem");
    let good = ca.issue(path, "good", &[HOST], Days::GOOD);
    let theirs = ca.issue(path, "theirs", &[HOST], Days::GOOD);
    let side = Side::new().pair(&good).trusting(&trusted);
    let node = tls_node("tr", HOST, &optfile(path, "o", &side.clone().demanding(), &side)).await;
    net_kernel(&node);
    // It shows its certificate and believes everybody, so that the verdict is ours.
    let open = Side::new().pair(&theirs).option("{reuse_sessions, false}").believing();
    let mut changing = Changing::start(path, &theirs, &open, &open).await;
    let ping = format!("net_adm:ping('{}')", node.name().as_str());
    assert_eq!(changing.beam.eval(&ping).await, "pong");
    soon(changing.beam.part_from(&node)).await;
    let other = Authority::new("other").issue(path, "other", &[HOST], Days::GOOD);
    for (pair, expected) in [
        (&other, "not signed by a CA"),
        (&ca.issue(path, "expired", &[HOST], Days::EXPIRED), "has expired"),
        (&ca.issue(path, "early", &[HOST], Days::NOT_YET), "not valid yet"),
    ] {
        changing.takes(pair).await;
        let (log, _guard) = Log::capture();
        assert_eq!(changing.beam.eval(&ping).await, "pang");
        log.line(&["refused", expected]).await;
        let error = node.connect(&changing.beam.name).await.expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
    changing.takes(&ca.issue(path, "host", &["elsewhere.example"], Days::GOOD)).await;
    let error = node.connect(&changing.beam.name).await.expect_err("wrong host").to_string();
    assert!(error.contains("not for host localhost"), "{error}");
    // All is well again, and only the certificate was at fault.
    changing.takes(&good).await;
    node.connect(&changing.beam.name).await.expect("connected");
}

#[tokio::test]
async fn beams_with_revoked_certificates_long_chains_or_none_are_refused() {
    let dir = directory();
    let path = dir.path();
    let ca = Authority::new("ca");
    let trusted = ca.write(path, "ca.pem");
    let good = ca.issue(path, "good", &[HOST], Days::GOOD);
    let between = ca.below("between");
    let long = between.issue(path, "long", &[HOST], Days::GOOD);
    std::fs::write(&long.cert, std::fs::read_to_string(&long.cert).expect("text") + &between.pem())
        .expect("written");
    let above = format!("{{cacertfile, {:?}}}", between.write(path, "above.pem").display());
    let side = Side::new().pair(&good).trusting(&trusted);
    let (crl, depth) = (crl_options(&ca.revoke(path)), "{depth, 0}".to_owned());
    let shows = |pair: &Pair| Side::new().pair(pair).option("{reuse_sessions, false}").believing();
    for (name, rule, server, client, expected) in [
        ("revoked", &crl, shows(&good), shows(&good), "has been revoked"),
        ("long", &depth, shows(&long).option(&above), shows(&long).option(&above), "depth allows"),
        ("none", &depth, shows(&good), Side::new().believing(), "showed no certificate"),
    ] {
        let strict = side.clone().option(rule);
        let ours = optfile(path, "ours.conf", &strict.clone().demanding(), &strict);
        let node = tls_node("tr", HOST, &ours).await;
        net_kernel(&node);
        let mut beam = tls_beam(&optfile(path, &format!("{name}.conf"), &server, &client)).await;
        let (log, _guard) = Log::capture();
        let ping = format!("net_adm:ping('{}')", node.name().as_str());
        assert_eq!(beam.eval(&ping).await, "pang", "{name}");
        log.line(&["refused", expected]).await;
        // A dialed BEAM always shows a certificate.
        if name != "none" {
            let error = node.connect(&beam.name).await.expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
        }
        node.shutdown().await;
    }
}

#[tokio::test]
async fn a_beam_refuses_us_and_we_say_why() {
    let dir = directory();
    let path = dir.path();
    let ca = Authority::new("ca");
    let trusted = ca.write(path, "ca.pem");
    let good = ca.issue(path, "good", &[HOST], Days::GOOD);
    let strict = Side::new().pair(&good).trusting(&trusted);
    let file = optfile(path, "theirs.conf", &strict.clone().demanding(), &strict);
    let mut beam = tls_beam(&file).await;
    let other = Authority::new("other").issue(path, "other", &[HOST], Days::GOOD);
    let expired = ca.issue(path, "expired", &[HOST], Days::EXPIRED);
    let elsewhere = ca.issue(path, "elsewhere", &["elsewhere.example"], Days::GOOD);
    for (pair, dialed, dialing) in [
        (Some(&other), "bad_certificate", Some("bad_certificate")),
        (Some(&expired), "certificate_expired", Some("certificate_expired")),
        // A dialed BEAM does not look for hosts, a dialing one does.
        (Some(&elsewhere), "the peer refused us", None),
        (None, "handshake_failure", Some("demands a certificate")),
    ] {
        let (log, _guard) = Log::capture();
        let server = Side::new().pair(pair.unwrap_or(&good));
        let client = pair.map_or_else(Side::new, |pair| Side::new().pair(pair)).believing();
        let node = tls_node("tr", HOST, &optfile(path, "ours", &server, &client)).await;
        net_kernel(&node);
        if pair.is_some() {
            let ping = format!("net_adm:ping('{}')", node.name().as_str());
            assert_eq!(beam.eval(&ping).await, "pang");
            log.line(&["refused", dialed]).await;
        }
        if let Some(expected) = dialing {
            let error = node.connect(&beam.name).await.expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
        }
        node.shutdown().await;
    }
}

#[tokio::test]
async fn beams_with_and_without_tls_do_not_meet_us_without_and_with() {
    let dir = directory();
    let pair = Authority::new("ca").issue(dir.path(), "node", &[HOST], Days::GOOD);
    let file = optfile(dir.path(), "ssl.conf", &Side::new().pair(&pair), &Side::new().believing());
    let mut config = tls_config("with", HOST, &file);
    // A BEAM without TLS waits for the rest of what it takes for a long message.
    config.net_setup_time = Duration::from_secs(2);
    let with = Node::start(config).await.expect("started");
    let mut config = harness::config("without");
    config.name = erlang_node::NodeName::new(&harness::unique_on("without", HOST)).expect("good");
    let without = Node::start(config).await.expect("started");
    let mut plain = Beam::start_with(&harness::unique_on("plain", HOST), &[]).await;
    let mut secure = tls_beam(&file).await;

    let (log, _guard) = Log::capture();
    let ping = |node: &Node| format!("net_adm:ping('{}')", node.name().as_str());
    assert_eq!(plain.eval(&ping(&with)).await, "pang");
    log.line(&["refused", "the peer does not speak TLS"]).await;
    assert_eq!(secure.eval(&ping(&without)).await, "pang");
    log.line(&["refused", "the peer speaks TLS"]).await;
    let error = with.connect(&plain.name).await.expect_err("no TLS there").to_string();
    assert!(error.contains("does it run with -proto_dist inet_tls"), "{error}");
    let error = without.connect(&secure.name).await.expect_err("TLS there").to_string();
    assert!(error.contains("the peer speaks TLS"), "{error}");
}
