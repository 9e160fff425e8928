//! Keeps the memory of the last long message for the next one.
//!
//! A message of many MiB needs fresh pages, and having the system clear them costs more than joining
//! the fragments. So the buffer of a joined message comes back here when its last term is dropped, and
//! is let go when no message has asked for it during a tick interval.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::limits::{SPARE_BYTES_MAX, SPARE_BYTES_MIN};

/// At most one buffer that waits to be used again.
#[derive(Clone, Default)]
pub(crate) struct Spare(Arc<Mutex<Slot>>);

#[derive(Default)]
struct Slot {
    buffer: Option<Vec<u8>>,
    /// Whether the slot was used since the last call of [`Spare::age`].
    used: bool,
}

/// A buffer whose bytes are in use.
struct Lent {
    buffer: Vec<u8>,
    home: Spare,
}

impl Spare {
    fn with<T>(&self, act: impl FnOnce(&mut Slot) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Appends to a buffer that is being filled, which moves to the spare one as it gets long.
    pub(crate) fn extend(&self, buffer: &mut Vec<u8>, data: &[u8]) {
        let length = buffer.len() + data.len();
        // It would grow now, to at least twice its length: is that long?
        if length > buffer.capacity()
            && 2 * length >= SPARE_BYTES_MIN
            && let Some(mut spare) = self.with(|slot| slot.buffer.take())
        {
            spare.clear();
            spare.extend_from_slice(buffer);
            *buffer = spare;
        }
        buffer.extend_from_slice(data);
    }

    /// The filled buffer as bytes that give it back in the end.
    pub(crate) fn seal(&self, buffer: Vec<u8>) -> Bytes {
        if (SPARE_BYTES_MIN..=SPARE_BYTES_MAX).contains(&buffer.capacity()) {
            Bytes::from_owner(Lent { buffer, home: self.clone() })
        } else {
            Bytes::from(buffer)
        }
    }

    /// Lets the spare buffer go if nobody used it since the last call.
    pub(crate) fn age(&self) {
        self.with(|slot| {
            if !std::mem::take(&mut slot.used) {
                slot.buffer = None;
            }
        });
    }
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        self.home.with(|slot| {
            slot.used = true;
            slot.buffer = Some(buffer);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(spare: &Spare) -> bool {
        spare.with(|slot| slot.buffer.is_some())
    }

    #[test]
    fn a_long_buffer_comes_back_and_is_used_again() {
        let spare = Spare::default();
        let mut first = Vec::new();
        spare.extend(&mut first, &vec![1; SPARE_BYTES_MIN]);
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
            spare.extend(&mut second, &[3; 1000]);
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
}
