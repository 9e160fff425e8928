//! `har completions SHELL`

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, Failure, print};

/// What `har completions` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// bash, zsh, fish, elvish or powershell
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "har", &mut script);
    print(&String::from_utf8_lossy(&script))
}
