//! Keeps memory that messages have left for the next ones.
//!
//! Memory of many KiB comes from the system in fresh pages, and having them cleared costs more than
//! copying what goes in. So the buffer of a read or of a joined message comes back here when its last
//! term is dropped, and is let go when nothing has asked for it during a tick interval.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::limits::{BUFFER_GROWTH, SPARE_BUFFERS_MAX, SPARE_BYTES_MAX, SPARE_BYTES_MIN};

/// Buffers that wait to be used again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spare(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    /// The one used last is at the end.
    buffers: Vec<Vec<u8>>,
    /// Their capacities together.
    bytes: usize,
    /// Whether one came back since the last call of [`Spare::age`].
    used: bool,
}

impl Kept {
    /// The smallest that has room for all that is `wanted`, else the largest with the `least` room. A
    /// much too long one is left: what is in it may stay for long, and keeps all of it.
    fn take(&mut self, wanted: usize, least: usize) -> Option<Vec<u8>> {
        let longest = wanted.saturating_mul(BUFFER_GROWTH);
        // The one used last, of equals: its memory is warm.
        let all = || self.buffers.iter().map(Vec::capacity).enumerate().rev();
        let rooms = || all().filter(|(_, room)| *room <= longest);
        let fitting = rooms().filter(|(_, room)| *room >= wanted).min_by_key(|(_, room)| *room);
        let longest = || rooms().max_by_key(|(_, room)| *room).filter(|(_, room)| *room >= least);
        let (at, room) = fitting.or_else(longest)?;
        self.bytes -= room;
        Some(self.buffers.remove(at))
    }

    /// One with room for so many bytes that isn't much too long.
    fn take_short(&mut self, room: usize) -> Option<Vec<u8>> {
        let short = |buffer: &Vec<u8>| (room..=4 * room).contains(&buffer.capacity());
        let at = self.buffers.iter().rposition(short)?;
        self.bytes -= self.buffers[at].capacity();
        Some(self.buffers.remove(at))
    }

    /// Keeps a buffer; returns those that have to go for it, which were not used for longest.
    fn give(&mut self, mut buffer: Vec<u8>) -> Vec<Vec<u8>> {
        buffer.clear();
        self.used = true;
        self.bytes += buffer.capacity();
        self.buffers.push(buffer);
        let mut gone = self.buffers.len().saturating_sub(SPARE_BUFFERS_MAX);
        self.bytes -= self.buffers[..gone].iter().map(Vec::capacity).sum::<usize>();
        while self.bytes > SPARE_BYTES_MAX {
            self.bytes -= self.buffers[gone].capacity();
            gone += 1;
        }
        self.buffers.drain(..gone).collect()
    }
}

/// A buffer whose bytes are in use.
struct Lent {
    buffer: Vec<u8>,
    home: Spare,
}

impl Spare {
    fn with<T>(&self, act: impl FnOnce(&mut Kept) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// An empty buffer with room for so many bytes. Long ones are left to long messages.
    pub(crate) fn buffer(&self, room: usize) -> Vec<u8> {
        self.with(|kept| kept.take_short(room)).unwrap_or_else(|| Vec::with_capacity(room))
    }

    /// Makes room in a buffer for `least` bytes more, in a spare one if there's one.
    ///
    /// `more` says how much may come. It chooses among the buffers that are there; without one it is
    /// believed no further than [`BUFFER_GROWTH`] goes.
    pub(crate) fn grow(&self, buffer: &mut Vec<u8>, least: usize, more: usize) {
        let length = buffer.len() + least;
        match self.with(|kept| kept.take(buffer.len().saturating_add(more), length)) {
            Some(mut spare) => {
                spare.extend_from_slice(buffer);
                self.give(std::mem::replace(buffer, spare));
            }
            None => buffer.reserve_exact(more.min((BUFFER_GROWTH - 1) * length).max(least)),
        }
    }

    /// Appends to a buffer that is being filled, which moves to a longer one as it gets long.
    ///
    /// `more` says how much may follow, as in [`Spare::grow`].
    pub(crate) fn extend(&self, buffer: &mut Vec<u8>, data: &[u8], more: usize) {
        let length = buffer.len() + data.len();
        // It would grow now, to at least twice its length: is that long?
        if length > buffer.capacity() && 2 * length >= SPARE_BYTES_MIN {
            self.grow(buffer, data.len(), more.saturating_add(data.len()));
        }
        buffer.extend_from_slice(data);
    }

    /// The buffer, or a shorter one with the same bytes if it is much too long for them: its peer may
    /// have announced more than then came.
    pub(crate) fn fitted(&self, buffer: Vec<u8>) -> Vec<u8> {
        if buffer.capacity() < SPARE_BYTES_MIN || buffer.capacity() / BUFFER_GROWTH <= buffer.len()
        {
            return buffer;
        }
        let fitting = buffer.as_slice().to_vec();
        self.give(buffer);
        fitting
    }

    /// The filled buffer as bytes that give it back in the end.
    pub(crate) fn seal(&self, buffer: Vec<u8>) -> Bytes {
        if (SPARE_BYTES_MIN..=SPARE_BYTES_MAX).contains(&buffer.capacity()) {
            Bytes::from_owner(Lent { buffer, home: self.clone() })
        } else {
            Bytes::from(buffer)
        }
    }

    fn give(&self, buffer: Vec<u8>) {
        if (SPARE_BYTES_MIN..=SPARE_BYTES_MAX).contains(&buffer.capacity()) {
            let gone = self.with(|kept| kept.give(buffer));
            // Giving memory back to the system takes long: not under the lock.
            drop(gone);
        }
    }

    /// Bytes that wait to be used again.
    pub(crate) fn bytes(&self) -> usize {
        self.with(|kept| kept.bytes)
    }

    /// Lets all spare buffers go.
    pub(crate) fn release(&self) {
        let kept = self.with(|kept| {
            kept.bytes = 0;
            std::mem::take(&mut kept.buffers)
        });
        drop(kept);
    }

    /// Lets the spare buffers go if none came back since the last call.
    pub(crate) fn age(&self) {
        let idle = self.with(|kept| {
            if std::mem::take(&mut kept.used) {
                return Vec::new();
            }
            kept.bytes = 0;
            std::mem::take(&mut kept.buffers)
        });
        drop(idle);
    }
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.home.give(std::mem::take(&mut self.buffer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(spare: &Spare) -> bool {
        spare.with(|kept| !kept.buffers.is_empty())
    }

    #[test]
    fn a_long_buffer_comes_back_and_is_used_again() {
        let spare = Spare::default();
        let mut first = Vec::new();
        spare.extend(&mut first, &vec![1; SPARE_BYTES_MIN], 0);
        let memory = first.as_ptr();
        let bytes = spare.seal(first);
        let slice = bytes.slice(10..20);
        drop(bytes);
        assert!(!kept(&spare), "a slice is still in use");
        assert_eq!(slice, [1; 10][..]);
        drop(slice);
        assert!(kept(&spare));
        // In small steps, as fragments come.
        let mut second = vec![2; 5];
        while second.len() + 1000 <= SPARE_BYTES_MIN {
            spare.extend(&mut second, &[3; 1000], 0);
        }
        assert_eq!(second.as_ptr(), memory);
        assert_eq!(second[..7], [2, 2, 2, 2, 2, 3, 3]);
        assert!(!kept(&spare));
    }

    #[test]
    fn short_buffers_are_not_kept_and_idle_ones_let_go() {
        let spare = Spare::default();
        drop(spare.seal(vec![0; 100]));
        assert!(!kept(&spare));
        drop(spare.seal(vec![0; SPARE_BYTES_MIN]));
        spare.age();
        assert!(kept(&spare), "used in this interval");
        spare.age();
        assert!(!kept(&spare));
    }

    #[test]
    fn what_follows_chooses_among_the_buffers_and_their_number_is_bounded() {
        let spare = Spare::default();
        for _ in 0..2 * SPARE_BUFFERS_MAX {
            spare.give(Vec::with_capacity(SPARE_BYTES_MIN));
        }
        drop(spare.seal(Vec::with_capacity(8 * SPARE_BYTES_MIN)));
        assert_eq!(spare.with(|kept| kept.buffers.len()), SPARE_BUFFERS_MAX);
        let mut buffer = Vec::new();
        spare.extend(&mut buffer, &vec![1; SPARE_BYTES_MIN], 4 * SPARE_BYTES_MIN);
        assert_eq!(buffer.capacity(), 8 * SPARE_BYTES_MIN);
        assert_eq!(spare.buffer(SPARE_BYTES_MIN).capacity(), SPARE_BYTES_MIN);
        let mut short = Vec::new();
        spare.extend(&mut short, &vec![1; SPARE_BYTES_MIN], usize::MAX);
        assert_eq!(short.capacity(), SPARE_BYTES_MIN, "nothing is reserved for what may follow");
    }

    #[test]
    fn what_is_short_never_lies_in_a_buffer_that_is_much_too_long() {
        let spare = Spare::default();
        let long = 64 * SPARE_BYTES_MIN;
        spare.give(Vec::with_capacity(long));
        let mut short = Vec::new();
        spare.grow(&mut short, SPARE_BYTES_MIN, 2 * SPARE_BYTES_MIN);
        assert!(short.capacity() < long / 8, "{}", short.capacity());
        assert!(kept(&spare));
        // More was announced than came.
        let mut announced = Vec::new();
        spare.grow(&mut announced, SPARE_BYTES_MIN, usize::MAX);
        assert_eq!(announced.capacity(), long);
        announced.extend_from_slice(&[7; 1000]);
        let fitted = spare.fitted(announced);
        assert_eq!(fitted, [7; 1000]);
        assert!(fitted.capacity() < SPARE_BYTES_MIN);
        assert!(kept(&spare), "the long one came back");
        let whole = spare.fitted(vec![7; SPARE_BYTES_MIN]);
        assert_eq!(whole.capacity(), SPARE_BYTES_MIN);
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let spare = Spare::default();
        let half = SPARE_BYTES_MAX / 2;
        for room in [SPARE_BYTES_MIN, half, half - SPARE_BYTES_MIN, half, SPARE_BYTES_MAX + 1] {
            spare.give(Vec::with_capacity(room));
        }
        let rooms = |kept: &mut Kept| kept.buffers.iter().map(Vec::capacity).collect::<Vec<_>>();
        assert_eq!(spare.with(rooms), [half - SPARE_BYTES_MIN, half]);
        assert_eq!(spare.with(|kept| kept.bytes), SPARE_BYTES_MAX - SPARE_BYTES_MIN);
    }
}
