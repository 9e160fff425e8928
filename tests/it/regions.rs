//! Regions: nodes tell each other where they are and which routing table they have, and operations
//! that belong to a region are seen nowhere else.

use std::io::Write as _;

use tempfile::NamedTempFile;

use crate::beam::Beam;
use crate::running::{self, Running};

/// Erlang: `Op(Id, Region)`, `Ask(Node, Module, Function, Arguments)`.
const PRELUDE: &str = "Op = fun(N, Region) -> #{'__struct__' => 'Elixir.HAR.Semantic.Operation',
    id => N, type => service_start, params => #{service => <<\"x\">>, note => <<\"note-\", Region/binary>>},
    target => #{}, metadata => #{data_region => Region}} end,
    Ask = fun(Node, Module, Function, Arguments) ->
        rpc:call(Node, list_to_atom(\"Elixir.HAR\" ++ Module), Function, Arguments) end,
    [pong = net_adm:ping(N) || N <- ['eu@127.0.0.1', 'us@127.0.0.1']]";

/// The policy of the architecture document, in the table's notation.
const RESIDENCY: &str = "policies:
  - name: eu_data_residency
    match: {data_region: eu}
    require: {node: {region: eu}}
    action: enforce
";

fn table(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a file");
    file.write_all(text.as_bytes()).expect("written");
    file
}

fn path(file: &NamedTempFile) -> &str {
    file.path().to_str().expect("UTF-8")
}

fn start(beam: &Beam, name: &str, more: &[&str]) -> Running {
    let mut command = beam.command();
    command.env("HAR_COOKIE", "C").env("HAR_BALANCING_STRATEGY", "latency");
    // Everything that is ever logged.
    command.args(["start", "--log-level", "trace", "--connect", "beam@127.0.0.1"]);
    command.args(["--name", &format!("{name}@127.0.0.1")]).args(more);
    let running = Running::start(command);
    running.wait_for("Ctrl-C stops it.");
    running
}

/// A BEAM, a node in each of two regions, and one that does not say where it is.
fn world() -> (Beam, Vec<Running>) {
    let beam = Beam::start();
    let nodes = vec![
        start(&beam, "eu", &["--region", "eu", "--zone", "eu-1"]),
        start(&beam, "us", &["--region", "us"]),
        start(&beam, "lost", &[]),
    ];
    (beam, nodes)
}

/// Waits until `expression` of the prelude's functions is what is `wanted`.
#[track_caller]
fn becomes(beam: &Beam, expression: &str, wanted: &str) {
    becomes_after(beam, PRELUDE, expression, wanted);
}

#[track_caller]
fn becomes_after(beam: &Beam, prelude: &str, expression: &str, wanted: &str) {
    let code = format!("{prelude}, _ = {{Op, Ask}}, io:format(\"~0p\", [{expression}])");
    let mut last = String::new();
    let found = running::poll(|| {
        // Before it, a BEAM may print what its `global` thinks of a lost node.
        beam.eval("C", &code).lines().last().unwrap_or_default().clone_into(&mut last);
        (last == wanted).then_some(())
    });
    assert!(found.is_some(), "{expression} is {last}, not {wanted}");
}

/// Where a node thinks the others are: `{Node, Region, Zone, whether it has been measured}`.
const PLACES: &str = "lists:sort([{N, R, Z, is_float(L)} || #{node := N, region := R, zone := Z,
    latency_ms := L, har := true} <- Ask('eu@127.0.0.1', \".Cluster\", nodes, [])])";

#[test]
fn nodes_know_where_the_others_are_and_how_far() {
    let (beam, mut nodes) = world();
    let all = "[{'eu@127.0.0.1',<<\"eu\">>,<<\"eu-1\">>,true},{'lost@127.0.0.1',nil,nil,true},{'us@127.0.0.1',<<\"us\">>,nil,true}]";
    becomes(&beam, PLACES, all);
    // Also a BEAM is measured, and each node's row is in the matrix.
    becomes(
        &beam,
        "begin M = Ask('us@127.0.0.1', \".Cluster\", latency_matrix, []),
         {lists:sort(maps:keys(M)), maps:is_key('beam@127.0.0.1', maps:get('eu@127.0.0.1', M))} end",
        "{['eu@127.0.0.1','lost@127.0.0.1','us@127.0.0.1'],true}",
    );
    nodes.pop();
    let gone = "length(Ask('eu@127.0.0.1', \".Cluster\", nodes, []))";
    // Itself, the other, the BEAM that stays; the one that asks comes and goes hidden or not.
    becomes(&beam, &format!("lists:member({gone}, [3, 4])"), "true");
}

#[test]
fn operations_of_a_region_are_seen_and_logged_nowhere_else() {
    let (beam, nodes) = world();
    let file = table(&format!("{}{RESIDENCY}", har::control_plane::BUILT_IN));
    becomes(
        &beam,
        &format!(
            "Ask('us@127.0.0.1', \".ControlPlane.RoutingTable\", reload, [<<\"{}\">>])",
            path(&file)
        ),
        "ok",
    );
    // All have the table, and know of the one place where those operations may be.
    becomes(
        &beam,
        "length([ok || #{region := R, table := #{serial := 1}}
            <- Ask('us@127.0.0.1', \".Cluster\", nodes, []), (R =:= <<\"eu\">>) or (R =:= <<\"us\">>)])",
        "2",
    );
    // The job enters at the node in the eu; each operation of the eu is routed there, the others
    // anywhere, in order. Naming policies changes nothing.
    let job = "begin
        Ops = [Op(integer_to_binary(N), lists:nth(N rem 2 + 1, [<<\"eu\">>, <<\"us\">>])) || N <- lists:seq(1, 400)],
        {ok, Results, Chunks} = Ask('eu@127.0.0.1', \"\", route_all,
            [Ops, [{report, true}, {chunk, 10}, {policies, []}]]),
        {[O || {ok, #{operation := O}} <- Results] =:= Ops, lists:usort([N || #{node := N, result := ok} <- Chunks])} end";
    becomes(&beam, job, "{true,['eu@127.0.0.1','lost@127.0.0.1','us@127.0.0.1']}");
    let of_eu = "[Op(integer_to_binary(N), <<\"eu\">>) || N <- lists:seq(1, 100)]";
    becomes(
        &beam,
        &format!(
            "begin {{ok, R, C}} = Ask('eu@127.0.0.1', \"\", route_all, [{of_eu}, [{{report, true}}, {{chunk, 5}}]]),
             {{length([ok || {{ok, _}} <- R]), lists:usort([N || #{{node := N}} <- C])}} end"
        ),
        "{100,['eu@127.0.0.1']}",
    );
    // A node outside finds the one inside; whom it is asked to choose is that one, whatever the id.
    becomes(
        &beam,
        "lists:usort([Ask('us@127.0.0.1', \".Cluster.LoadBalancer\", route_to_node,
            [Op(integer_to_binary(N), <<\"eu\">>)]) || N <- lists:seq(1, 100)])",
        "['eu@127.0.0.1']",
    );
    // Asked itself, it refuses. So does one whose region is not known.
    for node in ["us", "lost"] {
        becomes(
            &beam,
            &format!(
                "Ask('{node}@127.0.0.1', \".ControlPlane.Router\", route_batch, [[Op(<<\"1\">>, <<\"eu\">>)], [{{policies, []}}]])"
            ),
            "[{error,no_backend_available}]",
        );
    }
    for node in &nodes[1..] {
        let log = node.stderr.text();
        assert!(
            log.contains("newer routing table") || log.contains("TRACE") || log.contains("DEBUG")
        );
        assert!(!log.contains("note-eu"), "an operation of the eu is in the log");
    }
}

#[test]
fn without_a_node_in_its_region_an_operation_is_refused_and_not_sent() {
    let (beam, mut nodes) = world();
    let file = table(&format!("{}{RESIDENCY}", har::control_plane::BUILT_IN));
    becomes(
        &beam,
        &format!(
            "Ask('eu@127.0.0.1', \".ControlPlane.RoutingTable\", reload, [<<\"{}\">>])",
            path(&file)
        ),
        "ok",
    );
    let version =
        "maps:get(serial, Ask('us@127.0.0.1', \".ControlPlane.RoutingTable\", version, []))";
    becomes(&beam, version, "1");
    drop(nodes.remove(0));
    let prelude = PRELUDE.replace("'eu@127.0.0.1', ", "");
    let job = "begin Ops = [Op(1, <<\"eu\">>), Op(2, <<\"us\">>)],
        {ok, [Eu, {Us, _}]} = Ask('us@127.0.0.1', \"\", route_all, [Ops]),
        {Eu, Us, Ask('us@127.0.0.1', \".Cluster.LoadBalancer\", route_to_node, [hd(Ops)])} end";
    becomes_after(&beam, &prelude, job, "{{error,{chunk_failed,no_node}},ok,nil}");
}

#[test]
fn a_late_joiner_catches_up_and_a_bad_table_is_refused_whole() {
    let beam = Beam::start();
    let _eu = start(&beam, "eu", &["--region", "eu"]);
    let _us = start(&beam, "us", &["--region", "us"]);
    let file = table("routes:\n  - pattern: {operation: '*'}\n    backends: [{name: only}]\n");
    let reload = format!(
        "rpc:multicall(['eu@127.0.0.1', 'us@127.0.0.1'], 'Elixir.HAR.ControlPlane.RoutingTable', reload, [<<\"{}\">>])",
        path(&file)
    );
    becomes(&beam, &reload, "{[ok,ok],[]}");
    let serials = |nodes: &str| {
        format!(
            "[maps:get(serial, Ask(N, \".ControlPlane.RoutingTable\", version, [])) || N <- {nodes}]"
        )
    };
    becomes(&beam, &serials("['eu@127.0.0.1', 'us@127.0.0.1']"), "[1,1]");

    let late = start(&beam, "late", &[]);
    late.stderr.wait_for("took the newer routing table");
    let names = "[N || #{backends := [#{name := N}]} <- Ask('late@127.0.0.1', \".ControlPlane.RoutingTable\", get_routes, [])]";
    becomes(&beam, names, "[<<\"only\">>]");

    // A fault in the last line: nothing of it is taken, anywhere, and the versions stay.
    let bad = table(
        "routes:\n  - pattern: {operation: '*'}\n    backends: [{name: other}]\n  - pattern: {operation: x}\n",
    );
    becomes(
        &beam,
        &format!(
            "[element(1, R) || R <- element(1, rpc:multicall(['eu@127.0.0.1', 'late@127.0.0.1'],
                'Elixir.HAR.ControlPlane.RoutingTable', reload, [<<\"{}\">>]))]",
            path(&bad)
        ),
        "[error,error]",
    );
    becomes(&beam, names, "[<<\"only\">>]");
    becomes(&beam, &serials("['eu@127.0.0.1', 'us@127.0.0.1', 'late@127.0.0.1']"), "[1,1,1]");
}

#[test]
fn who_may_not_reload_is_not_followed() {
    let beam = Beam::start();
    let _eu = start(&beam, "eu", &["--region", "eu"]);
    let mut command = beam.command();
    command.env("HAR_COOKIE", "C").env("HAR_CALLS_DENY", "HAR.ControlPlane.RoutingTable.reload");
    command.args(["start", "--name", "us@127.0.0.1", "--connect", "beam@127.0.0.1"]);
    let us = Running::start(command);
    us.wait_for("Ctrl-C stops it.");
    let file = table("routes: []\n");
    becomes(
        &beam,
        &format!(
            "Ask('eu@127.0.0.1', \".ControlPlane.RoutingTable\", reload, [<<\"{}\">>])",
            path(&file)
        ),
        "ok",
    );
    us.stderr.wait_for("a peer called what it is not allowed to call");
    let version =
        "maps:get(serial, Ask('us@127.0.0.1', \".ControlPlane.RoutingTable\", version, []))";
    becomes(&beam, version, "0");
}
