//! Which functions peers may call, and which calls an audit hears of.

use std::collections::HashMap;
use std::fmt;
use std::sync::{PoisonError, RwLock};

use erlang_interop::node::NamePattern;
use erlang_interop::otp::{CallPolicy, Decision};
use erlang_interop::term::Atom;
use serde::{Deserialize, Serialize};

use super::CallPattern;

/// What peers may call unless told otherwise: HAR's functions, and what of Erlang and Elixir looks at
/// the node or computes.
pub const ALLOWED_BY_DEFAULT: &[&str] = &[
    "HAR.*",
    "erlang",
    "application",
    "calendar",
    "code",
    "error_logger",
    "ets",
    "global",
    "inet",
    "init",
    "io",
    "lists",
    "logger",
    "maps",
    "net_adm",
    "net_kernel",
    "observer_backend",
    "os",
    "pg",
    "proplists",
    "string",
    // Messages of this name, as debuggers send them.
    "sys",
    "timer",
    "Application",
    "Atom",
    "Code",
    "Enum",
    "Function",
    "GenServer",
    "Integer",
    "IO",
    "Kernel",
    "Map",
    "Node",
    "Process",
    "String.*",
    "System",
];

/// Functions that act: on processes, on other nodes, on who may connect, on the node's life. Only a
/// pattern that names one of them allows it; `erlang` or `erlang:*` does not.
pub(crate) const ACTING: &[&str] = &[
    "erlang:!",
    "erlang:send",
    "erlang:exit/2",
    "erlang:disconnect_node",
    "erlang:get_cookie",
    "erlang:set_cookie",
    "erlang:halt",
    "code:load_binary",
    "global:send",
    "init:reboot",
    "init:restart",
    "init:stop",
    "net_adm:ping",
    "net_kernel:allow",
    "net_kernel:connect_node",
    "net_kernel:hidden_connect_node",
    "net_kernel:stop",
    "os:cmd",
    "os:getenv",
    "pg:join",
    "pg:leave",
    "rpc:call",
    "HAR.Cluster.leave",
    "sys:replace_state",
    "sys:resume",
    "sys:suspend",
    "sys:terminate",
    "Kernel.send",
    "Node.connect",
    "Node.disconnect",
    "Node.get_cookie",
    "Node.ping",
    "Node.stop",
    "System.get_env",
];

/// Functions of HAR that change what other callers get.
pub(crate) const CHANGING: &[&str] = &[
    "HAR.ControlPlane.RoutingTable.reload",
    "HAR.ControlPlane.HealthChecker.register_backend",
    "HAR.ControlPlane.HealthChecker.set_health",
    "HAR.ControlPlane.HealthChecker.report/2",
    "HAR.ControlPlane.PolicyEngine.add_policy",
    "HAR.ControlPlane.PolicyEngine.remove_policy",
    "HAR.ControlPlane.PolicyEngine.load_policies",
    // The log tells more from then on.
    "HAR.Telemetry.attach_handlers/0",
    // It asks the backend at once.
    "HAR.ControlPlane.HealthChecker.check_now",
];

/// Decisions remembered. There are as many as functions, times peers with rules of their own.
const DECISIONS_KEPT: usize = 65_536;

/// Which calls the audit hears of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum AuditedCalls {
    /// None.
    None,
    /// Those that were refused.
    Refused,
    /// Those, and allowed ones that change something.
    Privileged,
    /// Every call.
    All,
}

/// What some peers may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRules {
    /// Functions that may be called.
    pub allow: Vec<CallPattern>,
    /// Functions that may not, whatever else is said.
    pub deny: Vec<CallPattern>,
}

impl CallRules {
    fn allows(&self, module: &str, function: &str, arity: usize, acts: bool) -> bool {
        let fits = |pattern: &&CallPattern| pattern.matches(module, function, arity);
        self.deny.iter().find(fits).is_none()
            && self.allow.iter().filter(fits).any(|pattern| !acts || pattern.names_function())
    }
}

/// The rules for all peers, and those for some by name.
pub struct CallGuard {
    rules: CallRules,
    /// The first whose pattern fits counts. Its functions are allowed instead of the general ones;
    /// what is denied in general stays denied.
    peers: Vec<(NamePattern, CallRules)>,
    audited: AuditedCalls,
    acting: Vec<CallPattern>,
    changing: Vec<CallPattern>,
    decided: RwLock<HashMap<Key, Decision>>,
}

/// Which rules, and what they were asked about.
type Key = (Option<usize>, Atom, Atom, usize);

impl CallGuard {
    /// A guard by these rules.
    #[must_use]
    pub fn new(
        rules: CallRules,
        mut peers: Vec<(NamePattern, CallRules)>,
        audited: AuditedCalls,
    ) -> Self {
        for (_, own) in &mut peers {
            own.deny.extend(rules.deny.iter().cloned());
        }
        Self {
            rules,
            peers,
            audited,
            acting: patterns(ACTING),
            changing: patterns(CHANGING),
            decided: RwLock::default(),
        }
    }

    fn decided_by(
        &self,
        which: Option<usize>,
        module: &str,
        function: &str,
        arity: usize,
    ) -> Decision {
        let fits = |list: &[CallPattern]| list.iter().any(|p| p.matches(module, function, arity));
        let acts = fits(&self.acting);
        let rules = which.map_or(&self.rules, |at| &self.peers[at].1);
        let allowed = rules.allows(module, function, arity, acts);
        let audited = match self.audited {
            AuditedCalls::None => false,
            AuditedCalls::Refused => !allowed,
            AuditedCalls::Privileged => !allowed || acts || fits(&self.changing),
            AuditedCalls::All => true,
        };
        Decision { allowed, audited }
    }
}

impl CallPolicy for CallGuard {
    fn decide(&self, peer: &Atom, module: &Atom, function: &Atom, arity: usize) -> Decision {
        let which = self.peers.iter().position(|(pattern, _)| pattern.matches(peer.as_str()));
        let key = (which, module.clone(), function.clone(), arity);
        let known = self.decided.read().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        known.unwrap_or_else(|| {
            let decision = self.decided_by(which, module.as_str(), function.as_str(), arity);
            let mut decided = self.decided.write().unwrap_or_else(PoisonError::into_inner);
            // What is asked often comes back at once.
            if decided.len() >= DECISIONS_KEPT {
                decided.clear();
            }
            decided.insert(key, decision);
            decision
        })
    }
}

impl fmt::Debug for CallGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallGuard")
            .field("rules", &self.rules)
            .field("peers", &self.peers)
            .finish_non_exhaustive()
    }
}

/// Patterns that stand in this program.
pub(crate) fn patterns(texts: &[&str]) -> Vec<CallPattern> {
    texts.iter().map(|text| text.parse().expect("our own patterns are valid")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(peers: Vec<(NamePattern, CallRules)>) -> CallGuard {
        let rules = CallRules {
            allow: patterns(ALLOWED_BY_DEFAULT),
            deny: patterns(&["erlang:processes"]),
        };
        CallGuard::new(rules, peers, AuditedCalls::Privileged)
    }

    fn decide(guard: &CallGuard, peer: &str, call: (&str, &str, usize)) -> Decision {
        let atom = |text: &str| Atom::new(text).expect("short");
        let (module, function, arity) = call;
        guard.decide(&atom(peer), &atom(module), &atom(function), arity)
    }

    const QUIET: Decision = Decision { allowed: true, audited: false };
    const AUDITED: Decision = Decision { allowed: true, audited: true };
    const REFUSED: Decision = Decision { allowed: false, audited: true };

    #[test]
    fn by_default_peers_may_look_and_convert_but_not_act() {
        let guard = guard(Vec::new());
        let of = |call| decide(&guard, "a@h", call);
        assert_eq!(of(("Elixir.HAR", "convert", 3)), QUIET);
        assert_eq!(of(("erlang", "node", 0)), QUIET);
        assert_eq!(of(("erlang", "apply", 3)), QUIET);
        assert_eq!(of(("net_adm", "names", 0)), QUIET);
        assert_eq!(of(("Elixir.HAR.ControlPlane.RoutingTable", "reload", 1)), AUDITED);
        for call in [
            ("erlang", "halt", 0),
            ("erlang", "send", 2),
            ("os", "cmd", 1),
            ("net_kernel", "allow", 1),
            ("net_adm", "ping", 1),
            ("rpc", "call", 4),
            ("Elixir.Node", "connect", 1),
            ("file", "read_file", 1),
        ] {
            assert_eq!(of(call), REFUSED, "{call:?}");
        }
        // Denied in so many words; and asked again, from memory.
        assert_eq!(of(("erlang", "processes", 0)), REFUSED);
        assert_eq!(of(("erlang", "processes", 0)), REFUSED);
        // `exit/1` raises in the caller's own process only.
        assert_eq!(of(("erlang", "exit", 1)), QUIET);
        assert_eq!(of(("erlang", "exit", 2)), REFUSED);
        assert_eq!(of(("sys", "get_state", 1)), QUIET);
        assert_eq!(of(("sys", "suspend", 1)), REFUSED);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_never_stays_full() {
        let guard = guard(Vec::new());
        let (peer, module, function) = (Atom::from_checked("a@h"), "m", "f");
        for arity in 0..=DECISIONS_KEPT {
            decide(&guard, peer.as_str(), (module, function, arity));
        }
        assert_eq!(guard.decided.read().unwrap().len(), 1);
    }

    #[test]
    fn each_module_that_a_peer_can_reach_was_decided_about() {
        let allowed = patterns(ALLOWED_BY_DEFAULT);
        for module in erlang_interop::otp::Functions::builder().build().modules() {
            let named = allowed.iter().any(|pattern| pattern.matches(module.as_str(), "x", 0));
            assert!(named || module == "rpc", "{module}: into ALLOWED_BY_DEFAULT, or here");
        }
    }

    /// Functions that look at the node, compute, write to its log, or do to nothing but the process
    /// that calls. `erlang:register/2` and what else would change the node only refuses.
    const LOOKING: &[(&str, &str)] = &[
        ("Elixir.Application", "get_env/2 get_env/3 started_applications/0"),
        ("Elixir.Code", "ensure_loaded/1 ensure_loaded?/1"),
        ("Elixir.GenServer", "whereis/1"),
        ("Elixir.IO", "inspect/1 puts/1 write/1"),
        (
            "Elixir.Kernel",
            "!=/2 !==/2 */2 +/1 +/2 ++/2 -/1 -/2 --/2 //2 </2 <=/2 ==/2 ===/2 >/2 >=/2 abs/1 \
             apply/2 apply/3 bit_size/1 byte_size/1 ceil/1 div/2 elem/2 exit/1 floor/1 \
             function_exported?/3 hd/1 inspect/1 is_atom/1 is_binary/1 is_bitstring/1 \
             is_boolean/1 is_float/1 is_function/1 is_function/2 is_integer/1 is_list/1 \
             is_map/1 is_number/1 is_pid/1 is_port/1 is_reference/1 is_tuple/1 length/1 \
             make_ref/0 map_size/1 max/2 min/2 node/0 node/1 raise/1 rem/2 round/1 self/0 \
             throw/1 tl/1 trunc/1 tuple_size/1",
        ),
        ("Elixir.Node", "alive?/0 list/0 list/1 self/0"),
        ("Elixir.Process", "alive?/1 get/1 info/1 info/2 list/0 registered/0 sleep/1 whereis/1"),
        (
            "Elixir.System",
            "convert_time_unit/3 monotonic_time/0 monotonic_time/1 os_time/0 otp_release/0 \
             pid/0 schedulers/0 schedulers_online/0 system_time/0 system_time/1 \
             unique_integer/0 unique_integer/1",
        ),
        (
            "application",
            "ensure_all_started/1 ensure_started/1 get_all_env/1 get_all_key/1 \
             get_application/1 get_env/2 get_env/3 get_key/2 load/1 loaded_applications/0 \
             start/1 stop/1 which_applications/0",
        ),
        (
            "code",
            "all_loaded/0 delete/1 ensure_loaded/1 get_mode/0 get_object_code/1 get_path/0 \
             is_loaded/1 is_sticky/1 lib_dir/1 module_status/1 priv_dir/1 purge/1 \
             soft_purge/1 which/1",
        ),
        (
            "erlang",
            "*/2 +/1 +/2 ++/2 -/1 -/2 --/2 //2 /=/2 </2 =/=/2 =:=/2 =</2 ==/2 >/2 >=/2 abs/1 \
             adler32/1 and/2 append_element/2 apply/2 apply/3 atom_to_binary/1 \
             atom_to_binary/2 atom_to_list/1 band/2 binary_part/3 binary_to_atom/1 \
             binary_to_atom/2 binary_to_existing_atom/1 binary_to_existing_atom/2 \
             binary_to_float/1 binary_to_integer/1 binary_to_integer/2 binary_to_list/1 \
             binary_to_list/3 binary_to_term/1 binary_to_term/2 bit_size/1 \
             bitstring_to_list/1 bnot/1 bor/2 bsl/2 bsr/2 bxor/2 byte_size/1 ceil/1 \
             check_old_code/1 convert_time_unit/3 crc32/1 delete_element/2 demonitor/1 div/2 \
             element/2 erase/1 error/1 error/2 exit/1 float/1 float_to_binary/1 \
             float_to_binary/2 float_to_list/1 float_to_list/2 floor/1 fun_info/2 \
             fun_to_list/1 function_exported/3 garbage_collect/0 garbage_collect/1 get/0 \
             get/1 get_module_info/2 group_leader/0 hd/1 insert_element/3 integer_to_binary/1 \
             integer_to_binary/2 integer_to_list/1 integer_to_list/2 iolist_size/1 \
             iolist_to_binary/1 is_alive/0 is_atom/1 is_binary/1 is_bitstring/1 is_boolean/1 \
             is_float/1 is_function/1 is_function/2 is_integer/1 is_list/1 is_map/1 \
             is_map_key/2 is_number/1 is_pid/1 is_port/1 is_process_alive/1 is_reference/1 \
             is_tuple/1 length/1 list_to_atom/1 list_to_binary/1 list_to_bitstring/1 \
             list_to_existing_atom/1 list_to_float/1 list_to_integer/1 list_to_integer/2 \
             list_to_tuple/1 loaded/0 make_fun/3 make_ref/0 make_tuple/2 map_get/2 map_size/1 \
             max/2 memory/0 memory/1 min/2 module_loaded/1 monitor_node/2 monotonic_time/0 \
             monotonic_time/1 node/0 node/1 nodes/0 nodes/1 not/1 now/0 or/2 phash2/1 \
             phash2/2 pid_to_list/1 port_info/1 port_info/2 port_to_list/1 ports/0 \
             process_flag/2 process_info/1 process_info/2 processes/0 put/2 ref_to_list/1 \
             register/2 registered/0 rem/2 round/1 self/0 setelement/3 size/1 spawn/1 spawn/2 \
             spawn/3 spawn/4 split_binary/2 statistics/1 system_info/1 system_time/0 \
             system_time/1 term_to_binary/1 throw/1 time_offset/0 timestamp/0 tl/1 \
             trace_info/2 trunc/1 tuple_size/1 tuple_to_list/1 unique_integer/0 \
             unique_integer/1 universaltime/0 unregister/1 whereis/1 xor/2 yield/0",
        ),
        (
            "error_logger",
            "error_msg/1 error_msg/2 info_msg/1 info_msg/2 warning_msg/1 warning_msg/2",
        ),
        ("ets", "all/0 info/1 info/2 whereis/1"),
        ("global", "registered_names/0 resolve_it/4 whereis_name/1"),
        ("inet", "gethostname/0"),
        (
            "init",
            "get_argument/1 get_arguments/0 get_plain_arguments/0 get_status/0 \
             notify_when_started/1 script_id/0",
        ),
        ("io", "format/1 format/2 fwrite/1 fwrite/2 nl/0 put_chars/1"),
        (
            "logger",
            "alert/1 alert/2 critical/1 critical/2 debug/1 debug/2 emergency/1 emergency/2 \
             error/1 error/2 info/1 info/2 log/2 log/3 log/4 notice/1 notice/2 warning/1 \
             warning/2",
        ),
        ("net_adm", "localhost/0"),
        (
            "net_kernel",
            "allowed/0 get_net_ticktime/0 get_state/0 longnames/0 monitor_nodes/1 \
             monitor_nodes/2 node_info/1 nodename/0 nodes_info/0",
        ),
        (
            "observer_backend",
            "etop_collect/1 fetch_stats/2 get_port_list/0 get_socket_list/0 get_table_list/2 \
             procs_info/1 sys_info/0",
        ),
        (
            "os",
            "getpid/0 perf_counter/0 perf_counter/1 system_time/0 system_time/1 timestamp/0 \
             type/0 version/0",
        ),
        (
            "pg",
            "get_local_members/1 get_local_members/2 get_members/1 get_members/2 \
             which_groups/0 which_groups/1 which_local_groups/0 which_local_groups/1",
        ),
        ("timer", "sleep/1"),
    ];

    /// Modules whose functions only compute.
    const COMPUTING: &[&str] = &[
        "calendar",
        "lists",
        "maps",
        "proplists",
        "string",
        "Atom",
        "Enum",
        "Function",
        "Integer",
        "Map",
        "String",
        "String.Chars",
    ];

    #[test]
    fn each_function_of_the_table_was_decided_to_act_or_to_look() {
        let decided = patterns(&[ACTING, COMPUTING].concat());
        let table = erlang_interop::otp::Functions::builder().build();
        let mut undecided = Vec::new();
        for module in table.modules() {
            let looking = LOOKING.iter().filter(|(known, _)| module.as_str() == *known);
            let looking: Vec<_> = looking.flat_map(|(_, names)| names.split_whitespace()).collect();
            for (name, arity) in table.exports(&module).unwrap_or_default() {
                let (name, arity) = (name.as_str(), usize::from(arity));
                let fits = |p: &CallPattern| p.matches(module.as_str(), name, arity);
                let function = format!("{name}/{arity}");
                if !decided.iter().any(fits) && !looking.contains(&function.as_str()) {
                    undecided.push(format!("{module}:{function}"));
                }
            }
        }
        assert!(undecided.is_empty(), "into ACTING, or LOOKING here: {undecided:?}");
    }

    #[test]
    fn a_peer_with_rules_of_its_own_has_no_others_but_the_denials() {
        let pattern = |text: &str| text.parse::<NamePattern>().expect("a pattern");
        let guard = guard(vec![
            (
                pattern("ops*@*"),
                CallRules {
                    allow: patterns(&["erlang:send/2", "*"]),
                    deny: patterns(&["HAR.version"]),
                },
            ),
            (pattern("guest@*"), CallRules { allow: patterns(&["HAR.version/0"]), deny: vec![] }),
        ]);
        assert_eq!(decide(&guard, "ops1@h", ("erlang", "send", 2)), AUDITED);
        assert_eq!(decide(&guard, "ops1@h", ("erlang", "send", 3)), REFUSED);
        assert_eq!(decide(&guard, "ops1@h", ("anything", "else", 0)), QUIET);
        assert_eq!(decide(&guard, "ops1@h", ("Elixir.HAR", "version", 0)), REFUSED);
        assert_eq!(decide(&guard, "ops1@h", ("erlang", "processes", 0)), REFUSED);
        assert_eq!(decide(&guard, "guest@h", ("Elixir.HAR", "version", 0)), QUIET);
        assert_eq!(decide(&guard, "guest@h", ("erlang", "node", 0)), REFUSED);
        assert_eq!(decide(&guard, "other@h", ("erlang", "node", 0)), QUIET);
    }

    #[test]
    fn the_audit_hears_as_much_as_it_wants() {
        let hears = |audited| {
            let rules = CallRules { allow: patterns(&["HAR.*"]), deny: Vec::new() };
            let guard = CallGuard::new(rules, Vec::new(), audited);
            let of = |call| decide(&guard, "a@h", call).audited;
            [
                of(("Elixir.HAR", "version", 0)),
                of(("Elixir.HAR.ControlPlane.RoutingTable", "reload", 1)),
                of(("os", "cmd", 1)),
            ]
        };
        assert_eq!(hears(AuditedCalls::None), [false, false, false]);
        assert_eq!(hears(AuditedCalls::Refused), [false, false, true]);
        assert_eq!(hears(AuditedCalls::Privileged), [false, true, true]);
        assert_eq!(hears(AuditedCalls::All), [true, true, true]);
    }
}
