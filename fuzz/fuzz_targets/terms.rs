#![no_main]
//! See `src/terms.rs`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| har_fuzz::terms::run(data));
