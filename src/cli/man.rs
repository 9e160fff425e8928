//! `har man`

use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;

use super::{Cli, Exit, Failure, print};

/// What `har man` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Write har.1, har-start.1 and so on into this directory, made when absent
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut command = Cli::command();
    command.build();
    let Some(directory) = &arguments.output else { return print(&page(&command)?) };
    fs::create_dir_all(directory).map_err(|error| cannot_create(directory, &error))?;
    write(directory, "har", &command)?;
    for part in command.get_subcommands() {
        let name = format!("har-{}", part.get_name());
        write(directory, &name, part)?;
    }
    Ok(())
}

fn write(directory: &Path, name: &str, command: &clap::Command) -> Result<(), Failure> {
    let path = directory.join(format!("{name}.1"));
    fs::write(&path, page(command)?).map_err(|error| cannot_create(&path, &error))
}

fn page(command: &clap::Command) -> Result<String, Failure> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page).map_err(|error| {
        Failure::new(Exit::Software, format!("cannot render the page: {error}"))
    })?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

fn cannot_create(path: &Path, error: &std::io::Error) -> Failure {
    let path = path.display();
    Failure::new(Exit::CantCreat, format!("cannot write {path}: {error}; pass another --output"))
}
