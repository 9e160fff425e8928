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
const ACTING: &[&str] = &[
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
    "Kernel.send",
    "Node.connect",
    "Node.disconnect",
    "Node.get_cookie",
    "Node.ping",
    "Node.stop",
    "System.get_env",
];

/// Functions of HAR that change what other callers get.
const CHANGING: &[&str] = &[
    "HAR.ControlPlane.RoutingTable.reload",
    "HAR.ControlPlane.HealthChecker.register_backend",
    "HAR.ControlPlane.HealthChecker.set_health",
    "HAR.ControlPlane.PolicyEngine.add_policy",
    "HAR.ControlPlane.PolicyEngine.remove_policy",
    "HAR.ControlPlane.PolicyEngine.load_policies",
    "HAR.IPFS.Node.store",
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
            if decided.len() < DECISIONS_KEPT {
                decided.insert(key, decision);
            }
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
    }

    #[test]
    fn each_module_that_a_peer_can_reach_was_decided_about() {
        let allowed = patterns(ALLOWED_BY_DEFAULT);
        for module in erlang_interop::otp::Functions::builder().build().modules() {
            let named = allowed.iter().any(|pattern| pattern.matches(module.as_str(), "x", 0));
            assert!(named || module == "rpc", "{module}: into ALLOWED_BY_DEFAULT, or here");
        }
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
