//! Writes values as block YAML: two spaces, lists indented under their keys, quotes only where needed.
//!
//! Two kinds of text exist. For most targets a string is itself. In a Salt state file Jinja runs
//! *before* YAML, so Jinja inside a string must not be escaped while the text around it must be.

use super::scalar::is_plain_safe;
use crate::data_plane::jinja::{Segment, segments};
use crate::semantic::{Key, Map, Value};

/// What `{{ … }}` inside a string means to the reader of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Text {
    /// Nothing special to the YAML reader.
    Literal,
    /// Jinja that is rendered before the YAML is read.
    Jinja,
}

/// Appends the entries of a map, each line indented by `indent` spaces and ended by a newline.
pub fn write_entries(out: &mut String, map: &Map, indent: usize, text: Text) {
    for (key, value) in map.iter() {
        pad(out, indent);
        write_entry(out, key, value, indent, text);
    }
}

/// Appends the items of a list, each line indented by `indent` spaces and ended by a newline.
pub fn write_items(out: &mut String, items: &[Value], indent: usize, text: Text) {
    for item in items {
        pad(out, indent);
        write_item(out, item, indent, text);
    }
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

/// Writes `key: value` where the line already stands at `indent`.
fn write_entry(out: &mut String, key: &Key, value: &Value, indent: usize, text: Text) {
    out.push_str(&scalar_text(&Value::String(key.label()), text));
    out.push(':');
    match value {
        Value::Map(map) if !map.is_empty() => {
            out.push('\n');
            write_entries(out, map, indent + 2, text);
        }
        Value::List(items) if !items.is_empty() => {
            out.push('\n');
            write_items(out, items, indent + 2, text);
        }
        Value::String(content) if is_block(content) => write_block(out, content, indent + 2),
        other => {
            out.push(' ');
            out.push_str(&scalar_text(other, text));
            out.push('\n');
        }
    }
}

/// Writes `- value` where the line already stands at `indent`.
fn write_item(out: &mut String, item: &Value, indent: usize, text: Text) {
    match item {
        Value::Map(map) if !map.is_empty() => {
            out.push_str("- ");
            for (at, (key, value)) in map.iter().enumerate() {
                if at > 0 {
                    pad(out, indent + 2);
                }
                write_entry(out, key, value, indent + 2, text);
            }
        }
        Value::List(items) if !items.is_empty() => {
            out.push_str("-\n");
            write_items(out, items, indent + 2, text);
        }
        Value::String(content) if is_block(content) => {
            out.push('-');
            write_block(out, content, indent + 2);
        }
        other => {
            out.push_str("- ");
            out.push_str(&scalar_text(other, text));
            out.push('\n');
        }
    }
}

/// Whether a text reads best, and unchanged, as a literal block.
fn is_block(text: &str) -> bool {
    let body = text.trim_end_matches('\n');
    let odd = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{feff}' | '\u{85}' | '\u{2028}' | '\u{2029}')
    };
    body.contains('\n')
        && !body.starts_with([' ', '\t', '\n'])
        && !body.ends_with([' ', '\t'])
        && !text.contains(odd)
}

fn write_block(out: &mut String, text: &str, indent: usize) {
    let body = text.trim_end_matches('\n');
    let chomp = match text.len() - body.len() {
        0 => "-",
        1 => "",
        _ => "+",
    };
    out.push_str(" |");
    out.push_str(chomp);
    out.push('\n');
    for line in body.split('\n') {
        if !line.is_empty() {
            pad(out, indent);
            out.push_str(line);
        }
        out.push('\n');
    }
    out.extend(std::iter::repeat_n('\n', (text.len() - body.len()).saturating_sub(1)));
}

/// A value on one line, quoted when needed. Empty lists and maps are `[]` and `{}`.
pub fn scalar_text(value: &Value, text: Text) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => float_text(*number),
        Value::Atom(content) | Value::String(content) => string_text(content, text),
        Value::List(_) => "[]".to_owned(),
        Value::Map(_) => "{}".to_owned(),
        Value::Opaque(term) => double_quoted(&term.to_string(), Text::Literal),
    }
}

/// Floats as YAML 1.1 reads them back: always with a dot.
fn float_text(number: f64) -> String {
    if number.is_nan() {
        return ".nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let text = format!("{number:?}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let dot = if mantissa.contains('.') { "" } else { ".0" };
            let sign = if exponent.starts_with('-') { "" } else { "+" };
            format!("{mantissa}{dot}e{sign}{exponent}")
        }
        None => text,
    }
}

fn string_text(content: &str, text: Text) -> String {
    if is_plain_safe(content) {
        return content.to_owned();
    }
    if text == Text::Jinja
        && let [Segment::Expression(expression)] = segments(content).as_slice()
    {
        return json_expression(expression);
    }
    double_quoted(content, text)
}

/// A whole-value expression: `json` makes any type, and any text, valid YAML.
fn json_expression(expression: &str) -> String {
    let inner = expression.trim();
    let ends_in_json = inner.rsplit('|').next().is_some_and(|last| last.trim().starts_with("json"))
        && inner.contains('|');
    let composite = inner.contains([' ', '~', '+', '<', '>', '=']) && !is_filter_chain(inner);
    match (ends_in_json, composite) {
        (true, _) => format!("{{{{ {inner} }}}}"),
        (false, true) => format!("{{{{ ({inner}) | json }}}}"),
        (false, false) => format!("{{{{ {inner} | json }}}}"),
    }
}

/// `a.b | filter | filter`, to which one more filter can be added without parentheses.
fn is_filter_chain(expression: &str) -> bool {
    expression.split('|').all(|part| {
        let part = part.trim();
        !part.contains([' ', '~', '+', '<', '>', '=', '-', '*', '/', '%'])
    })
}

/// A double-quoted scalar; in [`Text::Jinja`] only the text around the Jinja is escaped.
pub fn double_quoted(content: &str, text: Text) -> String {
    let mut out = String::with_capacity(content.len() + 2);
    out.push('"');
    match text {
        Text::Literal => escape(&mut out, content),
        Text::Jinja => {
            for segment in segments(content) {
                match segment {
                    Segment::Text(part) => escape(&mut out, part),
                    Segment::Expression(inner) => {
                        out.push_str("{{");
                        out.push_str(inner);
                        out.push_str("}}");
                    }
                    Segment::Other(part) => out.push_str(part),
                }
            }
        }
    }
    out.push('"');
    out
}

// spec: YAML 1.1, section 5.6 "Escape Sequences"
fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if u32::from(c) < 0x20 || u32::from(c) == 0x7f => {
                out.push_str(&format!("\\x{:02x}", u32::from(c)))
            }
            '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)))
            }
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::read::read;
    use super::*;

    fn written(map: &Map, text: Text) -> String {
        let mut out = String::new();
        write_entries(&mut out, map, 0, text);
        out
    }

    #[test]
    fn nested_values_are_indented_under_their_keys() {
        let inner = Map::new()
            .with("b", vec![Value::from("x"), Map::new().with("c", 1).with("d", 2).into()]);
        let map = Map::new().with("a", inner).with("e", Map::new()).with("f", Vec::<Value>::new());
        assert_eq!(
            written(&map, Text::Literal),
            "a:\n  b:\n    - x\n    - c: 1\n      d: 2\ne: {}\nf: []\n"
        );
    }

    #[test]
    fn what_is_written_is_read_back() {
        let texts = [
            "yes",
            "a: b",
            "two\nlines",
            "end\n\n\n",
            " lead",
            "tab\there",
            "q\"uote",
            "{{ x }}",
            "0644",
            "é",
            "\u{1}",
            "-",
            "a\n  b\n",
            "#no",
        ];
        for text in texts {
            let map = Map::new().with("key", text).with("list", vec![Value::from(text)]);
            let node = read(&written(&map, Text::Literal)).unwrap().pop().unwrap();
            assert_eq!(node.get("key").unwrap().value(), Value::from(text), "{text:?}");
            assert_eq!(
                node.get("list").unwrap().value(),
                Value::List(vec![text.into()]),
                "{text:?}"
            );
        }
    }

    #[test]
    fn floats_keep_their_type() {
        for number in [1.0, 1e20, 1e-9, -2.5] {
            let node = read(&written(&Map::new().with("k", Value::Float(number)), Text::Literal))
                .unwrap()
                .pop()
                .unwrap();
            assert_eq!(node.get("k").unwrap().value(), Value::Float(number));
        }
    }

    #[test]
    fn jinja_is_not_escaped_but_the_text_around_it_is() {
        let text = |content: &str| scalar_text(&content.into(), Text::Jinja);
        assert_eq!(text("{{ port }}"), "{{ port | json }}");
        assert_eq!(text("{{ a ~ b }}"), "{{ (a ~ b) | json }}");
        assert_eq!(text("{{ a | default('x') }}"), "{{ a | default('x') | json }}");
        assert_eq!(text("/srv/{{ x['a'] }}: \"y\""), r#""/srv/{{ x['a'] }}: \"y\"""#);
    }
}
