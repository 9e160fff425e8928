#![no_main]
//! See `src/frames.rs`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| har_fuzz::frames::run(data));
