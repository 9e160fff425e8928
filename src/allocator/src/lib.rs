//! The allocator of the program, and when it gives memory back.
//!
//! Short blocks are mimalloc's. Long ones are the system's, each a mapping of its own: whichever
//! thread frees such a block, all of it is given back that moment, and one that grows is moved without
//! a copy. mimalloc leaves a long block that another thread frees to its first owner, which may sleep
//! for long, or marks it as to be reclaimed some day: a burst of long messages held several times
//! what it should.
//!
//! A crate of its own, as this can't be done in safe code.

use std::alloc::{GlobalAlloc, Layout, System};

use libmimalloc_sys::{mi_option_eager_commit_delay, mi_option_t};
use mimalloc::MiMalloc;

/// Bytes from which a block is the system's. A page fault for each 4 KiB of a new mapping is cheap
/// beside what is done with that many bytes.
const LONG_BYTES_MIN: usize = 1024 * 1024;

/// `mi_option_purge_delay` of mimalloc 2, which `libmimalloc-sys` doesn't name: the one behind.
// spec: mimalloc 2.2, include/mimalloc.h, `mi_option_e`
const PURGE_DELAY: mi_option_t = mi_option_eager_commit_delay + 1;

/// mimalloc for short blocks, the system for long ones.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allocator;

const fn is_long(bytes: usize) -> bool {
    bytes >= LONG_BYTES_MIN
}

#[expect(unsafe_code, reason = "an allocator can't be written without")]
// SAFETY: which of the two allocators a block belongs to follows from its size, so that each is given
// back to, and grown by, the one it came from; all else is theirs, with the caller's promises.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are passed on.
        unsafe {
            if is_long(layout.size()) { System.alloc(layout) } else { MiMalloc.alloc(layout) }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are passed on.
        unsafe {
            if is_long(layout.size()) {
                System.alloc_zeroed(layout)
            } else {
                MiMalloc.alloc_zeroed(layout)
            }
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: a block of this layout came from the same allocator, see above.
        unsafe {
            if is_long(layout.size()) {
                System.dealloc(block, layout);
            } else {
                MiMalloc.dealloc(block, layout);
            }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: a block that stays with its allocator is grown by it. One that changes over is
        // copied, as much as both have; the caller promises that `bytes` make a layout.
        unsafe {
            match (is_long(layout.size()), is_long(bytes)) {
                (true, true) => System.realloc(block, layout, bytes),
                (false, false) => MiMalloc.realloc(block, layout, bytes),
                _ => {
                    let new = self.alloc(Layout::from_size_align_unchecked(bytes, layout.align()));
                    if !new.is_null() {
                        new.copy_from_nonoverlapping(block, layout.size().min(bytes));
                        self.dealloc(block, layout);
                    }
                    new
                }
            }
        }
    }
}

/// Has memory given back as soon as it is freed, not when something happens to be freed some
/// milliseconds later: after a burst of messages the node would hold on to what it no longer uses
/// for as long as it is idle, and a peer could drive that up. What is worth keeping is kept by those
/// who know, such as a connection for its next message.
///
/// To be called first thing in `main`.
pub fn give_back_at_once() {
    #[expect(unsafe_code, reason = "calls into C")]
    // SAFETY: it sets numbers that are read atomically, at any time and on any thread.
    unsafe {
        libmimalloc_sys::mi_option_set(PURGE_DELAY, 0);
    }
    own_mappings();
}

/// Has glibc make a mapping for each long block. By itself it does so at first only, and later keeps
/// blocks up to 32 MiB.
#[cfg(target_env = "gnu")]
fn own_mappings() {
    const BYTES_MIN: libc::c_int = LONG_BYTES_MIN as libc::c_int;
    #[expect(unsafe_code, reason = "a call into C")]
    // SAFETY: it sets a number, before any other thread runs.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, BYTES_MIN);
    }
}

/// Others, such as musl, do so anyway.
#[cfg(not(target_env = "gnu"))]
fn own_mappings() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[global_allocator]
    static ALLOCATOR: Allocator = Allocator;

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

    #[test]
    fn what_a_block_holds_stays_as_it_grows_and_shrinks() {
        let byte = |at: usize| (at % 251) as u8;
        let mut block = Vec::new();
        for bytes in [1, LONG_BYTES_MIN - 1, LONG_BYTES_MIN, 5 * LONG_BYTES_MIN] {
            block.reserve_exact(bytes - block.len());
            block.extend((block.len()..bytes).map(byte));
            assert_eq!(block.capacity(), bytes);
        }
        for bytes in [2 * LONG_BYTES_MIN, LONG_BYTES_MIN, LONG_BYTES_MIN - 1, 7] {
            block.truncate(bytes);
            block.shrink_to_fit();
            assert_eq!(block.capacity(), bytes);
            assert!(block.iter().enumerate().all(|(at, &found)| found == byte(at)));
        }
    }

    #[test]
    fn zeroed_blocks_are() {
        for bytes in [LONG_BYTES_MIN - 1, LONG_BYTES_MIN] {
            drop(vec![7_u8; bytes]);
            assert!(vec![0_u8; bytes].iter().all(|&byte| byte == 0));
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_long_block_is_given_back_whichever_thread_frees_it() {
        own_mappings();
        let resident_kib = || {
            let status = std::fs::read_to_string("/proc/self/status").expect("on Linux");
            let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line");
            let kib: usize =
                line.split_whitespace().nth(1).expect("a number").parse().expect("one");
            kib
        };
        let blocks: Vec<_> = (0..40).map(|_| vec![1_u8; 5 * LONG_BYTES_MIN]).collect();
        let full = resident_kib();
        std::thread::spawn(move || drop(blocks)).join().expect("it drops them");
        let given_back = full - resident_kib();
        assert!(given_back > 150 * 1024, "of 200 MiB, {given_back} KiB");
    }
}
