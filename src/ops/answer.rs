//! Which path is answered by what.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use super::{Subject, exposition};

const TEXT: &str = "text/plain; charset=utf-8";

/// Answers a request. Nothing of it but method and path is looked at.
pub(super) fn answer<B>(subject: &Subject, request: &Request<B>) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    let known = ["/metrics", "/healthz", "/readyz"].contains(&path);
    if known && request.method() != Method::GET && request.method() != Method::HEAD {
        let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD\n");
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    match path {
        "/metrics" => {
            let text = exposition::text(&subject.telemetry.metrics(&subject.node));
            response(StatusCode::OK, exposition::CONTENT_TYPE, text)
        }
        // That it is answered at all is what a probe wants to know.
        "/healthz" => plain(StatusCode::OK, "alive\n"),
        "/readyz" => match not_ready(subject) {
            None => plain(StatusCode::OK, "ready\n"),
            Some(reason) => plain(StatusCode::SERVICE_UNAVAILABLE, reason),
        },
        _ => plain(StatusCode::NOT_FOUND, "/metrics, /healthz or /readyz\n"),
    }
}

/// Why no work should come to this node now.
fn not_ready(subject: &Subject) -> Option<&'static str> {
    let Subject { node, is_leaving, .. } = subject;
    if node.is_stopping() || is_leaving() {
        Some("not ready: the node leaves\n")
    } else if !node.is_reachable() {
        Some("not ready: the node does not listen, or EPMD does not know it\n")
    } else {
        None
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    response(status, TEXT, text)
}

fn response(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
