//! A BEAM that traces sequentially: its signals come in their `…_TT` forms, with a token. We read them
//! as the plain ones and send no token on, so a token ends where a message of ours comes.

use erlang_node::{ExitReason, SpawnOptions};
use erlang_term::{Atom, atom};

use crate::world::{World, until};

/// Evaluates with a token set; the evaluating process keeps none.
fn traced(expression: &str) -> String {
    format!(
        "begin seq_trace:set_token(label, 17), seq_trace:set_token(send, true), V = {expression}, \
         seq_trace:set_token([]), V end"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signals_with_a_token_are_those_without() {
    let world = World::new();
    let ours = world.ours("b").await;
    let mut beam = world.beam("a");
    assert_eq!(beam.eval("net_adm:ping('b@127.0.0.1')").await, "=> pong");
    for (expression, value) in [
        // REG_SEND_TT; the answer has no token, and takes the process's.
        (
            "begin {echo,'b@127.0.0.1'} ! {self(), hi}, \
             receive {_, hi} -> seq_trace:get_token() end end",
            "[]",
        ),
        // SPAWN_REQUEST_TT, with a monitor, and the reason as the answer.
        ("erpc:call('b@127.0.0.1', erlang, node, [])", "'b@127.0.0.1'"),
        ("rpc:call('b@127.0.0.1', erlang, abs, [-1])", "1"),
        // Calls of servers: answered to an alias.
        ("gen_server:call({net_kernel,'b@127.0.0.1'}, {is_auth, node()})", "yes"),
        (
            "'Elixir.Task':await('Elixir.Task.Supervisor':async(\
             {'Elixir.HAR.TaskSupervisor','b@127.0.0.1'}, erlang, node, []))",
            "'b@127.0.0.1'",
        ),
    ] {
        let answer = beam.eval(&traced(expression)).await;
        assert_eq!(answer, format!("=> {value}"), "{expression}");
    }
    // SEND_SENDER_TT to a pid that was asked for without a token.
    let by_pid = "begin P = rpc:call('b@127.0.0.1', erlang, whereis, [echo]), \
                  seq_trace:set_token(label, 17), seq_trace:set_token(send, true), \
                  P ! {self(), pid}, receive {P, pid} -> seq_trace:get_token() end end";
    assert_eq!(beam.eval(by_pid).await, "=> []");
    // PAYLOAD_EXIT2_TT by exit/2 and PAYLOAD_EXIT_TT by a link.
    for (name, end) in [("asked", "exit(P, kill)"), ("linked", "begin link(P), exit(gone) end")] {
        let name = Atom::new(name).unwrap();
        let options = SpawnOptions::new().name(name.clone());
        let spawned = ours.node.spawn(options, |mut own| async move {
            own.receive().await;
            ExitReason::Normal
        });
        let pid = spawned.unwrap();
        let end = format!(
            "begin P = rpc:call('b@127.0.0.1', erlang, whereis, [{}]), \
             spawn(fun() -> seq_trace:set_token(label, 17), seq_trace:set_token(send, true), \
             {end} end), ok end",
            name.as_str()
        );
        assert_eq!(beam.eval(&end).await, "=> ok");
        until("it ended", || !ours.node.is_process_alive(&pid)).await;
    }
    assert!(ours.node.whereis(&atom!("echo")).is_some());
}
