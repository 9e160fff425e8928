//! Two processes with the same name when partitions meet: which one keeps it.
//!
//! The name came with a resolve function. BEAMs register with one of `global`'s own by default;
//! ours is `fun global:random_exit_name/3`. Where it must run a foreign function, the node of the
//! process that we have the name from is asked to (`global:resolve_it/4`), as a BEAM does.

use erlang_node::{Context, ExitReason, Node, SpawnOptions};
use erlang_term::{Fun, Pid, Term, atom};

use super::names::{Clash, Named, Operation};
use super::output::Resolve;
use crate::gen_message::cast_message;
use crate::limits::CALL_TIMEOUT;

/// Reads operations from a message of our own resolver.
pub(super) fn operations(list: &Term) -> Vec<Operation> {
    Operation::read_all(list)
}

/// Starts a process that resolves all clashes and reports to the name server.
pub(super) fn start(context: &Context, work: Resolve) {
    let started = context.spawn(SpawnOptions::new(), move |own| async move {
        let (mut ours, mut his) = (work.operations, Vec::new());
        for clash in work.clashes {
            decide(own.node(), clash, &mut ours, &mut his).await;
        }
        let list = |operations: &[Operation]| Term::list(operations.iter().map(Operation::to_term));
        let message = (atom!("exchange_ops"), work.node, work.tag, list(&ours), list(&his));
        own.send(atom!("global_name_server"), cast_message(Term::from(message))).await;
    });
    if let Err(error) = started {
        tracing::warn!(%error, "global: could not start a process");
    }
}

async fn decide(node: &Node, clash: Clash, ours: &mut Vec<Operation>, his: &mut Vec<Operation>) {
    let Clash { theirs, ours: own } = clash;
    let kept = if own.pid.node() == node.name() {
        let pids = (theirs.pid.clone(), own.pid.clone());
        Some(resolve_here(node, &own.method, &own.name, pids).await)
    } else {
        ask(node, &own, &theirs.pid).await
    };
    match kept {
        Some(kept) if kept.as_pid() == Some(&theirs.pid) => ours.push(Operation::Insert(theirs)),
        Some(kept) if kept.as_pid() == Some(&own.pid) => his.push(Operation::Insert(own)),
        // The node of our process is gone, and its monitor will tell: take the other's.
        None => ours.push(Operation::Insert(theirs)),
        Some(_) => {
            ours.push(Operation::Delete(theirs.name.clone()));
            his.push(Operation::Delete(theirs.name));
        }
    }
}

/// `global:resolve_it(Method, Name, Theirs, Ours)` at the node of our process.
async fn ask(node: &Node, own: &Named, theirs: &Pid) -> Option<Term> {
    let arguments =
        vec![own.method.clone(), own.name.clone(), Term::from(theirs), Term::from(&own.pid)];
    let (module, function) = (atom!("global"), atom!("resolve_it"));
    let at = own.pid.node().clone();
    let answer = crate::rpc::call(node, &at, &module, &function, arguments, CALL_TIMEOUT).await;
    (answer.as_tagged("badrpc").is_none()).then_some(answer)
}

/// Runs a resolve function here: the pid that keeps the name, or `none`.
///
/// `random_exit_name` kills one of the two, `random_notify_name` tells the loser,
/// `notify_all_name` tells both and neither keeps it. A closure of `global` is the default
/// function, `random_exit_name`; so is treated what can't be run here.
pub(crate) async fn resolve_here(
    node: &Node,
    method: &Term,
    name: &Term,
    (one, two): (Pid, Pid),
) -> Term {
    let function = match method {
        Term::Fun(Fun::Export(export)) if *export.module() == "global" => {
            export.function().as_str().to_owned()
        }
        _ => "random_exit_name".to_owned(),
    };
    // Both nodes could be asked about the same pair, so the choice follows from the pids alone.
    let (kept, lost) = if Term::from(&one).phash2() >= Term::from(&two).phash2() {
        (one, two)
    } else {
        (two, one)
    };
    match function.as_str() {
        "random_notify_name" => {
            node.send(&lost, (atom!("global_name_conflict"), name)).await;
            Term::from(kept)
        }
        "notify_all_name" => {
            for (pid, other) in [(&kept, &lost), (&lost, &kept)] {
                node.send(pid, (atom!("global_name_conflict"), name, other)).await;
            }
            Term::from(atom!("none"))
        }
        _ => {
            tracing::info!(%name, %lost, "global: name conflict, a process is terminated");
            kill(node, lost);
            Term::from(kept)
        }
    }
}

fn kill(node: &Node, pid: Pid) {
    let started = node.spawn(SpawnOptions::new(), move |own| async move {
        own.exit(&pid, ExitReason::Kill).await;
    });
    if let Err(error) = started {
        tracing::warn!(%error, "global: could not start a process");
    }
}
