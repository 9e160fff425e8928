//! Tasks and blocks.

use super::args::{Arg, arguments};
use super::conditions::{conditions, join};
use super::files;
use super::keywords::{INHERITED, ITEM_LOOPS, TASK, is_task_keyword, short_name};
use super::modules;
use super::parse::{Parser, SECTION};
use super::play::Section;
use crate::data_plane::format::ParseError;
use crate::data_plane::limits::{BLOCK_DEPTH_MAX, KEYS_PER_OPERATION_MAX};
use crate::data_plane::report::Status;
use crate::data_plane::yaml::{Node, NodeKind, Style};
use crate::semantic::{Key, Map, Operation, Origin, OriginKey, Value};

/// What tasks take over from their play, role and blocks.
#[derive(Clone, Debug)]
pub(super) struct Inherited {
    pub(super) play: String,
    pub(super) hosts: String,
    pub(super) when: Vec<String>,
    role: Option<String>,
    keywords: Map,
}

impl Inherited {
    pub(super) fn new(play: &str, hosts: &str) -> Self {
        Self {
            play: play.to_owned(),
            hosts: hosts.to_owned(),
            when: Vec::new(),
            role: None,
            keywords: Map::new(),
        }
    }

    pub(super) fn in_role(&self, role: &str) -> Self {
        Self { role: Some(role.to_owned()), ..self.clone() }
    }

    /// Takes a keyword of the surrounding play or block: lists and maps add up, others override.
    pub(super) fn keyword(&mut self, name: &str, value: Value) {
        let joined = match (name, self.keywords.get(name).cloned()) {
            ("tags", Some(outer)) => {
                Value::List(list(outer).into_iter().chain(list(value)).collect())
            }
            ("tags", None) => Value::List(list(value)),
            ("environment" | "vars", Some(Value::Map(mut outer))) => {
                if let Value::Map(inner) = value {
                    outer.extend(inner);
                }
                Value::Map(outer)
            }
            _ => value,
        };
        self.keywords.set(name, joined);
    }
}

/// A value as a list; commas separate the tags in a text.
fn list(value: Value) -> Vec<Value> {
    match value {
        Value::List(items) => items,
        Value::Null => Vec::new(),
        Value::String(text) => text.split(',').map(|part| part.trim().into()).collect(),
        other => vec![other],
    }
}

impl Parser<'_> {
    /// Reads a list of tasks.
    pub(super) fn tasks(
        &mut self,
        items: &[Node],
        inherited: &Inherited,
        section: Section,
        depth: usize,
    ) -> Result<(), ParseError> {
        items.iter().try_for_each(|item| self.task(item, inherited, section, depth))
    }

    /// Reads a task or block.
    pub(super) fn task(
        &mut self,
        node: &Node,
        inherited: &Inherited,
        section: Section,
        depth: usize,
    ) -> Result<(), ParseError> {
        let Some(entries) = node.entries() else {
            if !node.is_null() {
                self.report.note(
                    Status::Lost,
                    &inherited.play,
                    "task",
                    "not a task: a task is a mapping",
                    node.line,
                );
            }
            return Ok(());
        };
        bounded(node)?;
        if let Some(block) = node.get("block") {
            return self.block(node, block, inherited, section, depth);
        }
        let Some((module, value, module_line)) = action(entries) else {
            let detail = "a task without a module";
            self.report.note(
                Status::Lost,
                &inherited.play,
                node.get("name").and_then(Node::text).unwrap_or("task"),
                detail,
                node.line,
            );
            return Ok(());
        };
        if self.inline(&module, &value, node, inherited, section, depth)? {
            return Ok(());
        }
        let operation =
            self.operation(node, entries, &module, &value, module_line, inherited, section);
        self.add(operation)
    }

    fn block(
        &mut self,
        node: &Node,
        block: &Node,
        inherited: &Inherited,
        section: Section,
        depth: usize,
    ) -> Result<(), ParseError> {
        if depth >= BLOCK_DEPTH_MAX {
            return Err(ParseError::Limit { what: "nested blocks", max: BLOCK_DEPTH_MAX });
        }
        let mut inner = inherited.clone();
        let label = node.get("name").and_then(Node::text).unwrap_or("block").to_owned();
        for (key, value) in node.entries().unwrap_or_default() {
            let name = key.text().unwrap_or("?");
            let (status, detail) = match name {
                "block" | "name" => (Status::Kept, ""),
                "when" => {
                    inner.when.extend(conditions(value));
                    (Status::Kept, "handed down to the tasks of the block")
                }
                "tags" | "environment" | "vars" => {
                    inner.keyword(name, value.value());
                    (Status::Kept, "handed down to the tasks of the block")
                }
                _ if INHERITED.contains(&name) => {
                    inner.keyword(name, value.value());
                    (Status::Kept, "handed down to the tasks of the block")
                }
                "rescue" => {
                    (Status::Lost, "the tasks that run after a failure of the block are left out")
                }
                "always" => (
                    Status::Approximated,
                    "these tasks follow the block, but do not run after a failure of it",
                ),
                _ => (Status::Lost, "not a keyword of a block"),
            };
            let scope = format!("{} / {label}", inherited.play);
            self.report.note(status, &scope, name, detail, key.line);
        }
        self.tasks(block.items().unwrap_or_default(), &inner, section, depth + 1)?;
        let always = node.get("always").and_then(Node::items).unwrap_or_default();
        self.tasks(always, &inner, section, depth + 1)
    }

    /// Reads the tasks of an included file, when it was given along.
    fn inline(
        &mut self,
        module: &str,
        value: &Node,
        node: &Node,
        inherited: &Inherited,
        section: Section,
        depth: usize,
    ) -> Result<bool, ParseError> {
        let short = short_name(module);
        if !matches!(short, "import_tasks" | "include_tasks" | "import_role" | "include_role")
            || has_loop(node)
        {
            return Ok(false);
        }
        let key = if short.ends_with("_role") { "name" } else { "file" };
        let name = value.text().or_else(|| value.get(key)?.text()).unwrap_or_default();
        let name =
            name.strip_prefix("file=").or_else(|| name.strip_prefix("name=")).unwrap_or(name);
        let (found, role) = if key == "name" {
            (files::role_file(self.options, name, "tasks"), Some(name.to_owned()))
        } else {
            (
                files::resolve(self.options, name, inherited.role.as_deref(), "tasks"),
                inherited.role.clone(),
            )
        };
        let Some(document) = found.and_then(|(_, text)| files::document(text)) else {
            return Ok(false);
        };
        if depth >= BLOCK_DEPTH_MAX {
            return Err(ParseError::Limit { what: "nested includes", max: BLOCK_DEPTH_MAX });
        }
        let mut inner = Inherited { role, ..inherited.clone() };
        for (key, value) in node.entries().unwrap_or_default() {
            let keyword = key.text().unwrap_or("?");
            match keyword {
                "when" => inner.when.extend(conditions(value)),
                _ if INHERITED.contains(&keyword)
                    || matches!(keyword, "tags" | "vars" | "environment") =>
                {
                    inner.keyword(keyword, value.value())
                }
                "name" => {}
                _ if keyword.ends_with(short) => {}
                _ => self.report.note(
                    Status::Lost,
                    &inherited.play,
                    keyword,
                    format!("not applied to the tasks of {name}"),
                    key.line,
                ),
            }
        }
        self.report.note(
            Status::Kept,
            &inherited.play,
            short,
            format!("tasks of {name} taken in"),
            node.line,
        );
        self.tasks(document.items().unwrap_or_default(), &inner, section, depth + 1)?;
        Ok(true)
    }

    /// An operation that stands for something whose content is elsewhere.
    pub(super) fn stand_in(
        &mut self,
        module: &str,
        name: &str,
        node: &Node,
        inherited: &Inherited,
    ) -> Result<(), ParseError> {
        let mut inner = inherited.clone();
        let mut args =
            vec![Arg { name: "name".to_owned(), value: name.into(), plain: None, line: node.line }];
        for (key, value) in node.entries().unwrap_or_default() {
            match key.text().unwrap_or("?") {
                "role" | "name" => {}
                "when" => inner.when.extend(conditions(value)),
                keyword if INHERITED.contains(&keyword) || keyword == "tags" => {
                    inner.keyword(keyword, value.value())
                }
                other => args.push(Arg {
                    name: other.to_owned(),
                    value: value.value(),
                    plain: None,
                    line: key.line,
                }),
            }
        }
        let mapped = modules::map(module, args);
        let mut operation = Operation::new(self.next_id(), mapped.kind, mapped.params);
        operation.target = target(&inner, inner.when.clone());
        operation.metadata = metadata(&inner, module, Some(&format!("Role {name}")), node.value());
        let scope = inner.play.clone();
        operation.origin = Some(Box::new(Origin { line: node.line, scope, keys: mapped.keys }));
        self.add(operation)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a task, each used once")]
    fn operation(
        &mut self,
        node: &Node,
        entries: &[(Node, Node)],
        module: &str,
        value: &Node,
        module_line: u32,
        inherited: &Inherited,
        section: Section,
    ) -> Operation {
        let mut args = arguments(value, module_line, modules::takes_command(module));
        if let Some(extra) = node.get("args") {
            let extra = arguments(extra, extra.line, false);
            args.extend(
                extra
                    .into_iter()
                    .filter(|arg| args.iter().all(|known| known.name != arg.name))
                    .collect::<Vec<_>>(),
            );
        }
        let mapped = modules::map(module, args);
        let mut keys = mapped.keys;
        // Text without a name of its own is told under the module's name.
        for key in keys.iter_mut().filter(|key| modules::is_made_up(&key.source)) {
            module.clone_into(&mut key.source);
        }
        if keys.is_empty() {
            keys.push(OriginKey {
                entry: "module".to_owned(),
                source: module.to_owned(),
                line: module_line,
            });
        }
        let name = node.get("name").and_then(Node::text);
        let mut meta = metadata(inherited, module, name, node.value());
        let mut when = inherited.when.clone();
        for (key, value) in entries {
            task_keyword(key, value, &mut meta, &mut when, &mut keys);
        }
        if section == Section::Handlers {
            meta.set(SECTION, Value::atom("handlers"));
        }
        let mut operation = Operation::new(self.next_id(), mapped.kind, mapped.params);
        operation.target = target(inherited, when);
        operation.metadata = meta;
        operation.origin =
            Some(Box::new(Origin { line: node.line, scope: inherited.play.clone(), keys }));
        for (entry, detail) in mapped.notes {
            self.report.about(&operation, Status::Approximated, &entry, detail);
        }
        let modules: Vec<_> = entries
            .iter()
            .filter(|(key, _)| key.text().is_some_and(|key| !is_task_keyword(key)))
            .collect();
        for (key, _) in modules.iter().skip(1) {
            self.report.about(
                &operation,
                Status::Lost,
                key.text().unwrap_or("?"),
                "a task has one module; this one is ignored",
            );
        }
        operation
    }
}

/// Checks that neither a task nor any of its values has more keys than can be searched one by one.
pub(super) fn bounded(node: &Node) -> Result<(), ParseError> {
    let entries = node.entries().unwrap_or_default();
    let values = entries.iter().filter_map(|(_, value)| value.entries());
    if std::iter::once(entries).chain(values).any(|map| map.len() > KEYS_PER_OPERATION_MAX) {
        return Err(ParseError::Limit { what: "keys of one task", max: KEYS_PER_OPERATION_MAX });
    }
    Ok(())
}

/// Whether a task repeats.
fn has_loop(node: &Node) -> bool {
    let is_loop = |key: &str| key == "loop" || key.starts_with("with_");
    node.entries().unwrap_or_default().iter().any(|(key, _)| key.text().is_some_and(is_loop))
}

fn task_keyword(
    key: &Node,
    value: &Node,
    meta: &mut Map,
    when: &mut Vec<String>,
    keys: &mut Vec<OriginKey>,
) {
    let name = key.text().unwrap_or("?");
    let mut keep = |entry: &str, value: Value| {
        meta.set(entry, value);
        keys.push(OriginKey { entry: entry.to_owned(), source: name.to_owned(), line: key.line });
    };
    match name {
        "name" => keys.push(OriginKey {
            entry: "task_name".to_owned(),
            source: name.to_owned(),
            line: key.line,
        }),
        "when" => {
            when.extend(conditions(value));
            keys.push(OriginKey {
                entry: "when".to_owned(),
                source: name.to_owned(),
                line: key.line,
            });
        }
        "with_dict" => keep("loop", dict_items(value)),
        _ if ITEM_LOOPS.contains(&name) => {
            keep("loop", items(value, name != "loop" && name != "with_list"))
        }
        _ if name.starts_with("with_") => {
            keep("lookup", Map::new().with(name, value.value()).into())
        }
        "args" => keys.push(OriginKey {
            entry: "args".to_owned(),
            source: name.to_owned(),
            line: key.line,
        }),
        _ if TASK.contains(&name) => {
            let joined = match (name, value.value()) {
                ("tags" | "notify" | "listen", value) => Value::List(list_of_names(name, value)),
                (_, value) => value,
            };
            keep(name, joined);
        }
        _ => {}
    }
}

fn list_of_names(keyword: &str, value: Value) -> Vec<Value> {
    match value {
        Value::String(text) if keyword != "tags" => vec![Value::String(text)],
        other => list(other),
    }
}

/// The items of a loop: a list, or an expression that gives one. `with_items` flattens one level.
fn items(value: &Node, flatten: bool) -> Value {
    match value.value() {
        Value::List(items) if flatten => Value::List(
            items
                .into_iter()
                .flat_map(|item| match item {
                    Value::List(inner) => inner,
                    other => vec![other],
                })
                .collect(),
        ),
        Value::String(text) if flatten && !text.contains("{{") => Value::List(vec![text.into()]),
        other => other,
    }
}

/// The items of `with_dict`: maps of key and value.
fn dict_items(value: &Node) -> Value {
    match value.value() {
        Value::Map(map) => {
            let item = |(key, value): (Key, Value)| {
                Map::new().with("key", key.label()).with("value", value).into()
            };
            Value::List(map.into_iter().map(item).collect())
        }
        Value::String(text) => {
            let inner =
                text.trim().trim_start_matches("{{").trim_end_matches("}}").trim().to_owned();
            Value::String(format!("{{{{ {inner} | dict2items }}}}"))
        }
        other => other,
    }
}

/// The module of a task, its arguments and its line.
fn action(entries: &[(Node, Node)]) -> Option<(String, Node, u32)> {
    for (key, value) in entries {
        let name = key.text().unwrap_or_default();
        if matches!(name, "action" | "local_action") {
            return explicit_action(value).map(|(module, value)| (module, value, key.line));
        }
        if !name.is_empty() && !is_task_keyword(name) {
            return Some((name.to_owned(), value.clone(), key.line));
        }
    }
    None
}

/// `action: apt name=x` and `action: {module: apt, name: x}`.
fn explicit_action(value: &Node) -> Option<(String, Node)> {
    if let Some(text) = value.text() {
        let (module, rest) =
            text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
        let kind = NodeKind::Scalar(rest.trim().to_owned(), Style::Quoted);
        return Some((module.to_owned(), Node { kind, ..value.clone() }));
    }
    let module = value.get("module")?.text()?.to_owned();
    let entries =
        value.entries()?.iter().filter(|(key, _)| key.text() != Some("module")).cloned().collect();
    Some((module, Node { kind: NodeKind::Mapping(entries), ..value.clone() }))
}

/// spec: contract 4.1, target of an operation.
fn target(inherited: &Inherited, when: Vec<String>) -> Map {
    let environment =
        ["prod", "staging", "dev"].into_iter().find(|word| inherited.hosts.contains(word));
    Map::new()
        .with("hosts", inherited.hosts.clone())
        .with("when", join(&when))
        .with("environment", Value::atom(environment.unwrap_or("unknown")))
}

fn metadata(inherited: &Inherited, module: &str, name: Option<&str>, original: Value) -> Map {
    let mut meta = Map::new()
        .with("source", Value::atom("ansible"))
        .with("original_task", original)
        .with("task_name", name.unwrap_or("Unnamed task"))
        .with("module", module)
        .with("hosts", inherited.hosts.clone());
    for (key, value) in inherited.keywords.iter() {
        if let Some(name) = key.name() {
            meta.set(name, value.clone());
        }
    }
    meta
}
