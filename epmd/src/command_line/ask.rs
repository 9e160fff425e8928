//! The interactive options: ask the daemon on this host.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;

use super::options::{Action, Options};
use super::{FAILURE, fail, print};
use crate::client::{KillAnswer, StopAnswer};
use crate::{Client, ClientError};

/// Text for stdout and whether it is a success; the texts are the original's, since scripts and
/// release tools read them.
type Told = Result<(String, bool), ClientError>;

pub(super) async fn ask(options: &Options) -> ExitCode {
    let quiet = options.action == Action::Started;
    let loopback: [IpAddr; 2] = [Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
    let mut told = None;
    for ip in loopback {
        let client = Client::new(SocketAddr::new(ip, options.port));
        let answer = ask_one(client, &options.action).await;
        let connected = !matches!(answer, Err(ClientError::Connect { .. }));
        told = Some(answer);
        if connected {
            break;
        }
    }
    match told {
        Some(Ok((_, success))) if quiet => code(success),
        Some(Ok((text, success))) => {
            let printed = print(&text);
            if success { printed } else { code(false) }
        }
        Some(Err(_)) | None if quiet => code(false),
        Some(Err(ClientError::Connect { .. })) | None => fail("Cannot connect to local epmd"),
        Some(Err(ClientError::Closed { bytes: 0, .. })) => {
            print("epmd: local epmd responded with <>\n");
            code(false)
        }
        Some(Err(error)) => fail(&format!("no response from local epmd: {error}")),
    }
}

fn code(success: bool) -> ExitCode {
    if success { ExitCode::SUCCESS } else { ExitCode::from(FAILURE) }
}

async fn ask_one(client: Client, action: &Action) -> Told {
    match action {
        Action::Dump => {
            let dump = client.dump().await?;
            Ok((heading(dump.epmd_port) + &dump.text, true))
        }
        Action::Kill => Ok(match client.kill().await? {
            KillAnswer::Killed => ("Killed\n".to_owned(), true),
            KillAnswer::LivingNodes => {
                ("Killing not allowed - living nodes in database.\n".to_owned(), false)
            }
        }),
        Action::Stop { name } => {
            let word = match client.stop(name).await? {
                StopAnswer::Stopped => "STOPPED\n",
                StopAnswer::NoExist => "NOEXIST\n",
            };
            Ok((word.to_owned(), true))
        }
        Action::Names | Action::Started | Action::Serve | Action::Help => {
            let names = client.names().await?;
            let mut text = heading(names.epmd_port);
            for (name, port) in names.nodes {
                writeln!(text, "name {name} at port {port}").expect("a String takes all");
            }
            Ok((text, true))
        }
    }
}

fn heading(port: u16) -> String {
    format!("epmd: up and running on port {port} with data:\n")
}
