//! What a node tells of itself: `system_info`, `memory`, `statistics`, time.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use erlang_node::{Node, NodeFilter};
use erlang_term::{Atom, Term, atom, term};

use super::{one, two};
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

fn system_info(node: &Node, item: &Term) -> Outcome {
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
        "thread_pool_size" | "multi_scheduling_blockers" => Term::from(0),
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
        "build_type" => term!(opt),
        "emu_type" | "emu_flavor" => term!(rust),
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

/// What `memory/0` lists. One allocator serves all, so only the total is known; the parts are
/// estimates from counts, for tools that add them up.
fn memory(node: &Node, kind: &str) -> Option<i64> {
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

const MEMORY_KINDS: &[&str] = &[
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
fn runtime_milliseconds() -> i64 {
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

async fn statistics(call: Call) -> Outcome {
    static LAST_WALL: AtomicI64 = AtomicI64::new(0);
    static LAST_RUN: AtomicI64 = AtomicI64::new(0);
    let since = |last: &AtomicI64, now: i64| {
        let before = last.swap(now, Ordering::Relaxed);
        term!({(now), (now.saturating_sub(before))})
    };
    let node = call.node();
    let item = call.arguments[0].as_atom().ok_or_else(Exception::badarg)?;
    Ok(match item.as_str() {
        "wall_clock" => {
            let now = i64::try_from(node.uptime().as_millis()).unwrap_or(i64::MAX);
            since(&LAST_WALL, now)
        }
        "runtime" => since(&LAST_RUN, runtime_milliseconds()),
        "reductions" | "exact_reductions" => term!({0, 0}),
        "context_switches" => term!({0, 0}),
        "garbage_collection" => term!({0, 0, 0}),
        "run_queue" | "total_run_queue_lengths" | "total_active_tasks" => Term::from(0),
        "run_queue_lengths" | "active_tasks" => term!([0]),
        "io" => {
            let (mut read, mut written) = (0_i64, 0_i64);
            for peer in node.nodes(NodeFilter::Connected) {
                if let Some(info) = node.node_info(&peer) {
                    read = read.saturating_add_unsigned(info.stats.bytes_in);
                    written = written.saturating_add_unsigned(info.stats.bytes_out);
                }
            }
            term!({{input, (read)}, {output, (written)}})
        }
        "scheduler_wall_time" => term!(undefined),
        _ => return Err(Exception::badarg()),
    })
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

/// A time in the unit of an Erlang time function.
fn in_unit(time: Duration, unit: &Term) -> Outcome {
    let per_second = match unit {
        Term::Integer(parts @ 1..) => i128::from(*parts),
        _ => match unit.as_atom().map(Atom::as_str) {
            Some("second" | "seconds") => 1,
            Some("millisecond" | "milli_seconds") => 1000,
            Some("microsecond" | "micro_seconds") => 1_000_000,
            Some("nanosecond" | "nano_seconds" | "native" | "perf_counter") => 1_000_000_000,
            _ => return Err(Exception::badarg()),
        },
    };
    let nanoseconds = i128::try_from(time.as_nanos()).unwrap_or(i128::MAX);
    let value = nanoseconds.saturating_mul(per_second) / 1_000_000_000;
    Ok(Term::from(i64::try_from(value).unwrap_or(i64::MAX)))
}

/// `{MegaSeconds, Seconds, MicroSeconds}`.
fn timestamp() -> Term {
    let now = since_epoch();
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    term!({(seconds / 1_000_000), (seconds % 1_000_000), (now.subsec_micros())})
}

fn unique_integer() -> i64 {
    static NEXT: AtomicI64 = AtomicI64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

async fn monotonic(call: Call) -> Outcome {
    let native = term!(native);
    in_unit(call.node().uptime(), call.arguments.first().unwrap_or(&native))
}

async fn info(call: Call) -> Outcome {
    system_info(call.node(), &call.arguments[0])
}

pub(super) fn register(builder: &mut FunctionsBuilder) {
    builder
        .function("erlang", "system_info", 1, info)
        .function("erlang", "memory", 0, all_memory)
        .function("erlang", "memory", 1, some_memory)
        .function("erlang", "statistics", 1, statistics);
    for module in ["erlang", "Elixir.System"] {
        builder
            .function(module, "monotonic_time", 0, monotonic)
            .function(module, "monotonic_time", 1, monotonic)
            .pure(module, "system_time", 0, |_| Ok(Term::from(nanoseconds(since_epoch()))))
            .pure(module, "system_time", 1, |a| in_unit(since_epoch(), one(a)?))
            .pure(module, "unique_integer", 0, |_| Ok(Term::from(unique_integer())))
            .pure(module, "unique_integer", 1, |a| {
                super::list(one(a)?).map(|_| Term::from(unique_integer()))
            });
    }
    builder
        .pure("erlang", "timestamp", 0, |_| Ok(timestamp()))
        .pure("erlang", "now", 0, |_| Ok(timestamp()))
        .pure("erlang", "time_offset", 0, |_| Ok(Term::from(nanoseconds(since_epoch()))))
        .pure("erlang", "convert_time_unit", 3, |a| match a {
            [Term::Integer(time @ 0..), _, _] if *time < i64::MAX / 4 => {
                let (from, to) = (in_unit(Duration::from_secs(1), &a[1])?, &a[2]);
                let parts = from.as_integer().unwrap_or(1).max(1);
                let seconds = u64::try_from(time / parts).unwrap_or_default();
                let rest = i128::from(time % parts) * 1_000_000_000 / i128::from(parts);
                let rest = u32::try_from(rest).unwrap_or_default();
                in_unit(Duration::new(seconds, rest), to)
            }
            _ => Err(Exception::badarg()),
        })
        .pure("os", "timestamp", 0, |_| Ok(timestamp()))
        .pure("os", "system_time", 0, |_| Ok(Term::from(nanoseconds(since_epoch()))))
        .pure("os", "system_time", 1, |a| in_unit(since_epoch(), one(a)?))
        .pure("os", "getpid", 0, |_| Ok(Term::charlist(&std::process::id().to_string())))
        .pure("os", "type", 0, |_| {
            Ok(if cfg!(windows) { term!({win32, nt}) } else { term!({unix, linux}) })
        })
        .pure("Elixir.System", "otp_release", 0, |_| Ok(Term::from(OTP_RELEASE)))
        .pure("Elixir.System", "os_time", 0, |_| Ok(Term::from(nanoseconds(since_epoch()))))
        .pure("Elixir.System", "pid", 0, |_| Ok(Term::from(std::process::id().to_string())))
        .pure("Elixir.System", "schedulers", 0, |_| Ok(processors()))
        .pure("Elixir.System", "schedulers_online", 0, |_| Ok(processors()))
        .pure("Elixir.System", "convert_time_unit", 3, |a| match a {
            [time, from, to] if from == to => Ok(time.clone()),
            _ => Err(Exception::notsup()),
        })
        .pure("erlang", "integer_to_list", 2, |a| {
            let (number, base) = two(a)?;
            match (number, base) {
                (Term::Integer(number @ 0..), Term::Integer(16)) => {
                    Ok(Term::charlist(&format!("{number:X}")))
                }
                (Term::Integer(number), Term::Integer(10)) => {
                    Ok(Term::charlist(&number.to_string()))
                }
                (Term::Integer(number @ 0..), Term::Integer(2)) => {
                    Ok(Term::charlist(&format!("{number:b}")))
                }
                _ => Err(Exception::badarg()),
            }
        });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_those_of_erlang() {
        let time = Duration::from_millis(1500);
        let unit = |unit: Term| in_unit(time, &unit).map(|value| value.as_integer());
        assert_eq!(unit(term!(second)), Ok(Some(1)));
        assert_eq!(unit(term!(millisecond)), Ok(Some(1500)));
        assert_eq!(unit(term!(native)), Ok(Some(1_500_000_000)));
        assert_eq!(unit(term!(10)), Ok(Some(15)));
        assert!(unit(term!(fortnight)).is_err());
    }

    #[test]
    fn the_process_has_memory() {
        assert!(resident() > 0);
    }

    #[test]
    fn unique_integers_differ() {
        assert_ne!(unique_integer(), unique_integer());
    }
}
