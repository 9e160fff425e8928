# `just` lists these; each is one command that also works without just.

# everything CI runs
test-all:
    ./test/run

# build and run a node
run *ARGS:
    cargo run --release -- start {{ARGS}}

# the Rust tests
test:
    cargo test --workspace

# format and lints, warnings are errors
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# measure beside a BEAM
bench *ARGS:
    cargo run --release -p vs-beam -- {{ARGS}}

# write the manual pages and completions below target/
documents:
    cargo run --release -- man --output target/man
    cargo doc --workspace --no-deps
