//! Which functions a peer may call, by every way in, with a real BEAM as the peer.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use erlang_node::audit::{AuditEvent, Auditor};
use erlang_otp::{CallPolicy, Decision, Functions, StandardOptions, standard};
use erlang_term::{Atom, Term, atom};

use crate::world::{Ours, World};

/// Allows what is not called `forbidden`, and to a node `guest@…` only `guest`.
#[derive(Debug)]
struct Rules;

impl CallPolicy for Rules {
    fn decide(&self, peer: &Atom, _module: &Atom, function: &Atom, _arity: usize) -> Decision {
        let guest = peer.as_str().starts_with("guest@");
        let allowed = function.as_str() != "forbidden" && (!guest || *function == "guest");
        Decision { allowed, audited: !allowed }
    }
}

#[derive(Clone, Debug, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Auditor for Heard {
    fn record(&self, event: &AuditEvent<'_>) {
        if let AuditEvent::Called { by, function, arity, allowed, .. } = event {
            let line = format!("{by} {function}/{arity} {allowed}");
            self.0.lock().expect("not poisoned").push(line);
        }
    }
}

async fn ours(world: &World, calls_max: usize) -> (Ours, Heard) {
    let mut config = world.config("b");
    let heard = Heard::default();
    config.auditor = Some(Arc::new(heard.clone()));
    config.peer_calls_max = calls_max;
    let node = erlang_node::Node::new(config).expect("a node");
    let functions = Functions::builder()
        .pure("m", "forbidden", 0, |_| Ok(Term::from(1)))
        .pure("m", "guest", 0, |_| Ok(Term::from(2)))
        .policy(Arc::new(Rules))
        .build();
    let options = StandardOptions::default().task_supervisor(atom!("Elixir.HAR.TaskSupervisor"));
    let services = standard(&node, functions, options).expect("started");
    node.listen().await.expect("listening");
    (Ours { node, services }, heard)
}

const B: &str = "'b@127.0.0.1'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_is_refused_by_every_way_in_and_says_why() {
    let world = World::new();
    let (_ours, heard) = ours(&world, 100).await;
    let mut beam = world.beam("a");
    let why = "{not_allowed,{m,forbidden,0}}";
    let raised = format!("{{{why},[{{m,forbidden,[],[]}}]}}");
    let badrpc = format!("=> {{badrpc,{{'EXIT',{raised}}}}}");
    let seen = format!("=> {why}");
    let down = format!("=> {raised}");
    let task_down = format!(
        "=> {{{why},[{{m,forbidden,[],[]}},{{'Elixir.Task.Supervised',invoke_mfa,2,[]}},\
         {{'Elixir.Task.Supervised',reply,4,[]}},{{proc_lib,init_p_do_apply,3,[]}}]}}"
    );
    let applied =
        format!("=> {{badrpc,{{'EXIT',{{{why},[{{m,forbidden,[],[]}},{{erlang,apply,3,[]}}]}}}}}}");
    let rex = |request: &str| {
        format!("gen_server:call({{rex, B}}, {{{request}, m, forbidden, [], group_leader()}})")
    };
    let task = "{ok, T} = gen_server:call({'Elixir.HAR.TaskSupervisor', B}, \
                {start_task, [{node(), self(), self()}, monitor], temporary, 5000}), \
                R = monitor(process, T), T ! {self(), R, self(), [self()], {m, forbidden, []}}, \
                receive {'DOWN', R, _, _, Why} -> Why end";
    for (expression, answer) in [
        ("rpc:call(B, m, guest, [])", "=> 2"),
        ("rpc:call(B, m, forbidden, [])", &badrpc),
        ("try erpc:call(B, m, forbidden, []) catch error:{exception, E, _} -> E end", &seen),
        ("rpc:block_call(B, m, forbidden, [])", &badrpc),
        (&rex("call"), &badrpc),
        (&rex("block_call"), &badrpc),
        ("element(2, element(2, rpc:call(B, erlang, apply, [fun m:forbidden/0, []])))", &{
            format!("=> {{{why},[{{m,forbidden,[],[]}},{{erlang,apply,2,[]}}]}}")
        }),
        ("rpc:call(B, erlang, apply, [m, forbidden, []])", &applied),
        (
            "{P, M} = spawn_monitor(B, m, forbidden, []), \
             receive {'DOWN', M, process, P, W} -> W end",
            &down,
        ),
        (task, &task_down),
        // What a process of the node forwards, or answers to another one, is the peer's all the same.
        (
            "{rex, B} ! {self(), {send, rex, {call, m, forbidden, [], group_leader()}}}, \
             receive {rex, Sent} -> Sent end",
            &badrpc,
        ),
        (
            "X = rpc:call(B, erlang, whereis, [rex]), {rex, B} ! {'$gen_call', {X, self()}, \
             {call, lists, last, [[{call, m, forbidden, [], group_leader()}]], group_leader()}}, \
             receive {rex, Answered} -> Answered end",
            &badrpc,
        ),
        (
            "{rex, B} ! {self(), {sbcast, 'Elixir.HAR.TaskSupervisor', {'$gen_call', {self(), r}, \
             {start_task, [{node(), self(), self()}, [self()], {m, forbidden, []}], temporary, \
             5000}}}}, receive {r, {ok, _}} -> ok end",
            "=> ok",
        ),
        // What isn't there is still not there.
        ("element(1, element(2, element(2, rpc:call(B, m, missing, []))))", "=> undef"),
    ] {
        let expression = expression.replace('B', B).replace("'Elixir.HAR.TaskSupervisor'", "TS");
        let expression = expression.replace("TS", "'Elixir.HAR.TaskSupervisor'");
        assert_eq!(beam.eval(&expression).await, answer, "{expression}");
    }
    // The task of the last row runs for itself.
    let heard = || heard.0.lock().expect("not poisoned").clone();
    let deadline = Instant::now() + Duration::from_secs(20);
    while heard().len() < 12 && Instant::now() < deadline {
        tokio::task::yield_now().await;
    }
    let heard = heard();
    assert_eq!(heard.len(), 12, "{heard:?}");
    assert!(heard.iter().all(|line| line == "'a@127.0.0.1' forbidden/0 false"), "{heard:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_is_known_by_its_connection_also_when_it_claims_to_be_another() {
    let world = World::new();
    let (_ours, _) = ours(&world, 100).await;
    let mut other = world.beam("a");
    let mut guest = world.beam("guest");
    assert_eq!(other.eval(&format!("rpc:call({B}, erlang, node, [])")).await, format!("=> {B}"));
    let refused = "=> {badrpc,{'EXIT',{{not_allowed,{erlang,node,0}},[{erlang,node,[],[]}]}}}";
    assert_eq!(guest.eval(&format!("rpc:call({B}, erlang, node, [])")).await, refused);
    assert_eq!(guest.eval(&format!("rpc:call({B}, m, guest, [])")).await, "=> 2");
    // The request names a process of `a` as the caller, and goes by the guest's connection; what
    // came of it goes to that process.
    let waits = other.eval("register(waits, self()), self()").await;
    assert!(waits.starts_with("=> <"), "{waits}");
    let forge = format!(
        "W = rpc:call('a@127.0.0.1', erlang, whereis, [waits]), \
         {{rex, {B}}} ! {{'$gen_call', {{W, tag}}, {{call, erlang, node, [], group_leader()}}}}, ok"
    );
    assert_eq!(guest.eval(&forge).await, "=> ok");
    let answer = other.eval("receive {tag, Answer} -> Answer after 20000 -> none end").await;
    assert_eq!(answer, refused);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_call_that_never_ends_blocks_others_of_its_kind_only() {
    let world = World::new();
    let (_ours, _) = ours(&world, 100).await;
    let (mut beam, mut other) = (world.beam("a"), world.beam("c"));
    let block = format!(
        "[erpc:send_request(node(), rpc, block_call, [{B}, timer, sleep, [infinity]]) || _ <- [1, 2]], \
         F = fun(F) -> case rpc:call({B}, erlang, whereis, [rex]) of P when is_pid(P) -> P; \
           _ -> F(F) end end, is_pid(F(F))"
    );
    assert_eq!(beam.eval(&block).await, "=> true");
    let call = format!("gen_server:call({{rex, {B}}}, {{call, m, guest, [], group_leader()}})");
    assert_eq!(beam.eval(&call).await, "=> 2");
    assert_eq!(other.eval(&call).await, "=> 2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_in_flight_are_bounded_and_one_more_gets_system_limit() {
    let world = World::new();
    let (_ours, _) = ours(&world, 2).await;
    let mut beam = world.beam("a");
    let limited = format!(
        "[erpc:send_request({B}, timer, sleep, [60000]) || _ <- [1, 2]], \
         F = fun(F) -> case rpc:call({B}, erlang, node, []) of \
           {{badrpc, {{'EXIT', {{Why, _}}}}}} -> Why; _ -> F(F) end end, F(F)"
    );
    assert_eq!(beam.eval(&limited).await, "=> system_limit");
}
