//! From the graph to an SLS file.
//!
//! Ansible stops a host at the first failure; Salt goes on. The order edges of the graph therefore
//! become `require`, so that what follows a failed task does not run either.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::conditions::{self, Registered};
use super::draft::Draft;
use super::emit::{Argument, Repeat, State};
use super::expression::Scope;
use super::loops::{self, Loop};
use super::requisites;
use super::{keywords, states, variables};
use crate::data_plane::format::{Options, TransformError, Transformed};
use crate::data_plane::jinja::{Token, tokens};
use crate::data_plane::report::{Report, Status};
use crate::semantic::{Graph, Kind, Map, Operation, Value};

/// Longest part of a state id that comes from a task's name. spec: contract 7.2
const ID_NAME_CHARS_MAX: usize = 51;

/// State modules that left Salt's core.
const EXTENSIONS: &[&str] = &["docker_container", "docker_image", "npm", "alternatives"];

/// The states of one operation.
#[derive(Debug, Default)]
pub(super) struct Unit {
    /// Index of the play, when the graph knows plays.
    pub(super) play: Option<usize>,
    pub(super) states: Vec<State>,
    /// Whether what follows does not depend on it.
    pub(super) may_fail: bool,
}

/// The conversion of one graph.
pub(super) struct Converter<'a> {
    pub(super) graph: &'a Graph,
    pub(super) report: Report,
    pub(super) scope: Scope,
    registered: Registered<'a>,
    pub(super) plays: Vec<(String, String, Map)>,
    /// Variables of plays that are lists.
    list_variables: Rc<HashSet<String>>,
    pub(super) units: Vec<Unit>,
    /// What was already said about the present operation.
    said: HashSet<(Status, String, String)>,
}

/// Writes a graph as states.
pub(super) fn transform(graph: &Graph, _options: &Options) -> Result<Transformed, TransformError> {
    let order = graph.source_order()?;
    let mut converter = Converter::new(graph);
    converter.units.resize_with(graph.vertices.len(), Unit::default);
    for (index, &at) in order.iter().enumerate() {
        converter.units[at] = converter.unit(&graph.vertices[at], index);
    }
    requisites::connect(&mut converter, &order);
    let text = converter.write(&order);
    Ok(Transformed { text, report: converter.report })
}

impl<'a> Converter<'a> {
    fn new(graph: &'a Graph) -> Self {
        let mut scope = Scope::default();
        let mut by_name = HashMap::new();
        let plays = variables::of_plays(&graph.metadata);
        let mut list_variables = HashSet::new();
        for (_, _, vars) in &plays {
            let lists = vars.iter().filter(|(_, value)| value.as_list().is_some());
            list_variables.extend(lists.filter_map(|(key, _)| key.name().map(str::to_owned)));
            scope.declared.extend(vars.iter().filter_map(|(key, _)| key.name().map(str::to_owned)));
        }
        for (at, operation) in graph.vertices.iter().enumerate() {
            if let Some(name) = operation.metadata.text("register") {
                by_name.insert(name, at);
                scope.registered.insert(name.to_owned());
            }
            let facts =
                (operation.kind.kind() == Some(Kind::VariableSet)).then_some(&operation.params);
            let vars = operation.metadata.get("vars").and_then(Value::as_map);
            for map in facts.into_iter().chain(vars) {
                scope
                    .declared
                    .extend(map.iter().filter_map(|(key, _)| key.name().map(str::to_owned)));
            }
        }
        let registered = Registered { vertices: &graph.vertices, by_name };
        Self {
            graph,
            report: Report::default(),
            scope,
            registered,
            plays,
            list_variables: Rc::new(list_variables),
            units: Vec::new(),
            said: HashSet::new(),
        }
    }

    /// The states of an operation, still without their requisites.
    fn unit(&mut self, operation: &'a Operation, index: usize) -> Unit {
        self.said.clear();
        let id = state_id(operation, index);
        let states = match loops::of(operation) {
            Loop::Once => vec![self.state(operation, id, None)],
            Loop::Items(variable, items) => match joined_packages(operation, &variable, &items) {
                Some(joined) => vec![self.state(&joined, id, None)],
                None => {
                    let item = |(at, item): (usize, &Value)| {
                        let single = loops::for_item(operation, &variable, item, at);
                        self.state(&single, format!("{id}_{}", at + 1), None)
                    };
                    items.iter().enumerate().map(item).collect()
                }
            },
            Loop::Expression(variable, expression) => {
                let repeat = self.repeat(operation, variable.clone(), &expression);
                self.scope.local.push(variable);
                let state =
                    self.state(operation, format!("{id}_{{{{ loop.index }}}}"), Some(repeat));
                self.scope.local.pop();
                vec![state]
            }
        };
        let on = |name: &str| operation.metadata.get(name).and_then(Value::as_flag) == Some(true);
        Unit { play: play_index(operation), states, may_fail: on("ignore_errors") }
    }

    fn repeat(&mut self, operation: &Operation, variable: String, expression: &str) -> Repeat {
        let (source, pairs) = match expression.strip_suffix("| dict2items") {
            Some(map) => (map.trim(), true),
            None => (expression, false),
        };
        let expression = self.scope.expression(source);
        self.issues(operation, "loop");
        Repeat { variable, expression, pairs }
    }

    fn state(&mut self, operation: &Operation, id: String, repeat: Option<Repeat>) -> State {
        let list_variables = Rc::clone(&self.list_variables);
        let mut draft = Draft::new(operation, &list_variables);
        let filled = states::fill(&mut draft) && !operation.metadata.contains("lookup");
        if filled {
            keywords::apply(&mut draft);
        }
        if operation.kind.kind() == Some(Kind::VariableSet) {
            draft.before.extend(variables::assigned(&operation.params, &mut self.scope));
        } else if let Some(vars) = operation.metadata.get("vars").and_then(Value::as_map) {
            draft.before.extend(variables::assigned(vars, &mut self.scope));
        }
        let broken_before = self.issues(operation, "vars");
        let context = self.template_context(operation);
        let mut state =
            State { id, repeat, before: std::mem::take(&mut draft.before), ..State::default() };
        self.condition(operation, &mut draft, &mut state);
        let module = draft.function.split('.').next().unwrap_or_default();
        if EXTENSIONS.contains(&module) {
            let detail = format!(
                "since version 3008 `{module}` is an extension of Salt, to be installed on the minion"
            );
            draft.note(Status::Approximated, "module", detail);
        }
        for name in draft.leftovers().into_iter().filter(|_| filled) {
            let detail = format!(
                "{} has no such argument",
                if draft.function.is_empty() { "Salt" } else { &draft.function }
            );
            draft.note(Status::Lost, &name, detail);
        }
        for (status, entry, detail) in std::mem::take(&mut draft.notes) {
            self.say(operation, status, &entry, detail);
        }
        let args = std::mem::take(&mut draft.args)
            .into_iter()
            .chain(context.map(|context| ("context".to_owned(), context)));
        let (args, broken) = self.arguments(operation, args.collect());
        if !filled {
            self.placeholder(operation, &mut state, "Salt has no state for it", true);
        } else if broken || broken_before {
            self.placeholder(
                operation,
                &mut state,
                "an expression has no counterpart in Salt",
                false,
            );
        } else {
            state.function = draft.function;
            state.args.splice(0..0, args);
        }
        self.keep_the_rest(operation);
        state
    }

    /// Says something about an entry of an operation, once.
    fn say(&mut self, operation: &Operation, status: Status, entry: &str, detail: String) {
        if self.said.insert((status, entry.to_owned(), detail.clone())) {
            self.report.about(operation, status, entry, detail);
        }
    }

    /// Reports what the last expressions could not say. True when the output would not work.
    fn issues(&mut self, operation: &Operation, entry: &str) -> bool {
        let issues = std::mem::take(&mut self.scope.issues);
        let fatal = issues.iter().any(|issue| issue.fatal);
        for issue in issues {
            let status = if issue.fatal { Status::Lost } else { Status::Approximated };
            self.say(operation, status, entry, issue.detail);
        }
        fatal
    }

    /// Every entry that nothing was said about was kept.
    fn keep_the_rest(&mut self, operation: &Operation) {
        let Some(origin) = operation.origin.as_deref() else { return };
        let said: HashSet<&str> = self.said.iter().map(|(_, entry, _)| entry.as_str()).collect();
        let open: Vec<String> = origin
            .keys
            .iter()
            .map(|key| key.entry.clone())
            .filter(|entry| !said.contains(entry.as_str()))
            .collect();
        for entry in open {
            self.say(operation, Status::Kept, &entry, String::new());
        }
    }

    /// A state that says what could not be converted, in place of one that would do the wrong thing.
    fn placeholder(&mut self, operation: &Operation, state: &mut State, reason: &str, whole: bool) {
        let module = operation.metadata.text("module").unwrap_or(operation.kind.name()).to_owned();
        if whole {
            self.say(operation, Status::Lost, "module", format!("`{module}`: {reason}"));
            for (key, value) in operation.params.iter().filter(|(_, value)| !value.is_null()) {
                if let Some(name) = key.name() {
                    let detail = format!(
                        "{} is left out with its module",
                        value.to_text().unwrap_or_else(|| "the value".to_owned())
                    );
                    self.say(operation, Status::Lost, name, detail);
                }
            }
            let keywords: Vec<String> = operation
                .origin
                .iter()
                .flat_map(|origin| &origin.keys)
                .map(|key| key.entry.clone())
                .collect();
            for name in keywords.iter().filter(|name| {
                !matches!(name.as_str(), "task_name" | "when" | "notify" | "register")
            }) {
                if !self.said.iter().any(|(_, entry, _)| entry == name) {
                    self.say(operation, Status::Lost, name, "left out with its module".to_owned());
                }
            }
        }
        state.function = "test.show_notification".to_owned();
        state.comments.push(format!("not converted, {module}: {reason}"));
        let label = operation.label().replace("{{", "").replace("}}", "");
        let text = Value::String(format!("not converted: {label} ({module})"));
        state.args.insert(0, Argument { name: "text".to_owned(), value: text, condition: None });
    }

    /// `when`, as a guard of the state, as requisites and as checks.
    fn condition(&mut self, operation: &Operation, draft: &mut Draft<'_>, state: &mut State) {
        let Some(when) = operation.target.text("when").map(str::to_owned) else { return };
        let mut condition = conditions::read(&when, &self.registered);
        if let Some(expression) = condition.expression() {
            let translated = self.scope.expression(&expression);
            let issues = std::mem::take(&mut self.scope.issues);
            if issues.iter().any(|issue| issue.fatal) {
                condition.unknown.push(expression);
            } else {
                place_guard(state, translated);
            }
            for issue in issues {
                self.say(
                    operation,
                    if issue.fatal { Status::Lost } else { Status::Approximated },
                    "when",
                    issue.detail,
                );
            }
        }
        let mut checks = condition.onlyif.len() + condition.unless.len();
        for (kind, at) in &condition.requisites {
            let references = requisites::references(&self.units[*at]);
            if references.is_empty() {
                condition.unknown.push("the result of a task that is no state".to_owned());
            }
            requisites::add(state, kind, references);
        }
        if !condition.unknown.is_empty() {
            let detail = format!(
                "Salt cannot decide `{}`: the state never runs until its onlyif is filled in",
                condition.unknown.join("`, `")
            );
            self.say(operation, Status::Lost, "when", detail);
            condition.onlyif.push("false".to_owned());
            checks = 0;
        }
        if checks > 0 {
            let detail =
                "the check runs before the state, in place of the earlier task's result".to_owned();
            self.say(operation, Status::Approximated, "when", detail);
        }
        for (name, commands) in [("onlyif", condition.onlyif), ("unless", condition.unless)] {
            if !commands.is_empty() {
                let value = commands.into_iter().map(Value::from).collect::<Vec<_>>();
                draft.args.retain(|(arg, _)| arg != name);
                draft.arg(name, value);
            }
        }
    }

    /// Arguments with their expressions in Salt's words, and whether any of them cannot work.
    fn arguments(
        &mut self,
        operation: &Operation,
        args: Vec<(String, Value)>,
    ) -> (Vec<Argument>, bool) {
        let mut broken = false;
        let mut done = Vec::with_capacity(args.len());
        for (name, value) in args {
            let entry = operation
                .params
                .iter()
                .find(|(_, param)| **param == value)
                .and_then(|(key, _)| key.name());
            let entry = entry.unwrap_or(&name).to_owned();
            let omittable = value.as_text().and_then(omittable).map(str::to_owned);
            let (value, condition) = match omittable {
                Some(expression) => {
                    let translated = self.scope.expression(&format!("{expression} is defined"));
                    let inner = self.scope.expression(&expression);
                    (Value::String(format!("{{{{ {inner} }}}}")), Some(translated))
                }
                None => (self.value(value), None),
            };
            broken |= self.issues(operation, &entry);
            done.push(Argument { name, value, condition });
        }
        (done, broken)
    }

    fn value(&mut self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.scope.text(&text)),
            Value::List(items) => {
                Value::List(items.into_iter().map(|item| self.value(item)).collect())
            }
            Value::Map(map) => {
                Value::Map(map.into_iter().map(|(key, value)| (key, self.value(value))).collect())
            }
            other => other,
        }
    }

    /// The play's variables, which a template sees in Ansible without being told.
    fn template_context(&mut self, operation: &Operation) -> Option<Value> {
        if operation.kind.kind() != Some(Kind::FileTemplate)
            || operation.metadata.text("source") != Some("ansible")
        {
            return None;
        }
        let detail = "inside the template, facts must become grains, and variables from elsewhere must come from pillar data";
        self.say(operation, Status::Approximated, "source", detail.to_owned());
        let (_, _, vars) = self.plays.get(play_index(operation)?)?;
        let names =
            vars.iter().filter_map(|(key, _)| key.name()).filter(|name| variables::is_name(name));
        let context: Map = names
            .map(|name| (crate::semantic::Key::text(name), format!("{{{{ {name} }}}}").into()))
            .collect();
        (!context.is_empty()).then_some(Value::Map(context))
    }
}

/// A condition on the item of a Jinja loop must stand inside of it.
fn place_guard(state: &mut State, condition: String) {
    let of_item = |repeat: &Repeat| {
        let names = [repeat.variable.as_str(), "loop"];
        tokens(&condition)
            .iter()
            .any(|token| matches!(token, Token::Name(name) if names.contains(name)))
    };
    if state.repeat.as_ref().is_some_and(of_item) {
        state.item_guard = Some(condition);
    } else {
        state.guard = Some(condition);
    }
}

/// `{{ expression | default(omit) }}`: the expression.
fn omittable(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim();
    let inner = inner
        .strip_suffix(')')?
        .trim_end()
        .strip_suffix("omit")?
        .trim_end()
        .strip_suffix('(')?
        .trim_end();
    let inner = inner
        .strip_suffix("default")
        .or_else(|| inner.strip_suffix('d'))?
        .trim_end()
        .strip_suffix('|')?
        .trim_end();
    (!inner.contains("}}")).then_some(inner)
}

/// The play that an operation's id names. spec: contract 3, ids of Ansible tasks
pub(super) fn play_index(operation: &Operation) -> Option<usize> {
    operation.id.strip_prefix("ansible_p")?.split('_').next()?.parse().ok()
}

/// A loop over package names as one state with all of them, as Salt installs them in one go.
fn joined_packages(operation: &Operation, variable: &str, items: &[Value]) -> Option<Operation> {
    let kind = operation.kind.kind()?;
    let is_package =
        matches!(kind, Kind::PackageInstall | Kind::PackageRemove | Kind::PackageUpgrade);
    let plain: String =
        operation.params.text("package")?.chars().filter(|c| !c.is_whitespace()).collect();
    let whole = plain == format!("{{{{{variable}}}}}");
    let conditional = operation.target.text("when").is_some_and(|when| when.contains(variable));
    if !is_package
        || !whole
        || conditional
        || items.is_empty()
        || !items.iter().all(|item| item.as_text().is_some())
    {
        return None;
    }
    let mut joined = operation.clone();
    joined.params.set("package", items.to_vec());
    Some(joined)
}

/// The id of a state: its task's name, or what it does, and its number. spec: contract 7.2
fn state_id(operation: &Operation, index: usize) -> String {
    let name = ["task_name", "state_id"]
        .iter()
        .find_map(|key| operation.metadata.text(key))
        .filter(|name| *name != "Unnamed task" && !name.is_empty());
    match name {
        Some(name) => {
            let safe = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' };
            let name: String =
                name.to_lowercase().chars().map(safe).take(ID_NAME_CHARS_MAX).collect();
            format!("{name}_{index}")
        }
        None => format!("{}_{index}", operation.kind.kind().map_or("unsupported", Kind::id_prefix)),
    }
}
