//! `har ping`

use super::client::Client;
use super::{Failure, IdentityFlags, print, runtime};

/// What `har ping` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The node, such as har@127.0.0.1 [default: the one that these settings are of]
    node: Option<String>,
    #[command(flatten)]
    identity: IdentityFlags,
}

/// A finished handshake is the answer: only a living node with the same cookie gets that far.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    runtime::of_a_client()?.block_on(async {
        let client = Client::connect(&arguments.identity, arguments.node.as_deref()).await?;
        tracing::debug!(peer = client.peer.as_str(), "answered");
        client.leave().await;
        print("pong\n")
    })
}
