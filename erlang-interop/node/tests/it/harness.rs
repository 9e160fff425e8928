//! What the tests share: an EPMD of their own, nodes, and waiting without sleeping.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use erlang_node::{
    Context, Cookie, Destination, Epmd, ExitReason, Mfa, Node, NodeConfig, NodeName, ProcessFuture,
    SpawnOptions, Spawner,
};
use erlang_term::{Atom, Pid, Term};
use tokio::sync::oneshot;

/// How long anything here may take before a test is called failed.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// The port of an EPMD that lives as long as the test binary, on a thread of its own.
static EPMD_PORT: LazyLock<u16> = LazyLock::new(|| {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async move {
            let addresses = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
            let config = epmd::ServerConfig { port: 0, addresses, ..Default::default() };
            let server = epmd::Server::bind(&config).expect("a free port");
            sender.send(server.port()).expect("the test waits");
            server.run(std::future::pending()).await;
        });
    });
    receiver.recv().expect("the server starts")
});

pub(crate) fn epmd_port() -> u16 {
    *EPMD_PORT
}

pub(crate) fn atom(text: &str) -> Atom {
    Atom::new(text).expect("short enough")
}

/// A name no other test has.
pub(crate) fn unique(prefix: &str) -> String {
    unique_on(prefix, "127.0.0.1")
}

pub(crate) fn unique_on(prefix: &str, host: &str) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}{}x{number}@{host}", std::process::id())
}

pub(crate) const COOKIE: &str = "test_cookie";

pub(crate) fn config(prefix: &str) -> NodeConfig {
    // `RUST_LOG=debug` shows what the nodes log; an earlier test may have set this up.
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
    let name = NodeName::new(&unique(prefix)).expect("a name");
    let mut config = NodeConfig::new(name, Cookie::new(COOKIE).expect("a cookie"));
    config.epmd = Epmd::Daemon { address: IpAddr::V4(Ipv4Addr::LOCALHOST), port: epmd_port() };
    config
}

pub(crate) async fn node(prefix: &str) -> Node {
    let node = Node::start(config(prefix)).await.expect("the node starts");
    node.set_spawner(std::sync::Arc::new(TestFunctions));
    node
}

/// Waits for a future, but not for ever.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, what).await.expect("took too long")
}

/// Polls a condition until it holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(DEADLINE, waiting).await.is_ok(), "never: {what}");
}

/// Runs a test inside a process of the node and gives its result.
pub(crate) async fn within<F, Fut, T>(node: &Node, run: F) -> T
where
    F: FnOnce(Context) -> Fut + Send + 'static,
    Fut: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    let process = node.spawn(SpawnOptions::new(), |context| async move {
        let result = run(context).await;
        let _ = sender.send(result);
        ExitReason::Normal
    });
    process.expect("spawned");
    soon(receiver).await.expect("the process in the test failed")
}

/// A process that answers each `{From, Message}` with `{self(), Message}`, and ends with the
/// reason of `{stop, Reason}`.
pub(crate) fn echo(node: &Node, options: SpawnOptions) -> Pid {
    let pid = node.spawn(options, |mut context: Context| async move {
        loop {
            let message = context.receive().await.into_term();
            match message.as_tuple() {
                Some([Term::Pid(from), body]) => {
                    let reply = Term::tuple([Term::Pid(context.pid().clone()), body.clone()]);
                    context.send(from, reply).await;
                }
                Some([stop, reason]) if stop.is_atom("stop") => {
                    return ExitReason::from(reason.clone());
                }
                _ => {}
            }
        }
    });
    pid.expect("spawned")
}

pub(crate) fn stop(reason: Term) -> Term {
    Term::tuple([Term::atom("stop"), reason])
}

/// Asks an echo process and waits for its answer.
pub(crate) async fn ask(context: &mut Context, to: impl Into<Destination>, body: Term) -> Term {
    let own = Term::Pid(context.pid().clone());
    context.send(to, Term::tuple([own, body.clone()])).await;
    let (message, ()) = soon(context.receive_map(|message| match message.as_tuple() {
        Some([Term::Pid(_), answer]) if *answer == body => Some(()),
        _ => None,
    }))
    .await;
    message.into_term()
}

/// Functions that peers may spawn in the tests: `test:exit(Reason)`, `test:wait()`,
/// `test:send(To, Message)`, `test:echo()`.
pub(crate) struct TestFunctions;

impl Spawner for TestFunctions {
    fn spawn(&self, mut context: Context, mfa: Mfa) -> ProcessFuture {
        Box::pin(async move {
            match (mfa.module.as_str(), mfa.function.as_str(), &mfa.args[..]) {
                ("test", "exit", [reason]) => ExitReason::from(reason.clone()),
                ("test", "wait", []) => std::future::pending().await,
                ("test", "panic", []) => panic!("asked to"),
                ("test", "send", [to, message]) => {
                    if let Some(to) = Destination::from_term(to) {
                        context.send(to, message.clone()).await;
                    }
                    ExitReason::Normal
                }
                ("test", "echo", []) => loop {
                    let message = context.receive().await;
                    if let Some([Term::Pid(from), body]) = message.as_tuple() {
                        let own = Term::Pid(context.pid().clone());
                        context.send(from, Term::tuple([own, body.clone()])).await;
                    }
                },
                _ => {
                    let frame = Term::tuple([
                        Term::Atom(mfa.module),
                        Term::Atom(mfa.function),
                        Term::list(mfa.args),
                        Term::Nil,
                    ]);
                    let undef = [Term::atom("undef"), Term::list([frame])];
                    ExitReason::Other(Term::tuple(undef))
                }
            }
        })
    }
}

/// What `net_adm:ping` asks for.
pub(crate) fn net_kernel(node: &Node) -> Pid {
    let options = SpawnOptions::new().name(atom("net_kernel"));
    node.spawn(options, answer_is_auth).expect("spawned")
}

async fn answer_is_auth(mut context: Context) -> ExitReason {
    loop {
        let message = context.receive().await;
        let Some([call, from, request]) = message.as_tuple() else { continue };
        let is_auth = request.as_tuple().is_some_and(|ask| ask[0].is_atom("is_auth"));
        let Some([_, tag]) = from.as_tuple() else { continue };
        // [alias | Reference]
        let alias = tag.as_list().and_then(|list| list.tail().as_reference().cloned());
        if call.is_atom("$gen_call")
            && is_auth
            && let Some(alias) = alias
        {
            let reply = Term::tuple([tag.clone(), Term::atom("yes")]);
            context.send(alias, reply).await;
        }
    }
}

/// A process that receives and forgets.
pub(crate) async fn sink(mut context: Context) -> ExitReason {
    loop {
        context.receive().await;
    }
}
