#![no_main]
//! See `src/control.rs`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| har_fuzz::control::run(data));
