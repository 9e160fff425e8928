//! The numbers of all rounds, as a table for people and as JSON.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Map, Value, json};

/// Who measured whom; the order of the columns.
pub(crate) const SIDES: [&str; 4] = ["raw TCP", "BEAM-BEAM", "BEAM-har", "har-har"];

/// Values of one row by side.
type Row = BTreeMap<&'static str, Vec<f64>>;

struct Named {
    name: String,
    unit: &'static str,
    more_is_better: bool,
    values: Row,
}

/// All rows, in the order in which they first came.
#[derive(Default)]
pub(crate) struct Report(Vec<Named>);

impl Report {
    /// Adds one value of one round.
    pub(crate) fn add(
        &mut self,
        side: &'static str,
        name: &str,
        unit: &'static str,
        more_is_better: bool,
        value: f64,
    ) {
        let at = self.0.iter().position(|row| row.name == name).unwrap_or_else(|| {
            let name = name.to_owned();
            self.0.push(Named { name, unit, more_is_better, values: Row::new() });
            self.0.len() - 1
        });
        self.0[at].values.entry(side).or_default().push(value);
    }

    /// Medians with their range, and how many times better than BEAM-BEAM each side is.
    pub(crate) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        write!(out, "{:<28} {:<8}", "median (lowest-highest)", "unit")?;
        for side in SIDES {
            write!(out, " {side:>36}")?;
        }
        writeln!(out)?;
        for row in &self.0 {
            write!(out, "{:<28} {:<8}", row.name, row.unit)?;
            for side in SIDES {
                write!(out, " {:>36}", row.cell(side))?;
            }
            writeln!(out)?;
        }
        writeln!(
            out,
            "x1.00 is BEAM-BEAM and r1.00 raw TCP in this run; above 1 is better, whatever the unit."
        )
    }

    pub(crate) fn json(&self) -> Value {
        let rows = self.0.iter().map(|row| {
            let mut sides = Map::new();
            for (side, values) in &row.values {
                let (low, median, high) = spread(values);
                let better = row.better_than("BEAM-BEAM", side);
                let side_json = json!({
                    "median": median, "lowest": low, "highest": high,
                    "rounds": values.len(), "times_better_than_beam": better,
                    "times_better_than_raw": row.better_than("raw TCP", side),
                });
                sides.insert((*side).to_owned(), side_json);
            }
            json!({
                "name": row.name, "unit": row.unit,
                "more_is_better": row.more_is_better, "sides": sides,
            })
        });
        json!({ "rows": rows.collect::<Vec<_>>() })
    }
}

impl Named {
    fn cell(&self, side: &str) -> String {
        let Some(values) = self.values.get(side) else { return "-".to_owned() };
        let (low, median, high) = spread(values);
        let mut text = format!("{} ({}-{})", short(median), short(low), short(high));
        if side != "BEAM-BEAM"
            && let Some(better) = self.better_than("BEAM-BEAM", side)
        {
            text += &format!(" x{better:.2}");
        }
        if side != "raw TCP"
            && let Some(better) = self.better_than("raw TCP", side)
        {
            text += &format!(" r{better:.2}");
        }
        text
    }

    /// How many times better than `base` a side is.
    fn better_than(&self, base: &str, side: &str) -> Option<f64> {
        let (_, base, _) = spread(self.values.get(base)?);
        let (_, this, _) = spread(self.values.get(side)?);
        Some(if self.more_is_better { this / base } else { base / this })
    }
}

/// Lowest, median, highest.
fn spread(values: &[f64]) -> (f64, f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
    (at(0), at(sorted.len() / 2), at(sorted.len().saturating_sub(1)))
}

/// Three digits that count.
fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
