//! `har rpc`

use std::time::Duration;

use erlang_interop::node::ExitReason;
use erlang_interop::otp::erpc;
use erlang_interop::otp::reason::CallOutcome;
use erlang_interop::term::{Term, atom};

use super::client::Client;
use super::exception::{Raised, badrpc};
use super::syntax::Syntax;
use super::{Exit, Failure, IdentityFlags, print, runtime};

/// What `har rpc` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The node, such as har@127.0.0.1
    node: String,
    /// erlang, 'Elixir.HAR'; with --elixir :erlang, HAR
    module: String,
    /// The function
    function: String,
    /// One list term with all arguments
    #[arg(default_value = "[]", allow_hyphen_values = true)]
    args: String,
    /// Read and print terms in Elixir's syntax
    #[arg(long)]
    elixir: bool,
    /// Give up after this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u32,
    #[command(flatten)]
    identity: IdentityFlags,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let syntax = if arguments.elixir { Syntax::Elixir } else { Syntax::Erlang };
    let module = syntax.name(&arguments.module)?;
    let function = syntax.name(&arguments.function)?;
    let args = syntax.arguments(&arguments.args)?;
    let timeout = Duration::from_secs(arguments.timeout.into());
    let (outcome, has_module) = runtime::of_a_client()?.block_on(async {
        let client = Client::connect(&arguments.identity, Some(&arguments.node)).await?;
        let (node, peer) = (&client.node, &client.peer);
        let outcome = erpc::call(node, peer, &module, &function, args, timeout).await;
        let has_module = match &outcome {
            Ok(outcome) if syntax == Syntax::Elixir => has_module(&client, outcome, timeout).await,
            _ => None,
        };
        client.leave().await;
        outcome.map(|outcome| (outcome, has_module)).map_err(|_| {
            let message =
                format!("no answer within {} s; give it more with --timeout", arguments.timeout);
            Failure::new(Exit::Unavailable, message)
        })
    })?;
    show(syntax, &outcome, has_module)
}

/// Whether the node has the module of the function that was undefined: iex tells it, too. `None`:
/// no function was, or the node did not say.
async fn has_module(client: &Client, outcome: &CallOutcome, timeout: Duration) -> Option<bool> {
    let CallOutcome::Raised { reason, stack, .. } = outcome else { return None };
    if !reason.is_atom("undef") {
        return None;
    }
    let frame = stack.list_iter()?.next()?;
    let module = frame.as_tuple()?.first()?.clone();
    let (code, which) = (atom!("code"), atom!("which"));
    let asked = erpc::call(&client.node, &client.peer, &code, &which, vec![module], timeout).await;
    match asked {
        Ok(CallOutcome::Return(found)) => Some(!found.is_atom("non_existing")),
        _ => None,
    }
}

/// Prints a value; anything else is what a shell would print, and exit code 1.
fn show(syntax: Syntax, outcome: &CallOutcome, has_module: Option<bool>) -> Result<(), Failure> {
    let lines = match outcome {
        CallOutcome::Return(value) => return print(&format!("{}\n", syntax.show(value))),
        CallOutcome::Raised { class, reason, stack } => {
            Raised { class: class.as_str(), reason, stack, has_module }.lines(syntax)
        }
        CallOutcome::Crashed(reason) => crashed(syntax, reason),
        _ => badrpc(syntax, &Term::from(atom!("nodedown"))),
    };
    Err(Failure::verbatim(Exit::Negative, lines))
}

/// A process that ended with `{Reason, Stack}` raised an error in a way `erpc` did not catch.
fn crashed(syntax: Syntax, reason: &ExitReason) -> String {
    let term = reason.to_term();
    match term.as_tuple() {
        Some([reason, stack])
            if stack.list_iter().is_some_and(|mut frames| frames.next().is_some()) =>
        {
            Raised { class: "error", reason, stack, has_module: None }.lines(syntax)
        }
        _ => {
            let raised =
                Raised { class: "exit", reason: &term, stack: &Term::Nil, has_module: None };
            raised.lines(syntax)
        }
    }
}
