//! `har`, the command. Everything is in [`har::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    har::cli::main(std::env::args_os().collect())
}
