//! Replays the seeds of the fuzz targets, and the inputs that reached new code while they ran, so that
//! the normal suite gains from what they found.

// The fuzz workspace needs the targets public; here nobody outside does.
#![allow(unreachable_pub)]

use std::path::Path;

#[path = "../../../../fuzz/src/control.rs"]
mod control;
#[path = "../../../../fuzz/src/frames.rs"]
mod frames;
#[path = "../../../../fuzz/src/handshake.rs"]
mod handshake;
#[path = "../../../../fuzz/src/operations.rs"]
mod operations;
#[path = "../../../../fuzz/src/terms.rs"]
mod terms;
#[path = "../../../../fuzz/src/text.rs"]
mod text;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let mut replayed = 0;
    for entry in std::fs::read_dir(folder).expect("each target has seeds") {
        let seed = std::fs::read(entry.expect("an entry").path()).expect("a readable seed");
        run(&seed);
        // Cut and bent a little, a seed is a test of its own.
        for at in (0..seed.len()).step_by(seed.len() / 40 + 1) {
            run(&seed[..at]);
            let mut bent = seed.clone();
            bent[at] ^= 0x41;
            run(&bent);
        }
        replayed += 1;
    }
    assert!(replayed >= 2, "{target} has {replayed} seeds");
    replay_found(target, run);
}

/// `found/TARGET.hex`: an input a line, in hexadecimal digits.
fn replay_found(target: &str, run: fn(&[u8])) {
    let file = format!("../../fuzz/found/{target}.hex");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let lines = std::fs::read_to_string(file).expect("each target has found something");
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("a hexadecimal digit") as u8;
    let mut replayed = 0;
    for line in lines.lines() {
        let bytes = line.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1]));
        run(&bytes.collect::<Vec<u8>>());
        replayed += 1;
    }
    assert!(replayed >= 100, "{target} has found {replayed}");
}

#[test]
fn control_seeds() {
    replay("control", control::run);
}

#[test]
fn frames_seeds() {
    replay("frames", frames::run);
}

#[test]
fn handshake_seeds() {
    replay("handshake", handshake::run);
}

#[test]
fn operations_seeds() {
    replay("operations", operations::run);
}

#[test]
fn terms_seeds() {
    replay("terms", terms::run);
}

#[test]
fn text_seeds() {
    replay("text", text::run);
}
