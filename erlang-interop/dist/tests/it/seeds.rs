//! Replays the seeds of the fuzz targets, so that the normal suite gains from what they found.

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
