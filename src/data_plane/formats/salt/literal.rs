//! Values as Jinja literals, for `{% set %}` and for what a loop variable stands for.

use crate::data_plane::jinja::{Segment, has_jinja, segments};
use crate::semantic::{Key, Value};

/// A value as a Jinja expression. Text that holds Jinja becomes the expression it means.
pub(super) fn literal(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => format!("{number:?}"),
        Value::Atom(text) | Value::String(text) if has_jinja(text) => template(text),
        Value::Atom(text) | Value::String(text) => quoted(text),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(literal).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(map) => {
            let entry = |(key, value): (&Key, &Value)| {
                format!("{}: {}", quoted(&key.label()), literal(value))
            };
            let entries: Vec<String> = map.iter().map(entry).collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Opaque(term) => quoted(&term.to_string()),
    }
}

/// `"{{ a }}/x"` as `a ~ '/x'`.
fn template(text: &str) -> String {
    let part = |segment: &Segment<'_>| match segment {
        Segment::Expression(inner) if is_simple(inner.trim()) => inner.trim().to_owned(),
        Segment::Expression(inner) => format!("({})", inner.trim()),
        Segment::Text(text) | Segment::Other(text) => quoted(text),
    };
    segments(text).iter().map(part).collect::<Vec<_>>().join(" ~ ")
}

fn is_simple(expression: &str) -> bool {
    expression.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '[' | ']' | '\''))
}

/// A string literal, which never ends the Jinja block it stands in.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for c in text.chars() {
        match c {
            '\'' => out.push_str("\\'"),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('\'');
    // `%}` inside a string would end a statement for Jinja's lexer.
    out.replace("%}", "%' ~ '}").replace("}}", "}' ~ '}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantic::Map;

    #[test]
    fn values_become_jinja() {
        let cases: [(Value, &str); 6] = [
            ("it's".into(), "'it\\'s'"),
            (Value::Null, "none"),
            (vec![Value::Integer(1), "a".into()].into(), "[1, 'a']"),
            (Map::new().with("k", true).into(), "{'k': true}"),
            ("{{ base }}/x".into(), "base ~ '/x'"),
            ("{{ a | upper }}".into(), "(a | upper)"),
        ];
        for (value, want) in cases {
            assert_eq!(literal(&value), want);
        }
    }
}
