//! `process_info/1,2`: what the run-time system tells of a local process.
//!
//! Items that a BEAM measures and we don't (heaps, reductions) are zero, so that tools that add
//! them up go on working.

use erlang_node::{MonitorTarget, Node, ProcessInfo};
use erlang_term::{Atom, Pid, Term, atom, term};

use crate::functions::Outcome;
use crate::reason::Exception;

/// What `process_info/1` lists, in a BEAM's order.
const LISTED: &[&str] = &[
    "registered_name",
    "current_function",
    "initial_call",
    "status",
    "message_queue_len",
    "links",
    "dictionary",
    "trap_exit",
    "error_handler",
    "priority",
    "group_leader",
    "total_heap_size",
    "heap_size",
    "stack_size",
    "reductions",
    "garbage_collection",
    "suspending",
];

/// An approximation of what a process takes: its structures and its waiting messages.
pub(super) fn memory(info: &ProcessInfo) -> i64 {
    const PROCESS_BYTES: i64 = 1024;
    const MESSAGE_BYTES: i64 = 64;
    let messages = i64::try_from(info.message_queue_len).unwrap_or(i64::MAX / MESSAGE_BYTES);
    PROCESS_BYTES.saturating_add(messages.saturating_mul(MESSAGE_BYTES))
}

pub(super) fn initial_call(info: &ProcessInfo) -> Term {
    match &info.initial_call {
        Some((module, function, arity)) => term!({(module), (function), (*arity)}),
        None => term!({erlang, apply, 2}),
    }
}

/// The process that started it, as far as that is known.
fn parent(info: &ProcessInfo) -> Term {
    let ancestors = info.dictionary.iter().find(|(key, _)| key.is_atom("$ancestors"));
    let first = ancestors.and_then(|(_, value)| value.as_list()?.iter().next());
    first.filter(|one| one.as_pid().is_some()).unwrap_or_else(|| term!(undefined))
}

/// A process of a behaviour runs in its loop, and tools read its callback from `$initial_call`.
fn is_behaviour(info: &ProcessInfo) -> bool {
    info.dictionary.iter().any(|(key, value)| {
        let is_init =
            value.as_tuple().is_some_and(|call| call.len() == 3 && call[1].is_atom("init"));
        key.is_atom("$initial_call") && is_init
    })
}

fn monitored(target: &MonitorTarget, node: &Node) -> Term {
    match target {
        MonitorTarget::Pid(pid) => term!({process, (pid)}),
        MonitorTarget::Name(name) => term!({process, {(name), (node.name())}}),
        MonitorTarget::NameNode(name, node) => term!({process, {(name), (node)}}),
        _ => term!({process, undefined}),
    }
}

/// The value of one item. `None`: there is no such item.
fn value(node: &Node, info: &ProcessInfo, item: &str) -> Option<Term> {
    let count = |number: usize| Term::from(i64::try_from(number).unwrap_or(i64::MAX));
    Some(match item {
        "registered_name" => info.registered_name.clone().map_or(Term::Nil, Term::from),
        "current_function" if is_behaviour(info) => term!({gen_server, loop, 7}),
        "initial_call" if is_behaviour(info) => term!({proc_lib, init_p, 5}),
        "current_function" | "initial_call" => initial_call(info),
        "sequential_trace_token" => Term::Nil,
        "current_stacktrace" | "messages" | "suspending" | "binary" | "garbage_collection" => {
            Term::Nil
        }
        "current_location" => {
            let call = value(node, info, "current_function")?;
            let elements = call.as_tuple().unwrap_or_default().iter().cloned();
            Term::tuple(elements.chain([Term::Nil]))
        }
        "status" => term!(waiting),
        "message_queue_len" => count(info.message_queue_len),
        "message_queue_data" => term!(on_heap),
        "last_calls" | "async_dist" => Term::from(false),
        "trace" => Term::from(0),
        "max_heap_size" => term!(#{error_logger => true, kill => true, size => 0}),
        "garbage_collection_info" => Term::Nil,
        "parent" => parent(info),
        "links" => Term::list(info.links.iter().cloned()),
        "monitors" => Term::list(info.monitors.iter().map(|one| monitored(one, node))),
        "monitored_by" => Term::list(info.monitored_by.iter().cloned()),
        "dictionary" => Term::list(info.dictionary.iter().cloned()),
        "trap_exit" => Term::from(info.trap_exit),
        "error_handler" => term!(error_handler),
        "priority" => term!(normal),
        "group_leader" => Term::from(&info.group_leader),
        "memory" => Term::from(memory(info)),
        "total_heap_size" | "heap_size" | "stack_size" | "reductions" | "min_heap_size"
        | "min_bin_vheap_size" | "catchlevel" => Term::from(0),
        "backtrace" => Term::from(""),
        _ => return None,
    })
}

/// Only local processes can be asked.
fn local<'a>(node: &Node, pid: &'a Term) -> Result<&'a Pid, Exception> {
    pid.as_pid().filter(|pid| pid.node() == node.name()).ok_or_else(Exception::badarg)
}

/// `process_info(Pid)`.
pub(super) fn all(node: &Node, pid: &Term) -> Outcome {
    let Some(info) = node.process_info(local(node, pid)?) else { return Ok(term!(undefined)) };
    let listed =
        LISTED.iter().filter(|item| **item != "registered_name" || info.registered_name.is_some());
    let pairs = listed.filter_map(|item| Some((Atom::new(item).ok()?, value(node, &info, item)?)));
    Ok(Term::list(pairs))
}

/// `process_info(Pid, Item)` and `process_info(Pid, [Item])`.
pub(super) fn items(node: &Node, pid: &Term, wanted: &Term) -> Outcome {
    let pid = local(node, pid)?;
    let info = node.process_info(pid);
    let one = |item: &Term| -> Outcome {
        let Some(info) = &info else { return Ok(Term::Nil) };
        if let Some([tag, key]) = item.as_tuple()
            && tag.is_atom("dictionary")
        {
            let found = info.dictionary.iter().find(|entry| entry.0 == *key);
            let found = found.map_or_else(|| term!(undefined), |entry| entry.1.clone());
            return Ok(term!({(item), (found)}));
        }
        let name = item.as_atom().ok_or_else(Exception::badarg)?;
        let found = value(node, info, name.as_str()).ok_or_else(Exception::badarg)?;
        Ok(term!({(name), (found)}))
    };
    let answer = match wanted.list_iter() {
        Some(items) => Term::list(items.map(|item| one(&item)).collect::<Result<Vec<_>, _>>()?),
        // A process without a name has no pair for it, as on a BEAM.
        None if wanted.is_atom("registered_name")
            && info.as_ref().is_some_and(|info| info.registered_name.is_none()) =>
        {
            Term::Nil
        }
        None => one(wanted)?,
    };
    Ok(if info.is_some() { answer } else { Term::from(atom!("undefined")) })
}
