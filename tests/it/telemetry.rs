//! What nodes tell of themselves, asked from a BEAM for all nodes at once.

use crate::beam::Beam;
use crate::running::{Running, eventually};

fn node(beam: &Beam, name: &str) -> Running {
    let mut command = beam.command();
    command.env("HAR_COOKIE", "C").args(["start", "--name", &format!("{name}@127.0.0.1")]);
    command.args(["--connect", "beam@127.0.0.1"]);
    let running = Running::start(command);
    running.wait_for("Ctrl-C stops it.");
    running
}

/// Totals of each node, by `rpc:multicall`: `Total(Event)`.
const TOTALS: &str = "Har = ['one@127.0.0.1', 'two@127.0.0.1'],
    [pong = net_adm:ping(N) || N <- Har],
    Total = fun(Event) -> {All, []} = rpc:multicall(Har, 'Elixir.HAR.Telemetry', metrics, []),
        [{Node, maps:get(Event, Events)} || #{node := Node, events := Events} <- All] end";

#[test]
fn one_call_asks_all_nodes_what_has_happened() {
    let beam = Beam::start();
    let _nodes = [node(&beam, "one"), node(&beam, "two")];
    let convert = "Yaml = <<\"- hosts: all\\n  tasks:\\n    - apt: name=nginx\\n\">>,
        {ok, _} = rpc:call('one@127.0.0.1', 'Elixir.HAR', convert, [ansible, Yaml, [{to, salt}]])";
    let code = format!(
        "{TOTALS}, {convert}, io:format(\"~w ~w\", [Total([har,convert,complete]),
            Total([har,data_plane,parse,complete])])"
    );
    let once = "[{'one@127.0.0.1',1},{'two@127.0.0.1',0}]";
    assert_eq!(beam.eval("C", &code), format!("{once} {once}"));
}

#[test]
fn events_have_the_names_and_values_of_the_elixir_har() {
    let beam = Beam::start();
    let _node = node(&beam, "one");
    let code = "Har = 'one@127.0.0.1', pong = net_adm:ping(Har), M = 'Elixir.HAR.Telemetry',
        Yaml = <<\"- hosts: all\\n  tasks:\\n    - apt: name=nginx\\n\">>,
        {ok, _} = rpc:call(Har, 'Elixir.HAR', convert, [ansible, Yaml, [{to, salt}]]),
        ok = rpc:call(Har, M, measure_memory, []),
        ok = rpc:call(Har, M, measure_process_count, []),
        ok = rpc:call(Har, M, attach_handlers, []),
        {error, already_exists} = rpc:call(Har, M, attach_handlers, []),
        Last = fun(Name) -> lists:last(rpc:call(Har, M, events, [Name])) end,
        #{measurements := #{latency := L, count := 1}, metadata := #{node := Har}} =
            Last([har, routing, decision]), true = is_float(L),
        #{metadata := #{operation_type := package_install, backend := Backend}} =
            Last([har, control_plane, routing]), true = is_binary(Backend),
        #{metadata := #{format := ansible, operation_count := 1}} = Last([har, data_plane, parse]),
        #{metadata := #{target := salt}} = Last([har, data_plane, transform]),
        #{measurements := #{total := T, processes := P, system := S}} = Last([vm, memory]),
        true = T > 1000000 andalso P + S =:= T,
        #{measurements := #{count := C}} = Last([vm, process_count]), true = C > 10,
        #{measurements := #{nodes := N}} = Last([har, cluster, size]), true = N >= 1,
        #{measurements := #{messages := Q}} = Last([har, cluster, queue_len]), true = Q >= 0,
        {badrpc, {'EXIT', {badarg, _}}} = rpc:call(Har, M, events, [har]),
        io:format(\"all of them\")";
    assert_eq!(beam.eval("C", code), "all of them");
}

#[test]
fn nodes_that_come_and_go_are_told() {
    let beam = Beam::start();
    let one = node(&beam, "one");
    let two = node(&beam, "two");
    let downs = "Har = 'one@127.0.0.1', pong = net_adm:ping(Har),
        [io:format(\"~p ~p~n\", [lists:last(E), M]) ||
            #{event := E, metadata := #{node := 'two@127.0.0.1'} = M} <-
            rpc:call(Har, 'Elixir.HAR.Telemetry', events, [[har, cluster]])]";
    eventually("that two has joined", || {
        let told = beam.eval("C", downs);
        told.starts_with("node_up #{node => 'two@127.0.0.1'}").then_some(())
    });
    two.signal("KILL");
    eventually("that two is gone", || {
        beam.eval("C", downs).contains("node_down #{node => 'two@127.0.0.1',reason").then_some(())
    });
    drop(one);
}

/// The tables of the manual have each event and each metric, and none that is not there.
#[test]
fn the_manual_lists_all_events_and_metrics() {
    let manual = include_str!("../../docs/telemetry.md");
    let row = |name: &har::telemetry::Name| {
        format!("| `[:{}]` | {} |", name.path().join(", :"), name.help())
    };
    let listed: Vec<&str> = manual.lines().filter(|line| line.starts_with("| `[:")).collect();
    let events: Vec<String> = har::telemetry::Name::ALL.iter().map(row).collect();
    // Measurements and metadata follow.
    assert_eq!(listed.len(), events.len());
    for (line, event) in listed.iter().zip(&events) {
        assert!(line.starts_with(event.as_str()), "{line}\nshould begin as\n{event}");
    }
    let beam = Beam::start();
    let _node = node(&beam, "one");
    let code = "Har = 'one@127.0.0.1', pong = net_adm:ping(Har),
        #{metrics := Metrics} = rpc:call(Har, 'Elixir.HAR.Telemetry', metrics, []),
        maps:foreach(fun(N, #{type := T, help := H}) -> io:format(\"~s\",
            [[$|, $ , $`, N, \"` | \", atom_to_list(T), \" | \", H, \" |\\n\"]]) end, Metrics)";
    let told = beam.eval("C", code);
    let mut metrics: Vec<&str> = told.lines().collect();
    let mut listed: Vec<&str> = manual
        .lines()
        .filter(|line| line.starts_with("| `har_") || line.starts_with("| `process_"))
        .collect();
    metrics.sort_unstable();
    listed.sort_unstable();
    assert_eq!(listed, metrics);
}
