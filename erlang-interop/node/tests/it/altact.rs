//! `ALTACT_SIG_SEND`, as a peer of OTP 28 sends it.

use std::time::Duration;

use erlang_dist::control::AltactTarget;
use erlang_dist::{Connection, ConnectionConfig, ConnectionError, Control};
use erlang_node::{
    AliasMode, Context, DistributionFlags, DownReason, ExitReason, Node, NodeChange, SpawnOptions,
};
use erlang_term::{Pid, Term};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::harness::{self, atom, soon};
use crate::raw_peer::connected;

fn flags() -> DistributionFlags {
    DistributionFlags::DEFAULT | DistributionFlags::ALTACT_SIG
}

/// Sends by the one operation.
async fn say(
    stream: &mut TcpStream,
    machine: &mut Connection,
    (from, to): (&Pid, AltactTarget),
    exit: bool,
    payload: Term,
) {
    let (from, token) = (from.clone(), None);
    let control = Control::AltactSigSend { priority: true, exit, from, to, token };
    machine.send(control, Some(payload)).expect("it was agreed on");
    let mut chunks = Vec::new();
    while machine.poll_output(&mut chunks) > 0 {}
    soon(stream.write_all(&chunks.concat())).await.expect("written");
}

/// A process with a name and an alias that passes on what it receives, exits as well.
fn listener(node: &Node) -> mpsc::UnboundedReceiver<Term> {
    let (heard, hears) = mpsc::unbounded_channel();
    let options = SpawnOptions::new().trap_exit().name(atom("listener"));
    let process = node.spawn(options, move |mut context: Context| async move {
        let alias = context.alias(AliasMode::ExplicitUnalias);
        let _ = heard.send(Term::Reference(alias));
        while heard.send(context.receive().await.into_term()).is_ok() {}
    });
    process.expect("spawned");
    hears
}

#[tokio::test]
async fn messages_and_exits_come_by_one_operation_where_it_is_offered() {
    let mut config = harness::config("altact");
    config.altact_sig = true;
    let (node, mut stream, from, outcome) = connected(config, flags()).await;
    assert!(outcome.flags.contains(DistributionFlags::ALTACT_SIG));
    let mut machine = Connection::new(ConnectionConfig::default(), &outcome, Duration::ZERO);
    let mut hears = listener(&node);
    let alias = soon(hears.recv()).await.expect("its alias");
    let alias = alias.as_reference().expect("a reference").clone();
    let pid = node.whereis(&atom("listener")).expect("registered");
    let targets =
        [AltactTarget::Pid(pid), AltactTarget::Name(atom("listener")), AltactTarget::Alias(alias)];
    for (number, to) in (1..).zip(targets) {
        for exit in [false, true] {
            let payload = Term::from(number);
            say(&mut stream, &mut machine, (&from, to.clone()), exit, payload.clone()).await;
            let heard = soon(hears.recv()).await.expect("it lives");
            let expected = match exit {
                false => payload,
                true => Term::tuple([Term::atom("EXIT"), Term::Pid(from.clone()), payload]),
            };
            assert_eq!(heard, expected, "{to:?}");
        }
    }
    let kill = ExitReason::Kill.to_term();
    let to = AltactTarget::Name(atom("listener"));
    say(&mut stream, &mut machine, (&from, to), true, kill).await;
    assert_eq!(soon(hears.recv()).await, None, "it was killed");
}

#[tokio::test]
async fn the_operation_is_refused_where_it_was_not_offered() {
    let (node, mut stream, from, outcome) = connected(harness::config("plain"), flags()).await;
    assert!(!outcome.flags.contains(DistributionFlags::ALTACT_SIG));
    let mut events = node.subscribe();
    let mut machine = Connection::with_flags(ConnectionConfig::default(), flags(), Duration::ZERO);
    let to = AltactTarget::Name(atom("nobody"));
    say(&mut stream, &mut machine, (&from, to), false, Term::Nil).await;
    let down = soon(events.recv()).await.expect("an event").change;
    let refused = matches!(
        down,
        NodeChange::Down(DownReason::Protocol(ConnectionError::NotNegotiated { flag, .. }))
            if flag == DistributionFlags::ALTACT_SIG
    );
    assert!(refused, "{down:?}");
}
