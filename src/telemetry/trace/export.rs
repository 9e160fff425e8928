//! Handing spans to a collector: in batches, over one connection each, never waiting for it elsewhere.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::{Finished, otlp};
use crate::config::HttpUrl;
use crate::telemetry::Telemetry;

/// Spans that wait for the collector. What does not fit is counted and dropped.
const SPANS_QUEUED_MAX: usize = 4096;
/// Most spans in a request.
const BATCH_MAX: usize = 512;
/// How long a batch waits for more.
const BATCH_TIME: Duration = Duration::from_secs(1);
/// Longest time of a request.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(10);
/// As much of a collector's answer as is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

const _: () = assert!(BATCH_MAX <= SPANS_QUEUED_MAX);

/// Where spans go when they are over.
#[derive(Debug)]
pub(crate) struct Collector {
    pub(super) queue: mpsc::Sender<Finished>,
    /// How many of a hundred new traces.
    pub(super) sample_percent: u32,
}

/// Takes them from there to the collector.
pub(crate) struct Exporter {
    spans: mpsc::Receiver<Finished>,
    endpoint: HttpUrl,
    telemetry: Telemetry,
}

/// Why a batch was not taken.
#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error("no connection: {0}")]
    Connect(#[from] std::io::Error),
    #[error(transparent)]
    Http(#[from] hyper::Error),
    #[error("the collector answered {0}")]
    Refused(hyper::StatusCode),
    #[error("no answer")]
    Timeout(#[from] tokio::time::error::Elapsed),
}

impl Exporter {
    /// Has the spans of a node go to a collector. `None`: they go to one already.
    pub(crate) fn new(
        telemetry: &Telemetry,
        endpoint: HttpUrl,
        sample_percent: u32,
    ) -> Option<Self> {
        let (queue, spans) = mpsc::channel(SPANS_QUEUED_MAX);
        telemetry.collect(Collector { queue, sample_percent }).then(|| {
            let telemetry = telemetry.clone();
            Self { spans, endpoint, telemetry }
        })
    }

    /// Exports, until it is aborted.
    pub(crate) async fn run(mut self) {
        let mut reachable = true;
        let mut batch = Vec::new();
        while self.next(&mut batch).await {
            let count = batch.len();
            let sent = timeout(REQUEST_TIME_MAX, self.send(&batch)).await;
            match sent.unwrap_or_else(|late| Err(late.into())) {
                Ok(()) => {
                    self.telemetry.spans_exported(count);
                    if !std::mem::replace(&mut reachable, true) {
                        tracing::info!(endpoint = %self.endpoint, "traces are collected again");
                    }
                }
                Err(error) => {
                    self.telemetry.spans_dropped(count);
                    // Said once in a row.
                    if std::mem::replace(&mut reachable, false) {
                        tracing::warn!(endpoint = %self.endpoint, %error, "traces are not collected");
                    }
                }
            }
            batch.clear();
        }
    }

    /// The next batch: at least one span, then what comes within a moment.
    async fn next(&mut self, batch: &mut Vec<Finished>) -> bool {
        let Some(first) = self.spans.recv().await else { return false };
        batch.push(first);
        let until = Instant::now() + BATCH_TIME;
        while batch.len() < BATCH_MAX {
            let room = BATCH_MAX - batch.len();
            match timeout_at(until, self.spans.recv_many(batch, room)).await {
                Ok(count) if count > 0 => {}
                _ => break,
            }
        }
        true
    }

    async fn send(&self, batch: &[Finished]) -> Result<(), ExportError> {
        let HttpUrl { host, port, path } = &self.endpoint;
        let stream = TcpStream::connect((host.as_str(), *port)).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let body = otlp::request(self.telemetry.node(), batch).to_string();
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = path.parse().unwrap_or_default();
        let authority = HeaderValue::try_from(self.endpoint.authority());
        request.headers_mut().insert(HOST, authority.unwrap_or(HeaderValue::from_static("")));
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json);
        let asked = async {
            let answer = sender.send_request(request).await?;
            let status = answer.status();
            // Read, so that the collector is not cut off; what it says is for people.
            let _ = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
            if status.is_success() { Ok(()) } else { Err(ExportError::Refused(status)) }
        };
        tokio::pin!(asked);
        tokio::select! {
            outcome = &mut asked => outcome,
            ended = connection => {
                ended?;
                asked.await
            }
        }
    }
}
