//! `observer_backend`: what a remote `observer` and `etop` ask a node for. What they would show of
//! ports, tables and allocators is empty, because there is none of it.

use std::time::Duration;

use erlang_node::Node;
use erlang_term::{Atom, Pid, Term, atom, term};

use super::process_info;
use super::system::{MEMORY_KINDS, memory, runtime_milliseconds, statistics_now, system_info};
use super::time::timestamp;
use crate::functions::{Call, FunctionsBuilder, Outcome};
use crate::limits::STATS_PERIOD_MIN;
use crate::reason::Exception;

/// Processes told in one message of `procs_info/1`.
const PROCESSES_PER_MESSAGE: usize = 10_000;

/// The items of `sys_info/0`, in its order, that `erlang:system_info/1` knows under the same name.
const SYSTEM: [&str; 22] = [
    "logical_processors",
    "logical_processors_online",
    "logical_processors_available",
    "schedulers",
    "schedulers_online",
    "otp_release",
    "version",
    "system_architecture",
    "kernel_poll",
    "smp_support",
    "threads",
    "thread_pool_size",
    "process_count",
    "atom_limit",
    "atom_count",
    "process_limit",
    "port_limit",
    "port_count",
    "ets_limit",
    "ets_count",
    "dist_buf_busy_limit",
    "wordsize",
];

fn all_memory(node: &Node) -> impl Iterator<Item = Term> + '_ {
    let value = |kind: &&str| memory(node, kind).map(|bytes| pair(kind, Term::from(bytes)));
    MEMORY_KINDS.iter().filter_map(value)
}

fn pair(key: &str, value: Term) -> Term {
    let key = Atom::new(key).unwrap_or_else(|_| atom!("unknown"));
    Term::from((key, value))
}

async fn sys_info(call: Call) -> Outcome {
    let node = call.node();
    let uptime = i64::try_from(node.uptime().as_millis()).unwrap_or(i64::MAX);
    let (read, written) = super::system::traffic(node);
    let mut items = vec![
        pair("uptime", Term::from(uptime)),
        pair("run_queue", Term::from(0)),
        pair("io_input", Term::from(read)),
        pair("io_output", Term::from(written)),
    ];
    for name in SYSTEM {
        let item = Atom::new(name).map_err(|_| Exception::badarg())?;
        let value = system_info(node, &Term::from(&item))?;
        match name {
            "wordsize" => {
                items.push(pair("wordsize_internal", value.clone()));
                items.push(pair("wordsize_external", value));
            }
            "schedulers_online" => {
                items.push(pair(name, value.clone()));
                items.push(pair("schedulers_available", value));
            }
            _ => items.push(pair(name, value)),
        }
    }
    items.push(pair("alloc_info", Term::Nil));
    items.extend(all_memory(node));
    Ok(Term::list(items))
}

/// `#etop_proc_info{}`: `{etop_proc_info, Pid, Memory, Reductions, Name, Runtime, Current, Queue}`.
fn process(node: &Node, pid: &Pid) -> Option<Term> {
    let info = node.process_info(pid)?;
    let current = process_info::initial_call(&info);
    let name = info.registered_name.clone().map_or_else(|| current.clone(), Term::from);
    let (bytes, queue) = (process_info::memory(&info), info.message_queue_len as i64);
    Some(term!({etop_proc_info, (pid), (bytes), 0, (name), 0, (current), (queue)}))
}

fn processes(call: &Call) -> Vec<Term> {
    let own = &call.caller.pid;
    let others = call.node().processes().into_iter().filter(|pid| pid != own);
    others.filter_map(|pid| process(call.node(), &pid)).collect()
}

fn collector(call: &Call) -> Result<Pid, Exception> {
    call.arguments[0].as_pid().cloned().ok_or_else(Exception::badarg)
}

/// `procs_info(Collector)`: `{procs_info, Pid, [#etop_proc_info{}]}`, in parts.
async fn procs_info(call: Call) -> Outcome {
    let to = collector(&call)?;
    let all = processes(&call);
    for part in all.chunks(PROCESSES_PER_MESSAGE) {
        let part = Term::list(part.iter().cloned());
        call.caller.send(&to, term!({procs_info, (&call.caller.pid), (part)})).await;
    }
    Ok(term!(ok))
}

/// `etop_collect(Collector)`: `{Pid, #etop_info{}}`.
async fn etop_collect(call: Call) -> Outcome {
    let to = collector(&call)?;
    let all = processes(&call);
    let count = i64::try_from(all.len()).unwrap_or(i64::MAX);
    let memory = Term::list(
        ["total", "processes", "ets", "atom", "code", "binary"]
            .iter()
            .filter_map(|kind| Some(pair(kind, Term::from(memory(call.node(), kind)?)))),
    );
    let info = term!({
        etop_info, (timestamp()), (count), undefined, undefined, 0, [], (memory), (Term::list(all))
    });
    call.caller.send(&to, term!({(&call.caller.pid), (info)})).await;
    Ok(term!(ok))
}

/// `{Id, Active, Total}`, for all threads together: the processor time of the program, and what it might
/// have had.
fn scheduler_times(node: &Node) -> Term {
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as i64);
    let active = runtime_milliseconds().saturating_mul(1_000_000);
    let total = i64::try_from(node.uptime().as_nanos()).unwrap_or(i64::MAX).saturating_mul(threads);
    term!({1, (active), (total)})
}

/// `fetch_stats(Parent, Milliseconds)`: `{stats, 1, SchedulerWallTime, Io, Memory}` again and
/// again, until the process that runs it is ended.
async fn fetch_stats(call: Call) -> Outcome {
    let to = collector(&call)?;
    let period = call.arguments[1].as_integer().and_then(|period| u64::try_from(period).ok());
    let period = Duration::from_millis(period.ok_or_else(Exception::badarg)?).max(STATS_PERIOD_MIN);
    loop {
        tokio::time::sleep(period).await;
        let node = call.node();
        let io = statistics_now(node, "io").ok_or_else(Exception::badarg)?;
        let memory = Term::list(all_memory(node));
        let times = Term::list([scheduler_times(node)]);
        node.send(&to, term!({stats, 1, (times), (io), (memory)})).await;
    }
}

/// `get_table_list(ets | mnesia, Options)`.
fn tables(arguments: &[Term]) -> Outcome {
    match arguments.first() {
        Some(kind) if kind.is_atom("ets") => Ok(Term::Nil),
        Some(kind) if kind.is_atom("mnesia") => {
            let why = Term::charlist("Mnesia is not running on this node");
            Err(Exception::throw(term!({error, (why)})))
        }
        _ => Err(Exception::function_clause()),
    }
}

pub(super) fn register(builder: &mut FunctionsBuilder) {
    builder
        .function("observer_backend", "sys_info", 0, sys_info)
        .function("observer_backend", "procs_info", 1, procs_info)
        .function("observer_backend", "etop_collect", 1, etop_collect)
        .function("observer_backend", "fetch_stats", 2, fetch_stats)
        .pure("observer_backend", "get_table_list", 2, tables)
        .pure("observer_backend", "get_port_list", 0, |_| Ok(Term::Nil))
        .pure("observer_backend", "get_socket_list", 0, |_| Ok(Term::Nil));
}
