//! Loops: a literal list is written out item by item, any other becomes a Jinja loop.

use super::literal::literal;
use crate::data_plane::jinja::{Segment, Token, has_jinja, segments, tokens};
use crate::data_plane::limits::LOOP_ITEMS_EXPANDED_MAX;
use crate::semantic::{Map, Operation, Value};

/// How an operation repeats.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Loop {
    /// Once.
    Once,
    /// Once for each of these values of the variable.
    Items(String, Vec<Value>),
    /// Once for each item of an expression (in Ansible's words) that only Salt can evaluate.
    Expression(String, String),
}

/// The name that stands for "no such value": `default(…)` replaces it, anything else fails loudly.
const OMITTED: &str = "undefined";

/// How an operation repeats, by its `loop` and `loop_control`.
pub(super) fn of(operation: &Operation) -> Loop {
    let control = operation.metadata.get("loop_control").and_then(Value::as_map);
    let variable =
        control.and_then(|control| control.text("loop_var")).unwrap_or("item").to_owned();
    match operation.metadata.get("loop") {
        None => Loop::Once,
        Some(Value::List(items)) if items.len() <= LOOP_ITEMS_EXPANDED_MAX => {
            Loop::Items(variable, items.clone())
        }
        Some(Value::String(text)) => match segments(text).as_slice() {
            [Segment::Expression(inner)] => Loop::Expression(variable, inner.trim().to_owned()),
            _ => Loop::Expression(variable, text.trim().to_owned()),
        },
        Some(other) => Loop::Expression(variable, literal(other)),
    }
}

/// The operation for one item: wherever the loop variable stood, its value stands.
pub(super) fn for_item(
    operation: &Operation,
    variable: &str,
    item: &Value,
    index: usize,
) -> Operation {
    let bound = Bound { variable, item, index };
    let mut single = operation.clone();
    single.params = bound.map(&operation.params);
    if let Some(when) = operation.target.text("when") {
        single.target.set("when", bound.expression(when));
    }
    for key in ["vars", "environment", "register"] {
        if let Some(value) = operation.metadata.get(key) {
            let value = bound.value(value).unwrap_or(Value::Null);
            single.metadata.set(key, value);
        }
    }
    single
}

/// A loop variable with its value.
struct Bound<'a> {
    variable: &'a str,
    item: &'a Value,
    index: usize,
}

impl Bound<'_> {
    fn map(&self, map: &Map) -> Map {
        map.iter().filter_map(|(key, value)| Some((key.clone(), self.value(value)?))).collect()
    }

    /// The value with the loop variable replaced; `None` when it is to be left out.
    fn value(&self, value: &Value) -> Option<Value> {
        Some(match value {
            Value::String(text) if has_jinja(text) => return self.text(text),
            Value::List(items) => {
                Value::List(items.iter().filter_map(|item| self.value(item)).collect())
            }
            Value::Map(map) => Value::Map(self.map(map)),
            other => other.clone(),
        })
    }

    fn text(&self, text: &str) -> Option<Value> {
        let parts = segments(text);
        if let [Segment::Expression(inner)] = parts.as_slice() {
            return match self.whole(inner.trim()) {
                Whole::Value(value) => Some(value),
                Whole::Omit => None,
                Whole::Expression(expression) => {
                    Some(Value::String(format!("{{{{ {expression} }}}}")))
                }
            };
        }
        let mut out = String::new();
        for part in parts {
            match part {
                Segment::Text(text) => out.push_str(text),
                Segment::Other(text) => out.push_str(&self.expression(text)),
                Segment::Expression(inner) => match self.whole(inner.trim()) {
                    Whole::Value(value) if value.to_text().is_some() => {
                        out.push_str(&value.to_text().unwrap_or_default())
                    }
                    Whole::Value(value) => out.push_str(&format!("{{{{ {} }}}}", literal(&value))),
                    Whole::Omit => {}
                    Whole::Expression(expression) => {
                        out.push_str(&format!("{{{{ {expression} }}}}"))
                    }
                },
            }
        }
        Some(Value::String(out))
    }

    /// An expression: the variable's path alone, with a default, or within more.
    fn whole(&self, expression: &str) -> Whole {
        let found = tokens(expression);
        if let Some((value, length)) = self.path(&found, 0) {
            let rest: Vec<Token<'_>> = found[length..]
                .iter()
                .copied()
                .filter(|token| !matches!(token, Token::Space(_)))
                .collect();
            match (rest.as_slice(), value) {
                ([], Some(value)) => return Whole::Value(value),
                ([Token::Symbol("|"), Token::Name("default" | "d"), ..], Some(value))
                    if rest.len() == 5 =>
                {
                    return Whole::Value(value);
                }
                (
                    [
                        Token::Symbol("|"),
                        Token::Name("default" | "d"),
                        Token::Symbol("("),
                        Token::Name("omit"),
                        Token::Symbol(")"),
                    ],
                    None,
                ) => {
                    return Whole::Omit;
                }
                (
                    [
                        Token::Symbol("|"),
                        Token::Name("default" | "d"),
                        Token::Symbol("("),
                        fallback,
                        Token::Symbol(")"),
                    ],
                    None,
                ) => {
                    if let Some(text) = fallback.unquoted() {
                        return Whole::Value(text.into());
                    }
                }
                _ => {}
            }
        }
        Whole::Expression(self.expression(expression))
    }

    /// An expression with each path of the variable replaced by its value as a literal.
    fn expression(&self, source: &str) -> String {
        let found = tokens(source);
        let mut out = String::with_capacity(source.len());
        let mut at = 0;
        while at < found.len() {
            let member = at > 0 && found[at - 1] == Token::Symbol(".");
            match self.path(&found, at).filter(|_| !member) {
                Some((value, length)) => {
                    out.push_str(
                        &value.map_or_else(|| OMITTED.to_owned(), |value| literal(&value)),
                    );
                    at += length;
                }
                None => {
                    out.push_str(found[at].text());
                    at += 1;
                }
            }
        }
        out
    }

    /// The value of the path that begins at a token, with how many tokens it takes.
    fn path(&self, found: &[Token<'_>], at: usize) -> Option<(Option<Value>, usize)> {
        if let [Token::Name("loop" | "ansible_loop"), Token::Symbol("."), Token::Name(field), ..] =
            found[at..]
        {
            let number = match field {
                "index" => self.index + 1,
                "index0" => self.index,
                _ => return None,
            };
            return Some((Some(Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))), 3));
        }
        if *found.get(at)? != Token::Name(self.variable) {
            return None;
        }
        let mut value = Some(self.item.clone());
        let mut length = 1;
        loop {
            let (key, step) = match found[at + length..] {
                [Token::Symbol("."), Token::Name(key) | Token::Number(key), ..] => {
                    (key.to_owned(), 2)
                }
                [Token::Symbol("["), key @ Token::Quoted(_), Token::Symbol("]"), ..] => {
                    (key.unquoted()?.to_owned(), 3)
                }
                [Token::Symbol("["), Token::Number(key), Token::Symbol("]"), ..] => {
                    (key.to_owned(), 3)
                }
                _ => return Some((value, length)),
            };
            // A method call (`item.split(',')`) belongs to the expression, not to the path.
            if found.get(at + length + step) == Some(&Token::Symbol("(")) {
                return Some((value, length));
            }
            value = match value {
                Some(Value::Map(map)) => map.get(&key).cloned(),
                Some(Value::List(items)) => {
                    key.parse::<usize>().ok().and_then(|at| items.get(at).cloned())
                }
                _ => None,
            };
            length += step;
        }
    }
}

enum Whole {
    Value(Value),
    Omit,
    Expression(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantic::Kind;

    #[test]
    fn the_variable_is_replaced_wherever_it_stands() {
        let item = Map::new().with("name", "bob").with("uid", 7).into();
        let bound = Bound { variable: "item", item: &item, index: 1 };
        let cases: [(&str, Option<Value>); 7] = [
            ("{{ item.uid }}", Some(Value::Integer(7))),
            ("/home/{{ item['name'] }}/{{ x }}", Some("/home/bob/{{ x }}".into())),
            ("{{ item.shell | default(omit) }}", None),
            ("{{ item.shell | default('/bin/sh') }}", Some("/bin/sh".into())),
            ("{{ item.name | upper }}", Some("{{ 'bob' | upper }}".into())),
            ("{{ loop.index }}", Some(Value::Integer(2))),
            ("{{ item.name.split('o') }}", Some("{{ 'bob'.split('o') }}".into())),
        ];
        for (source, want) in cases {
            assert_eq!(bound.value(&source.into()), want, "{source}");
        }
    }

    #[test]
    fn long_and_unknown_lists_stay_loops() {
        let mut operation = Operation::new("a", Kind::CommandRun, Map::new());
        assert_eq!(of(&operation), Loop::Once);
        operation.metadata.set("loop", "{{ users }}");
        assert_eq!(of(&operation), Loop::Expression("item".into(), "users".into()));
        operation.metadata.set("loop", vec![Value::Integer(1); LOOP_ITEMS_EXPANDED_MAX + 1]);
        assert!(matches!(of(&operation), Loop::Expression(..)));
    }
}
