//! Sessions: that they are taken up again, and when not.

use std::path::Path;

use rcgen::{CertificateParams, KeyPair};
use rustls::HandshakeKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

fn optfile(directory: &Path, more: &str) -> PathBuf {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
    let cert = params.self_signed(&key).expect("signed");
    let (certfile, keyfile) = (directory.join("c.pem"), directory.join("k.pem"));
    std::fs::write(&certfile, cert.pem()).expect("written");
    std::fs::write(&keyfile, key.serialize_pem()).expect("written");
    let path = directory.join("ssl.conf");
    let (certfile, keyfile) = (certfile.display(), keyfile.display());
    let text = format!(
        "[{{server, [{{certfile, \"{certfile}\"}}, {{keyfile, \"{keyfile}\"}}{more}]}}, \
         {{client, [{{verify, verify_none}}]}}]."
    );
    std::fs::write(&path, text).expect("written");
    path
}

/// Connects once, with some bytes each way, and says how the handshake went.
async fn connect(tls: &Tls) -> HandshakeKind {
    connect_to(tls).await.0
}

/// The same, and which host the dialer asked for.
async fn connect_to(tls: &Tls) -> (HandshakeKind, Option<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let limit = Duration::from_secs(20);
    let server = async {
        let (stream, _) = listener.accept().await.expect("accepted");
        let mut io = tls.accept(stream, limit).await.unwrap_or_else(|_| panic!("refused"));
        io.write_all(b"hello").await.expect("written");
        io.flush().await.expect("flushed");
        io.read_u8().await.expect("read");
        match io {
            TlsStream::Server(io) => io.get_ref().1.server_name().map(str::to_owned),
            TlsStream::Client(_) => panic!("it was dialed"),
        }
    };
    let client = async {
        let stream = TcpStream::connect(address).await.expect("connected");
        let connected = tls.connect(stream, "localhost", limit).await;
        let mut io = connected.unwrap_or_else(|_| panic!("refused"));
        // The session comes after the handshake, with TLS 1.3.
        io.read_exact(&mut [0; 5]).await.expect("read");
        io.write_u8(1).await.expect("written");
        io.flush().await.expect("flushed");
        io.get_ref().1.handshake_kind().expect("it is done")
    };
    let (asked_for, kind) = tokio::join!(server, client);
    (kind, asked_for)
}

#[tokio::test]
async fn a_dialer_says_which_host_it_wants_unless_that_is_disabled() {
    let directory = tempfile::tempdir().expect("a directory");
    for (option, host) in [
        ("", Some("localhost")),
        (", {server_name_indication, \"other.example\"}", Some("other.example")),
        (", {server_name_indication, disable}", None),
    ] {
        let path = optfile(directory.path(), "");
        let text = std::fs::read_to_string(&path).expect("written before");
        let none = "{verify, verify_none}";
        std::fs::write(&path, text.replace(none, &format!("{none}{option}"))).expect("written");
        let tls = Tls::from_optfile(&path).expect("good options");
        assert_eq!(connect_to(&tls).await.1.as_deref(), host, "{option}");
    }
}

#[tokio::test]
async fn a_second_connection_takes_the_session_up_again() {
    let directory = tempfile::tempdir().expect("a directory");
    for version in ["tlsv1.2", "tlsv1.3"] {
        let more = format!(", {{versions, ['{version}']}}");
        let tls = Tls::from_optfile(&optfile(directory.path(), &more)).expect("good options");
        assert_eq!(connect(&tls).await, HandshakeKind::Full);
        assert_eq!(connect(&tls).await, HandshakeKind::Resumed);
        // With other certificates, nobody gets in on what the old ones allowed.
        optfile(directory.path(), &more);
        assert_eq!(connect(&tls).await, HandshakeKind::Full);
    }
}

#[tokio::test]
async fn without_reuse_sessions_each_handshake_is_whole() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = optfile(directory.path(), ", {reuse_sessions, false}");
    let tls = Tls::from_optfile(&path).expect("good options");
    assert_eq!(connect(&tls).await, HandshakeKind::Full);
    assert_eq!(connect(&tls).await, HandshakeKind::Full);
}

#[test]
fn a_file_that_becomes_readable_has_changed() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().expect("a directory");
    let options = optfile::read(&self::optfile(directory.path(), "")).expect("good options");
    let before = load::fingerprint(&options);
    assert_eq!(load::fingerprint(&options), before);
    // As a renewal that writes the key first and lets us read it then.
    let readable = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(directory.path().join("k.pem"), readable).expect("chmod");
    assert_ne!(load::fingerprint(&options), before);
}
