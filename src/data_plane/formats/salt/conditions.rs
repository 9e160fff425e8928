//! `when` in Salt: facts and variables decide while the file is rendered (`{% if %}`), results of
//! tasks become requisites, and results of checks become `onlyif` and `unless`.

use std::collections::HashMap;

use crate::data_plane::jinja::{Token, tokens};
use crate::semantic::{Kind, Operation};

/// What a `when` asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Condition {
    /// Parts that Jinja decides, in Ansible's words.
    pub(super) jinja: Vec<String>,
    /// Requisites: kind, and the place of the operation whose result is asked for.
    pub(super) requisites: Vec<(&'static str, usize)>,
    /// Commands that must succeed.
    pub(super) onlyif: Vec<String>,
    /// Commands that must fail.
    pub(super) unless: Vec<String>,
    /// Parts that Salt cannot decide.
    pub(super) unknown: Vec<String>,
}

impl Condition {
    /// The parts that Jinja decides, as one expression.
    pub(super) fn expression(&self) -> Option<String> {
        match self.jinja.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            several => Some(several.join(" and ")),
        }
    }
}

/// Operations whose results have names.
pub(super) struct Registered<'a> {
    pub(super) vertices: &'a [Operation],
    pub(super) by_name: HashMap<&'a str, usize>,
}

/// Reads a condition.
pub(super) fn read(when: &str, registered: &Registered<'_>) -> Condition {
    let mut condition = Condition::default();
    for part in conjuncts(when) {
        let found: Vec<Token<'_>> =
            tokens(&part).into_iter().filter(|token| !matches!(token, Token::Space(_))).collect();
        let is_result = |token: &Token<'_>| matches!(token, Token::Name(name) if registered.by_name.contains_key(name));
        if !found.iter().any(is_result) {
            condition.jinja.push(part);
        } else if !result(&found, false, registered, &mut condition) {
            condition.unknown.push(part);
        }
    }
    condition
}

/// The parts joined by `and` outside of brackets; the whole when an `or` or `if` binds them.
fn conjuncts(when: &str) -> Vec<String> {
    let found = tokens(when);
    let mut parts = vec![String::new()];
    let mut depth = 0_usize;
    for token in &found {
        match token {
            Token::Symbol("(" | "[" | "{") => depth += 1,
            Token::Symbol(")" | "]" | "}") => depth = depth.saturating_sub(1),
            Token::Name("or" | "if") if depth == 0 => return vec![when.trim().to_owned()],
            Token::Name("and") if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push_str(token.text());
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// Reads a part that asks for a task's result. False when it is of no known form.
fn result(
    part: &[Token<'_>],
    negated: bool,
    registered: &Registered<'_>,
    condition: &mut Condition,
) -> bool {
    use Token::{Name, Symbol};
    if let [Name("not"), rest @ ..] = part {
        return result(rest, !negated, registered, condition);
    }
    if let [Symbol("("), inner @ .., Symbol(")")] = part {
        let nested = inner.iter().any(|token| matches!(token, Name("and" | "or")));
        return !nested && result(inner, negated, registered, condition);
    }
    if let [needle @ Token::Quoted(_), rest @ ..] = part {
        return output_contains(needle, rest, negated, registered, condition);
    }
    let [Name(name), rest @ ..] = part else { return false };
    let Some(&at) = registered.by_name.get(name) else { return false };
    let operation = &registered.vertices[at];
    match rest {
        [Name("is"), Name("not"), Name(state)] => outcome(state, !negated, at, condition),
        [Name("is"), Name(state)] | [Symbol("." | "|"), Name(state)] => {
            outcome(state, negated, at, condition)
        }
        [Symbol("."), Name("stat"), Symbol("."), Name(flag), rest @ ..] => {
            let Some(negated) = truth(rest, negated) else { return false };
            stat(operation, flag, negated, condition)
        }
        [Symbol("."), Name("rc"), Symbol(comparison), Token::Number(code)] => {
            return_code(operation, comparison, code, negated, condition)
        }
        [
            Symbol("."),
            Name("stdout"),
            Symbol(comparison @ ("==" | "!=")),
            text @ Token::Quoted(_),
        ] => {
            let Some(text) = text.unquoted() else { return false };
            let Some(command) = command_of(operation) else { return false };
            let test = format!("test \"$({command})\" = {}", shell_quoted(text));
            add(condition, test, negated != (*comparison == "!="))
        }
        [
            Symbol("."),
            Name("stdout"),
            Symbol("|"),
            Name("length" | "count"),
            Symbol(">"),
            Token::Number("0"),
        ] => {
            let Some(command) = command_of(operation) else { return false };
            add(condition, format!("test -n \"$({command})\""), negated)
        }
        _ => false,
    }
}

/// `== true`, `== false`, `| bool` or nothing after a flag: whether the flag must be off.
fn truth(rest: &[Token<'_>], negated: bool) -> Option<bool> {
    use Token::{Name, Symbol};
    match rest {
        [] | [Symbol("|"), Name("bool")] => Some(negated),
        [Symbol("=="), Name("true" | "True")] | [Symbol("!="), Name("false" | "False")] => {
            Some(negated)
        }
        [Symbol("=="), Name("false" | "False")] | [Symbol("!="), Name("true" | "True")] => {
            Some(!negated)
        }
        _ => None,
    }
}

fn outcome(state: &str, negated: bool, at: usize, condition: &mut Condition) -> bool {
    let kind = match (state, negated) {
        ("changed", false) => "onchanges",
        ("failed", false) | ("succeeded" | "success", true) => "onfail",
        ("failed", true) | ("succeeded" | "success", false) => "require",
        _ => return false,
    };
    condition.requisites.push((kind, at));
    true
}

fn add(condition: &mut Condition, command: String, negated: bool) -> bool {
    if negated {
        condition.unless.push(command)
    } else {
        condition.onlyif.push(command)
    }
    true
}

/// `stat` asks for a path; `test` can ask the same.
fn stat(operation: &Operation, flag: &str, negated: bool, condition: &mut Condition) -> bool {
    let option = match flag {
        "exists" => "-e",
        "isdir" => "-d",
        "isreg" => "-f",
        "islnk" => "-L",
        "executable" => "-x",
        "readable" => "-r",
        "writeable" => "-w",
        _ => return false,
    };
    let Some(path) =
        operation.params.text("path").filter(|_| operation.kind.name() == "ansible.stat")
    else {
        return false;
    };
    add(condition, format!("test {option} {path}"), negated)
}

fn return_code(
    operation: &Operation,
    comparison: &str,
    code: &str,
    negated: bool,
    condition: &mut Condition,
) -> bool {
    let succeeds = match (comparison, code) {
        ("==", "0") => true,
        ("!=" | ">", "0") | ("==" | ">=", "1") => false,
        _ => return false,
    };
    let Some(command) = command_of(operation) else { return false };
    add(condition, command, negated == succeeds)
}

/// `'text' in result.stdout`.
fn output_contains(
    needle: &Token<'_>,
    rest: &[Token<'_>],
    negated: bool,
    registered: &Registered<'_>,
    condition: &mut Condition,
) -> bool {
    use Token::{Name, Symbol};
    let (name, negated) = match rest {
        [Name("in"), Name(name), Symbol("."), Name("stdout" | "stdout_lines")] => (name, negated),
        [Name("not"), Name("in"), Name(name), Symbol("."), Name("stdout" | "stdout_lines")] => {
            (name, !negated)
        }
        _ => return false,
    };
    let (Some(&at), Some(text)) = (registered.by_name.get(name), needle.unquoted()) else {
        return false;
    };
    let Some(command) = command_of(&registered.vertices[at]) else { return false };
    add(condition, format!("{command} | grep -qF -- {}", shell_quoted(text)), negated)
}

/// The command line that an operation runs.
fn command_of(operation: &Operation) -> Option<String> {
    if !matches!(operation.kind.kind(), Some(Kind::CommandRun | Kind::ShellRun)) {
        return None;
    }
    let command = operation.params.text("command")?;
    Some(match operation.params.text("chdir") {
        Some(folder) => format!("cd {folder} && {command}"),
        None => command.to_owned(),
    })
}

fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantic::{Map, OperationType};

    fn condition(when: &str) -> Condition {
        let vertices = [
            Operation::new(
                "a",
                OperationType::Other("ansible.stat".into()),
                Map::new().with("path", "/x"),
            ),
            Operation::new("b", Kind::CommandRun, Map::new().with("command", "which y")),
        ];
        let by_name = HashMap::from([("st", 0), ("out", 1)]);
        read(when, &Registered { vertices: &vertices, by_name })
    }

    #[test]
    fn results_become_requisites_and_checks() {
        let list = |text: &str| vec![text.to_owned()];
        assert_eq!(condition("out is changed").requisites, [("onchanges", 1)]);
        assert_eq!(condition("out.failed").requisites, [("onfail", 1)]);
        assert_eq!(condition("not out is failed").requisites, [("require", 1)]);
        assert_eq!(condition("st.stat.exists").onlyif, list("test -e /x"));
        assert_eq!(condition("not st.stat.exists").unless, list("test -e /x"));
        assert_eq!(condition("st.stat.isdir == false").unless, list("test -d /x"));
        assert_eq!(condition("out.rc != 0").unless, list("which y"));
        assert_eq!(condition("'z' in out.stdout").onlyif, list("which y | grep -qF -- 'z'"));
    }

    #[test]
    fn the_rest_is_for_jinja_or_unknown() {
        let mixed = condition("a == 1 and out is changed and (b or c)");
        assert_eq!(mixed.expression().as_deref(), Some("a == 1 and (b or c)"));
        assert_eq!(mixed.requisites.len(), 1);
        assert_eq!(condition("a or out is changed").unknown.len(), 1);
        assert_eq!(condition("out.stdout_lines | length > 3").unknown.len(), 1);
    }
}
