//! Variables: those that the playbook sets become `{% set %}` lines that pillar data can override,
//! all others are read from pillar data.

use std::collections::BTreeMap;

use super::expression::Scope;
use super::literal::{literal, quoted};
use crate::data_plane::jinja::{Token, tokens};
use crate::semantic::{Map, Value};

/// Lines that set the variables of a play, each after those it refers to.
pub(super) fn declared(vars: &Map, scope: &mut Scope) -> Vec<String> {
    let mut open: Vec<(String, String)> = vars
        .iter()
        .filter_map(|(key, value)| Some((key.name()?.to_owned(), literal(value))))
        .filter(|(name, _)| is_name(name))
        .collect();
    let mut lines = Vec::new();
    while !open.is_empty() {
        let names: Vec<String> = open.iter().map(|(name, _)| name.clone()).collect();
        let waits = |(own, source): &(String, String)| {
            tokens(source).iter().any(|token| matches!(token, Token::Name(name) if name != own && names.iter().any(|known| known == name)))
        };
        // Variables that refer to each other have no order: the first goes first.
        let at = open.iter().position(|entry| !waits(entry)).unwrap_or(0);
        let (name, source) = open.remove(at);
        let value = scope.expression(&source);
        lines.push(format!("{{%- set {name} = salt['pillar.get']({}, {value}) %}}", quoted(&name)));
    }
    lines
}

/// Lines that set variables to values outright, as `set_fact` and `vars` of a task do.
pub(super) fn assigned(vars: &Map, scope: &mut Scope) -> Vec<String> {
    let mut lines = Vec::new();
    for (key, value) in vars.iter() {
        let Some(name) = key.name().filter(|name| is_name(name) && *name != "cacheable") else {
            continue;
        };
        let value = scope.expression(&literal(value));
        lines.push(format!("{{%- set {name} = {value} %}}"));
    }
    lines
}

/// Lines that read the variables from outside. One that may be missing stays undefined then.
pub(super) fn outside(free: &BTreeMap<String, bool>) -> Vec<String> {
    let line = |(name, soft): (&String, &bool)| {
        let key = quoted(name);
        if *soft {
            format!("{{%- if {key} in pillar %}}{{% set {name} = pillar[{key}] %}}{{% endif %}}")
        } else {
            format!("{{%- set {name} = pillar[{key}] %}}")
        }
    };
    free.iter().map(line).collect()
}

/// Whether a text can be the name of a Jinja variable.
pub(super) fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && chars.all(|c| c.is_alphanumeric() || c == '_')
}

/// The variables of each play in a graph's metadata.
pub(super) fn of_plays(metadata: &Map) -> Vec<(String, String, Map)> {
    let plays = metadata.get("plays").and_then(Value::as_list).unwrap_or_default();
    let play = |value: &Value| {
        let map = value.as_map()?;
        let vars = map.get("vars").and_then(Value::as_map).cloned().unwrap_or_default();
        Some((map.text("name")?.to_owned(), map.text("hosts")?.to_owned(), vars))
    };
    plays.iter().filter_map(play).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_come_after_what_they_refer_to() {
        let vars = Map::new().with("conf", "{{ base }}/conf").with("base", "/srv").with("port", 80);
        let mut scope = Scope { declared: ["base".to_owned()].into(), ..Scope::default() };
        assert_eq!(
            declared(&vars, &mut scope),
            [
                "{%- set base = salt['pillar.get']('base', '/srv') %}",
                "{%- set conf = salt['pillar.get']('conf', base ~ '/conf') %}",
                "{%- set port = salt['pillar.get']('port', 80) %}"
            ]
        );
    }

    #[test]
    fn outside_variables_are_required_unless_all_uses_are_soft() {
        let free = BTreeMap::from([("a".to_owned(), true), ("b".to_owned(), false)]);
        assert_eq!(
            outside(&free),
            [
                "{%- if 'a' in pillar %}{% set a = pillar['a'] %}{% endif %}",
                "{%- set b = pillar['b'] %}"
            ]
        );
    }
}
