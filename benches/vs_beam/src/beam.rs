//! A BEAM that drives load: commands to its standard input, numbers from its standard output.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use crate::machine::{Cluster, Running, full};
use crate::measure::Load;

/// The Erlang module, compiled into the cluster's folder.
const MODULE: &str = include_str!("../beam/load.erl");

/// Compiles the Erlang side.
pub(crate) fn compile(cluster: &Cluster) -> io::Result<()> {
    let source = cluster.folder.join("load.erl");
    std::fs::write(&source, MODULE)?;
    let status = Command::new("erlc").arg("-o").arg(&cluster.folder).arg(&source).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other("erlc failed on load.erl")) }
}

/// The node under test of the BEAM's side: echo and sink, nothing else.
pub(crate) fn server(cluster: &Cluster, name: &str) -> Command {
    let mut command = cluster.erl(name);
    command.args(["-noinput", "-s", "load", "serve"]);
    command
}

/// A BEAM that drives load.
pub(crate) struct Driver {
    process: Running,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Driver {
    pub(crate) fn start(cluster: &Cluster, name: &str) -> io::Result<Self> {
        let mut command = cluster.erl(name);
        command.args(["-noshell", "-s", "load", "drive"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = Running::start_piped(&mut command)?;
        let piped = || io::Error::other("no pipe to erl");
        let commands = process.0.stdin.take().ok_or_else(piped)?;
        let answers = BufReader::new(process.0.stdout.take().ok_or_else(piped)?);
        let mut driver = Self { process, commands, answers };
        driver.line("ready").map(|_| driver)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Runs one load against the node `name` and returns its numbers.
    pub(crate) fn run(&mut self, load: Load, name: &str) -> io::Result<Vec<f64>> {
        let node = full(name);
        let command = match load {
            Load::PingPong { rounds } => format!("{{ping_pong,'{node}',{rounds}}}"),
            Load::Pipelined { messages } => format!("{{pipelined,'{node}',{messages}}}"),
            Load::OneWay { messages } => format!("{{one_way,'{node}',{messages}}}"),
            Load::Calls { call, callers, calls } => {
                format!("{{calls,{},'{node}',{callers},{calls}}}", call.module())
            }
            Load::Binaries { size, total } => format!("{{binaries,'{node}',{size},{total}}}"),
            Load::Connect { rounds } => format!("{{connect,'{node}',{rounds}}}"),
        };
        writeln!(self.commands, "{command}")?;
        self.commands.flush()?;
        let numbers = self.line("ok")?;
        numbers.split_whitespace().map(|n| n.parse().map_err(io::Error::other)).collect()
    }

    /// Reads a line that starts with `word`, and returns the rest.
    fn line(&mut self, word: &str) -> io::Result<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        match line.trim_end().strip_prefix(word) {
            Some(rest) => Ok(rest.to_owned()),
            None => Err(io::Error::other(format!("the driving BEAM said {line:?}"))),
        }
    }
}
