//! A small API server: HTTP/1.1 over TLS, with answers that a test changes while it runs.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Answers, and what was asked.
#[derive(Default)]
pub(super) struct Script {
    /// The only token that is let in.
    pub(super) token: String,
    /// What a list is answered: status and JSON.
    pub(super) list: (u16, String),
    /// What the watch that is open, or the next one, says.
    pub(super) watch: VecDeque<Said>,
    /// Paths that were asked for, in order.
    pub(super) asked: Vec<String>,
    /// Statuses that they were answered with.
    pub(super) answered: Vec<u16>,
}

/// What a watch says.
pub(super) enum Said {
    Line(String),
    End,
}

/// A server on loopback, until the test ends.
pub(super) struct ApiServer {
    pub(super) port: u16,
    /// The CA to trust, in PEM.
    pub(super) ca: String,
    script: Arc<Mutex<Script>>,
}

impl ApiServer {
    pub(super) fn start(token: &str, list: &str) -> Self {
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()])
            .expect("a name")
            .self_signed(&key)
            .expect("a certificate");
        let secret = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], secret)
            .expect("they fit");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (token, list) = (token.to_owned(), (200, list.to_owned()));
        let script = Arc::new(Mutex::new(Script { token, list, ..Script::default() }));
        let (config, shared) = (Arc::new(config), Arc::clone(&script));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, shared) = (Arc::clone(&config), Arc::clone(&shared));
                // A client that goes away in between is no fault of the server.
                std::thread::spawn(move || serve(stream, config, &shared).ok());
            }
        });
        Self { port, ca: certificate.pem(), script }
    }

    pub(super) fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().expect("no test has panicked with it")
    }

    /// The watch says the events of `lines`.
    pub(super) fn say(&self, lines: &str) {
        let lines = lines.lines().map(|line| Said::Line(line.to_owned()));
        self.script().watch.extend(lines);
    }

    /// How often something was asked with `part` in its path.
    pub(super) fn asked(&self, part: &str) -> usize {
        self.script().asked.iter().filter(|path| path.contains(part)).count()
    }
}

fn serve(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    script: &Mutex<Script>,
) -> std::io::Result<()> {
    let session = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(session, stream));
    while let Some((path, token)) = request(&mut stream)? {
        let answer = {
            let mut script = script.lock().expect("no test has panicked with it");
            let answer = if token == script.token {
                script.list.clone()
            } else {
                (401, include_str!("../../data/kubernetes/unauthorized.json").to_owned())
            };
            script.asked.push(path.clone());
            script.answered.push(answer.0);
            answer
        };
        let stream = stream.get_mut();
        if answer.0 == 200 && path.contains("watch=true") {
            return watch(stream, script);
        }
        let (status, body) = answer;
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\n\
             Location: https://127.0.0.1:1/\r\nContent-Length: {length}\r\n\r\n{body}"
        )?;
        stream.flush()?;
    }
    Ok(())
}

/// Path and token of the next request.
fn request(stream: &mut impl BufRead) -> std::io::Result<Option<(String, String)>> {
    let (mut path, mut token) = (None, String::new());
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match line.trim_end().split_once(' ') {
            None => return Ok(path.map(|path| (path, token))),
            Some(("GET", rest)) => path = rest.split(' ').next().map(str::to_owned),
            Some(("authorization:", value)) => {
                token = value.strip_prefix("Bearer ").unwrap_or_default().to_owned();
            }
            Some(_) => {}
        }
    }
}

/// Says what the test has to say, as chunks.
fn watch(stream: &mut impl Write, script: &Mutex<Script>) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    stream.flush()?;
    loop {
        let said = script.lock().expect("no test has panicked with it").watch.pop_front();
        match said {
            Some(Said::Line(line)) => write!(stream, "{:x}\r\n{line}\n\r\n", line.len() + 1)?,
            Some(Said::End) => {
                write!(stream, "0\r\n\r\n")?;
                return stream.flush();
            }
            // Polled: a test has no other way to say more.
            None => std::thread::sleep(Duration::from_millis(10)),
        }
        stream.flush()?;
    }
}
