//! `har names`: who is registered at an EPMD.

use std::fmt::Write as _;

use epmd::{Client, ClientError};
use tokio::net::lookup_host;

use super::{Exit, Failure, IdentityFlags, print, runtime};

/// What `har names` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Host whose EPMD is asked
    #[arg(default_value = "127.0.0.1")]
    host: String,
    #[command(flatten)]
    identity: IdentityFlags,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let port = arguments.identity.settings()?.epmd_port.value;
    let host = &arguments.host;
    let names = runtime::of_a_client()?.block_on(async {
        let address = lookup_host((host.as_str(), port)).await.ok().and_then(|mut all| all.next());
        let address = address.ok_or_else(|| {
            Failure::new(Exit::NoHost, format!("host {host} is not known; check its spelling"))
        })?;
        Client::new(address).names().await.map_err(|error| no_answer(&error, port))
    })?;
    let mut lines = String::new();
    for (name, port) in names.nodes {
        let _ = writeln!(lines, "name {name} at port {port}");
    }
    print(&lines)
}

fn no_answer(error: &ClientError, port: u16) -> Failure {
    let cure = match error {
        ClientError::Connect { .. } => "start one with `har epmd` or a node with `har start`",
        _ => "is it an EPMD? choose another port with --epmd-port",
    };
    Failure::new(Exit::Unavailable, format!("no EPMD on port {port}: {error}; {cure}"))
}
