//! `har names`: who is registered at an EPMD.

use std::fmt::Write as _;

use epmd::{Client, ClientError};
use tokio::net::lookup_host;

use crate::config::Setting;

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
    let settings = arguments.identity.settings()?;
    let (port, dist_port) = (settings.epmd_port.value, settings.dist_port);
    if dist_port.value != 0 {
        let Setting { value, origin } = dist_port;
        return Err(Failure::new(
            Exit::Usage,
            format!(
                "no EPMD is in use: epmd.dist_port is {value} (from {origin}); unset it to ask one"
            ),
        ));
    }
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
