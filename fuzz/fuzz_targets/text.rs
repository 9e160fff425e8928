#![no_main]
//! See `src/text.rs`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| har_fuzz::text::run(data));
