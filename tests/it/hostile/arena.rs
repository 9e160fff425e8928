//! A `har` process under attack, honest peers beside the attackers, and what must hold throughout.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use erlang_interop::dist::Cookie;
use erlang_interop::node::transport::Transport;
use erlang_interop::node::transport::tls::Tls;
use erlang_interop::node::{Epmd, Node, NodeConfig, NodeName};
use erlang_interop::otp::erpc;
use erlang_interop::otp::reason::CallOutcome;
use erlang_interop::term::{Atom, Pid, Term, atom, term};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::case::Wire;
use super::line::Keys;
use super::stranger::Target;
use crate::command::Home;
use crate::running::{Running, eventually, free_port};

const NODE: &str = "har@127.0.0.1";
const HONEST: &str = "honest@127.0.0.1";
const COOKIE: &str = "the_cookie_of_the_arena";

/// What the node may take while it is attacked.
const UNDER_ATTACK_KIB_MAX: u64 = 256 * 1024;
/// What it may keep once the attackers are gone.
const AFTERWARDS_KIB_MAX: u64 = 64 * 1024;
/// Longest wait of an honest peer for one answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
/// Pause of an honest peer between two calls.
const PAUSE: Duration = Duration::from_millis(5);

/// Honest calls before the first attack, to compare with.
const CALLS_AT_REST: usize = 300;

/// Processes of the node that attackers aim at.
const VICTIMS: &[&str] = &["net_kernel", "rex", "user", "global_name_server", "pg", "logger_proxy"];

/// What honest calls came to.
#[derive(Default)]
struct Tally {
    milliseconds: Vec<f64>,
    fault: Option<String>,
}

/// The median and the 99th of 100, in milliseconds.
fn median_and_p99(mut times: Vec<f64>) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
    (at(50), at(99))
}

/// The node and those who rely on it.
pub(crate) struct Arena {
    har: Running,
    honest: Honest,
    beam: Option<Running>,
    pub(crate) target: Target,
    processes: i64,
    at_rest: (f64, f64),
    peak: AtomicU64,
    case_peak: AtomicU64,
    _home: Home,
}

/// An honest peer: a node of this program that calls all the time.
struct Honest {
    runtime: Runtime,
    node: Node,
    har: Atom,
    tally: Arc<Mutex<Tally>>,
}

fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Honest {
    fn start(home: &Home, epmd_port: u16, wire: Wire) -> Self {
        let name = NodeName::new(HONEST).expect("a name");
        let mut config = NodeConfig::new(name, Cookie::new(COOKIE).expect("a cookie"));
        config.epmd = Epmd::Daemon { address: config.interface, port: epmd_port };
        if wire == Wire::Tls {
            let file = home.path().join("certs").join(format!("{HONEST}.conf"));
            config.transport = Transport::Tls(Tls::from_optfile(&file).expect("good options"));
        }
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().expect("a runtime");
        let node = runtime.block_on(Node::start(config)).expect("the honest node starts");
        let har = Atom::new(NODE).expect("short");
        let honest = Self { runtime, node, har, tally: Arc::default() };
        honest.call_all_the_time();
        honest
    }

    fn call_all_the_time(&self) {
        let (node, har, tally) = (self.node.clone(), self.har.clone(), Arc::clone(&self.tally));
        self.runtime.spawn(async move {
            loop {
                let start = Instant::now();
                let outcome = call(&node, &har, "Elixir.HAR", "version", vec![]).await;
                let taken = start.elapsed().as_secs_f64() * 1e3;
                match outcome {
                    Ok(_) => lock(&tally).milliseconds.push(taken),
                    Err(fault) => {
                        lock(&tally).fault.get_or_insert(fault);
                    }
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
    }

    /// The value of a call, and nothing else will do.
    #[track_caller]
    fn ask(&self, module: &str, function: &str, arguments: Vec<Term>) -> Term {
        let answer =
            self.runtime.block_on(call(&self.node, &self.har, module, function, arguments));
        answer.unwrap_or_else(|fault| panic!("{module}:{function}: {fault}"))
    }
}

async fn call(
    node: &Node,
    at: &Atom,
    module: &str,
    function: &str,
    arguments: Vec<Term>,
) -> Result<Term, String> {
    let atom = |text| Atom::new(text).expect("short");
    let (module, function) = (atom(module), atom(function));
    match erpc::call(node, at, &module, &function, arguments, ANSWER_TIME_MAX).await {
        Ok(CallOutcome::Return(value)) => Ok(value),
        other => Err(format!("{other:?}")),
    }
}

impl Arena {
    pub(crate) fn open(wire: Wire) -> Self {
        let (home, epmd_port) = (Home::new(), free_port());
        let mut command = home.command();
        command.env("HAR_COOKIE", COOKIE).args(["start", "--name", NODE]);
        command.args(["--epmd-port", &epmd_port.to_string()]);
        // Much may be called, also what makes it dial, and whoever started it may watch its memory.
        command.env("HAR_CALLS_ALLOW", "*,net_kernel:connect_node,sys:suspend,sys:resume");
        command.env("HAR_NODE_CORE_DUMPS", "true");
        let mut keys = None;
        if wire == Wire::Tls {
            home.har(&["certs", "init", NODE, HONEST, "evil@127.0.0.1"]).assert_works();
            let certs = home.path().join("certs");
            command.arg("--ssl-dist-optfile").arg(certs.join(format!("{NODE}.conf")));
            keys = Some(Keys::read(&certs, "evil@127.0.0.1"));
        }
        let har = Running::start(command);
        har.wait_for("Ctrl-C stops it.");
        let port = port_of(&har.stdout.text());
        let honest = Honest::start(&home, epmd_port, wire);
        let find = |name: &&'static str| {
            let found = honest.ask("erlang", "whereis", vec![Term::atom(name)]);
            (*name, found.as_pid().unwrap_or_else(|| panic!("{name} is {found}")).clone())
        };
        let target = Target {
            wire,
            node: honest.har.clone(),
            port,
            epmd_port,
            honest: honest.node.name().clone(),
            processes: VICTIMS.iter().map(find).collect(),
            keys,
            cookie: Cookie::new(COOKIE).expect("a cookie"),
        };
        let beam = (wire == Wire::Tcp).then(|| honest_beam(&home, epmd_port));
        let mut arena = Self {
            har,
            honest,
            beam,
            target,
            processes: 0,
            at_rest: Default::default(),
            peak: AtomicU64::default(),
            case_peak: AtomicU64::default(),
            _home: home,
        };
        arena.processes = arena.process_count();
        lock(&arena.honest.tally).milliseconds.clear();
        let times = eventually("honest calls at rest", || {
            let times = &mut lock(&arena.honest.tally).milliseconds;
            (times.len() >= CALLS_AT_REST).then(|| std::mem::take(times))
        });
        arena.at_rest = median_and_p99(times);
        arena
    }

    /// What must hold after each case, while its stranger may still be there.
    #[track_caller]
    pub(crate) fn check(&self, case: &str) {
        // A call that began after the attack is answered.
        self.honest.ask("erlang", "node", vec![]);
        let fault = lock(&self.honest.tally).fault.take();
        assert_eq!(fault, None, "{case}: an honest peer was not answered");
        let peak = self.memory_kib("VmHWM:");
        // The next case has a peak of its own.
        let reset = std::fs::write(format!("/proc/{}/clear_refs", self.har.id()), "5");
        reset.expect("a process of ours");
        self.peak.fetch_max(peak, Ordering::Relaxed);
        self.case_peak.store(peak, Ordering::Relaxed);
        assert!(peak < UNDER_ATTACK_KIB_MAX, "{case}: the node took {peak} KiB");
        let log = self.har.stderr.text();
        assert!(!log.contains("panicked"), "{case}: {log}");
    }

    /// The most memory that the node took before the last check, since the one before.
    pub(crate) fn peak_of_the_last_check(&self) -> u64 {
        self.case_peak.load(Ordering::Relaxed)
    }

    /// Waits until nothing of a stranger is left in the node.
    #[track_caller]
    pub(crate) fn forgets(&self, case: &str, stranger: &str) {
        let connected = || self.honest.ask("erlang", "nodes", vec![term!([connected, hidden])]);
        let stranger = Term::from(Atom::new(stranger).expect("short"));
        eventually(&format!("{case}: the stranger is disconnected"), || {
            let nodes = connected();
            let gone = !nodes.list_iter()?.any(|node| node == stranger);
            gone.then_some(())
        });
        eventually(&format!("{case}: its processes, links and monitors are gone"), || {
            (self.process_count() <= self.processes && !self.is_bound_to_strangers()).then_some(())
        });
    }

    /// What must hold in the end.
    #[track_caller]
    pub(crate) fn close(self) {
        self.forgets("the end", "nobody@127.0.0.1");
        self.check("the end");
        eventually("the node gives its memory back", || {
            // The allocator gives memory back as it is used; an idle node would keep it for longer.
            self.honest.ask("lists", "seq", vec![Term::from(1), Term::from(100_000)]);
            (self.memory_kib("VmRSS:") < AFTERWARDS_KIB_MAX).then_some(())
        });
        if let Some(beam) = &self.beam {
            beam.stdout.wait_for("answered");
            assert!(!beam.stdout.text().contains("missed"), "{}", beam.stdout.text());
        }
        let times = std::mem::take(&mut lock(&self.honest.tally).milliseconds);
        let (count, (p50, p99)) = (times.len(), median_and_p99(times));
        let (rest_p50, rest_p99) = self.at_rest;
        super::tell(format_args!(
            "{count} honest calls: {p50:.2} ms at the median, {p99:.2} ms at 99 of 100; \
             at rest {rest_p50:.2} and {rest_p99:.2}; peak {} KiB, now {} KiB",
            self.peak.load(Ordering::Relaxed),
            self.memory_kib("VmRSS:"),
        ));
    }

    /// Has the node dial a name; gives whether it got a connection.
    pub(crate) fn dials(&self, name: &str) -> JoinHandle<Result<Term, String>> {
        let (node, har) = (self.honest.node.clone(), self.honest.har.clone());
        let name = Term::from(Atom::new(name).expect("short"));
        self.honest
            .runtime
            .spawn(async move { call(&node, &har, "net_kernel", "connect_node", vec![name]).await })
    }

    /// What such a dial came to.
    #[track_caller]
    pub(crate) fn dialed(&self, dial: JoinHandle<Result<Term, String>>) -> Term {
        self.honest.runtime.block_on(dial).expect("no panic").expect("the node answers")
    }

    fn process_count(&self) -> i64 {
        let count = self.honest.ask("erlang", "system_info", vec![term!(process_count)]);
        count.as_integer().expect("a number")
    }

    fn is_bound_to_strangers(&self) -> bool {
        self.target.processes.iter().any(|(_, pid)| {
            let items = term!([links, monitored_by]);
            let info = self.honest.ask("erlang", "process_info", vec![Term::from(pid), items]);
            info.list_iter().is_some_and(|mut pairs| pairs.any(|pair| self.has_stranger(&pair)))
        })
    }

    fn has_stranger(&self, pair: &Term) -> bool {
        let foreign = |pid: &Pid| ![&self.target.node, &self.target.honest].contains(&pid.node());
        let pids = pair.as_tuple().and_then(|pair| pair.get(1)?.list_iter());
        pids.is_some_and(|mut pids| {
            pids.any(|pid| pid.as_pid().is_some_and(|pid| foreign(pid) && !is_beam(pid.node())))
        })
    }

    fn memory_kib(&self, field: &str) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.har.id()));
        let text = text.expect("the node lives");
        let line = text.lines().find_map(|line| line.strip_prefix(field)).expect("in every status");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

fn is_beam(node: &Atom) -> bool {
    *node == atom!("beam@127.0.0.1")
}

/// Where the node said that it listens.
fn port_of(printed: &str) -> u16 {
    let line = printed.lines().find(|line| line.trim().starts_with("distribution"));
    let port = line.and_then(|line| line.rsplit(':').next()?.split(' ').next()?.parse().ok());
    port.unwrap_or_else(|| panic!("no port in {printed}"))
}

/// A BEAM that calls all the time and prints what it got.
fn honest_beam(home: &Home, epmd_port: u16) -> Running {
    let mut command = home.program("erl");
    command.env("ERL_EPMD_PORT", epmd_port.to_string()).args(["-noinput", "-start_epmd", "false"]);
    command.args(["-name", "beam@127.0.0.1", "-setcookie", COOKIE]);
    command.args(["-kernel", "inet_dist_use_interface", "{127,0,0,1}"]);
    command.args(["-eval", BEAM_LOOP]);
    let beam = Running::start(command);
    beam.wait_for("answered");
    beam
}

const BEAM_LOOP: &str = "
F = fun F() ->
    case catch rpc:call('har@127.0.0.1', 'Elixir.HAR', version, [], 30000) of
        Version when is_binary(Version) -> io:format(\"answered~n\");
        Other -> io:format(\"missed ~0p~n\", [Other])
    end,
    timer:sleep(20),
    F()
end,
F().";
