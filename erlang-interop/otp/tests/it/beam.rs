//! A real BEAM as a child process that evaluates Erlang expressions, one a line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};

use crate::world::{COOKIE, PATIENCE};

/// Reads expressions from standard input; answers `=> Value` or `!! Class Reason`.
const LOOP: &str = "
    Loop = fun Loop() ->
        case io:get_line(\"\") of
            eof -> halt(0);
            Line ->
                {ok, Tokens, _} = erl_scan:string(unicode:characters_to_list(Line)),
                {ok, Exprs} = erl_parse:parse_exprs(Tokens),
                try erl_eval:exprs(Exprs, erl_eval:new_bindings()) of
                    {value, V, _} -> io:format(\"=> ~0tp~n\", [V])
                catch C:R -> io:format(\"!! ~0tp ~0tp~n\", [C, R])
                end,
                Loop()
        end
    end, Loop().";

pub(crate) struct Beam {
    child: Child,
    input: ChildStdin,
    output: Receiver<String>,
}

/// BEAMs that this process has started.
static STARTED: AtomicUsize = AtomicUsize::new(0);

/// `elixir` of this machine, or of the root that `HAR_OTP_ROOT` names: another OTP release. With
/// `HAR_OTP_MIXED` it is every other BEAM that is of the other release.
fn launcher() -> Command {
    let own = STARTED.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
    let mixed = std::env::var_os("HAR_OTP_MIXED").is_some();
    let root = std::env::var_os("HAR_OTP_ROOT").filter(|_| !(mixed && own));
    let Some(root) = root else { return Command::new("elixir") };
    let mut command = Command::new("chroot");
    command.arg(root).args(["/usr/bin/env", "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "elixir"]);
    command
}

impl Beam {
    pub(crate) fn start(name: &str, epmd: u16) -> Self {
        let expression: String = LOOP.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut command = launcher();
        // The Elixir launcher brings Elixir's modules onto the path; the loop itself is Erlang.
        command
            .args(["--name", &format!("{name}@127.0.0.1"), "--cookie", COOKIE])
            .args(["--erl", "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}"])
            .arg("-e")
            .arg(format!(
                ":io.setopts(:standard_io, encoding: :unicode); \
                 {{:ok, t, _}} = :erl_scan.string(~c\"\"\"\n{expression}\n\"\"\"); \
                 {{:ok, e}} = :erl_parse.parse_exprs(t); :erl_eval.exprs(e, [])"
            ))
            .env("ERL_EPMD_PORT", epmd.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("cannot start elixir ({error}): install it, e.g. apt-get install elixir")
        });
        let input = child.stdin.take().expect("stdin is piped");
        let lines = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let (send, output) = channel();
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        let mut beam = Self { child, input, output };
        // The node is up when it answers.
        assert_eq!(beam.run("is_alive()"), "=> true");
        beam
    }

    /// Evaluates an expression; what it printed meanwhile is left out.
    pub(crate) fn run(&mut self, expression: &str) -> String {
        writeln!(self.input, "{expression}.").expect("the BEAM reads");
        loop {
            let line = self
                .output
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|_| panic!("no answer to {expression}"));
            if line.starts_with("=> ") || line.starts_with("!! ") {
                return line;
            }
        }
    }

    /// As [`Beam::run`], without blocking the runtime.
    pub(crate) async fn eval(&mut self, expression: &str) -> String {
        tokio::task::block_in_place(|| self.run(expression))
    }

    /// Evaluates until the answer is as wanted.
    pub(crate) async fn wait_for(&mut self, expression: &str, wanted: &str) {
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            let answer = self.eval(expression).await;
            if answer == format!("=> {wanted}") {
                return;
            }
            assert!(
                std::time::Instant::now() < deadline,
                "{expression} gives {answer}, not {wanted}"
            );
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// Ends it at once, as `kill -9` does.
    pub(crate) fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Beam {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
