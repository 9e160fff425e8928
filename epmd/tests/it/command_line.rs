//! `har-epmd` as a program, beside the original.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use epmd::{Client, Registration};

use crate::process::{
    HAR_EPMD, Process, clean, free_port, output, start_daemon, start_daemon_logging,
};
use crate::support::{PATIENCE, address};

fn told(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs ours and the original with the same arguments and compares code and stdout.
fn same(arguments: &[&str]) -> (Option<i32>, String) {
    let ours = told(&output(HAR_EPMD, arguments));
    let (code, text) = told(&output("epmd", arguments));
    // The original prints the zero bytes of an answer to DUMP, too.
    assert_eq!(ours, (code, text.replace('\0', "")), "{arguments:?}");
    ours
}

#[test]
fn asking_says_what_the_original_says() {
    for program in [HAR_EPMD, "epmd"] {
        let daemon = start_daemon(program, &["-relaxed_command_check"]);
        let port = daemon.port.to_string();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let client = Client::new(address(daemon.port));
        let a = runtime.block_on(client.register(&Registration::new("foobar", 5))).unwrap();
        let heading = format!("epmd: up and running on port {port} with data:\n");
        let names = format!("{heading}name foobar at port 5\n");
        assert_eq!(same(&["-port", &port, "-names"]), (Some(0), names));
        assert_eq!(same(&["-port", &port, "-started"]), (Some(0), String::new()));
        let (code, dump) = same(&["-port", &port, "-dump"]);
        assert!(dump.starts_with(&format!("{heading}active name     <foobar> at port 5, fd = ")));
        assert_eq!(code, Some(0));
        assert_eq!(same(&["-port", &port, "-stop", "nobody"]), (Some(0), "NOEXIST\n".into()));
        let stopped = told(&output(HAR_EPMD, &["-port", &port, "-stop", "foobar"]));
        assert_eq!(stopped, (Some(0), "STOPPED\n".into()));
        drop(a);
        let killed = told(&output(HAR_EPMD, &["-port", &port, "-kill"]));
        assert_eq!(killed, (Some(0), "Killed\n".into()));
    }
}

#[test]
fn asking_a_strict_daemon() {
    for program in [HAR_EPMD, "epmd"] {
        let daemon = start_daemon(program, &[]);
        let port = daemon.port.to_string();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let client = Client::new(address(daemon.port));
        let _a = runtime.block_on(client.register(&Registration::new("a", 5))).unwrap();
        let living = "Killing not allowed - living nodes in database.\n";
        assert_eq!(same(&["-port", &port, "-kill"]), (Some(1), living.into()));
        let closed = "epmd: local epmd responded with <>\n";
        assert_eq!(same(&["-port", &port, "-stop", "a"]), (Some(1), closed.into()));
    }
}

#[test]
fn asking_nobody() {
    let port = free_port().to_string();
    for arguments in [&["-names"][..], &["-kill"], &["-stop", "a"], &["-dump"], &["-started"]] {
        assert_eq!(same(&[&["-port", port.as_str()], arguments].concat()).0, Some(1));
    }
    let ours = output(HAR_EPMD, &["-port", &port, "-names"]);
    assert_eq!(ours.stderr, b"epmd: Cannot connect to local epmd\n");
}

#[test]
fn wrong_options_and_addresses() {
    for arguments in [
        &["-nonsense"][..],
        &["-port"],
        &["-port", "abc"],
        &["-packet_timeout", "0"],
        &["-stop"],
        &["-names", "more"],
        &["-address", "nowhere"],
        &["-address", "192.0.2.1"],
    ] {
        let port = free_port().to_string();
        let arguments = [&["-port", port.as_str()], arguments].concat();
        assert_eq!(same(&arguments).0, Some(1), "{arguments:?}");
    }
    let help = output(HAR_EPMD, &["-help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(help.stdout.starts_with(b"usage: epmd"));
}

#[test]
fn a_second_daemon_leaves_the_first_alone() {
    let daemon = start_daemon(HAR_EPMD, &[]);
    let port = daemon.port.to_string();
    assert_eq!(same(&["-port", &port, "-address", "127.0.0.1"]), (Some(0), String::new()));
    assert_eq!(same(&["-port", &port]), (Some(0), String::new()));
    let detached = output(HAR_EPMD, &["-port", &port, "-daemon"]);
    assert_eq!(detached.status.code(), Some(0));
}

#[test]
fn in_the_background_it_listens_when_the_command_returns() {
    let port = free_port();
    let text = port.to_string();
    let arguments = ["-port", &text, "-address", "127.0.0.1", "-daemon", "-relaxed_command_check"];
    let started = output(HAR_EPMD, &arguments);
    assert_eq!(started.status.code(), Some(0));
    assert_eq!((started.stdout, started.stderr), (Vec::new(), Vec::new()));
    let names = told(&output(HAR_EPMD, &["-port", &text, "-names"]));
    let killed = told(&output(HAR_EPMD, &["-port", &text, "-kill"]));
    assert_eq!(names.0, Some(0));
    assert_eq!(killed, (Some(0), "Killed\n".into()));

    let nowhere = output(HAR_EPMD, &["-port", &text, "-daemon", "-address", "192.0.2.1"]);
    assert_eq!(nowhere.status.code(), Some(1));
}

/// N of each 127.0.0.N that something listens on.
fn hosts_that_answer(port: u16) -> Vec<u8> {
    let answers = |host: &u8| TcpStream::connect((Ipv4Addr::new(127, 0, 0, *host), port)).is_ok();
    (1..=4).filter(answers).collect()
}

#[test]
fn addresses_are_listened_on_beside_loopback() {
    for program in [HAR_EPMD, "epmd"] {
        let port = free_port();
        let child = clean(Command::new(program))
            .args(["-port", &port.to_string(), "-address", "127.0.0.2,127.0.0.4"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let _process = Process(child);
        let deadline = Instant::now() + PATIENCE;
        while hosts_that_answer(port) != [1, 2, 4] {
            assert!(Instant::now() < deadline, "{program}: {:?}", hosts_that_answer(port));
        }
    }
}

#[test]
fn debugging_remembers_five_names_and_tells_on_stderr() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // The original forgets one only when the next new name comes.
    for (program, kept) in [(HAR_EPMD, 5), ("epmd", 6)] {
        let mut daemon = start_daemon_logging(program, &["-d"]);
        let port = daemon.port.to_string();
        let client = Client::new(address(daemon.port));
        for number in 0..8 {
            let node = Registration::new(format!("node{number}"), 5);
            drop(runtime.block_on(client.register(&node)).unwrap());
            let deadline = Instant::now() + PATIENCE;
            while !runtime.block_on(client.names()).unwrap().nodes.is_empty() {
                assert!(Instant::now() < deadline, "node{number} is not released");
            }
        }
        let (_, dump) = same(&["-port", &port, "-dump"]);
        assert_eq!(dump.matches("old/unused name").count(), kept, "{program}: {dump}");
        assert!(!dump.contains("node1") && dump.contains("node3"), "{program}: {dump}");
        let log = daemon.end();
        assert!(log.contains("registering") && log.contains("node7"), "{program}: {log}");
    }
    let mut quiet = start_daemon_logging(HAR_EPMD, &[]);
    drop(runtime.block_on(Client::new(address(quiet.port)).names()).unwrap());
    assert_eq!(quiet.end(), "", "only faults are told without -d");
}

#[test]
fn environment_counts_and_flags_win() {
    let port = free_port();
    let child = clean(Command::new(HAR_EPMD))
        .env("ERL_EPMD_PORT", port.to_string())
        .env("ERL_EPMD_ADDRESS", "127.0.0.3")
        .env("ERL_EPMD_RELAXED_COMMAND_CHECK", "1")
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let mut process = Process(child);
    let deadline = Instant::now() + PATIENCE;
    let ask = |flags: &[&str]| {
        let port = port.to_string();
        clean(Command::new(HAR_EPMD)).env("ERL_EPMD_PORT", port).args(flags).output().unwrap()
    };
    while !ask(&["-started"]).status.success() {
        assert!(Instant::now() < deadline, "it doesn't listen");
    }
    assert_eq!(ask(&["-stop", "nobody"]).stdout, b"NOEXIST\n");
    assert_eq!(hosts_that_answer(port), [1, 3], "loopback and what was asked for");
    let other = free_port().to_string();
    assert_eq!(ask(&["-port", &other, "-started"]).status.code(), Some(1));
    assert_eq!(ask(&["-kill"]).stdout, b"Killed\n");
    assert_eq!(process.code(), Some(0));
}

#[test]
fn sigterm_ends_it_in_order() {
    let mut daemon = start_daemon(HAR_EPMD, &[]);
    let pid = rustix::process::Pid::from_child(&daemon.process.0);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(daemon.process.code(), Some(0));
    assert!(std::net::TcpStream::connect(address(daemon.port)).is_err());
}

/// systemd hands over descriptor 3. A shell plays its part: it moves the socket there and names
/// itself before it becomes the daemon.
#[test]
fn systemd_hands_over_a_socket_and_hears_that_it_is_ready() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let folder = std::env::temp_dir().join(format!("epmd-notify-{}-{port}", std::process::id()));
    let notified = UnixDatagram::bind(&folder).unwrap();
    notified.set_read_timeout(Some(PATIENCE)).unwrap();

    let hand_over = format!("LISTEN_PID=$$ exec {HAR_EPMD} -systemd 3<&0 </dev/null");
    let child = clean(Command::new("sh"))
        .args(["-c", &hand_over])
        .env("LISTEN_FDS", "1")
        .env("NOTIFY_SOCKET", &folder)
        .stdin(Stdio::from(OwnedFd::from(listener)))
        .spawn()
        .unwrap();
    let _process = Process(child);
    let mut message = [0; 200];
    let count = notified.recv(&mut message).unwrap();
    std::fs::remove_file(&folder).unwrap();
    assert!(message[..count].starts_with(b"READY=1\n"));

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let names = runtime.block_on(Client::new(address(port)).names()).unwrap();
    assert_eq!(names.epmd_port, port);
}

#[test]
fn systemd_without_sockets() {
    let nothing = output(HAR_EPMD, &["-systemd"]);
    assert_eq!(nothing.status.code(), Some(1));
    assert_eq!(nothing.stderr, b"epmd: systemd provides no sockets\n");
}

#[test]
fn delays_play_a_busy_daemon() {
    let daemon = start_daemon(HAR_EPMD, &["-delay_accept", "1", "-delay_write", "1"]);
    let started = Instant::now();
    let names = output(HAR_EPMD, &["-port", &daemon.port.to_string(), "-names"]);
    assert_eq!(names.status.code(), Some(0));
    assert!(started.elapsed() >= Duration::from_millis(1900));
}
