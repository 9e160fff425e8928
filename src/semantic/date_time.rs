//! A moment, as Elixir's `DateTime` shows it: UTC, with microseconds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use erlang_interop::term::Term;

use super::{Map, Value};

const SECONDS_PER_DAY: u64 = 86_400;
const DAYS_PER_ERA: i64 = 146_097;

/// A UTC moment with microsecond resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime {
    /// Year of the Gregorian calendar.
    pub year: i64,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month, 1 to 31.
    pub day: u8,
    /// Hour, 0 to 23.
    pub hour: u8,
    /// Minute, 0 to 59.
    pub minute: u8,
    /// Second, 0 to 59.
    pub second: u8,
    /// Microsecond, 0 to 999,999.
    pub microsecond: u32,
}

impl DateTime {
    /// The moment this long after 1970-01-01T00:00:00Z.
    pub fn from_unix(since_epoch: Duration) -> Self {
        let seconds = since_epoch.as_secs();
        let (year, month, day) = civil_date((seconds / SECONDS_PER_DAY).cast_signed());
        let second_of_day = seconds % SECONDS_PER_DAY;
        let part = |divisor: u64, modulus: u64| {
            u8::try_from(second_of_day / divisor % modulus).expect("below 60 by the modulus")
        };
        Self {
            year,
            month,
            day,
            hour: part(3600, 24),
            minute: part(60, 60),
            second: part(1, 60),
            microsecond: since_epoch.subsec_micros(),
        }
    }

    /// The present moment; the epoch when the clock stands before it.
    pub fn now() -> Self {
        Self::from_unix(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

impl DateTime {
    /// As Elixir's `%DateTime{}`, every key present.
    pub fn to_value(self) -> Value {
        let zero = Value::Integer(0);
        let number = |part: u8| Value::Integer(part.into());
        let micros = Term::tuple([Term::from(self.microsecond), Term::from(6_u8)]);
        Map::new()
            .with("__struct__", Value::atom("Elixir.DateTime"))
            .with("calendar", Value::atom("Elixir.Calendar.ISO"))
            .with("year", Value::Integer(self.year))
            .with("month", number(self.month))
            .with("day", number(self.day))
            .with("hour", number(self.hour))
            .with("minute", number(self.minute))
            .with("second", number(self.second))
            .with("microsecond", Value::Opaque(micros))
            .with("std_offset", zero.clone())
            .with("utc_offset", zero)
            .with("time_zone", "Etc/UTC")
            .with("zone_abbr", "UTC")
            .into()
    }
}

/// Year, month and day of a count of days since 1970-01-01 (Gregorian, proleptic).
///
/// Works in eras of 400 years whose years begin in March, so that the leap day comes last.
fn civil_date(days: i64) -> (i64, u8, u8) {
    let days_since_0000_03 = days + 719_468;
    let era = days_since_0000_03.div_euclid(DAYS_PER_ERA);
    let day_of_era = days_since_0000_03.rem_euclid(DAYS_PER_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let small = |number: i64| u8::try_from(number).expect("months and days are below 32");
    (year, small(month), small(day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        let cases = [
            (0, (1970, 1, 1, 0, 0, 0)),
            (951_782_400, (2000, 2, 29, 0, 0, 0)),
            (1_767_225_599, (2025, 12, 31, 23, 59, 59)),
            (1_767_225_600, (2026, 1, 1, 0, 0, 0)),
        ];
        for (seconds, want) in cases {
            let got = DateTime::from_unix(Duration::from_secs(seconds));
            assert_eq!(
                (got.year, got.month, got.day, got.hour, got.minute, got.second),
                want,
                "{seconds}"
            );
        }
        assert_eq!(DateTime::from_unix(Duration::from_micros(1_500_007)).microsecond, 500_007);
    }
}
