//! `har-epmd`, the stand-alone daemon.

use std::process::ExitCode;

fn main() -> ExitCode {
    epmd::run(std::env::args_os().skip(1))
}
