//! With a real BEAM, both ways.

use erlang_node::{
    Context, Epmd, ExitReason, Message, Mfa, Node, NodeFilter, NodeName, SpawnOptions,
    SpawnRequestOptions,
};
use erlang_term::{Atom, Term, atom};

use crate::beam_node::Beam;
use crate::harness::{config, echo, net_kernel, node, soon, unique_on, until, within};

fn driver(beam: &Beam) -> (Atom, Atom) {
    (atom!("driver"), beam.name.clone())
}

#[tokio::test]
async fn a_beam_pings_us_and_lists_us() {
    let node = node("rp").await;
    net_kernel(&node);
    let mut beam = Beam::start("bp").await;
    let ping = format!("net_adm:ping('{}')", node.name().as_str());
    assert_eq!(beam.eval(&ping).await, "pong");
    assert_eq!(beam.eval("nodes()").await, format!("['{}']", node.name().as_str()));
    assert_eq!(node.nodes(NodeFilter::Visible), [beam.name.clone()]);
}

#[tokio::test]
async fn without_epmd_both_dial_the_one_port_of_all_nodes() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = unused.local_addr().expect("bound").port();
    drop(unused);
    let mut config = config("rf");
    config.name = NodeName::new(&unique_on("rf", "127.0.0.2")).expect("a name");
    config.interface = [127, 0, 0, 2].into();
    (config.epmd, config.listen_ports) = (Epmd::FixedPort { peer_port: port }, port..=port);
    let node = Node::start(config).await.expect("the node starts");
    net_kernel(&node);
    let name = unique_on("bf", "127.0.0.1");
    let mut beam = Beam::start_with(&name, &["-erl_epmd_port", &port.to_string()]).await;
    let ping = format!("net_adm:ping('{}')", node.name().as_str());
    assert_eq!(beam.eval(&ping).await, "pong");
    beam.part_from(&node).await;
    node.connect(&beam.name).await.expect("we dial");
}

#[tokio::test]
async fn messages_go_both_ways() {
    let node = node("rm").await;
    let ours = echo(&node, SpawnOptions::new().name(atom!("our_echo")));
    let mut beam = Beam::start("bm").await;
    let name = node.name().as_str();
    // By name, then by the pid that answered.
    let by_name = format!(
        "{{our_echo, '{name}'}} ! {{self(), hello}}, \
         P = receive {{Pid, hello}} when is_pid(Pid) -> Pid after 5000 -> timeout end, \
         P ! {{self(), #{{k => [1, 2.5, <<\"bin\">>]}}}}, \
         receive {{P, X}} -> X after 5000 -> timeout end"
    );
    assert_eq!(beam.eval(&by_name).await, "#{k => [1,2.5,<<\"bin\">>]}");
    let to = driver(&beam);
    within(&node, move |mut context: Context| async move {
        beam.begin(
            "receive {From, Big} -> From ! byte_size(Big), size(term_to_binary(From)) > 0 end",
        );
        let body = Term::binary(vec![9; 20 << 20]);
        context.send(to, Term::tuple([Term::Pid(context.pid().clone()), body])).await;
        let size = soon(context.receive()).await.into_term();
        assert_eq!(size, Term::from(20 << 20));
        assert_eq!(beam.result().await, "true");
    })
    .await;
    assert!(node.is_process_alive(&ours));
}

#[tokio::test]
async fn big_binaries_come_back_unchanged() {
    let node = node("rb").await;
    echo(&node, SpawnOptions::new().name(atom!("our_echo")));
    let mut beam = Beam::start("bb").await;
    for mib in [1, 8, 32] {
        let round = format!(
            "B{mib} = rand:bytes({mib} * 1048576), {{our_echo, '{}'}} ! {{self(), B{mib}}}, \
             receive {{_, B{mib}}} -> same; {{_, _}} -> changed after 15000 -> timeout end",
            node.name().as_str()
        );
        assert_eq!(beam.eval(&round).await, "same");
    }
}

#[tokio::test]
async fn a_beam_monitors_and_links_to_us() {
    let node = node("rl").await;
    let mut beam = Beam::start("bl").await;
    let name = node.name().as_str().to_owned();
    echo(&node, SpawnOptions::new().name(atom!("our_echo")));
    let ask = format!(
        "process_flag(trap_exit, true), E = {{our_echo, '{name}'}}, M1 = monitor(process, E), \
         E ! {{self(), who}}, P1 = receive {{A, who}} -> A end, M2 = monitor(process, P1), \
         link(P1), unlink(P1), link(P1), E ! {{stop, because}}, \
         {{receive {{'DOWN', M1, process, N, R1}} -> {{N =:= E, R1}} after 5000 -> timeout end, \
           receive {{'DOWN', M2, process, P1, R2}} -> R2 after 5000 -> timeout end, \
           receive {{'EXIT', P1, R3}} -> R3 after 5000 -> timeout end}}"
    );
    assert_eq!(beam.eval(&ask).await, "{{true,because},because,because}");
    let absent = format!(
        "M3 = monitor(process, {{nobody, '{name}'}}), \
         receive {{'DOWN', M3, _, Q, R4}} -> {{Q, R4}} after 5000 -> timeout end"
    );
    assert_eq!(beam.eval(&absent).await, format!("{{{{nobody,'{name}'}},noproc}}"));
    let dead = "link(P1), receive {'EXIT', P1, R5} -> R5 after 5000 -> timeout end";
    assert_eq!(beam.eval(dead).await, "noproc");
}

#[tokio::test]
async fn we_monitor_and_link_to_a_beam() {
    let node = node("rw").await;
    let mut beam = Beam::start("bw").await;
    let to = driver(&beam);
    within(&node, move |mut context: Context| async move {
        context.trap_exit(true);
        beam.begin(
            "receive {Peer, go} -> W = spawn(fun() -> receive stop -> exit(enough) end end), \
             register(worker, W), Peer ! W end",
        );
        let own = Term::Pid(context.pid().clone());
        context.send(to, Term::tuple([own, Term::atom("go")])).await;
        let worker = soon(context.receive()).await.as_pid().cloned().expect("a pid");
        beam.result().await;
        context.link(&worker).await;
        context.unlink(&worker);
        context.link(&worker).await;
        let by_pid = context.monitor(&worker).await;
        let by_name = context.monitor((atom!("worker"), beam.name.clone())).await;
        context.send(&worker, Term::atom("stop")).await;
        let reason = ExitReason::Other(Term::atom("enough"));
        for monitor in [by_pid, by_name] {
            let wanted = |message: &Message| message.as_down().filter(|d| d.reference == monitor);
            let down = soon(context.receive_map(wanted)).await.1;
            assert_eq!(down.reason, reason);
        }
        let exit = soon(context.receive_map(Message::as_exit)).await.1;
        assert_eq!((&exit.from, exit.reason), (&worker, reason));
        context.link(&worker).await;
        let exit = soon(context.receive_map(Message::as_exit)).await.1;
        assert_eq!(exit.reason, ExitReason::Noproc);
    })
    .await;
}

#[tokio::test]
async fn kill_minus_nine_is_noconnection_here() {
    let node = node("rk").await;
    let mut beam = Beam::start("bk").await;
    within(&node, move |mut context: Context| async move {
        context.trap_exit(true);
        let name = (atom!("driver"), beam.name.clone());
        let monitor = context.monitor(name).await;
        context.monitor_node(&beam.name, true).await;
        beam.kill();
        let down = soon(context.receive_map(Message::as_down)).await.1;
        assert_eq!((down.reference, down.reason), (monitor, ExitReason::Noconnection));
        let nodedown = Term::tuple([Term::atom("nodedown"), Term::Atom(beam.name.clone())]);
        soon(context.receive_matching(|message| **message == nodedown)).await;
        assert!(context.node().nodes(NodeFilter::Connected).is_empty());
    })
    .await;
}

#[tokio::test]
async fn our_shutdown_is_nodedown_there_at_once() {
    let node = node("rd").await;
    let mut beam = Beam::start("bd").await;
    let name = node.name().as_str();
    let watch = format!("net_kernel:connect_node('{name}'), monitor_node('{name}', true)");
    assert_eq!(beam.eval(&watch).await, "true");
    beam.begin("receive {nodedown, N} -> N after 10000 -> timeout end");
    soon(node.shutdown()).await;
    assert_eq!(beam.result().await, format!("'{name}'"));
    assert_eq!(beam.eval("nodes()").await, "[]");
}

#[tokio::test]
async fn a_beam_spawns_here() {
    let node = node("rs").await;
    let mut beam = Beam::start("bs").await;
    let name = node.name().as_str();
    let plain = format!("spawn('{name}', test, send, [self(), hi]), receive hi -> got end");
    assert_eq!(beam.eval(&plain).await, "got");
    let monitored = format!(
        "{{P2, M2}} = spawn_monitor('{name}', test, exit, [{{r, 1}}]), \
         receive {{'DOWN', M2, process, P2, R2}} -> R2 end"
    );
    assert_eq!(beam.eval(&monitored).await, "{r,1}");
    let undef = format!(
        "{{_, M3}} = spawn_monitor('{name}', no, such, [x]), receive {{'DOWN', M3, _, _, R3}} -> R3 end"
    );
    assert_eq!(beam.eval(&undef).await, "{undef,[{no,such,[x],[]}]}");
    let bad = format!(
        "Q = erlang:spawn_request('{name}', test, wait, [], [nonsense]), \
         receive {{spawn_reply, Q, error, R4}} -> R4 end"
    );
    assert_eq!(beam.eval(&bad).await, "badopt");
    let linked = format!(
        "process_flag(trap_exit, true), L = spawn_link('{name}', test, wait, []), exit(L, kill), \
         receive {{'EXIT', L, R5}} -> R5 end"
    );
    assert_eq!(beam.eval(&linked).await, "killed");
    let quiet = format!(
        "S = erlang:spawn_request('{name}', test, exit, [bye], [monitor, {{reply, no}}]), \
         receive {{'DOWN', S, _, _, R6}} -> R6; X6 -> X6 after 5000 -> timeout end"
    );
    assert_eq!(beam.eval(&quiet).await, "bye");
    until("all have ended", || node.process_count() == 0).await;
}

#[tokio::test]
async fn we_spawn_on_a_beam() {
    let node = node("rx").await;
    let beam = Beam::start("bx").await;
    within(&node, move |mut context: Context| async move {
        let mfa = Mfa {
            module: atom!("erlang"),
            function: atom!("exit"),
            args: vec![Term::tuple([Term::atom("got"), Term::from(1)])],
        };
        let options = SpawnRequestOptions::new().monitor();
        let request = context.spawn_request(&beam.name, mfa, options).await;
        let reply = soon(context.receive()).await;
        let parts = reply.as_tuple().expect("a tuple");
        assert!(parts[0].is_atom("spawn_reply") && parts[2].is_atom("ok"), "{reply:?}");
        let down = soon(context.receive()).await.as_down().expect("a DOWN");
        let reason = Term::tuple([Term::atom("got"), Term::from(1)]);
        assert_eq!((down.reference, down.reason), (request, ExitReason::Other(reason)));
    })
    .await;
}

#[tokio::test]
async fn aliases_work_towards_and_from_a_beam() {
    let node = node("ra").await;
    echo(&node, SpawnOptions::new().name(atom!("our_echo")));
    let mut beam = Beam::start("ba").await;
    let to = driver(&beam);
    within(&node, move |mut context: Context| async move {
        let alias = context.alias(erlang_node::AliasMode::ReplyDemonitor);
        beam.begin("receive {alias, A} -> A ! one, A ! two, ok end");
        context.send(to, Term::tuple([Term::atom("alias"), Term::Reference(alias)])).await;
        assert!(soon(context.receive()).await.is_atom("one"));
        assert_eq!(beam.result().await, "ok");
        let name = (atom!("driver"), beam.name.clone());
        beam.begin("A2 = alias([reply]), receive {to, P} -> P ! A2, receive X -> X end end");
        let own = Term::Pid(context.pid().clone());
        context.send(name, Term::tuple([Term::atom("to"), own])).await;
        // "two" would have come before this: the alias ended with the first message.
        let theirs = soon(context.receive()).await;
        let theirs = theirs.as_reference().expect("an alias").clone();
        context.send(&theirs, Term::atom("back")).await;
        assert_eq!(beam.result().await, "back");
    })
    .await;
}

#[tokio::test]
async fn twenty_connects_and_disconnects_with_a_beam() {
    let node = node("rt").await;
    net_kernel(&node);
    let mut beam = Beam::start("bt").await;
    for round in 0..20 {
        if round % 2 == 0 {
            node.connect(&beam.name).await.expect("connected");
            assert!(node.disconnect(&beam.name).await);
        } else {
            let both = format!(
                "{{net_kernel:connect_node('{0}'), erlang:disconnect_node('{0}')}}",
                node.name().as_str()
            );
            assert_eq!(beam.eval(&both).await, "{true,true}", "round {round}");
        }
        soon(beam.part_from(&node)).await;
    }
}

#[tokio::test]
async fn we_and_a_beam_dial_each_other_at_once() {
    // One of our names is greater than the BEAM's, one is smaller: either side wins once.
    for ours in ["a_sim", "z_sim"] {
        let node = node(ours).await;
        net_kernel(&node);
        let mut beam = Beam::start("m_sim").await;
        let name = node.name().as_str();
        for round in 0..10 {
            beam.begin(&format!("net_kernel:connect_node('{name}')"));
            let connected = soon(node.connect(&beam.name)).await;
            assert_eq!(beam.result().await, "true", "{ours}, round {round}");
            connected.expect("connected");
            assert_eq!(beam.eval(&format!("net_adm:ping('{name}')")).await, "pong");
            assert!(node.disconnect(&beam.name).await);
            soon(beam.part_from(&node)).await;
        }
    }
}

#[tokio::test]
async fn a_wrong_cookie_is_refused_both_ways() {
    let node = node("rc").await;
    let mut beam = Beam::start("bc").await;
    beam.eval("erlang:set_cookie(node(), another)").await;
    let refused = node.connect(&beam.name).await;
    assert!(refused.is_err(), "{refused:?}");
    let connect = format!("net_kernel:connect_node('{}')", node.name().as_str());
    assert_eq!(beam.eval(&connect).await, "false");
    let per_node = format!("erlang:set_cookie('{}', test_cookie)", node.name().as_str());
    assert_eq!(beam.eval(&per_node).await, "true");
    assert_eq!(beam.eval(&connect).await, "true");
}

#[tokio::test]
async fn a_beam_without_a_name_is_given_one() {
    let node = node("ry").await;
    net_kernel(&node);
    let mut beam = Beam::start_with("undefined@127.0.0.1", &[]).await;
    let name = node.name().as_str();
    // A ping alone does not make a nameless BEAM dial.
    let connect = format!("net_kernel:connect_node('{name}')");
    assert_eq!(beam.eval(&connect).await, "true");
    assert_eq!(beam.eval(&format!("net_adm:ping('{name}')")).await, "pong");
    until("it is connected", || node.nodes(NodeFilter::Hidden).len() == 1).await;
    assert!(node.nodes(NodeFilter::Visible).is_empty());
}

/// Whoever dials while the other side does too gets its connection, whichever attempt goes on. Once in
/// some hundred times a BEAM gives its own attempt up when ours arrives as it begins, which happens
/// between BEAMs as well; it is connected when it asks again.
#[tokio::test(flavor = "multi_thread")]
async fn a_beam_connects_while_we_dial_it() {
    let node = node("zz").await;
    let mut beam = Beam::start("aa").await;
    let name = node.name().as_str();
    let round = format!(
        "erlang:disconnect_node('{name}'), \
         lists:any(fun(_) -> net_kernel:connect_node('{name}') end, lists:seq(1, 5))"
    );
    let (sender, absent) = (node.clone(), (atom!("nobody"), beam.name.clone()));
    let dialing = tokio::spawn(async move {
        loop {
            // Each message dials unless there is a connection.
            sender.send(absent.clone(), Term::atom("hello")).await;
            tokio::task::yield_now().await;
        }
    });
    for round_number in 0..300 {
        assert_eq!(beam.eval(&round).await, "true", "in round {round_number}");
    }
    dialing.abort();
}
