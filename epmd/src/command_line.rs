//! The command line of the daemon, with the original's flags. The library's part of `har-epmd`
//! and of `har epmd`.

mod ask;
mod detach;
mod notify;
mod options;
mod serve;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use tokio::runtime;

use crate::Environment;
use options::{Action, Options};

/// What went right or wrong, as the original counts it: 0 and 1.
const FAILURE: u8 = 1;

/// Runs `har-epmd` with these arguments (without the program's name) and gives its exit code: 0,
/// or 1 after a message.
///
/// It starts its own tokio runtime, so it must not be called inside one. With `-daemon` the
/// running program is started a second time with the process's own arguments; a caller that
/// offers this as a subcommand needs nothing special for that, since its arguments lead back here.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let environment = match Environment::from_process() {
        Ok(environment) => environment,
        Err(error) => return fail(&error.to_string()),
    };
    let arguments = arguments.into_iter().map(|word| word.to_string_lossy().into_owned());
    let options = match Options::parse(arguments, environment) {
        Ok(options) => options,
        Err(error) => {
            // Nobody is left to tell when stderr is closed.
            let _ = write!(io::stderr(), "epmd: {error}\n\n{}", options::USAGE);
            return ExitCode::from(FAILURE);
        }
    };
    match options.action {
        Action::Help => print(options::USAGE),
        Action::Serve if options.daemon && !detach::is_detached() => detach::start_again(),
        Action::Serve => serve::serve(&options),
        _ => match runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(ask::ask(&options)),
            Err(error) => fail(&format!("cannot start: {error}")),
        },
    }
}

/// Writes to stdout; a reader that went away is a failure.
fn print(text: &str) -> ExitCode {
    let mut stdout = io::stdout();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(FAILURE) }
}

/// One line on stderr, and the code of a failure.
fn fail(message: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "epmd: {message}");
    ExitCode::from(FAILURE)
}
