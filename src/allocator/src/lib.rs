//! The allocator of the program, and when it gives memory back.
//!
//! A crate of its own for one line of unsafe code: no safe interface sets an option of mimalloc.

use libmimalloc_sys::{mi_option_eager_commit_delay, mi_option_t};
pub use mimalloc::MiMalloc as Allocator;

/// `mi_option_purge_delay` of mimalloc 2, which `libmimalloc-sys` doesn't name: the one behind.
// spec: mimalloc 2.2, include/mimalloc.h, `mi_option_e`
const PURGE_DELAY: mi_option_t = mi_option_eager_commit_delay + 1;

/// Has memory given back as soon as it is freed, not when something happens to be freed some
/// milliseconds later: after a burst of long messages the node would hold on to what it no longer uses
/// for as long as it is idle, and a peer could drive that up. What is worth keeping is kept by those
/// who know, such as a connection for its next message.
pub fn give_back_at_once() {
    #[expect(unsafe_code, reason = "a call into C")]
    // SAFETY: it sets a number that is read atomically, at any time and on any thread.
    unsafe {
        libmimalloc_sys::mi_option_set(PURGE_DELAY, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_the_delay() {
        let delay = || {
            #[expect(unsafe_code, reason = "a call into C")]
            // SAFETY: it reads a number.
            unsafe {
                libmimalloc_sys::mi_option_get(PURGE_DELAY)
            }
        };
        assert_eq!(delay(), 10, "its default");
        give_back_at_once();
        assert_eq!(delay(), 0);
    }
}
