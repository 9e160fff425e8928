//! Whom TLS keeps out, and that both sides' lines say why.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use erlang_node::transport::tls::Tls;
use erlang_node::{NodeFilter, StartError};
use tracing_subscriber::fmt::MakeWriter;

use crate::certificates::{Authority, Days, Pair, Side, crl_options, directory, optfile};
use crate::harness;
use crate::tls::{tls_config, tls_node};

const HOST: &str = "127.0.0.1";

/// What the nodes of one test log, as long as the guard lives: the runtime has one thread.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn capture() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::INFO)
            .with_ansi(false)
            .with_writer(log.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    pub(crate) fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits for a line with all of these.
    pub(crate) async fn line(&self, words: &[&str]) {
        let found = |line: &str| words.iter().all(|word| line.contains(word));
        let waiting = async {
            while !self.text().lines().any(found) {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
        };
        let waited = tokio::time::timeout(harness::DEADLINE, waiting).await;
        assert!(waited.is_ok(), "no line with {words:?} in\n{}", self.text());
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// A CA, a good certificate for each side, and a place for more.
struct Ground {
    dir: tempfile::TempDir,
    ca: Authority,
    trusted: PathBuf,
    good: Pair,
}

impl Ground {
    fn new() -> Self {
        let dir = directory();
        let ca = Authority::new("ca");
        let trusted = ca.write(dir.path(), "ca.pem");
        let good = ca.issue(dir.path(), "good", &[HOST], Days::GOOD);
        Self { dir, ca, trusted, good }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// What a well set-up node has, on either side.
    fn side(&self) -> Side {
        Side::new().pair(&self.good).trusting(&self.trusted)
    }

    /// Dials from one with `client` to one with `server`. The dialer must be told `dialer`, and the
    /// other's log must say `acceptor`.
    async fn refused(&self, client: &Side, server: &Side, dialer: &str, acceptor: &str) {
        let (log, _guard) = Log::capture();
        let a = tls_node("fa", HOST, &optfile(self.path(), "a", &self.side(), client)).await;
        let b = tls_node("fb", HOST, &optfile(self.path(), "b", server, &self.side())).await;
        let error = a.connect(b.name()).await.expect_err(dialer).to_string();
        assert!(error.contains(dialer), "{error}");
        assert!(!error.contains('\n'), "{error}");
        log.line(&["connection refused", "direction=\"in\"", acceptor]).await;
        assert!(b.nodes(NodeFilter::Connected).is_empty());
    }
}

#[tokio::test]
async fn a_bad_certificate_of_the_dialed_node_is_refused() {
    let ground = Ground::new();
    let other = Authority::new("other").issue(ground.path(), "other", &[HOST], Days::GOOD);
    let issue = |name: &str, host, days| ground.ca.issue(ground.path(), name, &[host], days);
    for version in ["1.2", "1.3"] {
        for (pair, dialer, acceptor) in [
            (&other, "not signed by a CA", "does not trust the CA"),
            (&issue("expired", HOST, Days::EXPIRED), "has expired", "certificate_expired"),
            (&issue("early", HOST, Days::NOT_YET), "not valid yet", "not valid yet"),
            (&issue("host", "10.0.0.1", Days::GOOD), "not for host 127.0.0.1", "bad_certificate"),
        ] {
            let server = Side::new().pair(pair).version(version);
            ground.refused(&ground.side(), &server, dialer, acceptor).await;
        }
    }
}

#[tokio::test]
async fn a_bad_certificate_of_the_dialer_is_refused() {
    let ground = Ground::new();
    let other = Authority::new("other").issue(ground.path(), "other", &[HOST], Days::GOOD);
    let issue = |name: &str, days| ground.ca.issue(ground.path(), name, &[HOST], days);
    for version in ["1.2", "1.3"] {
        let server = ground.side().demanding().version(version);
        for (pair, dialer, acceptor) in [
            (&other, "does not trust the CA", "not signed by a CA"),
            (&issue("expired", Days::EXPIRED), "certificate_expired", "has expired"),
            (&issue("early", Days::NOT_YET), "not valid yet", "not valid yet"),
        ] {
            let client = Side::new().pair(pair).trusting(&ground.trusted);
            ground.refused(&client, &server, dialer, acceptor).await;
        }
        let none = Side::new().trusting(&ground.trusted);
        ground.refused(&none, &server, "demands a certificate", "showed no certificate").await;
    }
}

#[tokio::test]
async fn a_revoked_certificate_is_refused_and_a_long_chain_too() {
    let ground = Ground::new();
    let crl = crl_options(&ground.ca.revoke(ground.path()));
    let checking = ground.side().demanding().option(&crl);
    ground.refused(&ground.side(), &checking, "certificate_revoked", "has been revoked").await;
    let checking = ground.side().option(&crl);
    ground.refused(&checking, &ground.side(), "has been revoked", "certificate_revoked").await;

    let between = ground.ca.below("between");
    let long = between.issue(ground.path(), "long", &[HOST], Days::GOOD);
    let mut chain = std::fs::read_to_string(&long.cert).expect("written before");
    chain.push_str(&between.pem());
    std::fs::write(&long.cert, chain).expect("written");
    let client = Side::new().pair(&long).trusting(&ground.trusted);
    let shallow = ground.side().demanding().option("{depth, 0}");
    ground.refused(&client, &shallow, "does not trust the CA", "than depth allows").await;
    let shallow = ground.side().option("{depth, 0}");
    ground.refused(&shallow, &client, "than depth allows", "does not trust the CA").await;
    // With room for the one between, it is let in.
    let deep = ground.side().demanding().option("{depth, 1}");
    let a = tls_node("da", HOST, &optfile(ground.path(), "a", &ground.side(), &client)).await;
    let b = tls_node("db", HOST, &optfile(ground.path(), "b", &deep, &ground.side())).await;
    a.connect(b.name()).await.expect("connected");
}

#[tokio::test]
async fn a_revocation_list_that_has_ended_lets_nobody_in() {
    let ground = Ground::new();
    let crl = crl_options(&ground.ca.revoke_until(ground.path(), -1));
    let (dialer, acceptor) = ("revocation list", "does not trust the CA");
    let checking = ground.side().demanding().option(&crl);
    ground.refused(&ground.side(), &checking, acceptor, dialer).await;
    let checking = ground.side().option(&crl);
    ground.refused(&checking, &ground.side(), dialer, acceptor).await;
}

#[tokio::test]
async fn versions_without_overlap_are_refused() {
    let ground = Ground::new();
    let (old, new) = (ground.side().version("1.2"), ground.side().version("1.3"));
    for (client, server) in [(&new, &old), (&old, &new)] {
        ground.refused(client, server, "no TLS version in common", "nothing in common").await;
    }
}

/// As since OTP 26: with a CA at hand, who does not say `verify_none` means `verify_peer`.
#[tokio::test]
async fn a_dialer_that_does_not_say_verify_refuses_who_is_not_of_its_ca() {
    let ground = Ground::new();
    let other = Authority::new("other").issue(ground.path(), "other", &[HOST], Days::GOOD);
    let silent = Side::new().option(&format!("{{cacertfile, {:?}}}", ground.trusted));
    let (dialer, acceptor) = ("not signed by a CA", "does not trust the CA");
    ground.refused(&silent, &Side::new().pair(&other), dialer, acceptor).await;
}

#[tokio::test]
async fn with_and_without_tls_do_not_meet_and_both_are_told() {
    let ground = Ground::new();
    let file = optfile(ground.path(), "s", &ground.side(), &ground.side());
    let with = tls_node("with", HOST, &file).await;
    let without = harness::node("without").await;
    let (log, _guard) = Log::capture();
    let error = with.connect(without.name()).await.expect_err("no TLS there").to_string();
    assert!(error.contains("does it run with -proto_dist inet_tls"), "{error}");
    log.line(&["refused", "the peer speaks TLS", "this node does not"]).await;
    let error = without.connect(with.name()).await.expect_err("TLS there").to_string();
    assert!(error.contains("the peer speaks TLS"), "{error}");
    log.line(&["refused", "the peer does not speak TLS"]).await;
}

#[tokio::test]
async fn a_wrong_cookie_is_wrong_over_tls_too() {
    let ground = Ground::new();
    let file = optfile(ground.path(), "s", &ground.side(), &ground.side());
    let mut config = tls_config("cook", HOST, &file);
    config.cookie = erlang_node::Cookie::new("another").expect("a cookie");
    let (log, _guard) = Log::capture();
    let a = erlang_node::Node::start(config).await.expect("started");
    let b = tls_node("cookb", HOST, &file).await;
    let error = a.connect(b.name()).await.expect_err("another cookie").to_string();
    assert!(error.contains("cookies"), "{error}");
    log.line(&["refused", "does not know the cookie"]).await;
}

#[tokio::test]
async fn what_keeps_tls_from_starting_is_typed() {
    let ground = Ground::new();
    let no_server = optfile(ground.path(), "n", &Side::new(), &ground.side());
    let refused = erlang_node::Node::start(tls_config("nos", HOST, &no_server)).await;
    assert!(matches!(refused, Err(StartError::Tls(_))), "{refused:?}");
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls");
    let pair = |cert: &str, key: &str| Pair { cert: data.join(cert), key: data.join(key) };
    let absent = Pair { cert: ground.path().join("absent"), key: ground.good.key.clone() };
    let keyless = Pair { key: ground.trusted.clone(), ..ground.good.clone() };
    let strange = Pair { cert: data.join("node.pem"), ..ground.good.clone() };
    let encrypted = pair("node.pem", "node.pkcs8.key");
    let wrong_word = Side::new().pair(&encrypted).option("{password, \"wrong\"}");
    for (server, expected) in [
        (Side::new().pair(&absent), "cannot read"),
        (Side::new().pair(&keyless), "there is no private key in it"),
        (Side::new().pair(&strange), "does not fit the certificate"),
        (Side::new().pair(&encrypted), "give its password"),
        (wrong_word, "the password does not open it"),
        (Side::new().pair(&pair("node.pem", "node.legacy.key")), "openssl pkcs8 -topk8"),
        (Side::new().pair(&ground.good).trusting(&ground.good.key), "no certificate in it"),
        (Side::new().option("{verify_fun, {m, f, []}}"), "server option verify_fun"),
    ] {
        let file = optfile(ground.path(), "bad", &server, &Side::new().believing());
        let error = Tls::from_optfile(&file).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}
