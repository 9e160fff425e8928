//! What a node tells of itself: `system_info`, `memory`, `statistics`.

use std::sync::atomic::{AtomicI64, Ordering};

use erlang_node::{Node, NodeFilter};
use erlang_term::{Atom, Term, atom, term};

use super::or_badarg;
use super::time::{nanoseconds, since_epoch};
use crate::functions::{Call, FunctionsBuilder, Outcome};
use crate::reason::Exception;

/// The OTP release whose distribution protocol and services we follow. Tools ask for it to know
/// what a node understands.
const OTP_RELEASE: &str = "25";

fn count(number: usize) -> Term {
    Term::from(i64::try_from(number).unwrap_or(i64::MAX))
}

fn processors() -> Term {
    count(std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
}

pub(super) fn system_info(node: &Node, item: &Term) -> Outcome {
    if let Some([tag, what]) = item.as_tuple() {
        return if tag.is_atom("wordsize") && (what.is_atom("internal") || what.is_atom("external"))
        {
            Ok(Term::from(8))
        } else {
            Err(Exception::badarg())
        };
    }
    let item = item.as_atom().ok_or_else(Exception::badarg)?;
    Ok(match item.as_str() {
        "otp_release" => Term::charlist(OTP_RELEASE),
        "version" => Term::charlist(env!("CARGO_PKG_VERSION")),
        "system_version" => {
            Term::charlist(concat!("erlang-otp (Rust) ", env!("CARGO_PKG_VERSION"), "\n"))
        }
        "system_architecture" => {
            Term::charlist(&format!("{}-unknown-{}", std::env::consts::ARCH, std::env::consts::OS))
        }
        "machine" => Term::charlist("Rust"),
        "schedulers"
        | "schedulers_online"
        | "logical_processors"
        | "logical_processors_available"
        | "logical_processors_online"
        | "dirty_cpu_schedulers"
        | "dirty_cpu_schedulers_online" => processors(),
        "dirty_io_schedulers" => Term::from(0),
        "process_count" => count(node.process_count()),
        "process_limit" => count(node.config().processes_max),
        "port_count" => Term::from(0),
        "port_limit" => count(node.config().connections_max),
        "atom_count" => count(Atom::table_len()),
        "atom_limit" => Term::from(1_048_576),
        "ets_count" | "ets_limit" => Term::from(0),
        "wordsize" => Term::from(8),
        "creation" => Term::from(node.creation()),
        "smp_support" | "threads" => Term::from(true),
        "thread_pool_size" | "trace_control_word" => Term::from(0),
        "multi_scheduling" | "tolerant_timeofday" => term!(enabled),
        "multi_scheduling_blockers" => Term::Nil,
        "heap_type" => term!(private),
        "message_queue_data" => term!(on_heap),
        "scheduler_bind_type" => term!(unbound),
        "modified_timing_level" => term!(undefined),
        "dynamic_trace" => term!(none),
        "debug_compiled" => Term::from(false),
        "compat_rel" => Term::from(OTP_RELEASE.parse::<i64>().unwrap_or_default()),
        "endian" => {
            Term::from(if cfg!(target_endian = "big") { atom!("big") } else { atom!("little") })
        }
        "os_monotonic_time_source" | "os_system_time_source" => Term::Nil,
        "time_offset" => term!(final),
        "time_correction" => Term::from(true),
        "start_time" => Term::from(nanoseconds(since_epoch().saturating_sub(node.uptime()))),
        "dist_buf_busy_limit" => count(node.config().dist_buf_busy_limit_bytes),
        "dist_ctrl" => Term::list(
            node.nodes(NodeFilter::Connected).into_iter().map(|peer| term!({(peer), undefined})),
        ),
        "kernel_poll" => Term::from(true),
        "build_type" | "emu_type" => term!(opt),
        "emu_flavor" => term!(rust),
        "end_time" => Term::from(i64::MAX),
        _ => return Err(Exception::badarg()),
    })
}

/// Resident memory in bytes, from the system; zero where it doesn't tell.
fn resident() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<i64>().ok());
    kilobytes.unwrap_or_default().saturating_mul(1024)
}

/// What `erlang:memory/1` tells of a kind, in bytes: `total`, `processes`, `system`, … One allocator
/// serves all, so only the total is known; the parts are estimates from counts, for tools that add
/// them up. `None`: there is no such kind.
pub fn memory(node: &Node, kind: &str) -> Option<i64> {
    let processes = i64::try_from(node.process_count()).unwrap_or(i64::MAX).saturating_mul(1024);
    let atoms = i64::try_from(Atom::table_len()).unwrap_or(i64::MAX).saturating_mul(64);
    let total = resident();
    Some(match kind {
        "total" => total,
        "processes" | "processes_used" => processes.min(total),
        "system" => total.saturating_sub(processes).max(0),
        "atom" | "atom_used" => atoms.min(total),
        "binary" | "code" | "ets" => 0,
        _ => return None,
    })
}

pub(super) const MEMORY_KINDS: &[&str] = &[
    "total",
    "processes",
    "processes_used",
    "system",
    "atom",
    "atom_used",
    "binary",
    "code",
    "ets",
];

async fn all_memory(call: Call) -> Outcome {
    let pairs = MEMORY_KINDS
        .iter()
        .filter_map(|kind| Some((Atom::new(kind).ok()?, Term::from(memory(call.node(), kind)?))));
    Ok(Term::list(pairs))
}

async fn some_memory(call: Call) -> Outcome {
    let of = |kind: &Term| -> Result<Term, Exception> {
        let kind = kind.as_atom().ok_or_else(Exception::badarg)?;
        memory(call.node(), kind.as_str()).map(Term::from).ok_or_else(Exception::badarg)
    };
    match call.arguments[0].list_iter() {
        Some(kinds) => {
            let pairs: Result<Vec<Term>, Exception> =
                kinds.map(|kind| Ok(term!({(&kind), (of(&kind)?)}))).collect();
            Ok(Term::list(pairs?))
        }
        None => of(&call.arguments[0]),
    }
}

/// Processor time of this program in milliseconds, from the system.
pub(super) fn runtime_milliseconds() -> i64 {
    const TICKS_PER_SECOND: i64 = 100;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The fields behind the name, which may hold blanks, are counted from its closing bracket.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks: i64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<i64>().ok())
        .sum();
    ticks.saturating_mul(1000 / TICKS_PER_SECOND)
}

/// Bytes read from and written to all peers.
pub(super) fn traffic(node: &Node) -> (i64, i64) {
    let (mut read, mut written) = (0_i64, 0_i64);
    for peer in node.nodes(NodeFilter::Connected) {
        if let Some(info) = node.node_info(&peer) {
            read = read.saturating_add_unsigned(info.stats.bytes_in);
            written = written.saturating_add_unsigned(info.stats.bytes_out);
        }
    }
    (read, written)
}

async fn statistics(call: Call) -> Outcome {
    let item = call.arguments[0].as_atom().ok_or_else(Exception::badarg)?;
    or_badarg(statistics_now(call.node(), item.as_str()))
}

/// `None`: there is no such item.
pub(super) fn statistics_now(node: &Node, item: &str) -> Option<Term> {
    static LAST_WALL: AtomicI64 = AtomicI64::new(0);
    static LAST_RUN: AtomicI64 = AtomicI64::new(0);
    let since = |last: &AtomicI64, now: i64| {
        let before = last.swap(now, Ordering::Relaxed);
        term!({(now), (now.saturating_sub(before))})
    };
    Some(match item {
        "wall_clock" => {
            let now = i64::try_from(node.uptime().as_millis()).unwrap_or(i64::MAX);
            since(&LAST_WALL, now)
        }
        "runtime" => since(&LAST_RUN, runtime_milliseconds()),
        "reductions" | "exact_reductions" => term!({0, 0}),
        "context_switches" => term!({0, 0}),
        "garbage_collection" => term!({0, 0, 0}),
        "run_queue" | "total_run_queue_lengths" | "total_active_tasks" => Term::from(0),
        "total_run_queue_lengths_all" | "total_active_tasks_all" => Term::from(0),
        "run_queue_lengths" | "active_tasks" => term!([0]),
        "io" => {
            let (read, written) = traffic(node);
            term!({{input, (read)}, {output, (written)}})
        }
        "scheduler_wall_time" => term!(undefined),
        _ => return None,
    })
}

async fn info(call: Call) -> Outcome {
    system_info(call.node(), &call.arguments[0])
}

/// `{Major, Minor, Patch}` of the operating system's kernel.
fn kernel_version() -> Option<Term> {
    let name = rustix::system::uname();
    let text = name.release().to_str().ok()?;
    let mut numbers =
        text.split(|one: char| !one.is_ascii_digit()).filter_map(|part| part.parse::<i64>().ok());
    let (major, minor) = (numbers.next()?, numbers.next()?);
    Some(term!({(major), (minor), (numbers.next().unwrap_or_default())}))
}

/// The name of this machine.
fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

pub(super) fn register(builder: &mut FunctionsBuilder) {
    builder
        .function("erlang", "system_info", 1, info)
        .function("erlang", "memory", 0, all_memory)
        .function("erlang", "memory", 1, some_memory)
        .function("erlang", "statistics", 1, statistics);
    builder
        .pure("os", "getpid", 0, |_| Ok(Term::charlist(&std::process::id().to_string())))
        .pure("os", "type", 0, |_| {
            Ok(if cfg!(windows) { term!({win32, nt}) } else { term!({unix, linux}) })
        })
        .pure("os", "version", 0, |_| or_badarg(kernel_version()))
        .pure("inet", "gethostname", 0, |_| Ok(term!({ok, (Term::charlist(&host_name()))})))
        .pure("net_adm", "localhost", 0, |_| Ok(Term::charlist(&host_name())))
        .pure("Elixir.System", "otp_release", 0, |_| Ok(Term::from(OTP_RELEASE)))
        .pure("Elixir.System", "pid", 0, |_| Ok(Term::from(std::process::id().to_string())))
        .pure("Elixir.System", "schedulers", 0, |_| Ok(processors()))
        .pure("Elixir.System", "schedulers_online", 0, |_| Ok(processors()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_has_memory() {
        assert!(resident() > 0);
    }
}
