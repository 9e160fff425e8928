#![no_main]
//! See `src/handshake.rs`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| har_fuzz::handshake::run(data));
