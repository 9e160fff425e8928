//! Writes states as an SLS file.

use crate::data_plane::yaml::{Text, scalar_text, write_entries, write_items};
use crate::semantic::{Key, Map, Value};

/// One state of the file.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) id: String,
    /// `module.function`.
    pub(super) function: String,
    pub(super) args: Vec<Argument>,
    pub(super) requisites: Vec<(&'static str, Vec<Reference>)>,
    /// Condition under which the state is there at all.
    pub(super) guard: Option<String>,
    /// Condition on the item of its loop.
    pub(super) item_guard: Option<String>,
    pub(super) repeat: Option<Repeat>,
    /// Jinja before the state.
    pub(super) before: Vec<String>,
    /// Remarks above the state.
    pub(super) comments: Vec<String>,
}

/// An argument.
#[derive(Clone, Debug)]
pub(super) struct Argument {
    pub(super) name: String,
    pub(super) value: Value,
    /// Condition under which the argument is there.
    pub(super) condition: Option<String>,
}

/// A Jinja loop around a state.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Repeat {
    pub(super) variable: String,
    /// What is walked through, in Salt's words.
    pub(super) expression: String,
    /// Whether it is a map, whose items have `key` and `value`.
    pub(super) pairs: bool,
}

/// A state as another names it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reference {
    pub(super) module: String,
    pub(super) id: String,
    /// The other state's condition, when it does not hold whenever ours does.
    pub(super) guard: Option<String>,
    pub(super) repeat: Option<Repeat>,
}

impl Repeat {
    fn open(&self) -> String {
        let Self { variable, expression, pairs } = self;
        if *pairs {
            format!(
                "{{%- for {variable}_key, {variable}_value in ({expression}).items() %}}\n{{%- set {variable} = {{'key': {variable}_key, 'value': {variable}_value}} %}}\n"
            )
        } else {
            format!("{{%- for {variable} in {expression} %}}\n")
        }
    }
}

impl Reference {
    fn condition(&self) -> Option<String> {
        match (&self.guard, &self.repeat) {
            (None, None) => None,
            (Some(guard), None) => Some(guard.clone()),
            (None, Some(repeat)) => Some(repeat.expression.clone()),
            (Some(guard), Some(repeat)) => Some(format!("({guard}) and ({})", repeat.expression)),
        }
    }
}

/// The condition under which any of the references is there; `None` when one always is.
pub(super) fn any_of(references: &[Reference]) -> Option<String> {
    let mut conditions: Vec<String> =
        references.iter().map(Reference::condition).collect::<Option<_>>()?;
    conditions.dedup();
    match conditions.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        several => {
            Some(several.iter().map(|one| format!("({one})")).collect::<Vec<_>>().join(" or "))
        }
    }
}

/// Appends states; neighbours under the same condition share it.
pub(super) fn write_states(out: &mut String, states: &[State]) {
    for group in states.chunk_by(|a, b| a.guard == b.guard) {
        let guard = group.first().and_then(|state| state.guard.as_deref());
        if let Some(guard) = guard {
            out.push_str(&format!("\n{{% if {guard} %}}\n"));
        }
        for state in group {
            write_state(out, state);
        }
        if guard.is_some() {
            out.push_str("\n{% endif %}\n");
        }
    }
}

fn write_state(out: &mut String, state: &State) {
    out.push('\n');
    for comment in &state.comments {
        out.push_str(&comment_line(comment));
    }
    for line in &state.before {
        out.push_str(line);
        out.push('\n');
    }
    if state.function.is_empty() {
        return;
    }
    if let Some(repeat) = &state.repeat {
        out.push_str(&repeat.open());
    }
    if let Some(guard) = &state.item_guard {
        out.push_str(&format!("{{%- if {guard} %}}\n"));
    }
    out.push_str(&scalar_text(&Value::String(state.id.clone()), Text::Jinja));
    out.push_str(&format!(":\n  {}:", state.function));
    if state.args.is_empty() && state.requisites.iter().all(|(_, references)| references.is_empty())
    {
        out.push_str(" []\n");
    } else {
        out.push('\n');
    }
    for argument in &state.args {
        write_argument(out, argument);
    }
    for (kind, references) in &state.requisites {
        write_requisite(out, kind, references);
    }
    if state.item_guard.is_some() {
        out.push_str("{%- endif %}\n");
    }
    if state.repeat.is_some() {
        out.push_str("{%- endfor %}\n");
    }
}

/// A remark; Jinja also runs inside YAML comments, so its marks must not stand in them.
pub(super) fn comment_line(text: &str) -> String {
    let flat = text.replace(['\n', '\r'], " ");
    format!("# {}\n", flat.replace("{{", "{ {").replace("{%", "{ %").replace("{#", "{ #"))
}

fn write_argument(out: &mut String, argument: &Argument) {
    if let Some(condition) = &argument.condition {
        out.push_str(&format!("{{%- if {condition} %}}\n"));
    }
    let entry = Map::from_entries(vec![(Key::text(&argument.name), argument.value.clone())]);
    write_items(out, &[Value::Map(entry)], 4, Text::Jinja);
    if argument.condition.is_some() {
        out.push_str("{%- endif %}\n");
    }
}

fn write_requisite(out: &mut String, kind: &str, references: &[Reference]) {
    if references.is_empty() {
        return;
    }
    let condition = any_of(references);
    if let Some(condition) = &condition {
        out.push_str(&format!("{{%- if {condition} %}}\n"));
    }
    out.push_str(&format!("    - {kind}:\n"));
    let alone = references.len() == 1 && condition.is_some();
    for reference in references {
        write_reference(out, reference, alone);
    }
    if condition.is_some() {
        out.push_str("{%- endif %}\n");
    }
}

fn write_reference(out: &mut String, reference: &Reference, guarded: bool) {
    let guard = reference.guard.as_ref().filter(|_| !guarded);
    if let Some(guard) = guard {
        out.push_str(&format!("{{%- if {guard} %}}\n"));
    }
    if let Some(repeat) = &reference.repeat {
        out.push_str(&repeat.open());
    }
    let entry =
        Map::from_entries(vec![(Key::text(&reference.module), reference.id.clone().into())]);
    let mut line = String::new();
    write_entries(&mut line, &entry, 0, Text::Jinja);
    out.push_str(&format!("        - {line}"));
    if reference.repeat.is_some() {
        out.push_str("{%- endfor %}\n");
    }
    if guard.is_some() {
        out.push_str("{%- endif %}\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(id: &str, guard: Option<&str>) -> Reference {
        Reference {
            module: "pkg".into(),
            id: id.into(),
            guard: guard.map(str::to_owned),
            repeat: None,
        }
    }

    #[test]
    fn conditional_requisites_never_leave_an_empty_list() {
        let mut out = String::new();
        write_requisite(&mut out, "require", &[reference("a", Some("x"))]);
        assert_eq!(out, "{%- if x %}\n    - require:\n        - pkg: a\n{%- endif %}\n");
        out.clear();
        write_requisite(&mut out, "require", &[reference("a", Some("x")), reference("b", None)]);
        assert_eq!(
            out,
            "    - require:\n{%- if x %}\n        - pkg: a\n{%- endif %}\n        - pkg: b\n"
        );
        assert_eq!(
            any_of(&[reference("a", Some("x")), reference("b", Some("y"))]).as_deref(),
            Some("(x) or (y)")
        );
    }

    #[test]
    fn comments_cannot_hold_jinja() {
        assert_eq!(comment_line("a {{ b }}\nc"), "# a { { b }} c\n");
    }
}
