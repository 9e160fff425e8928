//! What a BEAM calls on us: ping, rpc, erpc, rex, the built-in functions, output, diagnostics.

use erlang_node::{ExitReason, SpawnOptions};
use erlang_term::{Term, atom, term};

use crate::world::World;

const B: &str = "'b@127.0.0.1'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_beam_pings_and_calls() {
    let world = World::new();
    let _ours = world.ours("b").await;
    let mut beam = world.beam("a");
    for (expression, answer) in [
        ("net_adm:ping(B)", "=> pong"),
        ("nodes()", "=> ['b@127.0.0.1']"),
        ("rpc:call(B, erlang, node, [])", "=> 'b@127.0.0.1'"),
        ("erpc:call(B, erlang, '+', [1, 2])", "=> 3"),
        ("rpc:call(B, 'Elixir.HAR', version, [])", "=> <<\"9.9.9\">>"),
        ("rpc:call(B, erlang, nodes, [])", "=> ['a@127.0.0.1']"),
        ("rpc:call(B, timer, sleep, [5000], 50)", "=> {badrpc,timeout}"),
        ("rpc:block_call(B, erlang, node, [])", "=> 'b@127.0.0.1'"),
        ("rpc:multicall([node(), B], erlang, node, [])", "=> {['a@127.0.0.1','b@127.0.0.1'],[]}"),
        ("erpc:multicall([B, B], erlang, abs, [-1])", "=> [{ok,1},{ok,1}]"),
        ("rpc:yield(rpc:async_call(B, erlang, node, []))", "=> 'b@127.0.0.1'"),
        ("rpc:cast(B, erlang, node, [])", "=> true"),
        ("erpc:cast(B, erlang, node, [])", "=> ok"),
        ("rpc:sbcast([B], sink, x)", "=> {['b@127.0.0.1'],[]}"),
        ("rpc:sbcast([B], nobody, x)", "=> {[],['b@127.0.0.1']}"),
        ("rpc:abcast([B], sink, x)", "=> abcast"),
        ("gen_server:call({net_kernel, B}, {is_auth, node()})", "=> yes"),
        ("rpc:call(B, erlang, apply, [fun erlang:abs/1, [-3]])", "=> 3"),
        ("erpc:call(B, fun erlang:node/0)", "=> 'b@127.0.0.1'"),
        ("rpc:call(B, net_adm, ping, [node()])", "=> pong"),
        ("rpc:call(B, rpc, call, [node(), erlang, node, []])", "=> 'a@127.0.0.1'"),
        ("is_list(rpc:call(B, erlang, processes, []))", "=> true"),
        ("rpc:call(B, erlang, whereis, [nobody])", "=> undefined"),
        ("is_pid(rpc:call(B, erlang, whereis, [rex]))", "=> true"),
        ("lists:member(rex, rpc:call(B, erlang, registered, []))", "=> true"),
        ("rpc:call(B, erlang, system_info, [otp_release])", "=> \"25\""),
        ("is_integer(proplists:get_value(total, rpc:call(B, erlang, memory, [])))", "=> true"),
        (
            "rpc:call(B, erlang, process_info, [rpc:call(B, erlang, whereis, [rex]), registered_name])",
            "=> {registered_name,rex}",
        ),
        ("rpc:call(B, 'Elixir.Node', self, [])", "=> 'b@127.0.0.1'"),
        ("rpc:call(B, code, which, [nomod])", "=> non_existing"),
        ("net_kernel:connect_node(B)", "=> true"),
    ] {
        // `B` stands alone in the expressions above; Erlang's own names have none.
        let expression = expression.replace('B', B);
        assert_eq!(beam.eval(&expression).await, answer, "{expression}");
    }
}

/// Each expression is run against a BEAM and against us; both must give the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_look_as_on_a_beam() {
    let world = World::new();
    let _ours = world.ours("b").await;
    let _other = world.beam("c");
    let mut beam = world.beam("a");
    let mut differences = Vec::new();
    for call in [
        "rpc:call(N, nomod, f, [1, x])",
        "rpc:call(N, erlang, no_such_function, [])",
        "rpc:call(N, erlang, error, [boom])",
        "rpc:call(N, erlang, exit, [bye])",
        "rpc:call(N, erlang, exit, [normal])",
        "rpc:call(N, erlang, throw, [ball])",
        "rpc:call(N, erlang, abs, [x])",
        "rpc:call(N, erlang, length, [x])",
        "rpc:call(N, erlang, '+', [x, 1])",
        "rpc:call(N, erlang, apply, [nomod, f, []])",
        "rpc:call(N, erlang, apply, [fun nomod:f/0, []])",
        "rpc:call(N, erlang, apply, [fun erlang:abs/1, [1, 2]])",
        "rpc:call(N, erlang, apply, [x, []])",
        "rpc:call(N, erlang, whereis, [1])",
        "rpc:call(N, erlang, process_info, [self()])",
        "rpc:call(N, erlang, is_process_alive, [self()])",
        "rpc:call(N, erlang, binary_to_atom, [<<255>>])",
        "rpc:call(N, erlang, system_info, [nonsense])",
        "rpc:call(N, maps, get, [k, #{}])",
        "rpc:call(N, lists, reverse, [x])",
        "rpc:block_call(N, nomod, f, [])",
        "rpc:block_call(N, erlang, exit, [bye])",
        "rpc:block_call(N, erlang, throw, [ball])",
        "catch erpc:call(N, nomod, f, [])",
        "catch erpc:call(N, erlang, exit, [bye])",
        "catch erpc:call(N, erlang, throw, [ball])",
        "catch erpc:call(N, timer, sleep, [5000], 50)",
        "catch gen_server:call({nobody, N}, x)",
        "begin {P, R} = spawn_monitor(N, nomod, f, [1]), \
         receive {'DOWN', R, process, P, Why} -> Why end end",
        "begin {P, R} = spawn_monitor(N, erlang, exit, [bye]), \
         receive {'DOWN', R, process, P, Why} -> Why end end",
        "begin {P, R} = spawn_monitor(N, erlang, throw, [ball]), \
         receive {'DOWN', R, process, P, {Why, _}} -> Why end end",
        "begin {P, R} = spawn_monitor(N, lists, seq, [1, 3]), \
         receive {'DOWN', R, process, P, Why} -> Why end end",
        "begin Ref = spawn_request(N, erlang, node, [], [nonsense]), \
         receive {spawn_reply, Ref, A, B} -> {A, B} end end",
    ] {
        let at = |node: &str| {
            call.replace("(N,", &format!("('{node}@127.0.0.1',"))
                .replace("N}", &format!("'{node}@127.0.0.1'}}"))
        };
        let theirs = beam.eval(&at("c")).await;
        let ours = beam.eval(&at("b")).await;
        // Line numbers and files are the BEAM's own; its frames below the call are not ours.
        let (ours, theirs) = (shape(&ours), shape(&theirs.replace("'c@", "'b@")));
        if ours != theirs {
            differences.push(format!("{call}\n  ours   {ours}\n  theirs {theirs}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// An answer without what only a BEAM has in its stacks: files and lines.
fn shape(answer: &str) -> String {
    let mut shape = String::new();
    let mut rest = answer;
    while let Some(at) = rest.find("[{file,") {
        shape.push_str(&rest[..at]);
        shape.push_str("[]");
        rest = rest[at..].split_once(']').map_or("", |(_, after)| after);
    }
    shape.push_str(rest);
    shape
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn output_goes_to_the_callers_group_leader() {
    let world = World::new();
    let _ours = world.ours("b").await;
    let mut beam = world.beam("a");
    // A process that collects what is printed stands in for the shell.
    let printed = format!(
        "begin Me = self(), L = spawn(fun() -> receive {{io_request, F, R, Q}} -> \
         F ! {{io_reply, R, ok}}, Me ! {{printed, Q}} end end), \
         Old = group_leader(), group_leader(L, self()), \
         V = rpc:call({B}, 'Elixir.IO', puts, [<<\"hello\">>]), group_leader(Old, self()), \
         receive {{printed, Q}} -> {{V, Q}} after 5000 -> nothing end end"
    );
    assert_eq!(beam.eval(&printed).await, "=> {ok,{put_chars,unicode,<<\"hello\\n\">>}}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn echo_and_sink_do_what_benchmarks_expect() {
    let world = World::new();
    let _ours = world.ours("b").await;
    let mut beam = world.beam("a");
    let echo = format!(
        "begin [{{echo, {B}}} ! {{self(), I}} || I <- [1, 2, 3]], \
         [receive {{P, I}} when is_pid(P) -> I end || I <- [1, 2, 3]] end"
    );
    assert_eq!(beam.eval(&echo).await, "=> [1,2,3]");
    let sink = format!(
        "begin {{sink, {B}}} ! <<0:800>>, {{sink, {B}}} ! other, {{sink, {B}}} ! {{self(), sync}}, \
         receive {{sink, C, S}} -> {{C, S}} end end"
    );
    assert_eq!(beam.eval(&sink).await, "=> {2,100}");
}

/// `rpc:server_call/4` has a convention of its own: the server answers `{Wrapper, Node, Reply}`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_the_old_convention_is_called() {
    let world = World::new();
    let ours = world.ours("b").await;
    let options = SpawnOptions::new().name(atom!("old_server"));
    let spawned = ours.node.spawn(options, |mut own| async move {
        loop {
            let request = own.receive().await;
            let Some([Term::Pid(from), question]) = request.as_tuple() else {
                return ExitReason::Normal;
            };
            let answer = term!({wrapper, (own.node().name()), {asked, (question)}});
            own.send(from, answer).await;
        }
    });
    spawned.unwrap();
    let mut beam = world.beam("a");
    let call = |name: &str| format!("rpc:server_call({B}, {name}, wrapper, hi)");
    assert_eq!(beam.eval(&call("old_server")).await, "=> {asked,hi}");
    assert_eq!(beam.eval(&call("nobody")).await, "=> {error,nodedown}");
}
