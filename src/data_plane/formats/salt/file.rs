//! The file around the states: head, variables, and the plays with their hosts.

use std::collections::HashSet;

use super::emit::{State, comment_line, write_states};
use super::transform::{Converter, play_index};
use super::variables;
use crate::data_plane::report::Status;
use crate::semantic::{Map, Operation};

impl Converter<'_> {
    /// The whole file.
    pub(super) fn write(&mut self, order: &[usize]) -> String {
        if order.iter().all(|&at| self.units[at].states.is_empty()) {
            return "{}\n".to_owned();
        }
        let from_ansible = self.graph.metadata.text("source") == Some("ansible");
        let hosts: HashSet<&str> =
            self.graph.vertices.iter().filter_map(|op| op.target.text("hosts")).collect();
        let several = hosts.len() > 1;
        let mut body = String::new();
        let plays: Vec<Option<usize>> = self.units.iter().map(|unit| unit.play).collect();
        for group in order.chunk_by(|a, b| plays[*a] == plays[*b]) {
            let first = &self.graph.vertices[group[0]];
            let guard = if from_ansible { self.play_head(first, several, &mut body) } else { None };
            let states: Vec<State> =
                group.iter().flat_map(|&at| std::mem::take(&mut self.units[at].states)).collect();
            write_states(&mut body, &states);
            if guard.is_some() {
                body.push_str("\n{% endif %}\n");
            }
        }
        let mut text = String::new();
        if from_ansible {
            text.push_str("# Converted from an Ansible playbook by har.\n");
        }
        for line in variables::outside(&self.scope.free) {
            text.push_str(&line);
            text.push('\n');
        }
        self.tell_outside_variables();
        text.push_str(body.trim_start_matches(if text.is_empty() { "\n" } else { "" }));
        text
    }

    /// The head of a play: what it is, its variables, and the condition for its hosts.
    fn play_head(&mut self, first: &Operation, several: bool, body: &mut String) -> Option<String> {
        let hosts = first.target.text("hosts").unwrap_or("all").to_owned();
        let play = play_index(first);
        let (name, vars) = match play.and_then(|play| self.plays.get(play)) {
            Some((name, _, vars)) => (name.clone(), vars.clone()),
            None => (
                first.origin.as_ref().map_or_else(|| hosts.clone(), |origin| origin.scope.clone()),
                Map::new(),
            ),
        };
        body.push('\n');
        body.push_str(&comment_line(&format!("Play: {name} (hosts: {hosts})")));
        let guard = if several { hosts_guard(&hosts) } else { None };
        if let Some(guard) = &guard {
            let detail = format!(
                "minions are chosen by `{guard}`: give them the grain, or put each play into a file of its own and assign it in top.sls"
            );
            self.report.note(Status::Approximated, &name, "hosts", detail, 0);
            body.push_str(&format!("{{% if {guard} %}}\n"));
        } else if hosts != "all" {
            self.report.note(
                Status::Approximated,
                &name,
                "hosts",
                format!("assign the file to the minions of `{hosts}` in top.sls"),
                0,
            );
        }
        for line in variables::declared(&vars, &mut self.scope) {
            body.push_str(&line);
            body.push('\n');
        }
        for issue in std::mem::take(&mut self.scope.issues) {
            let status = if issue.fatal { Status::Lost } else { Status::Approximated };
            self.report.note(status, &name, "vars", issue.detail, 0);
        }
        guard
    }

    fn tell_outside_variables(&mut self) {
        for (name, soft) in &self.scope.free {
            let need = if *soft { "may be given" } else { "must be given" };
            self.report.note(
                Status::Approximated,
                "",
                name,
                format!("the variable is set nowhere in the source: it {need} as pillar data"),
                0,
            );
        }
    }
}

/// The condition under which a minion belongs to a host pattern; `None` for all hosts.
fn hosts_guard(hosts: &str) -> Option<String> {
    let mut any = Vec::new();
    let mut all = Vec::new();
    for part in hosts.split([',', ':']).map(str::trim).filter(|part| !part.is_empty()) {
        match part.split_at(1) {
            ("!", name) => all.push(format!("not {}", belongs(name))),
            ("&", name) => all.push(belongs(name)),
            _ if part == "all" || part == "*" => any.push("true".to_owned()),
            _ => any.push(belongs(part)),
        }
    }
    let any = match any.as_slice() {
        [] => "true".to_owned(),
        [one] => one.clone(),
        several => format!("({})", several.join(" or ")),
    };
    all.insert(0, any);
    all.retain(|part| part != "true");
    (!all.is_empty()).then(|| all.join(" and "))
}

fn belongs(name: &str) -> String {
    let name = name.replace(['\'', '\\', '{', '}', '%'], "");
    if name.contains(['*', '?']) {
        format!("salt['match.glob']('{name}')")
    } else if name == "localhost" {
        "grains['localhost'] is defined".to_owned()
    } else {
        format!("('{name}' in grains.get('roles', []) or grains['id'] == '{name}')")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_patterns_become_conditions() {
        let role = |name: &str| {
            format!("('{name}' in grains.get('roles', []) or grains['id'] == '{name}')")
        };
        assert_eq!(hosts_guard("all"), None);
        assert_eq!(hosts_guard("web"), Some(role("web")));
        assert_eq!(
            hosts_guard("web:!old"),
            Some(format!("{} and not {}", role("web"), role("old")))
        );
        assert_eq!(hosts_guard("a,b"), Some(format!("({} or {})", role("a"), role("b"))));
        assert_eq!(hosts_guard("web*").as_deref(), Some("salt['match.glob']('web*')"));
    }
}
