//! The questions themselves. How long they may take, and how many there are, others decide.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::process::Stdio;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::limits::{ADDRESSES_MAX, HTTP_HEAD_BYTES_MAX};
use crate::control_plane::{Probe, Status};
use crate::security::BackendNetworks;

/// Asks. Whoever gets no answer is unhealthy; [`Status::Unknown`]: it may not be asked.
pub(super) async fn ask(
    probe: &Probe,
    networks: &BackendNetworks,
    lookups: &Arc<Semaphore>,
) -> Status {
    match probe {
        Probe::Tcp { host, port } => match connect(host, *port, networks, lookups).await {
            Ok(_) => Status::Healthy,
            Err(status) => status,
        },
        Probe::Http { host, port, path, expect } => {
            match connect(host, *port, networks, lookups).await {
                Ok(stream) => {
                    let authority = authority(host, *port);
                    get(stream, &authority, path)
                        .await
                        .map_or(Status::Unhealthy, |code| judge(code, expect))
                }
                Err(status) => status,
            }
        }
        Probe::Command { words } => run(words).await,
    }
}

/// A connection with an address that the name stands for, and that backends may have.
async fn connect(
    host: &str,
    port: u16,
    networks: &BackendNetworks,
    lookups: &Arc<Semaphore>,
) -> Result<TcpStream, Status> {
    let found = look_up(host, port, lookups).await.ok_or(Status::Unhealthy)?;
    let mut allowed = false;
    for address in found {
        if let Err(error) = networks.check(address.ip()) {
            tracing::debug!(%error, "a backend is not asked");
            continue;
        }
        allowed = true;
        if let Ok(stream) = TcpStream::connect(address).await {
            return Ok(stream);
        }
    }
    Err(if allowed { Status::Unhealthy } else { Status::Unknown })
}

/// The first addresses of a name; `None`: it has none.
async fn look_up(host: &str, port: u16, lookups: &Arc<Semaphore>) -> Option<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some(vec![SocketAddr::new(address, port)]);
    }
    let turn = Arc::clone(lookups).acquire_owned().await.ok()?;
    let name = host.to_owned();
    let asked = tokio::task::spawn_blocking(move || {
        // Held until the system answers, whether somebody still waits or not.
        let _turn = turn;
        let found = (name.as_str(), port).to_socket_addrs().ok()?;
        Some(found.take(ADDRESSES_MAX).collect())
    });
    asked.await.ok()?
}

fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// The status code of the answer.
async fn get(mut stream: TcpStream, authority: &str, path: &str) -> Option<u16> {
    let request = format!(
        "GET {path} HTTP/1.0\r\nHost: {authority}\r\nUser-Agent: har\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut head = Vec::new();
    stream.take(HTTP_HEAD_BYTES_MAX).read_to_end(&mut head).await.ok()?;
    let head = String::from_utf8_lossy(&head);
    let mut words = head.strip_prefix("HTTP/1.")?.split(' ').skip(1);
    words.next()?.trim_end().parse().ok()
}

fn judge(code: u16, expect: &[u16]) -> Status {
    match code {
        _ if !expect.is_empty() => match expect.contains(&code) {
            true => Status::Healthy,
            false => Status::Unhealthy,
        },
        200..=299 => Status::Healthy,
        500.. => Status::Unhealthy,
        _ => Status::Degraded,
    }
}

/// Runs a command with nothing of ours but `PATH`: the cookie may be in the environment.
async fn run(words: &[String]) -> Status {
    let Some((program, arguments)) = words.split_first() else { return Status::Unknown };
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Who takes too long is ended: this future is dropped then.
    command.kill_on_drop(true);
    match command.status().await {
        Ok(status) if status.success() => Status::Healthy,
        Ok(_) => Status::Unhealthy,
        Err(error) => {
            tracing::debug!(%program, %error, "a command that checks a backend does not run");
            Status::Unhealthy
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn anywhere() -> BackendNetworks {
        BackendNetworks::default()
    }

    async fn ask(probe: &Probe, networks: &BackendNetworks) -> Status {
        super::ask(probe, networks, &Arc::new(Semaphore::new(1))).await
    }

    fn http(port: u16, expect: &[u16]) -> Probe {
        let (host, path) = ("127.0.0.1".to_owned(), "/health?x=1".to_owned());
        Probe::Http { host, port, path, expect: expect.to_vec() }
    }

    /// A server that answers each request with this, and says what it was asked.
    async fn server(answer: &'static str) -> (u16, tokio::sync::mpsc::UnboundedReceiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let (asked, requests) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 1024];
                let read = stream.read(&mut request).await.expect("a request");
                let _ = asked.send(String::from_utf8_lossy(&request[..read]).into_owned());
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        (port, requests)
    }

    #[tokio::test]
    async fn a_status_code_is_a_health() {
        for (answer, expect, wanted) in [
            ("HTTP/1.1 204 No Content\r\n\r\n", &[][..], Status::Healthy),
            ("HTTP/1.1 404 Not Found\r\n\r\n", &[], Status::Degraded),
            ("HTTP/1.1 404 Not Found\r\n\r\n", &[404], Status::Healthy),
            ("HTTP/1.1 200 OK\r\n\r\n", &[204, 404], Status::Unhealthy),
            ("HTTP/1.0 503\r\n\r\n", &[], Status::Unhealthy),
            ("SSH-2.0-OpenSSH_9.2\r\n", &[], Status::Unhealthy),
            ("", &[], Status::Unhealthy),
        ] {
            let (port, mut requests) = server(answer).await;
            assert_eq!(ask(&http(port, expect), &anywhere()).await, wanted, "{answer}");
            let request = requests.recv().await.expect("asked");
            let wanted = format!("GET /health?x=1 HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n");
            assert!(request.starts_with(&wanted), "{request}");
        }
    }

    #[tokio::test]
    async fn who_takes_a_connection_is_healthy_and_who_is_elsewhere_is_not_asked() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let probe = Probe::Tcp { host: "localhost".into(), port };
        assert_eq!(ask(&probe, &anywhere()).await, Status::Healthy);
        let elsewhere = BackendNetworks(vec!["10.0.2.0/24".parse().expect("a network")]);
        assert_eq!(ask(&probe, &elsewhere).await, Status::Unknown);
        assert_eq!(ask(&http(port, &[]), &elsewhere).await, Status::Unknown);
        drop(listener);
        assert_eq!(ask(&probe, &anywhere()).await, Status::Unhealthy);
    }

    #[tokio::test]
    async fn a_command_says_it_by_how_it_ends_and_sees_no_secret() {
        let run = |script: &str| {
            let words = ["sh", "-c", script].map(str::to_owned).to_vec();
            async move { ask(&Probe::Command { words }, &anywhere()).await }
        };
        assert_eq!(run("exit 0").await, Status::Healthy);
        assert_eq!(run("exit 3").await, Status::Unhealthy);
        // Cargo sets this one for tests.
        assert_eq!(run("test -z \"$CARGO_MANIFEST_DIR\"").await, Status::Healthy);
        let absent = Probe::Command { words: vec!["/nowhere/at/all".into()] };
        assert_eq!(ask(&absent, &anywhere()).await, Status::Unhealthy);
    }
}
