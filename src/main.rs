//! `har`, the command. Everything is in [`har::cli`].

use std::process::ExitCode;

/// Gives memory back to the system soon after it is freed, whichever thread freed it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    har::cli::main(std::env::args_os().collect())
}
