#![no_main]
//! See `src/operations.rs`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| har_fuzz::operations::run(data));
