//! `har epmd`: the port mapper daemon, with the flags of Erlang's own.

use std::ffi::OsString;
use std::process::ExitCode;

/// What `har epmd` takes: whatever `epmd` takes.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(super) struct Arguments {
    /// Flags of epmd: -port -address -names -kill -stop … (`har epmd -help` lists them)
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FLAGS")]
    flags: Vec<OsString>,
}

pub(super) fn run(arguments: Arguments) -> ExitCode {
    ::epmd::run(arguments.flags)
}
