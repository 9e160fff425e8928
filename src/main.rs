//! `har`, the command. Everything is in [`har::cli`].

use std::process::ExitCode;

/// Gives memory back to the system when it is freed, whichever thread freed it.
#[global_allocator]
static ALLOCATOR: har_allocator::Allocator = har_allocator::Allocator;

fn main() -> ExitCode {
    har_allocator::give_back_at_once();
    har::cli::main(std::env::args_os().collect())
}
