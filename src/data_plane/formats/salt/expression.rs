//! Ansible's Jinja expressions in Salt's Jinja: facts become grains, filters their counterparts,
//! and every variable that the playbook does not set is noted, to be read from pillar data.

use std::collections::{BTreeMap, HashSet};

use super::facts;
use crate::data_plane::jinja::{Segment, Token, segments, tokens};
use crate::data_plane::limits::EXPRESSION_BYTES_MAX;

/// Names known to the expressions of a state, and what was found while translating them.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    /// Variables that some play or task sets.
    pub(super) declared: HashSet<String>,
    /// Variables that hold results of tasks.
    pub(super) registered: HashSet<String>,
    /// Loop variables in effect.
    pub(super) local: Vec<String>,
    /// Variables from outside, and whether all uses of each bear that it is missing.
    pub(super) free: BTreeMap<String, bool>,
    /// What could only be approximated, or not at all.
    pub(super) issues: Vec<Issue>,
}

/// A part of an expression that does not mean quite the same in Salt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Issue {
    /// Whether the output would fail or mean something else.
    pub(super) fatal: bool,
    /// What it is about.
    pub(super) detail: String,
}

impl Scope {
    fn issue(&mut self, fatal: bool, detail: String) {
        let issue = Issue { fatal, detail };
        if !self.issues.contains(&issue) {
            self.issues.push(issue);
        }
    }

    /// A text with expressions, for Salt.
    pub(super) fn text(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for segment in segments(text) {
            match segment {
                Segment::Text(part) => out.push_str(part),
                Segment::Expression(inner) => {
                    out.push_str("{{ ");
                    out.push_str(&self.expression(inner.trim()));
                    out.push_str(" }}");
                }
                Segment::Other(part) => out.push_str(&self.statement(part)),
            }
        }
        out
    }

    /// A statement: its names are translated as those of an expression.
    fn statement(&mut self, part: &str) -> String {
        let inner = part.strip_prefix("{%").and_then(|rest| rest.strip_suffix("%}"));
        let Some(inner) = inner.filter(|inner| {
            !inner.trim().starts_with("raw") && !inner.trim().starts_with("endraw")
        }) else {
            return part.to_owned();
        };
        let words: Vec<&str> = inner.split_whitespace().collect();
        if let ["for", name, "in", ..] = words.as_slice() {
            self.local.push((*name).to_owned());
        }
        format!("{{%{}%}}", self.expression(inner))
    }

    /// An expression for Salt.
    pub(super) fn expression(&mut self, source: &str) -> String {
        if source.len() > EXPRESSION_BYTES_MAX {
            self.issue(
                true,
                format!("an expression of {} bytes is left as it stands", source.len()),
            );
            return source.to_owned();
        }
        let tokens = tokens(source);
        Translation {
            scope: self,
            tokens: &tokens,
            at: 0,
            out: String::with_capacity(source.len()),
            boundary: 0,
            os_values: false,
        }
        .run()
    }
}

/// Words that are no variables.
const KEYWORDS: &[&str] = &[
    "and",
    "or",
    "not",
    "in",
    "is",
    "if",
    "else",
    "elif",
    "endif",
    "for",
    "endfor",
    "set",
    "true",
    "false",
    "none",
    "True",
    "False",
    "None",
    "loop",
    "range",
    "dict",
    "namespace",
    "recursive",
    "do",
    "cycler",
    "joiner",
    "lipsum",
    "grains",
    "pillar",
    "salt",
    "opts",
    "saltenv",
    "sls",
];

/// The translation of one expression.
struct Translation<'a> {
    scope: &'a mut Scope,
    tokens: &'a [Token<'a>],
    at: usize,
    out: String,
    /// Where the operand that is being written begins in `out`.
    boundary: usize,
    /// Whether strings that follow are compared with an operating system's name.
    os_values: bool,
}

impl Translation<'_> {
    fn run(mut self) -> String {
        while let Some(token) = self.tokens.get(self.at).copied() {
            self.at += 1;
            match token {
                Token::Name(name) => self.name(name),
                Token::Quoted(_) if self.os_values => self.os_value(token),
                Token::Symbol(symbol) => {
                    self.out.push_str(symbol);
                    if matches!(symbol, "(" | "[" | ",") {
                        self.boundary = self.out.len();
                    }
                }
                other => self.out.push_str(other.text()),
            }
        }
        self.out
    }

    fn os_value(&mut self, token: Token<'_>) {
        match token.unquoted() {
            Some(inner) => self.out.push_str(&format!("'{}'", facts::os_name(inner))),
            None => self.out.push_str(token.text()),
        }
    }

    /// The nearest token before, or from the present one on, that is not white space.
    fn before(&self) -> Option<Token<'_>> {
        self.tokens[..self.at - 1]
            .iter()
            .rev()
            .copied()
            .find(|token| !matches!(token, Token::Space(_)))
    }

    fn after(&self, skip: usize) -> Option<Token<'_>> {
        self.tokens[self.at..]
            .iter()
            .copied()
            .filter(|token| !matches!(token, Token::Space(_)))
            .nth(skip)
    }

    fn name(&mut self, name: &str) {
        let previous = self.before();
        let calls = self.after(0) == Some(Token::Symbol("("));
        match previous {
            Some(Token::Symbol(".")) => self.out.push_str(name),
            Some(Token::Symbol("|")) => self.filter(name),
            Some(Token::Name("is")) if name != "not" => self.test(name),
            Some(Token::Name("not")) if self.is_negated_test() => self.test(name),
            _ if KEYWORDS.contains(&name) => {
                self.out.push_str(name);
                if matches!(name, "and" | "or" | "if" | "else") {
                    self.os_values = false;
                }
                if matches!(name, "and" | "or" | "if" | "else" | "not" | "in") {
                    self.boundary = self.out.len();
                }
            }
            _ if self.after(0) == Some(Token::Symbol("=")) => self.out.push_str(name),
            _ if calls => self.call(name),
            _ => self.variable(name),
        }
    }

    /// Whether the word before is the `not` of `is not …`.
    fn is_negated_test(&self) -> bool {
        let mut before = self.tokens[..self.at - 1]
            .iter()
            .rev()
            .filter(|token| !matches!(token, Token::Space(_)));
        before.next() == Some(&Token::Name("not")) && before.next() == Some(&Token::Name("is"))
    }

    fn filter(&mut self, name: &str) {
        match name {
            "version" | "version_compare" => self.version_test(),
            "basename" | "dirname" if self.wrap_operand(&format!("salt['file.{name}']")) => {}
            _ => match facts::filter(name) {
                Some((salt, exact)) => {
                    self.out.push_str(salt);
                    if !exact {
                        self.scope.issue(
                            false,
                            format!("the filter `{name}` became `{salt}`, which differs in detail"),
                        );
                    }
                }
                None => {
                    self.out.push_str(name);
                    self.scope.issue(true, format!("Salt has no filter `{name}`"));
                }
            },
        }
    }

    /// Turns `operand |` into `function(operand)`.
    fn wrap_operand(&mut self, function: &str) -> bool {
        let written = self.out[self.boundary..].trim_end();
        let Some(operand) = written.strip_suffix('|').map(|operand| operand.trim().to_owned())
        else {
            return false;
        };
        self.out.truncate(self.boundary);
        self.out.push_str(&format!("{function}({operand})"));
        true
    }

    fn test(&mut self, name: &str) {
        match name {
            "version" | "version_compare" => self.version_test(),
            "changed" | "failed" | "succeeded" | "success" | "skipped" | "finished" => {
                self.out.push_str(name);
                self.scope.issue(true, format!("`is {name}` asks for the result of a task"));
            }
            _ => {
                self.out.push_str(name);
                if !facts::is_test(name) {
                    self.scope.issue(true, format!("Salt has no test `{name}`"));
                }
            }
        }
    }

    /// `left is version('1.2', '>=')` as a comparison by the package module.
    fn version_test(&mut self) {
        let rest: Vec<Token<'_>> = self.tokens[self.at..]
            .iter()
            .copied()
            .filter(|token| !matches!(token, Token::Space(_)))
            .collect();
        let (version, operator) = match rest.as_slice() {
            [Token::Symbol("("), version, Token::Symbol(","), operator, Token::Symbol(")"), ..] => {
                (version.text(), operator.unquoted())
            }
            [Token::Symbol("("), version, Token::Symbol(")"), ..] => (version.text(), Some("==")),
            _ => ("", None),
        };
        let operator = match operator {
            Some("eq" | "=" | "==") => "==",
            Some("ne" | "<>" | "!=") => "!=",
            Some("lt" | "<") => "<",
            Some("le" | "<=") => "<=",
            Some("gt" | ">") => ">",
            Some("ge" | ">=") => ">=",
            _ => {
                self.out.push_str("version");
                self.scope.issue(true, "a comparison of versions could not be read".to_owned());
                return;
            }
        };
        let written = self.out[self.boundary..].trim();
        let negated = written.ends_with("is not");
        let left = written
            .trim_end_matches("is not")
            .trim_end_matches("is")
            .trim_end_matches('|')
            .trim()
            .to_owned();
        let not = if negated { "not " } else { "" };
        let lead = if self.out[self.boundary..].starts_with(' ') { " " } else { "" };
        self.out.truncate(self.boundary);
        self.out.push_str(&format!(
            "{lead}{not}salt['pkg.version_cmp']({left} | string, {version}) {operator} 0"
        ));
        while let Some(token) = self.tokens.get(self.at) {
            self.at += 1;
            if *token == Token::Symbol(")") {
                break;
            }
        }
    }

    fn call(&mut self, name: &str) {
        self.out.push_str(name);
        let detail = match name {
            "lookup" | "query" | "q" => {
                "lookups run on Ansible's controller; put the value into pillar data".to_owned()
            }
            _ => format!("Salt has no function `{name}`"),
        };
        self.scope.issue(true, detail);
    }

    /// A variable with the path that follows it.
    fn variable(&mut self, name: &str) {
        let (fact, used) = self.fact_path(name);
        if let Some((salt, exact, fact)) = fact {
            self.at += used;
            let binds =
                salt.contains(" | ") && matches!(self.after(0), Some(Token::Symbol("." | "[")));
            self.out.push_str(if binds { "grains" } else { salt });
            self.os_values = salt == "grains['os_family']" || salt == "grains['os']";
            if !exact {
                self.scope
                    .issue(false, format!("the fact `{fact}` became {salt}, which can differ"));
            }
            return;
        }
        self.out.push_str(name);
        let scope = &mut *self.scope;
        if scope.local.iter().any(|local| local == name) || name == "omit" {
            return;
        }
        if scope.registered.contains(name) {
            scope.issue(true, format!("`{name}` is the result of a task, which states do not see"));
        } else if matches!(
            name,
            "hostvars"
                | "groups"
                | "ansible_facts"
                | "play_hosts"
                | "ansible_play_hosts"
                | "playbook_dir"
                | "role_path"
        ) || name.starts_with("ansible_")
        {
            scope.issue(true, format!("Salt has no counterpart of `{name}`"));
        } else if !scope.declared.contains(name) {
            let soft = self.is_soft_use();
            self.scope.free.entry(name.to_owned()).and_modify(|all| *all &= soft).or_insert(soft);
        }
    }

    /// Whether the use bears that the variable is missing: `is defined`, `| default(…)`.
    fn is_soft_use(&self) -> bool {
        matches!(
            (self.after(0), self.after(1), self.after(2)),
            (Some(Token::Name("is")), Some(Token::Name("defined" | "undefined")), _)
                | (Some(Token::Name("is")), Some(Token::Name("not")), Some(Token::Name("defined")))
                | (Some(Token::Symbol("|")), Some(Token::Name("default" | "d")), _)
        )
    }

    /// The Salt form of a fact, with how many tokens its path takes.
    fn fact_path(&self, name: &str) -> (Option<(&'static str, bool, String)>, usize) {
        if let Some((salt, exact)) = facts::magic(name) {
            return (Some((salt, exact, name.to_owned())), 0);
        }
        let mut path: Vec<&str> = match name {
            "ansible_facts" => Vec::new(),
            name => match name.strip_prefix("ansible_") {
                Some(fact) => vec![fact],
                None => return (None, 0),
            },
        };
        let mut used = 0;
        let mut best = None;
        loop {
            if let Some((salt, exact)) = facts::grain(&path.join(".")) {
                best = Some(((salt, exact, path.join(".")), used));
            }
            let step = match self.tokens[self.at + used..] {
                [Token::Symbol("."), Token::Name(next), ..] => Some((next, 2)),
                [Token::Symbol("["), key @ Token::Quoted(_), Token::Symbol("]"), ..] => {
                    key.unquoted().map(|next| (next, 3))
                }
                _ => None,
            };
            let Some((next, length)) = step.filter(|_| path.len() < 4) else { break };
            path.push(next.strip_prefix("ansible_").unwrap_or(next));
            used += length;
        }
        best.map_or((None, 0), |(found, used)| (Some(found), used))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        Scope {
            declared: HashSet::from(["port".to_owned()]),
            registered: HashSet::from(["result".to_owned()]),
            ..Scope::default()
        }
    }

    #[test]
    fn facts_become_grains() {
        let cases = [
            ("ansible_os_family == \"Debian\"", "grains['os_family'] == 'Debian'"),
            (
                "ansible_facts['os_family'] in ['Archlinux', \"RedHat\"]",
                "grains['os_family'] in ['Arch', 'RedHat']",
            ),
            (
                "ansible_facts.distribution != 'Ubuntu' and x == 'Archlinux'",
                "grains['os'] != 'Ubuntu' and x == 'Archlinux'",
            ),
            ("ansible_default_ipv4.address", "grains['fqdn_ip4'][0]"),
            (
                "ansible_distribution_major_version | int >= 8",
                "grains['osmajorrelease'] | string | int >= 8",
            ),
            ("inventory_hostname", "grains['id']"),
            (
                "ansible_distribution_version is version('20.04', '>=')",
                "salt['pkg.version_cmp'](grains['osrelease'] | string, '20.04') >= 0",
            ),
            ("path | basename", "salt['file.basename'](path)"),
            ("flag | bool", "flag | to_bool"),
        ];
        for (ansible, salt) in cases {
            assert_eq!(scope().expression(ansible), salt, "{ansible}");
        }
    }

    #[test]
    fn outside_variables_are_noted_with_how_they_are_used() {
        let mut scope = scope();
        scope.expression("a is defined and b | default('x') and c.d == port and not e['f']");
        let free: Vec<_> = scope.free.iter().map(|(name, soft)| (name.as_str(), *soft)).collect();
        assert_eq!(free, [("a", true), ("b", true), ("c", false), ("e", false)]);
        scope.expression("a");
        assert!(!scope.free["a"]);
    }

    #[test]
    fn what_salt_lacks_is_an_issue() {
        for source in [
            "result.stdout",
            "x | password_hash('sha512')",
            "lookup('file', 'x')",
            "hostvars['a'].b",
            "x is subset(y)",
        ] {
            let mut scope = scope();
            scope.expression(source);
            assert!(scope.issues.iter().any(|issue| issue.fatal), "{source}");
        }
    }

    #[test]
    fn text_around_expressions_stays() {
        assert_eq!(
            scope().text("a {{ansible_hostname}} b {% if port %}c{% endif %}"),
            "a {{ grains['host'] }} b {% if port %}c{% endif %}"
        );
    }
}
