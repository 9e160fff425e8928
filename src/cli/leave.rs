//! `har leave`

use std::time::Duration;

use erlang_interop::node::{NodeChange, NodeEvent};
use erlang_interop::otp::erpc;
use erlang_interop::otp::reason::CallOutcome;
use erlang_interop::term::{Atom, Term, atom};
use tokio::sync::broadcast::Receiver;
use tokio::time::{Instant, timeout_at};

use super::client::Client;
use super::{Exit, Failure, IdentityFlags, print, runtime};

/// What `har leave` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The node, such as har@127.0.0.1 [default: the one that these settings are of]
    node: Option<String>,
    /// Give up waiting for its end after this many seconds; it goes on leaving
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u32,
    #[command(flatten)]
    identity: IdentityFlags,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let wait = Duration::from_secs(arguments.timeout.into());
    runtime::of_a_client()?.block_on(async {
        let deadline = Instant::now() + wait;
        let client = Client::connect(&arguments.identity, arguments.node.as_deref()).await?;
        let peer = client.peer.clone();
        let mut events = client.node.subscribe();
        let (module, leave) = (atom!("Elixir.HAR.Cluster"), atom!("leave"));
        let asked = erpc::call(&client.node, &peer, &module, &leave, Vec::new(), wait).await;
        let outcome = match asked {
            Ok(outcome) => obeyed(peer.as_str(), &outcome),
            Err(_) => {
                Err(Failure::new(Exit::Unavailable, format!("{} does not answer", peer.as_str())))
            }
        };
        let outcome = match outcome {
            Ok(()) => timeout_at(deadline, end_of(&mut events, &peer)).await.map_err(|_| {
                let message = format!(
                    "{} still finishes its work after {} s; give it more with --timeout",
                    peer.as_str(),
                    arguments.timeout
                );
                Failure::new(Exit::Unavailable, message)
            }),
            Err(failure) => Err(failure),
        };
        client.leave().await;
        outcome?;
        print(&format!("{} has left\n", peer.as_str()))
    })
}

/// Whether the node does as it was told; an orderly end before the answer says so too.
fn obeyed(peer: &str, outcome: &CallOutcome) -> Result<(), Failure> {
    let reason = match outcome {
        CallOutcome::Return(answer) if answer.is_atom("ok") => return Ok(()),
        CallOutcome::Raised { reason, .. } => reason.clone(),
        CallOutcome::Crashed(reason) => reason.to_term(),
        CallOutcome::Return(answer) => answer.clone(),
        _ => return Err(Failure::new(Exit::Unavailable, format!("{peer} is gone"))),
    };
    Err(refused(peer, &reason))
}

fn refused(peer: &str, reason: &Term) -> Failure {
    if reason.as_tagged("not_allowed").is_some() {
        let message = format!(
            "{peer} lets nobody tell it to leave; name HAR.Cluster.leave/0 in its calls.allow, or send \
             it SIGTERM"
        );
        return Failure::new(Exit::NoPerm, message);
    }
    if reason.is_atom("undef") {
        let message = format!("{peer} is no har node; init:stop() ends a BEAM");
        return Failure::new(Exit::Unavailable, message);
    }
    Failure::new(Exit::Negative, format!("{peer} does not leave: {reason}"))
}

/// Waits for the end of the connection.
async fn end_of(events: &mut Receiver<NodeEvent>, peer: &Atom) {
    while let Ok(event) = events.recv().await {
        if event.node == *peer && matches!(event.change, NodeChange::Down(_)) {
            return;
        }
    }
}
