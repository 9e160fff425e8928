//! `HAR.ControlPlane.HealthChecker`.

use std::time::Duration;

use erlang_interop::otp::{Call, Exception, FunctionsBuilder, Outcome};
use erlang_interop::term::{Term, term};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::control_plane::{ControlPlane, Status, backend_id};
use crate::semantic::terms::{self, atom_of};
use crate::semantic::{Map, Value};

pub(super) const HEALTH_CHECKER: &str = "Elixir.HAR.ControlPlane.HealthChecker";

/// How long a check may take. spec: contract 5.3
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);
/// As much of an HTTP answer as is read: the status line is all that counts.
const HTTP_HEAD_BYTES_MAX: usize = 64;

pub(super) fn register(functions: &mut FunctionsBuilder, plane: &ControlPlane) {
    let shared = plane.clone();
    functions.pure(HEALTH_CHECKER, "get_health", 1, move |args| {
        Ok(status_term(&status(&shared, &args[0])))
    });
    let shared = plane.clone();
    functions.pure(HEALTH_CHECKER, "healthy?", 1, move |args| {
        Ok(Term::from(status(&shared, &args[0]).is_healthy()))
    });
    let shared = plane.clone();
    functions.pure(HEALTH_CHECKER, "filter_healthy", 1, move |args| {
        let health = shared.health();
        let usable = |backend: &Term| id(backend).is_some_and(|id| health.is_usable(&id));
        Ok(Term::list(super::shapes::list(&args[0])?.into_iter().filter(usable)))
    });
    let shared = plane.clone();
    functions.pure(HEALTH_CHECKER, "register_backend", 1, move |args| {
        shared.health_mut().register(&id(&args[0]).ok_or_else(Exception::function_clause)?);
        Ok(term!(ok))
    });
    let shared = plane.clone();
    functions.pure(HEALTH_CHECKER, "set_health", 2, move |args| {
        let id = id(&args[0]).ok_or_else(Exception::function_clause)?;
        let status = args[1].as_atom().ok_or_else(Exception::function_clause)?;
        shared.health_mut().set(&id, Status::from_name(status.as_str()));
        Ok(term!(ok))
    });
    let shared = plane.clone();
    functions.pure(HEALTH_CHECKER, "all_health", 0, move |_| Ok(all(&shared)));
    let shared = plane.clone();
    functions.function(HEALTH_CHECKER, "check_now", 1, move |call: Call| {
        let plane = shared.clone();
        async move { check_now(&plane, &call.arguments[0]).await }
    });
}

fn id(backend: &Term) -> Option<String> {
    backend_id(&terms::value(backend))
}

fn status(plane: &ControlPlane, backend: &Term) -> Status {
    id(backend).map_or(Status::Unknown, |id| plane.health().status(&id))
}

pub(super) fn status_term(status: &Status) -> Term {
    Term::Atom(atom_of(status.name()))
}

/// `%{"type:name" => status}`.
pub(super) fn all(plane: &ControlPlane) -> Term {
    Term::map(plane.health().all().map(|(id, status)| (Term::string(id), status_term(status))))
}

/// The state that `:sys.get_state/1` shows. spec: contract 2
pub(super) fn state(plane: &ControlPlane) -> Term {
    terms::structure(
        HEALTH_CHECKER,
        [
            ("check_interval", Term::from(30_000)),
            ("timeout", Term::from(5_000)),
            ("backend_health", all(plane)),
            ("last_check", term!(nil)),
        ],
    )
}

/// Checks a backend by its `health_check`, keeps and returns the status.
pub(super) async fn check_now(plane: &ControlPlane, backend: &Term) -> Outcome {
    let map = terms::map(backend).ok_or_else(Exception::function_clause)?;
    let id = id(backend).ok_or_else(Exception::function_clause)?;
    let status = match map.present("health_check") {
        None => Status::Healthy,
        Some(Value::Map(check)) => {
            timeout(CHECK_TIMEOUT, check_by(check)).await.unwrap_or(Status::Unhealthy)
        }
        Some(_) => Status::Unknown,
    };
    plane.health_mut().set(&id, status.clone());
    Ok(status_term(&status))
}

async fn check_by(check: &Map) -> Status {
    match check.text("type") {
        Some("tcp") => {
            let host = check.text("host").unwrap_or("127.0.0.1").to_owned();
            let port = match check.get("port") {
                Some(Value::Integer(port)) => u16::try_from(*port).ok(),
                _ => None,
            };
            match port {
                Some(port) if TcpStream::connect((host, port)).await.is_ok() => Status::Healthy,
                Some(_) => Status::Unhealthy,
                None => Status::Unknown,
            }
        }
        Some("http") => match check.text("url") {
            Some(url) => http(url).await,
            None => Status::Unknown,
        },
        _ => Status::Unknown,
    }
}

/// 2xx is healthy, 5xx and no answer unhealthy, the rest degraded. Only plain HTTP is spoken.
async fn http(url: &str) -> Status {
    let Some(rest) = url.strip_prefix("http://") else { return Status::Unknown };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let address =
        if authority.contains(':') { authority.to_owned() } else { format!("{authority}:80") };
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET /{path} HTTP/1.0\r\nHost: {authority}\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        let limit = u64::try_from(HTTP_HEAD_BYTES_MAX).unwrap_or(u64::MAX);
        stream.take(limit).read_to_end(&mut head).await?;
        Ok::<_, std::io::Error>(head)
    };
    let Ok(head) = exchange.await else { return Status::Unhealthy };
    let head = String::from_utf8_lossy(&head);
    match head.split(' ').nth(1).and_then(|code| code.parse::<u16>().ok()) {
        Some(200..=299) => Status::Healthy,
        Some(500..=599) | None => Status::Unhealthy,
        Some(_) => Status::Degraded,
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn checked(check: Map) -> Term {
        let plane = ControlPlane::new(false);
        let backend = Map::new()
            .with("name", "x")
            .with("type", Value::atom("local"))
            .with("health_check", check);
        let status = check_now(&plane, &terms::map_term(&backend)).await.unwrap();
        assert_eq!(status_term(&plane.health().status("local:x")), status);
        status
    }

    #[tokio::test]
    async fn ports_are_tried_and_answers_read() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let tcp = Map::new()
            .with("type", Value::atom("tcp"))
            .with("host", "127.0.0.1")
            .with("port", i64::from(port));
        assert!(checked(tcp.clone()).await.is_atom("healthy"));
        let http = Map::new()
            .with("type", Value::atom("http"))
            .with("url", format!("http://127.0.0.1:{port}/health"));
        let server = async {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                // Closing with the request unread would reset the connection under the answer.
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
                        break;
                    }
                }
                let _ = stream.write_all(b"HTTP/1.0 404 Not Found\r\n\r\n").await;
            }
        };
        tokio::select! {
            status = checked(http) => assert!(status.is_atom("degraded")),
            () = server => {}
        }
        drop(listener);
        assert!(checked(tcp).await.is_atom("unhealthy"));
        assert!(checked(Map::new().with("type", Value::atom("odd"))).await.is_atom("unknown"));
    }
}
