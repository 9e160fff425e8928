//! Time: what a node's clocks tell, and the conversion of units. Only UTC is known.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use erlang_term::{Atom, Term, term};

use super::one;
use crate::functions::{Call, FunctionsBuilder, Outcome};
use crate::reason::Exception;

pub(super) fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

pub(super) fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

/// How many parts of a unit make a second.
fn parts_per_second(unit: &Term) -> Result<i128, Exception> {
    match unit {
        Term::Integer(parts @ 1..) => Ok(i128::from(*parts)),
        _ => match unit.as_atom().map(Atom::as_str) {
            Some("second" | "seconds") => Ok(1),
            Some("millisecond" | "milli_seconds") => Ok(1000),
            Some("microsecond" | "micro_seconds") => Ok(1_000_000),
            Some("nanosecond" | "nano_seconds" | "native" | "perf_counter") => Ok(1_000_000_000),
            _ => Err(Exception::badarg()),
        },
    }
}

/// A time in the unit of an Erlang time function.
fn in_unit(time: Duration, unit: &Term) -> Outcome {
    let nanoseconds = i128::try_from(time.as_nanos()).unwrap_or(i128::MAX);
    let value = nanoseconds.saturating_mul(parts_per_second(unit)?) / 1_000_000_000;
    Ok(Term::from(i64::try_from(value).unwrap_or(i64::MAX)))
}

/// `convert_time_unit(Time, From, To)`: rounds towards negative infinity.
fn convert(arguments: &[Term]) -> Outcome {
    let [Term::Integer(time), from, to] = arguments else { return Err(Exception::badarg()) };
    let (from, to) = (parts_per_second(from)?, parts_per_second(to)?);
    // Both factors fit 64 bits, so their product fits.
    let value = (i128::from(*time) * to).div_euclid(from);
    i64::try_from(value).map(Term::from).map_err(|_| Exception::system_limit())
}

/// `{{Year, Month, Day}, {Hour, Minute, Second}}` in UTC.
fn universal_time() -> Term {
    let seconds = i64::try_from(since_epoch().as_secs()).unwrap_or_default();
    let ((year, month, day), rest) = (date(seconds / 86_400), seconds % 86_400);
    term!({{(year), (month), (day)}, {(rest / 3600), (rest / 60 % 60), (rest % 60)}})
}

/// The date of a day counted from 1970-01-01, by eras of 400 years that begin in March, so that
/// the leap day is a year's last.
fn date(day: i64) -> (i64, i64, i64) {
    const ERA_DAYS: i64 = 146_097;
    let day = day + 719_468;
    let (era, of_era) = (day.div_euclid(ERA_DAYS), day.rem_euclid(ERA_DAYS));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / (ERA_DAYS - 1)) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    (year, month, of_year - (153 * shifted + 2) / 5 + 1)
}

/// `{MegaSeconds, Seconds, MicroSeconds}`.
pub(super) fn timestamp() -> Term {
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

pub(super) fn register(builder: &mut FunctionsBuilder) {
    for module in ["erlang", "Elixir.System"] {
        builder
            .function(module, "monotonic_time", 0, monotonic)
            .function(module, "monotonic_time", 1, monotonic)
            .pure(module, "system_time", 0, |_| Ok(Term::from(nanoseconds(since_epoch()))))
            .pure(module, "system_time", 1, |a| in_unit(since_epoch(), one(a)?))
            .pure(module, "convert_time_unit", 3, convert)
            .pure(module, "unique_integer", 0, |_| Ok(Term::from(unique_integer())))
            .pure(module, "unique_integer", 1, |a| {
                super::list(one(a)?).map(|_| Term::from(unique_integer()))
            });
    }
    builder
        .pure("erlang", "timestamp", 0, |_| Ok(timestamp()))
        .pure("erlang", "now", 0, |_| Ok(timestamp()))
        .pure("erlang", "time_offset", 0, |_| Ok(Term::from(nanoseconds(since_epoch()))))
        .pure("erlang", "universaltime", 0, |_| Ok(universal_time()))
        .pure("calendar", "universal_time", 0, |_| Ok(universal_time()))
        .pure("os", "timestamp", 0, |_| Ok(timestamp()))
        .pure("os", "system_time", 0, |_| Ok(Term::from(nanoseconds(since_epoch()))))
        .pure("os", "system_time", 1, |a| in_unit(since_epoch(), one(a)?))
        .function("os", "perf_counter", 0, monotonic)
        .function("os", "perf_counter", 1, monotonic)
        .pure("Elixir.System", "os_time", 0, |_| Ok(Term::from(nanoseconds(since_epoch()))));
}

#[cfg(test)]
mod tests {
    use super::super::tests::eval;
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
    fn units_are_converted_downwards() {
        let convert =
            |time: i64| eval("erlang", "convert_time_unit", term!([(time), millisecond, second]));
        assert_eq!(convert(1999), "1");
        assert_eq!(convert(-1500), "-2");
        let wide = term!([(i64::MAX), second, nanosecond]);
        assert_eq!(eval("erlang", "convert_time_unit", wide), "error:system_limit");
    }

    #[test]
    fn days_become_dates() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(11_017), (2000, 3, 1));
        assert_eq!(date(19_722), (2023, 12, 31));
        assert_eq!(date(19_723), (2024, 1, 1));
    }

    #[test]
    fn unique_integers_differ() {
        assert_ne!(unique_integer(), unique_integer());
    }
}
