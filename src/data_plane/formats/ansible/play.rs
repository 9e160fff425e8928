//! A play: its keywords, variables, roles and sections.

use super::conditions::conditions;
use super::files;
use super::keywords::{INHERITED, PLAY_EXECUTION};
use super::parse::{Parser, play_value};
use super::task::{Inherited, bounded};
use crate::data_plane::format::ParseError;
use crate::data_plane::limits::BLOCK_DEPTH_MAX;
use crate::data_plane::report::Status;
use crate::data_plane::yaml::Node;
use crate::semantic::{Map, Value};

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// `pre_tasks`, roles, `tasks` and `post_tasks`.
    Tasks,
    /// Runs only when notified.
    Handlers,
}

impl Parser<'_> {
    /// Reads an item of a playbook.
    pub(super) fn play(&mut self, play: &Node) -> Result<(), ParseError> {
        let Some(entries) = play.entries() else {
            self.report.note(
                Status::Lost,
                "playbook",
                "item",
                "not a play: a play is a mapping",
                play.line,
            );
            return Ok(());
        };
        let hosts = play.get("hosts").map_or_else(|| "all".to_owned(), hosts_text);
        let name = play.get("name").and_then(Node::text).unwrap_or(&hosts).to_owned();
        let mut inherited = Inherited::new(&name, &hosts);
        let import = entries
            .iter()
            .find(|(key, _)| key.text().is_some_and(|text| text.ends_with("import_playbook")));
        if import.is_some() {
            let done = self.import_playbook(play, inherited);
            self.end_play(&name, &hosts, Map::new());
            return done;
        }
        let mut vars = Map::new();
        for (key, value) in entries {
            self.play_keyword(key, value, &mut inherited, &mut vars);
        }
        self.sections(play, &mut inherited, &mut vars)?;
        self.end_play(&name, &hosts, vars);
        Ok(())
    }

    fn end_play(&mut self, name: &str, hosts: &str, vars: Map) {
        self.plays.push(play_value(name, hosts, vars));
        self.play += 1;
        self.task = 0;
    }

    /// Reads a file that holds tasks only, as one play for all hosts.
    pub(super) fn task_file(&mut self, items: &[Node], line: u32) -> Result<(), ParseError> {
        let inherited = Inherited::new("tasks", "all");
        self.report.note(
            Status::Approximated,
            "tasks",
            "hosts",
            "a file of tasks without a play: taken for all hosts",
            line,
        );
        self.tasks(items, &inherited, Section::Tasks, 0)?;
        self.end_play("tasks", "all", Map::new());
        Ok(())
    }

    fn sections(
        &mut self,
        play: &Node,
        inherited: &mut Inherited,
        vars: &mut Map,
    ) -> Result<(), ParseError> {
        let mut role_handlers = Vec::new();
        self.section(play, "pre_tasks", inherited, Section::Tasks)?;
        if let Some(roles) = play.get("roles") {
            for role in roles.items().unwrap_or_default() {
                self.role(role, inherited, vars, &mut role_handlers)?;
            }
        }
        self.section(play, "tasks", inherited, Section::Tasks)?;
        self.section(play, "post_tasks", inherited, Section::Tasks)?;
        self.section(play, "handlers", inherited, Section::Handlers)?;
        for (role, document) in role_handlers {
            let inherited = inherited.in_role(&role);
            self.tasks(document.items().unwrap_or_default(), &inherited, Section::Handlers, 0)?;
        }
        Ok(())
    }

    fn section(
        &mut self,
        play: &Node,
        key: &str,
        inherited: &Inherited,
        section: Section,
    ) -> Result<(), ParseError> {
        let Some(node) = play.get(key) else { return Ok(()) };
        match node.items() {
            Some(items) => self.tasks(items, inherited, section, 0),
            None => {
                if !node.is_null() {
                    self.report.note(
                        Status::Lost,
                        &inherited.play,
                        key,
                        "not a list of tasks",
                        node.line,
                    );
                }
                Ok(())
            }
        }
    }

    fn play_keyword(
        &mut self,
        key: &Node,
        value: &Node,
        inherited: &mut Inherited,
        vars: &mut Map,
    ) {
        let (name, line) = (key.text().unwrap_or("?"), key.line);
        let play = inherited.play.clone();
        let execution = PLAY_EXECUTION.iter().find(|(keyword, _)| *keyword == name);
        match name {
            "name" | "pre_tasks" | "roles" | "tasks" | "post_tasks" | "handlers" => {
                self.report.note(Status::Kept, &play, name, "", line);
            }
            "hosts" => {
                let (status, detail) = match value.text() {
                    Some("all") => (Status::Kept, String::new()),
                    _ => (Status::Kept, format!("the target is `{}`", inherited.hosts)),
                };
                self.report.note(status, &play, name, detail, line);
            }
            "vars" => {
                if let Value::Map(map) = value.value() {
                    vars.extend(map);
                }
                self.report.note(Status::Kept, &play, name, "", line);
            }
            "vars_files" => self.vars_files(value, &play, vars, line),
            "when" => inherited.when.extend(conditions(value)),
            "tags" | "environment" => {
                inherited.keyword(name, value.value());
                self.report.note(Status::Kept, &play, name, "handed down to the tasks", line);
            }
            _ if INHERITED.contains(&name) => {
                inherited.keyword(name, value.value());
                self.report.note(Status::Kept, &play, name, "handed down to the tasks", line);
            }
            _ => match execution {
                Some((_, "")) => self.report.note(Status::Kept, &play, name, "", line),
                Some((_, detail)) => self.report.note(Status::Lost, &play, name, *detail, line),
                None => {
                    self.report.note(Status::Lost, &play, name, "not a keyword of a play", line)
                }
            },
        }
    }

    fn vars_files(&mut self, value: &Node, play: &str, vars: &mut Map, line: u32) {
        let single = std::slice::from_ref(value);
        for item in value.items().unwrap_or(single) {
            let name = item.text().unwrap_or("?");
            let document = files::resolve(self.options, name, None, "vars")
                .and_then(|(_, text)| files::document(text));
            match document.map(|document| document.value()) {
                Some(Value::Map(map)) => {
                    vars.extend(map);
                    self.report.note(
                        Status::Kept,
                        play,
                        "vars_files",
                        format!("variables of {name} taken in"),
                        line,
                    );
                }
                _ => {
                    let detail =
                        format!("{name} was not given along: put its variables into pillar data");
                    self.report.note(Status::Lost, play, "vars_files", detail, line);
                }
            }
        }
    }

    /// A role by name: its files when given along, else an operation that stands for it.
    fn role(
        &mut self,
        role: &Node,
        inherited: &Inherited,
        vars: &mut Map,
        handlers: &mut Vec<(String, Node)>,
    ) -> Result<(), ParseError> {
        bounded(role)?;
        let name =
            role.text().or_else(|| ["role", "name"].iter().find_map(|key| role.get(key)?.text()));
        let Some(name) = name.map(str::to_owned) else {
            self.report.note(
                Status::Lost,
                &inherited.play,
                "roles",
                "a role without a name",
                role.line,
            );
            return Ok(());
        };
        let tasks = files::role_file(self.options, &name, "tasks")
            .and_then(|(_, text)| files::document(text));
        let Some(tasks) = tasks else {
            return self.stand_in("ansible.builtin.import_role", &name, role, inherited);
        };
        let mut inner = inherited.in_role(&name);
        for (key, value) in role.entries().unwrap_or_default() {
            self.role_keyword(key, value, &mut inner, vars);
        }
        for folder in ["vars", "defaults"] {
            let document = files::role_file(self.options, &name, folder)
                .and_then(|(_, text)| files::document(text));
            if let Some(Value::Map(map)) = document.map(|document| document.value()) {
                let new = map
                    .into_iter()
                    .filter(|(key, _)| key.name().is_none_or(|name| !vars.contains(name)));
                let new: Map = new.collect();
                vars.extend(new);
            }
        }
        if let Some(document) = files::role_file(self.options, &name, "handlers")
            .and_then(|(_, text)| files::document(text))
        {
            handlers.push((name.clone(), document));
        }
        self.report.note(
            Status::Kept,
            &inherited.play,
            "roles",
            format!("tasks of role {name} taken in"),
            role.line,
        );
        self.tasks(tasks.items().unwrap_or_default(), &inner, Section::Tasks, 1)
    }

    fn role_keyword(&mut self, key: &Node, value: &Node, inner: &mut Inherited, vars: &mut Map) {
        let name = key.text().unwrap_or("?");
        match name {
            "role" | "name" => {}
            "vars" => {
                if let Value::Map(map) = value.value() {
                    vars.extend(map);
                }
            }
            "when" => inner.when.extend(conditions(value)),
            _ if INHERITED.contains(&name) || name == "tags" || name == "environment" => {
                inner.keyword(name, value.value())
            }
            // Any other key of a role entry is a variable for it.
            _ => vars.set(name, value.value()),
        }
    }

    fn import_playbook(&mut self, play: &Node, inherited: Inherited) -> Result<(), ParseError> {
        self.task(play, &inherited, Section::Tasks, BLOCK_DEPTH_MAX)
    }
}

/// A host pattern as text; a list is joined as Ansible joins it.
fn hosts_text(node: &Node) -> String {
    match node.items() {
        Some(items) => items.iter().filter_map(Node::text).collect::<Vec<_>>().join(","),
        None => node.text().unwrap_or("all").to_owned(),
    }
}
