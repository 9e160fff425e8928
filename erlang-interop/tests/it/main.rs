//! Runs the examples against a real Elixir node, as a reader of them would.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use epmd::server::{Server, ServerConfig, ServerHandle};

const COOKIE: &str = "examples";

/// A program that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn epmd() -> ServerHandle {
    let config = ServerConfig { port: 0, ..ServerConfig::default() };
    Server::bind(&config).unwrap().spawn()
}

/// An example of this package; `cargo test` builds them beside the test.
fn example(name: &str, epmd: &ServerHandle, target: Option<&str>) -> Command {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples");
    path.push(name);
    let mut command = Command::new(path);
    command.args([&format!("{name}@127.0.0.1"), COOKIE, &epmd.port().to_string()]);
    command.args(target).stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// Elixir code run by a node of that name.
fn elixir(name: &str, epmd: &ServerHandle, code: &str) -> Command {
    let mut command = Command::new("elixir");
    command
        .args(["--name", &format!("{name}@127.0.0.1"), "--cookie", COOKIE])
        .args(["--erl", "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}"])
        .args(["-e", code])
        .env("ERL_EPMD_PORT", epmd.port().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// Starts a program and waits for its first line.
fn start(mut command: Command) -> Running {
    let mut child = command.spawn().unwrap_or_else(|error| {
        panic!("cannot start {command:?} ({error}): is elixir installed, are the examples built?")
    });
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("ready"), "{line}");
    Running(child)
}

fn output(mut command: Command) -> String {
    let output = command.output().unwrap_or_else(|error| {
        panic!("cannot start {command:?} ({error}): is elixir installed, are the examples built?")
    });
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn elixir_calls_the_counter() {
    let epmd = epmd();
    let _server = start(example("gen_server", &epmd, None));
    let code = r#"
        server = {Counter, :"gen_server@127.0.0.1"}
        IO.inspect {GenServer.call(server, {:add, 5}), GenServer.call(server, {:add, 1}), GenServer.call(server, :x)}
    "#;
    assert_eq!(output(elixir("caller", &epmd, code)), "{5, 6, {:error, :badarg}}\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_and_the_admin_ask_an_elixir_node() {
    let epmd = epmd();
    let _node = start(elixir("target", &epmd, "IO.puts(\"ready\"); Process.sleep(:infinity)"));
    let target = Some("target@127.0.0.1");
    let said = output(example("elixir_client", &epmd, target));
    assert_eq!(said, "String.upcase: \"HELLO FROM RUST\"\nnet_kernel: :yes\n");
    let said = output(example("hidden_admin", &epmd, target));
    assert!(said.contains("visible nodes: []\n"), "{said}");
    assert!(
        said.contains("hidden nodes: ['hidden_admin@127.0.0.1']\n")
            || said.contains("hidden nodes: [hidden_admin@127.0.0.1]\n"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_supervised_worker_comes_back() {
    let epmd = epmd();
    let _tree = start(example("supervised_worker", &epmd, None));
    let code = r#"
        node = :"supervised_worker@127.0.0.1"
        true = Node.connect(node)
        whereis = fn -> :rpc.call(node, :erlang, :whereis, [Worker]) end
        before = whereis.()
        monitor = Process.monitor(before)
        GenServer.cast({Worker, node}, :crash)
        reason = receive do {:DOWN, ^monitor, _, _, reason} -> reason end
        again = Enum.find_value(1..500, fn _ ->
          pid = whereis.()
          if is_pid(pid), do: pid, else: Process.sleep(10)
        end)
        [{:worker, pid, :worker, _}] = Supervisor.which_children({Top, node})
        IO.inspect {reason, is_pid(again) and again != before, pid == again}
    "#;
    assert_eq!(output(elixir("caller", &epmd, code)), "{:told_to, true, true}\n");
}
