//! A real BEAM, driven through its standard input and output.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

use erlang_node::{Node, NodeFilter};
use erlang_term::Atom;
use tokio::sync::mpsc;

use crate::harness::{self, DEADLINE, atom};

/// Evaluates a line at a time with bindings that last, and prints `=> Result`.
const LOOP: &str = r#"
spawn(fun() ->
  register(driver, self()),
  Loop = fun(F, Bindings) ->
    case io:get_line('') of
      eof -> halt();
      Line ->
        {Result, Next} =
          try
            {ok, Tokens, _} = erl_scan:string(Line),
            {ok, Exprs} = erl_parse:parse_exprs(Tokens),
            {value, Value, After} = erl_eval:exprs(Exprs, Bindings),
            {Value, After}
          catch Class:Error -> {{Class, Error}, Bindings}
          end,
        io:format("=> ~0tp~n", [Result]),
        F(F, Next)
    end
  end,
  Loop(Loop, erl_eval:new_bindings())
end)."#;

/// A running `erl`. It is killed when dropped.
pub(crate) struct Beam {
    child: Child,
    input: ChildStdin,
    lines: mpsc::UnboundedReceiver<String>,
    pub(crate) name: Atom,
}

impl Beam {
    pub(crate) async fn start(prefix: &str) -> Self {
        Self::start_with(&harness::unique(prefix), &[]).await
    }

    pub(crate) async fn start_with(name: &str, more: &[&str]) -> Self {
        let host = name.split('@').next_back().unwrap_or_default();
        let form = if host.contains('.') { "-name" } else { "-sname" };
        let mut child = Command::new("erl")
            .args(["-noshell", form, name, "-setcookie", harness::COOKIE])
            .args(["-start_epmd", "false", "-kernel", "inet_dist_use_interface", "{127,0,0,1}"])
            .args(more)
            .args(["-eval", LOOP])
            .env("ERL_EPMD_PORT", harness::epmd_port().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect(
                "these tests need `erl`: install Debian's erlang-base, or Erlang/OTP 25 or later",
            );
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some(result) = line.strip_prefix("=> ")
                    && sender.send(result.to_owned()).is_err()
                {
                    return;
                }
            }
        });
        let mut beam = Self { child, input, lines, name: atom(name) };
        assert_eq!(beam.eval("is_pid(whereis(net_kernel))").await, "true", "is distribution up?");
        beam
    }

    /// Parts until neither side has a connection. Once may not do: the `global` of a BEAM that
    /// learns of a connection after its end casts its greeting all the same, and a cast dials.
    pub(crate) async fn part_from(&mut self, node: &Node) {
        loop {
            node.disconnect(&self.name).await;
            let ours = node.nodes(NodeFilter::Connected);
            if self.eval("nodes()").await == "[]" && ours.is_empty() {
                return;
            }
        }
    }

    /// Evaluates expressions and gives the result as text.
    pub(crate) async fn eval(&mut self, expression: &str) -> String {
        self.begin(expression);
        self.result().await
    }

    /// Begins an evaluation whose result is fetched later.
    pub(crate) fn begin(&mut self, expression: &str) {
        writeln!(self.input, "{expression}.").expect("the BEAM reads");
    }

    pub(crate) async fn result(&mut self) -> String {
        let line = tokio::time::timeout(DEADLINE, self.lines.recv()).await;
        line.expect("the BEAM answers in time").expect("the BEAM lives")
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("waited");
    }
}

impl Drop for Beam {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
