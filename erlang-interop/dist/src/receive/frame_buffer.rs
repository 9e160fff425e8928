//! Cuts the byte stream into frames: a length of four bytes, then that many.
//!
//! Frames are slices of what was read. Bytes are copied only where a frame doesn't lie in one piece.

use bytes::{Buf, Bytes};

use crate::error::ConnectionError;
use crate::limits::READ_BUFFER_BYTES;

use super::spare::Spare;

pub(super) const LENGTH_BYTES: usize = 4;
/// Whole frames up to this size together are copied out of the buffer, which is then read into again.
const SMALL_BATCH_BYTES: usize = 2 * 1024;

/// Bytes that came and aren't consumed yet: first `batch`, then `partial`.
#[derive(Debug)]
pub(crate) struct FrameBuffer {
    batch: Bytes,
    partial: Vec<u8>,
    /// Fewer bytes than this in `partial` hold no whole frame.
    needed: usize,
    frame_bytes_max: usize,
    spare: Spare,
}

impl FrameBuffer {
    pub(crate) fn new(frame_bytes_max: usize, spare: Spare) -> Self {
        let (batch, partial) = (Bytes::new(), Vec::new());
        Self { batch, partial, needed: LENGTH_BYTES, frame_bytes_max, spare }
    }

    /// Appends bytes. They stay where they are if everything before was consumed.
    pub(crate) fn push(&mut self, bytes: Bytes) {
        if self.batch.is_empty() && self.partial.is_empty() {
            self.batch = bytes;
            return;
        }
        self.settle();
        self.partial.extend_from_slice(&bytes);
    }

    /// Room to read into; what is appended to the buffer counts as input.
    ///
    /// The room grows with what has come, never at once to what a length announces.
    pub(crate) fn space(&mut self) -> &mut Vec<u8> {
        self.settle();
        if self.partial.capacity() == 0 {
            self.partial = self.spare.buffer(READ_BUFFER_BYTES);
        } else if self.partial.capacity() - self.partial.len() < READ_BUFFER_BYTES / 4 {
            let missing = self.needed.saturating_sub(self.partial.len()).max(READ_BUFFER_BYTES);
            self.spare.grow(&mut self.partial, READ_BUFFER_BYTES, missing);
        }
        &mut self.partial
    }

    /// Makes `partial` the only store, so that bytes can be appended.
    fn settle(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let rest = std::mem::take(&mut self.batch);
        let behind = std::mem::take(&mut self.partial);
        self.partial = self.spare.buffer(READ_BUFFER_BYTES.max(rest.len() + behind.len()));
        self.partial.extend_from_slice(&rest);
        self.partial.extend_from_slice(&behind);
        self.needed = LENGTH_BYTES;
    }

    /// What has come of a frame that isn't whole, when [`FrameBuffer::next`] has none.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.partial
    }

    /// Forgets [`FrameBuffer::rest`], which somebody else reads on.
    pub(crate) fn clear_rest(&mut self) {
        self.partial.clear();
        self.needed = LENGTH_BYTES;
    }

    /// Bytes that are held.
    pub(crate) fn len(&self) -> usize {
        self.batch.len() + self.partial.len()
    }

    /// The next frame without its length; empty for a tick. `None` until a whole one is there.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, ConnectionError> {
        loop {
            if !self.batch.is_empty() {
                let length = self.frame_length(&self.batch)?;
                if let Some(length) = length
                    && self.batch.len() - LENGTH_BYTES >= length
                {
                    self.batch.advance(LENGTH_BYTES);
                    return Ok(Some(self.batch.split_to(length)));
                }
                // Only a pushed batch can end within a frame, and nothing is behind it then.
                self.settle();
            }
            let whole = self.whole_frames()?;
            if whole == 0 {
                return Ok(None);
            }
            self.batch = self.take_whole(whole);
        }
    }

    /// The front of `partial`; what lies behind it moves to the next buffer.
    fn take_whole(&mut self, whole: usize) -> Bytes {
        if whole <= SMALL_BATCH_BYTES {
            // Not worth a buffer: most of this one is still free.
            let front = Bytes::copy_from_slice(&self.partial[..whole]);
            self.partial.drain(..whole);
            return front;
        }
        let rest = &self.partial[whole..];
        let mut next = Vec::new();
        if !rest.is_empty() {
            next = self.spare.buffer(READ_BUFFER_BYTES.max(rest.len()));
            next.extend_from_slice(rest);
        }
        let filled = std::mem::replace(&mut self.partial, next);
        self.spare.seal(filled).slice(..whole)
    }

    /// How many bytes at the front of `partial` are whole frames.
    fn whole_frames(&mut self) -> Result<usize, ConnectionError> {
        let mut end = 0;
        if self.partial.len() < self.needed {
            return Ok(end);
        }
        loop {
            let rest = &self.partial[end..];
            let needed = match self.frame_length(rest) {
                Ok(Some(length)) => LENGTH_BYTES + length,
                Ok(None) => LENGTH_BYTES,
                // The frames in front of it are still good.
                Err(_) if end > 0 => LENGTH_BYTES,
                Err(error) => return Err(error),
            };
            if rest.len() < needed || self.frame_length(rest).is_err() {
                self.needed = needed;
                return Ok(end);
            }
            end += needed;
        }
    }

    fn frame_length(&self, bytes: &[u8]) -> Result<Option<usize>, ConnectionError> {
        let Some(prefix) = bytes.first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
        let length = u32::from_be_bytes(*prefix) as usize;
        if length > self.frame_bytes_max {
            return Err(ConnectionError::Limit {
                what: "frame bytes",
                max: self.frame_bytes_max as u64,
                got: length as u64,
            });
        }
        Ok(Some(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Vec<u8> {
        [&[0, 0, 0, 0][..], &[0, 0, 0, 3], b"abc", &[0, 0, 0, 1], b"d"].concat()
    }

    fn all(buffer: &mut FrameBuffer, to: &mut Vec<Vec<u8>>) {
        while let Some(frame) = buffer.next().expect("good frames") {
            to.push(frame.to_vec());
        }
    }

    #[test]
    fn frames_come_out_whole_however_they_come_in() {
        let whole = stream();
        for split in 0..=whole.len() {
            for direct in [false, true] {
                let mut buffer = FrameBuffer::new(10, Spare::default());
                let mut frames = Vec::new();
                for part in [&whole[..split], &whole[split..]] {
                    if direct {
                        buffer.space().extend_from_slice(part);
                    } else {
                        buffer.push(Bytes::copy_from_slice(part));
                    }
                    all(&mut buffer, &mut frames);
                }
                assert_eq!(frames, [&b""[..], b"abc", b"d"], "{split} {direct}");
                assert_eq!(buffer.len(), 0);
            }
        }
    }

    #[test]
    fn an_undrained_buffer_keeps_its_order() {
        let mut buffer = FrameBuffer::new(10, Spare::default());
        for byte in stream() {
            buffer.push(Bytes::copy_from_slice(&[byte]));
        }
        buffer.push(Bytes::from_static(&[0, 0]));
        assert!(buffer.next().expect("tick").is_some());
        buffer.push(Bytes::from_static(&[0, 1]));
        buffer.space().extend_from_slice(b"e");
        let mut frames = Vec::new();
        all(&mut buffer, &mut frames);
        assert_eq!(frames, [&b"abc"[..], b"d", b"e"]);
    }

    #[test]
    fn an_announced_length_reserves_nothing() {
        let mut buffer = FrameBuffer::new(1 << 30, Spare::default());
        buffer.space().extend_from_slice(&[0x30, 0, 0, 0]);
        assert!(buffer.next().expect("legal").is_none());
        assert!(buffer.space().capacity() < 1 << 20);
        buffer.space().extend_from_slice(&[0; 16]);
    }

    #[test]
    fn a_long_frame_is_refused_behind_good_ones() {
        let mut buffer = FrameBuffer::new(2, Spare::default());
        buffer.space().extend_from_slice(&[0, 0, 0, 1, 7, 0, 0, 0, 3]);
        assert_eq!(buffer.next().expect("good").as_deref(), Some(&[7][..]));
        let error = buffer.next().expect_err("too long");
        assert_eq!(error, ConnectionError::Limit { what: "frame bytes", max: 2, got: 3 });
    }
}
