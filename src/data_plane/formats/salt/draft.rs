//! A state in the making: what of the operation went into it, and what was said about the rest.

use std::collections::HashSet;

use crate::data_plane::report::Status;
use crate::semantic::{Map, Operation, Value};

/// A state that is being made from an operation.
pub(super) struct Draft<'a> {
    pub(super) operation: &'a Operation,
    /// Variables that the source sets to lists.
    list_variables: &'a HashSet<String>,
    /// `module.function`; empty when no state is needed.
    pub(super) function: String,
    /// Its arguments, in order.
    pub(super) args: Vec<(String, Value)>,
    /// Params that were dealt with.
    taken: HashSet<String>,
    /// Findings: status, entry of the operation, detail.
    pub(super) notes: Vec<(Status, String, String)>,
    /// Lines of Jinja that stand before the state.
    pub(super) before: Vec<String>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(operation: &'a Operation, list_variables: &'a HashSet<String>) -> Self {
        Self {
            operation,
            list_variables,
            function: String::new(),
            args: Vec::new(),
            taken: HashSet::new(),
            notes: Vec::new(),
            before: Vec::new(),
        }
    }

    /// Takes the first of these params that has a value; all of them count as dealt with.
    pub(super) fn take(&mut self, names: &[&str]) -> Option<Value> {
        let params: &'a Map = &self.operation.params;
        let mut found = None;
        for name in names {
            self.taken.insert((*name).to_owned());
            found = found.or_else(|| params.present(name).cloned());
        }
        found
    }

    /// As [`Draft::take`], as text.
    pub(super) fn take_text(&mut self, names: &[&str]) -> Option<String> {
        self.take(names).and_then(|value| value.to_text())
    }

    /// As [`Draft::take`], as a boolean.
    pub(super) fn take_flag(&mut self, names: &[&str]) -> Option<bool> {
        self.take(names).and_then(|value| value.as_flag())
    }

    /// Adds an argument.
    pub(super) fn arg(&mut self, name: &str, value: impl Into<Value>) {
        self.args.push((name.to_owned(), value.into()));
    }

    /// Hands a param on under Salt's name, when it has a value.
    pub(super) fn pass(&mut self, salt: &str, names: &[&str]) {
        if let Some(value) = self.take(names) {
            self.arg(salt, value);
        }
    }

    /// Whether a value is a variable that holds a list.
    pub(super) fn is_list_variable(&self, value: &Value) -> bool {
        let inner = value.as_text().and_then(|text| text.strip_prefix("{{")?.strip_suffix("}}"));
        inner.is_some_and(|name| self.list_variables.contains(name.trim()))
    }

    /// Hands a list on, unless it is empty; a comma separated text is a list too.
    pub(super) fn pass_list(&mut self, salt: &str, names: &[&str]) {
        match self.take(names) {
            Some(Value::List(items)) if items.is_empty() => {}
            Some(Value::String(text)) if !text.contains("{{") => {
                let items =
                    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(Value::from);
                self.arg(salt, items.collect::<Vec<_>>());
            }
            Some(value @ Value::String(_)) if !self.is_list_variable(&value) => {
                self.arg(salt, vec![value]);
            }
            Some(value) => self.arg(salt, value),
            None => {}
        }
    }

    /// Hands a boolean on, in any of its spellings.
    pub(super) fn pass_flag(&mut self, salt: &str, names: &[&str]) {
        if let Some(value) = self.take(names) {
            match value.as_flag() {
                Some(flag) => self.arg(salt, flag),
                None => self.arg(salt, value),
            }
        }
    }

    /// Adds a finding about an entry.
    pub(super) fn note(&mut self, status: Status, entry: &str, detail: impl Into<String>) {
        self.notes.push((status, entry.to_owned(), detail.into()));
    }

    /// Notes an entry as approximated when the operation has it.
    pub(super) fn approximated(&mut self, entry: &str, detail: &str) {
        if self.operation.params.present(entry).is_some() {
            self.taken.insert(entry.to_owned());
            self.note(Status::Approximated, entry, detail);
        }
    }

    /// Notes an entry that needs nothing in Salt.
    pub(super) fn needless(&mut self, entries: &[&str]) {
        self.taken.extend(entries.iter().map(|entry| (*entry).to_owned()));
    }

    /// Params that no one asked for.
    pub(super) fn leftovers(&self) -> Vec<String> {
        let open = |value: &Value| match value {
            Value::Null => false,
            Value::List(items) => !items.is_empty(),
            _ => true,
        };
        let names = self
            .operation
            .params
            .iter()
            .filter(|(_, value)| open(value))
            .filter_map(|(key, _)| key.name());
        names.filter(|name| !self.taken.contains(*name)).map(str::to_owned).collect()
    }
}
