//! A strict reader of the text that Prometheus reads, by its description.
// spec: Prometheus, "Text-based format", version 0.0.4

use std::collections::{BTreeMap, BTreeSet};

type Labels = BTreeMap<String, String>;

/// All values, by name and labels.
pub(super) struct Metrics(Vec<(String, Labels, f64)>);

impl Metrics {
    /// Reads a whole exposition; a fault in it fails the test.
    pub(super) fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line has an end");
        let (mut values, mut seen) = (Vec::new(), BTreeSet::new());
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let help = line.strip_prefix("# HELP ").unwrap_or_else(|| panic!("no HELP: {line}"));
            let (name, help) = help.split_once(' ').expect("a text");
            assert!(is_name(name) && !help.is_empty(), "{line}");
            assert!(seen.insert(name.to_owned()), "{name} is there twice");
            let line = lines.next().expect("a TYPE");
            let kind = line.strip_prefix(&*format!("# TYPE {name} ")).expect("its TYPE");
            let counter = kind == "counter";
            assert_eq!(counter, name.ends_with("_total"), "{name} is a {kind}");
            let mut own = Vec::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
                own.push(sample(line));
            }
            match kind {
                "counter" | "gauge" => {
                    assert!(own.iter().all(|(found, ..)| found == name), "{name}: {own:?}");
                }
                "histogram" => check_histogram(name, &own),
                _ => panic!("{name} is a {kind}"),
            }
            assert!(!counter || own.iter().all(|(.., value)| *value >= 0.0));
            values.extend(own);
        }
        let sets: BTreeSet<_> = values.iter().map(|(name, labels, _)| (name, labels)).collect();
        assert_eq!(sets.len(), values.len(), "a value is there twice");
        Self(values)
    }

    /// The value of the metric that has these labels, and maybe others.
    pub(super) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |own: &Labels| {
            labels.iter().all(|(label, value)| own.get(*label).is_some_and(|own| own == value))
        };
        let found = self.0.iter().find(|(own, with, _)| own == name && has(with));
        found.map(|(.., value)| *value)
    }
}

fn is_name(name: &str) -> bool {
    let first = name.chars().next().is_some_and(|first| !first.is_ascii_digit());
    first && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
}

/// `name{label="value",…} 1.5`
fn sample(line: &str) -> (String, Labels, f64) {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("a sample: {line}"));
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = Labels::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
            assert!(is_name(label), "{line}");
            let (value, after) = quoted(after);
            assert!(labels.insert(label.to_owned(), value).is_none(), "{line}");
            if let Some(next) = after.strip_prefix('}') {
                rest = next;
                break;
            }
            rest = after.strip_prefix(',').unwrap_or_else(|| panic!("{line}"));
        }
    }
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("{line}"));
    let value = match value {
        "+Inf" => f64::INFINITY,
        "NaN" => panic!("{line}"),
        _ => value.parse().unwrap_or_else(|_| panic!("{line}")),
    };
    (name.to_owned(), labels, value)
}

/// A value up to its closing quote, and what follows.
fn quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => match chars.next().map(|(_, c)| c) {
                Some('n') => value.push('\n'),
                Some(c @ ('\\' | '"')) => value.push(c),
                other => panic!("\\{other:?} in {text}"),
            },
            _ => value.push(c),
        }
    }
    panic!("no closing quote: {text}")
}

/// Buckets grow up to the one without bound, which is the count.
fn check_histogram(name: &str, samples: &[(String, Labels, f64)]) {
    let without_bound = |labels: &Labels| {
        let mut labels = labels.clone();
        labels.remove("le");
        labels
    };
    let sets: BTreeSet<Labels> =
        samples.iter().map(|(_, labels, _)| without_bound(labels)).collect();
    for set in sets {
        let of = |suffix: &str| -> Vec<(Option<&String>, f64)> {
            let wanted = format!("{name}_{suffix}");
            let own = samples
                .iter()
                .filter(|(found, labels, _)| *found == wanted && without_bound(labels) == set);
            own.map(|(_, labels, value)| (labels.get("le"), *value)).collect()
        };
        let buckets = of("bucket");
        assert!(buckets.is_sorted_by_key(|(_, count)| *count), "{name}: {buckets:?}");
        let bound = |(bound, _): &(Option<&String>, f64)| match bound.expect("a bound").as_str() {
            "+Inf" => f64::INFINITY,
            bound => bound.parse().expect("a number"),
        };
        let bounds: Vec<f64> = buckets.iter().map(bound).collect();
        assert!(bounds.windows(2).all(|pair| pair[0] < pair[1]), "{name}: {bounds:?}");
        assert_eq!(bounds.last(), Some(&f64::INFINITY), "{name}");
        let (count, sum) = (of("count"), of("sum"));
        assert_eq!((count.len(), sum.len()), (1, 1), "{name}");
        assert_eq!(count[0].1, buckets[buckets.len() - 1].1, "{name}");
    }
}
