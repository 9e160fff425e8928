//! The ops port: metrics and probes by HTTP/1.1, for Prometheus, Kubernetes and people with `curl`.
//!
//! It answers three paths, changes nothing, and reads no body. Whoever can reach the port can ask, so
//! it is on loopback until told otherwise, and everything about a connection is bounded: there is one
//! request on it, its head is short, and it ends soon whoever is slow. When there are as many
//! connections as may be, the oldest makes way for the new one.

mod answer;
mod exposition;
mod limits;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use erlang_interop::node::Node;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use crate::telemetry::Telemetry;
use limits::{
    ACCEPT_PAUSE, CONNECTION_TIME_MAX, CONNECTIONS_MAX, HEAD_BYTES_MAX, HEAD_TIME_MAX, HEADERS_MAX,
};

/// What the port tells of.
#[derive(Clone)]
pub(crate) struct Subject {
    /// The node.
    pub(crate) node: Node,
    /// Its telemetry.
    pub(crate) telemetry: Telemetry,
    /// Whether the node takes no new work any more.
    pub(crate) is_leaving: Arc<dyn Fn() -> bool + Send + Sync>,
}

/// The port, before anybody is answered.
#[derive(Debug)]
pub(crate) struct OpsPort {
    listener: TcpListener,
    address: SocketAddr,
}

impl OpsPort {
    /// Takes the port.
    ///
    /// # Errors
    /// It is in use, or the address is none of this machine.
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Where it is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers, until it is aborted.
    pub(crate) async fn serve(self, subject: Subject) {
        let mut connections: VecDeque<AbortHandle> = VecDeque::new();
        loop {
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // No files are left, for instance: asking at once would only keep us busy.
                    tracing::debug!(%error, "the ops port takes no connection");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            connections.retain(|connection| !connection.is_finished());
            if connections.len() >= CONNECTIONS_MAX
                && let Some(oldest) = connections.pop_front()
            {
                oldest.abort();
            }
            let task = tokio::spawn(timeout(CONNECTION_TIME_MAX, serve(stream, subject.clone())));
            connections.push_back(task.abort_handle());
        }
    }
}

/// One request.
async fn serve(stream: TcpStream, subject: Subject) {
    let answer = service_fn(move |request| {
        let answer = answer::answer(&subject, &request);
        async move { Ok::<_, Infallible>(answer) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .header_read_timeout(HEAD_TIME_MAX)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to the ops port failed");
    }
}
