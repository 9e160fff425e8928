//! Metrics as the text that Prometheus reads.
// spec: Prometheus, "Text-based format", version 0.0.4

use std::fmt::Write as _;

use crate::telemetry::Family;

/// Says which format it is.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The text of these metrics.
pub(super) fn text(families: &[Family]) -> String {
    let mut text = String::new();
    for family in families {
        write_family(&mut text, family);
    }
    text
}

// Writing into a text does not fail.
fn write_family(text: &mut String, family: &Family) {
    let (name, kind) = (family.name, family.kind.as_str());
    let help = family.help.replace('\\', "\\\\").replace('\n', "\\n");
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    for sample in &family.samples {
        let _ = write!(text, "{name}{}", sample.suffix);
        for (at, (label, value)) in sample.labels.iter().enumerate() {
            let before = if at == 0 { '{' } else { ',' };
            let _ = write!(text, "{before}{label}=\"{}\"", escaped(value));
        }
        let end = if sample.labels.is_empty() { "" } else { "}" };
        let _ = writeln!(text, "{end} {}", number(sample.value));
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn number(value: f64) -> String {
    if value == f64::INFINITY {
        "+Inf".to_owned()
    } else if value == f64::NEG_INFINITY {
        "-Inf".to_owned()
    } else {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{Kind, Sample};

    #[test]
    fn what_others_have_named_cannot_break_a_line() {
        let labels = vec![("peer", "a\"b\\c\nd".to_owned()), ("x", String::new())];
        let samples = vec![Sample { suffix: "_sum", labels, value: f64::INFINITY }];
        let family =
            Family { name: "har_x", help: "One \\ two\nthree.", kind: Kind::Gauge, samples };
        let wanted = "# HELP har_x One \\\\ two\\nthree.\n# TYPE har_x gauge\n\
                      har_x_sum{peer=\"a\\\"b\\\\c\\nd\",x=\"\"} +Inf\n";
        assert_eq!(text(&[family]), wanted);
    }

    #[test]
    fn numbers_are_as_short_as_they_can_be() {
        assert_eq!(number(3.0), "3");
        assert_eq!(number(0.000_001), "0.000001");
        assert_eq!(number(f64::NAN), "NaN");
        assert_eq!(number(f64::NEG_INFINITY), "-Inf");
    }
}
