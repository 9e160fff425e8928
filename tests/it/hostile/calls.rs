//! Strangers that know the cookie and ask for what is costly, forbidden, or nonsense.

use erlang_interop::term::{Atom, Term, term};

use super::case::{Case, End, Phase, inside};
use super::stranger::Stranger;
use End::Stays;
use Phase::Connected;

pub(crate) const CASES: &[&[Case]] = &[NONSENSE, COSTLY, FORBIDDEN, DOCUMENTS];

/// Messages that no server of OTP's kind understands, or half of what it does.
fn nonsense(stranger: &mut Stranger, name: &str) {
    let (pid, tag) = (stranger.pid(1), stranger.reference(1));
    let foreign = stranger.target.honest.clone();
    let improper = || Term::improper_list([term!(a)], term!(b));
    for message in [
        Term::Nil,
        Term::from(-1),
        Term::binary(vec![0xff; 3]),
        improper(),
        term!({@"$gen_call", nobody, stop}),
        term!({@"$gen_call", {(&pid), (&tag)}, {}}),
        term!({@"$gen_call", {(&pid), (improper())}, which_children}),
        term!({@"$gen_call", {(&pid), [alias | (&tag)]}, {call, a, b, c, d}}),
        term!({@"$gen_call", {(&pid), [[alias | (&tag)] | (&tag)]}, {is_auth, 7}}),
        term!({@"$gen_cast", (improper())}),
        term!({@"$gen_cast", {init_connect, {8, 1}, (&foreign), x}}),
        term!({@"$gen_cast", {exchange, (&foreign), (improper()), [], 3}}),
        term!({@"$gen_cast", {resolved, (&foreign), [{a, b}], [7], 1, 2, 3}}),
        term!({@"$gen_cast", {sync, (&pid), [{group, [nobody]}]}}),
        term!({system, nobody, get_state}),
        term!({system, {(&pid), (&tag)}, {debug, {x, y}}}),
        term!({@"EXIT", (&pid), normal}),
        term!({@"DOWN", (&tag), process, (&pid), normal}),
        term!({nodeup, (&foreign)}),
        term!({nodedown, (&foreign)}),
        term!({io_request, (&pid), (&tag), {put_chars, unicode, io_lib, format, [(improper()), 7]}}),
        term!({io_request, (&pid), (&tag), {requests, [{requests, (improper())}, 7]}}),
        term!({log, info, (improper()), (improper())}),
        term!({log, error, "~p~p~p~", [], #{}}),
        term!({(&pid), {call, erlang, apply, (improper()), nobody}}),
        term!({(&pid), {sbcast, 7, 8}}),
        term!({join, (&pid), group, (improper())}),
        term!({leave, (&pid), (improper()), [group]}),
        term!({discover, nobody}),
        term!({lost_connection, (&foreign), 1, 2, 3}),
    ] {
        stranger.send_to(name, &message);
    }
}

const NONSENSE: &[Case] = &[
    inside("nonsense: to net_kernel", Connected, Stays, |s| nonsense(s, "net_kernel")),
    inside("nonsense: to rex", Connected, Stays, |s| nonsense(s, "rex")),
    inside("nonsense: to user", Connected, Stays, |s| nonsense(s, "user")),
    inside("nonsense: to logger", Connected, Stays, |s| nonsense(s, "logger")),
    inside("nonsense: to logger_proxy", Connected, Stays, |s| nonsense(s, "logger_proxy")),
    inside("nonsense: to global", Connected, Stays, |s| nonsense(s, "global_name_server")),
    inside("nonsense: to pg", Connected, Stays, |s| nonsense(s, "pg")),
    inside("nonsense: to the task supervisor", Connected, Stays, |s| {
        nonsense(s, "Elixir.HAR.TaskSupervisor");
    }),
    inside("nonsense: to the router", Connected, Stays, |s| {
        nonsense(s, "Elixir.HAR.ControlPlane.Router");
    }),
    inside("nonsense: to the health checker", Connected, Stays, |s| {
        nonsense(s, "Elixir.HAR.ControlPlane.HealthChecker");
    }),
    inside("nonsense: to the policy engine", Connected, Stays, |s| {
        nonsense(s, "Elixir.HAR.ControlPlane.PolicyEngine");
    }),
    inside("nonsense: to the supervisor", Connected, Stays, |s| nonsense(s, "kernel_safe_sup")),
];

/// Calls a function many times over, and asks nothing back.
fn many(stranger: &mut Stranger, count: u32, module: &str, function: &str, arguments: &Term) {
    for number in 0..count {
        stranger.call(number, module, function, arguments.clone());
    }
}

const COSTLY: &[Case] = &[
    inside("costly: a list of 10^12 numbers", Connected, Stays, |s| {
        many(s, 1, "lists", "seq", &term!([1, 1_000_000_000_000_i64]));
    }),
    inside("costly: lists of a million numbers", Connected, Stays, |s| {
        many(s, 3, "lists", "seq", &term!([1, 1_000_000]));
    }),
    inside("costly: 10^9 copies", Connected, Stays, |s| {
        many(s, 1, "lists", "duplicate", &term!([1_000_000_000, x]));
    }),
    inside("costly: 2 to the power of 10^9", Connected, Stays, |s| {
        many(s, 1, "erlang", "bsl", &term!([1, 1_000_000_000]));
    }),
    inside("costly: products of large numbers", Connected, Stays, |s| {
        let large = Term::from(u64::MAX);
        many(s, 500, "erlang", "*", &term!([(&large), (&large)]));
    }),
    inside("costly: apply within apply", Connected, Stays, |s| {
        let mut arguments = term!([erlang, node, []]);
        for _ in 0..900 {
            arguments = term!([erlang, apply, (arguments)]);
        }
        many(s, 5, "erlang", "apply", &arguments);
    }),
    inside("costly: a call of the node to itself", Connected, Stays, |s| {
        let node = s.target.node.clone();
        let mut arguments = term!([(&node), erlang, node, []]);
        for _ in 0..400 {
            arguments = term!([(&node), rpc, call, (arguments)]);
        }
        many(s, 5, "rpc", "call", &arguments);
    }),
    inside("costly: a thousand dials to nowhere", Connected, Stays, |s| {
        for number in 0..1000 {
            let nowhere =
                Term::from(Atom::new(&format!("nowhere{number}@127.0.0.1")).expect("short"));
            s.call(number, "net_adm", "ping", term!([(nowhere)]));
        }
    }),
    inside("costly: a thousand sleepers", Connected, Stays, |s| {
        many(s, 1000, "timer", "sleep", &term!([1500]));
    }),
    inside("costly: text of half a million characters", Connected, Stays, |s| {
        let text = Term::charlist(&"x".repeat(500_000));
        many(s, 3, "erlang", "list_to_binary", &term!([(&text)]));
        many(s, 3, "erlang", "list_to_atom", &term!([(text)]));
    }),
    inside("costly: a number of a million digits", Connected, Stays, |s| {
        let digits = Term::charlist(&"9".repeat(1_000_000));
        many(s, 3, "erlang", "list_to_integer", &term!([(digits)]));
    }),
];

const FORBIDDEN: &[Case] = &[
    inside("forbidden: os:cmd", Connected, Stays, |s| {
        let command = Term::charlist("echo panicked >&2");
        many(s, 3, "os", "cmd", &term!([(command)]));
    }),
    inside("forbidden: halt", Connected, Stays, |s| {
        many(s, 1, "erlang", "halt", &Term::Nil);
        many(s, 1, "erlang", "halt", &term!([0]));
    }),
    inside("forbidden: init:stop", Connected, Stays, |s| {
        many(s, 1, "init", "stop", &Term::Nil);
        many(s, 1, "init", "reboot", &Term::Nil);
    }),
    inside("forbidden: net_kernel:stop", Connected, Stays, |s| {
        many(s, 1, "net_kernel", "stop", &Term::Nil);
    }),
    inside("forbidden: the cookie", Connected, Stays, |s| {
        s.call(1, "erlang", "get_cookie", Term::Nil);
        let told =
            s.heard(|_, reason| reason.is_some_and(|reason| reason.to_string().contains("error")));
        assert!(told, "the call is refused");
    }),
    inside("forbidden: another cookie", Connected, Stays, |s| {
        many(s, 1, "erlang", "set_cookie", &term!([mine]));
    }),
    inside("forbidden: code", Connected, Stays, |s| {
        let code = Term::binary(b"FOR1".to_vec());
        many(s, 1, "code", "load_binary", &term!([evil, [], (code)]));
    }),
    inside("forbidden: files", Connected, Stays, |s| {
        many(s, 1, "file", "read_file", &term!([(Term::charlist("/etc/passwd"))]));
        many(s, 1, "Elixir.File", "read", &term!(["/etc/passwd"]));
    }),
    inside("forbidden: functions that are not there", Connected, Stays, |s| {
        many(s, 2000, "no_such_module", "no_such_function", &Term::Nil);
    }),
    inside("forbidden: 255 arguments", Connected, Stays, |s| {
        let arguments = Term::list((0..255).map(Term::from));
        many(s, 50, "erlang", "node", &arguments);
    }),
    inside("forbidden: arguments that are no list", Connected, Stays, |s| {
        many(s, 50, "erlang", "node", &term!(no_list));
        let improper = Term::improper_list([Term::from(1)], term!(rest));
        many(s, 50, "erlang", "node", &improper);
    }),
];

/// Has `HAR.parse` read a document.
fn document(stranger: &mut Stranger, format: &'static str, text: &str) {
    stranger.call(1, "Elixir.HAR", "parse", term!([(Term::atom(format)), (Term::string(text))]));
}

const DOCUMENTS: &[Case] = &[
    inside("documents: a thousand million laughs", Connected, Stays, |s| {
        let mut text = "a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]\n".to_owned();
        for level in 1..12 {
            let before = level - 1;
            let aliases = vec![format!("*a{before}"); 10].join(", ");
            text += &format!("a{level}: &a{level} [{aliases}]\n");
        }
        document(s, "ansible", &text);
    }),
    inside("documents: a hundred thousand brackets", Connected, Stays, |s| {
        document(s, "ansible", &"[".repeat(100_000));
    }),
    inside("documents: lists within lists", Connected, Stays, |s| {
        document(s, "ansible", &"- ".repeat(100_000));
    }),
    inside("documents: a mebibyte of one word", Connected, Stays, |s| {
        document(s, "ansible", &"x".repeat(1 << 20));
    }),
    inside("documents: braces of Jinja", Connected, Stays, |s| {
        let text = format!("- hosts: all\n  tasks:\n  - debug: msg=\"{}\"\n", "{{".repeat(50_000));
        document(s, "ansible", &text);
    }),
    inside("documents: ten thousand tasks", Connected, Stays, |s| {
        let tasks = "    - package: {name: nginx, state: present}\n".repeat(10_000);
        document(s, "ansible", &format!("- hosts: all\n  tasks:\n{tasks}"));
    }),
    inside("documents: a salt state within itself", Connected, Stays, |s| {
        document(s, "salt", &"a:\n b:\n  - c:\n".repeat(5_000));
    }),
    inside("documents: no UTF-8", Connected, Stays, |s| {
        let bytes = Term::binary(vec![0xff; 10_000]);
        s.call(1, "Elixir.HAR", "parse", term!([ansible, (bytes)]));
    }),
    inside("documents: in a format that is none", Connected, Stays, |s| {
        s.call(1, "Elixir.HAR", "parse", term!([7, 8]));
        s.call(2, "Elixir.HAR", "convert", term!([a, b, c]));
    }),
];
