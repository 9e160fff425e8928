//! The command line: one file a command, each `run` returning success or one line of failure.

mod arguments;
mod certs;
mod client;
mod completions;
mod config;
mod convert;
mod demo;
mod epmd;
mod exception;
mod failure;
mod flags;
mod leave;
mod man;
mod names;
mod parse;
mod ping;
mod rpc;
mod runtime;
mod source;
mod start;
mod syntax;
mod unreachable;
mod version;
mod welcome;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use failure::{Exit, Failure};
pub use flags::{IdentityFlags, NodeFlags};

/// A node that speaks native Erlang distribution and routes infrastructure automation.
#[derive(Debug, Parser)]
#[command(name = "har", version, max_term_width = 100, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node until Ctrl-C or SIGTERM
    Start(start::Arguments),
    /// See whether a node answers and has the same cookie
    Ping(ping::Arguments),
    /// Have a node finish its work and leave
    Leave(leave::Arguments),
    /// Call a function on a node and print what it returns
    Rpc(rpc::Arguments),
    /// List the nodes registered at an EPMD
    Names(names::Arguments),
    /// Convert a source of one tool into the notation of another
    Convert(convert::Arguments),
    /// Print the semantic graph of a source
    Parse(parse::Arguments),
    /// Run or query the Erlang Port Mapper Daemon
    Epmd(epmd::Arguments),
    /// Make certificates for a cluster that speaks TLS
    Certs(certs::Arguments),
    /// See three nodes share a job, of which one is killed half-way
    Demo(demo::Arguments),
    /// Check the configuration, or show what is in force and where it came from
    Config(config::Arguments),
    /// Print the version
    Version,
    /// Print a completion script for a shell
    Completions(completions::Arguments),
    /// Print the manual page, or write one page a command into a directory
    Man(man::Arguments),
}

/// Runs the program: reads `arguments` (the first is the program's name), does what they ask.
#[must_use]
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    let (arguments, cookie) = arguments::take_cookie(arguments::from_erl(arguments));
    let mut arguments = arguments;
    if let Some(cookie) = cookie {
        arguments::execute_again(&arguments, &cookie);
        // It could not be hidden, so it goes back where it was.
        let at = arguments.len().min(2);
        arguments.splice(at..at, ["--cookie".into(), cookie]);
    }
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    match cli.command.run() {
        Ok(code) => code,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "{failure}");
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// Prints what clap says; asking for help is no error.
fn refuse(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(Exit::Usage as u8) } else { ExitCode::SUCCESS }
}

impl Command {
    fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Start(arguments) => start::run(&arguments),
            Self::Ping(arguments) => ping::run(&arguments),
            Self::Leave(arguments) => leave::run(&arguments),
            Self::Demo(arguments) => demo::run(&arguments),
            Self::Rpc(arguments) => rpc::run(&arguments),
            Self::Names(arguments) => names::run(&arguments),
            Self::Convert(arguments) => convert::run(&arguments),
            Self::Parse(arguments) => parse::run(&arguments),
            Self::Certs(arguments) => certs::run(&arguments),
            Self::Config(arguments) => config::run(&arguments),
            Self::Version => version::run(),
            Self::Completions(arguments) => completions::run(&arguments),
            Self::Man(arguments) => man::run(&arguments),
            Self::Epmd(arguments) => return Ok(epmd::run(arguments)),
        }?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes `text` to standard output. A reader that has gone away (`har … | head`) is no failure.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(
            Exit::IoErr,
            format!("cannot write the output: {error}; check where it goes to"),
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }
}
