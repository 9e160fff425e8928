//! Fragmented messages on their way out: one stream for each sender, one fragment at a time.
//!
//! Only the first fragment of a message has a header and a place in the order of the atom cache; the
//! rest may be interleaved at will. What a sender sends behind its unfinished message waits in its
//! stream, encoded without the cache, so that it may go out at any time.

use std::collections::VecDeque;

use bytes::Bytes;
use erlang_term::Pid;

/// Encoded terms of one message, whose control term takes the first `control_bytes`.
pub(super) struct Message {
    pub(super) pieces: VecDeque<Bytes>,
    pub(super) control_bytes: usize,
    pub(super) bytes: usize,
}

impl Message {
    /// Takes the next `count` bytes as slices, without a copy.
    pub(super) fn take(&mut self, mut count: usize, mut each: impl FnMut(Bytes)) {
        count = count.min(self.bytes);
        self.bytes -= count;
        while count > 0 {
            let Some(piece) = self.pieces.front_mut() else { return };
            if piece.len() <= count {
                count -= piece.len();
                let whole = self.pieces.pop_front();
                whole.into_iter().for_each(&mut each);
            } else {
                each(piece.split_to(count));
                count = 0;
            }
        }
    }
}

/// The unfinished message of one sender and what waits behind it.
pub(super) struct Stream {
    pub(super) sender: Option<Pid>,
    pub(super) receiver: Option<Pid>,
    pub(super) sequence: u64,
    /// Id of the next fragment; they count down to 1.
    pub(super) next_id: u64,
    pub(super) message: Message,
    pub(super) waiting: VecDeque<Message>,
}

impl Stream {
    /// Whether a message between these processes has to wait for this stream.
    ///
    /// A message that doesn't name its sender waits if it might come from ours: if it goes to the
    /// same process, or if either receiver has no pid.
    pub(super) fn holds(&self, sender: Option<&Pid>, receiver: Option<&Pid>) -> bool {
        match (&self.sender, sender) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => match (&self.receiver, receiver) {
                (Some(ours), Some(theirs)) => ours == theirs,
                _ => true,
            },
        }
    }
}
