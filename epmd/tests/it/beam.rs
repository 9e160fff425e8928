//! Real BEAMs with our daemon.

use std::time::{Duration, Instant};

use epmd::Registration;

use crate::process::{Beam, HAR_EPMD, start_daemon};
use crate::support::{PATIENCE, address, config, eventually, start};

/// Loopback names, so that no resolver is asked.
const A: [&str; 2] = ["-name", "beam_a@127.0.0.1"];
const B: [&str; 2] = ["-name", "beam_b@127.0.0.1"];

#[test]
fn nodes_register_find_each_other_and_leave() {
    let daemon = start_daemon(HAR_EPMD, &[]);
    let mut a = Beam::start(daemon.port, &A);
    assert_eq!(a.evaluate("node()."), "'beam_a@127.0.0.1'");
    let mut b = Beam::start(daemon.port, &[B[0], B[1], "-hidden"]);
    assert_eq!(b.evaluate("node()."), "'beam_b@127.0.0.1'");

    let names = a.evaluate("{ok, L} = net_adm:names({127,0,0,1}), lists:sort([N || {N, _} <- L]).");
    assert_eq!(names, "[\"beam_a\",\"beam_b\"]");
    assert_eq!(a.evaluate("net_adm:ping('beam_b@127.0.0.1')."), "pong");
    let port = "{port, P, 6} = erl_epmd:port_please(\"beam_a\", {127,0,0,1}), P > 0.";
    assert_eq!(b.evaluate(port), "true");
    let none = b.evaluate("erl_epmd:port_please(\"nobody\", {127,0,0,1}).");
    assert_eq!(none, "noport");
    let creation = a.evaluate("erlang:system_info(creation) > 3.");
    assert_eq!(creation, "true");

    drop(b);
    let deadline = Instant::now() + PATIENCE;
    while a.evaluate("erl_epmd:port_please(\"beam_b\", {127,0,0,1}).") != "noport" {
        assert!(Instant::now() < deadline, "beam_b is not released");
    }
}

#[test]
fn a_node_that_finds_its_name_taken_does_not_start() {
    let daemon = start_daemon(HAR_EPMD, &[]);
    let mut a = Beam::start(daemon.port, &A);
    assert_eq!(a.evaluate("is_alive()."), "true");
    let mut second = Beam::start(daemon.port, &A);
    assert_eq!(second.evaluate_or_end("is_alive()."), None);
    assert_eq!(a.evaluate("is_alive()."), "true");
}

#[test]
fn a_node_registers_again_with_the_next_daemon() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (first, client) = start(&config());
        let port = first.port();
        let mut beam = Beam::start(port, &A);
        assert_eq!(beam.evaluate("is_alive()."), "true");
        assert!(client.port_of("beam_a").await.unwrap().is_some());
        first.shutdown().await;

        let mut same = config();
        same.port = port;
        let (_second, client) = start(&same);
        // A BEAM tries again after two seconds.
        let back = || async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            client.port_of("beam_a").await.unwrap().is_some()
        };
        eventually("the BEAM is back", back).await;
        assert_eq!(beam.evaluate("is_alive()."), "true");
    });
}

#[test]
fn our_client_and_a_beam_see_each_other_at_the_original_daemon() {
    let daemon = start_daemon("epmd", &[]);
    let mut a = Beam::start(daemon.port, &A);
    assert_eq!(a.evaluate("is_alive()."), "true");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = epmd::Client::new(address(daemon.port));
        let beam = client.port_of("beam_a").await.unwrap().unwrap();
        assert_eq!((beam.node_type, beam.highest_version), (epmd::codec::NODE_TYPE_NORMAL, 6));
        let _ours = client.register(&Registration::new("rust", 4711)).await.unwrap();
        let port = a.evaluate("erl_epmd:port_please(\"rust\", {127,0,0,1}).");
        assert_eq!(port, "{port,4711,6}");
        assert_eq!(client.names().await.unwrap().nodes.len(), 2);
    });
}
