//! An answer that goes on: each line is a change.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use super::api::Connection;
use super::error::ApiError;
use super::objects::Event;
use crate::cluster::limits::{WATCH_GRACE, WATCH_LINE_BYTES_MAX, WATCH_TIME};

/// See the [module](self).
pub(super) struct Watch {
    body: Incoming,
    lines: Lines,
    opened: Instant,
    _connection: Connection,
}

impl Watch {
    /// Reads changes from `body`.
    pub(super) fn new(body: Incoming, connection: Connection) -> Self {
        Self { body, lines: Lines::default(), opened: Instant::now(), _connection: connection }
    }

    /// How long it has been open.
    pub(super) fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// The next change; `None` when the server has ended it, or should have. What has come is kept
    /// when the wait is given up.
    pub(super) async fn next(&mut self) -> Option<Result<Event, ApiError>> {
        let until = self.opened + WATCH_TIME + WATCH_GRACE;
        loop {
            match self.lines.next() {
                Ok(Some(line)) => return Some(serde_json::from_slice(&line).map_err(Into::into)),
                Ok(None) => {}
                Err(error) => return Some(Err(error)),
            }
            let frame = timeout_at(until, self.body.frame()).await.ok()??;
            if let Ok(data) = frame.ok()?.into_data() {
                self.lines.add(&data);
            }
        }
    }
}

/// Lines from pieces.
#[derive(Debug, Default)]
struct Lines {
    bytes: BytesMut,
    // Those before it are no ends of lines.
    seen: usize,
}

impl Lines {
    fn add(&mut self, data: &[u8]) {
        self.bytes.extend_from_slice(data);
    }

    /// The next whole line that is not empty.
    fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        while let Some(at) = self.bytes[self.seen..].iter().position(|&byte| byte == b'\n') {
            let line = self.bytes.split_to(self.seen + at + 1).freeze();
            self.seen = 0;
            if !line.trim_ascii().is_empty() {
                return Ok(Some(line));
            }
        }
        self.seen = self.bytes.len();
        if self.seen > WATCH_LINE_BYTES_MAX {
            return Err(ApiError::TooLong("2 MiB in a line of a watch"));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_however_they_are_cut() {
        let text = b"{\"a\":1}\n\n{\"b\":2}\r\n{\"c\"";
        for size in 1..text.len() {
            let (mut lines, mut whole) = (Lines::default(), Vec::new());
            for piece in text.chunks(size) {
                lines.add(piece);
                while let Some(line) = lines.next().expect("short") {
                    whole.push(line.trim_ascii().to_vec());
                }
            }
            assert_eq!(whole, [b"{\"a\":1}", b"{\"b\":2}"], "{size}");
        }
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut lines = Lines::default();
        let mut refused = false;
        for _ in 0..=WATCH_LINE_BYTES_MAX / 4096 {
            lines.add(&[b'x'; 4096]);
            refused = lines.next().is_err();
        }
        assert!(refused);
    }
}
